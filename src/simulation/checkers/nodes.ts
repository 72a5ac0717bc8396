/**
 * What is judged by looking into the nodes of a cluster: their disks when they speak, their mailboxes and proofs when
 * they die and at the end of the run. Changes nothing in them. Rules SM-4, RT-8, ST-2.
 */
import { ADDRESSES } from '../../actors/addresses.ts';
import type { Message, System } from '../../actors/runtime/index.ts';
import type { VrfEngine } from '../../crypto/vrf.ts';
import { epochOf } from '../../node/views.ts';
import type { Address } from '../../protocol/chain/types.ts';
import type { OperationsExpired } from '../../protocol/ports/bridge.ts';
import type { ExecutionRequest } from '../../protocol/ports/execution.ts';
import type { Hub } from '../../transport/hub.ts';
import type { Instance } from '../instance.ts';
import type { Observer } from '../observer.ts';
import { EVIDENCE_AGE } from '../setting.ts';
import { Blocks } from './blocks.ts';
import { checkBounds } from './bounds.ts';
import { checkCells, checkLinks } from './conservation.ts';
import { Contents } from './contents.ts';
import { Durability } from './durability.ts';
import { EpochChain } from './epoch-chain.ts';
import { CarriedEvidence, checkEvidence } from './evidence.ts';
import type { SafetyChecker } from './index.ts';
import { epochIn } from './proofs.ts';
import { SyncWatch, type WatchedSync } from './sync-watch.ts';
import { TimeWatch, type WatchedClocks } from './time-watch.ts';

type CommitsTold = Extract<ExecutionRequest, { readonly type: 'blocks.committed' }>;

/** What a checker needs of a cluster. */
export interface Watched extends WatchedClocks, WatchedSync {
  readonly clock: WatchedClocks['clock'];
  readonly vrf: VrfEngine;
  readonly hub: Pick<Hub, 'counts'>;
}

/** Tells a `SafetyChecker` all that happens in a cluster, and looks into its nodes besides. */
export class NodeChecker {
  readonly #checker: SafetyChecker;
  readonly #faulty: ReadonlySet<Address>;
  readonly #disks = new Map<Instance, Durability>();
  #watched: Watched | undefined;
  readonly #contents: Contents;
  #blocks: Blocks | undefined;
  #epochs: EpochChain | undefined;
  #times: TimeWatch | undefined;
  #syncs: SyncWatch | undefined;
  readonly #carried: CarriedEvidence;
  #finished = false;

  constructor(checker: SafetyChecker, faulty: ReadonlySet<Address>) {
    this.#checker = checker;
    this.#contents = new Contents(checker.report);
    this.#faulty = faulty;
    this.#carried = new CarriedEvidence(faulty, EVIDENCE_AGE.ageHeights);
  }

  /** Once, before anything runs. */
  watch(watched: Watched): void {
    this.#watched = watched;
    const times = new TimeWatch(watched, this.#checker.report);
    this.#times = times;
    this.#syncs = new SyncWatch(watched, this.#faulty, this.#checker.report);
    this.#blocks = new Blocks(
      (epoch) => epochIn(watched, epoch),
      watched.vrf,
      () => times.latest,
      this.#checker.report,
    );
    this.#epochs = new EpochChain(watched.epoch, watched.vrf, this.#checker.report);
    for (const { instance, disk } of watched.nodes) {
      if (instance.faulty) continue;
      this.#disks.set(instance, new Durability(nameOf(instance), disk, this.#checker.report));
    }
  }

  /** Offences that committed blocks carry, and at which heights. */
  get carried(): CarriedEvidence['offences'] {
    return this.#carried.offences;
  }

  /** For the cluster's observers. */
  observer(): Observer {
    const checker = this.#checker;
    return {
      started: (instance, process) => {
        checker.started(instance.address);
        this.#disks.get(instance)?.look();
        this.#times?.started(instance, process);
        this.#syncs?.started(instance, process);
        if (!instance.faulty) this.#listen(instance, process.system);
      },
      timeSeen: (instance, time, isAdjusted) => this.#times?.seen(instance, time, isAdjusted),
      crashed: (instance, { system }) => {
        this.#disks.get(instance)?.look();
        this.#judge(instance, system);
      },
      sent: (instance, to, message) => {
        if (instance.faulty) return;
        this.#disks.get(instance)?.sent(message);
        this.#syncs?.sent(instance, message);
        if (message.kind === 'Proposal' && message.vote.validator === instance.address) {
          this.#times?.proposed(instance);
        }
        if (message.kind === 'TimeReply') this.#times?.told(instance, message);
        checker.sent(instance.address, message, to);
      },
      executed: (instance, message) => {
        checker.executed(instance.address, message);
        const { executed, blockId, validatorUpdates } = message;
        if (!instance.faulty) this.#epochs?.executed(executed.height, validatorUpdates);
        this.#disks.get(instance)?.told('the outcome', executed.height, blockId);
        const disk = this.#watched?.nodes[instance.node]?.disk;
        if (disk !== undefined) this.#contents.executed(nameOf(instance), disk, message);
      },
      committed: ({ address }, block) => {
        checker.committed(address, [block]);
        this.#blocks?.committed(address, block);
        this.#epochs?.committed(address, block);
        this.#carried.committed(block.block, checker.report);
      },
      alarmed: ({ address }, detail) => checker.alarmed(address, detail),
      admitted: ({ address }, admissions) => checker.admitted(address, admissions),
      roundFailed: ({ address, node }, round) => {
        const system = this.#watched?.nodes[node]?.process?.system;
        checker.roundFailed(address, round, system === undefined ? 0 : epochOf(system)?.epoch);
      },
    };
  }

  /** Between two turns, when nothing more will happen. */
  finish(): void {
    if (this.#finished || this.#watched === undefined) return;
    this.#finished = true;
    const { nodes, hub } = this.#watched;
    for (const { instance, process } of nodes) {
      this.#disks.get(instance)?.look();
      if (process !== undefined) this.#judge(instance, process.system);
    }
    this.#syncs?.finish(this.#checker.isForked);
    checkLinks(hub.counts, this.#checker.report);
    this.#checker.finish();
  }

  #judge(instance: Instance, system: System): void {
    const { report } = this.#checker;
    checkCells(nameOf(instance), system, report);
    checkBounds(nameOf(instance), system, this.#watched?.nodes.length ?? 0, report);
    if (!instance.faulty) checkEvidence(nameOf(instance), system, this.#faulty, report);
  }

  /** What boundary cells of a node are told. */
  #listen(instance: Instance, system: System): void {
    system.inspect({
      delivery: ({ address, message }) => {
        if (address === ADDRESSES.executor && isCommitsTold(message)) {
          this.#disks.get(instance)?.toldOf('a commit', message.blocks);
        }
        if (address === ADDRESSES.rpc && isExpiryTold(message)) {
          this.#checker.expired(instance.address, message.ids, message.height);
        }
      },
    });
  }
}

const nameOf = ({ node }: Instance): string => `node ${node}`;

// The tree's cells tell each other nothing but what their ports say: a type names its message.
const isCommitsTold = (message: Message): message is CommitsTold => message.type === 'blocks.committed';
const isExpiryTold = (message: Message): message is OperationsExpired =>
  message.type === 'operations.expired';

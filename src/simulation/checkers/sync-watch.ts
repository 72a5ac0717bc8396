/**
 * Tells the checker of sync what the cells of sync of a cluster show: read off their snapshots and off what leaves them. Changes
 * nothing in them. Rules SY-1 to SY-9, SM-4.
 */
import { ADDRESSES } from '../../actors/addresses.ts';
import type { Transition, VirtualClock } from '../../actors/runtime/index.ts';
import type { BlockSyncContext } from '../../machines/sync/block-sync.live.ts';
import type { NetworkSyncContext } from '../../machines/sync/network-sync.live.ts';
import type { StateSyncContext } from '../../machines/sync/state-sync.live.ts';
import { networkSyncOf, stateSyncOf } from '../../node/views.ts';
import type { Address } from '../../protocol/chain/types.ts';
import type { PeerMessage } from '../../protocol/consensus/types.ts';
import type { Instance } from '../instance.ts';
import type { SimulatedNode, SimulatedProcess } from '../validator.ts';
import type { Report } from './claim.ts';
import type { ProofSetting } from './proofs.ts';
import { Syncs, type WindowSeen } from './sync.ts';

/** What the watch needs of a cluster. */
export interface WatchedSync extends ProofSetting {
  readonly nodes: readonly SimulatedNode[];
  readonly clock: Pick<VirtualClock, 'now'>;
}

export class SyncWatch {
  readonly #watched: WatchedSync;
  readonly #syncs: Syncs;
  readonly #processes = new Map<Instance, SimulatedProcess>();

  constructor(watched: WatchedSync, faulty: ReadonlySet<Address>, report: Report) {
    this.#watched = watched;
    this.#syncs = new Syncs(watched, faulty, report);
  }

  started(instance: Instance, process: SimulatedProcess): void {
    if (instance.faulty) return;
    const { address } = instance;
    this.#syncs.began(address);
    this.#processes.set(instance, process);
    process.system.inspect({
      transition: (transition) => this.#moved(instance, transition),
      delivery: (delivered) => {
        if (delivered.address === ADDRESSES.sideStore && delivered.message.type === 'side.openRequested') {
          if (!this.#joins(instance)) this.#syncs.resyncBegan(address, 'a side store is opened');
        }
      },
    });
  }

  /** By the operator's configuration (SY-10). */
  #joins(instance: Instance): boolean {
    return this.#watched.nodes.some((node) => node.instance === instance && node.joins);
  }

  /** A message leaves. */
  sent({ address }: Instance, message: PeerMessage): void {
    const at = this.#watched.clock.now();
    switch (message.kind) {
      case 'Proposal':
        if (message.vote.validator === address)
          this.#syncs.signed(address, at, 'proposal', message.block.header);
        return;
      case 'Vote':
        if (message.vote.validator === address) this.#syncs.signed(address, at, 'vote', message.vote);
        return;
      case 'ViewChange':
        if (message.validator === address) this.#syncs.signed(address, at, 'timeout', message);
        return;
      default:
    }
  }

  /** When nothing more will happen. @param isForked two honest nodes have committed different blocks */
  finish(isForked: boolean): void {
    for (const { instance, process } of this.#watched.nodes) {
      if (instance.faulty || process === undefined) continue;
      const wall = process.adjusted.read();
      const peers = stateSyncOf(process.system)?.peers;
      for (const { state } of peers?.values() ?? []) {
        const { score, removedUntil = 0 } = state.reputation;
        if (score === 0 && removedUntil > wall) this.#syncs.distrusts(instance.address, state.peer);
      }
      if (networkSyncOf(process.system) !== undefined) this.#syncs.ended(instance.address, isForked);
    }
  }

  #moved(instance: Instance, transition: Transition): void {
    const { address } = instance;
    const { event, from } = transition;
    switch (transition.address) {
      case ADDRESSES.networkSync:
        if (event.type === 'xstate.init') this.#syncs.began(address);
        this.#status(instance, contextOf<NetworkSyncContext>(transition));
        return;
      case ADDRESSES.stateSync:
        if (isClaim(event)) this.#syncs.heard(address, event.from);
        this.#questions(address, contextOf<StateSyncContext>(transition));
        return;
      case ADDRESSES.blockSync:
        this.#syncs.window(address, windowOf(contextOf<BlockSyncContext>(transition)));
        return;
      case ADDRESSES.chainSync:
        if (event.type === 'resync.requested' && !this.#joins(instance))
          this.#syncs.resyncBegan(address, 'chain-sync is asked');
        return;
      case ADDRESSES.router:
        if (from === ADDRESSES.stateSync && isBlame(event))
          this.#syncs.blamed(address, event.peer, event.code);
        return;
      default:
    }
  }

  #status({ address, node }: Instance, context: NetworkSyncContext): void {
    const { status, ownHeight, fork, counts } = context;
    const latest = this.#watched.nodes[node]?.read((store) => store.latest());
    this.#syncs.showed(address, this.#watched.clock.now(), {
      kind: status.kind,
      ...('reason' in status ? { reason: status.reason } : {}),
      own: ownHeight,
      onDisk: latest?.status === 'found' ? latest.value.committed : undefined,
      resyncs: counts.resyncs,
      fork,
      set: context.epoch.set,
    });
  }

  #questions(node: Address, { book, tasks }: StateSyncContext): void {
    const open = new Map<Address, string[]>();
    for (const { peer, message } of book.open.values()) {
      const kinds = open.get(peer);
      if (kinds === undefined) open.set(peer, [message.kind]);
      else kinds.push(message.kind);
    }
    this.#syncs.questions(node, open, tasks.size);
  }
}

function windowOf({ window, tip, config }: BlockSyncContext): WindowSeen {
  let asked: number | undefined;
  let bytes = 0;
  let [told, firm] = [false, false];
  for (const batch of window) {
    if (batch.status === 'applying') {
      told = true;
      firm ||= batch.segment.firm > tip.height;
      bytes += batch.segment.bytes;
      continue;
    }
    if (batch.status === 'verifying') bytes += batch.segment.bytes;
    if (batch.need.by === 'height') asked = Math.max(asked ?? 0, batch.need.to);
    else bytes += batch.need.upper?.bytes ?? 0;
  }
  return { asked, tip: tip.height, maxGap: config.tier2MaxGap, bytes, isMoving: !told || firm };
}

/** The chart at an address is known by the tree; its context's type with it. */
function contextOf<Context>({ snapshot }: Transition): Context {
  return (snapshot as { readonly context: Context }).context;
}

// The tree's cells tell each other nothing but what their ports say: a type names its message.
type Claim = { readonly type: 'message.received'; readonly from: Address };
type Blame = { readonly type: 'peer.misbehaved'; readonly peer: Address; readonly code: string };
const isClaim = (event: { readonly type: string }): event is Claim =>
  event.type === 'message.received' &&
  'message' in event &&
  typeof event.message === 'object' &&
  event.message !== null &&
  'kind' in event.message &&
  event.message.kind === 'BlockHeight';
const isBlame = (event: { readonly type: string }): event is Blame => event.type === 'peer.misbehaved';

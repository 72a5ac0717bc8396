/**
 * The supervision tree of a node (ARCHITECTURE.md): which cells there are, under whom, in which order. Pure data: the
 * boundary actors are given, so production and the simulated cluster run the same tree.
 */

import { ADDRESSES } from '../actors/addresses.ts';
import { type CellSpec, child, supervisor } from '../actors/runtime/index.ts';
import type { WallTime } from '../base/units.ts';
import type { BlsEngine } from '../crypto/bls/engine.ts';
import type { VrfEngine } from '../crypto/vrf.ts';
import { bridgeMachine } from '../machines/bridge/bridge.machine.ts';
import { BRIDGE_CONTROL_EVENTS, BRIDGE_EVENTS } from '../machines/bridge/bridge.setup.ts';
import { epochKeeperMachine } from '../machines/consensus/epoch-keeper.machine.ts';
import { EPOCH_KEEPER_EVENTS } from '../machines/consensus/epoch-keeper.setup.ts';
import { evidencePoolMachine } from '../machines/consensus/evidence-pool.machine.ts';
import { EVIDENCE_POOL_EVENTS } from '../machines/consensus/evidence-pool.setup.ts';
import type { RoundSetting } from '../machines/consensus/round.setup.ts';
import { roundManagerMachine } from '../machines/consensus/round-manager.machine.ts';
import { ROUND_MANAGER_EVENTS } from '../machines/consensus/round-manager.setup.ts';
import { safetyMachine } from '../machines/consensus/safety.machine.ts';
import { SAFETY_EVENTS } from '../machines/consensus/safety.setup.ts';
import { viewChangeMachine } from '../machines/consensus/view-change.machine.ts';
import { VIEW_CHANGE_EVENTS } from '../machines/consensus/view-change.setup.ts';
import { mempoolMachine } from '../machines/mempool/mempool.machine.ts';
import { MEMPOOL_EVENTS } from '../machines/mempool/mempool.setup.ts';
import { timeCoordinatorMachine } from '../machines/time/time-coordinator.machine.ts';
import { TIME_COORDINATOR_EVENTS } from '../machines/time/time-coordinator.setup.ts';
import type { BridgeConfig } from '../protocol/bridge/config.ts';
import type { EpochContext } from '../protocol/consensus/epoch.ts';
import type { EvidenceRules } from '../protocol/consensus/evidence-pool.ts';
import type { BlockLimits } from '../protocol/consensus/proposal.ts';
import type { NodeSigner } from '../protocol/consensus/safety.ts';
import type { TimelinessConfig } from '../protocol/consensus/timeliness.ts';
import type { TimeoutConfig } from '../protocol/consensus/timeouts.ts';
import type { MempoolConfig } from '../protocol/mempool/config.ts';
import type { SyncConfig } from '../protocol/sync/config.ts';
import type { ForkEvidence } from '../protocol/sync/types.ts';
import type { TimeConfig } from '../protocol/time/config.ts';
import { VALIDATORS_MAX } from '../protocol/transport/limits.ts';
import { bounded } from './intensity.ts';
import { sync } from './sync-tree.ts';

export interface NodeParts {
  /** The first: cells that keep what is durable read there which the present one is. */
  readonly epoch: EpochContext;
  /** Read at each start of a cell that only judges by the set: one that starts anew by itself begins with the present one (CS-16). */
  readonly present: () => EpochContext;
  readonly signer: NodeSigner;
  readonly bls: BlsEngine;
  readonly vrf: VrfEngine;
  readonly genesisTime: WallTime;
  readonly limits: BlockLimits;
  readonly timeliness: TimelinessConfig;
  readonly timeouts: TimeoutConfig;
  readonly mempool: MempoolConfig;
  readonly time: TimeConfig;
  readonly sync: SyncConfig;
  readonly bridge: BridgeConfig;
  /** Messages that the bridge may have waiting; beyond, peers' sockets pause and clients are refused (BR-3). @unit messages */
  readonly bridgeQueueSize: number;
  /** Two proofs: nothing is signed (SY-5). Read at each start of a cell, so that one which starts anew knows of a fork of this life. */
  readonly fork?: { readonly detail: string; readonly evidence?: ForkEvidence } | undefined;
  /** Boundary actors, by their places in the tree. */
  readonly storage: CellSpec;
  /** `clock` and `ntp-client`. */
  readonly clocks: readonly CellSpec[];
  readonly network: readonly CellSpec[];
  readonly executor: CellSpec;
  /** Absent: this node keeps no snapshots (SY-10). */
  readonly snapshotKeeper?: CellSpec;
  readonly sideStore: CellSpec;
  /** Absent: this node never joins by a snapshot (SY-10). */
  readonly snapshotRestorer?: CellSpec;
  /** D of the genesis. @unit heights */
  readonly deduplicationHeights: number;
  /** This life begins with a join by a snapshot. Default: false. */
  readonly joins?: boolean;
  readonly surface: readonly CellSpec[];
  /** How old evidence may be, of the genesis (CS-14). */
  readonly evidenceAge: Pick<EvidenceRules, 'ageHeights' | 'ageMax'>;
}

/**
 * Messages that one consensus cell may have waiting; one link may fill a quarter. Both bounds reject, which pauses
 * the socket that meets them (TP-5, RT-7). @unit messages @source 100 validators, a few rounds each
 */
const CONSENSUS_MAILBOX = { capacity: 16_384, perSender: 4_096, overflow: 'reject' } as const;

/** The root of a node; start it with `system.start(nodeTree(…))`. */
export function nodeTree(parts: NodeParts): CellSpec {
  return child(
    'node',
    supervisor({
      strategy: 'rest_for_one',
      ...bounded,
      children: [
        parts.storage,
        child('network', supervisor({ strategy: 'one_for_one', ...bounded, children: parts.network })),
        child('time', time(parts)),
        child(
          'application',
          supervisor({ strategy: 'one_for_one', ...bounded, children: application(parts) }),
        ),
        child('consensus', consensus(parts)),
        child('sync', sync(parts)),
        bridge(parts),
        child('surface', supervisor({ strategy: 'one_for_one', ...bounded, children: parts.surface })),
      ],
    }),
  );
}

const application = ({ executor, snapshotKeeper }: NodeParts): readonly CellSpec[] =>
  snapshotKeeper === undefined ? [executor] : [executor, snapshotKeeper];

function time({ present, signer, time: config, clocks }: NodeParts) {
  const { clock, ntpClient, router, roundManager, viewChange, mempool } = ADDRESSES;
  return supervisor({
    // A clock or a client that starts anew knows of no question: the coordinator asks again.
    strategy: 'rest_for_one',
    ...bounded,
    children: [
      ...clocks,
      child('time-coordinator', timeCoordinatorMachine, {
        input: {
          config,
          get validators() {
            return present().set;
          },
          self: signer.address,
          clock,
          ntpClient,
          router,
          listeners: [roundManager],
          paced: [viewChange, mempool],
        },
        publicEvents: TIME_COORDINATOR_EVENTS,
      }),
    ],
  });
}

function consensus(parts: NodeParts) {
  const { epoch, signer, bls, vrf, genesisTime, limits, timeliness, timeouts } = parts;
  const { storage, router, safety, viewChange, roundManager, mempool, evidencePool, executor } = ADDRESSES;
  const self = signer.address;
  const cells = { router, safety, viewChange, mempool, evidencePool };
  const setting: RoundSetting = { epoch, self, bls, vrf, limits, timeliness, ...cells };
  return supervisor({
    strategy: 'rest_for_one',
    ...bounded,
    children: [
      child('safety', safetyMachine, {
        input: {
          epoch,
          signer,
          storage,
          router,
          get isForked() {
            return parts.fork !== undefined;
          },
        },
        publicEvents: SAFETY_EVENTS,
        mailbox: CONSENSUS_MAILBOX,
      }),
      child('view-change', viewChangeMachine, {
        input: {
          epoch,
          self,
          bls,
          timeouts,
          storage,
          router,
          safety,
          roundManager,
          observers: [ADDRESSES.rpc, ADDRESSES.bridge],
          bridge: ADDRESSES.bridge,
          epochKeeper: ADDRESSES.epochKeeper,
        },
        publicEvents: VIEW_CHANGE_EVENTS,
        mailbox: CONSENSUS_MAILBOX,
      }),
      child('round-manager', roundManagerMachine, {
        input: {
          setting,
          genesisTime,
          storage,
          blockSync: ADDRESSES.blockSync,
          commitListeners: [
            ...[executor, mempool, evidencePool, ADDRESSES.blockSync, ADDRESSES.networkSync],
            ...[ADDRESSES.bridge, ADDRESSES.herald],
          ],
          epochListeners: EPOCH_LISTENERS,
          epochKeeper: ADDRESSES.epochKeeper,
          alarm: ADDRESSES.alarm,
          timeCoordinator: ADDRESSES.timeCoordinator,
          networkSync: ADDRESSES.networkSync,
          evidencePool,
        },
        publicEvents: ROUND_MANAGER_EVENTS,
        mailbox: CONSENSUS_MAILBOX,
      }),
      mempoolCell(parts),
      child('epoch-keeper', epochKeeperMachine, {
        input: { epoch, self, bls, storage, router, roundManager, blockSync: ADDRESSES.blockSync },
        publicEvents: EPOCH_KEEPER_EVENTS,
        mailbox: CONSENSUS_MAILBOX,
      }),
      evidencePoolCell(parts),
    ],
  });
}

/** All who judge by the validators of the epoch (CS-16). */
const EPOCH_LISTENERS = [
  ...[ADDRESSES.safety, ADDRESSES.viewChange, ADDRESSES.epochKeeper, ADDRESSES.mempool],
  ...[ADDRESSES.timeCoordinator, ADDRESSES.bridge, ADDRESSES.router, ADDRESSES.evidencePool],
  ...[ADDRESSES.chainServer, ADDRESSES.stateSync, ADDRESSES.heightSync, ADDRESSES.blockSync],
  ...[ADDRESSES.networkSync, ADDRESSES.syncCoordinator, ADDRESSES.alarm],
];

function mempoolCell({ present, signer, mempool: config }: NodeParts) {
  const { storage, router: network, executor, roundManager, bridge } = ADDRESSES;
  return child('mempool', mempoolMachine, {
    input: {
      get validators() {
        return present().set;
      },
      author: signer.address,
      config,
      addresses: { storage, network, executor, bridge, pacemakers: [roundManager], listeners: [bridge] },
    },
    publicEvents: MEMPOOL_EVENTS,
    mailbox: CONSENSUS_MAILBOX,
  });
}

function evidencePoolCell({ present, bls, evidenceAge, signer, bridge }: NodeParts) {
  const { storage, router, roundManager } = ADDRESSES;
  return child('evidence-pool', evidencePoolMachine, {
    input: {
      get rules() {
        return { epoch: present(), bls, ...evidenceAge };
      },
      self: signer.address,
      deduplication: { entries: bridge.deduplicationEntries, ttl: bridge.deduplicationTtl },
      storage,
      router,
      roundManager,
    },
    publicEvents: EVIDENCE_POOL_EVENTS,
    mailbox: CONSENSUS_MAILBOX,
  });
}

/** Changes of links and breakers that wait: a link changes at most twice in its shortest backoff. @unit messages */
const BRIDGE_CONTROL_MAX = 4 * VALIDATORS_MAX;

/** BR-3: a full mailbox rejects, so that the sender hears of it. */
function bridge({
  bridge: config,
  bridgeQueueSize: capacity,
  present,
  signer,
  mempool,
  deduplicationHeights,
}: NodeParts) {
  return child('consensus-bridge', bridgeMachine, {
    input: {
      config,
      self: signer.address,
      get validators() {
        return present().set;
      },
      batchTtlHeights: mempool.batchTtlHeights,
      deduplicationHeights,
      storage: ADDRESSES.storage,
      mempool: ADDRESSES.mempool,
      executor: ADDRESSES.executor,
      networkSync: ADDRESSES.networkSync,
      router: ADDRESSES.router,
      alarm: ADDRESSES.alarm,
      roundManager: ADDRESSES.roundManager,
      listeners: [ADDRESSES.rpc],
    },
    publicEvents: BRIDGE_EVENTS,
    // The half that no sender can take alone is the executor's and consensus': what they tell must not be lost to a flood.
    mailbox: {
      ...{ capacity, perSender: Math.ceil(capacity / 2), overflow: 'reject' },
      control: BRIDGE_CONTROL_MAX,
    },
    controlEvents: BRIDGE_CONTROL_EVENTS,
  });
}

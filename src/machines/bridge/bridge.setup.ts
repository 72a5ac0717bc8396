/**
 * Parts of the bridge chart (seed 004: NetworkConsensusBridge): the one way in for operations, between the application's users and
 * consensus. Pure. Rules BR-1 to BR-10, docs/protocol/bridge.md.
 */
import { setup } from 'xstate';
import { millis } from '../../base/units.ts';
import type { DoorRefusal } from '../../protocol/bridge/admission.ts';
import type { BridgeMessage } from '../../protocol/bridge/messages.ts';
import { executed as endedBy } from '../../protocol/bridge/operations.ts';
import { describePartition } from '../../protocol/bridge/partition.ts';
import type { Height } from '../../protocol/chain/types.ts';
import type { OperationsSubmitted } from '../../protocol/ports/bridge.ts';
import type { EpochBegan, RoundOverdue } from '../../protocol/ports/consensus.ts';
import type { BlockExecuted, ExecutionReply, ExecutionRequest } from '../../protocol/ports/execution.ts';
import type { MempoolReply } from '../../protocol/ports/mempool.ts';
import type {
  ConnectivityEvent,
  ConnectivityTold,
  PeerMessageReceived,
} from '../../protocol/ports/network.ts';
import type { StorageReply } from '../../protocol/ports/storage.ts';
import type { SyncStatusChanged } from '../../protocol/ports/sync.ts';
import { isOrderlyExit, telling } from '../../protocol/supervision/effect.ts';
import { isNearTip } from '../../protocol/sync/status.ts';
import type { FailedRound } from '../consensus/view-change.live.ts';
import { type CellDown, crash, declare, on, step, types } from '../vocabulary/index.ts';
import { breakerMachine } from './breaker.machine.ts';
import type { BreakerReport } from './breaker.setup.ts';
import { type CheckOverdue, isYoung } from './bridge.checking.ts';
import { type GatherDue, handAgainIfDue, recordCheck, takeOrGather, takeQueue } from './bridge.gathering.ts';
import {
  askConnectivity,
  askSync,
  type BridgeContext,
  type BridgeInput,
  CERTIFIED,
  counted,
  type Decided,
  isDiverged,
  load,
} from './bridge.live.ts';
import {
  cleanUp,
  handOn,
  type Received,
  recordAdmissions,
  recordBatchesExpired,
  recordEnded,
  recordRemote,
  refuseAll,
  withEarly,
  withoutForgotten,
} from './bridge.operations.ts';
import { enqueue, refuseLate } from './bridge.queue.ts';
import { breakerInput, dismissed, reach, reached, recordEpoch } from './bridge.reach.ts';
import { hearState, noteExecuted, noteStated, shareStateIfDue } from './bridge.sharing.ts';

export type { BridgeContext, BridgeInput } from './bridge.live.ts';
export { getStats, initialBridge, isConsensusHealthy, isDiverged, load } from './bridge.live.ts';

type BridgePublicEvent =
  | OperationsSubmitted
  | PeerMessageReceived<BridgeMessage>
  | ConnectivityEvent
  | ConnectivityTold
  | BlockExecuted
  | FailedRound
  | EpochBegan
  | RoundOverdue
  | BreakerReport
  | Extract<StorageReply, { type: 'tip.found' | 'storage.failed' }>
  | Extract<ExecutionRequest, { type: 'blocks.committed' }>
  | Extract<ExecutionReply, { type: 'check.answered' | 'execution.failed' }>
  | SyncStatusChanged
  | Extract<MempoolReply, { type: 'transactions.admitted' | 'transactions.expired' }>;

/** Event types that other cells may send (RT-16). */
export const BRIDGE_EVENTS = declare<BridgePublicEvent>()(
  'operations.submitted',
  'message.received',
  'peer.connected',
  'peer.disconnected',
  'connectivity.told',
  'block.executed',
  'check.answered',
  'execution.failed',
  'sync.statusChanged',
  'round.failed',
  'round.overdue',
  'epoch.began',
  'call.failed',
  'breaker.changed',
  'blocks.committed',
  'tip.found',
  'storage.failed',
  'transactions.admitted',
  'transactions.expired',
);

/**
 * Facts that overtake what waits: who can be reached must be right while a flood fills the mailbox (BR-3, BR-10). They share a lane, so
 * that they stay in the order in which they were told.
 */
export const BRIDGE_CONTROL_EVENTS = [
  'peer.connected',
  'peer.disconnected',
  'connectivity.told',
  'breaker.changed',
] as const satisfies readonly BridgePublicEvent['type'][];

type BridgePrivateEvent =
  | { readonly type: 'partition.due' }
  | { readonly type: 'height.due' }
  | { readonly type: 'queue.due' }
  | CheckOverdue
  | GatherDue;
type BridgeEvent = BridgePublicEvent | BridgePrivateEvent | CellDown;

/** A submission, from whomever: what another node hands over is one like any other. Its link's rates and the mempool's bound it. */
function submitted(event: BridgeEvent): Received | undefined {
  if (event.type === 'operations.submitted') {
    const { replyTo: address, tag, client, transactions } = event;
    return { asker: { kind: 'cell', address, tag }, client, transactions, check: 'due' };
  }
  if (event.type !== 'message.received' || event.message.kind !== 'SubmitOperations') return undefined;
  const { from: peer, message } = event;
  const { tag, operations: transactions } = message;
  return { asker: { kind: 'peer', peer, tag }, client: `peer ${peer}`, transactions, check: 'due' };
}

/** What a certificate says of this node's state; a peer's word refuses nothing. */
function refusalOfDiverged({ divergences }: BridgeContext): DoorRefusal | undefined {
  const certified = divergences.get(CERTIFIED);
  if (certified === undefined) return undefined;
  const log = `the state of this node is not the chain's since height ${certified.height}: ask another node`;
  return { code: 'STATE_DIVERGED', log };
}

/** The one question to storage. */
const TIP_TAG = 0;
/** @unit ms @source chosen: storage answers within milliseconds, unless it failed */
const HEIGHT_RETRY_MS = millis(1_000);

export const bridgeSetup = setup({
  types: types<BridgeContext, BridgeEvent, BridgeInput>(),
  actors: { breaker: breakerMachine },
  guards: {
    isPartitioned: ({ context }) => context.partition !== undefined,
    isConnected: ({ context }) => context.partition === undefined,
    isDiverged: ({ context }) => isDiverged(context),
    /** A partition is over, or the height is known: what waited is taken, in order. */
    queueCanBeTaken: ({ context }) =>
      context.queue.size > 0 && !context.isGathering && context.committedHeight !== undefined,
    queuesMeanwhile: ({ context }) => context.config.whenPartitioned === 'queue',
    isFull: ({ context }) => load(context) >= context.config.maxPendingOperations,
    hasPlace: ({ context }) => load(context) < context.config.maxPendingOperations,
    isSubmission: ({ event }) =>
      event.type === 'message.received' && event.message.kind === 'SubmitOperations',
    isAnswer: ({ event }) => event.type === 'message.received' && event.message.kind === 'OperationsAnswered',
  },
  delays: {
    partitionTimeout: ({ context }) => context.config.partitionTimeout,
    stateSyncTick: ({ context }) => context.config.stateSyncIntervalMin,
    cleanupInterval: ({ context }) => context.config.cleanupInterval,
  },
  actions: {
    startBreakers: step(({ context, address }) => ({
      effects: context.validators.validators
        .filter((validator) => validator.address !== context.self)
        .map((validator) => ({
          kind: 'spawn',
          logic: 'breaker',
          id: validator.address,
          input: breakerInput(context, validator.address, address),
        })),
    })),
    /** CS-16: the votes that an operation needs are those of the present set (BR-1); each of its validators has a breaker. */
    recordEpoch: step(
      on('epoch.began', ({ context, event: { epoch }, now, address }) =>
        recordEpoch(context, epoch.set, { now, address }),
      ),
    ),
    /** An earlier life of this cell was told; this one was not. */
    askConnectivity: step(({ context, address }) => ({ effects: [askConnectivity(context, address)] })),
    askSync: step(({ context, address }) => ({ effects: askSync(context, address) })),
    recordSync: step(
      on(
        'sync.statusChanged',
        ({ event: { status } }): Decided => ({
          context: { isNearTip: isNearTip(status) },
        }),
      ),
    ),
    /** BR-1: blocks tell it only when the next one is committed. Asked again until it is known. */
    askHeight: step(({ context, address }) => ({
      effects: [
        telling(context.storage, { type: 'tip.requested', replyTo: address, tag: TIP_TAG }),
        { kind: 'startTimer', key: 'height', delayMs: HEIGHT_RETRY_MS, message: { type: 'height.due' } },
      ],
    })),
    recordHeight: step(
      on('tip.found', ({ context, event: { height } }) => ({
        context: { committedHeight: Math.max(height, context.committedHeight ?? height) as Height },
        effects: [{ kind: 'cancelTimer', key: 'height' }],
      })),
    ),
    /** A breaker ends with its validator's time in the set; for no other reason: its crash is ours. */
    crashWithBreaker: step(({ event }) => ({
      effects:
        event.type === 'cell.down' && !isOrderlyExit(event.reason)
          ? [{ kind: 'exit', reason: crash(`${event.address} ended: ${JSON.stringify(event.reason)}`) }]
          : [],
    })),
    countMessage: step(({ context }) => ({ context: counted(context, 'messagesProcessed') })),
    takeOperations: step(({ context, event, ...clock }) => {
      const waiting = submitted(event);
      if (waiting === undefined) return {};
      // BR-1: its own height cannot be judged before that of the chain is known.
      return context.committedHeight === undefined
        ? enqueue(context, waiting, clock.now)
        : takeOrGather(context, waiting, clock);
    }),
    queueOperations: step(({ context, event, now }) => {
      const waiting = submitted(event);
      return waiting === undefined ? {} : enqueue(context, waiting, now);
    }),
    refuseLate: step(({ context, now }) => refuseLate(context, now)),
    refusePartitioned: step(({ context, event }) => {
      const waiting = submitted(event);
      const { partition, validators } = context;
      if (waiting === undefined || partition === undefined) return {};
      const log = `${describePartition(partition, validators.totalPower)}; try again later`;
      return refuseAll(context, waiting, { code: 'PARTITIONED', log });
    }),
    refuseDiverged: step(({ context, event }) => {
      const waiting = submitted(event);
      const refusal = refusalOfDiverged(context);
      return waiting === undefined || refusal === undefined ? {} : refuseAll(context, waiting, refusal);
    }),
    recordAdmissions: step(
      on('transactions.admitted', ({ context, event: { tag, admissions } }) =>
        recordAdmissions(context, tag, admissions),
      ),
    ),
    recordCheck: step(
      on('check.answered', ({ context, event: { tag, results, height }, ...clock }) =>
        recordCheck(context, { tag, results: isYoung(context, height) ? results : [], isLate: false }, clock),
      ),
    ),
    recordCheckFailed: step(
      on('execution.failed', ({ context, event: { tag }, ...clock }) =>
        recordCheck(context, { tag, results: [], isLate: false }, clock),
      ),
    ),
    recordCheckOverdue: step(
      on('check.overdue', ({ context, event: { tag }, ...clock }) =>
        recordCheck(context, { tag, results: [], isLate: true }, clock),
      ),
    ),
    recordBatchesExpired: step(
      on('transactions.expired', ({ context, event: { hashes, height } }) =>
        recordBatchesExpired(context, hashes, height),
      ),
    ),
    recordExecuted: step(
      on('block.executed', ({ context, event: { executed, transactions } }) => {
        const known = withoutForgotten(context, executed.height);
        const ended = recordEnded(
          known,
          endedBy(known.operations, executed.height, transactions),
          executed.height,
        );
        const noted = noteExecuted({ ...known, ...ended.context }, executed);
        const early = withEarly(known, transactions);
        return {
          context: { ...known, ...ended.context, ...noted.context, ...early },
          effects: [...(ended.effects ?? []), ...(noted.effects ?? [])],
        };
      }),
    ),
    recordCommitted: step(
      on('blocks.committed', ({ context, event: { blocks }, now }) => {
        const { committedHeight } = context;
        const height = blocks.at(-1)?.block.header.height ?? committedHeight;
        const fresh = blocks.filter(
          ({ block: { header } }) => committedHeight === undefined || header.height > committedHeight,
        );
        if (fresh.length === 0) return {};
        const noted = noteStated(context, fresh);
        const rounds = counted(context, 'consensusRoundsCompleted', fresh.length);
        const going = {
          committedHeight: height,
          ...{ failedRounds: 0, failingSince: undefined, overdueSince: undefined },
          ...rounds,
        };
        return { ...reached(context, { ...going, ...noted.context }, now), effects: noted.effects };
      }),
    ),
    handAgain: step(({ context, ...clock }) => handAgainIfDue(context, clock)),
    recordFailedRound: step(({ context, now }) =>
      reached(
        context,
        {
          failedRounds: context.failedRounds + 1,
          failingSince: context.failingSince ?? now,
          overdueSince: undefined,
        },
        now,
      ),
    ),
    recordOverdueRound: step(({ context, now }) => {
      if (context.overdueSince !== undefined) return {};
      const { partitionTimeout: delayMs } = context.config;
      const message: BridgePrivateEvent = { type: 'partition.due' };
      return {
        context: { overdueSince: now },
        effects: [{ kind: 'startTimer', key: 'partition', delayMs, message }],
      };
    }),
    judgePartition: step(({ context, now }) => reached(context, {}, now)),
    recordConnected: step(
      on('peer.connected', ({ context, event: { peer }, ...clock }) =>
        reach(context, new Set(context.connected).add(peer), clock),
      ),
    ),
    recordDisconnected: step(
      on('peer.disconnected', ({ context, event: { peer }, ...clock }) => {
        const connected = new Set(context.connected);
        connected.delete(peer);
        return reach(context, connected, clock);
      }),
    ),
    recordConnectivity: step(
      on('connectivity.told', ({ context, event: { connected }, ...clock }) =>
        reach(context, new Set(connected), clock),
      ),
    ),
    recordBreaker: step(
      on('breaker.changed', ({ context, event: { peer, state } }) => ({
        context: { breakers: new Map(context.breakers).set(peer, state) },
      })),
    ),
    handOn: step(on('call.failed', ({ context, event, ...clock }) => handOn(context, event, clock))),
    recordRemote: step(
      on('message.received', ({ context, event: { from, message }, ...clock }) =>
        message.kind === 'OperationsAnswered' ? recordRemote(context, from, message, clock) : {},
      ),
    ),
    hearState: step(
      on('message.received', ({ context, event: { from, message }, ...clock }) =>
        message.kind === 'StateSync' ? hearState(context, from, message, clock) : {},
      ),
    ),
    shareStateIfDue: step(({ context, now }) => shareStateIfDue(context, now)),
    cleanUp: step(({ context, now, address }) => cleanUp(context, { now, address })),
    dismissBreakers: step(({ context, now }) => dismissed(context, now)),
    recordPartition: step(({ context, now }) => ({
      context: { partitionedAt: now, ...counted(context, 'partitions') },
    })),
    recordHealing: step(({ context, now }) => ({
      context: {
        partitionedAt: undefined,
        healedAfter: context.partitionedAt === undefined ? undefined : now - context.partitionedAt,
      },
    })),
    stopGathering: step((_): Decided => ({ context: { isGathering: false } })),
    takeQueue: step(({ context, now, address }) =>
      takeQueue(context, { now, address }, refusalOfDiverged(context)),
    ),
  },
});

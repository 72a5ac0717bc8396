/**
 * Parts of the SyncCoordinator chart (seed 002): the loop that has this node checked and caught up, and the gate before it:
 * the peers' genesis. Pure. Rules SY-2, SY-4, docs/protocol/sync.md.
 */
import { setup } from 'xstate';
import { type Monotonic, millis } from '../../base/units.ts';
import type { Address } from '../../protocol/chain/types.ts';
import { isValidator } from '../../protocol/chain/validator-set.ts';
import type { EpochBegan } from '../../protocol/ports/consensus.ts';
import type { ConnectivityEvent } from '../../protocol/ports/network.ts';
import type {
  GenesisOutcome,
  ManualSyncRequested,
  StateSyncReply,
  StateSyncRequest,
  SyncDone,
  SyncRequested,
} from '../../protocol/ports/sync.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';
import type { SyncConfig } from '../../protocol/sync/config.ts';
import type { SyncError, SyncStatus } from '../../protocol/sync/types.ts';
import { type Decision, declare, on, step, types } from '../vocabulary/index.ts';
import { askingEpoch, type EpochAsker, isNextEpoch } from './epoch.ts';

/** From the first connection to the first check: others come meanwhile. @unit ms @source chosen: within a second */
const JOIN_DELAY_MS = millis(500);
/** First wait after a check that nobody answered; doubled up to the check interval. @unit ms @source chosen */
const RETRY_MS = millis(1_000);
/** Beyond what state-sync waits for one answer. @unit ms @source chosen */
const GENESIS_MARGIN_MS = millis(5_000);
/** A sync that says nothing for so long is asked for again by the next check, which it then is for. @unit ms @source chosen */
const SYNC_SILENCE_MS = millis(600_000);
/** Who may wait for one sync; above it the newest is answered at once. @unit askers @source chosen */
export const MANUAL_ASKERS_MAX = 16;

export interface SyncCoordinatorInput extends EpochAsker {
  readonly config: SyncConfig;
  readonly self: Address;
  readonly stateSync: CellAddress;
  readonly networkSync: CellAddress;
}

interface Asker {
  readonly replyTo: CellAddress;
  readonly tag: number;
}

export interface SyncCoordinatorContext extends SyncCoordinatorInput {
  /** Of the newest question. */
  readonly tag: number;
  /** A copy: network-sync is the owner. */
  readonly status: SyncStatus;
  readonly error: SyncError | undefined;
  readonly genesis: GenesisOutcome | undefined;
  /** Checks in a row after which nobody could tell whether this node is in sync. */
  readonly unanswered: number;
  readonly askers: readonly Asker[];
  readonly startedAt: Monotonic | undefined;
  readonly endedAt: Monotonic | undefined;
  readonly counts: {
    readonly syncs: number;
    readonly splits: number;
    /** That did not end in time. */
    readonly silent: number;
    readonly dropped: number;
    readonly late: number;
  };
}

type SyncCoordinatorPublicEvent =
  | EpochBegan
  | ConnectivityEvent
  | ManualSyncRequested
  | SyncDone
  | Extract<StateSyncReply, { type: 'genesis.verified' }>;

/** Event types that other cells may send (RT-16). */
export const SYNC_COORDINATOR_EVENTS = declare<SyncCoordinatorPublicEvent>()(
  'epoch.began',
  'peer.connected',
  'peer.disconnected',
  'sync.manualRequested',
  'sync.done',
  'genesis.verified',
);

type Decided = Decision<SyncCoordinatorContext>;

export const initialSyncCoordinator = (
  input: SyncCoordinatorInput,
  now: Monotonic,
): SyncCoordinatorContext => ({
  ...input,
  // Not those of an earlier life, whose answers may be on their way.
  tag: Math.floor(now),
  status: { kind: 'Unknown', reason: 'starting' },
  error: undefined,
  genesis: undefined,
  unanswered: 0,
  askers: [],
  startedAt: undefined,
  endedAt: undefined,
  counts: { syncs: 0, splits: 0, silent: 0, dropped: 0, late: 0 },
});

const plusOne = (
  { counts }: SyncCoordinatorContext,
  one: keyof SyncCoordinatorContext['counts'],
): Pick<SyncCoordinatorContext, 'counts'> => ({ counts: { ...counts, [one]: counts[one] + 1 } });

/** What came of the question about the genesis; network-sync hears of it, for it owns the status and the alerts. */
function recordGenesis(context: SyncCoordinatorContext, outcome: GenesisOutcome): Decided {
  const effects = [telling(context.networkSync, { type: 'genesis.judged', outcome })];
  switch (outcome.status) {
    case 'unanimous':
      return { context: { genesis: outcome }, effects };
    case 'split': {
      const reason = `the network is split: ${outcome.peers.length} validators have the genesis ${outcome.genesisHash}`;
      const error: SyncError = { code: 'NoConsensusReached', detail: reason };
      return {
        context: {
          ...plusOne(context, 'splits'),
          genesis: outcome,
          error,
          status: { kind: 'Unknown', reason },
          unanswered: 0,
        },
        effects,
      };
    }
    case 'unanswered': {
      const { error } = outcome;
      const status: SyncStatus = { kind: 'Unknown', reason: `${error.code}: ${error.detail}` };
      return {
        context: { genesis: outcome, error, status, unanswered: context.unanswered + 1 },
        effects,
      };
    }
  }
}

const SILENT: GenesisOutcome = {
  status: 'unanswered',
  error: { code: 'Timeout', detail: 'state-sync did not answer about the genesis' },
};

function recordDone(context: SyncCoordinatorContext, { status, error }: SyncDone): Decided {
  const unanswered = status.kind === 'Unknown' ? context.unanswered + 1 : 0;
  return { context: { status, error, unanswered } };
}

/** It goes on, and the next check joins it. */
function recordSyncSilence(context: SyncCoordinatorContext): Decided {
  const detail = `the sync goes on, and has not ended within ${SYNC_SILENCE_MS / 1_000} s`;
  return { context: { ...plusOne(context, 'silent'), error: { code: 'Timeout', detail } } };
}

const done = ({ status, error }: SyncCoordinatorContext, { replyTo, tag }: Asker): Effect => {
  const message: SyncDone = { type: 'sync.done', tag, status, ...(error === undefined ? {} : { error }) };
  return telling(replyTo, message);
};

/** Seed 002: manualSync joins what runs. */
function recordAsker(context: SyncCoordinatorContext, asker: Asker): Decided {
  if (context.askers.length < MANUAL_ASKERS_MAX)
    return { context: { askers: [...context.askers, { replyTo: asker.replyTo, tag: asker.tag }] } };
  const error: SyncError = {
    code: 'Timeout',
    detail: `${MANUAL_ASKERS_MAX} askers wait for the sync that runs`,
  };
  return { context: plusOne(context, 'dropped'), effects: [done({ ...context, error }, asker)] };
}

function requestSync(context: SyncCoordinatorContext, address: CellAddress): Decided {
  const tag = context.tag + 1;
  const cause = context.askers.length > 0 ? 'manual' : context.endedAt === undefined ? 'join' : 'loop';
  const request: SyncRequested = { type: 'sync.requested', cause, replyTo: address, tag };
  return { context: { tag }, effects: [telling(context.networkSync, request)] };
}

function requestGenesis(context: SyncCoordinatorContext, address: CellAddress): Decided {
  const tag = context.tag + 1;
  const request: StateSyncRequest = { type: 'genesis.verifyRequested', replyTo: address, tag };
  return { context: { tag }, effects: [telling(context.stateSync, request)] };
}

/** SY-15: nobody sends proposals to a node without a voice; where it knows no validator its questions alone say that the chain has grown. */
const intervalOf = ({ config, epoch, self }: SyncCoordinatorContext): number =>
  isValidator(epoch.set, self) ? config.checkInterval : config.followInterval;

export const syncCoordinatorSetup = setup({
  types: types<SyncCoordinatorContext, SyncCoordinatorPublicEvent, SyncCoordinatorInput>(),
  guards: {
    isAnswer: ({ context, event }) => 'tag' in event && event.tag === context.tag,
    genesisIsOurs: ({ context, event }) =>
      event.type === 'genesis.verified' && event.tag === context.tag && event.outcome.status === 'unanimous',
    nobodyAnswered: ({ context }) => context.unanswered > 0,
    /** CS-16: what could not be judged by the epoch before may be now. */
    mayBeBehind: ({ context, event }) =>
      event.type === 'epoch.began' && isNextEpoch(context, event) && context.status.kind !== 'InSync',
  },
  delays: {
    joinDelay: JOIN_DELAY_MS,
    nextCheck: ({ context }) => {
      const interval = intervalOf(context);
      const { unanswered } = context;
      return unanswered === 0 ? interval : Math.min(interval, RETRY_MS * 2 ** (unanswered - 1));
    },
    genesisSilence: ({ context }) => context.config.peerQueryTimeout + GENESIS_MARGIN_MS,
    syncSilence: SYNC_SILENCE_MS,
  },
  actions: {
    requestEpoch: step(({ context, address }) => ({ effects: [askingEpoch(context, address)] })),
    recordEpoch: step(
      on('epoch.began', ({ context, event }) =>
        isNextEpoch(context, event) ? { context: { epoch: event.epoch } } : {},
      ),
    ),
    checkAndSync: step(({ context, now }) => ({
      context: { ...plusOne(context, 'syncs'), startedAt: now, error: undefined },
    })),
    requestGenesis: step(({ context, address }) => requestGenesis(context, address)),
    recordGenesis: step(
      on('genesis.verified', ({ context, event }) => recordGenesis(context, event.outcome)),
    ),
    recordGenesisSilence: step(({ context }) => recordGenesis(context, SILENT)),
    requestSync: step(({ context, address }) => requestSync(context, address)),
    recordDone: step(on('sync.done', ({ context, event }) => recordDone(context, event))),
    recordSyncSilence: step(({ context }) => recordSyncSilence(context)),
    recordAsker: step(on('sync.manualRequested', ({ context, event }) => recordAsker(context, event))),
    answerAskers: step(({ context, now }) => ({
      context: { askers: [], endedAt: now },
      effects: context.askers.map((asker) => done(context, asker)),
    })),
    countLate: step(({ context }) => ({ context: plusOne(context, 'late') })),
  },
});

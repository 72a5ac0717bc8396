/**
 * Parts of the HeightSync chart (seed 001: HeightSyncManager): asks the peers how far they are, holds that against this
 * node's own chain, and has a small gap closed. Pure. Rules SY-1 to SY-3, SY-5, SY-7, docs/protocol/sync.md; what the answers
 * say together is in protocol/sync/agreement.ts.
 */
import { setup } from 'xstate';
import { type Monotonic, millis } from '../../base/units.ts';
import type { Address, BlockId, Height } from '../../protocol/chain/types.ts';
import type { EpochBegan } from '../../protocol/ports/consensus.ts';
import type { StorageReply } from '../../protocol/ports/storage.ts';
import type {
  CatchUpEnded,
  CatchUpRequested,
  HeightOutcome,
  HeightsChecked,
  HeightsCheckRequested,
  StateSyncReply,
  StateSyncRequest,
  SyncStorageRequest,
} from '../../protocol/ports/sync.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';
import {
  agreementOf,
  answersOf,
  claimedHeights,
  claimedLater,
  differsAt,
  highestProved,
  honestPowerFor,
  laterHeight,
  votesOf,
} from '../../protocol/sync/agreement.ts';
import type { SyncConfig } from '../../protocol/sync/config.ts';
import type { PeerState, ProvedTip } from '../../protocol/sync/types.ts';
import { type Decision, declare, on, step, types } from '../vocabulary/index.ts';
import { askingEpoch, type EpochAsker, isNextEpoch } from './epoch.ts';

/** Of the budget, so much for the peers' answers: the rest is for what they make necessary. @unit ratio @source SY-7 */
const POLL_SHARE = 1 / 6;
/** Heights of ours that are compared in one check; above it the lowest are left out. @unit heights @source the port's limit */
const COMPARED_MAX = 256;

export interface HeightSyncInput extends EpochAsker {
  readonly self: Address;
  readonly config: SyncConfig;
  readonly storage: CellAddress;
  readonly stateSync: CellAddress;
  readonly blockSync: CellAddress;
}

/** What a check has found so far. */
interface Findings {
  /** Every connected peer, and those that answered. */
  readonly peers?: readonly PeerState[];
  readonly answers?: readonly PeerState[];
  /** This node's newest durable block. */
  readonly own?: Height;
  /** Committed blocks of this node by height. */
  readonly ids: ReadonlyMap<Height, BlockId>;
  readonly storageFailure?: string;
}

export interface HeightSyncContext extends HeightSyncInput {
  /** Of the newest question; answers with another one are late. */
  readonly tag: number;
  readonly asker: { readonly replyTo: CellAddress; readonly tag: number } | undefined;
  readonly findings: Findings | undefined;
  /** Of the newest check. */
  readonly outcome: HeightOutcome | undefined;
  /** Checks answered since the start. */
  readonly checks: number;
  /** Answers that came too late to be used. */
  readonly late: number;
}

type HeightSyncPublicEvent =
  | EpochBegan
  | HeightsCheckRequested
  | CatchUpEnded
  | Extract<StateSyncReply, { type: 'peers.polled' }>
  | Extract<StorageReply, { type: 'tip.found' | 'blockIds.found' | 'storage.failed' }>;

/** Event types that other cells may send (RT-16). */
export const HEIGHT_SYNC_EVENTS = declare<HeightSyncPublicEvent>()(
  'epoch.began',
  'heights.checkRequested',
  'catchUp.ended',
  'peers.polled',
  'tip.found',
  'blockIds.found',
  'storage.failed',
);

type Decided = Decision<HeightSyncContext>;

const found = (context: HeightSyncContext, findings: Partial<Findings>): Decided => ({
  context: context.findings === undefined ? {} : { findings: { ...context.findings, ...findings } },
});

const asked = (context: HeightSyncContext, toWhom: CellAddress, message: Question): Decided => {
  const tag = context.tag + 1;
  return { context: { tag }, effects: [telling(toWhom, { ...message, tag })] };
};
type Untagged<Request> = Request extends { readonly tag: number } ? Omit<Request, 'tag'> : never;
type Question = Untagged<StateSyncRequest | SyncStorageRequest | CatchUpRequested> & {
  readonly type: string;
};

/** The tip that tier 1 may go for itself: proved, ahead, and near. */
function nearTip({ findings, config }: HeightSyncContext): ProvedTip | undefined {
  if (findings?.answers === undefined || findings.own === undefined) return undefined;
  const tip = highestProved(findings.answers);
  if (tip === undefined || tip.height <= findings.own) return undefined;
  return tip.height - findings.own <= config.tier1MaxGap ? tip : undefined;
}

/** Heights of ours that peers name, but the newest, which is known. */
function comparedHeights({ findings }: HeightSyncContext): readonly Height[] {
  const own = findings?.own ?? 0;
  return claimedHeights(findings?.answers ?? [])
    .filter((height) => height > 0 && height < own)
    .slice(-COMPARED_MAX);
}

/** SY-1 to SY-3: what the check has come to, also when its budget ended before its questions were answered. */
function outcomeOf({ findings, epoch, self, config }: HeightSyncContext): HeightOutcome {
  const { peers = [], answers, own, ids, storageFailure } = findings ?? {};
  const validators = peers.filter(({ power }) => power > 0n);
  const counted = (answers ?? []).filter(({ power }) => power > 0n);
  const proved = highestProved(answers ?? []);
  const later = laterHeight(epoch.set, answers ?? []);
  const claimed = claimedLater(answers ?? []);
  const numbers = {
    answered: counted.length,
    connected: validators.length,
    ...(proved === undefined ? {} : { proved }),
    ...(later === undefined ? {} : { later }),
    ...(claimed === undefined ? {} : { claimedLater: claimed }),
  };
  if (answers === undefined || own === undefined) {
    const silent = answers === undefined ? 'the peers were not asked' : 'storage did not say what is durable';
    const detail = storageFailure ?? `${silent} within ${config.tier1Timeout} ms`;
    return {
      status: 'failed',
      error: { code: 'Timeout', detail },
      ...numbers,
      ...(own === undefined ? {} : { own }),
    };
  }
  const agreement = agreementOf(honestPowerFor(epoch.set, self), config.tier1ConsensusThreshold, {
    connected: peers,
    votes: votesOf(answers),
  });
  if (agreement.status === 'failed') return { status: 'failed', error: agreement.error, ...numbers, own };
  const { exact, supported, needed } = agreement;
  const differs = differsAt(answers, ids ?? new Map(), needed);
  return {
    status: 'agreed',
    ...(exact === undefined ? {} : { exact }),
    supported,
    own,
    ...numbers,
    ...(differs === undefined ? {} : { differsAt: differs }),
  };
}

function answer(context: HeightSyncContext): Decided {
  const { asker } = context;
  const outcome = outcomeOf(context);
  const message = (tag: number): HeightsChecked => ({ type: 'heights.checked', tag, outcome });
  const effects: Effect[] = asker === undefined ? [] : [telling(asker.replyTo, message(asker.tag))];
  return {
    context: { outcome, asker: undefined, findings: undefined, checks: context.checks + 1 },
    effects,
  };
}

export const initialHeightSync = (input: HeightSyncInput, now: Monotonic): HeightSyncContext => ({
  ...input,
  // Not those of an earlier life, whose answers may be on their way.
  tag: Math.floor(now),
  asker: undefined,
  findings: undefined,
  outcome: undefined,
  checks: 0,
  late: 0,
});

export const heightSyncSetup = setup({
  types: types<HeightSyncContext, HeightSyncPublicEvent, HeightSyncInput>(),
  guards: {
    isAnswer: ({ context, event }) => 'tag' in event && event.tag === context.tag,
    nothingToCompare: ({ context }) => comparedHeights(context).length === 0,
    smallGapIsProved: ({ context }) => nearTip(context) !== undefined,
  },
  delays: { budget: ({ context }) => context.config.tier1Timeout },
  actions: {
    requestEpoch: step(({ context, address }) => ({ effects: [askingEpoch(context, address)] })),
    recordEpoch: step(
      on('epoch.began', ({ context, event }) =>
        isNextEpoch(context, event) ? { context: { epoch: event.epoch } } : {},
      ),
    ),
    beginCheck: step(
      on('heights.checkRequested', ({ event: { replyTo, tag } }) => ({
        context: { asker: { replyTo, tag }, findings: { ids: new Map() } },
      })),
    ),
    /** One owner asks: what it asked before, it does not wait for any more. */
    replaceAsker: step(
      on('heights.checkRequested', ({ event: { replyTo, tag } }) => ({
        context: { asker: { replyTo, tag } },
      })),
    ),
    queryPeerHeights: step(({ context, address }) =>
      asked(context, context.stateSync, {
        type: 'peers.pollRequested',
        replyTo: address,
        maxAge: millis(0),
        timeout: millis(Math.min(context.config.peerQueryTimeout, context.config.tier1Timeout * POLL_SHARE)),
      }),
    ),
    recordPoll: step(
      on('peers.polled', ({ context, event: { peers, answered } }) =>
        found(context, { peers, answers: answersOf(peers, answered) }),
      ),
    ),
    requestTip: step(({ context, address }) =>
      asked(context, context.storage, { type: 'tip.requested', replyTo: address }),
    ),
    /** From the store, not from memory: what is told there is durable (SY-12). */
    recordTip: step(
      on('tip.found', ({ context, event: { height, id } }) =>
        found(context, { own: height, ids: new Map([[height, id]]) }),
      ),
    ),
    recordStorageFailure: step(
      on('storage.failed', ({ context, event: { code, detail } }) =>
        found(context, { storageFailure: `storage could not read the tip: ${code}: ${detail}` }),
      ),
    ),
    requestIds: step(({ context, address }) => {
      const heights = comparedHeights(context);
      if (heights.length === 0) return {};
      return asked(context, context.storage, { type: 'blockIds.requested', replyTo: address, heights });
    }),
    recordIds: step(
      on('blockIds.found', ({ context, event: { ids } }) =>
        found(context, {
          ids: new Map([
            ...(context.findings?.ids ?? []),
            ...ids.map(({ height, id }): [Height, BlockId] => [height, id]),
          ]),
        }),
      ),
    ),
    checkAndCatchupSmallGaps: step(({ context, address }) => {
      const tip = nearTip(context);
      if (tip === undefined) return {};
      return asked(context, context.blockSync, {
        type: 'blocks.catchUpRequested',
        replyTo: address,
        target: { kind: 'proved', tip },
      });
    }),
    recordCatchUp: step(
      on('catchUp.ended', ({ context, event: { outcome } }) =>
        outcome.status === 'reached' && outcome.height > (context.findings?.own ?? 0)
          ? found(context, { own: outcome.height })
          : {},
      ),
    ),
    answerHeights: step(({ context }) => answer(context)),
    countLate: step(({ context }) => ({ context: { late: context.late + 1 } })),
  },
});

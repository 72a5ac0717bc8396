/**
 * From the first epoch to that of the chain that is taken: who claims to be in a later one is asked how each ended (CS-16). What was
 * verified goes into the side store, if it will hold no blocks of those epochs. Pure. Rules SY-9, SY-10, docs/protocol/sync.md.
 */
import { FIRST_EPOCH } from '../../protocol/chain/ordinals.ts';
import type { EpochChange } from '../../protocol/chain/types.ts';
import type { StateSyncReply } from '../../protocol/ports/sync.ts';
import { type Effect, telling } from '../../protocol/supervision/effect.ts';
import {
  guideOf,
  takeEpochs,
  WALK_BYTES_MAX,
  withGuides,
  withoutGuide,
} from '../../protocol/sync/epoch-walk.ts';
import { EPOCHS_ASKED_MAX } from '../../protocol/sync/messages.ts';
import { asking, type ChainSyncContext, type Clock, type Decided, failing } from './chain-sync.live.ts';
import { epochsPassed } from './chain-sync.planting.ts';

/** Ends of epochs that the side store takes at once. @unit epochs @source chosen: some hundred KiB, ten ms */
const PASSED_AT_ONCE_MAX = 64;

type ReplyOf<Type> = Extract<StateSyncReply, { readonly type: Type }>;

/** Whoever's chain ends in a later epoch than the walk has come to says how it got there. */
export function recordDescribed(
  { trusted, walk }: ChainSyncContext,
  { chains }: ReplyOf<'chains.answered'>,
): Decided {
  const described = chains.filter(({ peer }) => trusted.includes(peer));
  const claims = described.map(({ peer, chain }) => ({ peer, epoch: chain.proof?.epoch ?? FIRST_EPOCH }));
  return { context: { described, walk: withGuides(walk, claims) } };
}

export const isWalkOver = ({ walk }: ChainSyncContext): boolean => guideOf(walk) === undefined;

export function requestEpochs(context: ChainSyncContext, clock: Clock): Decided {
  const { walk, stateSync, config } = context;
  const peer = guideOf(walk);
  if (peer === undefined) return {};
  const { epoch: from } = walk.reached;
  const timeout = config.peerQueryTimeout;
  const question = { type: 'epochs.fetchRequested', peer, from, limit: EPOCHS_ASKED_MAX, timeout } as const;
  return asking(context, stateSync, question, clock);
}

export function takeWalked(context: ChainSyncContext, { changes }: ReplyOf<'epochs.answered'>): Decided {
  const { walk: before, bls, stateSync } = context;
  const peer = guideOf(before);
  if (peer === undefined) return {};
  const { walk, verdict } = takeEpochs(before, bls, peer, changes);
  if (verdict === 'tooLong') {
    const size = `the ends of epochs up to ${walk.reached.epoch} alone take ${WALK_BYTES_MAX / 1_048_576} MiB`;
    return { context: failing('CriticalSyncRequired', `${size}: the blocks have to be fetched`) };
  }
  const judged = { code: 'EPOCHS_FALSE' } as const;
  const blame: readonly Effect[] =
    verdict === 'false' ? [telling(stateSync, { type: 'peer.judged', peer, verdict: judged })] : [];
  return { context: { walk }, effects: blame };
}

/** It did not answer, or has gone. */
export function leaveGuide({ walk }: ChainSyncContext): Decided {
  const peer = guideOf(walk);
  return peer === undefined ? {} : { context: { walk: withoutGuide(walk, peer) } };
}

/** ST-11: ends of epochs below the first block that will be held, before that is planted. */
export const areEpochsPassed = (context: ChainSyncContext): boolean =>
  context.passed >= epochsPassed(context).length;

export function passEpochs(context: ChainSyncContext, clock: Clock): Decided {
  const changes = nextPassed(context);
  if (changes.length === 0) return {};
  return asking(context, context.sideStore, { type: 'side.passRequested', changes }, clock);
}

/** They are durable. */
export const recordPassed = (context: ChainSyncContext): Decided => ({
  context: { passed: context.passed + nextPassed(context).length },
});

const nextPassed = (context: ChainSyncContext): readonly EpochChange[] =>
  epochsPassed(context).slice(context.passed, context.passed + PASSED_AT_ONCE_MAX);

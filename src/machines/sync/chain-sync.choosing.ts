/** Whose chain is downloaded (seed 001: findTrustedPeer, requestFullChain, validateFullChain). Pure. Rules SY-3, SY-9, docs/protocol/sync.md. */
import { millis } from '../../base/units.ts';
import { FIRST_EPOCH } from '../../protocol/chain/ordinals.ts';
import { powerOf } from '../../protocol/chain/validator-set.ts';
import type { StateSyncReply, SyncStorageReply } from '../../protocol/ports/sync.ts';
import { type Effect, telling } from '../../protocol/supervision/effect.ts';
import { chooseChain, comparedWithOwn, findTrustedPeers } from '../../protocol/sync/chain-choice.ts';
import { ruleOnChain } from '../../protocol/sync/claims.ts';
import { epochIn } from '../../protocol/sync/epoch-walk.ts';
import {
  asking,
  type ChainSyncContext,
  type Clock,
  type Decided,
  type Joining,
  SNAPSHOTS_TRIED_MAX,
} from './chain-sync.live.ts';

type ReplyOf<Type> = Extract<StateSyncReply, { readonly type: Type }>;

export const queryPeers = (context: ChainSyncContext, clock: Clock): Decided =>
  asking(
    context,
    context.stateSync,
    { type: 'peers.pollRequested', maxAge: millis(0), timeout: context.config.peerQueryTimeout },
    clock,
  );

export function recordTrusted(
  { config, joining }: ChainSyncContext,
  { peers }: ReplyOf<'peers.polled'>,
  { wall }: Clock,
): Decided {
  // SY-10: who joins has no chain to lose, and certificates prove what it gets.
  const trustTime = joining === undefined ? config.tier3TrustTime : millis(0);
  const outcome = findTrustedPeers(peers, trustTime, wall);
  return outcome.status === 'refused'
    ? { context: { failure: outcome.error } }
    : { context: { trusted: outcome.peers } };
}

export const requestChains = (context: ChainSyncContext, clock: Clock): Decided =>
  asking(
    context,
    context.stateSync,
    { type: 'chains.requested', peers: context.trusted, timeout: context.config.peerQueryTimeout },
    clock,
  );

/** Those of epochs that the walk has come to are judged; so is the proof of the tip that is taken, which will prove the commit of the last blocks. */
export function validateFullChain(context: ChainSyncContext): Decided {
  const { trusted, order, joining, walk, described } = context;
  const { sound, verified, effects } = judged(context);
  const powered = sound.map(({ peer, chain }) => ({ peer, chain, power: powerOf(walk.reached.set, peer) }));
  const choice = chooseChain(powered, order?.checkpoint, joining === undefined ? 'all' : 'upper');
  if (choice.status === 'refused') {
    const { epoch } = walk.reached;
    const isLater = described.some(({ chain }) => (chain.proof?.epoch ?? FIRST_EPOCH) > epoch);
    const end = isLater
      ? `; nobody proves how epoch ${epoch} ended, and some say that they are in a later one`
      : '';
    const failure = { ...choice.error, detail: `${choice.error.detail}${end}` };
    const again = failure.code === 'NoPeersAvailable' ? askedAgain(joining, failure.detail) : undefined;
    return { context: { verified, ...(again === undefined ? { failure } : { joining: again }) }, effects };
  }
  const { target, holders, parted, checkpoints } = choice;
  const bases = new Map(sound.map(({ peer, chain }) => [peer, chain.base]));
  // If it is asked for anew, nobody waits for those who said nothing.
  const answering = trusted.filter((peer) => described.some((one) => one.peer === peer));
  const chosen = { target, holders, bases, parted, checkpoints, trusted: answering };
  return { context: { verified, ...chosen }, effects };
}

/**
 * SY-10: as long as an epoch has just ended, no tip has a proof that anybody may tell (CS-16): the chain goes on in a moment. Undefined:
 * there is no join, or it was asked for often enough.
 */
const askedAgain = (joining: Joining | undefined, lastRejection: string): Joining | undefined =>
  joining === undefined || joining.tries + 1 >= SNAPSHOTS_TRIED_MAX
    ? undefined
    : { ...joining, tries: joining.tries + 1, lastRejection };

/** Each by the validators of the epoch in which its tip is. */
function judged({ walk, bls, described, stateSync, verified: memory }: ChainSyncContext) {
  let verified = memory;
  const effects: Effect[] = [];
  const sound = described.filter(({ peer, chain }) => {
    const epoch = chain.proof === undefined ? undefined : epochIn(walk, chain.proof.epoch);
    if (epoch === undefined) return false;
    const { ruling, ...after } = ruleOnChain(epoch, bls, verified, chain);
    verified = after.verified;
    const verdict = { code: 'CLAIM_FALSE' } as const;
    if (ruling === 'false') effects.push(telling(stateSync, { type: 'peer.judged', peer, verdict }));
    return ruling === 'sound' && (chain.checkpoints.at(-1)?.height ?? 0) > epoch.rootQC.height;
  });
  return { sound, verified, effects };
}

/** Where the chain that is taken parts from ours: the operator must know. */
export const requestOwnIds = (context: ChainSyncContext, clock: Clock): Decided =>
  asking(
    context,
    context.storage,
    { type: 'blockIds.requested', heights: context.checkpoints.map(({ height }) => height) },
    clock,
  );

export const recordOwnIds = (
  { checkpoints }: ChainSyncContext,
  { ids }: Extract<SyncStorageReply, { type: 'blockIds.found' }>,
): Decided => ({ context: { ownParting: comparedWithOwn(checkpoints, ids) } });

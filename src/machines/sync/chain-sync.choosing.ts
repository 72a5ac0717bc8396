/** Whose chain is downloaded (seed 001: findTrustedPeer, requestFullChain, validateFullChain). Pure. Rules SY-3, SY-9, docs/protocol/sync.md. */
import { millis } from '../../base/units.ts';
import { FIRST_EPOCH } from '../../protocol/chain/ordinals.ts';
import { powerOf } from '../../protocol/chain/validator-set.ts';
import { verifyCertificates } from '../../protocol/consensus/verified.ts';
import type { StateSyncReply, SyncStorageReply } from '../../protocol/ports/sync.ts';
import { chooseChain, comparedWithOwn, findTrustedPeers } from '../../protocol/sync/chain-choice.ts';
import { asking, type ChainSyncContext, type Clock, type Decided, failing } from './chain-sync.live.ts';

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

/** The side store takes the blocks of one epoch: those of the others would have to be judged by what leads from each to the next. */
const LATER_EPOCH =
  'the chain is beyond its first epoch, and only that one can be downloaded whole: start a new home, which fetches the blocks';

/** The proof of the tip that is taken is verified here too: it will prove the commit of the last blocks. */
export function recordChains(context: ChainSyncContext, { chains }: ReplyOf<'chains.answered'>): Decided {
  const { epoch, bls, trusted, order, joining } = context;
  const described = chains
    .filter(({ peer }) => trusted.includes(peer))
    .map(({ peer, chain }) => ({ peer, chain, power: powerOf(epoch.set, peer) }));
  const part = joining === undefined ? 'all' : 'upper';
  const choice = chooseChain(described, order?.checkpoint, part);
  if (choice.status === 'refused') return { context: { failure: choice.error } };
  const { target, holders, parted, checkpoints } = choice;
  if (target.proof.epoch !== FIRST_EPOCH) return { context: failing('CriticalSyncRequired', LATER_EPOCH) };
  const outcome = verifyCertificates(epoch, bls, context.verified, { qc: target.proof });
  const [refusal] = outcome.refusals;
  const { verified } = outcome;
  if (refusal !== undefined) {
    const detail = `the proof of the tip at height ${target.height} does not hold: ${refusal.code}`;
    return { context: { verified, ...failing('NoConsensusReached', detail) } };
  }
  const bases = new Map(described.map(({ peer, chain }) => [peer, chain.base]));
  // If it is asked for anew, nobody waits for those who said nothing.
  const answering = trusted.filter((peer) => bases.has(peer));
  return { context: { verified, target, holders, bases, parted, checkpoints, trusted: answering } };
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

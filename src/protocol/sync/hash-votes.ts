/**
 * What peers' answers agree on, by validators' power and in integers: the genesis (SY-4), and the block of a height (seed 002:
 * verifyBlockHashConsensus). Pure. Rules SY-1, SY-2, SY-4, docs/protocol/sync.md.
 */
import type { Address, BlockId, Digest, Power, ValidatorSet } from '../chain/types.ts';
import { powerOf, quorumPowerOf } from '../chain/validator-set.ts';
import type { GenesisOutcome, HashOutcome } from '../ports/sync.ts';

/** One peer's answer; `hash` is absent where it holds none. */
export interface HashVote<Hash> {
  readonly peer: Address;
  readonly hash?: Hash;
}

/**
 * More than 2/3 of what answered, in power, and only where more than half of the connected peers did. Who holds no block at the
 * height agrees with nobody, and counts among those who answered.
 */
export function hashOutcomeOf(
  set: ValidatorSet,
  id: BlockId,
  votes: readonly HashVote<BlockId>[],
  connected: number,
): HashOutcome {
  const answered = votes.length;
  if (connected === 0) return failure('NoPeersAvailable', 'no peer is connected');
  if (answered === 0) return failure('Timeout', `none of ${connected} peers answered`);
  if (answered * 2 <= connected) {
    return failure('NoConsensusReached', `only ${answered} of ${connected} peers answered`);
  }
  const powers = powersByHash(set, votes);
  // The least that is more than two thirds: ⌊2n/3⌋+1, never below it (bug "trunc(0.666·3) = 1").
  const needed = quorumPowerOf(powerOfAll(set, votes));
  const winner = [...powers].find(([, power]) => power >= needed);
  if (winner === undefined) {
    if (powers.size === 0) return failure('BlockNotFound', `none of ${answered} peers holds the height`);
    return failure('NoConsensusReached', `no block of the height has more than 2/3 of ${answered} answers`);
  }
  const [hash, power] = winner;
  return hash === id ? { status: 'agreed', answered } : { status: 'differs', id: hash, answered, power };
}

const failure = (
  code: 'NoPeersAvailable' | 'Timeout' | 'NoConsensusReached' | 'BlockNotFound',
  detail: string,
): HashOutcome => ({ status: 'failed', error: { code, detail } });

const powerOfAll = (set: ValidatorSet, votes: readonly HashVote<unknown>[]): Power =>
  votes.reduce((sum, { peer }) => sum + powerOf(set, peer), 0n);

function powersByHash<Hash>(set: ValidatorSet, votes: readonly HashVote<Hash>[]): ReadonlyMap<Hash, Power> {
  const powers = new Map<Hash, Power>();
  for (const { peer, hash } of votes) {
    if (hash !== undefined) powers.set(hash, (powers.get(hash) ?? 0n) + powerOf(set, peer));
  }
  return powers;
}

/**
 * SY-4. `asked`: of these this check waits; `known`: every answer that is remembered. Who differs is left out, unless so much
 * power differs that an honest validator must be among it: then it may be this node whose genesis is wrong.
 */
export function genesisOutcomeOf(
  set: ValidatorSet,
  own: Digest,
  asked: readonly Address[],
  known: readonly HashVote<Digest>[],
): GenesisOutcome {
  const differing = known.filter(({ hash }) => hash !== undefined && hash !== own);
  if (powerOfAll(set, differing) >= set.honestPower) {
    const [[genesisHash] = [own]] = [...powersByHash(set, differing)].sort(
      ([left, ofLeft], [right, ofRight]) =>
        ofLeft === ofRight ? (left < right ? -1 : 1) : ofLeft > ofRight ? -1 : 1,
    );
    return { status: 'split', genesisHash, peers: differing.map(({ peer }) => peer).sort() };
  }
  if (asked.length === 0) return unanswered('NoPeersAvailable', 'no peer is connected');
  const answered = known.filter(({ peer, hash }) => hash === own && asked.includes(peer)).length;
  if (answered > 0) return { status: 'unanimous', asked: asked.length, answered };
  return differing.some(({ peer }) => asked.includes(peer))
    ? unanswered('NoConsensusReached', 'all that answered are of another genesis')
    : unanswered('Timeout', `none of ${asked.length} peers answered`);
}

const unanswered = (
  code: 'NoPeersAvailable' | 'Timeout' | 'NoConsensusReached',
  detail: string,
): GenesisOutcome => ({ status: 'unanswered', error: { code, detail } });

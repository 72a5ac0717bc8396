/** Offences of the validators of a test world, true and forged. For tests. CS-14. */
import type { Evidence } from '../../../src/protocol/chain/types.ts';
import { doubleVote, qcHiding, timeoutStatementOf } from '../../../src/protocol/consensus/evidence.ts';
import { blockOn, chainOf, height, present, tcOf, timeoutBy, voteFor, type World } from './fixture.ts';

type DoubleVote = Extract<Evidence, { kind: 'DoubleVote' }>;

/** Two votes of validator `index` at height 2; another `variant`, another second vote. `claimed`: the height that this one says. */
export function twoVotes(place: World, index: number, variant = 0, claimed = 2): DoubleVote {
  const { blocks, qcs } = chainOf(place, [1, 2]);
  const plain = blockOn(place, present(qcs[0], 'QC 1'), 2, { time: 5_000_000 + variant });
  const rival = { ...plain, header: { ...plain.header, height: height(claimed) } };
  const [left, right] = [present(blocks[1], 'block 2'), rival].map((block) => voteFor(place, block, index));
  return present(doubleVote(present(left, 'a vote'), present(right, 'a vote')), 'evidence');
}

export function hiddenQc(place: World, index: number): Evidence {
  const { blocks } = chainOf(place, [1, 2, 3]);
  const { rootQC } = place.epoch;
  const lastTC = tcOf(place, 3, [rootQC, rootQC, rootQC]);
  const timeout = timeoutStatementOf(timeoutBy(place, index, { round: 4, highQC: rootQC, lastTC }));
  return present(qcHiding(voteFor(place, present(blocks[2], 'block 3'), index), timeout), 'evidence');
}

/** Its second signature is that of another statement. */
export const forged = (evidence: DoubleVote): DoubleVote => ({
  ...evidence,
  second: { ...evidence.second, signature: evidence.first.signature },
});

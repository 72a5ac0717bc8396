/** Evidence that committed blocks carry: whose, of when, how often. Each claim broken once. CS-14, CS-16, SM-4. */
import { expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { digestOf, evidenceHashOf, NO_EVIDENCE } from '../../../src/protocol/chain/canonical.ts';
import { nextEpoch } from '../../../src/protocol/chain/ordinals.ts';
import { parseBlockId } from '../../../src/protocol/chain/parse.ts';
import type { Address, Block, Epoch } from '../../../src/protocol/chain/types.ts';
import { doubleVote } from '../../../src/protocol/consensus/evidence.ts';
import {
  AS_STATED,
  CARRIED_IN_ITS_EPOCH,
  CARRIED_ONCE,
  CarriedEvidence,
  ONLY_GUILTY,
} from '../../../src/simulation/checkers/evidence.ts';
import { A, blockOn, D, epoch, statement, voteOf } from './forged.ts';
import { heightOf } from './heights.ts';

/** A block of a height and an epoch that carries two votes of `accused` in one round of the first epoch. */
function accusing(accused: Address, height: number, of: Epoch = epoch.epoch): Block {
  const block = blockOn(epoch.rootQC, 1);
  const blockId = parseBlockId(digestOf(utf8('another')));
  if (blockId === 'malformed') throw new Error('a digest is an id');
  const vote = voteOf(accused, statement(block));
  const evidence = doubleVote(vote, { ...vote, blockId });
  if (evidence === undefined) throw new Error('two votes are an offence');
  const header = { ...block.header, epoch: of, height: heightOf(height) };
  return { ...block, header: { ...header, evidenceHash: evidenceHashOf([evidence]) }, evidence: [evidence] };
}

function claims(...blocks: readonly Block[]): readonly string[] {
  const found: string[] = [];
  const carried = new CarriedEvidence(new Set([D]), 10);
  for (const block of blocks) carried.committed(block, (claim) => found.push(claim));
  return found;
}

it('is against whoever lies, as its header says', () => {
  expect(claims(accusing(D, 3))).toEqual([]);
  expect(claims(accusing(A, 3))).toEqual([ONLY_GUILTY]);
  const block = accusing(D, 3);
  expect(claims({ ...block, header: { ...block.header, evidenceHash: NO_EVIDENCE } })).toEqual([AS_STATED]);
});

it('is carried once while it can be proposed, in blocks of its own epoch or the next', () => {
  expect(claims(accusing(D, 3), accusing(D, 13))).toEqual([CARRIED_ONCE]);
  expect(claims(accusing(D, 3), accusing(D, 14))).toEqual([]);
  const next = nextEpoch(epoch.epoch);
  expect(claims(accusing(D, 3, next))).toEqual([]);
  expect(claims(accusing(D, 3, nextEpoch(next)))).toEqual([CARRIED_IN_ITS_EPOCH]);
});

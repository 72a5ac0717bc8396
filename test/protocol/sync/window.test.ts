/** The window of tier 2: borders, joins, pauses. Rules SY-5, SY-8. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { monotonic } from '../../../src/base/units.ts';
import type { CertifiedBlock, Height } from '../../../src/protocol/chain/types.ts';
import { NONE_VERIFIED } from '../../../src/protocol/consensus/verified.ts';
import { BATCH_HEIGHTS } from '../../../src/protocol/sync/config.ts';
import { type Segment, verifySegment } from '../../../src/protocol/sync/segment.ts';
import {
  ANSWER_BYTES_MAX,
  type Applying,
  answerTimeout,
  type Batch,
  borderAbove,
  climbsOver,
  heldBytes,
  isHeld,
  joinOf,
  leadingOf,
  newBatch,
  replaced,
  retryDelay,
  TRIED_MAX,
  toldUpTo,
  triedWith,
  type Verifying,
} from '../../../src/protocol/sync/window.ts';
import { blockOn, chainOf, height, present, qcOf, world } from '../consensus/fixture.ts';

const place = world();
const peer = place.addressAt(1);
const { blocks, qcs } = chainOf(place, [1, 2, 3, 4, 5, 6, 7, 8]);
const chain: readonly CertifiedBlock[] = blocks.map((block, index) => ({
  block,
  qc: present(qcs[index], 'QC'),
}));
const genesis = { height: height(0), id: place.epoch.rootQC.blockId };

function segment(of: readonly CertifiedBlock[]): Segment {
  const from: Height = present(of[0], 'block').block.header.height;
  const judge = { epoch: place.epoch, bls: place.bls, verified: NONE_VERIFIED };
  const check = verifySegment(judge, { from, limit: 8, proofs: [] }, { blocks: of, batches: [] });
  if (check.status !== 'verified') throw new Error(check.status);
  return check.segment;
}
const climb = (from: number, to: number) => ({ by: 'height', from: height(from), to: height(to) }) as const;
const at = monotonic(0);
const verifying = (key: number, of: readonly CertifiedBlock[]): Verifying => {
  const held = segment(of);
  const { status: _, ...rest } = newBatch(key, climb(held.from, held.to));
  return {
    ...rest,
    status: 'verifying',
    segment: held,
    giver: peer,
    answeredAt: at,
    saving: { status: 'saved' },
  };
};
const applying = (key: number, of: readonly CertifiedBlock[]): Applying => {
  const { saving: _, ...rest } = verifying(key, of);
  return { ...rest, status: 'applying', toldAt: at, tellings: 1 };
};
const orphanOn = (parent: number, inRound: number): CertifiedBlock => {
  const block = blockOn(place, present(chain[parent - 1], 'parent').qc, inRound);
  return { block, qc: qcOf(place, block) };
};

describe('the borders of batches', () => {
  it('are the same for every node: multiples of the batch', () => {
    expect([0, 1, 127, 128, 129].map((one) => borderAbove(height(one)))).toEqual([128, 128, 128, 256, 256]);
  });

  it('cover a span without gaps and overlaps, each within one batch, as far as the limit (property)', () => {
    const heights = fc.nat(3_000);
    fc.assert(
      fc.property(heights, heights, heights, (from, upTo, limit) => {
        const climbs = climbsOver(height(from), height(upTo), height(limit));
        let cursor = from;
        for (const one of climbs) {
          expect(one.from).toBe(cursor + 1);
          expect(one.to).toBeLessThanOrEqual(Math.min(upTo, limit));
          expect(one.to - one.from).toBeLessThan(BATCH_HEIGHTS);
          if (one.to < upTo) expect(one.to % BATCH_HEIGHTS).toBe(0);
          cursor = one.to;
        }
        if (limit >= upTo && upTo > from) expect(cursor).toBe(upTo);
      }),
    );
  });
});

describe('whether a batch joins what is held', () => {
  it('joins the newest committed block, and what was told before it', () => {
    const lower = verifying(1, chain.slice(0, 4));
    expect(joinOf([lower], genesis, height(0), lower).status).toBe('joins');
    const upper = verifying(2, chain.slice(4, 8));
    expect(joinOf([applying(1, chain.slice(0, 4)), upper], genesis, height(0), upper).status).toBe('joins');
  });

  it('waits for what is below it', () => {
    const upper = verifying(2, chain.slice(4, 8));
    const lower = newBatch(1, climb(1, 4));
    expect(joinOf([lower, upper], genesis, height(0), upper).status).toBe('waits');
    expect(joinOf([upper], genesis, height(0), upper).status).toBe('waits');
  });

  it('joins what round-manager has decided already, durable or not', () => {
    const upper = verifying(2, chain.slice(4, 8));
    expect(joinOf([upper], genesis, height(4), upper).status).toBe('joins');
    expect(joinOf([upper], genesis, height(3), upper).status).toBe('waits');
  });

  it('contradicts a block that is committed, or that a verified proof commits', () => {
    const fork = verifying(2, [orphanOn(4, 20)]);
    const other = present(chain[4], 'block');
    const tip = { height: height(4), id: other.qc.blockId };
    expect(joinOf([fork], tip, height(4), fork).status).toBe('contradicts');
    // 1..6 commit 5: whoever stands on another 4 lies.
    const stray = verifying(3, [orphanOn(3, 20)]);
    const held = applying(1, chain.slice(0, 2));
    const rival = applying(2, [present(chain[2], 'b'), present(chain[3], 'b'), other]);
    const above = verifying(9, [childOf(orphanOn(3, 20), 21)]);
    expect(stray.segment.from).toBe(4);
    expect(joinOf([held, rival, above], genesis, height(0), above).status).toBe('contradicts');
  });

  it('forks where no proof says which of two certified blocks is committed: nobody is to blame (SY-5)', () => {
    const orphan = orphanOn(3, 20);
    const lower = applying(1, [...chain.slice(0, 3), orphan]);
    expect(lower.segment.firm).toBe(2);
    const upper = verifying(2, chain.slice(4, 8));
    expect(joinOf([lower, upper], genesis, height(0), upper).status).toBe('forks');
  });
});

const childOf = (parent: CertifiedBlock, inRound: number): CertifiedBlock => {
  const block = blockOn(place, parent.qc, inRound);
  return { block, qc: qcOf(place, block) };
};

describe('what the window holds', () => {
  it('is led by the lowest batch that was not told yet', () => {
    const batches = replaced(
      replaced([applying(1, chain.slice(0, 4))], newBatch(3, climb(6, 8))),
      newBatch(2, climb(5, 5)),
    );
    expect(leadingOf(batches)?.key).toBe(2);
    expect(toldUpTo(batches, height(0))).toBe(4);
    expect(toldUpTo([applying(2, chain.slice(4, 8))], height(0))).toBe(0);
  });

  it('knows blocks by id and height, not by height alone', () => {
    const window = [applying(1, chain.slice(0, 4))];
    const third = { height: height(3), id: present(chain[2], 'b').qc.blockId };
    expect(isHeld(window, genesis, third)).toBe(true);
    expect(isHeld(window, genesis, { ...third, id: genesis.id })).toBe(false);
    expect(isHeld(window, genesis, genesis)).toBe(true);
  });

  it('counts what is on its way as large as it may be', () => {
    const flight = { tag: 1, peers: [], askedAt: at, until: at, answers: 0, copies: 2, hurries: 0 };
    const { status: _, ...rest } = newBatch(1, climb(1, 4));
    const flying: Batch = { ...rest, status: 'downloading', flight };
    expect(heldBytes([flying])).toBe(2 * ANSWER_BYTES_MAX);
    expect(heldBytes([verifying(1, chain)])).toBeGreaterThan(8 * 1_000);
  });
});

describe('asking again', () => {
  it('pauses twice as long each time, up to a bound, give or take 30 %', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (rounds, draw) => {
          const planned = Math.min(4_000, 500 * 2 ** (rounds - 1));
          expect(retryDelay(rounds, draw)).toBeGreaterThanOrEqual(planned * 0.69);
          expect(retryDelay(rounds, draw)).toBeLessThanOrEqual(planned * 1.31);
        },
      ),
    );
    expect(retryDelay(2, 0.9)).toBeGreaterThan(retryDelay(2, 0.1));
    expect([0, 1, 2, 3, 4, 60].map(answerTimeout)).toEqual([300, 600, 1_200, 2_400, 4_000, 4_000]);
  });

  it('starts anew when a peer that was asked comes again: all have had their turn (bug: retries that start with peer 0)', () => {
    const [a, b] = [place.addressAt(1), place.addressAt(2)];
    expect(triedWith(triedWith([], a), b)).toEqual([a, b]);
    expect(triedWith([a, b], a)).toEqual([a]);
    expect(
      triedWith(
        Array.from({ length: TRIED_MAX }, () => b),
        a,
      ),
    ).toHaveLength(TRIED_MAX);
  });
});

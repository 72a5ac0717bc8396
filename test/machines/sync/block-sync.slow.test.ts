/** Tier 2 among peers that are slow, silent, or give little: the time belongs to the batch, not to whoever is asked. Rules SY-6, SY-8. */
import { describe, expect, it } from 'vitest';
import { height, present } from '../../protocol/consensus/fixture.ts';
import {
  empty,
  everyRound,
  honest,
  longChain,
  type PeerModel,
  silent,
  trickling,
} from './block-sync.peers.ts';
import { newReach, Rig, type RigOptions } from './block-sync.rig.ts';

const reach = newReach();
const chain = longChain(everyRound(1_400));
const rigOf = (options: Partial<RigOptions> = {}) =>
  new Rig(reach, { chain, peers: [honest(chain), honest(chain), honest(chain)], ...options });
const praised = (rig: Rig, index: number): number =>
  rig.judged.filter(({ peer, verdict }) => peer === rig.peers[index] && verdict === 'good').length;

describe('a peer that gives one block a time (SY-8)', () => {
  const one = trickling(chain, 2_900);
  const slow = [one, honest(chain), honest(chain), honest(chain)];

  it('costs a batch one wait of less than 3 s, whatever it claims, and is not praised', () => {
    const rig = rigOf({ peers: slow });
    rig.catchUp(1_300);
    // It is asked first for each batch, 8 at once: a wait for the first of them, a wait for the rest.
    rig.settle(6_500);
    expect(rig.durable).toBe(1_300);
    expect(praised(rig, 0)).toBe(0);
    expect(rig.blamed(0)).toEqual([]);
  });

  it('is asked last for what it left of a batch, and the others are praised for it', () => {
    const rig = rigOf({ peers: slow });
    rig.catchUp(100);
    rig.settle(4_000);
    const [, rest] = rig.fetches;
    expect(rest?.request).toMatchObject({
      query: { by: 'height', from: 2, limit: 99 },
      avoid: [rig.peers[0]],
    });
    expect(rest?.peers).toEqual([rig.peers[1]]);
    expect(praised(rig, 1)).toBe(1);
  });

  it('does not put the hurry off: what it left has waited since the batch was asked for', () => {
    const rig = rigOf({ peers: [one, silent, honest(chain)] });
    rig.catchUp(100);
    rig.settle(4_000);
    expect(rig.now).toBeLessThan(3_100);
    expect(rig.asked[1]).toEqual([1, 2]);
  });

  it('nor does a lie that comes late', () => {
    const liar: PeerModel = (query, now) => {
      const given = honest(chain, 1_399, 2_900)(query, now);
      return given === 'silent' ? given : { ...given, blocks: given.blocks.toReversed() };
    };
    const rig = rigOf({ peers: [liar, silent, honest(chain)] });
    rig.catchUp(100);
    rig.settle(8_000);
    expect(rig.now).toBeLessThan(3_100);
    expect(rig.blamed(0)).toEqual(['BLOCKS_NOT_GAPLESS']);
  });

  it('nor do three of them, one after the other', () => {
    const rig = rigOf({ peers: [one, one, one, honest(chain)] });
    rig.catchUp(100);
    rig.settle(10_000);
    expect(rig.now).toBeLessThan(6_200);
  });

  it('by id: who follows it is asked at once, and one more besides (CS-12)', () => {
    const few = longChain(everyRound(400), false);
    const rig = new Rig(reach, {
      chain: few,
      peers: [
        (query, now) => (query.by === 'id' ? trickling(few, 290)(query, now) : empty(0, 40)(query, now)),
        honest(few, 0, 40),
        honest(few, 0, 40),
        honest(few, 0, 40),
      ],
    });
    rig.want(150);
    rig.settle(1_000);
    expect(rig.root.height).toBe(149);
    expect(rig.blamed(0)).toEqual([]);
  });
});

describe('an answer that is short for an honest reason (SY-8)', () => {
  const gives = (batchBytes: number): Rig => {
    const wide = longChain(everyRound(20), true, batchBytes);
    const heavy = honest(wide, 19, 1_200, 4);
    const rig = new Rig(reach, { chain: wide, peers: [heavy, heavy, heavy], config: { tier1MaxGap: 1 } });
    rig.catchUp(18);
    rig.settle(20_000);
    return rig;
  };

  it('an ample one begins the time anew and is praised: a thin link is not asked twice for the same', () => {
    const rig = gives(100_000);
    expect(rig.durable).toBe(18);
    expect(rig.hurried).toEqual([]);
    expect(praised(rig, 0)).toBe(5);
    expect(rig.fetches.every(({ request }) => request.avoid.length === 0)).toBe(true);
  });

  it('one of as many blocks and few bytes does not', () => {
    const rig = gives(32);
    expect(rig.durable).toBe(18);
    expect(rig.hurried.length).toBeGreaterThan(0);
    // The last one was all that was left.
    expect([0, 1, 2].reduce((sum, index) => sum + praised(rig, index), 0)).toBe(1);
  });

  it('one that has no more is praised for what it had, and others are asked for the rest', () => {
    const rig = rigOf({ peers: [honest(chain, 50), honest(chain)] });
    rig.catchUp(100);
    rig.settle(1_000);
    expect(rig.asked).toEqual([[0], [1]]);
    expect([praised(rig, 0), praised(rig, 1)]).toEqual([1, 1]);
  });
});

describe('peers that say nothing (SY-8)', () => {
  /** All but the leading batch come after so long. */
  const after =
    (delay: number): PeerModel =>
    (query, now) =>
      query.by === 'height' && query.from === 1 ? 'silent' : honest(chain, 1_399, delay)(query, now);

  it.each([
    [20, 300],
    [200, 800],
    [700, 2_800],
    [900, 3_000],
  ])(
    'others answer in %i ms: the leading batch is asked of one more after %i ms, four times as long, 3 s at the most',
    (delay, hurry) => {
      const rig = rigOf({ peers: [after(delay), honest(chain)] });
      rig.catchUp(512);
      rig.advance(hurry - 1);
      expect(rig.hurried).toEqual([]);
      rig.advance(1);
      expect(rig.hurried).toHaveLength(1);
    },
  );

  it('what is usual is an average: one answer that took long does not put the hurry off', () => {
    const rig = rigOf({ peers: [honest(chain, 1_399, 100)], config: { tier2MaxGap: 128 } });
    rig.catchUp(1_280);
    rig.settle(5_000);
    expect(rig.context.usualMs).toBe(100);
    rig.models = [honest(chain, 1_399, 900)];
    rig.catchUp(1_390, 2);
    rig.settle(5_000);
    expect(rig.context.usualMs).toBe(200);
  });

  it('a leading batch is asked of one more each 3 s for as long as none answers, not of two', () => {
    const rig = rigOf({ peers: [silent, silent, silent, honest(chain)] });
    rig.catchUp(100);
    rig.settle(12_000);
    expect(rig.now).toBeLessThan(9_100);
    expect(rig.asked).toEqual([[0, 1, 2, 3]]);
    expect(rig.durable).toBe(100);
  });
});

describe('a height that an answer states (SY-3)', () => {
  const low =
    (at: number): PeerModel =>
    (query, now) => {
      const given = trickling(chain, 20)(query, now);
      return given === 'silent' ? given : { ...given, height: height(at) };
    };

  it('leads nobody down where a claim has proved more', () => {
    const rig = rigOf({ peers: [low(1), honest(chain), honest(chain)] });
    rig.catchUp(1_000);
    rig.want(1_300);
    rig.advance(30);
    expect(rig.context.ceiling).toBeUndefined();
    expect(rig.fetches.filter(({ request }) => request.query.by === 'id')).toEqual([]);
  });

  it('is passed over as soon as blocks above it are here', () => {
    const rig = rigOf({ peers: [low(1), honest(chain), honest(chain)] });
    rig.want(1_300);
    rig.advance(30);
    expect(rig.context.ceiling).toBe(1);
    rig.advance(200);
    expect(rig.context.ceiling).toBeUndefined();
    rig.settle(2_000);
    expect(rig.root.height).toBe(1_299);
  });
});

describe('storage that does not say that bytes are durable (SY-8)', () => {
  it('is asked again after 10 s, and the chain goes on', () => {
    const rig = rigOf({ silences: 1 });
    rig.catchUp(300);
    rig.advance(9_900);
    expect(rig.durable).toBe(0);
    rig.advance(200);
    expect(rig.durable).toBe(300);
    expect(rig.ended).toMatchObject([{ outcome: { status: 'reached', height: 300 } }]);
  });

  it('is asked at growing pauses, at most each minute, one question a batch at a time', () => {
    const rig = rigOf({ silences: 1_000 });
    rig.want(100);
    const asked: number[] = [];
    for (let second = 0; second < 300; second += 1) {
      rig.advance(1_000);
      const times = rig.log.filter((line) => line === 'storage batches.persistRequested').length;
      if (times > asked.length) asked.push(second);
    }
    expect(asked).toEqual([0, 10, 30, 70, 130, 190, 250]);
  });

  it('may answer an earlier question late: what is durable is durable', () => {
    const rig = rigOf({ silences: 1_000 });
    rig.catchUp(100);
    rig.advance(11_000);
    const batch = present(rig.context.window[0], 'batch');
    if (batch.status !== 'verifying') throw new Error(batch.status);
    const digests = batch.segment.batches.map(({ digest }) => digest);
    rig.send({ type: 'batches.persisted', tag: 1, digests: digests.slice(1) });
    expect(rig.fetched).toEqual([]);
    rig.send({ type: 'batches.persisted', tag: 1, digests });
    expect(rig.fetched).toHaveLength(1);
  });
});

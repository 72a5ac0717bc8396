/** Trusted peers that keep a full re-sync waiting, or give blocks of another branch: what they cost. Rules SY-6, SY-8, SY-9. */
import { describe, expect, it } from 'vitest';
import { present } from '../../protocol/consensus/fixture.ts';
import {
  type Answering,
  honest,
  idAt,
  type MadeChain,
  madeChain,
  newReach,
  newWorld,
  type PeerModel,
  peerOf,
  Rig,
} from './chain-sync.rig.ts';

const place = newWorld();
const reach = newReach();
const LENGTH = 1_300;
const chain = madeChain(place, LENGTH);
const heavy = madeChain(place, 40, { batchBytes: () => 2_000 });

const quick: PeerModel = { ...peerOf(chain), delay: () => 20 };
const oneBlock: Answering = (question) => {
  const answer = honest(chain)(question);
  return { blocks: answer?.blocks.slice(0, 1) ?? [], batches: [] };
};
const trickling: PeerModel = { ...peerOf(chain, oneBlock), delay: () => 2_900 };
const silent: PeerModel = { ...peerOf(chain, () => undefined), delay: () => 60_000 };

function resynced(peers: readonly PeerModel[], seed = 1, made: MadeChain = chain): Rig {
  const rig = new Rig(reach, place, { own: made, peers, seed });
  rig.order();
  rig.run(20_000);
  const { length } = made.blocks;
  expect(rig.outcome).toMatchObject({ outcome: { status: 'ready', height: length } });
  expect(present(rig.disk.sealed(), 'a sealed chain').id).toBe(idAt(place, made, length));
  return rig;
}
const SEEDS = [1, 2, 3, 4, 5];

describe('a trusted peer that keeps a full re-sync waiting (SY-8)', () => {
  it.each([
    ['gives one block after 2.9 s, each time', trickling],
    ['says nothing', silent],
  ])('%s: it costs seconds, beside three or one that are quick', (_, slow) => {
    for (const seed of SEEDS) {
      const plain = resynced([quick, quick, quick], seed);
      const three = resynced([quick, slow, quick, quick], seed);
      expect(three.now - plain.now).toBeLessThan(10_000);
      const one = resynced([slow, quick], seed);
      expect(one.now).toBeLessThan(20_000);
    }
  });

  it('three of four say nothing: the fourth is found within seconds, and asked first from then on', () => {
    for (const seed of SEEDS) {
      const rig = resynced([silent, silent, quick, silent], seed);
      expect(rig.now).toBeLessThan(40_000);
    }
  });

  it('earns no thanks for little, and no blame', () => {
    const rig = resynced([trickling, quick]);
    expect(rig.judged.filter(({ peer }) => peer === rig.peer(0))).toEqual([]);
    expect(rig.judged.length).toBeGreaterThan(5);
  });

  it('trickles batches: the same', () => {
    const few: Answering = (question) => {
      const answer = honest(heavy)(question);
      return { blocks: answer?.blocks ?? [], batches: answer?.batches.slice(0, 1) ?? [] };
    };
    const slow: PeerModel = { ...peerOf(heavy, few), delay: (limit) => (limit > 16 ? 20 : 2_900) };
    const rig = resynced([slow, { ...peerOf(heavy), delay: () => 20 }], 1, heavy);
    expect(rig.now).toBeLessThan(15_000);
  });

  it('is all there is: it is waited for as long as something comes', () => {
    const short = madeChain(place, 30);
    const answers: Answering = (question) => ({
      blocks: honest(short)(question)?.blocks.slice(0, 1) ?? [],
      batches: [],
    });
    const rig = resynced([{ ...peerOf(short, answers), delay: () => 2_900 }], 1, short);
    expect(rig.now).toBeGreaterThan(30 * 2_900);
  });

  it('all are slow, as on a thin line: each answer is waited for, and it comes to its end', () => {
    const far: PeerModel = { ...peerOf(chain), delay: () => 8_000 };
    const rig = resynced([far, far, far]);
    expect(rig.now).toBeLessThan(120_000);
  });
});

/** Certified and never committed, at every border. */
const branches = new Map(
  Array.from({ length: Math.floor(LENGTH / 128) }, (_, index) => (index + 1) * 128).map((border) => [
    border,
    madeChain(place, border, { base: chain, upTo: border - 1, salt: 3, skipped: () => 7 }),
  ]),
);
const branching: Answering = (question) => {
  const of = branches.get(question.from + question.limit - 1) ?? chain;
  return honest(of)(question);
};

describe('peers whose blocks do not hang together (SY-8, SY-9)', () => {
  it('three of four have another block at each border: it comes whole, they are asked no more, nobody is blamed', () => {
    for (const seed of SEEDS) {
      const liar = peerOf(chain, branching);
      const rig = resynced([liar, liar, peerOf(chain, honest(chain, { cuts: true })), liar], seed);
      expect(rig.asked.at(-1)?.holders).toContain(rig.peer(2));
      expect(rig.context.counts.partings).toBeLessThan(12);
      expect(rig.judged.every(({ verdict }) => verdict === 'good')).toBe(true);
    }
  });

  it('and another one says nothing: who guides is passed over after seconds', () => {
    let guided = 0;
    for (const seed of SEEDS) {
      const liar = { ...peerOf(chain, branching), delay: () => 20 };
      const rig = resynced([silent, liar, quick], seed);
      expect(rig.now).toBeLessThan(40_000);
      guided += rig.asked.filter(({ holders }) => holders?.length === 1).length;
    }
    expect(guided, 'one is asked alone').toBeGreaterThan(0);
  });

  it('has only certificates that commit nothing: another one guides', () => {
    // Its answers end where a round was skipped, and its other certificates do not hold.
    const made = madeChain(place, 600, { skipped: (at) => (at % 2 === 0 ? 1 : 0) });
    const unproving: Answering = (question) => {
      const answer = honest(made)(question)?.blocks ?? [];
      const last = answer.findLastIndex(({ qc }) => qc.round !== qc.parentRound + 1);
      const blocks = answer.slice(0, last + 1);
      const signature = new Uint8Array(96);
      const garbage = blocks.map(({ block, qc }, index) => ({
        block: { ...block, qc: { ...block.qc, signature } },
        qc: index === blocks.length - 1 ? qc : { ...qc, signature },
      }));
      return { blocks: garbage, batches: [] };
    };
    let unproved = 0;
    for (const seed of SEEDS) {
      const rig = resynced([peerOf(made, unproving), { ...peerOf(made), delay: () => 20 }], seed, made);
      unproved += rig.context.counts.partings;
    }
    expect(unproved).toBeGreaterThan(0);
  });
});

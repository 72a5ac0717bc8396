import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { millis, wallTime } from '../../../src/base/units.ts';
import type { Address, Height } from '../../../src/protocol/chain/types.ts';
import {
  chooseChain,
  comparedWithOwn,
  type DescribedChain,
  findTrustedPeers,
} from '../../../src/protocol/sync/chain-choice.ts';
import type { PeerState } from '../../../src/protocol/sync/types.ts';
import { chainOf, height, idOf, present, world } from '../consensus/fixture.ts';
import { strangeId } from './peer-states.ts';

const place = world();
const peers = place.validators.map(({ address }) => address);
const peer = (index: number): Address => present(peers[index], 'peer');
const WALL = wallTime(1_700_000_000_000);
const HOUR = 3_600_000;

/** Two chains that part after height 4; the proof of a chain's height n is the certificate of n + 1. */
const rounds = Array.from({ length: 13 }, (_, index) => index + 1);
const main = chainOf(place, rounds);
const other = chainOf(place, rounds, (index) => (index < 4 ? {} : { time: 9_000_000 + index }));

function described(of: typeof main, tip: number, by: Address, power = 1n, step = 1): DescribedChain {
  const heights = rounds.filter((at) => at <= tip && (at % step === 0 || at === tip));
  const checkpoints = heights.map((at) => ({
    height: height(at),
    id: idOf(place, present(of.blocks[at - 1], 'block')),
  }));
  const proof = present(of.qcs[tip], 'proof');
  return { peer: by, power, chain: { kind: 'Chain', requestId: 1, base: height(1), proof, checkpoints } };
}

const stateOf = (of: Address, hours: number, score = 0.5): PeerState => ({
  peer: of,
  power: 1n,
  failures: 0,
  reputation: {
    peer: of,
    score,
    at: WALL,
    consistentSince: wallTime(WALL - hours * HOUR),
    ...(score === 0 ? { removedUntil: wallTime(WALL + HOUR) } : {}),
  },
});

describe('whom a full re-sync trusts (SY-9)', () => {
  const trust = millis(5 * HOUR);
  it('five hours, not a millisecond less', () => {
    const states = [stateOf(peer(1), 5), stateOf(peer(0), 4.999_999)];
    expect(findTrustedPeers(states, trust, WALL)).toEqual({ status: 'trusted', peers: [peer(1)] });
  });

  it('never one that was caught in a contradiction, however long ago it says it began', () => {
    expect(findTrustedPeers([stateOf(peer(0), 100, 0)], trust, WALL)).toMatchObject({
      error: { code: 'CriticalSyncRequired', detail: expect.stringContaining(`${peer(0)} was caught`) },
    });
  });

  it('names eight of those who have too little, and counts the others', () => {
    const many = Array.from({ length: 11 }, (_, index) => stateOf(peer(index % 4), 1));
    expect(findTrustedPeers(many, trust, WALL)).toMatchObject({
      error: { detail: expect.stringMatching(/1 h 0 min, and 3 more; wait/) },
    });
  });
});

describe('which chain is taken (SY-3, SY-5)', () => {
  it('the highest tip of those who agree', () => {
    const choice = chooseChain([described(main, 8, peer(0)), described(main, 12, peer(1))], undefined);
    expect(choice).toMatchObject({
      status: 'chosen',
      target: { height: 12 },
      holders: [peer(0), peer(1)].sort(),
    });
  });

  it('a third of liars, of whom one is short and one contradicts, does not make it shorter (SY-3)', () => {
    const seven = world([1n, 1n, 1n, 1n, 1n, 1n, 1n]).validators.map(({ address }) => address);
    const voices = seven.slice(0, 6).map((one, index) => {
      if (index === 4) return described(main, 1, one);
      return described(index === 5 ? other : main, 12, one);
    });
    expect(chooseChain(voices, undefined)).toMatchObject({
      target: { height: 12 },
      holders: seven.slice(0, 5).sort(),
      parted: [{ peer: seven[5], at: 5 }],
    });
  });

  it('of equal tips that of the most power: nobody is left out for what a single one contradicts', () => {
    for (const odd of [0, 1, 2, 3]) {
      const voices = [0, 1, 2, 3].map((index) => {
        if (index !== odd) return described(main, 12, peer(index), 1n, index === (odd + 1) % 4 ? 3 : 2);
        const { chain, ...voice } = described(main, 12, peer(odd));
        const checkpoints = chain.checkpoints.map((one) =>
          one.height === 3 ? { ...one, id: strangeId('odd') } : one,
        );
        return { ...voice, chain: { ...chain, checkpoints } };
      });
      expect(chooseChain(voices, undefined)).toMatchObject({ holders: [...peers].sort(), parted: [] });
    }
  });

  it('goes by power, not by heads', () => {
    const voices = [
      described(other, 12, peer(0)),
      described(other, 12, peer(1)),
      described(main, 8, peer(2), 3n),
    ];
    expect(chooseChain(voices, undefined)).toMatchObject({
      status: 'chosen',
      target: { height: 8 },
      holders: [peer(2)],
      parted: [peer(0), peer(1)].sort().map((one) => ({ peer: one, at: 5 })),
    });
  });

  it('an unproved tip counts for nothing, whatever power names it', () => {
    const lie = described(other, 12, peer(0), 100n);
    const { proof: _, ...chain } = lie.chain;
    expect(chooseChain([{ ...lie, chain }, described(main, 6, peer(1))], undefined)).toMatchObject({
      target: { height: 6 },
      holders: [peer(1)],
    });
    const empty = { ...lie, chain: { ...lie.chain, checkpoints: [] } };
    expect(chooseChain([empty], undefined)).toMatchObject({ error: { code: 'NoPeersAvailable' } });
  });

  it('more than half of the power, in any order of the answers, and nobody who contradicts is asked', () => {
    const voice = fc.record({
      of: fc.constantFrom(main, other),
      tip: fc.integer({ min: 1, max: 12 }),
      power: fc.bigInt({ min: 1n, max: 5n }),
      step: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(voice, { minLength: 1, maxLength: 4 }), fc.nat(5), (voices, turn) => {
        const all = voices.map(({ of, tip, power, step }, index) =>
          described(of, tip, peer(index), power, step),
        );
        const choice = chooseChain(all, undefined);
        const rotated = [...all.slice(turn % all.length), ...all.slice(0, turn % all.length)];
        expect(chooseChain(rotated, undefined)).toEqual(choice);
        if (choice.status === 'refused') return;
        const ids = new Map(choice.checkpoints.map(({ height: at, id }) => [at, id]));
        const agreeing = all.filter(({ chain }) =>
          chain.checkpoints.every(({ height: at, id }) => (ids.get(at) ?? id) === id),
        );
        expect(choice.holders).toEqual(agreeing.map((one) => one.peer).sort());
        const sum = (of: readonly DescribedChain[]): bigint =>
          of.reduce((total, { power }) => total + power, 0n);
        expect(sum(agreeing) * 2n).toBeGreaterThan(sum(all));
        // Of all that more than half agree with, none is higher.
        for (const one of all) {
          const its = new Map(one.chain.checkpoints.map(({ height: at, id }) => [at, id]));
          const agreed = all.filter(({ chain }) =>
            chain.checkpoints.every(({ height: at, id }) => (its.get(at) ?? id) === id),
          );
          const tip = one.chain.checkpoints.at(-1)?.height ?? 0;
          if (sum(agreed) * 2n > sum(all)) expect(tip).toBeLessThanOrEqual(choice.target.height);
        }
      }),
    );
  });
});

describe('where our own chain parts from it', () => {
  const named = (of: typeof main, heights: readonly number[]) =>
    heights.map((at): { height: Height; id: ReturnType<typeof idOf> } => ({
      height: height(at),
      id: idOf(place, present(of.blocks[at - 1], 'block')),
    }));
  it('is told by the heights that both name', () => {
    const checkpoints = named(main, [2, 4, 6, 8]);
    expect(comparedWithOwn(checkpoints, named(main, [2, 4]))).toEqual({ agreesTo: 4 });
    expect(comparedWithOwn(checkpoints, named(other, [2, 4, 6, 8]))).toEqual({ agreesTo: 4, partsBy: 6 });
    expect(comparedWithOwn(checkpoints, [])).toEqual({ agreesTo: 0 });
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../src/protocol/chain/canonical.ts';
import type { Address } from '../../../src/protocol/chain/types.ts';
import { genesisOutcomeOf, hashOutcomeOf } from '../../../src/protocol/sync/hash-votes.ts';
import { chainOf, idOf, present, world } from '../consensus/fixture.ts';

const place = world([1n, 1n, 1n, 1n]);
const { set } = place.epoch;
const { blocks } = chainOf(place, [1, 2]);
const [ours, theirs] = blocks.map((block) => idOf(place, block));
const id = present(ours, 'block');
const otherId = present(theirs, 'block');
const peers = [1, 2, 3].map((index) => place.addressAt(index));
const votes = (...ids: readonly (typeof id | undefined)[]) =>
  ids.map((hash, index) => {
    const peer = present(peers[index], 'peer');
    return hash === undefined ? { peer } : { peer, hash };
  });

describe('hash consensus (seed 002, SY-1)', () => {
  it('agrees when more than 2/3 of the answers in power name the block', () => {
    expect(hashOutcomeOf(set, id, votes(id, id, id), 3)).toEqual({ status: 'agreed', answered: 3 });
  });

  it('bug "trunc(0.666·3) = 1 making one vote a consensus": one of three is none, and neither are two', () => {
    for (const three of [
      [id, otherId, undefined],
      [id, undefined, undefined],
      [otherId, undefined, undefined],
      [id, id, otherId],
    ]) {
      const outcome = hashOutcomeOf(set, id, votes(...three), 3);
      expect(outcome).toMatchObject({ status: 'failed', error: { code: 'NoConsensusReached' } });
    }
  });

  it('says which other block has it, and by how much power', () => {
    const outcome = hashOutcomeOf(set, id, votes(otherId, otherId, otherId), 3);
    expect(outcome).toEqual({ status: 'differs', id: otherId, answered: 3, power: 3n });
  });

  it('weighs by power: many small ones do not outvote a great one', () => {
    const uneven = world([1n, 1n, 1n, 7n], 'uneven');
    const all = uneven.validators.map(({ address, power }) => ({
      peer: address,
      hash: power > 1n ? id : otherId,
    }));
    expect(hashOutcomeOf(uneven.epoch.set, id, all, 4)).toMatchObject({ status: 'agreed' });
  });

  it('fails by name: nobody connected, nobody answering, too few answering, nobody holding it', () => {
    const code = (...given: [ReturnType<typeof votes>, number]) => {
      const outcome = hashOutcomeOf(set, id, ...given);
      return outcome.status === 'failed' ? outcome.error.code : outcome.status;
    };
    expect(code([], 0)).toBe('NoPeersAvailable');
    expect(code([], 3)).toBe('Timeout');
    expect(code(votes(id), 2)).toBe('NoConsensusReached');
    expect(code(votes(id, id), 3)).toBe('agreed');
    expect(code(votes(undefined, undefined), 3)).toBe('BlockNotFound');
  });

  it('never finds two blocks agreed on, whoever says what in whatever order', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(id, otherId, undefined), { maxLength: 3 }), (given) => {
        const mine = hashOutcomeOf(set, id, votes(...given), 3);
        const yours = hashOutcomeOf(set, otherId, votes(...given), 3);
        expect(mine.status === 'agreed' && yours.status === 'agreed').toBe(false);
        const reversed = [...votes(...given)].reverse();
        expect(hashOutcomeOf(set, id, reversed, 3)).toEqual(mine);
      }),
    );
  });
});

describe('genesis (SY-4)', () => {
  const own = place.epoch.domain.genesisHash;
  const other = digestOf(Uint8Array.of(9));
  const saying = (...hashes: readonly (typeof own)[]) =>
    hashes.map((hash, index) => ({ peer: present(peers[index], 'peer'), hash }));
  const outcome = (known: ReturnType<typeof saying>, asked: readonly Address[] = peers) =>
    genesisOutcomeOf(set, own, asked, known);

  it('is unanimous over those that remain when one differs', () => {
    expect(outcome(saying(own, own, other))).toEqual({ status: 'unanimous', asked: 3, answered: 2 });
  });

  it('is split as soon as so much power differs that an honest validator is among it: J(W)', () => {
    expect(set.honestPower).toBe(2n);
    const split = outcome(saying(own, other, other));
    expect(split).toEqual({ status: 'split', genesisHash: other, peers: [peers[1], peers[2]].sort() });
  });

  it('names the genesis that differs with most power', () => {
    const third = digestOf(Uint8Array.of(8));
    const uneven = world([1n, 1n, 5n, 5n], 'uneven genesis');
    const known = uneven.validators.map(({ address, power }) => ({
      peer: address,
      hash: power > 1n ? other : third,
    }));
    expect(genesisOutcomeOf(uneven.epoch.set, own, [], known)).toMatchObject({
      status: 'split',
      genesisHash: other,
    });
  });

  it('is unanswered by name, never taken for unanimous (SY-2)', () => {
    expect(outcome([], [])).toMatchObject({ error: { code: 'NoPeersAvailable' } });
    expect(outcome([])).toMatchObject({ error: { code: 'Timeout' } });
    expect(outcome(saying(other), peers.slice(0, 1))).toMatchObject({
      error: { code: 'NoConsensusReached' },
    });
  });
});

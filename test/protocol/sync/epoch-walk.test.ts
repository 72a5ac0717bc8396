/** The walk from the first epoch to the last: what it takes, of whom, and what of a chain each epoch judges. CS-16, SY-16. */
import { describe, expect, it } from 'vitest';
import { FIRST_EPOCH } from '../../../src/protocol/chain/ordinals.ts';
import {
  beginWalk,
  endOf,
  epochAbove,
  epochIn,
  guideOf,
  partOf,
  takeEpochs,
  withGuides,
  withoutGuide,
} from '../../../src/protocol/sync/epoch-walk.ts';
import { EPOCHS_ASKED_MAX } from '../../../src/protocol/sync/messages.ts';
import { chainOfEpochs, encoded, idAtHeight } from '../../machines/sync/epochs.ts';
import { epochNumber, height, present, world } from '../consensus/fixture.ts';

const place = world([1n, 1n, 1n, 1n], 'walk');
const LENGTH = 4;
const { bls } = place;
/** Each epoch with other validators; what ends the second is proven over rounds that failed. */
const chain = chainOfEpochs(place, 3, LENGTH);
const gapped = chainOfEpochs(place, 2, LENGTH, 2);
const [first, second] = [0, 1, 2].map((index) => place.addressAt(index)).sort();
const peer = present(first, 'peer');
const other = present(second, 'peer');
const walk = withGuides(beginWalk(place.epoch), [
  { peer: other, epoch: epochNumber(2) },
  { peer, epoch: epochNumber(3) },
]);

describe('the walk over epochs (SY-16)', () => {
  it('comes to the last epoch, each verified by the validators of the one before, in one answer or in many', () => {
    const whole = takeEpochs(walk, bls, peer, encoded(chain.changes));
    expect(whole).toMatchObject({ verdict: 'good', walk: { reached: { epoch: 3 } } });
    const stepped = chain.changes.reduce(
      (now, change) => takeEpochs(now, bls, peer, encoded([change])).walk,
      walk,
    );
    expect(stepped).toEqual(whole.walk);
    expect(whole.walk.reached.set).toEqual(present(chain.worlds[3], 'world').epoch.set);
    expect(guideOf(whole.walk)).toBeUndefined();
  });

  it('asks first who claims the latest epoch, and nobody who claims none beyond it', () => {
    expect(guideOf(walk)).toBe(peer);
    expect(guideOf(withoutGuide(walk, peer))).toBe(other);
    const here = takeEpochs(walk, bls, peer, encoded(chain.changes.slice(0, 2))).walk;
    expect(guideOf(withoutGuide(here, peer))).toBeUndefined();
    const twins = [other, peer].map((one) => ({ peer: one, epoch: epochNumber(1) }));
    expect(guideOf(withGuides(walk, twins))).toBe(peer);
  });

  it('takes no epoch twice, out of order, of other validators, or of another chain; what came before holds', () => {
    const [one, two, three] = chain.changes.map((change) => present(change, 'end'));
    const stranger = chainOfEpochs(world([1n, 1n, 1n, 1n], 'elsewhere', bls), 1, LENGTH);
    if (one === undefined || two === undefined || three === undefined) throw new Error('three ends');
    const forged = { ...two, proof: { ...two.proof, next: three.proof.next } };
    const unsigned = { ...two, qc: { ...two.qc, signature: new Uint8Array(96) } };
    for (const [given, reached] of [
      [[one, one], 1],
      [[one, three], 1],
      [[two], 0],
      [[one, forged], 1],
      [[one, unsigned], 1],
      [stranger.changes, 0],
      [Array(EPOCHS_ASKED_MAX + 1).fill(one), 0],
    ] as const) {
      const taken = takeEpochs(walk, bls, peer, encoded(given));
      expect([taken.verdict, taken.walk.reached.epoch, taken.walk.changes.length]).toEqual([
        'false',
        reached,
        reached,
      ]);
      expect(guideOf(taken.walk), 'its giver is asked no more').toBe(other);
    }
  });

  it('leaves, without blame, who claims to be farther and has nothing to tell', () => {
    expect(takeEpochs(walk, bls, peer, [])).toEqual({ verdict: 'nothing', walk: withoutGuide(walk, peer) });
  });

  it('ends where the ends of epochs alone take too much', () => {
    const full = { ...walk, bytes: 64 * 1_048_576 };
    expect(takeEpochs(full, bls, peer, encoded(chain.changes))).toEqual({ verdict: 'tooLong', walk: full });
  });

  it('tells of each height whose validators judge it, and of each epoch up to which block', () => {
    const { walk: done } = takeEpochs(walk, bls, peer, encoded(chain.changes.slice(0, 2)));
    const numbers = [0, 1, 3, 4, 7, 8, 11].map((at) => epochAbove(done, height(at)).epoch);
    expect(numbers).toEqual([0, 0, 0, 1, 1, 2, 2]);
    expect([epochIn(done, FIRST_EPOCH), epochIn(done, epochNumber(3))]).toEqual([place.epoch, undefined]);
    expect(epochIn(done, epochNumber(2))?.hash).toBe(done.reached.hash);
    expect([endOf(done, epochNumber(1)), endOf(done, epochNumber(2))]).toEqual([chain.changes[1], undefined]);
    const proof = present(chain.proofs[9], 'proof');
    const target = { height: height(10), id: idAtHeight(chain, 10), proof };
    expect(partOf(done, epochNumber(2), target)).toEqual(target);
    expect(partOf(done, FIRST_EPOCH, target)).toMatchObject({
      height: LENGTH,
      id: idAtHeight(chain, LENGTH),
    });
  });

  it('takes an end that was proven over rounds that failed', () => {
    expect(takeEpochs(walk, bls, peer, encoded(gapped.changes))).toMatchObject({ verdict: 'good' });
  });
});

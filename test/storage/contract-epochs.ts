/** What every store does where an epoch ends and the next begins. Run with the rest of the contract. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FIRST_EPOCH } from '../../src/protocol/chain/ordinals.ts';
import { rootCertificate } from '../../src/protocol/consensus/epoch.ts';
import { emptyRecord } from '../../src/protocol/consensus/safety.ts';
import { EPOCHS_MAX } from '../../src/storage/epochs.ts';
import type { Store, StoreWrite } from '../../src/storage/store.ts';
import {
  asking,
  chain,
  child,
  codes,
  committed,
  ending,
  epoch,
  execution,
  found,
  type MadeBlock,
  opening,
  record,
  round,
  type TestDisk,
  update,
  votedFor,
  write,
} from './fixtures.ts';

export function describeEpochs(name: string, makeDisk: () => TestDisk): void {
  let disk: TestDisk;
  let store: Store;
  beforeEach(() => {
    disk = makeDisk();
    store = disk.open();
  });
  afterEach(() => disk.remove());
  const crash = (): void => {
    disk.crash();
    store = disk.open();
  };
  const judged = (...writes: readonly StoreWrite[]): readonly string[] => codes(write(store, ...writes));
  const commit = (...blocks: readonly MadeBlock[]): StoreWrite => ({
    kind: 'commit',
    blocks: blocks.map(committed),
  });
  const end = (last: MadeBlock, ...names: readonly string[]): StoreWrite => ({
    kind: 'epoch',
    change: ending(last, ...(names.length === 0 ? ['a', 'b'] : names)),
  });
  /** Two blocks, and the one that ends the epoch: it states the first as executed. */
  const [first, second] = chain(2);
  if (first === undefined || second === undefined) throw new Error('two blocks');
  const last = child(second, { executed: 1 });
  const above = child(last);

  describe(`${name}: the end of an epoch (ST-12)`, () => {
    it('is one write: how it ended, and a record of the next in which nothing was signed', () => {
      judged(commit(first, second, last), record(votedFor(last), 0));
      expect(judged(end(last))).toEqual(['staged']);
      crash();
      const { record: fresh, recordVersion, change } = found(store.recover());
      const { height, parentId } = last.block.header;
      expect(fresh).toEqual(emptyRecord(rootCertificate(epoch(1), { height, id: last.id, parentId })));
      expect(recordVersion).toBe(2);
      expect(change).toEqual(ending(last, 'a', 'b'));
      expect(found(store.changes(FIRST_EPOCH, 9))).toEqual([ending(last, 'a', 'b')]);
    });

    it('is whole or not there after a crash before the sync', () => {
      judged(commit(first, second, last), record(votedFor(last), 0));
      expect(store.stage([end(last)]).status).toBe('staged');
      crash();
      const recovered = found(store.recover());
      expect(recovered).toMatchObject({ recordVersion: 1, record: { epoch: 0, lastVotedRound: 3 } });
      expect(recovered.change).toBeUndefined();
      expect(judged(end(last))).toEqual(['staged']);
    });

    it('lets nothing be signed in the epoch that has ended, and lets the next begin at round 1 (ST-2)', () => {
      judged(commit(first, second, last), record(votedFor(last), 0), end(last));
      expect(judged(record(votedFor(above), 1), record(votedFor(above), 2))).toEqual([
        'VERSION_CONFLICT',
        'VERSION_CONFLICT',
      ]);
      const begun = child(opening(last), { epoch: 1 });
      expect(begun.block.header.round).toBe(1);
      expect(judged(record(votedFor(begun), 2, begun.block), commit(begun))).toEqual(['staged', 'staged']);
      crash();
      expect(found(store.recover())).toMatchObject({ record: { epoch: 1, lastVotedRound: 1 } });
      expect(found(store.tip()).id).toBe(begun.id);
    });

    it('is refused where it is not of the newest committed block, or of the present epoch', () => {
      judged(commit(first, second));
      // Before its last block is committed; with another one; and of an epoch that has not begun.
      expect(judged(end(last), end(first))).toEqual(['VERSION_CONFLICT', 'VERSION_CONFLICT']);
      const later = child(opening(last), { epoch: 1 });
      expect(judged(end(later))).toEqual(['VERSION_CONFLICT']);
      judged(commit(last));
      const { proof, qc } = ending(last, 'a');
      const skipping = { qc, proof: { ...proof, next: { ...proof.next, epoch: epoch(2) } } };
      expect(judged({ kind: 'epoch', change: skipping })).toEqual(['VERSION_CONFLICT']);
      expect(found(store.recover()).recordVersion).toBe(0);
      expect(found(store.changes(FIRST_EPOCH, 9))).toEqual([]);
    });

    it('is known when it is told again, also later, and a fork with another last block', () => {
      judged(commit(first, second, last));
      expect(judged(end(last), end(last))).toEqual(['staged', 'staged']);
      expect(found(store.recover()).recordVersion).toBe(1);
      expect(judged(end(child(second, { salt: 'rival' })))).toEqual(['FORK']);
      const begun = child(opening(last), { epoch: 1 });
      judged(commit(begun), end(begun));
      expect(judged(end(last))).toEqual(['staged']);
      crash();
      expect(found(store.recover())).toMatchObject({ record: { epoch: 2 }, recordVersion: 2 });
      expect(found(store.changes(epoch(1), 9))).toEqual([ending(begun, 'a', 'b')]);
    });

    it('tells after a start which epoch it ended; the first is told by the genesis (CS-14)', () => {
      judged(commit(first, second, last), end(last, 'a', 'b', 'c'));
      expect(found(store.recover()).ended).toBeUndefined();
      const begun = child(opening(last), { epoch: 1 });
      judged(commit(begun), end(begun));
      crash();
      const { change, ended } = found(store.recover());
      expect(change).toEqual(ending(begun, 'a', 'b'));
      expect(ended).toEqual(ending(last, 'a', 'b', 'c').proof.next);
    });

    it('forgets the blocks above it, which are in no chain, and what took effect with it', () => {
      judged(commit(first, second, last));
      judged({ kind: 'certified', blocks: [{ block: above.block, qc: above.qc }] });
      judged(asking(first, 'one'), asking(second, 'two'));
      expect(found(store.recover()).updates).toMatchObject([{ height: 1 }, { height: 2 }]);
      judged(end(last));
      crash();
      const { blocks, updates } = found(store.recover());
      expect(blocks).toEqual([]);
      // The last block states height 1 as executed: what height 2 asked for is of the next epoch.
      expect(updates).toEqual([{ height: 2, updates: [update('two')] }]);
    });

    it('is before some executions, where it was told: what has taken effect is not kept as if it had not', () => {
      judged(commit(first, second, last), end(last));
      judged(asking(first, 'one'), asking(second, 'two'));
      expect(found(store.recover()).updates.map(({ height }) => height)).toEqual([2]);
      crash();
      expect(found(store.recover()).updates.map(({ height }) => height)).toEqual([2]);
      const begun = child(opening(last), { epoch: 1, executed: 3 });
      judged(commit(begun), asking(last, 'three'), end(begun));
      crash();
      expect(found(store.recover()).updates).toEqual([]);
    });

    it('keeps no updates of executions that asked for none, and the order of those that did', () => {
      judged(
        commit(first, second, last),
        asking(first, 'one'),
        execution(second, ['a']),
        asking(last, 'two'),
      );
      expect(found(store.recover()).updates).toEqual([
        { height: 1, updates: [update('one')] },
        { height: 3, updates: [update('two')] },
      ]);
    });

    it('lowers no record of a later epoch, which outlived a reset of the chain (ST-9)', () => {
      const far = child(opening(last), { epoch: 5, round: 9 });
      judged(commit(first, second, last), record(votedFor(far), 0));
      expect(judged(end(last))).toEqual(['staged']);
      crash();
      expect(found(store.recover())).toMatchObject({
        recordVersion: 1,
        record: { epoch: 5, lastVotedRound: round(9) },
        change: { proof: { next: { epoch: 1 } } },
      });
    });

    describe('told to a store that nothing is signed on yet (ST-11, ST-12)', () => {
      const passed = (of: MadeBlock): StoreWrite => ({ kind: 'passed', change: ending(of, 'a', 'b') });
      const plant = (on: MadeBlock): StoreWrite => ({
        kind: 'plant',
        height: on.block.header.height,
        id: on.id,
      });
      const begun = child(opening(last), { epoch: 1 });
      const grown = child(begun, { epoch: 1 });

      it('of epochs whose blocks it will not hold, it is kept, and the chain is planted above them', () => {
        const end1 = child(grown, { epoch: 1, executed: 2 });
        const third = child(opening(end1), { epoch: 2 });
        expect(judged(passed(last), passed(end1), plant(end1), commit(third))).toEqual(
          Array(4).fill('staged'),
        );
        crash();
        expect(found(store.changes(FIRST_EPOCH, 9))).toEqual([
          ending(last, 'a', 'b'),
          ending(end1, 'a', 'b'),
        ]);
        expect(found(store.recover())).toMatchObject({
          ...{ recordVersion: 0, record: { epoch: 0, lastVotedRound: 0 } },
          change: { proof: { next: { epoch: 2 } } },
        });
        // It is the store of a validator from then on.
        expect(judged(record(votedFor(third), 0, third.block))).toEqual(['staged']);
      });

      it('with the newest block, in one write with those above it', () => {
        expect(judged(commit(first, second, last), passed(last), commit(begun))).toEqual(
          Array(3).fill('staged'),
        );
        crash();
        expect(found(store.tip()).id).toBe(begun.id);
        expect(found(store.recover()).recordVersion).toBe(0);
      });

      it('it skips no epoch, and no block of one that began here', () => {
        expect(judged(passed(begun))).toEqual(['VERSION_CONFLICT']);
        expect(judged(commit(first), passed(last))).toEqual(['staged', 'VERSION_CONFLICT']);
        expect(judged(plant(first), passed(last))).toEqual(['VERSION_CONFLICT', 'VERSION_CONFLICT']);
      });

      it('nothing is planted or committed below the block on which the epoch stands, or on another one there', () => {
        judged(passed(last));
        const rival = child(second, { salt: 'rival' });
        expect(judged(commit(first), plant(second), plant(rival))).toEqual(Array(3).fill('VERSION_CONFLICT'));
        expect(judged(plant(last), commit(begun))).toEqual(['staged', 'staged']);
      });

      it('a crash before the first block leaves what was passed, and no plant', () => {
        judged(passed(last), plant(begun));
        crash();
        expect(found(store.tip())).toMatchObject({ base: 0, height: 0 });
        expect(judged(passed(last), plant(begun), commit(grown))).toEqual(Array(3).fill('staged'));
      });
    });

    it('is found by its number, in order, as many as are asked for and no more than fit', () => {
      let tip = first;
      judged(commit(first), end(first));
      for (let at = 1; at < EPOCHS_MAX + 6; at += 1) {
        tip = child(opening(tip), { epoch: at });
        judged(commit(tip), end(tip));
      }
      const numbers = (from: number, limit: number) =>
        found(store.changes(epoch(from), limit)).map(({ qc }) => qc.epoch);
      expect(numbers(0, 3)).toEqual([0, 1, 2]);
      expect(numbers(7, 1)).toEqual([7]);
      expect(numbers(EPOCHS_MAX + 5, 10)).toEqual([EPOCHS_MAX + 5]);
      expect(numbers(EPOCHS_MAX + 6, 10)).toEqual([]);
      expect(numbers(0, 10_000)).toHaveLength(EPOCHS_MAX);
      crash();
      expect(numbers(7, 2)).toEqual([7, 8]);
      expect(found(store.recover()).change?.qc.epoch).toBe(EPOCHS_MAX + 5);
    });
  });
}

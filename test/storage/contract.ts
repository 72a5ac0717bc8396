/** What every store does, whatever it writes to. Run by the tests of each store. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { wallTime } from '../../src/base/units.ts';
import { NO_APP_HASH, type Store, type StoreWrite } from '../../src/storage/store.ts';
import { describeEpochs } from './contract-epochs.ts';
import { applyToModel, emptyModel, expectSame, groupsOfWrites, type Model } from './contract-model.ts';
import { describePlantedStore } from './contract-planted.ts';
import {
  batch,
  chain,
  child,
  codes,
  committed,
  digest,
  epoch,
  execution,
  found,
  GENESIS_ID,
  GENESIS_QC,
  height,
  type MadeBlock,
  record,
  reputation,
  round,
  type TestDisk,
  timeout,
  timeoutCertificate,
  transaction,
  votedFor,
  write,
} from './fixtures.ts';

export function describeStore(name: string, makeDisk: () => TestDisk, propertyRuns: number): void {
  let disk: TestDisk;
  let store: Store;
  beforeEach(() => {
    disk = makeDisk();
    store = disk.open();
  });
  afterEach(() => disk.remove());
  const reopen = (): Store => {
    store.close();
    store = disk.open();
    return store;
  };
  const crash = (): Store => {
    disk.crash();
    store = disk.open();
    return store;
  };
  const commit = (...blocks: readonly MadeBlock[]): StoreWrite => ({
    kind: 'commit',
    blocks: blocks.map(committed),
  });

  describe(`${name}: the safety record (ST-2)`, () => {
    it('is the record of a validator that signed nothing, at version 0, in a new store', () => {
      const { record: fresh, recordVersion, committed: none, blocks } = found(store.recover());
      expect({ fresh, recordVersion, none, blocks }).toEqual({
        fresh: { epoch: 0, lastVotedRound: 0, lockedRound: 0, highQC: GENESIS_QC },
        recordVersion: 0,
        none: undefined,
        blocks: [],
      });
    });

    it('survives a crash after the sync, with the block voted for (CS-3)', () => {
      const [first, second] = chain(2);
      if (first === undefined || second === undefined) throw new Error('two blocks');
      write(store, record(votedFor(first), 0, first.block));
      const full = {
        ...votedFor(second),
        lastTimeout: { ...timeout(2, first.qc), lastTC: timeoutCertificate(1, GENESIS_QC) },
        lastTC: timeoutCertificate(1, GENESIS_QC),
      };
      write(store, record(full, 1, second.block));
      const recovered = found(crash().recover());
      expect(recovered.record).toEqual(full);
      expect(recovered.recordVersion).toBe(2);
      expect(recovered.blocks).toEqual([first.block, second.block]);
    });

    it('is not written when a crash comes before the sync', () => {
      const [first] = chain(1);
      if (first === undefined) throw new Error('a block');
      expect(store.stage([record(votedFor(first), 0, first.block)]).status).toBe('staged');
      const recovered = found(crash().recover());
      expect([recovered.recordVersion, recovered.blocks]).toEqual([0, []]);
    });

    it('is refused with VERSION_CONFLICT when its version is not the expected one', () => {
      const [first] = chain(1);
      if (first === undefined) throw new Error('a block');
      expect(codes(write(store, record(votedFor(first), 1)))).toEqual(['VERSION_CONFLICT']);
      expect(codes(write(store, record(votedFor(first), 0), record(votedFor(first), 0)))).toEqual([
        'staged',
        'VERSION_CONFLICT',
      ]);
      expect(found(reopen().recover()).recordVersion).toBe(1);
    });

    it('never falls: epoch, lastVotedRound, lockedRound, high QC', () => {
      const blocks = chain(4);
      const [, , third, fourth] = blocks;
      if (third === undefined || fourth === undefined) throw new Error('four blocks');
      const high = { ...votedFor(fourth), epoch: epoch(1) };
      write(store, record(high, 0));
      for (const falling of [
        { ...high, epoch: epoch(0) },
        { ...high, lastVotedRound: round(3) },
        { ...high, lockedRound: round(2) },
        { ...high, highQC: third.block.qc },
      ]) {
        expect(codes(write(store, record(falling, 1)))).toEqual(['VERSION_CONFLICT']);
      }
      expect(found(store.recover()).record).toEqual(high);
    });

    it('never holds a second vote in one round, nor a vote below what was timed out (CS-3)', () => {
      const [first] = chain(1);
      if (first === undefined) throw new Error('a block');
      const rival = child(undefined, { salt: 'rival' });
      write(store, record(votedFor(first), 0));
      expect(codes(write(store, record(votedFor(rival), 1)))).toEqual(['VERSION_CONFLICT']);
      const timedOut = { ...votedFor(first), lastVotedRound: round(5), lastTimeout: timeout(5, first.qc) };
      const late = child(first, { round: 5 });
      expect(
        codes(
          write(
            store,
            record(timedOut, 1),
            record({ ...timedOut, lastVote: votedFor(late).lastVote ?? vote0(first) }, 2),
          ),
        ),
      ).toEqual(['staged', 'VERSION_CONFLICT']);
    });

    it('never holds a second timeout of one round over another high QC, but takes a new tick (CS-6)', () => {
      const [first, second] = chain(2);
      if (first === undefined || second === undefined) throw new Error('two blocks');
      const base = { ...votedFor(second), lastVotedRound: round(5) };
      const timedOut = { ...base, lastTimeout: timeout(5, first.qc) };
      const other = { ...base, highQC: second.qc, lastTimeout: timeout(5, second.qc) };
      const again = { ...base, lastTimeout: timeout(5, first.qc, 1) };
      const outcomes = write(store, record(timedOut, 0), record(other, 1), record(again, 1));
      expect(codes(outcomes)).toEqual(['staged', 'VERSION_CONFLICT', 'staged']);
    });

    it('starts anew in a later epoch (CS-16)', () => {
      const [first] = chain(1);
      if (first === undefined) throw new Error('a block');
      write(store, record(votedFor(first), 0));
      const next = { epoch: epoch(1), lastVotedRound: round(0), lockedRound: round(0), highQC: GENESIS_QC };
      expect(codes(write(store, record(next, 1)))).toEqual(['staged']);
    });
  });

  describe(`${name}: blocks (ST-4)`, () => {
    it('commits without a gap, and answers by height, by id and in ranges', () => {
      const blocks = chain(5);
      write(store, commit(...blocks.slice(0, 2)), commit(...blocks.slice(2)));
      reopen();
      const all = blocks.map(committed);
      expect(found(store.blocksFrom(height(1), 10, 1e9))).toEqual({ blocks: all, height: 5 });
      expect(found(store.blocksFrom(height(2), 2, 1e9)).blocks).toEqual(all.slice(1, 3));
      expect(found(store.blocksFrom(height(4), 10, 1)).blocks).toEqual(all.slice(3, 4));
      expect(found(store.blocksFrom(height(6), 10, 1e9)).blocks).toEqual([]);
      expect(found(store.blockAt(height(3)))).toEqual(all[2]);
      expect(found(store.blockAt(height(6)))).toBeUndefined();
      expect(found(store.committedBlock(blocks[4]?.id ?? GENESIS_ID))).toEqual(all[4]);
      expect(found(store.committedBlock(GENESIS_ID))).toBeUndefined();
      expect(found(store.latest())).toEqual({ earliest: 1, committed: 5, executed: 0 });
      expect(found(store.recover()).committed).toEqual(all[4]);
    });

    it('passes over what is committed already, refuses a gap, and calls another block a FORK', () => {
      const blocks = chain(4);
      const [first, second, , fourth] = blocks;
      if (first === undefined || second === undefined || fourth === undefined) throw new Error('four blocks');
      const rival = child(first, { salt: 'rival' });
      write(store, commit(first, second));
      expect(codes(write(store, commit(first, second)))).toEqual(['staged']);
      expect(codes(write(store, commit(fourth)))).toEqual(['VERSION_CONFLICT']);
      expect(codes(write(store, commit(rival)))).toEqual(['FORK']);
      expect(codes(write(store, commit(child(rival))))).toEqual(['FORK']);
      expect(found(store.latest()).committed).toBe(2);
    });

    it('commits no block with a certificate that states anything else than that block', () => {
      const [first, second] = chain(2);
      if (first === undefined || second === undefined) throw new Error('two blocks');
      write(store, commit(first));
      for (const change of [
        { parentId: second.id },
        { parentRound: round(7) },
        { height: height(9) },
        { round: round(9) },
        { epoch: epoch(1) },
        { blockId: first.id },
      ]) {
        const lying = { ...second, qc: { ...second.qc, ...change } };
        expect(codes(write(store, commit(lying))), JSON.stringify(change)).toEqual(['FORK']);
      }
      expect(codes(write(store, commit(second)))).toEqual(['staged']);
    });

    it('refuses a group as a whole where one of its blocks does not join, and keeps the rest of the group', () => {
      const [first, second, , fourth] = chain(4);
      if (first === undefined || second === undefined || fourth === undefined) throw new Error('four blocks');
      expect(codes(write(store, commit(first, fourth), commit(first)))).toEqual([
        'VERSION_CONFLICT',
        'staged',
      ]);
      expect(found(store.latest()).committed).toBe(1);
    });

    it('gives back the uncommitted tree, parents first, and prunes it at a commit', () => {
      const [first, second, third] = chain(3);
      if (first === undefined || second === undefined || third === undefined) throw new Error('three blocks');
      const rival = child(first, { round: 7 });
      const orphan = child(child(rival, { round: 9 }), { round: 10 });
      write(store, {
        kind: 'certified',
        blocks: [third, rival, orphan, second, first].map(({ block, qc }) => ({ block, qc })),
      });
      crash();
      expect(found(store.recover()).blocks).toEqual([first, second, rival, third].map(({ block }) => block));
      write(store, commit(first));
      expect(found(store.recover()).blocks).toEqual([second, rival, third].map(({ block }) => block));
      write(store, commit(second));
      expect(found(store.recover()).blocks).toEqual([third.block]);
      expect(found(store.blockWithAncestors(rival.id, 0)), 'a block that lost is forgotten').toEqual([]);
    });

    it('serves a block with its ancestors across the committed height, each with a certificate (CS-12)', () => {
      const blocks = chain(4);
      const [first, second, third, fourth] = blocks;
      if (!first || !second || !third || !fourth) throw new Error('four blocks');
      write(
        store,
        commit(first, second),
        { kind: 'certified', blocks: [{ block: third.block, qc: third.qc }] },
        record(votedFor(fourth), 0, fourth.block),
      );
      const certified = (made: MadeBlock) => ({ block: made.block, qc: made.qc });
      expect(found(store.blockWithAncestors(third.id, 1))).toEqual([second, third].map(certified));
      expect(found(store.blockWithAncestors(third.id, 64))).toEqual([first, second, third].map(certified));
      expect(found(store.blockWithAncestors(fourth.id, 1)), 'the fourth is not certified').toEqual([
        certified(third),
      ]);
      write(store, { kind: 'certified', blocks: [certified(fourth)] });
      expect(found(store.blockWithAncestors(fourth.id, 0))).toEqual([certified(fourth)]);
      expect(found(store.blockWithAncestors(child(fourth).id, 3))).toEqual([]);
    });

    it('keeps what it holds of an uncommitted block, and takes the first certificate that comes of it (SY-8)', () => {
      const [first, second] = chain(2);
      if (!first || !second) throw new Error('two blocks');
      const other = (qc: typeof first.qc) => ({ ...qc, signature: new Uint8Array(96).fill(7) });
      const bodies = [second.block, { ...second.block, qc: other(first.qc) }];
      for (const [body, rival] of [bodies, bodies.toReversed()]) {
        if (body === undefined || rival === undefined) throw new Error('two bodies');
        const own = makeDisk();
        const held = own.open();
        const last = () => found(held.blockWithAncestors(second.id, 0));
        write(held, { kind: 'certified', blocks: [{ block: body }] });
        expect(last(), 'nothing certifies it yet').toEqual([]);
        write(held, { kind: 'certified', blocks: [{ block: rival }] }, record(votedFor(second), 0, rival));
        write(held, { kind: 'certified', blocks: [{ block: rival, qc: second.qc }] });
        expect(last()).toEqual([{ block: body, qc: second.qc }]);
        write(held, { kind: 'certified', blocks: [{ block: rival, qc: other(second.qc) }, { block: body }] });
        expect(last()).toEqual([{ block: body, qc: second.qc }]);
        expect(found(held.recover()).blocks).toEqual([]);
        write(held, { kind: 'certified', blocks: [{ block: first.block, qc: first.qc }] });
        expect(found(held.recover()).blocks).toEqual([first.block, body]);
        own.remove();
      }
    });

    it('finds the certificate of a block by its id in the lowest child that is held, where it has none of its own (CS-12)', () => {
      const [first, second] = chain(2);
      if (!first || !second) throw new Error('two blocks');
      const late = child(first, { round: 9 });
      const otherwise = { ...late.block, qc: { ...first.qc, signers: Uint8Array.of(0b0111) } };
      write(store, { kind: 'certified', blocks: [{ block: otherwise }, { block: first.block }] });
      expect(found(store.blockWithAncestors(first.id, 4))).toEqual([
        { block: first.block, qc: otherwise.qc },
      ]);
      write(store, { kind: 'certified', blocks: [{ block: second.block }] });
      expect(found(reopen().blockWithAncestors(first.id, 4))).toEqual([{ block: first.block, qc: first.qc }]);
      expect(found(store.blockWithAncestors(second.id, 4)), 'its ancestor alone').toEqual([
        { block: first.block, qc: first.qc },
      ]);
    });
  });

  describe(`${name}: batches`, () => {
    it('finds what is held, names what is missing, and keeps bytes to the last bit over a crash', () => {
      const [small, large, never] = [batch('small', 1), batch('large', 700_001), batch('never')];
      write(store, { kind: 'batches', batches: [small, large, small] });
      crash();
      expect(found(store.batches([large.digest, never.digest, small.digest]))).toEqual({
        batches: [large, small],
        missing: [never.digest],
      });
    });

    it('holds a batch anew that is given again where another stands in its place (ST-6)', () => {
      for (const [name, length] of [
        ['small', 300],
        ['large', 700_001],
      ] as const) {
        const [right, other] = [batch(name, length), batch(`other ${name}`, length)];
        const swapped = { digest: right.digest, bytes: other.bytes };
        write(store, { kind: 'batches', batches: [other, swapped] });
        expect(found(store.batches([right.digest])).batches).toEqual([swapped]);
        write(store, { kind: 'batches', batches: [right] });
        crash();
        expect(found(store.batches([right.digest, other.digest])).batches).toEqual([right, other]);
      }
    });

    it('forgets released batches, but none that a committed block names', () => {
      const [kept, gone, late] = [batch('kept'), batch('gone'), batch('late')];
      const block = child(undefined, { batches: [kept, late] });
      write(store, { kind: 'batches', batches: [kept, gone] }, commit(block));
      const digests = [kept, gone, late].map((entry) => entry.digest);
      write(store, { kind: 'batches', batches: [late] }, { kind: 'pruneBatches', digests });
      reopen();
      expect(found(store.batches(digests)).missing).toEqual([gone.digest]);
      expect(found(store.uncommittedBatches(1e9))).toEqual({ batches: [], more: false });
    });

    it('lists uncommitted batches by digest, in pages of bytes', () => {
      const batches = ['a', 'b', 'c', 'd'].map((name) => batch(name, 100));
      const sorted = batches.toSorted((left, right) => (left.digest < right.digest ? -1 : 1));
      write(store, { kind: 'batches', batches });
      expect(found(store.uncommittedBatches(250))).toEqual({ batches: sorted.slice(0, 2), more: true });
      expect(found(store.uncommittedBatches(1, sorted[1]?.digest))).toEqual({
        batches: sorted.slice(2, 3),
        more: true,
      });
      expect(found(store.uncommittedBatches(200, sorted[1]?.digest))).toEqual({
        batches: sorted.slice(2),
        more: false,
      });
    });
  });

  describe(`${name}: executions (ST-5)`, () => {
    it('keeps results and events by height and transactions by hash', () => {
      const [first, second] = chain(2);
      if (first === undefined || second === undefined) throw new Error('two blocks');
      const [one, two] = [execution(first, ['a', 'b']), execution(second, [])];
      write(store, commit(first, second), one, two);
      reopen();
      const expected = transaction('b', 1);
      expect(found(store.transaction(expected.hash))).toEqual({ height: 1, executed: expected });
      expect(found(store.transaction(digest('none')))).toBeUndefined();
      expect(found(store.execution(height(1)))).toMatchObject({
        executed: { height: 1, appHash: digest('app 1') },
        transactions: [transaction('a', 0), expected],
        events: [{ type: 'block', attributes: [] }],
      });
      expect(found(store.execution(height(3)))).toBeUndefined();
      expect(found(store.recover()).executed).toEqual({ height: 2, appHash: digest('app 2') });
    });

    it('takes the same outcome twice, and refuses another one, a gap, and what is not committed', () => {
      const [first, second, third] = chain(3);
      if (first === undefined || second === undefined || third === undefined) throw new Error('three blocks');
      write(store, commit(first, second, third), execution(first, ['a']));
      expect(codes(write(store, execution(first, ['a'])))).toEqual(['staged']);
      expect(codes(write(store, execution(first, ['a'], 'other app')))).toEqual(['VERSION_CONFLICT']);
      expect(codes(write(store, execution(third, [])))).toEqual(['VERSION_CONFLICT']);
      const rival = child(first, { salt: 'rival' });
      expect(codes(write(store, execution(rival, [])))).toEqual(['VERSION_CONFLICT']);
      expect(codes(write(store, execution(child(third), [])))).toEqual(['VERSION_CONFLICT']);
      expect(found(store.latest()).executed).toBe(1);
    });

    it('takes the genesis state once, at height 0', () => {
      const genesis = (appHash: string): StoreWrite => ({
        kind: 'execution',
        blockId: GENESIS_ID,
        executed: { height: height(0), appHash: digest(appHash) },
        transactions: [],
        events: [],
        validatorUpdates: [],
      });
      expect(codes(write(store, genesis('zero'), genesis('zero'), genesis('one')))).toEqual([
        'staged',
        'staged',
        'VERSION_CONFLICT',
      ]);
      expect(found(reopen().recover()).executed).toEqual({ height: 0, appHash: digest('zero') });
    });

    it('finds the execution of a transaction, not its duplicate in a later block', () => {
      const [first, second] = chain(2);
      if (first === undefined || second === undefined) throw new Error('two blocks');
      const again = { ...transaction('a', 0, 30) };
      write(store, commit(first, second), execution(first, ['a']), {
        kind: 'execution',
        blockId: second.id,
        executed: { height: height(2), appHash: digest('app 2') },
        transactions: [again],
        events: [],
        validatorUpdates: [],
      });
      expect(found(store.transaction(again.hash))?.height).toBe(1);
      expect(found(reopen().transaction(again.hash))?.height).toBe(1);
    });

    it('finds the newest execution of a transaction within heights', () => {
      const [first, second, third] = chain(3);
      if (first === undefined || second === undefined || third === undefined) throw new Error('three blocks');
      write(store, commit(first, second, third), execution(first, ['a']), execution(second, []));
      write(store, execution(third, ['a']));
      const { hash } = transaction('a', 0);
      const heightIn = (above: number, upTo: number) =>
        found(store.transaction(hash, { above: height(above), upTo: height(upTo) }))?.height;
      expect([heightIn(0, 3), heightIn(0, 2), heightIn(0, 1), heightIn(2, 9)]).toEqual([3, 1, 1, 3]);
      expect([heightIn(1, 2), heightIn(3, 9)]).toEqual([undefined, undefined]);
    });
  });

  describe(`${name}: what sync asks (SY-3, SY-6)`, () => {
    it('tells where the chain begins and ends, with the proof of the tip', () => {
      expect(found(store.tip())).toEqual({
        base: 0,
        height: 0,
        id: GENESIS_ID,
        executed: { height: 0, appHash: NO_APP_HASH },
      });
      const blocks = chain(3);
      const [first, , third] = blocks;
      if (first === undefined || third === undefined) throw new Error('three blocks');
      write(store, commit(...blocks), execution(first, []));
      expect(found(crash().tip())).toEqual({
        base: 1,
        height: 3,
        id: third.id,
        proof: committed(third).commitProof,
        executed: { height: 1, appHash: digest('app 1') },
      });
    });

    it('gives the ids of committed blocks by rising height, each once, and none that it does not hold', () => {
      const [first, second, third] = chain(3);
      if (first === undefined || second === undefined || third === undefined) throw new Error('three blocks');
      write(store, commit(first, second), {
        kind: 'certified',
        blocks: [{ block: third.block, qc: third.qc }],
      });
      expect(found(store.blockIds([3, 2, 0, 1, 2].map(height)))).toEqual([
        { height: 1, id: first.id },
        { height: 2, id: second.id },
      ]);
      expect(found(store.blockIds([]))).toEqual([]);
    });

    it('keeps what is known of peers to the last bit over a crash, each write in place of all before', () => {
      expect(found(store.reputations())).toEqual([]);
      const [one, two, three] = [1, 2, 3].map(reputation);
      if (!one || !two || !three) throw new Error('three reputations');
      const removed = { ...two, removedUntil: wallTime(1_700_000_000_123.75) };
      write(store, { kind: 'reputations', reputations: [three, one] });
      write(store, { kind: 'reputations', reputations: [removed, one] });
      expect(found(crash().reputations())).toEqual([one, removed]);
      store.stage([{ kind: 'reputations', reputations: [three] }]);
      expect(found(crash().reputations()), 'a crash before the sync').toEqual([one, removed]);
    });

    it('keeps 1,024 peers and the newest word on each', () => {
      const many = Array.from({ length: 1_030 }, (_, at) => reputation(at));
      write(store, { kind: 'reputations', reputations: many });
      expect(found(store.reputations())).toEqual(many.slice(0, 1_024));
      const again = { ...reputation(0), score: 0.125 };
      write(store, { kind: 'reputations', reputations: [reputation(0), again] });
      expect(found(store.reputations())).toEqual([again]);
    });
  });

  describeEpochs(name, makeDisk);
  describePlantedStore(name, makeDisk);

  it(`${name}: equals a model after any writes, refusals, crashes and restarts`, () => {
    fc.assert(
      fc.property(groupsOfWrites, (groups) => {
        const own = makeDisk();
        try {
          let live = own.open();
          let model: Model = emptyModel();
          for (const { writes, after } of groups) {
            const staged = live.stage(writes);
            if (staged.status === 'failed') throw new Error(staged.detail);
            const applied = applyToModel(model, writes);
            expect(codes(staged.outcomes)).toEqual(applied.codes);
            if (after === 'crash') {
              own.crash();
              live = own.open();
            } else {
              expect(live.sync().status).toBe('durable');
              model = applied.model;
              if (after === 'crashAfterSync') own.crash();
              if (after === 'restart') live.close();
              if (after !== 'goOn') live = own.open();
            }
            expectSame(live, model);
          }
        } finally {
          own.remove();
        }
      }),
      { numRuns: propertyRuns },
    );
  }, 120_000);
}

function vote0(made: MadeBlock) {
  const { lastVote } = votedFor(made);
  if (lastVote === undefined) throw new Error('a vote');
  return lastVote;
}

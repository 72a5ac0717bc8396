/** Each operation ends at most once, and none is told as expired that may still execute. BR-1, BR-2, EX-7. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { millis, monotonic } from '../../../src/base/units.ts';
import { type Handing, KEPT_BYTES_MAX } from '../../../src/protocol/bridge/handing.ts';
import {
  admit,
  batchesExpired,
  countRejected,
  type Ended,
  executed,
  findOperation,
  isKept,
  NO_OPERATIONS,
  type Operations,
  overdue,
  pendingOperations,
  placesTaken,
  release,
  reserve,
  withoutKept,
} from '../../../src/protocol/bridge/operations.ts';
import { height } from '../consensus/fixture.ts';
import { admitted, ended, idOfOperation, operation, plain, T0 } from './operations-of.ts';

const FAR = 1_000;
const HANDING: Handing = { to: [], times: 1, takenBy: [], since: T0, height: height(0) };
const handed = (transaction: Uint8Array) => ({ ...admitted(transaction), handing: HANDING });
const keptOf = (operations: Operations): number =>
  pendingOperations(operations)
    .filter(isKept)
    .reduce((sum, { operation: { byteLength } }) => sum + byteLength, 0);

/** Submitted and admitted at once. */
const holding = (...transactions: readonly Uint8Array[]): Operations =>
  admit(
    reserve(NO_OPERATIONS, transactions.length),
    transactions.length,
    transactions.map(admitted),
    FAR,
    T0,
  );

describe('a submission (BR-1)', () => {
  it('reserves its places until it is answered; then what was admitted holds them', () => {
    const asked = reserve(NO_OPERATIONS, 3);
    expect(placesTaken(asked)).toBe(3);
    const answered = admit(asked, 3, [admitted(plain('a')), admitted(plain('b'))], FAR, T0);
    expect([answered.reserved, placesTaken(answered)]).toEqual([0, 2]);
    expect(answered.counts).toEqual({ submitted: 3, committed: 0, expired: 0, rejected: 1, notKept: 0 });
    expect(findOperation(answered, idOfOperation(plain('a')))).toMatchObject({ expiresAtHeight: FAR });
  });

  it('that nothing is known of any more frees its places and holds none', () => {
    const released = release(reserve(NO_OPERATIONS, 3), 3, 1);
    expect([placesTaken(released), released.counts.rejected]).toEqual([0, 1]);
  });

  it('of an operation expires at the height that it names, not at one that this node believes', () => {
    const late = operation('late', FAR * 2);
    expect(pendingOperations(holding(late))).toMatchObject([{ expiresAtHeight: FAR * 2, namesHeight: true }]);
  });

  it('whose operation was executed before the answer came ends as committed, and is never told as expired', () => {
    const one = operation('one', 5);
    const early = new Set([idOfOperation(one)]);
    const answered = admit(reserve(NO_OPERATIONS, 1), 1, [admitted(one)], FAR, T0, early);
    expect(answered.pending.size).toBe(0);
    expect(answered.counts).toMatchObject({ committed: 1, rejected: 0 });
    expect(executed(answered, height(5), []).expired).toEqual([]);
  });
});

describe('the end of an operation (BR-1, EX-7)', () => {
  it.each(['fine', 'failed', 'duplicate'] as const)('is committed where its result is %s', (how) => {
    const one = operation('one', 9);
    const { operations, expired } = executed(holding(one), height(3), [ended(one, how)]);
    expect([operations.pending.size, operations.counts.committed, expired]).toEqual([0, 1, []]);
  });

  it('is expired where the node itself says so', () => {
    const one = operation('one', 9);
    const { operations, expired } = executed(holding(one), height(3), [ended(one, 'expired')]);
    expect([operations.pending.size, operations.counts.expired]).toEqual([0, 1]);
    expect(expired).toEqual([idOfOperation(one)]);
  });

  it('is none where it was withheld for coming too early: another batch may carry it until its height', () => {
    const one = operation('one', 90);
    const early = executed(holding(one), height(3), [ended(one, 'tooLate')]);
    expect([early.operations.pending.size, early.expired]).toEqual([1, []]);
    // A duplicate of what was never executed is no commit either.
    const again = executed(early.operations, height(4), [ended(one, 'duplicate')]);
    expect([again.operations.pending.size, again.operations.counts.committed]).toEqual([1, 0]);
    const inTime = executed(again.operations, height(80), [ended(one)]);
    expect([inTime.operations.pending.size, inTime.operations.counts.committed]).toEqual([0, 1]);
    const never = executed(again.operations, height(90), []);
    expect(never.expired).toEqual([idOfOperation(one)]);
  });

  it('comes with the block of the height that it names, not before: it may be in that very block', () => {
    const one = operation('one', 9);
    const before = executed(holding(one), height(8), []);
    expect([before.expired, before.operations.pending.size]).toEqual([[], 1]);
    const within = executed(before.operations, height(9), [ended(one)]);
    expect([within.expired, within.operations.counts.committed]).toEqual([[], 1]);
    const without = executed(before.operations, height(9), []);
    expect(without.expired).toEqual([idOfOperation(one)]);
  });

  it('of what names no height is told as expired by its batch alone', () => {
    const [one, named] = [plain('one'), operation('named', FAR)];
    const hashes = [one, named].map(idOfOperation);
    const { operations, expired } = batchesExpired(holding(one, named), hashes);
    expect(expired).toEqual([idOfOperation(one)]);
    expect(pendingOperations(operations)).toMatchObject([{ proposalId: idOfOperation(named) }]);
  });

  it('of what names no height, and whose batch nobody told of, is forgotten and not told: it may execute', () => {
    const { operations, expired, forgotten } = executed(holding(plain('one')), height(FAR), []);
    expect([operations.pending.size, expired, forgotten, operations.counts.expired]).toEqual([0, [], 1, 0]);
  });

  it('of what other validators have too is no expiry of a batch: it may be in one of theirs (BR-8)', () => {
    const one = plain('one');
    const both = [
      admit(holding(one), 0, [handed(one)], FAR, T0),
      admit(holding(), 0, [handed(one)], FAR, T0),
    ];
    for (const operations of [...both, admit(both[1] ?? NO_OPERATIONS, 0, [admitted(one)], FAR, T0)]) {
      expect(batchesExpired(operations, [idOfOperation(one)])).toEqual({
        operations,
        expired: [],
        forgotten: 0,
      });
    }
  });

  it('concerns what is pending alone', () => {
    const stranger = ended(plain('of another node'));
    const { operations, expired } = executed(holding(plain('mine')), height(1), [stranger]);
    expect([operations.counts.committed, expired]).toEqual([0, []]);
    expect(batchesExpired(NO_OPERATIONS, [stranger.hash]).expired).toEqual([]);
    expect(executed(NO_OPERATIONS, height(1), [stranger])).toMatchObject({ expired: [], forgotten: 0 });
  });
});

describe('what is kept to be handed over again (BR-8)', () => {
  it('is what validators have from this node; what the own mempool has is kept by that', () => {
    const operations = admit(holding(plain('own')), 0, [handed(plain('theirs'))], FAR, T0);
    expect(pendingOperations(operations).filter(isKept)).toMatchObject([{ operation: plain('theirs') }]);
    expect(operations.keptBytes).toBe(plain('theirs').byteLength);
    const taken = withoutKept(operations, ['own', 'theirs'].map(plain).map(idOfOperation));
    expect([taken.keptBytes, taken.pending.size, keptOf(taken)]).toEqual([0, 2, 0]);
  });

  it('is the operation alone, not the frame of many that it came in', () => {
    const frame = new Uint8Array(256 * 1_024);
    const came = frame.subarray(1_000, 1_010);
    const operations = admit(NO_OPERATIONS, 0, [handed(came)], FAR, T0);
    const [kept] = pendingOperations(operations).filter(isKept);
    expect([kept?.operation, kept?.operation.buffer.byteLength]).toEqual([new Uint8Array(10), 10]);
  });

  it('is bounded in bytes: what finds no room is pending all the same, is counted, and takes none', () => {
    const large = new Uint8Array(1_048_576);
    const [fits, one] = [KEPT_BYTES_MAX / large.byteLength, ['one more', 'and one'] as const];
    const names = [...Array.from({ length: fits }, (_, index) => `large ${index}`), ...one];
    const all = names.map((name) => ({
      id: idOfOperation(plain(name)),
      transaction: large,
      handing: HANDING,
    }));
    const full = admit(NO_OPERATIONS, 0, all, FAR, T0);
    expect([full.pending.size, full.keptBytes, full.counts.notKept]).toEqual([fits + 2, KEPT_BYTES_MAX, 2]);
    // Again, in its own room.
    const again = admit(full, 0, all.slice(0, 1), FAR, T0);
    expect([again.keptBytes, again.counts.notKept]).toEqual([KEPT_BYTES_MAX, 2]);
    const { operations } = executed(again, height(FAR), []);
    expect([operations.pending.size, operations.keptBytes]).toEqual([0, 0]);
  });
});

it('an operation is overdue above the timeout, and stays pending (BR-2)', () => {
  const held = holding(plain('one'));
  expect(overdue(held, monotonic(30_000), millis(30_000))).toBe(0);
  expect(overdue(held, monotonic(30_001), millis(30_000))).toBe(1);
  expect(held.pending.size).toBe(1);
});

it('what is refused at the door is counted, and takes no place', () => {
  const refused = countRejected(NO_OPERATIONS, 4);
  expect([refused.counts.rejected, placesTaken(refused)]).toEqual([4, 0]);
});

/** One of a few operations, so that the steps meet each other's. */
const TRANSACTIONS = Array.from({ length: 8 }, (_, index) =>
  index % 2 === 0 ? operation(`o${index}`, 3 + index) : plain(`t${index}`),
);
const some = fc.subarray(TRANSACTIONS, { minLength: 1 });
const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('reserve' as const), some }),
    fc.record({ kind: fc.constant('answer' as const), taken: fc.nat(8), isHanded: fc.boolean() }),
    fc.record({ kind: fc.constant('execute' as const), some: fc.subarray(TRANSACTIONS) }),
    fc.record({ kind: fc.constant('batches' as const), some }),
  ),
  { maxLength: 40 },
);

describe('whatever the order of answers, blocks and expired batches', () => {
  it('no operation ends oftener than it was admitted, no place leaks, none is negative', () => {
    fc.assert(
      fc.property(steps, (drawn) => {
        let operations = NO_OPERATIONS;
        let at = 0;
        const asked: (readonly Uint8Array[])[] = [];
        const [begun, told] = [new Map<string, number>(), new Map<string, number>()];
        const add = (to: Map<string, number>, id: string) => to.set(id, (to.get(id) ?? 0) + 1);
        let forgotten = 0;
        const take = (end: Ended): void => {
          operations = end.operations;
          forgotten += end.forgotten;
          for (const id of end.expired) add(told, id);
        };
        for (const step of drawn) {
          if (step.kind === 'reserve') {
            asked.push(step.some);
            operations = reserve(operations, step.some.length);
          } else if (step.kind === 'answer') {
            const question = asked.shift();
            if (question === undefined) continue;
            // As the mempool does: what is pending already is refused.
            const fresh = question
              .slice(0, step.taken)
              .filter((one) => findOperation(operations, idOfOperation(one)) === undefined);
            for (const one of fresh) add(begun, idOfOperation(one));
            operations = admit(
              operations,
              question.length,
              fresh.map(step.isHanded ? handed : admitted),
              at + 4,
              T0,
            );
          } else if (step.kind === 'execute') {
            at += 1;
            const before = operations.pending.size;
            const held = step.some.filter(
              (one) => findOperation(operations, idOfOperation(one)) !== undefined,
            );
            take(
              executed(
                operations,
                height(at),
                step.some.map((one) => ended(one)),
              ),
            );
            expect(operations.pending.size).toBeLessThanOrEqual(before - held.length);
          } else take(batchesExpired(operations, step.some.map(idOfOperation)));
          const waiting = asked.reduce((sum, { length }) => sum + length, 0);
          expect(operations.reserved).toBe(waiting);
          expect(operations.keptBytes).toBe(keptOf(operations));
          expect(placesTaken(operations)).toBe(waiting + operations.pending.size);
          const { submitted, committed, expired, rejected } = operations.counts;
          expect(submitted).toBe(
            operations.reserved + operations.pending.size + committed + expired + rejected + forgotten,
          );
          expect(
            Math.min(...[...pendingOperations(operations)].map((one) => one.expiresAtHeight)),
          ).toBeGreaterThanOrEqual(operations.earliestExpiry);
        }
        for (const [id, times] of told) expect(times).toBeLessThanOrEqual(begun.get(id) ?? 0);
      }),
      { numRuns: 300 },
    );
  });
});

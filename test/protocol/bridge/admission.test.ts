/** What is refused at the bridge's door. BR-2, EX-7. */
import { describe, expect, it } from 'vitest';
import { type Door, placesFor, queueFull, refusalOfHeight } from '../../../src/protocol/bridge/admission.ts';
import { admit, NO_OPERATIONS, reserve } from '../../../src/protocol/bridge/operations.ts';
import { height } from '../consensus/fixture.ts';
import { admitted, operation, plain, T0 } from './operations-of.ts';

const door = (change: Partial<Door> = {}): Door => ({
  operations: NO_OPERATIONS,
  queued: 0,
  maxPendingOperations: 4,
  committedHeight: height(100),
  deduplicationHeights: 50,
  ...change,
});

describe('places (BR-2)', () => {
  it('are what pending operations and unanswered submissions leave of the maximum', () => {
    const operations = reserve(admit(reserve(NO_OPERATIONS, 1), 1, [admitted(plain('a'))], 1_000, T0), 2);
    expect(placesFor(door({ operations }), 1)).toBe(1);
    expect(placesFor(door({ operations }), 9)).toBe(1);
    expect(placesFor(door({ operations: reserve(operations, 1) }), 9)).toBe(0);
    expect(placesFor(door({ queued: 3 }), 9)).toBe(1);
  });

  it('are never fewer than none', () => {
    expect(placesFor(door({ operations: reserve(NO_OPERATIONS, 9) }), 3)).toBe(0);
  });

  it('that are all taken are refused as the seed has it: Queue full', () => {
    expect(queueFull(door())).toEqual({
      code: 'QUEUE_FULL',
      log: 'Queue full: 4 operations are pending, no more are taken: try again later',
    });
  });
});

describe('the height that an operation names (EX-7)', () => {
  const codeOf = (expiresAt: number, given = door()): string | undefined =>
    refusalOfHeight(operation('o', expiresAt), given)?.code;

  it.each([
    [99, 'EXPIRES_TOO_SOON'],
    [100, 'EXPIRES_TOO_SOON'],
    [101, undefined],
    [150, undefined],
    [151, 'EXPIRES_TOO_LATE'],
  ])('%i at height 100, with duplicates known for 50, is %s', (expiresAt, code) => {
    expect(codeOf(expiresAt)).toBe(code);
  });

  it('is said with the numbers that decide', () => {
    expect(refusalOfHeight(operation('o', 100), door())?.log).toBe(
      'it was to execute by height 100, and height 100 is committed',
    );
    expect(refusalOfHeight(operation('o', 151), door())?.log).toBe(
      'it expires at height 151, at most 150 now',
    );
  });

  it('is left to the mempool where none is named', () => {
    expect(refusalOfHeight(plain('t'), door())).toBeUndefined();
  });
});

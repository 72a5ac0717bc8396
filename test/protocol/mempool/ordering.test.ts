import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { transactionHashOf } from '../../../src/protocol/chain/batch.ts';
import { inOrder } from '../../../src/protocol/mempool/ordering.ts';
import type { OpenTransaction } from '../../../src/protocol/mempool/state.ts';

const open = (position: number, priority: bigint, sender?: OpenTransaction['sender']): OpenTransaction => {
  const bytes = utf8(String(position));
  const rest = sender === undefined ? {} : { sender };
  return { submission: 1, position, hash: transactionHashOf(bytes), bytes, priority, ...rest };
};

/** Few priorities and sequences, so that there are ties and disorder. */
const some = fc
  .array(
    fc.record({
      priority: fc.bigInt({ min: -1n, max: 4n }),
      id: fc.option(fc.constantFrom('ada', 'bob', 'eve'), { nil: undefined }),
      sequence: fc.bigInt({ min: 0n, max: 6n }),
    }),
    { maxLength: 40 },
  )
  .map((all) =>
    all.map(({ priority, id, sequence }, index) =>
      open(index, priority, id === undefined ? undefined : { id, sequence }),
    ),
  );

/** Takes the best of all that are next of their senders, until nothing is left. */
function oneByOne(all: readonly OpenTransaction[]): readonly OpenTransaction[] {
  const left = [...all];
  const isNext = ({ sender, position }: OpenTransaction) =>
    sender === undefined ||
    left.every((other) => {
      if (other.sender?.id !== sender.id) return true;
      if (other.sender.sequence !== sender.sequence) return other.sender.sequence > sender.sequence;
      return other.position >= position;
    });
  const taken: OpenTransaction[] = [];
  while (left.length > 0) {
    const [best] = left
      .filter(isNext)
      .sort((one, other) => Number(other.priority - one.priority) || one.position - other.position);
    if (best === undefined) throw new Error('somebody is always next');
    left.splice(left.indexOf(best), 1);
    taken.push(best);
  }
  return taken;
}

describe('the order of open transactions (MP-4)', () => {
  it('is that of taking the best of all that are next of their senders, again and again', () => {
    fc.assert(
      fc.property(some, (all) => {
        expect(inOrder(all).map(({ position }) => position)).toEqual(
          oneByOne(all).map(({ position }) => position),
        );
      }),
      { numRuns: 1_000 },
    );
  });

  it('never puts a sender’s later transaction before an earlier one, whatever it pays', () => {
    fc.assert(
      fc.property(some, (all) => {
        const last = new Map<string, bigint>();
        for (const { sender } of inOrder(all)) {
          if (sender === undefined) continue;
          expect(sender.sequence >= (last.get(sender.id) ?? -1n)).toBe(true);
          last.set(sender.id, sender.sequence);
        }
        expect(new Set(inOrder(all))).toEqual(new Set(all));
      }),
      { numRuns: 1_000 },
    );
  });

  it('is that of arrival where nobody is named and nobody pays more', () => {
    const all = [open(0, 3n), open(1, 3n), open(2, 3n)];
    expect(inOrder(all)).toBe(all);
  });

  it('is found at once for 50,000 of one sender that came in reverse', () => {
    const all = Array.from({ length: 50_000 }, (_, index) =>
      open(index, BigInt(index % 97), { id: 'ada', sequence: BigInt(50_000 - index) }),
    );
    expect(inOrder(all).map(({ position }) => position)).toEqual(all.map((_, index) => 49_999 - index));
  });
});

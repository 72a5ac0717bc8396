import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type HeapTimer, TimerHeap } from '../../src/base/timer-heap.ts';

describe('timer heap', () => {
  it('gives timers by (due, sequence) after any pushes and removals (RT-14)', () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ push: fc.nat({ max: 20 }) }) },
      fc.record({ remove: fc.nat() }),
      fc.constant('pop' as const),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const heap = new TimerHeap<HeapTimer>();
        let model: HeapTimer[] = [];
        const sorted = (): HeapTimer[] =>
          model.toSorted((left, right) => left.due - right.due || left.sequence - right.sequence);
        steps.forEach((name, sequence) => {
          if (name === 'pop') {
            const [first] = sorted();
            expect(heap.pop()).toBe(first);
            model = model.filter((timer) => timer !== first);
          } else if ('push' in name) {
            const timer = { due: name.push, sequence, index: -1 };
            heap.push(timer);
            model.push(timer);
          } else {
            const timer = model[name.remove % Math.max(1, model.length)];
            if (timer === undefined) return;
            expect(heap.remove(timer)).toBe(true);
            expect(heap.remove(timer)).toBe(false);
            model = model.filter((other) => other !== timer);
          }
          expect(heap.size).toBe(model.length);
          expect(heap.peek()).toBe(sorted()[0]);
        });
        const rest = sorted();
        expect(rest.map(() => heap.pop())).toEqual(rest);
      }),
    );
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RingBuffer } from '../../src/base/ring-buffer.ts';

type Operation = 'push' | 'unshift' | 'shift' | 'pop' | 'drop odd';

describe('ring buffer', () => {
  it('behaves as an array does', () => {
    const operation = fc.constantFrom<Operation>(
      'push',
      'push',
      'push',
      'unshift',
      'shift',
      'pop',
      'drop odd',
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 300 }), (operations) => {
        const ring = new RingBuffer<number>();
        let model: number[] = [];
        operations.forEach((name, value) => {
          if (name === 'push') {
            ring.push(value);
            model.push(value);
          } else if (name === 'unshift') {
            ring.unshift(value);
            model.unshift(value);
          } else if (name === 'shift') expect(ring.shift()).toBe(model.shift());
          else if (name === 'pop') expect(ring.pop()).toBe(model.pop());
          else {
            expect(ring.retain((item) => item % 2 === 0)).toEqual(model.filter((item) => item % 2 !== 0));
            model = model.filter((item) => item % 2 === 0);
          }
          expect([...ring]).toEqual(model);
          expect(ring.length).toBe(model.length);
          expect(ring.peek()).toBe(model[0]);
          expect(ring.at(model.length - 1)).toBe(model.at(-1));
          expect(ring.at(model.length)).toBeUndefined();
        });
      }),
    );
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { monotonic } from '../../../src/base/units.ts';
import { bucketOf, NO_CLIENTS, withBucket } from '../../../src/protocol/mempool/clients.ts';

describe('clients that the mempool knows (MP-1)', () => {
  it('are at most as many as may be, never fewer than the half that asked last, and each with its newest bucket', () => {
    const names = fc.array(fc.integer({ min: 0, max: 12 }).map(String), { maxLength: 60 });
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 8 }), names, (most, asked) => {
        let clients = NO_CLIENTS;
        const newest = new Map<string, number>();
        asked.forEach((name, tokens) => {
          clients = withBucket(clients, name, { tokens, at: monotonic(tokens) }, most);
          newest.delete(name);
          newest.set(name, tokens);
          expect(clients.young.size + clients.old.size).toBeLessThanOrEqual(most);
          const last = [...newest.keys()].slice(-Math.floor(most / 2));
          for (const each of last) expect(bucketOf(clients, each)?.tokens).toBe(newest.get(each));
          for (const [each, held] of newest)
            expect([undefined, held]).toContain(bucketOf(clients, each)?.tokens);
        });
      }),
    );
  });
});

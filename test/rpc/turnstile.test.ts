/** Calls take turns with everything else on the event loop. */
import { describe, expect, it } from 'vitest';
import { Turnstile } from '../../src/rpc/turnstile.ts';

/** Keeps the event loop busy. @unit ms */
function work(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

describe('a turnstile', () => {
  it('begins calls in their order, and gives what each gives', async () => {
    const turnstile = new Turnstile(10);
    const begun: number[] = [];
    const results = [1, 2, 3].map((call) =>
      turnstile.enter(async () => {
        begun.push(call);
        return call * 10;
      }),
    );
    expect(begun).toEqual([]);
    expect(await Promise.all(results)).toEqual([10, 20, 30]);
    expect([begun, turnstile.waiting]).toEqual([[1, 2, 3], 0]);
  });

  it('lets others in between calls that take long together', async () => {
    const turnstile = new Turnstile(100);
    let ended = 0;
    const calls = Array.from({ length: 20 }, () =>
      turnstile.enter(async () => {
        work(3);
        ended += 1;
      }),
    );
    const seen: number[] = [];
    const look = (): void => {
      seen.push(ended);
      if (ended < calls.length) setImmediate(look);
    };
    setImmediate(look);
    await Promise.all(calls);
    const steps = seen.map((count, index) => count - (seen[index - 1] ?? 0));
    // 5 ms, and the call under way: two of 3 ms.
    expect(Math.max(...steps)).toBeLessThanOrEqual(2);
  });

  it('takes no more than may wait, and takes again afterwards', async () => {
    const turnstile = new Turnstile(2);
    const first = [1, 2].map((call) => turnstile.enter(async () => call));
    expect(turnstile.enter(async () => 3)).toBeUndefined();
    await Promise.all(first);
    expect(await turnstile.enter(async () => 4)).toBe(4);
  });

  it('goes on after a call that fails', async () => {
    const turnstile = new Turnstile(2);
    const failing = turnstile.enter(() => Promise.reject(new Error('it fails')));
    const next = turnstile.enter(async () => 'next');
    await expect(failing).rejects.toThrow('it fails');
    expect(await next).toBe('next');
  });
});

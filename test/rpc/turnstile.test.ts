/** Calls take turns with everything else on the event loop, and none waits longer than is said. Rule BR-2. */
import { describe, expect, it } from 'vitest';
import { millis } from '../../src/base/units.ts';
import { type TurnedAway, Turnstile, type TurnstileBounds } from '../../src/rpc/turnstile.ts';

/** Keeps the event loop busy. @unit ms */
function work(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

const turnstileOf = (bounds: Partial<TurnstileBounds> = {}): Turnstile =>
  new Turnstile({ callsMax: 100, callsPerClientMax: 100, waitMax: millis(10_000), ...bounds });

/** What became of a call: it began, or why it did not. */
const enter = async (turnstile: Turnstile, begin: () => Promise<void>, client = 'one') => {
  let end: TurnedAway | 'answered' = 'answered';
  const turnAway = (why: TurnedAway): void => {
    end = why;
  };
  await turnstile.enter(client, { begin, turnAway });
  return end;
};
const nothing = async (): Promise<void> => undefined;

describe('a turnstile', () => {
  it('begins calls in their order, and not at once', async () => {
    const turnstile = turnstileOf();
    const begun: number[] = [];
    const calls = [1, 2, 3].map((call) => enter(turnstile, async () => void begun.push(call)));
    expect([begun, turnstile.underWay]).toEqual([[], 3]);
    expect(await Promise.all(calls)).toEqual(['answered', 'answered', 'answered']);
    expect([begun, turnstile.underWay]).toEqual([[1, 2, 3], 0]);
  });

  it('lets others in between calls that take long together', async () => {
    const turnstile = turnstileOf();
    let ended = 0;
    const calls = Array.from({ length: 20 }, () =>
      enter(turnstile, async () => {
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

  it('goes on after a call that fails, and gives its place back', async () => {
    const turnstile = turnstileOf({ callsMax: 2 });
    const failing = enter(turnstile, () => Promise.reject(new Error('it fails')));
    const next = enter(turnstile, nothing);
    await expect(failing).rejects.toThrow('it fails');
    expect([await next, turnstile.underWay]).toEqual(['answered', 0]);
  });
});

describe('clients that wait (BR-2)', () => {
  it('get their turns one after the other: a hundred calls of one let the next one in after the first', async () => {
    const turnstile = turnstileOf({ callsMax: 200, waitMax: millis(60) });
    const greedy = Array.from({ length: 100 }, () => enter(turnstile, async () => work(6), 'greedy'));
    expect(await enter(turnstile, nothing, 'modest')).toBe('answered');
    expect(await Promise.all(greedy)).toContain('late');
  });

  it('get turns for each part of a call: others come in between, and it is not turned away half done', async () => {
    const turnstile = turnstileOf({ waitMax: millis(40) });
    let done = 0;
    let turns = 0;
    const count = (): void => {
      turns += 1;
      if (turnstile.underWay > 0) setImmediate(count);
    };
    setImmediate(count);
    const end = await enter(turnstile, async () => {
      const parts = Array.from({ length: 20 }, () =>
        turnstile.part('one', async () => {
          work(6);
          done += 1;
        }),
      );
      await Promise.all(parts);
    });
    expect([end, done]).toEqual(['answered', 20]);
    expect(turns).toBeGreaterThanOrEqual(20);
  });

  it('hear of a part that fails', async () => {
    const failing = turnstileOf().part('one', () => Promise.reject(new Error('it fails')));
    await expect(failing).rejects.toThrow('it fails');
  });
});

describe('calls under way (BR-2)', () => {
  it('are bounded until they are answered, not only until they begin; then there is room again', async () => {
    const turnstile = turnstileOf({ callsMax: 2 });
    const { promise, resolve } = Promise.withResolvers<void>();
    const first = [1, 2].map(() => enter(turnstile, () => promise));
    await new Promise((turn) => setTimeout(turn, 20));
    expect(await enter(turnstile, nothing)).toBe('full');
    resolve();
    expect(await Promise.all(first)).toEqual(['answered', 'answered']);
    expect(await enter(turnstile, nothing)).toBe('answered');
  });

  it('of one client leave room to the others', async () => {
    const turnstile = turnstileOf({ callsMax: 3, callsPerClientMax: 2 });
    const { promise, resolve } = Promise.withResolvers<void>();
    const greedy = [1, 2].map(() => enter(turnstile, () => promise, 'greedy'));
    expect(await enter(turnstile, nothing, 'greedy')).toBe('share');
    expect(await enter(turnstile, nothing, 'modest')).toBe('answered');
    resolve();
    await Promise.all(greedy);
    expect(await enter(turnstile, nothing, 'greedy')).toBe('answered');
  });
});

describe('a call that waited too long for its turn (BR-2)', () => {
  it('is turned away in its order, and those that did not wait so long begin', async () => {
    const turnstile = turnstileOf({ waitMax: millis(40) });
    const ends: string[] = [];
    const call = (name: string, ms: number) =>
      enter(turnstile, async () => work(ms)).then((end) => ends.push(`${name} ${end}`));
    const calls = [call('first', 60), call('second', 60), call('third', 0)];
    // While the first is at work, more come: they have not waited yet.
    setImmediate(() => calls.push(call('young', 0)));
    await new Promise((resolve) => setTimeout(resolve, 150));
    await Promise.all(calls);
    expect(ends.toSorted()).toEqual(['first answered', 'second late', 'third late', 'young answered']);
  });

  it('costs the others no more of a turn than a call: however many are late, they are turned away over many turns', async () => {
    const turnstile = turnstileOf({ waitMax: millis(1) });
    let turn = 0;
    const count = (): void => {
      turn += 1;
      if (turnstile.underWay > 0) setImmediate(count);
    };
    const leftIn: number[] = [];
    const turnAway = (): void => {
      work(3);
      leftIn.push(turn);
    };
    const calls = Array.from({ length: 10 }, () => turnstile.enter('one', { begin: nothing, turnAway }));
    work(5);
    setImmediate(count);
    await Promise.all(calls);
    expect(leftIn).toHaveLength(10);
    // 5 ms, and the one under way: two of 3 ms.
    for (const each of leftIn) expect(leftIn.filter((other) => other === each).length).toBeLessThanOrEqual(2);
  });
});

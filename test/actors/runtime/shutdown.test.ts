import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { setup } from 'xstate';
import { child, handler, millis, perform, supervisor, types } from '../../../src/actors/runtime/index.ts';
import { puppet, rig } from './harness.ts';

describe('a shutdown', () => {
  const stubborn = (stopMs: number) =>
    handler<null, { type: 'none' }>({
      init: () => null,
      receive: () => undefined,
      terminate: (context) =>
        new Promise((resolve) => {
          clockOf.get(context.self)?.(stopMs, resolve);
        }),
    });
  const clockOf = new Map<string, (ms: number, done: () => void) => void>();

  it('ends within the sum of the shutdown times, also in the middle of a restart (RT-17, RT-3)', async () => {
    const times = fc.array(
      fc.record({
        needs: fc.nat({ max: 60 }),
        grace: fc.oneof(fc.integer({ min: 1, max: 60 }), fc.constant('brutal_kill' as const)),
      }),
      { minLength: 1, maxLength: 4 },
    );
    await fc.assert(
      fc.asyncProperty(times, fc.nat({ max: 3 }), fc.nat({ max: 80 }), async (list, failing, wait) => {
        const children = list.map(({ needs, grace }, index) =>
          child(`c${index}`, stubborn(needs), { shutdown: grace === 'brutal_kill' ? grace : millis(grace) }),
        );
        const puppets = [child('p', puppet)];
        const strategy = 'one_for_all';
        const { clock, system, log } = rig(
          child('top', supervisor({ strategy, intensity: 9, children: [...puppets, ...children] })),
        );
        for (const { id } of children) clockOf.set(`top/${id}`, (ms, done) => void clock.schedule(ms, done));
        if (failing > 0) system.ref('top/p').tell({ type: 'throw' });
        await clock.advanceAsync(wait);
        const from = clock.now();
        let ended = -1;
        const stopped = system.stop().then(() => {
          ended = clock.now();
        });
        const most = list.reduce(
          (sum, { needs, grace }) => sum + (grace === 'brutal_kill' ? 0 : Math.min(needs, grace)),
          0,
        );
        for (let step = 0; step <= most && ended < 0; step += 1) await clock.advanceAsync(1);
        await stopped;
        // The end is seen at most one step late.
        expect(ended - from).toBeLessThanOrEqual(most + 1);
        expect(system.cells()).toEqual([]);
        expect(log.at(-1)).toBe('-top shutdown');
        if (failing === 0) {
          const ends = log.filter((line) => line.startsWith('-top/c')).map((line) => line.split(' ')[0]);
          expect(ends).toEqual(children.map(({ id }) => `-top/${id}`).reverse());
          list.forEach(({ needs, grace }, index) => {
            const killed = grace === 'brutal_kill' || needs > grace;
            if (needs !== grace) expect(log).toContain(`-top/c${index} ${killed ? 'killed' : 'shutdown'}`);
          });
        }
      }),
      { numRuns: 25 },
    );
  });

  it('of a chart stops what it spawned, in reverse, and kills what does not stop in time (RT-3)', async () => {
    const hanging = handler<null, { type: 'none' }>({
      init: () => null,
      receive: () => undefined,
      terminate: () => new Promise(() => undefined),
    });
    const parent = setup({
      types: types<object, { readonly type: 'none' }>(),
      actors: { hanging, puppet },
      actions: {
        start: perform(
          ['a', 'b', 'c'].map((id) => ({
            kind: 'spawn' as const,
            logic: id === 'b' ? 'hanging' : 'puppet',
            id,
          })),
        ),
      },
    }).createMachine({ context: {}, entry: 'start' });
    const { clock, system, log } = rig(
      child('top', supervisor({ children: [child('p', parent, { shutdown: 'infinity' })] })),
    );
    await clock.advanceAsync(1);
    const from = clock.now();
    const stopped = system.stop();
    await clock.advanceAsync(4_999);
    expect(log.slice(-2)).toEqual(['-top/p/c shutdown', '-top/p/a shutdown']);
    await clock.advanceAsync(1);
    await stopped;
    expect(clock.now() - from).toBe(5_000);
    expect(log.slice(-3)).toEqual(['-top/p/b killed', '-top/p shutdown', '-top shutdown']);
  });

  it('kills by detaching: signal aborted, timers gone, late completions ignored (RT-3)', async () => {
    const seen: string[] = [];
    const hanging = handler<null, { type: 'none' }>({
      init({ signal, startTimer }) {
        signal.addEventListener('abort', () => seen.push('aborted'));
        startTimer('t', 10, { type: 'none' });
        return null;
      },
      receive: () => void seen.push('received'),
      terminate: () => new Promise(() => undefined),
    });
    const tree = supervisor({ children: [child('h', hanging, { shutdown: millis(5) })] });
    const { clock, system, log } = rig(child('top', tree));
    const stopped = system.stop();
    await clock.advanceAsync(100);
    await stopped;
    expect(log.slice(-2)).toEqual(['-top/h killed', '-top shutdown']);
    expect(seen).toEqual(['aborted']);
    expect(clock.nextDue()).toBeUndefined();
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  child,
  createSystem,
  declare,
  handler,
  seededRandom,
  supervisor,
  virtualClock,
} from '../../../src/actors/runtime/index.ts';
import { contextAt, type PuppetEvent, puppet, rig } from './harness.ts';

const publicEvents = declare<Extract<PuppetEvent, { type: 'note' | 'go' }>>()('note', 'go');

describe('the public events of a cell', () => {
  it('are all that the outside can deliver; xstate.*, cell.* and * never pass (RT-16)', () => {
    const forged = fc.oneof(
      fc.string(),
      fc.constantFrom(
        '*',
        '',
        'later',
        'throw',
        'xstate.stop',
        'xstate.init',
        'xstate.error.actor.x',
        'cell.down',
        'cell.stop',
        '__proto__',
      ),
      fc.string().map((rest) => `xstate.${rest}`),
    );
    const tree = supervisor({ children: [child('w', puppet, { publicEvents })] });
    const { clock, system, dead } = rig(child('top', tree));
    const ref = system.ref('top/w');
    fc.assert(
      fc.property(forged, (type) => {
        fc.pre(type !== 'note' && type !== 'go');
        const before = dead.length;
        expect(ref.tell({ type, value: 1, effects: [] })).toBe('dropped');
        clock.settle();
        const isReserved =
          type.startsWith('xstate.') || type.startsWith('cell.') || type === '*' || type === '';
        expect(dead.slice(before)).toMatchObject([
          { reason: isReserved ? 'event_reserved' : 'event_not_public' },
        ]);
      }),
    );
    expect(ref.info()).toMatchObject({ status: 'running', counters: { accepted: 0, processed: 0 } });
    expect(ref.tell({ type: 'note', value: 5 })).toBe('accepted');
    clock.settle();
    expect(contextAt(system, 'top/w').notes).toEqual([5]);
  });

  it('are those that the chart names, when none are declared (RT-16)', () => {
    const { clock, system } = rig(child('w', puppet));
    expect(system.ref('w').tell({ type: 'later', value: 1 })).toBe('accepted');
    expect(system.ref('w').tell({ type: 'unnamed' })).toBe('dropped');
    clock.settle();
    expect(contextAt(system, 'w').others).toEqual([]);
  });

  it('bind boundary actors as they bind the outside, and not other charts (RT-16)', () => {
    const peer = handler<null, { type: 'say' }>({
      init: () => null,
      receive: (_message, { tell }) => void tell('top/w', { type: 'throw' }),
    });
    const tree = supervisor({
      children: [child('w', puppet, { publicEvents }), child('p', peer), child('c', puppet)],
    });
    const { clock, system, dead, log } = rig(child('top', tree));
    system.ref('top/p').tell({ type: 'say' });
    clock.settle();
    expect(dead).toMatchObject([{ reason: 'event_not_public', from: 'top/p' }]);
    system.ref('top/c').tell({
      type: 'do',
      effects: [{ kind: 'tell', to: 'top/w', message: { type: 'later', value: 3 } }],
    });
    clock.settle();
    expect(system.ref('top/w').info()?.counters.postponed).toBe(1);
    expect(log).not.toContain('-top/w crash');
  });

  it('leave the heap flat over a million unknown types (RT-16)', () => {
    const clock = virtualClock();
    const system = createSystem({ name: 'flood', clock, random: seededRandom(1) });
    system.start(child('top', supervisor({ children: [child('w', puppet)] })));
    clock.settle();
    const quiet = system.ref('top/w');
    const flood = (from: number, count: number): void => {
      for (let index = from; index < from + count; index += 1) quiet.tell({ type: `unknown.${index}` });
    };
    const heap = (): number => {
      globalThis.gc?.();
      return process.memoryUsage().heapUsed;
    };
    flood(0, 10_000);
    const before = heap();
    flood(10_000, 1_000_000);
    // Each leaked type would hold some 230 bytes: 230 MB in all.
    expect(heap() - before).toBeLessThan(60_000_000);
    expect(system.deadLetters.recent()).toHaveLength(64);
  });
});

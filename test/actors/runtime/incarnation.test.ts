import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { setup } from 'xstate';
import {
  child,
  type Effect,
  handler,
  perform,
  supervisor,
  types,
} from '../../../src/actors/runtime/index.ts';
import { contextAt, endPuppet, puppet, rig } from './harness.ts';

const intensity = 1_000;

describe('a restart', () => {
  it('keeps the address and the queued mailbox, and loses only the message that crashed it (RT-6)', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 30 }), (crashes) => {
        const tree = supervisor({ intensity, children: [child('w', puppet)] });
        const { clock, system, dead } = rig(child('top', tree));
        const ref = system.ref('top/w');
        const first = ref.info()?.incarnation ?? 0;
        crashes.forEach((isCrash, value) => {
          ref.tell(isCrash ? { type: 'throw' } : { type: 'note', value });
        });
        clock.settle();
        const last = crashes.lastIndexOf(true);
        const since = crashes.map((_, value) => value).slice(last + 1);
        expect(contextAt(system, 'top/w').notes).toEqual(since);
        expect(dead.map(({ reason }) => reason)).toEqual(crashes.filter(Boolean).map(() => 'poison'));
        const now = ref.info();
        expect(now?.restarts).toBe(dead.length);
        expect((now?.incarnation ?? 0) > first).toBe(dead.length > 0);
        expect(now?.counters.processed).toBe(crashes.length - dead.length);
      }),
    );
  });

  it('brings back what was postponed, before what is queued (RT-6, RT-13)', () => {
    const { clock, system } = rig(child('top', supervisor({ intensity, children: [child('w', puppet)] })));
    const seen: unknown[] = [];
    const ref = system.ref('top/w');
    ref.tell({ type: 'later', value: 1 });
    ref.tell({ type: 'later', value: 2 });
    clock.settle();
    system.inspect({ transition: ({ event, address }) => void (address === 'top/w' && seen.push(event)) });
    ref.tell({ type: 'throw' });
    ref.tell({ type: 'note', value: 3 });
    clock.settle();
    expect(seen).toEqual([
      { type: 'xstate.init' },
      { type: 'later', value: 1 },
      { type: 'later', value: 2 },
      { type: 'note', value: 3 },
    ]);
  });

  it('ends the timers, and those that had fired are dead letters (RT-6)', () => {
    const { clock, system, dead } = rig(
      child('top', supervisor({ intensity, children: [child('w', puppet)] })),
    );
    const ref = system.ref('top/w');
    const arm = (key: string, delayMs: number, value: number): Effect => ({
      kind: 'startTimer',
      key,
      delayMs,
      message: { type: 'note', value },
    });
    // Both timers fire before the cell has its turn; the first one crashes it, the second is stale.
    ref.tell({
      type: 'do',
      effects: [
        { kind: 'startTimer', key: 'bomb', delayMs: 0, message: { type: 'throw' } },
        arm('k', 0, 1),
        arm('long', 10, 2),
      ],
    });
    clock.advance(100);
    expect(contextAt(system, 'top/w').notes).toEqual([]);
    expect(dead.map(({ reason }) => reason)).toContain('poison');
    expect(ref.info()?.timers).toEqual([]);
  });

  it('does not get the replies that its earlier incarnation asked for (RT-6)', () => {
    const tree = supervisor({ intensity, children: [child('a', puppet), child('b', puppet)] });
    const { clock, system, dead } = rig(child('top', tree));
    // a asks b; before b answers, a has crashed and is new.
    const question = {
      type: 'do',
      effects: [{ kind: 'reply', message: { type: 'note', value: 7 } }],
    } as const;
    system.ref('top/a').tell({
      type: 'do',
      effects: [
        { kind: 'tell', to: 'top/b', message: question },
        { kind: 'exit', reason: { kind: 'crash', error: 'x' } },
      ],
    });
    clock.settle();
    expect(contextAt(system, 'top/a').notes).toEqual([]);
    expect(dead.filter(({ reason, to }) => reason === 'stale' && to === 'top/a')).toHaveLength(1);
  });

  it('ignores what an ended boundary actor still says (RT-6)', async () => {
    const late = handler<null, { type: 'die' }>({
      init: () => null,
      receive(_message, { exit, tell }) {
        setImmediate(() => tell('top/w', { type: 'note', value: 1 }));
        exit({ kind: 'crash', error: 'x' });
      },
    });
    const tree = supervisor({ intensity, children: [child('w', puppet), child('late', late)] });
    const { clock, system, dead } = rig(child('top', tree));
    system.ref('top/late').tell({ type: 'die' });
    await clock.advanceAsync(1);
    expect(contextAt(system, 'top/w').notes).toEqual([]);
    expect(dead).toMatchObject([{ reason: 'stale', to: 'top/w', from: 'top/late' }]);
  });

  it('arms what the new initial state arms, from the time of the restart (RT-6)', () => {
    const { clock, system } = rig(
      child('top', supervisor({ intensity, children: [child('w', timedPuppet)] })),
    );
    clock.advance(60);
    endPuppet(system, 'top/w', { kind: 'crash', error: 'x' });
    clock.advance(99);
    expect(system.ref('top/w').info()?.snapshot).toMatchObject({ value: 'waiting' });
    clock.advance(1);
    expect(system.ref('top/w').info()?.snapshot).toMatchObject({ value: 'done' });
  });
});

const timedPuppet = setup({
  types: types<object, { readonly type: 'do'; readonly effects: readonly Effect[] }>(),
  actions: { obey: perform(({ event }) => event.effects) },
}).createMachine({
  id: 'timed',
  on: { do: { actions: 'obey' } },
  initial: 'waiting',
  states: { waiting: { after: { 100: 'done' } }, done: {} },
});

describe('a death watch', () => {
  it('gives exactly one down for each watch, of the dead too (RT-10)', () => {
    const action = fc.oneof(
      fc.constantFrom('watch', 'watch', 'unwatch', 'crash target', 'crash watcher', 'settle'),
      fc.constant('watch nobody' as const),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        const tree = supervisor({ intensity, children: [child('w', puppet), child('t', puppet)] });
        const { clock, system } = rig(child('top', tree));
        const ref = system.ref('top/w');
        const say = (effect: Effect): void => {
          ref.tell({ type: 'do', effects: [effect] });
          clock.settle();
        };
        let armed = false;
        let expected = 0;
        for (const name of actions) {
          if (name === 'watch') {
            say({ kind: 'watch', address: 'top/t' });
            armed = true;
          } else if (name === 'watch nobody') {
            say({ kind: 'watch', address: 'top/nobody' });
            expected += 1;
          } else if (name === 'unwatch') {
            say({ kind: 'unwatch', address: 'top/t' });
            armed = false;
          } else if (name === 'crash target') {
            endPuppet(system, 'top/t', { kind: 'crash', error: 'x' });
            clock.settle();
            expected += armed ? 1 : 0;
            armed = false;
          } else if (name === 'crash watcher') {
            endPuppet(system, 'top/w', { kind: 'crash', error: 'x' });
            clock.settle();
            // The new incarnation watches nobody, and remembers nothing.
            armed = false;
            expected = 0;
          } else clock.settle();
          const downs = contextAt(system, 'top/w').others.filter(({ type }) => type === 'cell.down');
          expect(downs).toHaveLength(expected);
        }
      }),
    );
  });

  it('gives a parent one down for each child that it spawned, with the reason (RT-10)', () => {
    const { clock, system } = rig(child('w', puppet));
    const ref = system.ref('w');
    ref.tell({ type: 'do', effects: [{ kind: 'spawn', logic: 'idle', id: 'x' }] });
    clock.settle();
    expect(system.ref('w/x').info()).toMatchObject({ status: 'running', parent: 'w' });
    ref.tell({ type: 'do', effects: [{ kind: 'stop', id: 'x' }] });
    clock.settle();
    expect(system.ref('w/x').info()).toBeUndefined();
    expect(contextAt(system, 'w').others).toEqual([
      { type: 'cell.down', address: 'w/x', reason: { kind: 'shutdown' } },
    ]);
  });

  it('drops a down that is queued when its watch is taken back (RT-10)', () => {
    const { clock, system, dead } = rig(
      child('top', supervisor({ intensity, children: [child('w', puppet)] })),
    );
    system.ref('top/w').tell({
      type: 'do',
      effects: [
        { kind: 'watch', address: 'nobody' },
        { kind: 'unwatch', address: 'nobody' },
      ],
    });
    clock.settle();
    expect(contextAt(system, 'top/w').others).toEqual([]);
    expect(dead).toMatchObject([{ reason: 'cancelled', message: { type: 'cell.down' } }]);
  });
});

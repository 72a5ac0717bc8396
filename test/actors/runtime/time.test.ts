import { connect, createServer } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { raise, setup } from 'xstate';
import {
  child,
  clockFrom,
  createSystem,
  type DeadLetter,
  type Effect,
  type Keyframe,
  type Message,
  realClock,
  restoreSystem,
  seededRandom,
  step,
  types,
  virtualClock,
} from '../../../src/actors/runtime/index.ts';
import { contextAt, puppet, rig } from './harness.ts';

/** Each note starts the next timer: chains of timers whose times can be summed. */
const ticker = setup({
  types: types<{ readonly times: readonly number[] }, { readonly type: 'tick'; readonly every: number }>(),
  actions: {
    tick: step(({ context, event, now }) => ({
      context: { times: [...context.times, now] },
      effects: [{ kind: 'startTimer', key: `every ${event.every}`, delayMs: event.every, message: event }],
    })),
  },
}).createMachine({ id: 'ticker', context: { times: [] }, on: { tick: { actions: 'tick' } } });

describe('virtual time', () => {
  it('advance(a + b) equals advance(a) then advance(b), and timers fire at exact deadlines (RT-14)', () => {
    const periods = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(periods, fc.array(fc.nat({ max: 20 }), { maxLength: 8 }), (every, parts) => {
        const run = (steps: readonly number[]): unknown => {
          const { clock, system } = rig(child('t', ticker));
          for (const period of every) system.ref('t').tell({ type: 'tick', every: period });
          for (const ms of steps) clock.advance(ms);
          clock.settle();
          return system.ref('t').info()?.snapshot;
        };
        const total = parts.reduce((sum, part) => sum + part, 0);
        const whole = run([total]);
        expect(JSON.stringify(run(parts))).toBe(JSON.stringify(whole));
        const due = every
          .flatMap((period) => Array.from({ length: Math.floor(total / period) + 1 }, (_, n) => n * period))
          .toSorted((left, right) => left - right);
        // Equal periods share a key, so one replaces the other.
        if (new Set(every).size === every.length) expect(whole).toMatchObject({ context: { times: due } });
      }),
    );
  });

  it('does not stand still for ever while timers arm each other for the same instant', () => {
    const clock = virtualClock();
    const again = (): void => {
      clock.schedule(0, again);
    };
    again();
    expect(() => clock.advance(1)).toThrow('timers end within an instant');
  });

  it('fires equal deadlines in the order of arming, over all systems on one clock (RT-14)', () => {
    const clock = virtualClock();
    const order: string[] = [];
    const systems = ['x', 'y'].map((name) => {
      const system = createSystem({ name, clock, random: seededRandom(name) });
      system.inspect({ transition: ({ event }) => void (event.type === 'note' && order.push(name)) });
      system.start(child('w', puppet));
      return system;
    });
    clock.settle();
    const [x, y] = systems;
    const arm = (key: string, delayMs: number): Effect => ({
      kind: 'startTimer',
      key,
      delayMs,
      message: { type: 'note', value: 0 },
    });
    y?.ref('w').tell({ type: 'do', effects: [arm('a', 5), arm('b', 7)] });
    clock.advance(1);
    x?.ref('w').tell({ type: 'do', effects: [arm('a', 4), arm('b', 5)] });
    clock.schedule(4, () => order.push('clock'));
    clock.advance(100);
    // Due at 5: y's first, the clock's, x's first, in the order of arming; then x's at 6 and y's at 7.
    expect(order).toEqual(['y', 'clock', 'x', 'x', 'y']);
  });

  it('moves a chart time only with an input (RT-14, RT-15)', () => {
    const { clock, system } = rig(child('w', puppet));
    clock.advance(500);
    system.ref('w').tell({ type: 'note', value: 1 });
    clock.settle();
    expect(contextAt(system, 'w').at).toBe(500);
  });
});

describe('a named timer', () => {
  it('is replaced by starting its key again, and sends its message once (RT-12)', () => {
    const action = fc.oneof(
      fc.record({ start: fc.constantFrom('a', 'b'), delayMs: fc.nat({ max: 10 }) }),
      fc.record({ cancel: fc.constantFrom('a', 'b') }),
      fc.record({ advance: fc.nat({ max: 6 }) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        const { clock, system } = rig(child('w', puppet));
        const ref = system.ref('w');
        const armed = new Map<string, { due: number; value: number }>();
        let fired: { due: number; value: number }[] = [];
        const say = (effect: Effect): void => {
          ref.tell({ type: 'do', effects: [effect] });
          clock.settle();
        };
        let now = 0;
        actions.forEach((one, value) => {
          if ('start' in one) {
            say({
              kind: 'startTimer',
              key: one.start,
              delayMs: one.delayMs,
              message: { type: 'note', value },
            });
            armed.set(one.start, { due: now + one.delayMs, value });
          } else if ('cancel' in one) {
            say({ kind: 'cancelTimer', key: one.cancel });
            armed.delete(one.cancel);
          } else {
            now += one.advance;
            clock.advance(one.advance);
            const due = [...armed].filter(([, timer]) => timer.due <= now);
            const order = due
              .map(([, timer]) => timer)
              .toSorted((left, right) => left.due - right.due || left.value - right.value);
            fired = [...fired, ...order];
            for (const [key] of due) armed.delete(key);
          }
        });
        expect(contextAt(system, 'w').notes).toEqual(fired.map(({ value }) => value));
        expect(ref.info()?.timers).toHaveLength(armed.size);
      }),
    );
  });
});

describe('a timer that has fired', () => {
  it('is cancelled with its message, while that is queued (RT-12)', async () => {
    const dead: DeadLetter[] = [];
    const system = createSystem({
      name: 'real',
      clock: realClock(),
      random: seededRandom(1),
      onDeadLetter: (letter) => void dead.push(letter),
    });
    const ref = system.start(child('w', puppet));
    const cancel: Effect = { kind: 'cancelTimer', key: 'second' };
    const arm = (key: string, message: Message): Effect => ({ kind: 'startTimer', key, delayMs: 2, message });
    // Equal deadlines fire in one go of the real clock: the second is queued when the first one's step cancels it.
    const effects = [
      arm('first', { type: 'do', effects: [cancel] }),
      arm('second', { type: 'note', value: 1 }),
    ];
    ref.tell({ type: 'do', effects });
    while (dead.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(dead.map(({ reason }) => reason)).toEqual(['cancelled']);
    expect(contextAt(system, 'w').notes).toEqual([]);
    await system.stop();
  });
});

describe('a state timeout', () => {
  const chart = setup({
    types: types<{ readonly heard: readonly string[] }, { readonly type: 'move' | 'raised' | 'back' }>(),
    actions: {
      hear: step(({ context, event }) => ({ context: { heard: [...context.heard, event.type] } })),
      raiseLater: raise({ type: 'raised' }, { delay: 50 }),
    },
  }).createMachine({
    context: { heard: [] },
    initial: 'first',
    on: { raised: { actions: 'hear' } },
    states: {
      first: { entry: 'raiseLater', after: { 100: 'late' }, on: { move: 'second' } },
      second: { on: { back: 'first' } },
      late: {},
    },
  });

  it('of after ends with its state, and starts anew with it (RT-12)', () => {
    fc.assert(
      fc.property(fc.nat({ max: 99 }), fc.nat({ max: 200 }), (stay, away) => {
        const { clock, system } = rig(child('w', chart));
        const state = (): unknown => system.ref('w').info()?.snapshot;
        clock.advance(stay);
        system.ref('w').tell({ type: 'move' });
        clock.advance(away);
        expect(state()).toMatchObject({ value: 'second' });
        system.ref('w').tell({ type: 'back' });
        clock.advance(99);
        expect(state()).toMatchObject({ value: 'first' });
        clock.advance(1);
        expect(state()).toMatchObject({ value: 'late' });
      }),
    );
  });

  it('keeps its deadline over a restore in another process (RT-12)', () => {
    fc.assert(
      fc.property(fc.nat({ max: 99 }), (stay) => {
        const { clock, system } = rig(child('w', chart));
        clock.advance(stay);
        // A deadline counts from the last input, so the keyframe's time is that of the last input.
        system.ref('w').tell({ type: 'raised' });
        clock.settle();
        const keyframe: Keyframe = JSON.parse(JSON.stringify(system.keyframe()));
        const next = virtualClock();
        const restored = restoreSystem(
          { name: 'next', clock: clockFrom(next, keyframe.now), random: seededRandom('rig') },
          [child('w', chart)],
          keyframe,
        );
        const state = (): unknown => restored.ref('w').info()?.snapshot;
        next.advance(99 - stay);
        expect(state()).toMatchObject({ value: 'first', context: { heard: ['raised', 'raised'] } });
        next.advance(1);
        expect(state()).toMatchObject({ value: 'late' });
      }),
    );
  });

  it('of a delayed raise ends with its state too (RT-12)', () => {
    fc.assert(
      fc.property(fc.nat({ max: 99 }), (stay) => {
        const { clock, system } = rig(child('w', chart));
        clock.advance(stay);
        system.ref('w').tell({ type: 'move' });
        clock.advance(200);
        expect(system.ref('w').info()?.snapshot).toMatchObject({
          context: { heard: stay >= 50 ? ['raised'] : [] },
        });
        expect(system.ref('w').info()?.timers).toEqual([]);
      }),
    );
  });
});

describe('postpone', () => {
  it('brings messages back at the next change of state, oldest first, before newer ones (RT-13)', () => {
    const action = fc.constantFrom('later', 'later', 'note', 'left', 'right');
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), fc.boolean(), (actions, isBatch) => {
        const { clock, system } = rig(child('w', puppet));
        let state = 'left';
        let queue = actions.map((name, value) => ({ name, value }));
        let postponed: typeof queue = [];
        const notes: number[] = [];
        for (const { name, value } of queue) {
          if (name === 'later') system.ref('w').tell({ type: 'later', value });
          else if (name === 'note') system.ref('w').tell({ type: 'note', value });
          else system.ref('w').tell({ type: 'go', to: name });
          if (!isBatch) clock.settle();
        }
        clock.settle();
        for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
          if (next.name === 'note' || (next.name === 'later' && state === 'right')) notes.push(next.value);
          else if (next.name === 'later') postponed.push(next);
          else if (next.name !== state) {
            state = next.name;
            queue = [...postponed, ...queue];
            postponed = [];
          }
        }
        expect(contextAt(system, 'w').notes).toEqual(notes);
        expect(system.ref('w').info()?.counters.postponed).toBe(postponed.length);
      }),
    );
  });

  it('is bounded: what is too much is a dead letter (RT-13)', () => {
    const { clock, system, dead } = rig(child('w', puppet, { mailbox: { postponed: 3 } }));
    for (let value = 0; value < 5; value += 1) system.ref('w').tell({ type: 'later', value });
    clock.settle();
    expect(dead.map(({ reason }) => reason)).toEqual(['postpone_full', 'postpone_full']);
    system.ref('w').tell({ type: 'go', to: 'right' });
    clock.settle();
    expect(contextAt(system, 'w').notes).toEqual([0, 1, 2]);
  });
});

describe('the real clock', () => {
  it('runs turns in macrotasks and fires timers no earlier than due', async () => {
    const clock = realClock();
    const system = createSystem({ name: 'real', clock, random: seededRandom(1) });
    const ref = system.start(child('t', ticker));
    await ref.started();
    const from = clock.now();
    ref.tell({ type: 'tick', every: 20 });
    await new Promise((resolve) => clock.schedule(70, () => resolve(undefined)));
    while ((ref.info()?.counters.processed ?? 0) < 3) await new Promise((resolve) => setTimeout(resolve, 1));
    const snapshot = ref.info()?.snapshot;
    await system.stop();
    const times =
      typeof snapshot === 'object' && snapshot !== null && 'context' in snapshot ? snapshot.context : {};
    const list =
      typeof times === 'object' && times !== null && 'times' in times && Array.isArray(times.times)
        ? times.times
        : [];
    for (let index = 1; index < list.length; index += 1) {
      expect(list[index] - list[index - 1]).toBeGreaterThanOrEqual(20);
    }
    expect(list[0]).toBeGreaterThanOrEqual(from);
  });

  it('lets what came while the loop was held up have its turns before the timers that are late (RT-14)', async () => {
    const system = createSystem({ name: 'held', clock: realClock(), random: seededRandom(1) });
    const ref = system.start(child('w', puppet));
    await ref.started();
    const server = createServer((socket) => {
      socket.on('data', () => ref.tell({ type: 'note', value: 'came' }));
      socket.write('hello');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const client = connect(address.port, '127.0.0.1');
    await new Promise((resolve) => client.once('data', resolve));
    const late: Effect = {
      kind: 'startTimer',
      key: 'late',
      delayMs: 5,
      message: { type: 'note', value: 'late' },
    };
    ref.tell({ type: 'do', effects: [late] });
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    client.write('now');
    const until = performance.now() + 100;
    while (performance.now() < until);
    while (contextAt(system, 'w').notes.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(contextAt(system, 'w').notes).toEqual(['came', 'late']);
    client.destroy();
    server.close();
    await system.stop();
  });

  it('lets the event loop run while there are turns without end', async () => {
    const system = createSystem({ name: 'busy', clock: realClock(), random: seededRandom(1) });
    const loop = setup({
      types: types<object, { readonly type: 'again' }>(),
      actions: {
        again: step(({ address }) => ({
          effects: [{ kind: 'tell', to: address, message: { type: 'again' } }],
        })),
      },
    }).createMachine({ context: {}, on: { again: { actions: 'again' } } });
    const ref = system.start(child('loop', loop));
    ref.tell({ type: 'again' });
    // Timers of the host fire in between, however slow the machine is.
    while (system.counters().turns < 5_000) await new Promise((resolve) => setTimeout(resolve, 1));
    await system.stop();
    expect(system.cells()).toEqual([]);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assign, fromCallback, fromPromise, fromTransition, sendTo, setup, spawnChild } from 'xstate';
import {
  child,
  createSystem,
  type Effect,
  millis,
  perform,
  realClock,
  reply,
  seededRandom,
  spawn,
  step,
  supervisor,
  types,
} from '../../../src/actors/runtime/index.ts';
import { contextAt, puppet, rig } from './harness.ts';

const effects: fc.Arbitrary<Effect> = fc.oneof(
  fc.constant<Effect>({ kind: 'tell', to: 'top/b', message: { type: 'note', value: 1 } }),
  fc.constant<Effect>({ kind: 'spawn', logic: 'idle', id: 'x' }),
  fc.constant<Effect>({ kind: 'watch', address: 'top/b' }),
  fc.constant<Effect>({ kind: 'startTimer', key: 'k', delayMs: 1, message: { type: 'note', value: 1 } }),
  fc.constant<Effect>({ kind: 'exit', reason: { kind: 'normal' } }),
  fc.constant<Effect>({ kind: 'postpone' }),
);

describe('a step', () => {
  it('that throws changes nothing and emits nothing (RT-11)', () => {
    fc.assert(
      fc.property(fc.array(effects, { maxLength: 6 }), (list) => {
        const tree = supervisor({ intensity: 9, children: [child('a', puppet), child('b', puppet)] });
        const { clock, system, dead, log } = rig(child('top', tree));
        system.ref('top/a').tell({ type: 'do then throw', effects: list });
        clock.advance(10);
        expect(contextAt(system, 'top/a').notes).toEqual([]);
        expect(contextAt(system, 'top/b')).toEqual({ notes: [], others: [], at: 0 });
        expect(system.ref('top/a/x').info()).toBeUndefined();
        expect(system.ref('top/a').info()?.timers).toEqual([]);
        expect(log.slice(-2)).toEqual(['-top/a crash', '+top/a']);
        expect(dead.map(({ reason }) => reason)).toEqual(['poison']);
      }),
    );
  });

  it('that spawns at an address in use is undone as a whole, with advice (RT-11)', () => {
    const { clock, system, dead, log } = rig(child('w', puppet, { restart: 'temporary' }));
    const twice: Effect = { kind: 'spawn', logic: 'idle', id: 'x' };
    system.ref('w').tell({ type: 'do', effects: [twice, twice] });
    clock.settle();
    expect(log).toEqual(['+w', '-w crash']);
    expect(dead).toMatchObject([{ reason: 'poison' }]);
  });

  it('that spawns where a child runs already is undone too (RT-11)', () => {
    const { clock, system, log } = rig(child('w', puppet, { restart: 'temporary' }));
    const spawnX: Effect = { kind: 'spawn', logic: 'idle', id: 'x' };
    system.ref('w').tell({ type: 'do', effects: [spawnX] });
    system.ref('w').tell({ type: 'do', effects: [spawnX] });
    clock.settle();
    expect(log).toEqual(['+w', '+w/x', '-w/x shutdown', '-w crash']);
  });

  it('that throws leaves no function behind for the next one to run (RT-11)', () => {
    const ran: string[] = [];
    const chart = setup({
      types: types<{ readonly n: number }, { readonly type: 'bad' | 'good' }>(),
      actions: {
        call: () => void ran.push('called'),
        fail: assign(() => {
          throw new Error('after the call was gathered');
        }),
        count: assign(({ context }) => ({ n: context.n + 1 })),
      },
    }).createMachine({
      context: { n: 0 },
      on: { bad: { actions: ['call', 'fail'] }, good: { actions: 'count' } },
    });
    const { clock, system } = rig(
      child('top', supervisor({ children: [child('a', chart), child('b', chart)] })),
    );
    system.ref('top/a').tell({ type: 'bad' });
    system.ref('top/b').tell({ type: 'good' });
    clock.settle();
    expect(ran).toEqual([]);
    expect(system.ref('top/b').info()?.snapshot).toMatchObject({ context: { n: 1 } });
  });

  it('applies its effects in order after its state is committed (RT-11)', () => {
    const seen: unknown[] = [];
    const { clock, system } = rig(child('w', puppet));
    system.inspect({ transition: ({ effects: emitted, snapshot }) => void seen.push([emitted, snapshot]) });
    const tells: Effect[] = [1, 2, 3].map((value) => ({
      kind: 'tell',
      to: 'w',
      message: { type: 'note', value },
    }));
    system.ref('w').tell({ type: 'do', effects: tells });
    clock.settle();
    expect(contextAt(system, 'w').notes).toEqual([1, 2, 3]);
    expect(seen).toHaveLength(4);
  });
});

describe('logic of other kinds', () => {
  it('runs a fromTransition reducer', () => {
    const sum = fromTransition(
      (state: { readonly n: number }, event: { readonly type: 'add'; readonly by: number }) => {
        if (event.by < 0) throw new Error('negative');
        return { n: state.n + event.by };
      },
      { n: 0 },
    );
    const { clock, system, log } = rig(child('top', supervisor({ children: [child('sum', sum)] })));
    for (const by of [1, 2, -1, 4]) system.ref('top/sum').tell({ type: 'add', by });
    clock.settle();
    expect(system.ref('top/sum').info()).toMatchObject({ kind: 'reducer', snapshot: { context: { n: 4 } } });
    expect(log).toContain('-top/sum crash');
  });

  it('refuses what touches the world by itself, and says what to write instead', () => {
    const byPromise = fromPromise<number, undefined>(async () => 1);
    const byCallback = fromCallback<{ type: 'x' }, undefined>(() => undefined);
    expect(() => rig(child('x', byPromise))).toThrow('write them as boundary()');
    expect(() => rig(child('x', byCallback))).toThrow('write them as boundary()');
    const invoking = setup({ actors: { byPromise } }).createMachine({ invoke: { src: 'byPromise' } });
    expect(() => rig(child('x', invoking))).toThrow("invokes 'byPromise'");
    const spawning = setup({ actors: { byPromise }, actions: { go: spawn('byPromise', { id: 'p' }) } });
    const { log } = rig(child('x', spawning.createMachine({ entry: 'go' }), { restart: 'temporary' }));
    expect(log).toEqual(['-x crash']);
  });

  it('crashes a chart that cycles without end, and does not hang', () => {
    const cycling = setup({
      types: types<{ readonly n: number }, { readonly type: 'spin' }>(),
    }).createMachine({
      context: { n: 0 },
      initial: 'rest',
      states: { rest: { on: { spin: 'a' } }, a: { always: 'b' }, b: { always: 'a' } },
    });
    const { clock, system, log } = rig(child('top', supervisor({ children: [child('w', cycling)] })));
    system.ref('top/w').tell({ type: 'spin' });
    clock.settle();
    expect(log.slice(-2)).toEqual(['-top/w crash', '+top/w']);
  });

  it('crashes a chart that uses XState to spawn or send, with advice', async () => {
    const bad = [
      setup({ actors: { p: puppet } }).createMachine({ entry: spawnChild('p') }),
      setup({}).createMachine({ entry: sendTo(({ self }) => self, { type: 'x' }) }),
      setup({ types: types<{ a: unknown }, { type: 'x' }>() }).createMachine({
        context: { a: 1 },
        entry: assign({ a: ({ self }) => self.send({ type: 'x' }) }),
      }),
    ];
    const advice = ['use spawn(kind, { id })', 'use tell(address, message)', 'use raise, or tell'];
    for (const [index, machine] of bad.entries()) {
      const system = createSystem({ name: 'bad', clock: realClock(), random: seededRandom(1) });
      await expect(system.start(child('bad', machine)).started()).rejects.toThrow(advice[index]);
    }
  });

  it('does not let a chart tell through a ref, which a replay would miss (RT-15)', () => {
    const { clock, system, log } = rig(child('top', supervisor({ children: [child('w', puppet)] })));
    const sneaky = setup({
      types: types<object, { readonly type: 'x' }>(),
      actions: { tell: () => void system.ref('top/w').tell({ type: 'note', value: 1 }) },
    }).createMachine({ context: {}, on: { x: { actions: 'tell' } } });
    system.start(child('sneaky', sneaky));
    system.ref('sneaky').tell({ type: 'x' });
    clock.settle();
    expect(log.at(-1)).toBe('-sneaky crash');
    expect(contextAt(system, 'top/w').notes).toEqual([]);
  });
});

describe('an ask', () => {
  const answering = setup({
    types: types<{ readonly asker: string }, { readonly type: 'now' | 'later' | 'never' | 'answer' }>(),
    actions: {
      answer: reply({ type: 'answered', how: 'now' }),
      remember: step(({ sender = '' }) => ({ context: { asker: sender } })),
      answerAsker: perform(({ context }) => [
        { kind: 'tell', to: context.asker, message: { type: 'answered', how: 'later' } },
      ]),
      fail: () => {
        throw new Error('x');
      },
    },
  }).createMachine({
    context: { asker: '' },
    on: {
      now: { actions: 'answer' },
      later: { actions: 'remember' },
      answer: { actions: 'answerAsker' },
      never: { actions: 'fail' },
    },
  });

  it('is answered now or later, and fails as refused, late or dead', async () => {
    const { clock, system, dead } = rig(child('top', supervisor({ children: [child('w', answering)] })));
    const ref = system.ref('top/w');

    const ask = (type: string, ms = 50) => ref.ask({ type }, { timeout: millis(ms) });
    const now = ask('now');
    clock.settle();
    expect(await now).toEqual({ type: 'answered', how: 'now' });
    const later = ask('later');
    clock.advance(10);
    ref.tell({ type: 'answer' });
    clock.settle();
    expect(await later).toEqual({ type: 'answered', how: 'later' });
    const refused = ask('unheard of');
    await expect(refused).rejects.toMatchObject({ name: 'AskRefused', code: 'refused', to: 'top/w' });
    const nobody = system.ref('nobody').ask({ type: 'x' }, { timeout: millis(5) });
    await expect(nobody).rejects.toMatchObject({ name: 'AskDead' });
    const late = ask('later');
    clock.advance(51);
    await expect(late).rejects.toMatchObject({ name: 'AskLate' });
    ref.tell({ type: 'answer' });
    clock.settle();
    expect(dead.at(-1)).toMatchObject({ reason: 'late_reply' });
    const poisoned = ask('never');
    clock.settle();
    await expect(poisoned).rejects.toMatchObject({ name: 'AskDead' });
    const owed = ask('later');
    clock.settle();
    const crashed = ask('never');
    clock.settle();
    await expect(owed).rejects.toMatchObject({ name: 'AskDead' });
    await expect(crashed).rejects.toMatchObject({ name: 'AskDead' });
  });
});

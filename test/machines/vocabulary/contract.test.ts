import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AnyStateMachine,
  and,
  assign,
  createActor,
  createMachine,
  not,
  raise,
  SimulatedClock,
  type StateValue,
  setup,
} from 'xstate';
import { child, createSystem, seededRandom, virtualClock } from '../../../src/actors/runtime/index.ts';
import { tell, types } from '../../../src/machines/vocabulary/index.ts';

/** A random chart: nested and parallel states, guards, always, raise, after, history, final states, trace of actions. */
interface Context {
  readonly n: number;
  readonly trace: readonly string[];
}

const contextOf = (context: Context, params: unknown): Context => {
  const text = typeof params === 'object' && params !== null && 'text' in params ? String(params.text) : '';
  return { n: context.n, trace: [...context.trace, text].slice(-200) };
};

const restOf = (params: unknown): unknown =>
  typeof params === 'object' && params !== null && 'rest' in params ? params.rest : undefined;

/** Every form that a guard can have. */
const GUARDS: readonly unknown[] = [
  undefined,
  'isEven',
  'isSmall',
  { type: 'leaves', params: { rest: 1 } },
  { type: 'leaves', params: ({ context }: { context: Context }) => ({ rest: context.n % 3 }) },
  ({ context }: { context: Context }) => context.n % 3 === 0,
  not('isSmall'),
  and(['isSmall', not('isEven')]),
];

/** All say 'even', so that a chart of several cannot go round for ever. */
const EVEN_GUARDS: readonly unknown[] = [
  'isEven',
  not('isOdd'),
  { type: 'leaves', params: { rest: 0 } },
  { type: 'leaves', params: () => ({ rest: 0 }) },
  ({ context }: { context: Context }) => context.n % 2 === 0,
];

const toMachine = (config: object): AnyStateMachine =>
  createMachine(config, {
    actions: {
      add: assign(({ context }) => ({ n: context['n'] + 1 })),
      makeOdd: assign(({ context }) => ({ n: context['n'] + (context['n'] % 2 === 0 ? 1 : 0) })),
      trace: assign(({ context }, params) => contextOf({ n: context['n'], trace: context['trace'] }, params)),
      raiseR: raise({ type: 'r' }),
    },
    guards: {
      isEven: ({ context }) => context['n'] % 2 === 0,
      isSmall: ({ context }) => context['n'] < 6,
      isOdd: ({ context }) => context['n'] % 2 === 1,
      leaves: ({ context }, params) => context['n'] % 2 === restOf(params),
    },
  });

interface Shape {
  readonly kind: 'atomic' | 'compound' | 'parallel';
  readonly children: readonly Shape[];
  readonly moves: readonly {
    readonly on: 'a' | 'b' | 'c' | 'r' | '*' | 'a.*';
    readonly to: number;
    readonly stays: boolean;
    readonly guard: number;
    readonly raises: boolean;
    readonly reenter: boolean;
  }[];
  readonly after: number;
  /** Leaves by itself once the count is even: by which of the guards that say so, if at all. */
  readonly always: number | undefined;
  readonly isFinal: boolean;
  readonly history: boolean;
}

const { shape } = fc.letrec<{ shape: Shape; atomic: Shape }>((tie) => {
  const moves = fc.array(
    fc.record({
      on: fc.oneof(
        { weight: 9, arbitrary: fc.constantFrom('a' as const, 'b' as const, 'c' as const, 'r' as const) },
        fc.constantFrom('*' as const, 'a.*' as const),
      ),
      to: fc.nat({ max: 5 }),
      stays: fc.boolean(),
      guard: fc.oneof(fc.constant(0), fc.nat({ max: GUARDS.length - 1 })),
      raises: fc.boolean(),
      reenter: fc.boolean(),
    }),
    { maxLength: 4 },
  );
  const atomic: fc.Arbitrary<Shape> = fc.record({
    kind: fc.constant('atomic' as const),
    children: fc.constant([]),
    moves,
    after: fc.constantFrom(0, 0, 3, 5, 10),
    always: fc.option(fc.nat({ max: EVEN_GUARDS.length - 1 }), { nil: undefined, freq: 2 }),
    isFinal: fc.nat({ max: 9 }).map((value) => value === 0),
    history: fc.constant(false),
  });
  return {
    atomic,
    shape: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      atomic,
      fc.record({
        kind: fc.constantFrom('compound' as const, 'parallel' as const),
        children: fc.array(tie('shape'), { minLength: 1, maxLength: 3 }),
        moves,
        after: fc.constantFrom(0, 7),
        always: fc.option(fc.nat({ max: EVEN_GUARDS.length - 1 }), { nil: undefined, freq: 2 }),
        isFinal: fc.constant(false),
        history: fc.boolean(),
      }),
    ),
  };
});

function toConfig(shape: Shape, path: string, siblings: number): object {
  const on: Record<string, object[]> = {};
  for (const move of shape.moves) {
    const target =
      siblings === 0 || move.stays || move.on === '*'
        ? undefined
        : `#m${path.slice(0, path.lastIndexOf('.'))}.s${move.to % siblings}`;
    const guard = GUARDS[move.guard];
    // '*' also takes the news that a compound state is done: what counts or leaves then could go round for ever.
    const actions: unknown[] = [
      ...(move.on === '*' ? [] : ['add']),
      { type: 'trace', params: { text: `${path}:${move.on}` } },
    ];
    if (move.raises && 'abc'.includes(move.on)) actions.push('raiseR');
    on[move.on] = [
      ...(on[move.on] ?? []),
      {
        ...(target === undefined ? {} : { target }),
        ...(guard === undefined ? {} : { guard }),
        actions,
        reenter: move.reenter,
      },
    ];
  }
  if (shape.isFinal && siblings > 1)
    return { id: `m${path}`, type: 'final', entry: { type: 'trace', params: { text: `${path}:final` } } };
  const states = Object.fromEntries([
    ...shape.children.map((one, index) => [
      `s${index}`,
      toConfig(one, `${path}.s${index}`, shape.kind === 'parallel' ? 0 : shape.children.length),
    ]),
    ...(shape.history && shape.kind === 'compound' ? [['h', { type: 'history', history: 'deep' }]] : []),
  ]);
  const after =
    shape.after > 0 && siblings > 1
      ? {
          after: {
            [shape.after]: {
              target: `#m${path.slice(0, path.lastIndexOf('.'))}.s${(shape.moves[0]?.to ?? 0) % siblings}`,
              actions: 'add',
            },
          },
        }
      : {};
  const always =
    shape.always !== undefined && siblings > 1
      ? {
          always: {
            guard: EVEN_GUARDS[shape.always],
            target: `#m${path.slice(0, path.lastIndexOf('.'))}.s${siblings - 1}`,
            // Two regions at once make it odd as well.
            actions: 'makeOdd',
            reenter: true,
          },
        }
      : {};
  const kind =
    shape.kind === 'atomic'
      ? {}
      : shape.kind === 'parallel'
        ? { type: 'parallel', states }
        : { initial: 's0', states };
  return {
    id: `m${path}`,
    on,
    entry: { type: 'trace', params: { text: `${path}:in` } },
    exit: { type: 'trace', params: { text: `${path}:out` } },
    ...after,
    ...always,
    ...kind,
  };
}

interface Seen {
  /** XState selects no transition for the message; the cell makes it a dead letter `unhandled` (RT-8). */
  readonly unhandled: boolean;
  readonly value: StateValue;
  readonly context: Context;
  readonly status: string;
}

const steps = fc.array(
  fc.oneof({ weight: 3, arbitrary: fc.constantFrom('a', 'b', 'c') }, fc.nat({ max: 6 })),
  { maxLength: 25 },
);

function runXState(machine: AnyStateMachine, plan: readonly (string | number)[]): Seen[] {
  const clock = new SimulatedClock();
  const actor = createActor(machine, { clock }).start();
  return plan.map((one) => {
    // One millisecond at a time: XState's simulated clock fires a chain of timers late otherwise.
    let unhandled = false;
    if (typeof one === 'number') for (let ms = 0; ms < one; ms += 1) clock.increment(1);
    else if (actor.getSnapshot().status === 'active') {
      unhandled = machine.getTransitionData(actor.getSnapshot(), { type: one }).length === 0;
      actor.send({ type: one });
    }
    const { value, context, status } = actor.getSnapshot();
    return { unhandled, value, context, status };
  });
}

const ENDED: Seen = { unhandled: false, value: '', context: { n: 0, trace: [] }, status: 'done' };

/** An inspected cell takes XState's own way through every step, any other the short one where there is one. */
function runCell(machine: AnyStateMachine, plan: readonly (string | number)[], inspected: boolean): Seen[] {
  const clock = virtualClock();
  const system = createSystem({ name: 'x', clock, random: seededRandom(1) });
  const last: { seen: Omit<Seen, 'unhandled'> | undefined } = { seen: undefined };
  const look = (snapshot: unknown): void => {
    if (isSeen(snapshot)) {
      const { value, context, status } = snapshot;
      last.seen = { value, context, status };
    }
  };
  if (inspected) system.inspect({ transition: ({ snapshot }) => look(snapshot) });
  const ref = system.start(child('x', machine, { publicEvents: ['a', 'b', 'c'] }));
  const settle = (): void => {
    clock.settle();
    if (!inspected) look(ref.info()?.snapshot);
  };
  settle();
  return plan.map((one) => {
    const before = system.deadLetters.counts().get('unhandled') ?? 0;
    if (typeof one === 'number') clock.advance(one);
    else ref.tell({ type: one });
    settle();
    // Without an inspector a cell that ends at its start shows nothing.
    if (last.seen === undefined) return ENDED;
    return { unhandled: (system.deadLetters.counts().get('unhandled') ?? 0) > before, ...last.seen };
  });
}

function isSeen(value: unknown): value is Omit<Seen, 'unhandled'> {
  return typeof value === 'object' && value !== null && 'value' in value && 'context' in value;
}

describe("a cell's step", () => {
  it("is XState's own, on random charts: states, contexts, order of actions, timers, final states, what is unhandled (ADR 0001)", () => {
    fc.assert(
      fc.property(fc.array(shape, { minLength: 1, maxLength: 4 }), steps, (children, plan) => {
        const root: Shape = {
          kind: 'compound',
          children,
          moves: [],
          after: 0,
          always: undefined,
          isFinal: false,
          history: true,
        };
        const machine = toMachine({ ...toConfig(root, '', 0), context: { n: 0, trace: [] } });
        const expected = runXState(machine, plan);
        expect(runCell(machine, plan, true)).toEqual(expected);
        // What is left of a cell that has ended is its end.
        const seen = runCell(machine, plan, false);
        const end = expected.findIndex(({ status }) => status !== 'active');
        expect(seen.slice(0, end < 0 ? undefined : end)).toEqual(
          expected.slice(0, end < 0 ? undefined : end),
        );
      }),
      { numRuns: 1_000 },
    );
  });

  it("takes what XState takes where a chart's tables do not say it: regions without a leaf, odd guards (ADR 0001)", () => {
    const add = { actions: 'add' };
    const regions = {
      type: 'parallel',
      states: { a: { on: { a: add } }, b: { type: 'parallel', on: { a: add, b: add } } },
    };
    const guarded = (guard: unknown): object => ({ on: { a: { guard, actions: 'add' } } });
    const spoils = ({ n }: { n: number }) =>
      Object.assign((args: { context: Context }) => {
        args.context = { n, trace: [] };
        return false;
      });
    const charts = [
      regions,
      guarded(''),
      guarded({
        type: 'isAt',
        params(this: { n: number }) {
          return this.n;
        },
        n: 0,
      }),
      guarded(() => undefined),
      guarded(() => 1),
      guarded(null),
      { on: { a: [{ guard: spoils({ n: 1 }) }, { guard: 'isEven', actions: 'add' }] } },
    ];
    for (const chart of charts) {
      const machine = createMachine(
        { ...chart, context: { n: 0, trace: [] } },
        {
          actions: { add: assign(({ context }) => ({ n: context['n'] + 1 })) },
          guards: {
            '': () => false,
            isEven: ({ context }) => context['n'] % 2 === 0,
            isAt: ({ context }, params) => context['n'] === params,
          },
        },
      );
      const expected = runXState(machine, ['a', 'b', 'a']);
      expect(runCell(machine, ['a', 'b', 'a'], true)).toEqual(expected);
      expect(runCell(machine, ['a', 'b', 'a'], false)).toEqual(expected);
    }
  });

  it("takes guards made of guards as XState does in its production build too, whose own 'not' says false when it is called", () => {
    const runtime = new URL('../../../src/actors/runtime/index.ts', import.meta.url).href;
    const script = `
      import { assign, createActor, createMachine, not } from 'xstate';
      import { child, createSystem, seededRandom, virtualClock } from '${runtime}';
      const add = { guard: not('never'), actions: assign(({ context }) => ({ n: context.n + 1 })) };
      const machine = createMachine(
        { context: { n: 0 }, initial: 'a', states: { a: { on: { go: add }, always: { guard: not('isSmall'), target: 'b' } }, b: {} } },
        { guards: { never: () => false, isSmall: ({ context }) => context.n < 2 } },
      );
      const actor = createActor(machine).start();
      const clock = virtualClock();
      const ref = createSystem({ name: 'x', clock, random: seededRandom(1) }).start(child('x', machine, { publicEvents: ['go'] }));
      clock.settle();
      for (let told = 0; told < 2; told += 1) {
        actor.send({ type: 'go' });
        ref.tell({ type: 'go' });
        clock.settle();
      }
      const { value, context } = ref.info().snapshot;
      console.log(JSON.stringify([[value, context.n], [actor.getSnapshot().value, actor.getSnapshot().context.n]]));
    `;
    const told = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
    });
    expect(JSON.parse(told)).toEqual([
      ['b', 2],
      ['b', 2],
    ]);
  });

  it('asks each guard once, whichever way the step goes', () => {
    let asked = 0;
    const machine = createMachine(
      {
        initial: 'one',
        states: {
          one: {
            on: { stay: { guard: 'counted', actions: 'nothing' }, go: { guard: 'counted', target: 'two' } },
          },
          two: {},
        },
      },
      {
        actions: { nothing: assign({}) },
        guards: {
          counted: () => {
            asked += 1;
            return true;
          },
        },
      },
    );
    const clock = virtualClock();
    const system = createSystem({ name: 'x', clock, random: seededRandom(1) });
    const ref = system.start(child('x', machine, { publicEvents: ['stay', 'go'] }));
    const counts = ['stay', 'go'].map((type) => {
      asked = 0;
      ref.tell({ type });
      clock.settle();
      return asked;
    });
    expect(counts).toEqual([1, 1]);
    expect(ref.info()?.snapshot).toMatchObject({ value: 'two' });
  });

  it.each([true, false])('refuses what XState refuses, and again: inspected %s', (inspected) => {
    const clock = virtualClock();
    const system = createSystem({ name: 'x', clock, random: seededRandom(1) });
    if (inspected) system.inspect({ transition: () => undefined });
    const sink = createMachine({ on: { '*': { actions: assign({}) } } });
    const source = setup({
      types: types<object, { readonly type: 'go' }>(),
      actions: { ask: tell('sink', { type: '*' }) },
    }).createMachine({
      on: { go: { actions: 'ask' } },
    });
    system.start(child('sink', sink));
    const ref = system.start(child('source', source, { publicEvents: ['go'] }));
    clock.settle();
    ref.tell({ type: 'go' });
    clock.settle();
    expect(system.deadLetters.counts().get('poison')).toBe(1);
    const invoking = createMachine({ invoke: { src: 'other' } });
    for (const name of ['one', 'two']) {
      expect(() => system.start(child(name, invoking))).toThrow('invokes');
    }
  });
});

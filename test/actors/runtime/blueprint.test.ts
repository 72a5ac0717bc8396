/** A tree told as data, and built again from it: what a replay has of functions, getters and boundary actors. Rules RT-15, RP-1, RP-8. */
import { describe, expect, it } from 'vitest';
import { type AnyStateMachine, setup } from 'xstate';
import {
  type CellBlueprint,
  type CellSpec,
  chartsOf,
  child,
  createSystem,
  handler,
  type JournalEntry,
  kind,
  memoryJournal,
  millis,
  Outside,
  type PureFunctions,
  rebuilt,
  recordable,
  replay,
  seededRandom,
  step,
  supervisor,
  types,
  virtualClock,
} from '../../../src/actors/runtime/index.ts';
import { packEntries, unpackEntries } from '../../../src/record/entries.ts';
import { packKeyframe, unpackKeyframe, unpackValues, ValuePacker } from '../../../src/record/values.ts';

interface Tools {
  readonly secret: (of: number) => number;
  readonly twice: (of: number) => number;
  readonly settings: { readonly limit: number; readonly judge?: (of: number) => boolean };
  readonly bank: Bank;
  /** The same object as `bank`. */
  readonly again: Bank;
}

class Account {
  protected readonly rate: number = 2;
  worth(of: number): number {
    return of * this.rate;
  }
}

class Bank extends Account {
  protected override readonly rate: number = 3;
  readonly #vault: number;
  constructor(vault: number) {
    super();
    this.#vault = vault;
  }
  override worth(of: number): number {
    return super.worth(of) + this.#vault;
  }
  get reserve(): number {
    return this.#vault;
  }
}

interface Known extends Pick<Tools, 'secret' | 'twice' | 'settings'> {
  readonly worth: (of: number) => number;
  readonly isOneBank: boolean;
  readonly reserve: number;
  readonly heard: readonly number[];
}

/** Takes a number through everything that it was given. */
const worker = setup({
  types: { ...types<Known, { readonly type: 'work'; readonly value: number }>(), input: {} as Tools },
  actions: {
    work: step(({ context, event: { value } }) => {
      const { secret, twice, settings, worth, reserve, isOneBank } = context;
      const judged = settings.judge?.(value) === true ? 1 : 0;
      const next = [
        ...[secret(value), twice(value), settings.limit, judged],
        ...[worth(value), reserve, isOneBank ? 1 : 0],
      ];
      return { context: { heard: [...context.heard, ...next] } };
    }),
  },
}).createMachine({
  id: 'worker',
  context: ({ input: { secret, twice, settings, bank, again } }) => ({
    ...{ secret, twice, settings, worth: bank.worth, reserve: bank.reserve },
    isOneBank: bank.worth === again.worth,
    heard: [],
  }),
  on: { work: { actions: 'work' } },
});

const socket = handler<null, { readonly type: 'send' }>({ init: () => null, receive: () => undefined });

const opener = setup({
  types: types<{ readonly opened: number }, { readonly type: 'open.asked' }>(),
  actors: { socket: kind<undefined>() },
  actions: {
    open: step(({ context: { opened } }) => ({
      context: { opened: opened + 1 },
      effects: [{ kind: 'spawn', logic: 'socket', id: `s${opened}` }],
    })),
  },
}).createMachine({ id: 'opener', context: { opened: 0 }, on: { 'open.asked': { actions: 'open' } } });

const world = handler<{ readonly password: string }, { readonly type: 'go' }, { readonly password: string }>({
  init: ({ input }) => input,
  receive(_message, { tell }) {
    tell('top/worker', { type: 'work', value: 5 });
  },
});

const twice = (of: number): number => 2 * of;
const PURE: PureFunctions = { twice };
const CHARTS: ReadonlyMap<string, AnyStateMachine> = new Map(
  [worker, opener].map((machine) => [machine.id, machine]),
);

/** Settings are read anew each time, and change. */
function tree(calls: { count: number }): CellSpec {
  const bank = new Bank(1_000);
  const input: Tools = {
    secret(of) {
      calls.count += 1;
      return of + calls.count;
    },
    twice,
    get settings() {
      calls.count += 1;
      const { count } = calls;
      return { limit: count, judge: (of: number) => of > count };
    },
    bank,
    again: bank,
  };
  return child(
    'top',
    supervisor({
      strategy: 'one_for_one',
      intensity: 3,
      period: millis(1_000),
      children: [
        child('worker', worker, { input }),
        child('world', world, { input: { password: 'hunter2' } }),
        child('opener', opener.provide({ actors: { socket } })),
      ],
      templates: [child('extra', worker, { restart: 'temporary', input })],
    }),
  );
}

interface Recorded {
  readonly entries: readonly JournalEntry[];
  readonly blueprints: readonly CellBlueprint[];
  readonly turns: number;
  readonly heard: unknown;
}

const contextAt = (
  system: { ref(at: string): { info(): { snapshot: unknown } | undefined } },
  at: string,
) => {
  const snapshot = system.ref(at).info()?.snapshot;
  return typeof snapshot === 'object' && snapshot !== null && 'context' in snapshot ? snapshot.context : {};
};
const heardBy = (context: unknown): unknown =>
  typeof context === 'object' && context !== null && 'heard' in context ? context.heard : undefined;

/** A run of the tree; what is told of it went through bytes, as in a journal. */
function recorded(calls = { count: 0 }): Recorded {
  const outside = new Outside();
  const journal = memoryJournal({ digestEvery: 1 });
  const clock = virtualClock();
  const system = createSystem({ name: 'live', clock, random: seededRandom(1), journal, outside });
  const { roots, blueprints, nameOf } = recordable([tree(calls)], outside, PURE);
  for (const root of roots) system.start(root);
  clock.settle();
  for (const value of [1, 2, 3]) system.ref('top/worker').tell({ type: 'work', value });
  system.ref('top').tell({ type: 'child.start', template: 'extra', id: 'x', input: undefined });
  clock.settle();
  system.ref('top/world').tell({ type: 'go' });
  system.ref('top/opener').tell({ type: 'open.asked' });
  clock.settle();
  const packer = new ValuePacker(nameOf);
  const [read] = unpackValues(packer.pack([blueprints]));
  return {
    entries: unpackEntries(packEntries(packer, journal.entries)),
    blueprints: read as readonly CellBlueprint[],
    turns: system.counters().turns,
    heard: heardBy(contextAt(system, 'top/worker')),
  };
}

function again({ entries, blueprints, turns }: Recorded, charts = CHARTS, pure = PURE) {
  const outside = new Outside();
  const built = rebuilt(blueprints, { outside, pure, charts });
  const run = replay({ name: 'again', random: seededRandom(1), roots: built.roots, digestEvery: 1, outside });
  for (const entry of entries) run.feed(entry);
  run.runTo(turns);
  return { run, built };
}

describe('a tree out of its blueprint', () => {
  it('repeats the recorded run: functions, getters, methods and what they gave (RT-15)', () => {
    const live = recorded();
    const { run } = again(live);
    expect(run.divergence()).toBeUndefined();
    expect(heardBy(contextAt(run.system, 'top/worker'))).toEqual(live.heard);
    // A method hides that of the class above, a class's getter is there, and what was one function is one.
    expect(live.heard).toEqual(expect.arrayContaining([1_003, 1_000, 1]));
    expect(run.system.ref('top/opener/s0').info()?.kind).toBe('boundary');
  });

  it('calls nothing of the recorded one but pure functions (RP-8)', () => {
    const calls = { count: 0 };
    const live = recorded(calls);
    const before = calls.count;
    again(live);
    expect(before).toBeGreaterThan(0);
    expect(calls.count).toBe(before);
  });

  it('goes on from a keyframe, whose functions are found again by name', () => {
    const live = recorded();
    const { run, built } = again(live);
    const packer = new ValuePacker(built.nameOf);
    const body = packKeyframe(packer, run.system.keyframe());
    const outside = new Outside();
    const second = rebuilt(live.blueprints, { outside, pure: PURE, charts: CHARTS });
    const from = unpackKeyframe(body, second.functionOf);
    const on = replay({
      ...{ name: 'on', random: seededRandom(1), roots: second.roots, digestEvery: 1, outside, from },
    });
    const { seq, turn, now, wall } = from;
    on.feed({
      ...{
        kind: 'message',
        seq: seq + 1,
        turn,
        now,
        wall,
        from: 'top/world',
        to: 'top/worker',
        lane: 'user',
      },
      message: { type: 'work', value: 9 },
    });
    const results = [
      ['top/worker#settings.judge', true],
      ['top/worker#secret', 70],
      ['top/worker#bank.worth', 71],
    ] as const;
    // What is pure is called, and getters were read when the cell started.
    for (const [name, value] of results) on.feed({ kind: 'result', turn, name, value });
    on.runTo(turn + 1);
    const heard = heardBy(contextAt(on.system, 'top/worker'));
    expect(heard).toEqual(expect.arrayContaining([70, 18, 71]));
  });

  it('holds nothing of what boundary actors are given (RP-8)', () => {
    const { blueprints, entries } = recorded();
    const bytes = Buffer.from(new ValuePacker(() => undefined).pack([blueprints, entries]));
    expect(bytes.includes('hunter2')).toBe(false);
    expect(bytes.includes('worker')).toBe(true);
  });

  it('names its charts with their hashes, of templates too', () => {
    expect([...chartsOf(recorded().blueprints).keys()].sort()).toEqual(['opener', 'worker']);
  });

  it('is not built where a chart or a pure function of it is missing', () => {
    const live = recorded();
    expect(() => again(live, new Map())).toThrow(/a chart 'worker', which this program has not got/);
    expect(() => again(live, CHARTS, {})).toThrow(/'pure\/twice', which this program has not got/);
    // What every object inherits is none of its functions: a journal may have been made up.
    const { functionOf } = rebuilt(live.blueprints, { outside: new Outside(), pure: PURE, charts: CHARTS });
    for (const name of ['constructor', '__proto__', 'toString', '__defineGetter__'])
      expect(() => functionOf(`pure/${name}`)).toThrow(/which this program has not got/);
  });
});

describe('recordable', () => {
  it('leaves what boundary actors are given as it is', () => {
    const spec = child('world', world, { input: { password: 'x' } });
    expect(recordable([spec], new Outside(), PURE).roots[0]).toBe(spec);
  });

  it('records results within turns alone', () => {
    const live = recorded();
    const results = live.entries.filter(({ kind: of }) => of === 'result');
    const turns = live.entries.flatMap((entry) => (entry.kind === 'digest' ? [entry.turn] : []));
    expect(results.length).toBeGreaterThan(3);
    for (const { turn } of results) expect(turns).toContain(turn);
  });

  it('refuses a root that no journal can tell of', () => {
    const reducer = { transition: (state: unknown) => state };
    const spec = { ...child('top', worker, { input: {} as Tools }), logic: reducer as never };
    expect(() => recordable([spec], new Outside(), PURE)).toThrow(/'top' is no chart/);
  });
});

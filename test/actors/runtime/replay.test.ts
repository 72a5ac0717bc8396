import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { raise, setup } from 'xstate';
import {
  boundary,
  type CellSpec,
  child,
  createSystem,
  type DeadLetter,
  digestOf,
  type Effect,
  handler,
  type JournalEntry,
  type Keyframe,
  type Message,
  type Monotonic,
  memoryJournal,
  millis,
  monotonic,
  Outside,
  replay,
  type System,
  seededRandom,
  step,
  supervisor,
  types,
  virtualClock,
} from '../../../src/actors/runtime/index.ts';
import { puppet } from './harness.ts';

/** Draws, and passes what it drew around. */
const gambler = setup({
  types: types<{ readonly luck: readonly number[] }, { readonly type: 'roll'; readonly to: string }>(),
  actions: {
    roll: step(({ context, event, draw, now }) => {
      const luck = draw();
      const value = Math.floor(luck * 10);
      const effects: Effect[] = [{ kind: 'tell', to: event.to, message: { type: 'note', value } }];
      if (luck < 0.3) effects.push({ kind: 'startTimer', key: 'again', delayMs: 1 + value, message: event });
      return { context: { luck: [...context.luck, luck + now] }, effects };
    }),
  },
}).createMachine({ id: 'gambler', context: { luck: [] }, on: { roll: { actions: 'roll' } } });

/** Raises later, without a name: the runtime counts such timers. */
const raiser = setup({
  types: types<{ readonly rung: number }, { readonly type: 'poke' | 'ring' | 'move' }>(),
  actions: {
    raiseRing: raise({ type: 'ring' }, { delay: 4 }),
    ring: step(({ context, now }) => ({ context: { rung: context.rung + now } })),
  },
}).createMachine({
  id: 'raiser',
  context: { rung: 0 },
  initial: 'left',
  on: { poke: { actions: 'raiseRing' }, ring: { actions: 'ring' } },
  states: { left: { on: { move: 'right' } }, right: { on: { move: 'left' } } },
});

type WorldMessage =
  | { readonly type: 'echo'; readonly to: string; readonly message: Message }
  | { readonly type: 'slow'; readonly to: string; readonly message: Message }
  | { readonly type: 'die' }
  | { readonly type: 'watch'; readonly to: string }
  | { readonly type: 'cell.down' };

const world = handler<null, WorldMessage>({
  init: () => null,
  async receive(message, { tell, exit, watch }, from) {
    if (message.type === 'die') exit({ kind: 'crash', error: 'died' });
    else if (message.type === 'watch') watch(message.to);
    else if (message.type === 'cell.down') tell('top/a', { type: 'note', value: 99 });
    else {
      if (message.type === 'slow') await Promise.resolve();
      tell(message.to, message.message);
      if (from !== undefined) tell(from, { type: 'note', value: 7 });
    }
  },
});

const feed = boundary<{ readonly type: 'feed'; readonly to: string }>(async ({ inbox, tell }) => {
  for await (const { to } of inbox) tell(to, { type: 'note', value: 55 });
});

const tree = (): CellSpec =>
  child(
    'top',
    supervisor({
      strategy: 'rest_for_one',
      intensity: 6,
      period: millis(30),
      children: [
        child('a', puppet, { mailbox: { capacity: 3, postponed: 2 } }),
        child('world', world, { restart: 'transient' }),
        child('b', puppet, {
          backoff: { min: millis(2), max: millis(20), factor: 2, jitter: 1, resetAfter: millis(50) },
        }),
        child('feed', feed),
        child('g', gambler),
        child('r', raiser),
      ],
      templates: [child('extra', puppet, { restart: 'temporary' })],
    }),
  );

const pure = fc.constantFrom('top/a', 'top/b', 'top/g', 'top/x1', 'nowhere');
const plain: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ type: fc.constant('note'), value: fc.nat({ max: 9 }) }),
  fc.record({ type: fc.constant('later'), value: fc.nat({ max: 9 }) }),
  fc.record({ type: fc.constant('go'), to: fc.constantFrom('left', 'right') }),
  fc.record({ type: fc.constant('roll'), to: fc.constantFrom('top/a', 'top/b') }),
  fc.constant({ type: 'throw' }),
  fc.constant({ type: 'junk' }),
);
const effect: fc.Arbitrary<Effect> = fc.oneof(
  fc.record({ kind: fc.constant('tell'), to: pure, message: plain }),
  fc.record({
    kind: fc.constant('tell'),
    to: fc.constant('top/world'),
    message: fc.record({ type: fc.constantFrom('echo', 'slow'), to: pure, message: plain }),
  }),
  fc.record({
    kind: fc.constant('tell'),
    to: fc.constant('top/feed'),
    message: fc.record({ type: fc.constant('feed'), to: pure }),
  }),
  fc.record({ kind: fc.constant('reply'), message: plain }),
  fc.record({ kind: fc.constant('watch'), address: fc.constantFrom('top/world', 'top/b', 'nowhere') }),
  fc.record({
    kind: fc.constant('startTimer'),
    key: fc.constantFrom('k', 'l'),
    delayMs: fc.nat({ max: 9 }),
    message: plain,
  }),
  fc.constant({ kind: 'spawn', logic: 'idle', id: 's' }),
  fc.constant({ kind: 'stop', id: 's' }),
  fc.constant({ kind: 'exit', reason: { kind: 'normal' } }),
);
type Action =
  | 'keyframe'
  | { readonly tell: string; readonly message: Message }
  | { readonly ask: string; readonly message: Message; readonly timeout: number }
  | { readonly advance: number };
const orders = fc.record({ type: fc.constant('do'), effects: fc.array(effect, { maxLength: 3 }) });
const actions: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ tell: pure, message: fc.oneof(plain, orders) }) },
  fc.record({
    tell: fc.constant('top/world'),
    message: fc.oneof(fc.constant({ type: 'die' }), fc.record({ type: fc.constant('watch'), to: pure })),
  }),
  fc.record({
    tell: fc.constant('top'),
    message: fc.constantFrom<Message>(
      { type: 'child.start', template: 'extra', id: 'x1' },
      { type: 'child.stop', id: 'x1' },
    ),
  }),
  fc.record({
    tell: fc.constant('top/r'),
    message: fc.constantFrom<Message>({ type: 'poke' }, { type: 'move' }),
  }),
  fc.record({ ask: pure, message: orders, timeout: fc.nat({ max: 5 }) }),
  { weight: 2, arbitrary: fc.record({ advance: fc.nat({ max: 12 }) }) },
);

interface Run {
  readonly entries: readonly JournalEntry[];
  readonly dead: readonly DeadLetter[];
  /** Digest of each turn's cell, in order of turns. */
  readonly states: readonly { readonly turn: number; readonly address: string; readonly digest: string }[];
  readonly turns: number;
  readonly cells: readonly string[];
}

/** Who runs at the end, in which incarnation; boundary actors too, since their ends are journaled. */
const rollOf = (system: System): readonly string[] =>
  system.cells().map(({ address, status, incarnation }) => `${address} ${status} ${incarnation}`);

/** As a file would keep it. */
const throughJson = (keyframe: Keyframe): Keyframe => JSON.parse(JSON.stringify(keyframe));

async function record(
  script: readonly Action[],
  inspected: boolean,
  seed: string,
  frames: { readonly keyframe: Keyframe; readonly at: number }[] = [],
): Promise<Run> {
  const virtual = virtualClock({ startWallMs: 1_000 });
  // As a real clock does, it moves between any two looks at it.
  let looks = 0;
  const look = (): Monotonic => {
    looks += 1;
    return monotonic(virtual.now() + looks / 1_000_000);
  };
  const clock = { ...virtual, now: look };
  const journal = memoryJournal({ digestEvery: 1 });
  const dead: DeadLetter[] = [];
  const states: { turn: number; address: string; digest: string }[] = [];
  const system = createSystem({
    name: 'live',
    clock,
    random: seededRandom(seed),
    journal,
    onDeadLetter: (letter) => void dead.push(letter),
  });
  if (inspected) {
    system.inspect({
      transition: ({ turn, address, snapshot }) =>
        void states.push({ turn, address, digest: digestState(snapshot) }),
    });
  }
  system.start(tree());
  await clock.advanceAsync(0);
  for (const action of script) {
    if (action === 'keyframe') frames.push({ keyframe: system.keyframe(), at: journal.entries.length });
    else if ('advance' in action) await clock.advanceAsync(action.advance);
    else if ('ask' in action) {
      system
        .ref(action.ask)
        .ask(action.message, { timeout: millis(action.timeout) })
        .catch(() => undefined);
    } else system.ref(action.tell).tell(action.message);
  }
  await clock.advanceAsync(20);
  return { entries: journal.entries, dead, states, turns: system.counters().turns, cells: rollOf(system) };
}

function digestState(snapshot: unknown): string {
  if (typeof snapshot !== 'object' || snapshot === null || !('context' in snapshot)) return 'none';
  return digestOf(['value' in snapshot ? snapshot.value : null, snapshot.context]);
}

const isRepeated = ({ to }: DeadLetter): boolean => to !== 'top/world' && to !== 'top/feed';

describe('a replay', () => {
  it('gives the same snapshots, effects, draws and dead letters (RT-15)', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(actions, { maxLength: 30 }), fc.string(), async (script, seed) => {
        const live = await record(script, true, seed);
        const dead: DeadLetter[] = [];
        const states: { turn: number; address: string; digest: string }[] = [];
        const again = replay({
          name: 'again',
          random: seededRandom(seed),
          roots: [tree()],
          digestEvery: 1,
          onDeadLetter: (letter) => void dead.push(letter),
          inspector: {
            transition: ({ turn, address, snapshot }) =>
              void states.push({ turn, address, digest: digestState(snapshot) }),
          },
        });
        for (const entry of live.entries) again.feed(entry);
        again.runTo(live.turns);
        expect(again.divergence()).toBeUndefined();
        expect(states).toEqual(live.states);
        expect(dead.filter(isRepeated)).toEqual(live.dead.filter(isRepeated));
        expect(again.turn()).toBe(live.turns);
        expect(rollOf(again.system)).toEqual(live.cells);
      }),
      { numRuns: 120 },
    );
  });

  it('cut anywhere equals the live state there (RT-15)', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(actions, { minLength: 3, maxLength: 20 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        async (script, part) => {
          const live = await record(script, true, 'cut');
          const cut = Math.floor(live.turns * part);
          const again = replay({
            name: 'again',
            random: seededRandom('cut'),
            roots: [tree()],
            digestEvery: 1,
          });
          for (const entry of live.entries.filter(({ turn }) => turn < cut)) again.feed(entry);
          again.runTo(cut);
          expect(again.turn()).toBe(cut);
          const last = new Map(
            live.states.filter(({ turn }) => turn < cut).map((state) => [state.address, state.digest]),
          );
          for (const { address, snapshot, status } of again.system.cells()) {
            if (status === 'running' && snapshot !== undefined)
              expect(digestState(snapshot), address).toBe(last.get(address));
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is the same with and without an inspector, and run after run (RT-15, IN-4)', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(actions, { maxLength: 20 }), async (script) => {
        const seen = await record(script, true, 'twice');
        const unseen = await record(script, false, 'twice');
        expect(unseen.entries).toEqual(seen.entries);
        expect(unseen.dead).toEqual(seen.dead);
      }),
      { numRuns: 40 },
    );
  });

  it('from a keyframe is the same as from the beginning (RT-15, RP-4)', async () => {
    const later = fc.array(actions, { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(fc.array(actions, { maxLength: 15 }), later, async (script, rest) => {
        const frames: { readonly keyframe: Keyframe; readonly at: number }[] = [];
        const live = await record([...script, 'keyframe', ...rest], true, 'frame', frames);
        for (const { keyframe, at } of frames) {
          const states: Run['states'][number][] = [];
          const again = replay({
            name: 'again',
            random: seededRandom('frame'),
            roots: [tree()],
            digestEvery: 1,
            from: throughJson(keyframe),
            inspector: {
              transition: ({ turn, address, snapshot }) =>
                void states.push({ turn, address, digest: digestState(snapshot) }),
            },
          });
          for (const entry of live.entries.slice(at)) again.feed(entry);
          again.runTo(live.turns);
          expect(again.divergence()).toBeUndefined();
          expect(states).toEqual(live.states.filter(({ turn }) => turn >= keyframe.turn));
          expect(rollOf(again.system)).toEqual(live.cells);
        }
      }),
      { numRuns: 80 },
    );
  });

  it('records each draw (RT-15)', async () => {
    const script: Action[] = [1, 2, 3].map(() => ({
      tell: 'top/g',
      message: { type: 'roll', to: 'nowhere' },
    }));
    const { entries } = await record(script, false, 'never again');
    const stream = seededRandom('never again').stream('cells');
    const draws = entries.flatMap((entry) => (entry.kind === 'draw' ? [entry.value] : []));
    expect(draws.length).toBeGreaterThanOrEqual(3);
    expect(draws).toEqual(draws.map(() => stream.next()));
  });

  it('names the first turn that differs (RT-15)', async () => {
    const script: Action[] = [1, 2, 3].map((value) => ({ tell: 'top/a', message: { type: 'note', value } }));
    const live = await record(script, false, 'x');
    const again = replay({ name: 'again', random: seededRandom('x'), roots: [tree()], digestEvery: 1 });
    const forged = live.entries.map(
      (entry): JournalEntry =>
        entry.kind === 'message' &&
        entry.seq === live.entries.filter(({ kind }) => kind !== 'digest').length - 1
          ? { ...entry, message: { type: 'note', value: 1_000 } }
          : entry,
    );
    for (const entry of forged) again.feed(entry);
    again.runTo(live.turns);
    expect(again.divergence()).toMatchObject({
      expected: { kind: 'digest', address: 'top/a' },
      got: { kind: 'digest' },
    });
  });
});

describe('functions that a replay does not call', () => {
  const asking = (outside: Outside, secret: () => number) =>
    child(
      'asking',
      setup({
        types: types<{ readonly heard: readonly number[]; readonly secret: () => number }, Message>(),
        actions: {
          ask: step(({ context }) => ({
            context: { ...context, heard: [...context.heard, context.secret()] },
          })),
        },
      }).createMachine({
        context: { heard: [], secret: outside.wrap('secret', secret) },
        on: { go: { actions: 'ask' } },
      }),
    );
  const heardIn = (system: System): unknown => system.ref('asking').info()?.snapshot;

  async function recorded() {
    const [clock, outside] = [virtualClock(), new Outside()];
    const journal = memoryJournal({ digestEvery: 1 });
    const system = createSystem({ name: 'live', clock, random: seededRandom('o'), journal, outside });
    let times = 0;
    system.start(
      asking(outside, () => {
        times += 1;
        return times * 7;
      }),
    );
    await clock.advanceAsync(0);
    for (let turn = 0; turn < 3; turn += 1) system.ref('asking').tell({ type: 'go' });
    await clock.advanceAsync(1);
    return { entries: journal.entries, turns: system.counters().turns, heard: heardIn(system) };
  }
  function again(entries: readonly JournalEntry[], turns: number) {
    const outside = new Outside();
    const never = (): number => {
      throw new Error('a replay has no secret');
    };
    const roots = [asking(outside, never)];
    const copy = replay({ name: 'again', random: seededRandom('o'), roots, digestEvery: 1, outside });
    for (const entry of entries) copy.feed(entry);
    copy.runTo(turns);
    return copy;
  }

  it('give what the journal says that they gave (RP-8)', async () => {
    const { entries, turns, heard } = await recorded();
    expect(heard).toMatchObject({ context: { heard: [7, 14, 21] } });
    const copy = again(entries, turns);
    expect(copy.divergence()).toBeUndefined();
    expect(heardIn(copy.system)).toMatchObject({ context: { heard: [7, 14, 21] } });
  });

  it('are a divergence where the journal has none, or one too many', async () => {
    const { entries, turns } = await recorded();
    const place = entries.findLastIndex(({ kind }) => kind === 'result');
    const short = again(entries.toSpliced(place, 1), turns);
    expect(short.divergence()).toMatchObject({
      expected: { kind: 'digest' },
      got: { kind: 'result', name: 'secret' },
    });
    const [extra] = entries.slice(place);
    if (extra === undefined) throw new Error('there is a result');
    const long = again(entries.toSpliced(place, 0, extra), turns);
    expect(long.divergence()).toMatchObject({ expected: { kind: 'result' }, got: { kind: 'digest' } });
  });
});

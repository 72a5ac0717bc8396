/**
 * The runtime beside raw XState, nact and comedy, in one run: a machine with one assign, fixed sizes (RT-18).
 * Run: node --expose-gc bench/runtime.bench.ts [--write]. Contenders take turns in small rounds, so that a busy machine
 * slows them alike; figures are medians of processor time for each message, with the quartiles.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { createSystem as createComedy } from 'comedy';
import { dispatch, spawn as spawnNact, start as startNact, stop as stopNact } from 'nact';
import { assign, createActor, setup } from 'xstate';
import {
  boundary,
  child,
  createSystem,
  type JournalEntry,
  type Message,
  memoryJournal,
  replay,
  seededRandom,
  step,
  supervisor,
  types,
  virtualClock,
} from '../src/actors/runtime/index.ts';

/** Messages in a round; below the mailbox capacity of 4,096. */
const ROUND_MESSAGES = 1_000;
const WARM_UP_ROUNDS = 40;
const ROUNDS = 200;
const IDLE_CELLS = 10_000;

type AddEvent = { readonly type: 'add'; readonly by: number };
const ADD: AddEvent = { type: 'add', by: 1 };

const counter = setup({
  types: types<{ readonly n: number }, AddEvent>(),
  actions: { add: assign({ n: ({ context, event }) => context.n + event.by }) },
}).createMachine({ id: 'counter', context: { n: 0 }, on: { add: { actions: 'add' } } });

const stepper = setup({
  types: types<{ readonly n: number }, AddEvent>(),
  actions: { add: step(({ context, event }) => ({ context: { n: context.n + event.by } })) },
}).createMachine({ id: 'stepper', context: { n: 0 }, on: { add: { actions: 'add' } } });

interface Contender {
  readonly name: string;
  /** Handles one round of messages to the end. */
  round(): void | Promise<void>;
  close(): void | Promise<void>;
}

function rawXState(): Contender {
  const actor = createActor(counter).start();
  return {
    name: 'XState actor.send',
    round() {
      for (let count = 0; count < ROUND_MESSAGES; count += 1) actor.send({ type: 'add', by: 1 });
    },
    close: () => void actor.stop(),
  };
}

function althing(name: string, machine: typeof counter | typeof stepper, journal: 'off' | 'on'): Contender {
  const clock = virtualClock();
  let entries: JournalEntry[] = [];
  // As a file journal takes entries: it holds them until the next write.
  const sink = { digestEvery: 256, record: (entry: JournalEntry) => void entries.push(entry) };
  const system = createSystem({
    name,
    clock,
    random: seededRandom('bench'),
    ...(journal === 'on' ? { journal: sink } : {}),
  });
  system.start(child('node', supervisor({ children: [child('counter', machine)] })));
  clock.settle();
  const ref = system.ref('node/counter');
  return {
    name,
    round() {
      for (let count = 0; count < ROUND_MESSAGES; count += 1) ref.tell({ type: 'add', by: 1 });
      clock.settle();
      entries = [];
    },
    async close() {
      const stopped = system.stop();
      clock.settle();
      await stopped;
    },
  };
}

function nact(): Contender {
  const system = startNact();
  let handled = 0;
  let finish: () => void = () => undefined;
  const actor = spawnNact(
    system,
    (state: { readonly n: number } = { n: 0 }, message: AddEvent) => {
      handled += 1;
      if (handled % ROUND_MESSAGES === 0) finish();
      return { n: state.n + message.by };
    },
    'counter',
  );
  return {
    name: 'nact dispatch (a function, no chart)',
    round: () =>
      new Promise((resolve) => {
        finish = resolve;
        for (let count = 0; count < ROUND_MESSAGES; count += 1) dispatch(actor, ADD);
      }),
    close: () => stopNact(system),
  };
}

async function comedy(): Promise<Contender> {
  const quiet = { isDebug: () => false, debug() {}, info() {}, warn() {}, error() {} };
  const system = createComedy({ log: quiet });
  const root = await system.rootActor();
  let n = 0;
  let finish: () => void = () => undefined;
  const actor = await root.createChild({
    add(by: number) {
      n += by;
      if (n % ROUND_MESSAGES === 0) finish();
    },
  });
  return {
    name: 'comedy send (a function, no chart)',
    round: () =>
      new Promise((resolve) => {
        finish = resolve;
        for (let count = 0; count < ROUND_MESSAGES; count += 1) void actor.send('add', 1);
      }),
    close: () => system.destroy(),
  };
}

interface Figure {
  readonly name: string;
  /** Processor time for each message. @unit µs */
  readonly micros: number;
  readonly quartiles: readonly [number, number];
  /** Throughput as a share of raw XState's, measured in the same rounds. */
  readonly ratio: number;
}

async function measureThroughput(): Promise<readonly Figure[]> {
  const contenders = [
    rawXState(),
    althing('althing, journal off', counter, 'off'),
    althing('althing, journal on', counter, 'on'),
    althing('althing, step() for assign', stepper, 'off'),
    nact(),
    await comedy(),
  ];
  const samples = new Map(contenders.map(({ name }) => [name, [] as number[]]));
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round += 1) {
    for (const contender of contenders) {
      const before = process.cpuUsage();
      await contender.round();
      const { user, system } = process.cpuUsage(before);
      if (round >= 0) samples.get(contender.name)?.push((user + system) / ROUND_MESSAGES);
    }
  }
  for (const contender of contenders) await contender.close();
  const baseline = quantile(samples.get('XState actor.send') ?? [], 0.5);
  return [...samples].map(([name, list]) => ({
    name,
    micros: quantile(list, 0.5),
    quartiles: [quantile(list, 0.25), quantile(list, 0.75)],
    ratio: baseline / quantile(list, 0.5),
  }));
}

function quantile(list: readonly number[], part: number): number {
  const sorted = list.toSorted((left, right) => left - right);
  return sorted[Math.floor((sorted.length - 1) * part)] ?? Number.NaN;
}

interface SpawnFigures {
  /** Medians for the first and the last thousand siblings. @unit µs */
  readonly firstThousand: number;
  readonly lastThousand: number;
  /** @unit MB */
  readonly heapMb: number;
}

/** Ten thousand siblings under one parent. */
function measureSpawn(): SpawnFigures {
  const clock = virtualClock();
  const system = createSystem({ name: 'spawn', clock, random: seededRandom('bench') });
  const boss = setup({
    types: types<{ readonly n: number }, { readonly type: 'grow'; readonly by: number }>(),
    actors: { counter },
    actions: {
      grow: step(({ context, event }) => ({
        context: { n: context.n + event.by },
        effects: Array.from({ length: event.by }, (_, index) => ({
          kind: 'spawn' as const,
          logic: 'counter',
          id: `c${context.n + index}`,
        })),
      })),
    },
  }).createMachine({ id: 'boss', context: { n: 0 }, on: { grow: { actions: 'grow' } } });
  system.start(child('boss', boss));
  clock.settle();
  globalThis.gc?.();
  const heapBefore = process.memoryUsage().heapUsed;
  const perHundred: number[] = [];
  for (let count = 0; count < IDLE_CELLS; count += 100) {
    const before = process.cpuUsage();
    system.ref('boss').tell({ type: 'grow', by: 100 });
    clock.settle();
    const { user, system: kernel } = process.cpuUsage(before);
    perHundred.push((user + kernel) / 100);
  }
  globalThis.gc?.();
  const heapMb = (process.memoryUsage().heapUsed - heapBefore) / 1e6;
  if (system.cells().length !== IDLE_CELLS + 1) throw new Error('not all cells were spawned');
  return {
    firstThousand: quantile(perHundred.slice(0, 10), 0.5),
    lastThousand: quantile(perHundred.slice(-10), 0.5),
    heapMb,
  };
}

/** Messages a second that a replay repeats, digests compared. */
function measureReplay(): number {
  const journal = memoryJournal();
  const clock = virtualClock();
  const system = createSystem({ name: 'live', clock, random: seededRandom('bench'), journal });
  const spec = child('node', supervisor({ children: [child('counter', counter)] }));
  system.start(spec);
  clock.settle();
  for (let count = 0; count < 100_000; count += 1) {
    system.ref('node/counter').tell(ADD);
    if (count % ROUND_MESSAGES === 0) clock.settle();
  }
  clock.settle();
  const again = replay({ name: 'again', random: seededRandom('bench'), roots: [spec], digestEvery: 256 });
  const before = process.cpuUsage();
  for (const entry of journal.entries) again.feed(entry);
  again.runTo(system.counters().turns);
  const { user, system: kernel } = process.cpuUsage(before);
  if (again.divergence() !== undefined) throw new Error('the replay diverged');
  return 100_000 / ((user + kernel) / 1e6);
}

/** One question to a chart and its answer, from a boundary actor, on the real event loop's turns. */
async function measureInbox(): Promise<number> {
  const clock = virtualClock();
  const system = createSystem({ name: 'inbox', clock, random: seededRandom('bench') });
  let taken = 0;
  const eater = boundary<Message>(async ({ inbox }) => {
    for await (const message of inbox) taken += message.type === 'add' ? 1 : 0;
  });
  system.start(child('node', supervisor({ children: [child('eater', eater)] })));
  clock.settle();
  const before = process.cpuUsage();
  for (let round = 0; round < 20; round += 1) {
    for (let count = 0; count < ROUND_MESSAGES; count += 1) system.ref('node/eater').tell(ADD);
    while (taken < (round + 1) * ROUND_MESSAGES) {
      clock.settle();
      await Promise.resolve();
    }
  }
  const { user, system: kernel } = process.cpuUsage(before);
  return (user + kernel) / (20 * ROUND_MESSAGES);
}

const throughput = await measureThroughput();
measureSpawn();
const spawned = measureSpawn();
const replayed = measureReplay();
const inbox = await measureInbox();
const lines = [
  '| contender | µs a message | quartiles | share of raw XState |',
  '|---|---|---|---|',
  ...throughput.map(
    ({ name, micros, quartiles: [low, high], ratio }) =>
      `| ${name} | ${micros.toFixed(2)} | ${low.toFixed(2)} to ${high.toFixed(2)} | ${(ratio * 100).toFixed(0)} % |`,
  ),
  '',
  '| figure | measured | target (RT-18, RP-4) |',
  '|---|---|---|',
  `| spawning one of the first 1,000 siblings | ${spawned.firstThousand.toFixed(1)} µs | 25 µs |`,
  `| spawning one of the last 1,000 of 10,000 | ${spawned.lastThousand.toFixed(1)} µs | 25 µs |`,
  `| heap of 10,000 idle cells | ${spawned.heapMb.toFixed(1)} MB | 40 MB |`,
  `| replay, digests compared | ${Math.round(replayed).toLocaleString('en')} messages/s | 100,000 |`,
  `| a message to an async boundary function | ${inbox.toFixed(2)} µs | none |`,
];
console.log(lines.join('\n'));

if (process.argv.includes('--write')) {
  const date = new Date().toISOString().slice(0, 10);
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const head = `# Runtime\n\n${date}, commit ${commit}, Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}. \`node --expose-gc bench/runtime.bench.ts --write\`\n\n`;
  mkdirSync('bench/results', { recursive: true });
  writeFileSync('bench/results/runtime.md', `${head}${lines.join('\n')}\n`);
}
process.exit(0);

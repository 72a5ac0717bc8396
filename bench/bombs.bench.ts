/**
 * What a compressed state costs that an attacker made (BR-5): each crafted one through each LZ4 engine, and memory before and
 * after. Exit code 1 when one costs 10 ms, is taken for what it is not, or memory stays.
 * Run: npm run bench -- bombs [--count=100000] [--seed=bombs]. A state that seems dear is read twice more, and the least counts: others use this machine too.
 */
import { equalBytes } from '../src/base/bytes.ts';
import { restoreState } from '../src/transport/codec/compressed-state.ts';
import type { Lz4Engine } from '../src/transport/lz4/engine.ts';
import { ENGINES, portable } from '../test/transport/lz4/engines.ts';
import {
  CRAFTED_BYTES_MAX,
  CRAFTED_SEQUENCE,
  type CraftedState,
  craftedStates,
} from '../test/transport/support/crafted-states.ts';
import { numberOf, wordOf } from './flags.ts';

const COUNT = numberOf('count', 100_000);
const SEED = wordOf('seed') ?? 'bombs';
/** Above it, a state is read again. @unit µs */
const SEEMS_DEAR = 500;
/** @unit µs @source BR-5 */
const COST_MAX = 10_000;
/** What may be held more at the end. @unit MiB */
const HELD_MORE_MAX = 4;
const MIB = 1024 * 1024;
const EXPECTATION = { sequence: CRAFTED_SEQUENCE, bytesMax: CRAFTED_BYTES_MAX };

/** Held: what is reachable. Resident: with the room that V8 and malloc keep for more, also for the making of states. @unit MiB */
function memory(): { readonly held: number; readonly resident: number } {
  // Twice: the buffers that one finds unreachable are freed by the next.
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
  return { held: (heapUsed + arrayBuffers) / MIB, resident: rss / MIB };
}

/** Microseconds, and whether it was rightly taken or refused. */
function read({ state, original }: CraftedState, engine: Lz4Engine) {
  const start = process.hrtime.bigint();
  const reading = restoreState(state, EXPECTATION, engine);
  const cost = Number(process.hrtime.bigint() - start) / 1_000;
  const isRight = reading.outcome === 'refused' || equalBytes(reading.serialised, original);
  return { cost, isRight, code: reading.outcome === 'refused' ? reading.refusal.code : 'read' };
}

function run(engine: Lz4Engine): void {
  const costs = new Float64Array(COUNT);
  const codes = new Map<string, number>();
  const dearest = { once: 0, least: 0, craft: '' };
  let wrong = 0;
  const states = craftedStates(SEED, portable);
  for (let warm = 0; warm < 5_000; warm += 1) read(states.next().value, engine);
  const before = memory();
  let half = before;
  for (let index = 0; index < COUNT; index += 1) {
    const crafted = states.next().value;
    const { cost, isRight, code } = read(crafted, engine);
    if (!isRight) wrong += 1;
    codes.set(code, (codes.get(code) ?? 0) + 1);
    const least =
      cost > SEEMS_DEAR ? Math.min(cost, read(crafted, engine).cost, read(crafted, engine).cost) : cost;
    costs[index] = least;
    dearest.once = Math.max(dearest.once, cost);
    if (least > dearest.least) Object.assign(dearest, { least, craft: crafted.craft });
    if (index === COUNT >> 1) half = memory();
  }
  costs.sort();
  const at = (share: number): string => (costs[Math.floor(COUNT * share)] ?? 0).toFixed(1);
  console.log(`${engine.name}: ${COUNT} crafted states, seed '${SEED}', wrong and taken: ${wrong}`);
  console.log(
    `  µs: median ${at(0.5)}, p99 ${at(0.99)}, greatest ${dearest.least.toFixed(1)} (${dearest.craft}); greatest in one go ${dearest.once.toFixed(1)}`,
  );
  const after = memory();
  for (const what of ['held', 'resident'] as const) {
    const [first, second, third] = [before, half, after].map((at) => at[what].toFixed(1));
    console.log(`  MiB ${what}: ${first} before, ${second} halfway, ${third} after`);
  }
  for (const [code, count] of [...codes].sort()) console.log(`  ${code.padEnd(28)} ${count}`);
  if (wrong > 0 || dearest.least > COST_MAX || after.held - before.held > HELD_MORE_MAX) process.exitCode = 1;
}

for (const engine of ENGINES) run(engine);

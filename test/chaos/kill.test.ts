/**
 * kill -9 at random points of random validators under load: one, two at once, the leader, during start-up, in the
 * middle of catching up. More with ALTHING_CHAOS_CYCLES; a new network now and then bounds what must be kept. SM-10.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { ALL, ChaosNetwork, now, summaryOf, type Tally } from './support/chaos-network.ts';
import { Choices, countFrom } from './support/settings.ts';

/** @unit kill cycles */
const CYCLES = countFrom('ALTHING_CHAOS_CYCLES', 6);
/** After so many the homes are judged to the last height, and new ones made. @unit cycles */
const NETWORK_CYCLES_MAX = 100;
/** Cycles between two judgements. @unit cycles */
const JUDGED_EVERY = 10;
/** Longest rest before a kill. @unit ms */
const REST_MS_MAX = 300;
/** A start takes about a second on an idle machine: a kill falls anywhere in it. @unit ms */
const START_MS = 1_200;
/** Long enough away to have blocks to fetch. @unit ms */
const AWAY_MS = { from: 500, to: 1_500 } as const;
/** Around the moment at which a validator is ready: it fetches blocks, or has just joined. @unit ms */
const CATCHING_UP_MS = 150;

let network: ChaosNetwork | undefined;
afterEach(() => network?.remove());

const choices = new Choices('kill -9');
const others = (...gone: readonly number[]): readonly number[] => ALL.filter((one) => !gone.includes(one));

/** One fault each; all that was killed is started again. */
const faults = {
  async one(chaos: ChaosNetwork) {
    const victim = choices.below(4);
    const from = now();
    await chaos.kill(victim);
    if (choices.below(2) === 0) await chaos.progress(others(victim), from);
    chaos.start(victim);
  },
  async leader(chaos: ChaosNetwork) {
    const victim = choices.below(4);
    await chaos.turnOf(victim);
    const from = now();
    await chaos.kill(victim);
    await chaos.progress(others(victim), from);
    chaos.start(victim);
  },
  async two(chaos: ChaosNetwork) {
    const [first = 0, second = 1] = choices.shuffled(ALL);
    if (choices.below(2) === 0) await chaos.kill(first, second);
    else {
      await chaos.kill(first);
      await sleep(choices.below(300));
      await chaos.kill(second);
    }
    await sleep(choices.below(300));
    for (const index of choices.shuffled([first, second])) chaos.start(index);
  },
  async 'during start-up'(chaos: ChaosNetwork) {
    const victim = choices.below(4);
    await chaos.kill(victim);
    for (let times = choices.between(1, 3); times > 0; times -= 1) {
      chaos.start(victim);
      await sleep(choices.below(START_MS));
      await chaos.kill(victim);
    }
    chaos.start(victim);
  },
  async 'while catching up'(chaos: ChaosNetwork) {
    const victim = choices.below(4);
    await chaos.kill(victim);
    await sleep(choices.between(AWAY_MS.from, AWAY_MS.to));
    await chaos.killWhenReady(victim, choices.below(CATCHING_UP_MS));
    chaos.start(victim);
  },
} as const;

const NAMES = ['one', 'leader', 'two', 'during start-up', 'while catching up'] as const;

it(
  `${CYCLES} kill -9 cycles at random points: all rejoin, nobody signs twice, nothing acknowledged is lost (SM-10)`,
  async () => {
    const tallies: Tally[] = [];
    const drawn = new Map<string, number>();
    for (let cycle = 0; cycle < CYCLES; cycle += 1) {
      network ??= await ChaosNetwork.create();
      const name = cycle < NAMES.length ? (NAMES[cycle] ?? 'one') : choices.one(NAMES);
      drawn.set(name, (drawn.get(name) ?? 0) + 1);
      await sleep(choices.below(REST_MS_MAX));
      await faults[name](network);
      await network.rejoined();
      network.cycles += 1;
      if (network.cycles % JUDGED_EVERY === 0) await network.judge();
      if (network.cycles < NETWORK_CYCLES_MAX && cycle < CYCLES - 1) continue;
      tallies.push(await network.finish());
      network = undefined;
      const kinds = [...drawn].map(([kind, times]) => `${kind} ${times}`).join(', ');
      console.log(summaryOf(`kill -9 (${kinds})`, tallies));
    }
    expect(tallies.reduce((sum, { cycles }) => sum + cycles, 0)).toBe(CYCLES);
  },
  60_000 + CYCLES * 60_000,
);

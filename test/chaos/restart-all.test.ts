/**
 * kill -9 of all four at once, as in a power failure of the one machine, and all started again: what was acknowledged is
 * there, and the chain goes on. More with ALTHING_CHAOS_RESTARTS. Rule SM-10.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { ALL, ChaosNetwork, now, summaryOf, type Tally } from './support/chaos-network.ts';
import { Choices, countFrom } from './support/settings.ts';

/** @unit restarts of all */
const CYCLES = countFrom('ALTHING_CHAOS_RESTARTS', 2);
/** After so many the homes are judged to the last height, and new ones made. @unit cycles */
const NETWORK_CYCLES_MAX = 50;
/** Longest load before a kill, longest rest between two starts. @unit ms */
const LOAD_MS_MAX = 1_000;
const STAGGER_MS_MAX = 400;
/** A start takes about a second on an idle machine. @unit ms */
const START_MS = 1_500;

let network: ChaosNetwork | undefined;
afterEach(() => network?.remove());

const choices = new Choices('restart of all');

async function startAll(chaos: ChaosNetwork): Promise<void> {
  const stagger = choices.below(2) === 0 ? 0 : STAGGER_MS_MAX;
  for (const index of choices.shuffled(ALL)) {
    chaos.start(index);
    if (stagger > 0) await sleep(choices.below(stagger));
  }
}

it(
  `${CYCLES} times: the chain goes on, nobody signs twice, nothing acknowledged is lost (SM-10)`,
  async () => {
    const tallies: Tally[] = [];
    let again = 0;
    for (let cycle = 0; cycle < CYCLES; cycle += 1) {
      network ??= await ChaosNetwork.create();
      await sleep(choices.below(LOAD_MS_MAX));
      await network.kill(...ALL);
      // One in three dies once more while it starts.
      if (choices.below(3) === 0) {
        again += 1;
        await startAll(network);
        await sleep(choices.below(START_MS));
        await network.kill(...ALL);
      }
      const from = now();
      await startAll(network);
      await network.progress(ALL, from);
      await network.rejoined();
      network.cycles += 1;
      await network.judge();
      if (network.cycles < NETWORK_CYCLES_MAX && cycle < CYCLES - 1) continue;
      tallies.push(await network.finish());
      network = undefined;
      console.log(summaryOf('kill -9 of all four', tallies, ` (${again} times again while they started)`));
    }
    expect(tallies.reduce((sum, { cycles }) => sum + cycles, 0)).toBe(CYCLES);
  },
  60_000 + CYCLES * 60_000,
);

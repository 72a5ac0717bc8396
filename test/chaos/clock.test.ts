/**
 * One validator with a wrong wall clock: ten seconds ahead or behind, an hour, a clock that runs too fast, set while it
 * runs or before it starts. The other three go on; when the clock is right again it counts again. More with
 * ALTHING_CHAOS_CLOCKS. Rules SM-10, TM-8.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { ALL, ChaosNetwork, now, summaryOf } from './support/chaos-network.ts';
import {
  CLOCK_LOOKED_AT_MS,
  clockLaunch,
  requireFaketime,
  setClock,
  TRUE_CLOCK,
} from './support/faketime.ts';
import { Choices, countFrom } from './support/settings.ts';

/** @unit wrong clocks */
const CLOCKS = countFrom('ALTHING_CHAOS_CLOCKS', 2);
const ERRORS = ['+10 x1', '-10 x1', '+3600 x1', '-3600 x1', '+0 x1.5', '+0 x0.5', '+1 x1', '-1 x1'] as const;
/** How long a clock stays wrong: some turns as a leader. @unit ms */
const WRONG_MS = { from: 1_000, to: 2_500 } as const;

const choices = new Choices('clocks');
const others = (...gone: readonly number[]): readonly number[] => ALL.filter((one) => !gone.includes(one));

let network: ChaosNetwork | undefined;
let library = '';
beforeAll(() => {
  library = requireFaketime();
});
afterEach(() => network?.remove());

/** Before the chain began a validator does not start: it says so. */
async function expectNoStart(chaos: ChaosNetwork, victim: number, directory: string): Promise<void> {
  await chaos.kill(victim);
  setClock(directory, victim, '-86400 x1');
  chaos.start(victim);
  const { code, stderr } = await chaos.ended(victim);
  expect([code, stderr]).toEqual([3, expect.stringContaining('the chain begins at')]);
  setClock(directory, victim, TRUE_CLOCK);
  chaos.start(victim);
  await chaos.rejoined();
}

it(
  `${CLOCKS} wrong clocks: the other three go on, nobody signs twice, and a right clock counts again (SM-10, TM-8)`,
  async () => {
    network = await ChaosNetwork.create({
      prepare: ({ network: { directory } }) => {
        for (const index of ALL) setClock(directory, index, TRUE_CLOCK);
      },
      launch: (index, { directory }) => clockLaunch(directory, index, library),
    });
    const { directory } = network.validators.network;
    const told: string[] = [];
    for (let cycle = 0; cycle < CLOCKS; cycle += 1) {
      const victim = choices.below(4);
      // Far ahead first: its own proposals are refused. The others are drawn.
      const error = cycle === 0 ? '+10 x1' : choices.one(ERRORS);
      // A clock behind the genesis keeps it from starting; that is another test.
      const restarts = !error.startsWith('-') && choices.below(2) === 0;
      told.push(`${error}${restarts ? ' from its start' : ''}`);
      setClock(directory, victim, error);
      if (restarts) {
        await network.kill(victim);
        network.start(victim);
      } else await sleep(CLOCK_LOOKED_AT_MS);
      for (const until = now() + choices.between(WRONG_MS.from, WRONG_MS.to); now() < until; ) {
        await network.progress(others(victim));
      }
      setClock(directory, victim, TRUE_CLOCK);
      await sleep(CLOCK_LOOKED_AT_MS);
      await network.rejoined();
      await network.progress(ALL);
      // Without another one the quorum needs it: it must vote.
      const gone = others(victim)[choices.below(3)] ?? 0;
      await network.kill(gone);
      await network.progress(others(gone));
      network.start(gone);
      await network.rejoined();
      network.cycles += 1;
    }
    await expectNoStart(network, choices.below(4), directory);
    const tally = await network.finish();
    network = undefined;
    console.log(summaryOf(`wrong clocks (${told.join(', ')} s)`, [tally]));
    expect(tally.cycles).toBe(CLOCKS);
  },
  90_000 + CLOCKS * 90_000,
);

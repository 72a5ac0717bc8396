/** Catching up beside peers that are slow or silent, in whole networks: how long it takes with them and without. SY-6, SY-8. */
import { describe, expect, it } from 'vitest';
import { millis } from '../../src/base/units.ts';
import { networkSyncOf } from '../../src/node/views.ts';
import type { BlocksMessage } from '../../src/protocol/sync/messages.ts';
import { Cluster } from '../../src/simulation/cluster.ts';
import type { Voice } from '../../src/simulation/process-hub.ts';
import { CALM, type Transit } from '../../src/transport/hub.ts';

const SECOND = 1_000;
/** Just below the longest patience of SY-8. */
const TRICKLE_MS = 2_900;
/** Whom the late node asks first, by the draws of this seed. */
const FIRST = 2;

/** What a validator makes of the blocks that it gives to the one who is late. */
type Giving = (answer: BlocksMessage, later: (ms: number, message: BlocksMessage) => void) => void;

const trickle: Giving = (answer, later) => {
  const [first] = answer.blocks;
  const names = new Set(first?.block.header.batches.map(({ digest }) => digest));
  const batches = answer.batches.slice(0, names.size);
  later(TRICKLE_MS, { ...answer, blocks: answer.blocks.slice(0, 1), batches });
};
const silence: Giving = () => undefined;

interface Trial {
  readonly validators: number;
  readonly bad: readonly number[];
  /** Whose links are short, be they good or bad. */
  readonly near: readonly number[];
  readonly giving: Giving;
  readonly seed: string;
  /** Before the late one starts. */
  readonly ms: number;
}

/** Virtual time from the start of the last validator until it is in sync. */
function catchUpTime({ validators, bad, near, giving, seed, ms }: Trial): number {
  const late = validators - 1;
  let held = 0;
  const honest = Array.from({ length: late }, (_, index) => index).filter((index) => !bad.includes(index));
  const [first = 0, ...others] = honest;
  const run = new Cluster({
    seed,
    validators,
    absent: [late],
    liars: bad,
    leaders: [first, ...others],
    timeouts: { emptyBlockIntervalMs: millis(25) },
    voiceOf: ({ node }, net): Voice => {
      const isToLate = ({ to }: Transit) => to === net.node(late).instance.address;
      return {
        heard: () => undefined,
        outgoing: (sent) => {
          if (!isToLate(sent) || sent.message.kind !== 'Blocks') return [sent];
          held += 1;
          giving(sent.message, (ms, message) => {
            net.clock.schedule(ms, () => net.inject(node, late, message));
          });
          return [];
        },
      };
    },
  });
  run.advance(ms);
  const behind = run.height(honest[0] ?? 0);
  expect(behind).toBeGreaterThan(130);
  run.setLinks({ ...CALM, delayMin: millis(60) });
  // Whoever is near is asked first.
  for (const one of near) run.setLinks(CALM, { from: one, to: late });
  const started = run.clock.now();
  run.start(late);
  const isLevel = () => {
    const system = run.node(late).process?.system;
    const status = system === undefined ? undefined : networkSyncOf(system)?.context.status.kind;
    return status === 'InSync' && run.height(late) >= behind;
  };
  for (let step = 0; step < 600 && !isLevel(); step += 1) run.advance(100);
  expect(isLevel()).toBe(true);
  expect(held > 0).toBe(bad.length > 0);
  expect(run.checker.violations).toEqual([]);
  return run.clock.now() - started;
}

describe('a late node beside slow peers', () => {
  it('three honest ones and one that gives a block every 2.9 s: at most twice the time without it (SY-8)', () => {
    const trial = { validators: 5, near: [FIRST], giving: trickle, seed: 'trickle', ms: 7 * SECOND };
    const without = catchUpTime({ ...trial, bad: [] });
    expect(catchUpTime({ ...trial, bad: [FIRST] })).toBeLessThanOrEqual(2 * without);
  });

  it('ten of which three say nothing when they are asked for blocks: some seconds, not a minute (SY-8)', () => {
    const bad = [0, 1, 2];
    expect(
      catchUpTime({ validators: 10, near: bad, giving: silence, seed: 'silent', ms: 5 * SECOND, bad }),
    ).toBeLessThan(15 * SECOND);
  });
});

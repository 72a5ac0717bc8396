/** What is lost in a cluster, and why: nothing is dropped silently, and nothing is dropped by a chart that forgot it. RT-8. */
import { describe, expect, it } from 'vitest';
import type { DeadLetter } from '../../src/actors/runtime/index.ts';
import { millis } from '../../src/base/units.ts';
import { Cluster } from '../../src/simulation/cluster.ts';
import type { ClusterOptions } from '../../src/simulation/cluster-options.ts';

const SECOND = 1_000;

const cluster = (options: Partial<ClusterOptions> = {}) =>
  new Cluster({ seed: 7, timeouts: { emptyBlockIntervalMs: millis(200) }, ...options });

/** Gathers the dead letters of the processes that run now; call it again after each start. */
function listening(run: Cluster): {
  readonly unhandled: () => readonly string[];
  readonly again: () => void;
} {
  const systems = new Set<object>();
  const letters: DeadLetter[] = [];
  const again = (): void => {
    for (const { process } of run.nodes) {
      if (process === undefined || systems.has(process.system)) continue;
      systems.add(process.system);
      process.system.deadLetters.listen((letter) => void letters.push(letter));
    }
  };
  again();
  return {
    again,
    unhandled: () =>
      letters
        .filter(({ reason }) => reason === 'unhandled')
        .map(({ to, state, message }) => `${to} in ${JSON.stringify(state)}: ${message.type}`),
  };
}

describe('in a cluster', () => {
  it.each([1, 4, 7])('of %i healthy validators no message is unhandled (RT-8)', (validators) => {
    const run = cluster({ validators });
    const { unhandled } = listening(run);
    run.advance(SECOND);
    for (let index = 0; index < 20; index += 1) {
      run.submit(index % validators, `name${index}=ada`);
      run.advance(100);
    }
    run.advance(10 * SECOND);
    expect(run.checker.committedHeight).toBeGreaterThan(20);
    expect(unhandled()).toEqual([]);
  });

  it('that loses messages and validators, what comes late or early is expected by its chart (RT-8)', () => {
    const run = cluster({
      seed: 9,
      faults: { delayMin: millis(5), delayMean: millis(40), drop: 0.1, duplicate: 0.1, reorder: true },
    });
    const { unhandled, again } = listening(run);
    for (let turn = 0; turn < 60; turn += 1) {
      if (turn % 6 === 2) run.crash(turn % 4);
      if (turn % 6 === 5) run.start((turn - 3) % 4);
      if (turn % 10 === 3) run.partition([0, 1, 2], [3]);
      if (turn % 10 === 8) run.heal();
      again();
      run.submit(turn % 4, `name${turn}=ada`);
      run.advance(700);
    }
    expect(run.checker.committedHeight).toBeGreaterThan(20);
    expect(unhandled()).toEqual([]);
  });
});

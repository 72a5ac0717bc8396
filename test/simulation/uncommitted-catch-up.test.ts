/** A validator behind a chain that is certified and not committed anywhere, on calm links. Rules CS-5, CS-12. */
import { expect, it } from 'vitest';
import { millis } from '../../src/base/units.ts';
import { parseRound } from '../../src/protocol/chain/parse.ts';
import { Cluster } from '../../src/simulation/cluster.ts';

/** Index of the validator that leads a round. */
function leads(run: Cluster, at: number): number {
  const round = parseRound(at);
  if (round === 'malformed') throw new Error(`no round ${at}`);
  return run.nodes.findIndex(({ address }) => address === run.leaderOf(round));
}

it.each([20, 45, 150])(
  'catches up %i blocks that nobody has committed, when a quorum needs it',
  (blocks) => {
    let loses = true;
    const run: Cluster = new Cluster({
      seed: 7,
      timeouts: { emptyBlockIntervalMs: millis(200), roundTimeoutMsMax: millis(2_000) },
      // Without the proposals of odd rounds no two rounds follow each other: blocks are certified and none is committed.
      tamper: ({ message }) =>
        loses && message.kind === 'Proposal' && message.block.header.round % 2 === 1 ? 'drop' : 'pass',
    });
    const [dead, late] = [leads(run, 4), leads(run, 7)];
    run.partition(
      [0, 1, 2, 3].filter((index) => index !== late),
      [late],
    );
    const certified = (): number => run.view(dead)?.pacemaker.highQC.height ?? 0;
    for (let step = 0; step < 4_000 && certified() < blocks; step += 1) run.advance(500);
    expect(certified()).toBeGreaterThanOrEqual(blocks);
    expect(run.height(dead)).toBe(0);
    run.crash(dead);
    loses = false;
    run.heal();
    run.advance(60_000);
    // That rounds pass without a commit is what this test does to it.
    expect(run.checker.violations.filter(({ detail }) => !detail.includes('newest commit is of 0'))).toEqual(
      [],
    );
    expect(run.height(late)).toBeGreaterThan(blocks);
  },
  60_000,
);

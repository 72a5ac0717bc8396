/** The independent judge over simulated runs. Rule SM-9. */
import { expect, it } from 'vitest';
import { millis } from '../../../src/base/units.ts';
import { createKeyedHashEngine } from '../../../src/crypto/bls/keyed-hash.ts';
import { Judge } from '../../../src/simulation/checkers/conformance/judge.ts';
import { Witness } from '../../../src/simulation/checkers/conformance/witness.ts';
import { Cluster } from '../../../src/simulation/cluster.ts';
import type { Observer } from '../../../src/simulation/observer.ts';

/** A run with a crash, a partition and a restart, as the judge sees it; `alter` may change what it is told. */
function judged(alter: (observer: Observer) => Observer = (observer) => observer) {
  const bls = createKeyedHashEngine();
  const late: Observer[] = [];
  const forward: Observer = {
    started: (...told) => late[0]?.started?.(...told),
    crashed: (...told) => late[0]?.crashed?.(...told),
    sent: (...told) => late[0]?.sent?.(...told),
    committed: (...told) => late[0]?.committed?.(...told),
  };
  const run = new Cluster({
    seed: 3,
    bls,
    timeouts: { emptyBlockIntervalMs: millis(200) },
    observers: [forward],
  });
  const judge = new Judge({ epoch: run.epoch, bls });
  const witness = new Witness(judge, () => run);
  late.push(alter(witness.observer()));
  run.advance(5_000);
  run.crash(1);
  run.advance(5_000);
  run.partition([0, 2], [3]);
  run.advance(5_000);
  run.heal();
  run.start(1);
  run.advance(20_000);
  witness.finish();
  return judge.judgement();
}

it('finds that what validators send and store follows the text of the rules', () => {
  const judgement = judged();
  expect(judgement.violations).toEqual([]);
  expect(judgement.votes).toBeGreaterThan(50);
});

it('finds a validator that votes for another block in a round in which it has voted', () => {
  const judgement = judged((observer) => ({
    ...observer,
    sent: (instance, to, message) => {
      observer.sent?.(instance, to, message);
      if (message.kind !== 'Vote') return;
      const blockId = message.vote.parentId;
      observer.sent?.(instance, to, { ...message, vote: { ...message.vote, blockId } });
    },
  }));
  expect(judgement.violations.length).toBeGreaterThan(0);
});

/** The independent judge over simulated runs. Rule SM-9. */
import { describe, expect, it } from 'vitest';
import { millis } from '../../../src/base/units.ts';
import { createKeyedHashEngine } from '../../../src/crypto/bls/keyed-hash.ts';
import { encodeEpochProof, parseEpochProof } from '../../../src/protocol/light/encoding.ts';
import { play } from '../../../src/simulation/acts.ts';
import { Judge } from '../../../src/simulation/checkers/conformance/judge.ts';
import type { LogEntry } from '../../../src/simulation/checkers/conformance/log.ts';
import { Witness } from '../../../src/simulation/checkers/conformance/witness.ts';
import { Cluster } from '../../../src/simulation/cluster.ts';
import type { ClusterOptions } from '../../../src/simulation/cluster-options.ts';
import type { Observer } from '../../../src/simulation/observer.ts';
import { membersKvBy } from '../../../src/simulation/replicated.ts';

/** What a witness tells of a run, and who judges it. */
function recorded(options: Partial<ClusterOptions>, happens: (run: Cluster) => void) {
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
    ...options,
  });
  const log: LogEntry[] = [];
  const witness = new Witness({ take: (entry) => void log.push(entry) }, () => run);
  late.push(witness.observer());
  happens(run);
  witness.finish();
  return (alter: (entry: LogEntry) => readonly LogEntry[] = (entry) => [entry]) => {
    const judge = new Judge({ epoch: run.epoch, bls });
    for (const entry of log.flatMap(alter)) judge.take(entry);
    return judge.judgement();
  };
}

/** The same vote for another block, after it. */
function votedAgain(entry: LogEntry, inEpoch: number): readonly LogEntry[] {
  if (entry.kind !== 'sent' || entry.message.kind !== 'Vote') return [entry];
  const { vote } = entry.message;
  if (vote.epoch !== inEpoch) return [entry];
  const message = { ...entry.message, vote: { ...vote, blockId: vote.parentId } };
  return [entry, { ...entry, message }];
}

describe('a crash, a partition and a restart', () => {
  const judged = recorded({}, (run) => {
    run.advance(5_000);
    run.crash(1);
    run.advance(5_000);
    run.partition([0, 2], [3]);
    run.advance(5_000);
    run.heal();
    run.start(1);
    run.advance(20_000);
  });

  it('finds that what validators send and store follows the text of the rules', () => {
    const judgement = judged();
    expect(judgement.violations).toEqual([]);
    expect(judgement.votes).toBeGreaterThan(50);
  });

  it('finds a validator that votes for another block in a round in which it has voted', () => {
    expect(judged((entry) => votedAgain(entry, 0)).violations.length).toBeGreaterThan(0);
  });
});

describe('short epochs, in which a validator comes and has another key (CS-16)', () => {
  const options = { validators: 5, members: 4, epochLength: 8, application: membersKvBy(100) };
  const judged = recorded(options, (run) => {
    for (const key of [0, 1]) {
      play(run, { kind: 'change-validator', node: 0, validator: 4, power: 1, key }, run.clock.now());
      run.advance(3_000);
    }
    run.crash(1);
    run.advance(3_000);
    run.start(1);
    run.advance(2_000);
  });

  it('judges what is said in an epoch by its validators, and learns them from the log', () => {
    const judgement = judged();
    expect(judgement.violations).toEqual([]);
    expect(judgement.entriesWithoutEpoch).toBe(0);
    expect(judgement.votes).toBeGreaterThan(50);
  });

  it('finds two votes in one round of a later epoch', () => {
    const claims = judged((entry) => votedAgain(entry, 2)).violations.map(({ claim }) => claim);
    expect(claims).toContain('CS-3: one vote a round');
  });

  it('judges nothing of an epoch whose beginning nobody tells, and says so', () => {
    const { entriesWithoutEpoch, violations } = judged((entry) =>
      entry.kind === 'sent' && entry.message.kind === 'EpochChange' ? [] : [entry],
    );
    expect(violations).toEqual([]);
    expect(entriesWithoutEpoch).toBeGreaterThan(100);
  });

  it('finds that one end of an epoch is told in two ways', () => {
    const claims = judged((entry) => {
      if (entry.kind !== 'sent' || entry.message.kind !== 'EpochChange') return [entry];
      const told = parseEpochProof(entry.message.proof);
      if (told === 'malformed') throw new Error('what a node tells can be read');
      const next = { ...told.next, seed: told.next.validators.hash };
      const proof = encodeEpochProof({ ...told, next });
      return [entry, { ...entry, message: { ...entry.message, proof } }];
    }).violations.map(({ claim }) => claim);
    expect(claims).toContain('CS-16: one end of an epoch');
  });
});

import { describe, expect, it } from 'vitest';
import { millis, monotonic } from '../../../src/base/units.ts';
import { leaderAt } from '../../../src/protocol/consensus/epoch.ts';
import {
  isFinished,
  newRoundState,
  type RoundInput,
  type RoundState,
  stepRound,
} from '../../../src/protocol/consensus/round-state.ts';
import { chainOf, idOf, present, round, timeoutBy, voteFor, world } from './fixture.ts';

const place = world();
const { blocks, qcs } = chainOf(place, [1, 2]);
const [parentQC, qc] = [present(qcs[0], 'QC 1'), present(qcs[1], 'QC 2')];
const block = present(blocks[1], 'block 2');
const fresh = newRoundState({
  epoch: place.epoch.epoch,
  round: round(2),
  proposer: leaderAt(place.epoch, round(2)),
  lockedRound: round(0),
  highQC: parentQC,
});
const inputs = {
  entered: {
    type: 'entered',
    deadlines: {
      timeout: millis(10),
      propose: monotonic(5),
      vote: monotonic(10),
      resendEvery: millis(5),
    },
  },
  proposed: { type: 'proposed', block, id: idOf(place, block) },
  voted: { type: 'voted', vote: voteFor(place, block, 0) },
  certified: { type: 'certified', qc },
  committed: { type: 'committed' },
  timedOut: { type: 'timedOut' },
  abandoned: { type: 'abandoned' },
} satisfies Record<string, RoundInput>;
const run = (...names: readonly (keyof typeof inputs)[]): RoundState =>
  names.reduce<RoundState>((state, name) => stepRound(state, inputs[name]), fresh);

describe('RoundState', () => {
  it('goes NewRound → Propose → Prevote → Precommit → Commit', () => {
    expect(fresh.step).toBe('NewRound');
    expect(run('entered').step).toBe('Propose');
    expect(run('entered', 'proposed').step).toBe('Propose');
    expect(run('entered', 'proposed', 'voted').step).toBe('Prevote');
    expect(run('entered', 'proposed', 'voted', 'certified').step).toBe('Precommit');
    expect(run('entered', 'proposed', 'voted', 'certified', 'committed').step).toBe('Commit');
  });

  it('may be certified after it timed out, and ends Committed or Abandoned only', () => {
    expect(run('entered', 'timedOut').step).toBe('TimedOut');
    expect(run('entered', 'timedOut', 'voted').step).toBe('TimedOut');
    expect(run('entered', 'timedOut', 'certified').step).toBe('Precommit');
    expect(run('entered', 'certified', 'timedOut').step).toBe('Precommit');
    expect(run('entered', 'timedOut', 'abandoned').step).toBe('Abandoned');
    expect(run('committed', 'abandoned', 'entered').step).toBe('Commit');
    expect([run('committed'), run('abandoned'), run('timedOut')].map(isFinished)).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('is filled in by what happens: height by the proposal, lock by the vote, valid value by the QC', () => {
    expect(fresh.height).toBeUndefined();
    const done = run('proposed', 'entered', 'voted', 'certified');
    expect(done).toMatchObject({
      height: 2,
      proposal: block,
      proposalId: idOf(place, block),
      lockedRound: 1,
      lockedValue: parentQC.blockId,
      validRound: 2,
      validValue: qc.blockId,
      timeouts: { Propose: 5, Prevote: 10 },
    });
    expect([...done.votes.proposal.keys()]).toEqual([place.addressAt(0)]);
  });

  it('keeps a proposal and a vote for the round before it is entered, the first of each', () => {
    const rival = { ...block, header: { ...block.header, time: block.header.time } };
    const state = stepRound(run('proposed'), { type: 'proposed', block: rival, id: idOf(place, rival) });
    expect(state).toMatchObject({ step: 'NewRound' });
    expect(state.proposal).toBe(block);
    const first = voteFor(place, block, 1);
    const seen = stepRound(stepRound(state, { type: 'voteSeen', vote: first }), {
      type: 'voteSeen',
      vote: { ...first },
    });
    expect(seen.votes.proposal.get(first.validator)).toBe(first);
  });

  it('keeps votes by type: proposal, and timeout', () => {
    const message = timeoutBy(place, 1, { round: 2, highQC: parentQC });
    const state = stepRound(fresh, { type: 'timeoutSeen', message });
    expect(state.votes.timeout.get(message.validator)).toBe(message);
    expect(state.votes.proposal.size).toBe(0);
  });
});

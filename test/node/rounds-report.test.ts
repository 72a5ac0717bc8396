import { describe, expect, it } from 'vitest';
import { millis, monotonic, wallTime } from '../../src/base/units.ts';
import { initialRound } from '../../src/machines/consensus/round.live.ts';
import { roundMachine } from '../../src/machines/consensus/round.machine.ts';
import type { RoundContext } from '../../src/machines/consensus/round.setup.ts';
import { roundsReport, whyNoVote } from '../../src/node/rounds-report.ts';
import { leaderAt } from '../../src/protocol/consensus/epoch.ts';
import { TIMELINESS_DEFAULTS } from '../../src/protocol/consensus/timeliness.ts';
import { NONE_VERIFIED } from '../../src/protocol/consensus/verified.ts';
import type { ChainFacts } from '../../src/protocol/ports/consensus.ts';
import { reachOf } from '../machines/reach.ts';
import {
  blockOn,
  GENESIS_EXECUTED,
  GENESIS_TIME,
  height,
  proposalOf,
  round,
  world,
} from '../protocol/consensus/fixture.ts';

const place = world();
const { epoch, addressAt, indexOf } = place;
const leader = leaderAt(epoch, round(1));
const FOLLOWER = addressAt((indexOf(leader) + 2) % 4);
const [now, wall] = [monotonic(0), wallTime(GENESIS_TIME + 1_000)];
const GONE = 'APPLICATION_FAILED: nobody listens there (ECONNREFUSED)';

const EXECUTED: ChainFacts = {
  parentId: epoch.rootQC.blockId,
  parent: { time: GENESIS_TIME, height: height(0) },
  executed: GENESIS_EXECUTED,
  nextHash: epoch.hash,
  namedBatches: [],
  namedOffences: [],
  evidenceWaits: false,
  hasWork: true,
  mayPropose: true,
  sync: { status: { kind: 'InSync' }, forkProved: false },
  committedRound: round(0),
};
const { executed: _, nextHash: _next, ...UNEXECUTED } = EXECUTED;

const inputOf = (self: typeof leader, facts: ChainFacts) => ({
  setting: {
    ...{ epoch, self, bls: place.bls, vrf: place.vrf, limits: { batchesMax: 4, bytesMax: 1_000 } },
    timeliness: TIMELINESS_DEFAULTS,
    ...{ router: 'router', safety: 'safety', viewChange: 'view-change', mempool: 'mempool' },
    evidencePool: 'evidence-pool',
  },
  roundManager: 'rm',
  entered: {
    ...{ type: 'round.entered' as const, epoch: epoch.epoch, round: round(1), leader, highQC: epoch.rootQC },
    entry: { by: 'qc' as const, qc: epoch.rootQC },
    idleUntil: monotonic(0),
    deadlines: {
      ...{ timeout: millis(1_000), propose: monotonic(1_000), vote: monotonic(1_500) },
      resendEvery: millis(500),
    },
  },
  lockedRound: round(0),
  facts,
  verified: NONE_VERIFIED,
});

/** The context of a round whose proposal came, and what is known of its parent. */
function afterProposal(facts: ChainFacts): RoundContext {
  const chart = reachOf(roundMachine, 'rm/round').start(inputOf(FOLLOWER, facts), { now, wall });
  const proposal = proposalOf(place, blockOn(place, epoch.rootQC, 1));
  chart.send({ type: 'proposal.received', proposal, from: leader, receivedAt: wall });
  chart.send({ type: 'facts.changed', facts });
  return chart.snapshot.context;
}

describe('why this node does not vote', () => {
  it('is the failure of its application, where the state after the parent is not known', () => {
    const context = afterProposal(UNEXECUTED);
    expect(whyNoVote(context, GONE)).toBe(`not executed: ${GONE}`);
    expect(whyNoVote(context, undefined)).toBe('not executed yet');
  });

  it('says the same of a leader, which proposes nothing', () => {
    expect(whyNoVote(initialRound(inputOf(leader, UNEXECUTED), wall), GONE)).toBe(`not executed: ${GONE}`);
    expect(whyNoVote(initialRound(inputOf(leader, EXECUTED), wall), GONE)).toBeUndefined();
  });

  it('is nothing once the vote was asked for, and while no proposal has come', () => {
    expect(whyNoVote(afterProposal(EXECUTED), GONE)).toBeUndefined();
    expect(whyNoVote(initialRound(inputOf(FOLLOWER, UNEXECUTED), wall), GONE)).toBeUndefined();
  });

  it('is what else is missing, in its words', () => {
    const { parent: __, ...orphan } = UNEXECUTED;
    const context = afterProposal(EXECUTED);
    const waiting: RoundContext = {
      ...{ ...context, facts: orphan, voteAsked: false },
      ...(context.candidate === undefined
        ? {}
        : { candidate: { ...context.candidate, waits: ['parent', 'batches'] as const } }),
    };
    expect(whyNoVote(waiting, undefined)).toBe('waits for: parent, batches');
  });

  it('is in the report of the rounds', () => {
    const rounds = [afterProposal(UNEXECUTED)];
    const report = roundsReport(epoch, {
      view: undefined,
      record: undefined,
      rounds,
      executionFailure: GONE,
    });
    expect(report.rounds).toMatchObject([{ round: 1, leader, refusal: `not executed: ${GONE}` }]);
  });
});

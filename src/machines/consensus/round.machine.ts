/** The RoundState chart: newRound → propose → prevote → precommit → commit | timedOut | abandoned. Pure. */
import { wallNow } from '../vocabulary/index.ts';
import { initialRound } from './round.live.ts';
import { roundSetup } from './round.setup.ts';

/** The state follows the step of RoundState, whichever way a certificate or a commit moved it. */
const followStep = [
  { guard: { type: 'stepIs', params: { step: 'Prevote' } }, target: 'prevote' },
  { guard: { type: 'stepIs', params: { step: 'Precommit' } }, target: 'precommit' },
  { guard: { type: 'stepIs', params: { step: 'Commit' } }, target: 'commit' },
  { guard: { type: 'stepIs', params: { step: 'TimedOut' } }, target: 'timedOut' },
  { guard: { type: 'stepIs', params: { step: 'Abandoned' } }, target: 'abandoned' },
] as const;

/** What counts only until this validator votes or the round ends: later it is expected, and ignored on purpose (RT-8). */
const tooLate = {
  'proposal.received': {},
  'facts.changed': {},
  'batches.held': {},
  'batches.refused': {},
  'candidate.lookAgain': {},
  'proposal.dueNow': {},
  'proposal.missed': {},
  'payload.selected': {},
  'proof.made': {},
  'evidence.selected': {},
  'evidence.judged': {},
} as const;

export const roundMachine = roundSetup.createMachine({
  id: 'round',
  context: ({ input, self }) => initialRound(input, wallNow({ self })),
  initial: 'newRound',
  on: {
    ...tooLate,
    'peer.connected': { actions: 'repeatToPeer' },
    'vote.seen': { actions: 'recordVoteSeen' },
    'vote.cast': { actions: 'recordVote' },
    'vote.refused': { actions: 'recordRefusal' },
    'proposal.sent': { actions: 'recordProposalSent' },
    'proposal.refused': { actions: 'recordRefusal' },
    'proof.refused': { actions: 'recordRefusal' },
    'round.certified': { actions: 'recordCertified' },
    'round.gaveUp': { actions: 'recordGivenUp' },
    'round.committed': { actions: 'recordCommitted' },
    'round.abandoned': { actions: 'recordAbandoned' },
  },
  states: {
    newRound: {
      entry: 'openRound',
      always: { guard: { type: 'stepIs', params: { step: 'Propose' } }, target: 'propose' },
    },
    /** Waits for the leader's block, or makes it; then for what a vote on it needs. */
    propose: {
      always: followStep,
      on: {
        'proposal.received': { actions: 'examineProposal' },
        'facts.changed': { actions: 'recordFacts' },
        'batches.held': { actions: 'recordBatchesHeld' },
        'batches.refused': { actions: 'recordBatchesRefused' },
        'candidate.lookAgain': { actions: 'judgeAgain' },
        'proposal.dueNow': { actions: 'composeNow' },
        'proposal.missed': { actions: 'tellQcOfSilentLeader' },
        'evidence.selected': { actions: 'gatherEvidence' },
        'evidence.judged': { actions: 'recordVerdict' },
        'payload.selected': { actions: 'proposeBlock' },
        'proof.made': { actions: 'recordProof' },
      },
    },
    /** This validator voted: the prevote of a two-phase protocol. */
    prevote: { always: followStep.slice(1) },
    /** The block's QC was seen. */
    precommit: { always: [followStep[2], followStep[4]] },
    /** Its child's QC committed it. */
    commit: {},
    timedOut: {
      always: [followStep[1], followStep[2], followStep[4]],
      // No vote for it any more, but its block may be certified by others, and is needed then (CS-12).
      on: { 'proposal.received': { actions: 'examineProposal' } },
    },
    /** Another chain was committed past it. */
    abandoned: {},
  },
});

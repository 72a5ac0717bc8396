/** The RoundManager chart: recovering → running. The decisions are in its setup; rounds are its children. Pure. */
import { postpone } from '../vocabulary/index.ts';
import { roundManagerSetup } from './round-manager.setup.ts';

export const roundManagerMachine = roundManagerSetup.createMachine({
  id: 'round-manager',
  context: ({ input }) => ({ ...input, tag: 0 }),
  initial: 'recovering',
  // What `running` handles, before that; and what comes late. Anything else is a dead letter `unhandled` (RT-8).
  on: {
    'round.timedOut': { actions: postpone() },
    'blocks.fetched': { actions: postpone() },
    'state.diverged': { actions: postpone() },
    // As good as lost on the way: who sent it repeats what matters.
    'message.received': {},
    'vote.found': {},
    'timeout.seen': {},
    'peer.connected': {},
    'peer.disconnected': {},
    // Meant for an earlier life of this cell, or for its earlier request: the tree comes from what is durable.
    'proposal.authenticated': {},
    // Every listener is told when this cell begins.
    'epoch.requested': {},
    'epoch.ended': {},
    'epoch.proven': {},
    // Of rounds of an epoch that has ended.
    'cell.down': [{ guard: 'endedInOrder' }, { actions: 'crashWithRound' }],
    'blocks.committed': {},
    // It goes on voting; what the application executes when it is back is told as ever (EX-5).
    'execution.failed': {},
    'recovery.found': {},
    'storage.failed': {},
    // Asked for again once this cell runs.
    'time.changed': {},
    'sync.statusChanged': {},
  },
  states: {
    recovering: {
      entry: 'requestRecovery',
      on: {
        'recovery.found': { guard: 'isForThisRequest', target: 'running', actions: 'beginWithRecovered' },
        'storage.failed': { guard: 'recoveryFailed', target: 'waiting' },
        'round.entered': { actions: postpone() },
        'highQc.adopted': { actions: postpone() },
        'work.changed': { actions: postpone() },
        'evidence.waits': { actions: postpone() },
        'block.executed': { actions: postpone() },
      },
    },
    waiting: {
      after: { storageRetry: 'recovering' },
      on: {
        'round.entered': { actions: postpone() },
        'highQc.adopted': { actions: postpone() },
        'work.changed': { actions: postpone() },
        'evidence.waits': { actions: postpone() },
        'block.executed': { actions: postpone() },
      },
    },
    running: {
      on: {
        'message.received': { actions: 'receiveMessage' },
        'peer.connected': { actions: 'repeatToPeer' },
        'vote.found': { actions: 'countFoundVote' },
        'timeout.seen': { actions: 'watchTimeout' },
        'evidence.waits': { actions: 'recordEvidenceWaits' },
        'round.entered': { actions: 'enterRound' },
        'highQc.adopted': { actions: 'adoptHighQc' },
        'round.timedOut': { actions: 'recordTimedOut' },
        'work.changed': { actions: 'recordBatchesWait' },
        'time.changed': { actions: 'recordTime' },
        'sync.statusChanged': { actions: 'recordSync' },
        'state.diverged': { actions: 'recordDivergence' },
        'proposal.authenticated': { actions: 'recordCandidate' },
        'blocks.fetched': { actions: 'takeFetched' },
        'block.executed': { actions: 'recordExecuted' },
        'blocks.committed': { actions: 'recordDurableCommit' },
        'epoch.proven': { actions: 'takeProven' },
        'epoch.requested': { actions: 'answerEpoch' },
        'epoch.ended': { guard: 'epochIsOver', target: 'recovering', actions: 'closeRounds' },
        'storage.failed': { guard: 'isAboutACommit', actions: 'retryCommitLater' },
        'commit.retryDue': { actions: 'retryCommits' },
      },
    },
  },
});

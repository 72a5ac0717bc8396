/** The ViewChangeManager chart: Active, ViewChanging, Completing, round after round. Pure. */
import { timeoutsFor } from '../../protocol/consensus/timeouts.ts';
import { postpone } from '../vocabulary/index.ts';
import { viewChangeSetup } from './view-change.setup.ts';

export const viewChangeMachine = viewChangeSetup.createMachine({
  id: 'view-change',
  context: ({ input }) => ({
    ...input,
    timeouts: timeoutsFor(input.timeouts, input.epoch),
    configured: input.timeouts,
    tag: 0,
  }),
  initial: 'recovering',
  // What `running` handles, before that; and what comes late. Anything else is a dead letter `unhandled` (RT-8).
  on: {
    // CS-16: the certificates of the new epoch are durable, and nothing of the one before counts.
    'epoch.began': [{ guard: 'isNews', target: '.recovering', actions: 'recordEpoch' }, {}],
    'certificates.received': { actions: postpone() },
    'qc.formed': { actions: postpone() },
    'viewChange.ordered': { actions: postpone() },
    // As good as lost on the way: who sent it repeats what matters.
    'message.received': {},
    'peer.connected': {},
    'peer.disconnected': {},
    // The next poll shows it again.
    'roundTrip.measured': {},
    // About a round that is over, or meant for an earlier life of this cell or its earlier request.
    'proposal.condemned': {},
    'timeout.sent': {},
    'timeout.refused': {},
    'recovery.found': {},
    'storage.failed': {},
  },
  states: {
    recovering: {
      entry: 'requestRecovery',
      on: {
        'recovery.found': { guard: 'isForThisRequest', target: 'running', actions: 'beginWithRecovered' },
        'storage.failed': { guard: 'isForThisRequest', target: 'waiting' },
        'commit.advanced': { actions: postpone() },
        'work.changed': { actions: postpone() },
      },
    },
    waiting: {
      after: { recoveryRetry: 'recovering' },
      on: {
        'commit.advanced': { actions: postpone() },
        'work.changed': { actions: postpone() },
      },
    },
    running: {
      initial: 'active',
      on: {
        'message.received': { actions: 'receiveMessage' },
        'certificates.received': { actions: 'receiveCertificates' },
        'qc.formed': { actions: 'adoptOwnQc' },
        'proposal.condemned': { guard: 'isOfThisEpoch', actions: 'giveUpCondemnedRound' },
        'peer.connected': { actions: 'greetPeer' },
        'viewChange.ordered': { actions: 'giveUpOrderedRound' },
        'round.deadlinePassed': { guard: 'isAboutThisRound', actions: 'giveUpSilentRound' },
        'timeout.resendDue': { guard: 'isAboutThisRound', actions: 'resendTimeout' },
        'timeout.sent': { actions: 'recordTimeoutSent' },
        'timeout.refused': { actions: 'recordTimeoutRefused' },
        'commit.advanced': { actions: 'recordCommit' },
        'work.changed': { actions: 'recordWork' },
        'roundTrip.measured': { actions: 'recordRoundTrip' },
      },
      states: {
        /** The round was entered by a QC and waits for its own. */
        active: {
          always: [
            { guard: 'ownTimeoutIsOut', target: 'viewChanging' },
            { guard: 'roundWasOpenedByTc', target: 'completing' },
          ],
        },
        /** This validator asked for the next round and collects timeouts. */
        viewChanging: {
          always: { guard: 'ownTimeoutIsNotOut', target: 'active' },
        },
        /** A TC opened the round; its first QC completes the view change. */
        completing: {
          always: [
            { guard: 'ownTimeoutIsOut', target: 'viewChanging' },
            { guard: 'roundWasOpenedByQc', target: 'active' },
          ],
        },
      },
    },
  },
});

/**
 * The SyncCoordinator chart: resting ⇄ syncing (its peers' genesis, then the sync itself). What is "syncing" is a state:
 * nothing can be left behind. Pure.
 */
import { now } from '../vocabulary/index.ts';
import { initialSyncCoordinator, syncCoordinatorSetup } from './sync-coordinator.setup.ts';

export const syncCoordinatorMachine = syncCoordinatorSetup.createMachine({
  id: 'sync-coordinator',
  context: ({ input, self }) => initialSyncCoordinator(input, now({ self })),
  initial: 'resting',
  entry: 'requestEpoch',
  on: {
    'epoch.began': { actions: 'recordEpoch' },
    // Whoever comes while a check runs is asked by the next one.
    'peer.connected': {},
    'peer.disconnected': {},
    // Answers that nobody waits for any more, or to an earlier life of this cell.
    'genesis.verified': { actions: 'countLate' },
    'sync.done': { actions: 'countLate' },
  },
  states: {
    resting: {
      id: 'resting',
      initial: 'soon',
      on: { 'sync.manualRequested': { target: 'syncing', actions: 'recordAsker' } },
      states: {
        /** After a start, or when somebody came whom an unanswered question waited for. */
        soon: { after: { joinDelay: '#syncing' } },
        waiting: {
          entry: 'answerAskers',
          after: { nextCheck: '#syncing' },
          on: {
            'peer.connected': { guard: 'nobodyAnswered', target: 'soon' },
            'epoch.began': [
              { guard: 'mayBeBehind', target: 'soon', actions: 'recordEpoch' },
              { actions: 'recordEpoch' },
            ],
          },
        },
      },
    },
    syncing: {
      id: 'syncing',
      initial: 'verifyingGenesis',
      entry: 'checkAndSync',
      on: {
        // It is the one that they asked for.
        'sync.manualRequested': { actions: 'recordAsker' },
      },
      states: {
        /** SY-4: before anything is fetched. */
        verifyingGenesis: {
          entry: 'requestGenesis',
          after: { genesisSilence: { target: '#resting.waiting', actions: 'recordGenesisSilence' } },
          on: {
            'genesis.verified': [
              { guard: 'genesisIsOurs', target: 'conducting', actions: 'recordGenesis' },
              { guard: 'isAnswer', target: '#resting.waiting', actions: 'recordGenesis' },
              { actions: 'countLate' },
            ],
          },
        },
        conducting: {
          entry: 'requestSync',
          after: { syncSilence: { target: '#resting.waiting', actions: 'recordSyncSilence' } },
          on: {
            'sync.done': [
              { guard: 'isAnswer', target: '#resting.waiting', actions: 'recordDone' },
              { actions: 'countLate' },
            ],
          },
        },
      },
    },
  },
});

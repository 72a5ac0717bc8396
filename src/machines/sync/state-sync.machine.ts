/** The StateSync chart: starting, until it is known whom this node trusted before; then running. Pure. */
import { now, wallNow } from '../vocabulary/index.ts';
import { initialStateSync, stateSyncSetup } from './state-sync.setup.ts';

const later = { actions: 'postponeMessage' } as const;
const byTheTask = { actions: 'takeRequest' } as const;

export const stateSyncMachine = stateSyncSetup.createMachine({
  id: 'state-sync',
  context: ({ input, self }) => initialStateSync(input, { now: now({ self }), wall: wallNow({ self }) }),
  initial: 'starting',
  entry: 'requestEpoch',
  states: {
    starting: {
      entry: 'requestReputations',
      on: {
        'reputations.found': { target: 'running', actions: 'recordReputations' },
        'storage.failed': [{ guard: 'storageIsBusy', target: '.pausing' }, { target: 'running' }],
        'epoch.began': later,
        'message.received': later,
        'peer.connected': later,
        'peer.disconnected': later,
        'peers.pollRequested': later,
        'genesis.verifyRequested': later,
        'hash.verifyRequested': later,
        'blocks.fetchRequested': later,
        'fetch.hurried': later,
        'fetch.cancelled': later,
        'peer.judged': later,
        'chains.requested': later,
        'snapshots.requested': later,
        'snapshotChunk.requested': later,
        'epochs.fetchRequested': later,
        // Answers to an earlier life.
        'blockIds.found': {},
        'blocks.found': {},
      },
      initial: 'awaiting',
      states: {
        awaiting: {},
        pausing: { after: { retryPause: { target: '#state-sync.starting', reenter: true } } },
      },
    },
    running: {
      entry: ['callRoll', 'askSources'],
      on: {
        'peers.pollRequested': byTheTask,
        'genesis.verifyRequested': byTheTask,
        'hash.verifyRequested': byTheTask,
        'blocks.fetchRequested': byTheTask,
        'fetch.hurried': byTheTask,
        'fetch.cancelled': byTheTask,
        'peer.judged': byTheTask,
        'chains.requested': byTheTask,
        'snapshots.requested': byTheTask,
        'snapshotChunk.requested': byTheTask,
        'epochs.fetchRequested': byTheTask,
        'epoch.began': { actions: 'recordEpoch' },
        'message.received': { actions: 'takeAnswer' },
        'peer.connected': { actions: 'recordConnected' },
        'peer.disconnected': { actions: 'recordDisconnected' },
        'blockIds.found': { actions: 'judgeClaim' },
        'blocks.found': { actions: 'proveFork' },
        'storage.failed': { actions: 'forgetReading' },
        'question.expired': { actions: 'giveUpQuestion' },
        'task.expired': { actions: 'finishTask' },
        'asking.due': { actions: 'retryPendingBlocks' },
        'reputations.due': { actions: 'persistReputations' },
        // A second answer to the one question.
        'reputations.found': {},
      },
    },
  },
});

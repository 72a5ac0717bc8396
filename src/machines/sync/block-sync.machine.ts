/** The BlockSync chart: idle ⇄ fetching; it serves peers in both. Pure. */
import { blockSyncSetup, initialBlockSync } from './block-sync.setup.ts';

export const blockSyncMachine = blockSyncSetup.createMachine({
  id: 'block-sync',
  context: ({ input }) => initialBlockSync(input),
  initial: 'idle',
  on: {
    'message.received': { actions: 'serveOrTake' },
    'blocks.found': { actions: 'answerPeer' },
    'storage.failed': { actions: 'forgetPeer' },
    'peer.connected': { actions: 'recordConnected' },
    'peer.disconnected': { actions: 'recordDisconnected' },
  },
  states: {
    idle: {
      on: { 'blocks.wanted': { target: 'fetching', actions: 'recordTarget' } },
    },
    fetching: {
      initial: 'asking',
      always: { guard: 'nothingIsMissing', target: 'idle' },
      on: { 'blocks.wanted': { actions: 'recordTarget' } },
      states: {
        asking: {
          entry: 'requestBlocks',
          always: { guard: 'isAsked', target: 'awaiting' },
          // Nobody is known to hold it.
          after: { answerTimeout: { target: 'asking', reenter: true } },
        },
        awaiting: {
          // A late answer helped, or the holder is gone.
          always: { guard: 'anotherShouldBeAsked', target: 'asking' },
          after: { answerTimeout: 'asking' },
          on: {
            'message.received': [
              { guard: 'isAwaitedAnswer', target: 'weighing', actions: 'serveOrTake' },
              { actions: 'serveOrTake' },
            ],
          },
        },
        weighing: { always: [{ guard: 'answerHelped', target: 'asking' }, { target: 'pausing' }] },
        /** The holder had nothing, or lied: the next one is asked a little later. */
        pausing: { after: { retryPause: 'asking' } },
      },
    },
  },
});

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
          after: { answerTimeout: { target: 'asking', reenter: true, actions: 'turnToNextHolder' } },
          on: {
            'message.received': [
              { guard: 'isAwaitedAnswer', target: 'asking', reenter: true, actions: 'serveOrTake' },
              { actions: 'serveOrTake' },
            ],
          },
        },
      },
    },
  },
});

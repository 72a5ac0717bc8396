/** The ChainServer chart: one state in which peers' questions are answered out of storage, and out of what the keeper of snapshots has. Pure. */
import { chainServerSetup, initialChainServer } from './chain-server.setup.ts';

export const chainServerMachine = chainServerSetup.createMachine({
  id: 'chain-server',
  context: ({ input }) => initialChainServer(input),
  entry: 'requestEpoch',
  on: {
    'epoch.began': { actions: 'recordEpoch' },
    'message.received': { actions: 'takeQuestion' },
    /** The asker had had its share. */
    'rest.ended': { actions: 'endRest' },
    'blocks.found': { actions: 'takeBlocks' },
    'epochs.found': { actions: 'takeEpoch' },
    'batches.found': { actions: 'answerBlocks' },
    'tip.found': { actions: 'takeTip' },
    'blockIds.found': { actions: 'answerIds' },
    'manifest.found': { actions: 'answerManifest' },
    'chunk.found': { actions: 'answerChunk' },
    'keeper.silent': { actions: 'forgetAsker' },
    'storage.failed': { actions: 'forgetAsker' },
  },
});

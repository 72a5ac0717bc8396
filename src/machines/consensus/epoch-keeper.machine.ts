/** The epoch-keeper chart: one state; what it holds is who was told and asked lately. Pure. */
import { epochKeeperSetup, newEpochKeeper } from './epoch-keeper.setup.ts';

export const epochKeeperMachine = epochKeeperSetup.createMachine({
  id: 'epoch-keeper',
  context: ({ input }) => newEpochKeeper(input),
  initial: 'keeping',
  entry: 'requestEpoch',
  states: {
    keeping: {
      on: {
        'epoch.began': { actions: 'recordEpoch' },
        'epoch.met': { actions: 'answerOrAsk' },
        'message.received': { actions: 'receiveMessage' },
        'epochs.found': { actions: 'sendChange' },
        'storage.failed': { actions: 'forgetAsker' },
      },
    },
  },
});

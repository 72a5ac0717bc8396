/** The HeightSync chart, tier 1: idle → checking (polling → reading → catching up a small gap) → idle. Pure. */
import { now } from '../vocabulary/index.ts';
import { heightSyncSetup, initialHeightSync } from './height-sync.setup.ts';

export const heightSyncMachine = heightSyncSetup.createMachine({
  id: 'height-sync',
  context: ({ input, self }) => initialHeightSync(input, now({ self })),
  initial: 'idle',
  entry: 'requestEpoch',
  on: {
    'epoch.began': { actions: 'recordEpoch' },
    // Answers to a check that is over, or to an earlier life of this cell.
    'peers.polled': { actions: 'countLate' },
    'tip.found': { actions: 'countLate' },
    'blockIds.found': { actions: 'countLate' },
    'storage.failed': { actions: 'countLate' },
    'catchUp.ended': { actions: 'countLate' },
  },
  states: {
    idle: {
      on: { 'heights.checkRequested': { target: 'checking', actions: 'beginCheck' } },
    },
    checking: {
      initial: 'polling',
      // SY-7: one budget for all of it; then what is known is the answer.
      after: { budget: { target: 'idle', actions: 'answerHeights' } },
      on: { 'heights.checkRequested': { actions: 'replaceAsker' } },
      states: {
        polling: {
          entry: 'queryPeerHeights',
          on: { 'peers.polled': { guard: 'isAnswer', target: 'readingTip', actions: 'recordPoll' } },
        },
        readingTip: {
          entry: 'requestTip',
          on: {
            'tip.found': { guard: 'isAnswer', target: 'readingIds', actions: 'recordTip' },
            'storage.failed': {
              guard: 'isAnswer',
              target: '#height-sync.idle',
              actions: ['recordStorageFailure', 'answerHeights'],
            },
          },
        },
        /** Blocks of ours at the heights that peers name, so that a fork at or below our height is seen (SY-5). */
        readingIds: {
          entry: 'requestIds',
          always: { guard: 'nothingToCompare', target: 'weighing' },
          on: {
            'blockIds.found': { guard: 'isAnswer', target: 'weighing', actions: 'recordIds' },
            'storage.failed': { guard: 'isAnswer', target: 'weighing' },
          },
        },
        weighing: {
          always: [
            { guard: 'smallGapIsProved', target: 'catchingUp' },
            { target: '#height-sync.idle', actions: 'answerHeights' },
          ],
        },
        catchingUp: {
          entry: 'checkAndCatchupSmallGaps',
          on: {
            'catchUp.ended': {
              guard: 'isAnswer',
              target: '#height-sync.idle',
              actions: ['recordCatchUp', 'answerHeights'],
            },
          },
        },
      },
    },
  },
});

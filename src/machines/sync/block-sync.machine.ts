/** The BlockSync chart: starting → idle ⇄ fetching; while it fetches: advancing ⇄ stalled. Before: yielding to a join by a snapshot. Pure. */
import { postpone } from '../vocabulary/index.ts';
import { blockSyncSetup, initialBlockSync } from './block-sync.setup.ts';

export const blockSyncMachine = blockSyncSetup.createMachine({
  id: 'block-sync',
  context: ({ input }) => initialBlockSync(input),
  initial: 'starting',
  entry: 'requestEpoch',
  // What `running` handles, before that; and what was meant for an earlier life of this cell.
  on: {
    'epoch.began': { actions: 'recordEpoch' },
    'epoch.proven': { actions: postpone() },
    'blocks.wanted': { actions: postpone() },
    'blocks.catchUpRequested': { actions: postpone() },
    'blocks.committed': { actions: postpone() },
    'joining.settled': { actions: postpone() },
    'tip.found': {},
    'fetch.started': {},
    'blocks.answered': {},
    'fetch.failed': {},
    'batches.persisted': {},
    'storage.failed': {},
  },
  states: {
    starting: {
      entry: 'requestTip',
      on: {
        'tip.found': [
          { guard: 'joinIsPossible', target: 'yielding', actions: 'beginAtTip' },
          { guard: 'isForThisRequest', target: 'running', actions: 'beginAtTip' },
        ],
        'storage.failed': { guard: 'isForThisRequest', target: 'waiting' },
      },
    },
    waiting: { after: { storageRetry: 'starting' } },
    /** SY-10. What consensus wants waits: where an epoch has ended there are no rounds in which it would ask again (CS-16). */
    yielding: {
      on: {
        'joining.settled': { target: 'running', actions: 'settle' },
        'epoch.proven': { actions: 'recordProven' },
        'blocks.wanted': { actions: 'recordWanted' },
        'blocks.catchUpRequested': { target: 'running', actions: ['recordAsker', 'settle'] },
        'blocks.committed': { actions: ['recordCommitted', 'settle'] },
      },
    },
    running: {
      initial: 'idle',
      on: {
        'joining.settled': {},
        'epoch.began': { actions: ['recordEpoch', 'settle'] },
        'epoch.proven': { actions: ['recordProven', 'settle'] },
        'blocks.wanted': { actions: ['recordWanted', 'settle'] },
        'blocks.catchUpRequested': { actions: ['recordAsker', 'settle'] },
        'blocks.committed': { actions: ['recordCommitted', 'settle'] },
        'fetch.started': { actions: 'recordStarted' },
        'blocks.answered': { actions: ['takeAnswer', 'settle'] },
        'fetch.failed': { actions: ['takeFailure', 'settle'] },
        'batches.persisted': { actions: ['recordSaved', 'settle'] },
        'storage.failed': { actions: ['saveLater', 'settle'] },
        'review.due': { actions: ['forgetReview', 'settle'] },
      },
      states: {
        idle: { always: { guard: 'somethingIsMissing', target: 'fetching' } },
        fetching: {
          entry: 'startProgress',
          exit: 'endProgress',
          initial: 'advancing',
          always: { guard: 'nothingIsMissing', target: 'idle' },
          states: {
            advancing: {
              entry: 'watchFromHere',
              always: { guard: 'chainHasGrown', target: 'advancing', reenter: true },
              after: {
                stall: [
                  { guard: 'isFarBehind', target: 'stalled' },
                  { target: 'advancing', reenter: true },
                ],
              },
            },
            stalled: {
              entry: 'askOthers',
              always: { guard: 'chainHasGrown', target: 'advancing' },
              after: { secondChance: { target: 'advancing', actions: ['failStalled', 'settle'] } },
            },
          },
        },
      },
    },
  },
});

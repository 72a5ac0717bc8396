/**
 * The bridge chart, four regions: reach (connecting → connected ⇄ partitioned), places (free ⇄ full), sharing (what was executed, told
 * at an interval that follows activity), cleanup. The circuit breakers are its children. Pure. BR-1 to BR-10.
 */
import { and } from 'xstate';
import { now } from '../vocabulary/index.ts';
import { bridgeSetup, initialBridge } from './bridge.setup.ts';

/** What a client or another node's bridge hands in, while operations are taken. */
const takes = {
  'operations.submitted': [{ guard: 'isDiverged', actions: 'refuseDiverged' }, { actions: 'takeOperations' }],
  'message.received': [
    { guard: and(['isSubmission', 'isDiverged']), actions: ['countMessage', 'refuseDiverged'] },
    { guard: 'isSubmission', actions: ['countMessage', 'takeOperations'] },
  ],
} as const;
/** The same, while nothing could be committed. */
const takesNothing = {
  'operations.submitted': [
    { guard: 'isDiverged', actions: 'refuseDiverged' },
    { guard: 'queuesMeanwhile', actions: 'queueOperations' },
    { actions: 'refusePartitioned' },
  ],
  'message.received': { guard: 'isSubmission', actions: ['countMessage', 'refusePartitioned'] },
} as const;

export const bridgeMachine = bridgeSetup.createMachine({
  id: 'bridge',
  context: ({ input, self }) => initialBridge(input, now({ self })),
  type: 'parallel',
  entry: ['startBreakers', 'askConnectivity', 'askHeight', 'askSync'],
  on: {
    'transactions.admitted': { actions: 'recordAdmissions' },
    'transactions.expired': { actions: 'recordBatchesExpired' },
    'block.executed': { actions: 'recordExecuted' },
    'check.answered': { actions: 'recordCheck' },
    'check.overdue': { actions: 'recordCheckOverdue' },
    // It starts over: its blocks come again, and nothing is lost for it. What it was asked is handed over unjudged.
    'execution.failed': { actions: 'recordCheckFailed' },
    'sync.statusChanged': { actions: 'recordSync' },
    // What validators brought into no block goes to one more, while others are committed.
    'blocks.committed': { actions: ['recordCommitted', 'handAgain'] },
    'tip.found': { actions: 'recordHeight' },
    // The question is asked again.
    'storage.failed': {},
    'height.due': { actions: 'askHeight' },
    'round.failed': { actions: 'recordFailedRound' },
    'round.overdue': { actions: 'recordOverdueRound' },
    'partition.due': { actions: 'judgePartition' },
    // What waits for the end of a partition is handed over then.
    'gather.due': [
      { guard: and(['isPartitioned', 'queuesMeanwhile']), actions: 'stopGathering' },
      { actions: 'takeQueue' },
    ],
    'queue.due': { actions: 'refuseLate' },
    'peer.connected': { actions: 'recordConnected' },
    'peer.disconnected': { actions: 'recordDisconnected' },
    'connectivity.told': { actions: 'recordConnectivity' },
    'epoch.began': { actions: 'recordEpoch' },
    'breaker.changed': { actions: 'recordBreaker' },
    'call.failed': { actions: 'handOn' },
    'cell.down': { actions: 'crashWithBreaker' },
    'message.received': [
      { guard: 'isAnswer', actions: ['countMessage', 'recordRemote'] },
      { actions: ['countMessage', 'hearState'] },
    ],
  },
  states: {
    reach: {
      initial: 'connecting',
      states: {
        /** Since the start: the others are given their time. */
        connecting: {
          always: [
            { guard: 'isConnected', target: 'connected' },
            { guard: 'queueCanBeTaken', actions: 'takeQueue' },
          ],
          after: { partitionTimeout: 'partitioned' },
          on: takes,
        },
        connected: {
          always: [
            { guard: 'isPartitioned', target: 'partitioned' },
            { guard: 'queueCanBeTaken', actions: 'takeQueue' },
          ],
          on: takes,
        },
        /** BR-10: heals by itself, as soon as a quorum can be reached and commits. */
        partitioned: {
          entry: 'recordPartition',
          always: { guard: 'isConnected', target: 'connected' },
          exit: 'recordHealing',
          on: takesNothing,
        },
      },
    },
    places: {
      initial: 'free',
      states: {
        free: { always: { guard: 'isFull', target: 'full' } },
        full: { always: { guard: 'hasPlace', target: 'free' } },
      },
    },
    sharing: {
      initial: 'resting',
      states: {
        resting: {
          after: {
            stateSyncTick: { target: 'resting', reenter: true, actions: 'shareStateIfDue' },
          },
        },
      },
    },
    cleanup: {
      initial: 'resting',
      states: {
        resting: {
          after: {
            cleanupInterval: { target: 'resting', reenter: true, actions: ['cleanUp', 'dismissBreakers'] },
          },
        },
      },
    },
  },
});

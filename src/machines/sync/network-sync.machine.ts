/**
 * The NetworkSync chart: starting → joining → checking (tier 1) → catchingUp (tier 2) → resting; resyncing (tier 3) by the
 * operator alone, or once, to join by a snapshot, by the configuration; critical after a proven fork. One sync at a time, since there is one state at a time. Pure.
 */
import { now, postpone } from '../vocabulary/index.ts';
import { initialNetworkSync, networkSyncSetup } from './network-sync.setup.ts';

export const networkSyncMachine = networkSyncSetup.createMachine({
  id: 'network-sync',
  context: ({ input, self }) => initialNetworkSync(input, now({ self })),
  initial: 'starting',
  entry: 'requestEpoch',
  on: {
    'epoch.began': { actions: 'recordEpoch' },
    'blocks.committed': { actions: 'recordCommitted' },
    'catchUp.progressed': { actions: 'recordProgress' },
    'genesis.judged': { actions: 'recordGenesis' },
    'sync.statusRequested': { actions: 'answerStatus' },
    'hash.verified': [{ guard: 'isHashAnswer', actions: 'recordHash' }, { actions: 'countLate' }],
    'fork.found': { target: '.critical', actions: 'recordFork' },
    'safety.violated': { target: '.critical', actions: 'recordViolation' },
    // A sync that runs is for all who ask.
    'sync.requested': { actions: 'recordAsker' },
    'resync.requested': [
      { guard: 'operatorAsks', target: '.resyncing', actions: 'fullResync' },
      {
        actions: {
          type: 'refuseResync',
          params: { detail: 'a full resync is begun by the operator only: althing resync' },
        },
      },
    ],
    // Answers that nobody waits for any more, or to an earlier life of this cell.
    'heights.checked': { actions: 'countLate' },
    'catchUp.ended': { actions: 'countLate' },
    'resync.ended': { actions: 'countLate' },
    'resync.progressed': { actions: 'countLate' },
    'tip.found': { actions: 'countLate' },
    'storage.failed': { actions: 'countLate' },
  },
  states: {
    starting: {
      entry: 'requestTip',
      after: { storageRetry: { target: 'starting', reenter: true } },
      on: {
        'tip.found': { guard: 'isAnswer', target: 'joining', actions: 'recordTip' },
        'resync.requested': { actions: postpone() },
      },
    },
    /** Nobody was asked yet: not in sync, whatever the disk says (SY-2). Seed 001: syncOnJoin is the first check. */
    joining: {
      always: [
        { guard: 'forkIsProved', target: 'critical' },
        { guard: 'someoneWaits', target: 'checking', actions: 'beginSync' },
      ],
      on: { 'sync.requested': { target: 'checking', actions: ['recordAsker', 'beginSync'] } },
    },
    resting: {
      entry: 'answerAskers',
      always: { guard: 'forkIsProved', target: 'critical' },
      on: { 'sync.requested': { target: 'checking', actions: ['recordAsker', 'beginSync'] } },
    },
    /** Tier 1. */
    checking: {
      entry: 'requestHeights',
      after: { tier1Silence: { target: 'resting', actions: 'recordCheckSilence' } },
      on: { 'heights.checked': { guard: 'isAnswer', target: 'weighing', actions: 'recordCheck' } },
    },
    weighing: {
      always: [
        { guard: 'joinsBySnapshot', target: 'resyncing', actions: 'joinBySnapshot' },
        { guard: 'thereIsATarget', target: 'catchingUp', actions: 'settleJoin' },
        { target: 'resting', actions: 'settleJoin' },
      ],
    },
    /** Tier 2. The chain grew meanwhile: where it was reached, tier 1 looks again. */
    catchingUp: {
      entry: 'catchUpToConsensus',
      initial: 'awaiting',
      on: {
        'catchUp.ended': [
          { guard: 'targetWasReached', target: 'checking', actions: 'recordReached' },
          { guard: 'isAnswer', target: 'resting', actions: 'recordCatchUpFailure' },
          { actions: 'countLate' },
        ],
      },
      states: {
        awaiting: {
          after: { tier2Silence: { target: '#network-sync.resting', actions: 'recordCatchUpSilence' } },
          on: {
            'catchUp.progressed': { target: 'awaiting', reenter: true, actions: 'recordProgress' },
            'blocks.committed': { target: 'awaiting', reenter: true, actions: 'recordCommitted' },
          },
        },
      },
    },
    /** Tier 3: the old chain stays whole and goes on meanwhile. */
    resyncing: {
      entry: 'answerAskers',
      initial: 'awaiting',
      on: {
        'sync.requested': { actions: 'answerResyncing' },
        'resync.requested': {
          actions: { type: 'refuseResync', params: { detail: 'a full resync is under way already' } },
        },
        'resync.ended': [
          { guard: 'isAnswer', target: 'resting', actions: 'recordResyncEnd' },
          { actions: 'countLate' },
        ],
        'fork.found': { actions: 'recordFork' },
        'safety.violated': { actions: 'recordViolation' },
      },
      states: {
        awaiting: {
          after: { tier3Silence: { target: '#network-sync.resting', actions: 'recordResyncSilence' } },
          on: { 'resync.progressed': { target: 'awaiting', reenter: true, actions: 'recordProgress' } },
        },
      },
    },
    /** Two proofs contradict each other (SY-5): nothing is begun by itself; only the operator leads out of here. */
    critical: {
      entry: 'answerAskers',
      on: {
        'sync.requested': { actions: 'answerCritical' },
        'fork.found': { actions: 'recordFork' },
        'safety.violated': { actions: 'recordViolation' },
      },
    },
  },
});

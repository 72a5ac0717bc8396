/**
 * The ChainSync chart: idle → findingPeer → askingChains → walking → choosingChain → comparing → preparing → downloading → sealing → ready; from each of
 * them, when it fails, over discarding back to idle. A join by a snapshot has choosingSnapshot before preparing (from there over
 * awaitingBlocks to askingChains), passing and restoring after it, and certifying after downloading; over leaving to the next snapshot. Pure.
 */
import { now } from '../vocabulary/index.ts';
import { LATE_ANSWERS, late } from './chain-sync.late.ts';
import { chainSyncSetup, initialChainSync } from './chain-sync.setup.ts';

const sideFailed = { guard: 'isAwaited', actions: 'recordSideFailure' } as const;
const noRoom = { guard: 'isNoRoomForASnapshot', target: 'leaving', actions: 'recordNoRoom' } as const;
const silence = (whose: string) => ({ actions: { type: 'recordSilence', params: { whose } } }) as const;
const refuse = (detail: string) => ({ actions: { type: 'refuse', params: { detail } } }) as const;
const fails = { guard: 'hasFailed', target: '#failing' } as const;

export const chainSyncMachine = chainSyncSetup.createMachine({
  id: 'chain-sync',
  context: ({ input, self }) => initialChainSync(input, now({ self })),
  initial: 'idle',
  on: {
    'resync.requested': refuse('a full resync is under way already'),
    ...LATE_ANSWERS,
    'progress.due': {},
    'watch.due': {},
    'hurry.due': {},
    'retry.due': {},
  },
  states: {
    idle: {
      id: 'idle',
      on: {
        'resync.requested': [
          { guard: 'operatorAsks', target: 'findingPeer', actions: 'fullResync' },
          refuse('a full resync is begun by the operator only: althing resync'),
        ],
      },
    },
    findingPeer: {
      entry: 'queryPeers',
      always: [fails, { guard: 'peersAreFound', target: 'askingChains' }],
      after: { answerSilence: silence('state-sync') },
      on: { 'peers.polled': [{ guard: 'isAwaited', actions: 'findTrustedPeer' }, late] },
    },
    askingChains: {
      entry: 'requestFullChain',
      always: fails,
      after: { answerSilence: silence('state-sync') },
      on: {
        'chains.answered': [{ guard: 'isAwaited', target: 'walking', actions: 'recordDescribed' }, late],
      },
    },
    /** CS-16: to the epoch whose validators judge the chain; one question after the other. */
    walking: {
      entry: 'requestEpochs',
      always: [fails, { guard: 'walkIsOver', target: 'choosingChain' }],
      after: { answerSilence: silence('state-sync') },
      on: {
        'epochs.answered': [
          { guard: 'isAwaited', target: 'walking', reenter: true, actions: 'takeWalked' },
          late,
        ],
        'fetch.failed': [
          { guard: 'guideIsBusy', target: 'awaitingGuide' },
          { guard: 'isAwaited', target: 'walking', reenter: true, actions: 'leaveGuide' },
          late,
        ],
      },
    },
    awaitingGuide: { after: { guidePause: 'walking' } },
    choosingChain: {
      entry: 'validateFullChain',
      always: [fails, { guard: 'chainIsChosen', target: 'comparing' }, { target: 'awaitingBlocks' }],
    },
    /** For the operator's eyes: it decides nothing. */
    comparing: {
      entry: 'compareWithOwn',
      after: { answerSilence: 'proceeding' },
      on: {
        'blockIds.found': [{ guard: 'isAwaited', target: 'proceeding', actions: 'recordOwnIds' }, late],
        'storage.failed': [{ guard: 'isAwaited', target: 'proceeding' }, late],
      },
    },
    proceeding: { always: [{ guard: 'joins', target: 'choosingSnapshot' }, { target: 'preparing' }] },
    choosingSnapshot: {
      entry: 'requestSnapshots',
      always: [
        fails,
        { guard: 'snapshotIsEarly', target: 'awaitingBlocks' },
        { guard: 'snapshotIsChosen', target: 'preparing' },
      ],
      after: { answerSilence: silence('state-sync') },
      on: { 'snapshots.answered': [{ guard: 'isAwaited', actions: 'chooseSnapshot' }, late] },
    },
    /** The snapshot is of the chain's tip: a header that certifies it comes with the next blocks. */
    awaitingBlocks: { after: { blocksMore: 'askingChains' } },
    preparing: {
      entry: 'backupChain',
      always: fails,
      after: { sideSilence: silence('the side store') },
      on: {
        'side.opened': [
          { guard: 'isAwaitedForAJoin', target: 'passing' },
          { guard: 'isAwaited', target: 'downloading' },
          late,
        ],
        'side.failed': [noRoom, sideFailed, late],
      },
    },
    /** ST-11: how the epochs ended that are below the first block. */
    passing: {
      entry: 'passEpochs',
      always: [fails, { guard: 'epochsArePassed', target: 'restoring' }],
      after: { sideSilence: silence('the side store') },
      on: {
        'side.passed': [
          { guard: 'isAwaited', target: 'passing', reenter: true, actions: 'recordPassed' },
          late,
        ],
        'side.failed': [sideFailed, late],
      },
    },
    /** The side store is there: the application's folder is within it. */
    restoring: {
      entry: 'beginRestoring',
      exit: 'endRestoring',
      always: [
        { guard: 'snapshotIsRejected', target: 'leaving' },
        { guard: 'applicationIsRestored', target: 'downloading' },
      ],
      on: {
        'restore.begun': [{ guard: 'isAwaited', actions: 'requestChunks' }, late],
        'snapshotChunk.answered': { actions: 'takeChunk' },
        'fetch.failed': { actions: 'takeMiss' },
        'retry.due': { actions: 'requestChunks' },
        'hurry.due': { actions: 'hurryChunks' },
        'restore.took': { actions: 'recordTook' },
        'restore.ended': [{ guard: 'isAwaited', actions: 'recordRestored' }, late],
        'restore.failed': { actions: 'recordRestoreFailure' },
        'watch.due': { actions: 'recordRestoreStall' },
      },
    },
    downloading: {
      entry: 'downloadFullChain',
      exit: 'endDownload',
      always: [
        fails,
        { guard: 'everythingIsWrittenAndJoins', target: 'certifying' },
        { guard: 'everythingIsWritten', target: 'sealing' },
      ],
      on: {
        'fetch.started': { actions: 'recordFetching' },
        'blocks.answered': { actions: 'takeAnswer' },
        'fetch.failed': { actions: 'takeFailure' },
        'retry.due': { actions: 'retryPieces' },
        'hurry.due': { actions: 'hurryLowest' },
        'side.planted': [{ guard: 'isAppending' }, late],
        'side.appended': { actions: 'recordWritten' },
        'side.failed': [{ guard: 'isAppending', actions: 'recordSideFailure' }, late],
        'watch.due': { actions: 'recordStall' },
        'progress.due': { actions: 'tellProgress' },
      },
    },
    certifying: {
      entry: 'judgeSnapshot',
      always: [fails, { guard: 'snapshotIsRejected', target: 'leaving' }],
      after: { sideSilence: silence('the side store') },
      on: {
        'side.restored': [{ guard: 'isAwaited', target: 'sealing' }, late],
        'side.failed': [sideFailed, late],
        'progress.due': { actions: 'tellProgress' },
      },
    },
    leaving: {
      entry: ['endProgress', 'refuseSnapshot', 'abandonRestoring'],
      always: fails,
      after: { sideSilence: silence('the snapshot-restorer') },
      on: { 'restore.abandoned': [{ guard: 'isAwaited', target: 'findingPeer' }, late] },
    },
    /** However long the chain is, it is read once more. */
    sealing: {
      entry: 'sealSideStore',
      exit: 'endProgress',
      always: fails,
      on: {
        'side.sealed': [{ guard: 'isAwaited', target: 'ready', actions: 'recordSeal' }, late],
        'side.failed': [sideFailed, late],
        'progress.due': { actions: 'tellProgress' },
      },
    },
    failing: {
      id: 'failing',
      entry: 'endProgress',
      initial: 'deciding',
      states: {
        deciding: {
          always: [
            { guard: 'nothingIsPrepared', target: '#idle', actions: 'tellEnd' },
            { guard: 'joins', target: 'abandoning' },
            { target: 'discarding' },
          ],
        },
        /** The application's folder is deleted when nobody writes there any more. */
        abandoning: {
          entry: 'abandonRestoring',
          after: { sideSilence: 'discarding' },
          on: { 'restore.abandoned': [{ guard: 'isAwaited', target: 'discarding' }, late] },
        },
        discarding: {
          entry: 'discardSideStore',
          after: { sideSilence: { target: '#idle', actions: 'tellEnd' } },
          on: {
            'side.discarded': [{ guard: 'isAwaited', target: '#idle', actions: 'tellEnd' }, late],
            // It is deleted at the next start, or by the next attempt.
            'side.failed': [{ guard: 'isAwaited', target: '#idle', actions: 'tellEnd' }, late],
          },
        },
      },
    },
    /** The new chain takes the old one's place at the next start. */
    ready: {
      entry: 'tellEnd',
      on: {
        'resync.requested': refuse('a new chain is whole already: restart the node, and it runs on it'),
      },
    },
  },
});

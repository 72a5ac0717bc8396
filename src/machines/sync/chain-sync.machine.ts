/**
 * The ChainSync chart: idle → findingPeer → askingChains → comparing → preparing → downloading → sealing → ready; from each of
 * them, when it fails, over discarding back to idle. Pure.
 */
import { now } from '../vocabulary/index.ts';
import { chainSyncSetup, initialChainSync } from './chain-sync.setup.ts';

const late = { actions: 'countLate' } as const;
const sideFailed = { guard: 'isAwaited', actions: 'recordSideFailure' } as const;
const fails = { guard: 'hasFailed', target: '#failing' } as const;

export const chainSyncMachine = chainSyncSetup.createMachine({
  id: 'chain-sync',
  context: ({ input, self }) => initialChainSync(input, now({ self })),
  initial: 'idle',
  on: {
    'resync.requested': {
      actions: { type: 'refuse', params: { detail: 'a full resync is under way already' } },
    },
    // Answers to what is not waited for any more, or to an earlier life of this cell.
    'peers.polled': late,
    'chains.answered': late,
    'fetch.started': late,
    'blocks.answered': late,
    'fetch.failed': late,
    'side.opened': late,
    'side.planted': late,
    'side.restored': late,
    'side.appended': late,
    'side.sealed': late,
    'side.discarded': late,
    'side.failed': late,
    'blockIds.found': late,
    'storage.failed': late,
    'progress.due': {},
    'watch.due': {},
    'retry.due': {},
  },
  states: {
    idle: {
      id: 'idle',
      on: {
        'resync.requested': [
          { guard: 'operatorAsks', target: 'findingPeer', actions: 'fullResync' },
          {
            actions: {
              type: 'refuse',
              params: { detail: 'a full resync is begun by the operator only: althing resync' },
            },
          },
        ],
      },
    },
    findingPeer: {
      entry: 'queryPeers',
      always: [fails, { guard: 'peersAreFound', target: 'askingChains' }],
      after: {
        answerSilence: { actions: { type: 'recordSilence', params: { whose: 'state-sync' } } },
      },
      on: { 'peers.polled': [{ guard: 'isAwaited', actions: 'findTrustedPeer' }, late] },
    },
    askingChains: {
      entry: 'requestFullChain',
      always: [fails, { guard: 'chainIsChosen', target: 'comparing' }],
      after: {
        answerSilence: { actions: { type: 'recordSilence', params: { whose: 'state-sync' } } },
      },
      on: { 'chains.answered': [{ guard: 'isAwaited', actions: 'validateFullChain' }, late] },
    },
    /** For the operator's eyes: it decides nothing. */
    comparing: {
      entry: 'compareWithOwn',
      after: { answerSilence: 'preparing' },
      on: {
        'blockIds.found': [{ guard: 'isAwaited', target: 'preparing', actions: 'recordOwnIds' }, late],
        'storage.failed': [{ guard: 'isAwaited', target: 'preparing' }, late],
      },
    },
    preparing: {
      entry: 'backupChain',
      always: fails,
      after: { sideSilence: { actions: { type: 'recordSilence', params: { whose: 'the side store' } } } },
      on: {
        'side.opened': [{ guard: 'isAwaited', target: 'downloading' }, late],
        'side.failed': [sideFailed, late],
      },
    },
    downloading: {
      entry: 'downloadFullChain',
      exit: 'endDownload',
      always: [fails, { guard: 'everythingIsWritten', target: 'sealing' }],
      on: {
        'fetch.started': { actions: 'recordFetching' },
        'blocks.answered': { actions: 'takeAnswer' },
        'fetch.failed': { actions: 'takeFailure' },
        'retry.due': { actions: 'retryPieces' },
        'side.appended': { actions: 'recordWritten' },
        'side.failed': [{ guard: 'isAppending', actions: 'recordSideFailure' }, late],
        'watch.due': { actions: 'recordStall' },
        'progress.due': { actions: 'tellProgress' },
      },
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
            { target: 'discarding' },
          ],
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
        'resync.requested': {
          actions: {
            type: 'refuse',
            params: { detail: 'a new chain is whole already: restart the node, and it runs on it' },
          },
        },
      },
    },
  },
});

/** The evidence-pool chart: recovering → running. What may be accused of what is in protocol/consensus/evidence-pool.ts. Pure. CS-14. */
import { evidencePoolSetup, newEvidencePool } from './evidence-pool.setup.ts';

/** Until it is known what the chain carries, nothing is judged. */
const later = { actions: 'postponeMessage' } as const;

export const evidencePoolMachine = evidencePoolSetup.createMachine({
  id: 'evidence-pool',
  context: ({ input }) => newEvidencePool(input),
  initial: 'recovering',
  on: {
    // Meant for an earlier request, or an earlier life of this cell.
    'chainEvidence.found': {},
    'storage.failed': {},
    'peer.disconnected': {},
    // As good as lost on the way: it is told anew when a peer comes, and stands in a block soon.
    'message.received': {},
    'peer.connected': {},
    'epoch.began': { actions: 'recordEpoch' },
  },
  states: {
    recovering: {
      entry: 'requestRecovery',
      on: {
        'chainEvidence.found': { guard: 'isForThisRequest', target: 'running', actions: 'recordRecovery' },
        'storage.failed': { guard: 'isForThisRequest', target: 'waiting' },
        'evidence.found': later,
        'evidence.requested': later,
        'evidence.judgeRequested': later,
        'blocks.committed': later,
      },
    },
    waiting: {
      after: { storageRetry: 'recovering' },
      on: {
        'evidence.found': later,
        'evidence.requested': later,
        'evidence.judgeRequested': later,
        'blocks.committed': later,
      },
    },
    running: {
      on: {
        'evidence.found': { actions: 'takeFound' },
        'message.received': { actions: 'takeTold' },
        'peer.connected': { actions: 'tellPeer' },
        'blocks.committed': { actions: 'recordCommits' },
        'evidence.requested': { actions: 'selectForBlock' },
        'evidence.judgeRequested': { actions: 'judgeBlock' },
      },
    },
  },
});

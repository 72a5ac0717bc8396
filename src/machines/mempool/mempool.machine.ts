/** The mempool chart: recovering → running (accepting ⇄ full). The rules are protocol/mempool/. Pure. MP-1 to MP-12. */
import { addressOf, now } from '../vocabulary/index.ts';
import { freshContext, mempoolSetup } from './mempool.setup.ts';

const later = { actions: 'postponeMessage' } as const;
const byTheRules = { actions: 'applyRules' } as const;

export const mempoolMachine = mempoolSetup.createMachine({
  id: 'mempool',
  context: ({ input, self }) => freshContext(input, addressOf({ self }), now({ self })),
  initial: 'recovering',
  states: {
    /** What was durable when this node stopped comes back before anything else is judged. */
    recovering: {
      entry: 'requestRecovery',
      on: {
        'batches.uncommittedFound': [
          { guard: 'nothingMoreToRecover', target: 'running', actions: 'applyRules' },
          byTheRules,
        ],
        'storage.failed': byTheRules,
        'recovery.due': byTheRules,
        'check.answered': byTheRules,
        'execution.failed': byTheRules,
        'acks.due': byTheRules,
        'tick.due': later,
        'seal.due': later,
        'transactions.submitted': later,
        'payload.requested': later,
        'batches.wanted': later,
        'batches.unwanted': later,
        'blocks.committed': later,
        'block.executed': later,
        'epoch.began': later,
        'message.received': later,
        'peer.connected': later,
        'peer.disconnected': later,
        'roundTrip.measured': later,
        'batches.persisted': later,
        'batches.found': later,
        'operations.answered': later,
      },
    },
    running: {
      initial: 'accepting',
      on: {
        'transactions.submitted': byTheRules,
        'payload.requested': byTheRules,
        'batches.wanted': byTheRules,
        'batches.unwanted': byTheRules,
        'blocks.committed': byTheRules,
        'block.executed': byTheRules,
        'epoch.began': byTheRules,
        'message.received': byTheRules,
        'peer.connected': byTheRules,
        'peer.disconnected': byTheRules,
        'roundTrip.measured': byTheRules,
        'batches.persisted': byTheRules,
        'batches.found': byTheRules,
        'batches.uncommittedFound': byTheRules,
        'storage.failed': byTheRules,
        'check.answered': byTheRules,
        'execution.failed': byTheRules,
        'seal.due': byTheRules,
        'acks.due': byTheRules,
        'tick.due': byTheRules,
        'recovery.due': byTheRules,
        'operations.answered': byTheRules,
      },
      states: {
        accepting: { always: { guard: 'isFull', target: 'full' } },
        full: { always: { guard: 'hasRoom', target: 'accepting' } },
      },
    },
  },
});

/**
 * The evidence-reporter chart: heightUnknown → reporting. What becomes of each offence, found → submitted → ended, is in
 * protocol/bridge/reports.ts; the blocks that are executed drive it. Pure. LG-17, docs/ledger.md.
 */
import { now } from '../vocabulary/index.ts';
import { evidenceReporterSetup, newEvidenceReporter } from './evidence-reporter.setup.ts';

export const evidenceReporterMachine = evidenceReporterSetup.createMachine({
  id: 'evidence-reporter',
  context: ({ input, self }) => newEvidenceReporter(input, now({ self })),
  initial: 'heightUnknown',
  on: {
    // Nothing is executed meanwhile, so nothing is due; the blocks come all the same.
    'execution.failed': {},
  },
  states: {
    /** Since the start no block was executed: no operation could say by which height it must be. */
    heightUnknown: {
      on: {
        'evidence.found': { actions: 'recordEvidence' },
        'block.executed': { target: 'reporting', actions: ['recordExecuted', 'submitDue'] },
        // For an earlier life of this cell.
        'operations.answered': {},
      },
    },
    reporting: {
      on: {
        'evidence.found': { actions: ['recordEvidence', 'submitDue'] },
        'block.executed': { actions: ['recordExecuted', 'submitDue'] },
        'operations.answered': { actions: 'recordAnswer' },
      },
    },
  },
});

/**
 * Parts of the evidence-reporter chart: hands offences that this node has seen to the application, by way of the bridge like
 * everybody, until it has punished them. Signs nothing. Pure. Rules LG-16 and LG-17, docs/ledger.md; CS-14.
 */
import { setup } from 'xstate';
import type { Monotonic } from '../../base/units.ts';
import {
  answered,
  type EvidenceForm,
  executed,
  NO_REPORTS,
  type Reports,
  submitDue,
  withEvidence,
} from '../../protocol/bridge/reports.ts';
import type { Height } from '../../protocol/chain/types.ts';
import type { OperationsAnswered, OperationsSubmitted } from '../../protocol/ports/bridge.ts';
import type { EvidenceFound } from '../../protocol/ports/consensus.ts';
import type { BlockExecuted, ExecutionReply } from '../../protocol/ports/execution.ts';
import { type CellAddress, telling } from '../../protocol/supervision/effect.ts';
import { declare, on, step, types } from '../vocabulary/index.ts';

export interface EvidenceReporterInput {
  readonly form: EvidenceForm;
  readonly bridge: CellAddress;
  /** D of the genesis. @unit heights */
  readonly deduplicationHeights: number;
}

export interface EvidenceReporterContext extends EvidenceReporterInput {
  readonly reports: Reports;
  /** Executed here; undefined before the first block since the start. */
  readonly height?: Height;
  /** Of the next submission. */
  readonly nextTag: number;
}

type EvidenceReporterEvent =
  | EvidenceFound
  | BlockExecuted
  | OperationsAnswered
  | Extract<ExecutionReply, { type: 'execution.failed' }>;

/** Event types that other cells may send (RT-16). */
export const EVIDENCE_REPORTER_EVENTS = declare<EvidenceReporterEvent>()(
  'evidence.found',
  'block.executed',
  'operations.answered',
  'execution.failed',
);

/** Keys the mempool's rate. */
const CLIENT = 'evidence-reporter';
/** Every whole number below is one that a draw can be. @source IEEE 754 */
const DRAWS = 2 ** 53;

export const newEvidenceReporter = (
  input: EvidenceReporterInput,
  now: Monotonic,
): EvidenceReporterContext => ({
  ...input,
  reports: NO_REPORTS,
  // Not those of an earlier life, whose answers may be on their way.
  nextTag: Math.floor(now),
});

export const evidenceReporterSetup = setup({
  types: types<EvidenceReporterContext, EvidenceReporterEvent, EvidenceReporterInput>(),
  actions: {
    recordEvidence: step(
      on('evidence.found', ({ context, event: { evidence } }) => ({
        context: { reports: withEvidence(context.reports, evidence) },
      })),
    ),
    recordExecuted: step(
      on('block.executed', ({ context, event }) => {
        const { height } = event.executed;
        return {
          context: { height, reports: executed(context.reports, height, event.transactions, context.form) },
        };
      }),
    ),
    recordAnswer: step(
      on('operations.answered', ({ context, event: { tag, admissions } }) => {
        const { height, reports, form } = context;
        if (height === undefined) return {};
        return { context: { reports: answered(reports, tag, admissions[0], height, form) } };
      }),
    ),
    submitDue: step(({ context, address, draw }) => {
      const { height, deduplicationHeights, nextTag: tag, form, bridge } = context;
      if (height === undefined) return {};
      const nonce = (): bigint => BigInt(Math.floor(draw() * DRAWS));
      const due = submitDue(context.reports, { height, deduplicationHeights, tag, nonce }, form);
      const effects = due.submissions.map((submission) => {
        const message: OperationsSubmitted = {
          type: 'operations.submitted',
          replyTo: address,
          tag: submission.tag,
          client: CLIENT,
          transactions: [submission.transaction],
        };
        return telling(bridge, message);
      });
      return { context: { reports: due.reports, nextTag: tag + effects.length }, effects };
    }),
  },
});

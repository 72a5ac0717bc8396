/**
 * A report: evidence that nobody signs and nobody pays for, since it proves itself. What is free is bounded instead: by
 * what one block looks into, and by what one height's checks do. Deterministic but for the check. LG-16, docs/ledger.md.
 */

import type { EvidenceForm } from '../../protocol/bridge/reports.ts';
import { nextHeight } from '../../protocol/chain/ordinals.ts';
import type { Height } from '../../protocol/chain/types.ts';
import type { Evidence } from '../../protocol/consensus/evidence.ts';
import type { SenderPlace } from '../../protocol/ports/application.ts';
import type { StateReader, StateWriter } from '../state/rules.ts';
import { CODES, type Refusal, refused } from './codes.ts';
import {
  type Accusation,
  accusationOf,
  encodeEvidence,
  type Judge,
  punish,
  verdictProblem,
} from './evidence.ts';
import { WORK } from './fees.ts';
import { FieldReader, FieldWriter, U64_MAX } from './fields.ts';
import { bytesOf, textOf } from './pairs.ts';
import { parametersOf } from './parameters.ts';
import type { StakeContext } from './stake.ts';
import { TRANSACTION_VERSION } from './transaction.ts';

/** After those of signed transactions (LG-2). */
const REPORT_KIND = 7;
/** Version, kind. @unit bytes */
const HEAD = 2;
/** Whose signatures one block verifies: each costs every validator two pairings, for nothing. @unit reports @source chosen: about 8 ms */
export const BLOCK_REPORTS_MAX = 4;
/** … and the checks of one height, since anyone may ask. @unit reports @source chosen: about 32 ms of the application's time */
export const CHECKED_REPORTS_MAX = 16;

/** How many reports this block has looked into; there within a block only. */
const REPORTS = 'r';

type Place = Pick<StakeContext, 'state' | 'block'>;

/** True of what is read as a report; all else is read as a signed transaction. */
export const isReport = (bytes: Uint8Array): boolean =>
  bytes[0] === TRANSACTION_VERSION && bytes[1] === REPORT_KIND;

export function encodeReport(evidence: Evidence): Uint8Array {
  const encoded = encodeEvidence(evidence);
  return new FieldWriter(HEAD + encoded.byteLength)
    .u8(TRANSACTION_VERSION)
    .u8(REPORT_KIND)
    .fixed(encoded, encoded.byteLength)
    .finish();
}

export const evidenceIn = (report: Uint8Array): Uint8Array => report.subarray(HEAD);

/** In a block: what is refused before its signatures does no work (LG-16). */
export function executeReport(
  place: Place,
  report: Uint8Array,
  judge: Judge,
): { readonly refusal: Refusal | undefined; readonly work: bigint } {
  const accusation = admitted(place, report);
  if ('code' in accusation) return { refusal: accusation, work: 0n };
  countReport(place.state);
  const context = { ...place, parameters: parametersOf(place.state) };
  return { refusal: punish(context, accusation, judge), work: WORK.evidence };
}

/** What a failed one wrote was undone: the place that it took in its block stays taken. */
export function settleFailedReport(place: Place, report: Uint8Array): void {
  if (!('code' in admitted(place, report))) countReport(place.state);
}

/** What the state alone refuses takes no place. */
function admitted({ state, block }: Place, report: Uint8Array): Accusation | Refusal {
  const accusation = accusationOf(evidenceIn(report), state, parametersOf(state), block.height);
  if ('code' in accusation || reportsOf(state) < BLOCK_REPORTS_MAX) return accusation;
  return tooMany('block', BLOCK_REPORTS_MAX);
}

/** At a block's end. */
export function forgetReports(state: StateWriter): void {
  if (state.get(REPORTS) !== undefined) state.delete(REPORTS);
}

/** What the mempool is told of a report that proves itself: one an accused, before all that pays (MP-4, MP-13). */
interface CheckedReport {
  readonly priority: bigint;
  readonly sender: SenderPlace;
}

/** Checks reports; beside the state it counts what the newest height's have cost. Not consensus. */
export function reportCheck(judge: Judge) {
  let [counted, verified] = [-1, 0];
  return (report: Uint8Array, state: StateReader, height: Height): CheckedReport | Refusal => {
    const accusation = accusationOf(evidenceIn(report), state, parametersOf(state), nextHeight(height));
    if ('code' in accusation) return accusation;
    if (counted !== height) [counted, verified] = [height, 0];
    if (verified >= CHECKED_REPORTS_MAX) return tooMany('checks of this height', CHECKED_REPORTS_MAX);
    const before = judge.verifications();
    const problem = verdictProblem(judge.verdictOf(accusation));
    verified += judge.verifications() - before;
    if (problem !== undefined) return problem;
    const sender = { id: `report/${accusation.accused}`, sequence: 0n, next: 0n, cost: 0n, funds: 0n };
    return { priority: U64_MAX, sender };
  };
}

/** For whoever reports by itself (LG-17). */
export const LEDGER_EVIDENCE: EvidenceForm = {
  encode: encodeReport,
  fateOf(code) {
    if (code === CODES.ok || code === CODES.alreadyJailed) return 'punished';
    return REFUSED_FOR_GOOD.has(code) ? 'refused' : 'again';
  },
};

const REFUSED_FOR_GOOD: ReadonlySet<number> = new Set([
  CODES.malformed,
  CODES.unknownValidator,
  CODES.evidenceWrong,
  CODES.evidenceTooOld,
]);

const tooMany = (where: string, most: number): Refusal =>
  refused(
    CODES.blockFull,
    `the ${where} looked into ${most} reports, the most: report it anew, or pay for an evidence`,
  );

const countReport = (state: StateWriter): void =>
  state.set(REPORTS, textOf(new FieldWriter(1).u8(reportsOf(state) + 1).finish()));

function reportsOf(state: StateReader): number {
  const text = state.get(REPORTS);
  return text === undefined ? 0 : new FieldReader(bytesOf(text)).u8();
}

/**
 * Evidence on its way into the application: found → submitted → ended, one report a validator. Heights are the only clock: whatever
 * keeps a report out, nothing changes before the next block. A plain value. Pure. LG-17, docs/ledger.md; EX-7.
 */
import { transactionHashOf } from '../chain/batch.ts';
import { encodeOperation } from '../chain/operation.ts';
import { heightPlus } from '../chain/ordinals.ts';
import type { Address, Digest, Height } from '../chain/types.ts';
import { accusedOf, type Evidence } from '../consensus/evidence.ts';
import { EXPIRED_CODE, EXPIRES_TOO_LATE_CODE, NODE_CODESPACE } from '../ports/execution.ts';
import type { Admission } from '../ports/mempool.ts';
import type { ExecutedTransaction } from '../ports/storage.ts';
import { VALIDATORS_MAX } from '../transport/limits.ts';

/** How an application takes evidence. */
export interface EvidenceForm {
  /** The transaction that reports it; anyone may send it. */
  readonly encode: (evidence: Evidence) => Uint8Array;
  /** What the code of its check or its result says: `refused` is for good, `again` that it may do better later. */
  readonly fateOf: (code: number) => ReportEnd | 'again';
}

/** `punished`: the accused is, by whosoever report. */
export type ReportEnd = 'punished' | 'refused';

export type Report =
  /** Nothing is on its way; it is submitted at this height, or above. */
  | {
      readonly status: 'found';
      readonly evidence: Evidence;
      readonly attempts: number;
      readonly dueHeight: number;
    }
  /** Handed to the bridge: without an answer or a result it can execute at no height above. */
  | {
      readonly status: 'submitted';
      readonly evidence: Evidence;
      readonly attempts: number;
      readonly tag: number;
      readonly hash: Digest;
      readonly expiresAtHeight: Height;
    }
  | { readonly status: 'ended'; readonly as: ReportEnd; readonly attempts: number };

/** By the accused; at most REPORTS_MAX. */
export type Reports = ReadonlyMap<Address, Report>;

/** As many as a set has validators; evidence against one more is dropped. @unit reports */
export const REPORTS_MAX = VALIDATORS_MAX;
/** An operation's life, shorter where duplicates are forgotten sooner. @unit heights @source chosen: an admitted one is committed within a few */
const LIFE_HEIGHTS = 64;
/** Longest pause after a refusal; the first is 1, each further one twice as long. @unit heights @source chosen */
const PAUSE_HEIGHTS_MAX = 64;

export const NO_REPORTS: Reports = new Map();

/** One offence is enough: what is under way, or has led to its punishment, stays. */
export function withEvidence(reports: Reports, evidence: Evidence): Reports {
  const accused = accusedOf(evidence);
  const before = reports.get(accused);
  const isNew = before === undefined ? reports.size < REPORTS_MAX : isOver(before);
  if (!isNew) return reports;
  return new Map(reports).set(accused, { status: 'found', evidence, attempts: 0, dueHeight: 0 });
}

/** Another offence may be punished where this one was not. */
const isOver = (report: Report): boolean => report.status === 'ended' && report.as === 'refused';

export interface Submitting {
  readonly reports: Reports;
  readonly submissions: readonly { readonly tag: number; readonly transaction: Uint8Array }[];
}

export interface SubmittingAt {
  /** Executed here. */
  readonly height: Height;
  /** D of the genesis: an operation may not live longer (EX-7). */
  readonly deduplicationHeights: number;
  /** Of the first submission; the others follow. */
  readonly tag: number;
  /** Drawn: bytes that somebody foresaw, and had refused in a block for lack of places, would be duplicates (EX-2). */
  readonly nonce: () => bigint;
}

/** What is due becomes operations for the bridge. */
export function submitDue(
  reports: Reports,
  { height, deduplicationHeights, tag, nonce }: SubmittingAt,
  form: EvidenceForm,
): Submitting {
  const due = [...reports].flatMap(([accused, report]) =>
    report.status === 'found' && report.dueHeight <= height ? [{ accused, report }] : [],
  );
  if (due.length === 0) return { reports, submissions: [] };
  const expiresAtHeight = heightPlus(height, Math.min(LIFE_HEIGHTS, deduplicationHeights));
  const next = new Map(reports);
  const submissions = due.map(({ accused, report: { evidence, attempts } }, index) => {
    const transaction = encodeOperation({ expiresAtHeight, nonce: nonce(), payload: form.encode(evidence) });
    const own = { tag: tag + index, hash: transactionHashOf(transaction), expiresAtHeight };
    next.set(accused, { status: 'submitted', evidence, attempts: attempts + 1, ...own });
    return { tag: own.tag, transaction };
  });
  return { reports: next, submissions };
}

/** The bridge answered: what it admitted ends in a block, or at its height. */
export function answered(
  reports: Reports,
  tag: number,
  admission: Admission | undefined,
  height: Height,
  form: EvidenceForm,
): Reports {
  if (admission?.status !== 'refused') return reports;
  const fate = admission.code === 'CHECK_FAILED' ? form.fateOf(admission.applicationCode) : 'again';
  return changed(reports, (report) => (report.tag === tag ? after(report, fate, height) : report));
}

/** A block was executed: what it carries of ours has its result, and what it leaves behind its height is submitted anew. */
export function executed(
  reports: Reports,
  height: Height,
  transactions: readonly ExecutedTransaction[],
  form: EvidenceForm,
): Reports {
  if (![...reports.values()].some(({ status }) => status === 'submitted')) return reports;
  const results = new Map(transactions.map(({ hash, result }) => [hash, result]));
  return changed(reports, (report) => {
    const result = results.get(report.hash);
    const fate = result === undefined ? 'none' : fateOf(result, form);
    if (fate !== 'none') return after(report, fate, height);
    return height >= report.expiresAtHeight ? after(report, 'again', height) : report;
  });
}

type Submitted = Extract<Report, { readonly status: 'submitted' }>;

function changed(reports: Reports, change: (report: Submitted) => Report): Reports {
  const next = new Map(reports);
  for (const [accused, report] of reports) {
    if (report.status === 'submitted') next.set(accused, change(report));
  }
  return next;
}

function after({ evidence, attempts }: Submitted, fate: ReportEnd | 'again', height: Height): Report {
  if (fate !== 'again') return { status: 'ended', as: fate, attempts };
  const dueHeight = height + Math.min(PAUSE_HEIGHTS_MAX, 2 ** (attempts - 1));
  return { status: 'found', evidence, attempts, dueHeight };
}

/** A duplicate says nothing: the result of its first appearance came before it. */
function fateOf(
  { code, codespace }: ExecutedTransaction['result'],
  form: EvidenceForm,
): ReportEnd | 'again' | 'none' {
  if (codespace !== NODE_CODESPACE) return form.fateOf(code);
  return code === EXPIRED_CODE || code === EXPIRES_TOO_LATE_CODE ? 'again' : 'none';
}

/** Many runs summed up: what was done to the network, for how long, what it cost, and what was found. Pure. Rule SM-7. */

import type { PeerMessageKind } from '../protocol/consensus/types.ts';
import type { FaultName, RunReport } from './run.ts';

/** Sums over runs; plain data. */
export interface Summary {
  readonly runs: number;
  readonly failed: number;
  /** Violations by claim. */
  readonly claims: Readonly<Partial<Record<string, number>>>;
  /** What happened, by class. */
  readonly faults: Readonly<Partial<Record<FaultName, number>>>;
  /** @unit ms */
  readonly virtualMs: number;
  readonly blocks: number;
  readonly rounds: number;
  readonly epochs: number;
  readonly admitted: number;
  /** Sent, once for each receiver, by kind. */
  readonly messages: Readonly<Partial<Record<PeerMessageKind, number>>>;
  readonly links: {
    readonly sent: number;
    readonly delivered: number;
    readonly dropped: number;
    readonly duplicated: number;
    readonly cut: number;
  };
  /** Of the runs whose messages were encoded. @unit bytes, messages, blocks */
  readonly encoded: { readonly bytes: number; readonly messages: number; readonly blocks: number };
  /** Time that healed runs took to commit again. @unit ms */
  readonly recovery: { readonly runs: number; readonly sumMs: number; readonly maxMs: number };
}

export const EMPTY_SUMMARY: Summary = {
  runs: 0,
  failed: 0,
  claims: {},
  faults: {},
  virtualMs: 0,
  blocks: 0,
  rounds: 0,
  epochs: 0,
  admitted: 0,
  messages: {},
  links: { sent: 0, delivered: 0, dropped: 0, duplicated: 0, cut: 0 },
  encoded: { bytes: 0, messages: 0, blocks: 0 },
  recovery: { runs: 0, sumMs: 0, maxMs: 0 },
};

export function summed(summary: Summary, report: RunReport): Summary {
  const { links, byKind } = report.messages;
  const { recoveryMs, committedHeight } = report;
  const claims = [...new Set(report.violations.map(({ claim }) => claim))];
  return {
    runs: summary.runs + 1,
    failed: summary.failed + (report.violations.length > 0 ? 1 : 0),
    claims: added(summary.claims, Object.fromEntries(claims.map((claim) => [claim, 1]))),
    faults: added(summary.faults, report.acts),
    virtualMs: summary.virtualMs + report.virtualMs,
    blocks: summary.blocks + committedHeight,
    rounds: summary.rounds + report.rounds,
    epochs: summary.epochs + report.epochs,
    admitted: summary.admitted + report.admitted,
    messages: added(summary.messages, byKind),
    links: {
      sent: summary.links.sent + links.sent,
      delivered: summary.links.delivered + links.delivered,
      dropped: summary.links.dropped + links.dropped,
      duplicated: summary.links.duplicated + links.duplicated,
      cut: summary.links.cut + links.cut,
    },
    encoded:
      links.bytes === 0
        ? summary.encoded
        : {
            bytes: summary.encoded.bytes + links.bytes,
            messages: summary.encoded.messages + links.sent,
            blocks: summary.encoded.blocks + committedHeight,
          },
    recovery:
      recoveryMs === undefined
        ? summary.recovery
        : {
            runs: summary.recovery.runs + 1,
            sumMs: summary.recovery.sumMs + recoveryMs,
            maxMs: Math.max(summary.recovery.maxMs, recoveryMs),
          },
  };
}

/** @param seconds of real time that the runs took, on all cores together */
export function summaryLines(summary: Summary, seconds: number): readonly string[] {
  const { runs, failed, virtualMs, blocks, links, encoded, recovery } = summary;
  const hours = virtualMs / 3_600_000;
  const speed = virtualMs / 1_000 / Math.max(0.001, seconds);
  const sorted = Object.entries(summary.faults).sort(([, left], [, right]) => right - left);
  const perBlock = (count: number, of: number): string => (of === 0 ? '–' : (count / of).toFixed(0));
  return [
    `${runs} runs, ${failed} with violations`,
    ...Object.entries(summary.claims).map(([claim, times]) => `  ${times} × ${claim}`),
    `${hours.toFixed(2)} simulated hours in ${seconds.toFixed(0)} s: ${speed.toFixed(0)} × real time`,
    `${blocks} blocks in ${summary.rounds} rounds, ${summary.epochs} epochs ended, ${summary.admitted} transactions admitted`,
    `${links.sent} messages: ${perBlock(links.sent, blocks)} for each block; ${links.dropped} lost, ${links.duplicated} duplicated, ${links.cut} cut`,
    ...(encoded.blocks === 0
      ? []
      : [`${perBlock(encoded.bytes, encoded.blocks)} bytes for each block, where messages were encoded`]),
    ...(recovery.runs === 0
      ? []
      : [
          `healed, it committed again after ${(recovery.sumMs / recovery.runs / 1_000).toFixed(1)} s on average, ${(recovery.maxMs / 1_000).toFixed(1)} s at most`,
        ]),
    `faults: ${sorted.map(([name, times]) => `${name} ${times}`).join(', ')}`,
  ];
}

function added<Name extends string>(
  left: Readonly<Partial<Record<Name, number>>>,
  right: Readonly<Partial<Record<Name, number>>>,
): Readonly<Partial<Record<Name, number>>> {
  const sum: Partial<Record<Name, number>> = { ...left };
  for (const name in right) sum[name] = (sum[name] ?? 0) + (right[name] ?? 0);
  return sum;
}

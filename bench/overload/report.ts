/** The tables of the overload benchmark. Pure. */
import type { Circumstances } from '../../src/cli/bench/machine.ts';
import type { Reading } from '../../src/cli/bench/readings.ts';
import { spreadOf } from '../../src/cli/bench/statistics.ts';
import type { Recovery } from './recovery.ts';
import type { Judged, Sent } from './talk.ts';

export interface Look extends Reading {
  /** @unit ms */
  readonly at: number;
}

export interface Step {
  /** Times the peak. */
  readonly factor: number;
  readonly sent: Sent;
  readonly judged: Judged;
  /** Of all blocks in the time of the load. @unit operations/s */
  readonly committedPerSecond: number;
  readonly failedRounds: number;
  /** Of each validator, once a second. */
  readonly looks: readonly (readonly Look[])[];
  readonly recovery: Recovery;
}

export interface Measured {
  readonly door: string;
  readonly peak: number;
  readonly peakSeconds: number;
  readonly idleMedian: number;
  readonly steps: readonly Step[];
}

/** The slope counts over the end of a step: what grows before is the load being taken up. @unit ms */
const SLOPE_TIME = 40_000;
const MEBIBYTE = 2 ** 20;
const whole = (value: number | undefined): string =>
  value === undefined || !Number.isFinite(value) ? '–' : Math.round(value).toLocaleString('en-US');

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

const table = (heads: readonly string[], rows: readonly (readonly string[])[]): readonly string[] => [
  row(heads),
  row(heads.map(() => '---')),
  ...rows.map(row),
];

export function reportLines({ door, peak, peakSeconds, idleMedian, steps }: Measured): readonly string[] {
  return [
    `Door: ${door}. Peak: ${whole(peak)} committed/s, the best ${peakSeconds} s of a closed loop. p50 of a small client at idle: ${whole(idleMedian)} ms.`,
    '',
    ...throughput(steps, peak),
    '',
    ...waiting(steps),
    '',
    ...nodes(steps),
    '',
    'Refusals, by code:',
    '',
    ...steps.map(({ factor, sent }) => {
      const codes = Object.entries(sent.refused).map(([code, count]) => `${whole(count)} ${code}`);
      return `- ${factor}×: ${codes.length === 0 ? 'none' : codes.join('; ')}`;
    }),
  ];
}

/** What was sent, and what became of it. */
const throughput = (steps: readonly Step[], peak: number): readonly string[] =>
  table(
    [
      'load',
      'offered/s',
      'committed/s',
      'of peak',
      'accepted',
      'refused',
      'unanswered',
      'unsent',
      'lost or twice',
    ],
    steps.map(({ factor, sent, judged, committedPerSecond }) => [
      `${factor}×`,
      whole(sent.sent / sent.seconds),
      whole(committedPerSecond),
      `${whole((100 * committedPerSecond) / peak)} %`,
      whole(sent.accepted),
      whole(Object.values(sent.refused).reduce((sum, count) => sum + count, 0)),
      whole(sent.unanswered),
      whole(sent.unsent),
      `${judged.missing} or ${judged.repeated}`,
    ]),
  );

/** What was waited for, and how long. */
const waiting = (steps: readonly Step[]): readonly string[] =>
  table(
    [
      'load',
      'p50 to commit, ms',
      'p99',
      'answer to what is taken, p50',
      'p99',
      'to a refusal, p50',
      'p99',
      'as idle again after, ms',
      'failed rounds',
      'generator, processors',
    ],
    steps.map(({ factor, sent, judged, recovery, failedRounds }) => [
      `${factor}×`,
      whole(judged.latency?.p50),
      whole(judged.latency?.p99),
      whole(sent.acceptance?.p50),
      whole(sent.acceptance?.p99),
      whole(sent.refusal?.p50),
      whole(sent.refusal?.p99),
      recovery.after === undefined ? 'never' : whole(recovery.after),
      whole(failedRounds),
      (sent.cpuSeconds / sent.seconds).toFixed(2),
    ]),
  );

/** What each validator needed. */
const nodes = (steps: readonly Step[]): readonly string[] =>
  table(
    [
      'load',
      'validator',
      'RSS least, MiB',
      'median',
      'greatest',
      `slope of the last ${SLOPE_TIME / 1_000} s, MiB/min`,
      'event-loop delay p50, ms',
      'p99',
      'greatest',
      'processors',
    ],
    steps.flatMap(({ factor, looks }) => looks.map((each, index) => nodeRow(factor, index, each))),
  );

function nodeRow(factor: number, index: number, looks: readonly Look[]): readonly string[] {
  const memory = spreadOf(looks.map(({ rssBytes }) => rssBytes / MEBIBYTE));
  const middle = (values: readonly number[]): string => whole(spreadOf(values)?.median);
  const [first] = looks;
  const last = looks.at(-1);
  const cpu =
    ((last?.cpuSeconds ?? 0) - (first?.cpuSeconds ?? 0)) / (((last?.at ?? 1) - (first?.at ?? 0)) / 1_000);
  return [
    `${factor}×`,
    String(index),
    whole(memory?.min),
    whole(memory?.median),
    whole(memory?.max),
    slopeOf(looks).toFixed(1),
    middle(looks.map(({ lagMsP50 }) => lagMsP50)),
    middle(looks.map(({ lagMsP99 }) => lagMsP99)),
    whole(Math.max(...looks.map(({ lagMsMax }) => lagMsMax))),
    cpu.toFixed(2),
  ];
}

/** Least squares. @unit MiB/min */
function slopeOf(looks: readonly Look[]): number {
  const end = looks.at(-1)?.at ?? 0;
  const late = looks.filter(({ at }) => at >= end - SLOPE_TIME);
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  const [at, memory] = [mean(late.map((look) => look.at)), mean(late.map(({ rssBytes }) => rssBytes))];
  const over = late.reduce((sum, look) => sum + (look.at - at) * (look.rssBytes - memory), 0);
  const under = late.reduce((sum, look) => sum + (look.at - at) ** 2, 0);
  return under === 0 ? 0 : ((over / under) * 60_000) / MEBIBYTE;
}

export const circumstanceLine = (at: Circumstances): string =>
  `${at.date.slice(0, 10)}, commit ${at.commit}, Node ${at.node}, ${at.cpus} × ${at.cpu_model}, ${Math.round(at.memory_bytes / 2 ** 30)} GiB, load average before ${at.load_average[0]}.`;

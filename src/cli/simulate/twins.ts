/** `simulate --twins`: Twins scenarios, split over worker processes by their numbers. Rules SM-3, SM-6. */
import { type TwinsReport, type TwinsScenario, twinsInSteps } from '../../simulation/twins/index.ts';

/** A stretch of the endless list of scenarios. Plain data. */
export interface TwinsRange {
  readonly validators: number;
  readonly pairs: number;
  readonly rounds: number;
  /** Number of the first. */
  readonly from: number;
  readonly count: number;
}

/** Plays a stretch, or what is given instead; the report is plain data. `progress` ends it by true. */
export async function playTwins(
  range: TwinsRange,
  progress: (played: number) => boolean,
  scenarios?: readonly TwinsScenario[],
): Promise<TwinsReport> {
  const playing = twinsInSteps({
    ...range,
    // Those of a set are numbered from 0, and each is healed at its end: a set has few.
    ...(scenarios === undefined ? {} : { scenarios, from: 0, healEvery: 1 }),
    progress,
  });
  for (;;) {
    const step = playing.next();
    if (step.done === true) return step.value;
    // Somebody may want to end it.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A stretch in `parts` of nearly equal length. */
export function split(range: TwinsRange, parts: number): readonly TwinsRange[] {
  const length = Math.ceil(range.count / parts);
  return Array.from({ length: parts }, (_, part) => ({
    ...range,
    from: range.from + part * length,
    count: Math.max(0, Math.min(length, range.count - part * length)),
  })).filter(({ count }) => count > 0);
}

export function mergeTwins(reports: readonly TwinsReport[]): TwinsReport {
  const sum = (of: (report: TwinsReport) => number): number =>
    reports.reduce((total, report) => total + of(report), 0);
  const byHeight: Record<number, number> = {};
  for (const report of reports) {
    for (const [height, count] of Object.entries(report.byHeight)) {
      byHeight[Number(height)] = (byHeight[Number(height)] ?? 0) + count;
    }
  }
  return {
    scenarios: sum(({ scenarios }) => scenarios),
    healed: sum(({ healed }) => healed),
    findings: reports.flatMap(({ findings }) => findings),
    unsafe: sum(({ unsafe }) => unsafe),
    byHeight,
    delivered: sum(({ delivered }) => delivered),
    virtualMs: sum(({ virtualMs }) => virtualMs),
  };
}

/** The command that plays one of them again. */
export const replayTwins = ({ pairs, validators, rounds }: TwinsRange, number: number): string =>
  `althing simulate --twins ${pairs} --nodes ${validators} --rounds ${rounds} --seeds 1 --from ${number}`;

export function twinsLines(
  report: TwinsReport,
  seconds: number,
  replayOf: (number: number) => string,
): readonly string[] {
  const heights = Object.entries(report.byHeight).sort(([left], [right]) => Number(left) - Number(right));
  return [
    ...report.findings.flatMap(({ number, violations }) => [
      `scenario ${number}: ${violations[0]?.claim ?? 'unsafe'}: ${violations[0]?.detail ?? ''}`,
      `  replay: ${replayOf(number)}`,
    ]),
    `${report.scenarios} Twins scenarios: ${report.unsafe} unsafe`,
    `${report.healed} healed at their end; newest committed height: ${heights.map(([height, count]) => `${height} in ${count}`).join(', ')}`,
    `${(report.virtualMs / 3_600_000).toFixed(2)} simulated hours in ${seconds.toFixed(0)} s, ${report.delivered} messages`,
  ];
}

/** Which alerts stand; each is raised once and cleared once. Pure. Rule TM-7, docs/protocol/time.md. */
import { millis } from '../../base/units.ts';
import type { TimeConfig } from './config.ts';
import { TIME_ALERTS, type TimeAlert } from './types.ts';

/** The system clock is off by more: a warning at every check. @unit ms @source TM-7 */
const DRIFT_SEVERE_MS = millis(5_000);
/** And by more than this: no fallback when adjusted time is lost. @unit ms @source TM-7 */
const DRIFT_CRITICAL_MS = millis(10_000);

/** A sentence for the operator by alert: the value, and what to do. */
export type Alerts = ReadonlyMap<TimeAlert, string>;

export interface AlertEntry {
  readonly alert: TimeAlert;
  readonly detail: string;
}

export interface AlertStep {
  readonly raised: readonly AlertEntry[];
  readonly cleared: readonly TimeAlert[];
  /** TM-7: stood before, stand still, and are told at every check. */
  readonly repeated: readonly AlertEntry[];
  readonly standing: Alerts;
}

const REPEATED: ReadonlySet<TimeAlert> = new Set<TimeAlert>(['ClockDriftSevere', 'ClockDriftCritical']);

/** From the alerts that stand to those that should. A changed detail alone is no event. In the order of `TIME_ALERTS`. */
export function stepAlerts(standing: Alerts, wanted: Alerts): AlertStep {
  const entries = TIME_ALERTS.flatMap((alert): readonly AlertEntry[] => {
    const detail = wanted.get(alert);
    return detail === undefined ? [] : [{ alert, detail }];
  });
  return {
    raised: entries.filter(({ alert }) => !standing.has(alert)),
    cleared: TIME_ALERTS.filter((alert) => standing.has(alert) && !wanted.has(alert)),
    repeated: entries.filter(({ alert }) => standing.has(alert) && REPEATED.has(alert)),
    standing: wanted,
  };
}

/** The gravest alert that the system clock deserves, if any. `offsetMs`: system time minus adjusted time. */
export function driftAlerts(
  offsetMs: number,
  { driftThresholdMs }: Pick<TimeConfig, 'driftThresholdMs'>,
): readonly (readonly [TimeAlert, string])[] {
  const off = Math.abs(offsetMs);
  const direction = offsetMs > 0 ? 'ahead of' : 'behind';
  const detail = `this machine's clock is ${inWords(off)} ${direction} adjusted time; set it, or run an NTP client`;
  if (off > DRIFT_CRITICAL_MS) return [['ClockDriftCritical', detail]];
  if (off > DRIFT_SEVERE_MS) return [['ClockDriftSevere', detail]];
  return off > driftThresholdMs ? [['ClockDrift', detail]] : [];
}

/** As `612 ms`, `7.2 s`. */
const inWords = (ms: number): string => (ms < 1_000 ? `${ms.toFixed(0)} ms` : `${(ms / 1_000).toFixed(1)} s`);

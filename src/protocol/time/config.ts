/** The settings of time synchronisation, and their defaults. Pure data. Rules TM-2 to TM-7, docs/protocol/time.md. */
import { type Millis, millis } from '../../base/units.ts';
import type { TimeSource } from './types.ts';

export interface TimeConfig {
  readonly source: TimeSource;
  /** NTP servers, `host` or `host:port`; asked in `ntp` and `hybrid`. */
  readonly servers: readonly string[];
  /** Offset of the system clock above which the operator is warned (TM-7). */
  readonly driftThresholdMs: Millis;
  /** Between two updates by the peers or the system clock. */
  readonly updateIntervalMs: Millis;
  /** Between two questions to one NTP server; the first eight are 2 s apart at most. */
  readonly ntpPollIntervalMs: Millis;
  /** How long an answer is waited for, of a peer or of a server. */
  readonly answerTimeoutMs: Millis;
  /** A correction beyond this is refused (TM-6). */
  readonly panicThresholdMs: Millis;
  /** How fast this machine's clock may drift at the worst. @unit ppm */
  readonly driftPpmMax: number;
}

/** @source seed 000; RFC 5905 (panic threshold); quartz without temperature control (drift) */
export const TIME_DEFAULTS: TimeConfig = {
  source: 'hybrid',
  servers: [],
  driftThresholdMs: millis(500),
  updateIntervalMs: millis(10_000),
  ntpPollIntervalMs: millis(64_000),
  answerTimeoutMs: millis(1_000),
  panicThresholdMs: millis(1_000_000),
  driftPpmMax: 250,
};

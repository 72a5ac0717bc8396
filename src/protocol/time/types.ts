/**
 * The words of time synchronisation. All measurements are on this machine's monotonic clock: a step of the system clock
 * moves none of them. Types only. Rules TM-1 to TM-7, docs/protocol/time.md.
 */
import type { Millis, Monotonic, WallTime } from '../../base/units.ts';
import type { Address } from '../chain/types.ts';

/** Whom a node believes (seed 000). `hybrid` is NTP within what the peers agree on. */
export type TimeSource = 'system' | 'ntp' | 'peers' | 'hybrid';

/** The four timestamps of one exchange with another clock (RFC 5905 §8). */
export interface Exchange {
  /** T1: the question left. */
  readonly sentAt: Monotonic;
  /** T2: it arrived, by the other clock. */
  readonly receivedAt: WallTime;
  /** T3: the answer left, by the other clock. */
  readonly repliedAt: WallTime;
  /** T4: the answer arrived. */
  readonly arrivedAt: Monotonic;
}

/** What one exchange says. */
export interface Sample {
  /** The other clock's wall time minus this machine's monotonic time. @unit ms */
  readonly offset: number;
  /** Time on the way, both ways together; >= 0. @unit ms */
  readonly delay: number;
  /** What the readings themselves may be wrong by; >= 0. @unit ms */
  readonly dispersion: number;
  /** T4 */
  readonly at: Monotonic;
}

/** A closed interval of offsets; `lo <= hi`. @unit ms, as `Sample.offset` */
export interface OffsetInterval {
  readonly lo: number;
  readonly hi: number;
}

/** What this node knows of one validator's clock (seed 000). */
export interface PeerTimeInfo {
  readonly peerId: Address;
  /** As `Sample.offset`, by its best exchange of the newest poll; undefined before the first. @unit ms */
  readonly timeOffset: number | undefined;
  readonly lastUpdate: Monotonic | undefined;
  readonly roundTripTime: Millis | undefined;
  /** 0 to 1, see reliability.ts. */
  readonly reliabilityScore: number;
  /** It says that it has adjusted time. */
  readonly isSynchronised: boolean;
}

/** What the sources say together, at one moment. */
export interface Estimate {
  /** As `Sample.offset`. @unit ms */
  readonly offset: number;
  /** The true offset is at most so far away, if the source's assumptions hold. @unit ms */
  readonly error: number;
  readonly by: TimeSource;
}

/** One update of adjusted time, for readers. Offsets are relative to adjusted time before it. @unit ms */
export interface TimeUpdate {
  /** Adjusted time before the update. */
  readonly at: WallTime;
  readonly by: TimeSource;
  readonly outcome: 'slewed' | 'stepped';
  readonly correction: number;
  readonly error: number;
  /** System clock minus adjusted time as it is led from then on. */
  readonly systemOffset: number;
  readonly peers: readonly { readonly peer: Address; readonly offset: number }[];
}

/**
 * What an operator should know. A condition is raised once and cleared once; its count is in the metrics.
 * `ClockDrift*`: the system clock is off by more than the threshold, 5 s, 10 s (TM-7). `SystemClockStepped`: TM-1.
 * `NoMajority`: the NTP servers contradict each other (TM-3). `NtpUnavailable`: none of them can be used.
 * `TooFewPeers`: fewer answers than TM-4 needs. `TimeSourceConflict`: NTP and the peers are disjoint (TM-5).
 * `PeersDisagree`: this node's time is outside what its peers agree on, though it does not follow them.
 * `UpdateContradicted`: an update contradicts the error bound (TM-4). `PanicThreshold`: a correction was refused (TM-6).
 * `HoldOver`: no source; the error bound grows. `NoAdjustedTime`: this node does not propose (TM-7). `AdjustedTimeFarOff`:
 * nor while its clock is more than 10 s from what it is led to.
 */
export const TIME_ALERTS = [
  'ClockDrift',
  'ClockDriftSevere',
  'ClockDriftCritical',
  'SystemClockStepped',
  'NoMajority',
  'NtpUnavailable',
  'TooFewPeers',
  'TimeSourceConflict',
  'PeersDisagree',
  'UpdateContradicted',
  'PanicThreshold',
  'HoldOver',
  'NoAdjustedTime',
  'AdjustedTimeFarOff',
] as const;
export type TimeAlert = (typeof TIME_ALERTS)[number];

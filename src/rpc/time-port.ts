/** What the RPC tells of a node's time. Types only. Rules TM-1 to TM-8, docs/protocol/time.md. */
import type { Millis, WallTime } from '../base/units.ts';
import type { Address, Power } from '../protocol/chain/types.ts';
import type { TimeAlert, TimeSource, TimeUpdate } from '../protocol/time/types.ts';

/** States of the time-coordinator; it is `starting` too while its supervisor starts it anew. */
export const TIME_STATES = ['starting', 'acquiring', 'synchronised', 'holdingOver'] as const;
export type TimeState = (typeof TIME_STATES)[number];

/** A validator's clock, as this node knows it. */
export interface TimePeer {
  readonly id: Address;
  /** Of the genesis. */
  readonly name: string;
  /** Its clock minus adjusted time; undefined before its first answer, with the three that follow. @unit ms */
  readonly offset: number | undefined;
  readonly lastUpdateAge: Millis | undefined;
  readonly roundTripTime: Millis | undefined;
  /** 0 to 1 */
  readonly reliabilityScore: number;
  /** It says that it has adjusted time. */
  readonly isSynchronised: boolean;
}

/**
 * `selected`: it leads, with others. `agreeing`: right, and others are steadier. `falseticker`: overruled by a majority.
 * `undecided`: usable, and there is no majority, or no update yet. `unusable`: it answers without usable time.
 * `unreachable`: no time of it in the last 8 questions. `waiting`: not answered yet. `denied`: it serves others only.
 */
export type TimeServerStatus =
  | 'selected'
  | 'agreeing'
  | 'falseticker'
  | 'undecided'
  | 'unusable'
  | 'unreachable'
  | 'waiting'
  | 'denied';

/** An NTP server. What it did not say (yet) is undefined. */
export interface TimeServer {
  readonly server: string;
  readonly status: TimeServerStatus;
  /** A sentence on the status; '' where it leads. */
  readonly why: string;
  /** A bit for each of the last 8 questions, the newest lowest: it gave time. */
  readonly reach: number;
  /** Its clock minus adjusted time. @unit ms */
  readonly offset: number | undefined;
  readonly delay: Millis | undefined;
  /** What it may be wrong by, back to the reference clock. */
  readonly rootDistance: Millis | undefined;
  readonly stratum: number | undefined;
}

/** What the sources said at the newest update that was due. Offsets are relative to adjusted time now. @unit ms */
export interface TimeFindings {
  readonly peers:
    | {
        readonly status: 'agreed';
        /** What is left after the trimming. */
        readonly lo: number;
        readonly hi: number;
        readonly offset: number;
        readonly error: number;
        /** Whose lowest and highest readings were dropped. */
        readonly low: readonly Address[];
        readonly high: readonly Address[];
      }
    | { readonly status: 'tooFewAnswers'; readonly power: Power; readonly needed: Power };
  readonly ntp:
    | {
        readonly status: 'selected';
        readonly offset: number;
        readonly error: number;
        readonly falsetickers: readonly string[];
      }
    | { readonly status: 'noMajority'; readonly candidates: number; readonly agreeing: number }
    | { readonly status: 'noCandidates' };
  /** NTP is outside what the peers agree on. */
  readonly conflict: boolean;
  readonly peersAreSynchronised: boolean;
}

export interface TimeReport {
  readonly state: TimeState;
  /** As configured. */
  readonly source: TimeSource;
  /** Who led at the last update. */
  readonly ledBy: TimeSource | undefined;
  /** What all of the node sees: the system clock until time was acquired once. */
  readonly adjustedTime: WallTime;
  readonly isAdjusted: boolean;
  readonly systemTime: WallTime;
  /** System clock minus adjusted time, both read now. @unit ms */
  readonly systemOffset: number;
  /** Adjusted time is at most so far from the sources' time; undefined before the first update. */
  readonly error: Millis | undefined;
  /** How much faster than the machine's oscillator adjusted time runs. @unit ppm */
  readonly ratePpm: number;
  /** What is still to be made up of the last correction. @unit ms */
  readonly slewLeft: number;
  /** Accepted since time was last acquired. */
  readonly updates: number;
  readonly lastUpdateAge: Millis | undefined;
  readonly mayPropose: boolean;
  /** Those that stand, with a sentence each. */
  readonly alerts: readonly { readonly alert: TimeAlert; readonly detail: string }[];
  /** How often each was raised. */
  readonly alertCounts: ReadonlyMap<TimeAlert, number>;
  /** Every other validator. */
  readonly peers: readonly TimePeer[];
  readonly servers: readonly TimeServer[];
  readonly findings: TimeFindings | undefined;
  /** The newest updates, oldest first, bounded by the node. One update is the same object in every report. */
  readonly history: readonly TimeUpdate[];
}

/**
 * What the time-coordinator asks of the clock and of the NTP client, and what it tells others. Messages only; the
 * boundary actors are in `src/time/`. Rules TM-1, TM-3, TM-6, TM-7, docs/protocol/time.md.
 */
import type { Millis, Monotonic, WallTime } from '../../base/units.ts';
import type { Discipline } from '../time/adjusted.ts';
import type { NtpAnswer, NtpRefusal } from '../time/ntp-packet.ts';
import type { TimeAlert } from '../time/types.ts';

/** time-coordinator → clock */
export type ClockRequest =
  /** Look at the clocks now, and again every so often; each look is a `clock.looked`. */
  | { readonly type: 'clock.watchRequested'; readonly replyTo: string; readonly intervalMs: Millis }
  /** From now on adjusted time is this; `isFirst`: it may fall once, since nobody had adjusted time before. */
  | { readonly type: 'clock.disciplined'; readonly discipline: Discipline; readonly isFirst: boolean }
  | {
      readonly type: 'alerts.changed';
      readonly raised: readonly { readonly alert: TimeAlert; readonly detail: string }[];
      readonly cleared: readonly TimeAlert[];
      /** TM-7: told at every check while it lasts. */
      readonly repeated: readonly { readonly alert: TimeAlert; readonly detail: string }[];
    };

/** clock → time-coordinator: all clocks of this machine, read together. */
export interface ClockLooked {
  readonly type: 'clock.looked';
  readonly at: Monotonic;
  readonly systemTime: WallTime;
  /** What the cells see. */
  readonly adjustedTime: WallTime;
  /** That is adjusted time already, perhaps by an earlier life of the coordinator. */
  readonly isAdjusted: boolean;
}

/** time-coordinator → ntp-client: one question to one server. */
export interface NtpPollRequested {
  readonly type: 'ntp.pollRequested';
  readonly replyTo: string;
  /** As in `TimeConfig.servers`. */
  readonly server: string;
  readonly requestId: number;
  readonly timeoutMs: Millis;
}

/** Why a question to a server had no usable answer. `UNRESOLVED`: the name; `UNREACHABLE`: the network said so. */
export type NtpFailure = 'UNRESOLVED' | 'UNREACHABLE' | 'TIMEOUT';

/** ntp-client → time-coordinator: exactly one for each question. */
export type NtpReply =
  | {
      readonly type: 'ntp.answered';
      readonly server: string;
      readonly requestId: number;
      readonly sentAt: Monotonic;
      readonly arrivedAt: Monotonic;
      /** A refusal is an answer too: kisses are obeyed (TM-3). */
      readonly answer: NtpAnswer | NtpRefusal;
    }
  | {
      readonly type: 'ntp.failed';
      readonly server: string;
      readonly requestId: number;
      readonly code: NtpFailure;
      readonly detail: string;
    };

/** time-coordinator → round-manager: whether this node may propose (TM-7). */
export interface TimeChanged {
  readonly type: 'time.changed';
  readonly mayPropose: boolean;
}

/** time-coordinator → view-change and mempool: how far a quorum is, after each poll that shows it (CS-11, BR-11). */
export interface RoundTripMeasured {
  readonly type: 'roundTrip.measured';
  readonly roundTripMs: Millis;
}

/** round-manager → time-coordinator: a cell that (re)started asks for the newest `time.changed`. */
export interface TimeStatusRequested {
  readonly type: 'time.statusRequested';
  readonly replyTo: string;
}

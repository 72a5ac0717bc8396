/** The keys of [time]: whom this node believes about the time. Pure. Rules TM-3 to TM-7, docs/operator-guide.md. */
import { choice, duration, integer, list } from './setting.ts';

/** A name or address in brackets, and a port from 1 to 65535. */
const NTP_SERVER =
  /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9][A-Za-z0-9.-]*)(:([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5]))?$/;

export const TIME_SETTINGS = {
  source: choice({
    default: 'hybrid',
    choices: ['system', 'ntp', 'peers', 'hybrid'],
    note: 'Whom this node believes about the time; hybrid: NTP within what the validators agree on.',
    source: 'docs/protocol/time.md',
  }),
  servers: list({
    pattern: NTP_SERVER,
    shape: 'an NTP server "host" or "host:port"',
    lengthMax: 16,
    note: 'NTP servers, for ntp and hybrid; four or more, so that one may lie. None: hybrid is peers.',
    source: 'TM-3; RFC 8633 3.2',
  }),
  drift_threshold_ms: duration({
    default: 500,
    min: 1,
    max: 3_600_000,
    note: "Offset of this machine's clock above which the operator is warned.",
    source: 'TM-7; the precision of block times',
  }),
  update_interval_ms: duration({
    default: 10_000,
    min: 500,
    max: 600_000,
    note: 'Between two updates of adjusted time; the validators are asked each time. Of more than 16 proportionally longer.',
    source:
      'TM-4; clocks drift a few milliseconds meanwhile; four questions a poll, eight a second are taken (TP-5)',
  }),
  ntp_poll_interval_ms: duration({
    default: 64_000,
    min: 1_000,
    max: 1_024_000,
    note: 'Between two questions to one NTP server; the first eight are 2 s apart.',
    source: 'RFC 5905 (MINPOLL 6); ntpd (maxpoll 10)',
  }),
  answer_timeout_ms: duration({
    default: 1_000,
    min: 10,
    max: 60_000,
    note: 'How long an answer about the time is waited for.',
    source: 'docs/protocol/time.md',
  }),
  panic_threshold_ms: duration({
    default: 1_000_000,
    min: 1_000,
    max: 100_000_000_000,
    note: 'A greater correction is refused: somebody must look.',
    source: 'TM-6; RFC 5905 (PANICT)',
  }),
  drift_ppm_max: integer({
    default: 250,
    min: 1,
    max: 500,
    unit: 'ppm',
    note: "How fast this machine's clock may drift at the worst; error bounds grow by it.",
    source: 'TM-4; quartz without temperature control',
  }),
};

/** Pairs of keys whose values must not exceed each other: `lesser` <= `greater`. */
export const TIME_ORDERS = [
  { lesser: 'time.answer_timeout_ms', greater: 'time.update_interval_ms' },
] as const;

/** `althing time` as text: sentences, tables, and what the plot of the history shows. Pure. */
import pc from 'picocolors';
import type { z } from 'zod';
import { fields, plainText, table } from './output.ts';
import { type Line, plot } from './plot.ts';
import type { TIME } from './shapes.ts';

export type Time = z.infer<typeof TIME>;

/** The whole report. @param columns of the terminal */
export function timeLines(time: Time, columns: number): readonly string[] {
  return [
    ...headLines(time),
    ...alertLines(time, columns),
    ...peerLines(time),
    ...serverLines(time, columns),
  ];
}

/** The offsets over the history: with four validators it fits a terminal of 24 rows. */
export const timePlotLines = (time: Time, columns: number): readonly string[] => [
  standing(time),
  ...alertNames(time),
  ...plotLines(time, columns),
];

/** In `althing status`: `synchronised by peers, ±0.8 ms, system clock 10.0 s ahead`, and the alerts. */
export const timeSentence = (time: Time): string => [standing(time), ...alertNames(time)].join(', ');

function standing(time: Time): string {
  const error = time.error_ms === null ? [] : [`±${duration(time.error_ms)}`];
  return [stateText(time), ...error, `system clock ${ahead(time.system_offset_ms)}`].join(', ');
}

const alertNames = ({ alerts }: Time): readonly string[] =>
  alerts.length === 0 ? [] : [pc.yellow(alerts.map(({ alert }) => alert).join(' '))];

function headLines(time: Time): readonly string[] {
  const rate = `${signed(time.rate_ppm, time.rate_ppm.toFixed(1))} ppm`;
  return fields([
    ['state', stateText(time)],
    [
      'adjusted time',
      time.is_adjusted ? time.adjusted_time : 'none yet: the system clock is shown to the node',
    ],
    ['error bound', time.error_ms === null ? 'unknown' : `±${duration(time.error_ms)}`],
    ['system clock', `${time.system_time}, ${ahead(time.system_offset_ms)}`],
    ['source', `${time.source}; ${updatesText(time)}`],
    ['rate', `${rate}, ${offsetText(time.slew_left_ms)} left to slew`],
    [
      'proposing',
      time.may_propose
        ? pc.green('yes')
        : pc.yellow(time.updates > 0 ? 'no: adjusted time is far off' : 'no: there is no adjusted time'),
    ],
    ...peersText(time),
    ...(time.alerts.length === 0 ? [['alerts', 'none'] as const] : []),
  ]);
}

const stateText = ({ state, led_by: by }: Time): string => {
  const word = STATE_WORDS[state] ?? state;
  if (state !== 'synchronised') return pc.yellow(word);
  return pc.green(by === null ? word : `${word} by ${SOURCE_WORDS[by] ?? by}`);
};

const STATE_WORDS: Readonly<Record<string, string>> = { holdingOver: 'holding over' };
const SOURCE_WORDS: Readonly<Record<string, string>> = {
  system: 'the system clock',
  ntp: 'NTP',
  hybrid: 'NTP and peers',
};

function updatesText({ updates, last_update_age_ms: age }: Time): string {
  const count = updates === 1 ? '1 update' : `${updates} updates`;
  return age === null ? count : `${count}, the last ${duration(age)} ago`;
}

/** What the peers agreed on at the newest update. */
function peersText({ findings }: Time): readonly (readonly [string, string])[] {
  const lo = findings?.peers.lo_ms;
  const hi = findings?.peers.hi_ms;
  if (findings === null || lo === undefined || hi === undefined) return [];
  const conflict = findings.conflict ? pc.yellow(', and NTP is outside of that') : '';
  return [['peers agree on', `${offsetText(lo)} to ${offsetText(hi)}${conflict}`]];
}

const alertLines = ({ alerts }: Time, columns: number): readonly string[] =>
  alerts.length === 0
    ? []
    : [
        '',
        ...alerts.flatMap(({ alert, detail }) =>
          wrapped(`${alert}: ${detail}`, columns).map((line, index) =>
            index === 0 ? line.replace(alert, pc.yellow(alert)) : line,
          ),
        ),
      ];

/** Lines of so many columns at the most, from the second on set in; a longer word stays whole. */
export function wrapped(sentence: string, columns: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of sentence.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = `  ${word}`;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

const peerLines = ({ peers }: Time): readonly string[] =>
  peers.length === 0
    ? []
    : [
        '',
        ...table([
          ['peer', 'name', 'offset', 'round trip', 'reliable', 'heard', 'clock'],
          ...peers.map((peer) => [
            peer.peer.slice(0, 8),
            plainText(peer.name),
            offsetOr(peer.offset_ms),
            durationOr(peer.round_trip_ms),
            peer.reliability.toFixed(2),
            peer.last_update_age_ms === null ? 'no answer' : `${duration(peer.last_update_age_ms)} ago`,
            peer.is_synchronised ? 'synchronised' : 'own',
          ]),
        ]),
      ];

const serverLines = ({ servers }: Time, columns: number): readonly string[] =>
  servers.length === 0
    ? []
    : [
        '',
        ...table([
          ['NTP server', 'status', 'offset', 'delay', 'distance', 'stratum', 'reach'],
          ...servers.map((server) => [
            server.server,
            server.status,
            offsetOr(server.offset_ms),
            durationOr(server.delay_ms),
            durationOr(server.root_distance_ms),
            server.stratum === null ? '-' : String(server.stratum),
            server.reach.toString(2).padStart(8, '0'),
          ]),
        ]),
        ...servers
          .filter(({ why }) => why !== '')
          .flatMap(({ server, why }) => wrapped(`- ${server}: ${why}`, columns)),
      ];

/** Peers with a line of their own; those nearest to adjusted time go without. @unit lines @source letters are told apart */
const PLOTTED_PEERS_MAX = 12;

function plotLines({ history, peers }: Time, columns: number): readonly string[] {
  const [first] = history;
  const last = history.at(-1);
  if (first === undefined || last === undefined) return ['no update yet: nothing to plot'];
  const known = peers.map(({ peer, name }) => ({
    peer,
    name,
    points: history.map((update) => update.peers.find((each) => each.peer === peer)?.offset_ms),
  }));
  const chosen = new Set(
    known.toSorted((one, other) => farthest(other.points) - farthest(one.points)).slice(0, PLOTTED_PEERS_MAX),
  );
  // In the order of the peers, so that a letter stays a peer's own while one watches.
  const drawn = known.filter((peer) => chosen.has(peer));
  const system: Line = {
    mark: 'S',
    label: "this machine's clock",
    points: history.map(({ system_offset_ms: offset }) => offset),
  };
  const others = drawn.map(
    ({ peer, name, points }, index): Line => ({
      mark: String.fromCodePoint(FIRST_LETTER + index),
      label: `${plainText(name)} ${peer.slice(0, 8)}`.trim(),
      points,
    }),
  );
  const left = known.length - drawn.length;
  // A step at the beginning moved the time that it is told by.
  const begun = Date.parse(first.at) + (first.outcome === 'stepped' ? first.correction_ms : 0);
  return [
    `offsets from adjusted time at ${history.length} updates, ${clockText(begun)} to ${clockText(Date.parse(last.at))} UTC`,
    ...plot([system, ...others], columns, msLabel),
    ...table([
      ['', 'clock', 'newest', 'farthest'],
      ...[system, ...others].map(({ mark, label, points }) => [
        mark,
        label,
        offsetOr(points.findLast((point) => point !== undefined) ?? null),
        offsetOr(points.some((point) => point !== undefined) ? farthestOf(points) : null),
      ]),
    ]),
    ...(left > 0 ? [`${left} more peers were nearer to adjusted time`] : []),
  ];
}

const FIRST_LETTER = 'a'.codePointAt(0) ?? 0;

type Points = Line['points'];

const farthestOf = (points: Points): number =>
  points.reduce<number>((most, point) => (Math.abs(point ?? 0) > Math.abs(most) ? (point ?? 0) : most), 0);

const farthest = (points: Points): number => Math.abs(farthestOf(points));

/** HH:MM:SS; a node may answer anything. */
function clockText(at: number): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? '?' : date.toISOString().slice(11, 19);
}

const ahead = (offset: number): string => {
  const text = duration(Math.abs(offset));
  if (Number.parseFloat(text) === 0) return 'as adjusted time';
  return `${text} ${offset > 0 ? 'ahead' : 'behind'}`;
};

const offsetOr = (ms: number | null): string => (ms === null ? '-' : offsetText(ms));
const durationOr = (ms: number | null): string => (ms === null ? '-' : duration(ms));
const offsetText = (ms: number): string => signed(ms, duration(Math.abs(ms)));
const signed = (value: number, text: string): string =>
  value < 0 ? `-${text.replace('-', '')}` : `+${text}`;

/** Steps of a duration's text: below `belowMs` it is in `unit` of `unitMs`, with so many digits. */
const STEPS = [
  { belowMs: 9.9995, unit: 'ms', unitMs: 1, digits: 3 },
  { belowMs: 999.95, unit: 'ms', unitMs: 1, digits: 1 },
  { belowMs: 59_995, unit: 's', unitMs: 1_000, digits: 2 },
  { belowMs: 3_597_000, unit: 'min', unitMs: 60_000, digits: 1 },
  { belowMs: 172_000_000, unit: 'h', unitMs: 3_600_000, digits: 1 },
  { belowMs: Number.POSITIVE_INFINITY, unit: 'days', unitMs: 86_400_000, digits: 1 },
] as const;

/** As `0.042 ms`, `10.00 s`, `3.0 days`. */
export function duration(ms: number): string {
  const step = STEPS.find(({ belowMs }) => ms < belowMs) ?? STEPS[0];
  return `${(ms / step.unitMs).toFixed(step.digits)} ${step.unit}`;
}

/** A tick of the plot: a power of ten, as `+10 s`. */
function msLabel(value: number): string {
  if (value === 0) return '0';
  const abs = Math.abs(value);
  const text = abs < 1_000 ? `${Number(abs.toPrecision(1))} ms` : `${Number((abs / 1_000).toPrecision(1))} s`;
  return signed(value, text);
}

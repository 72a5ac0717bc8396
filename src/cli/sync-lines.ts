/** `althing sync` as text: the health line, the progress bar, alerts with remedies, what each peer claims. Pure. Rule SY-11. */
import pc from 'picocolors';
import type { z } from 'zod';
import { bytesText, fields, plainText, table } from './output.ts';
import type { SYNC, SYNC_PROGRESS } from './shapes.ts';
import { duration, wrapped } from './time-lines.ts';

export type Sync = z.infer<typeof SYNC>;
export type Progress = Omit<z.infer<typeof SYNC_PROGRESS>, 'elapsed_ms' | 'peers'>;

/** The whole report. @param columns of the terminal */
export function syncLines(sync: Sync, columns: number): readonly string[] {
  return [
    ...wrapped(plainText(sync.health), columns),
    ...(sync.progress === null ? [] : [progressLine(sync.progress, columns)]),
    '',
    ...headLines(sync),
    ...alertLines(sync, columns),
    ...peerLines(sync),
  ];
}

/** In `althing status`: the health line, the names of the alerts, and the bar on a line of its own. */
export function syncSentences({ health, alerts, progress }: Sync, columns: number): readonly string[] {
  const names = alerts.length === 0 ? '' : `, ${pc.yellow(alerts.map(({ alert }) => alert).join(' '))}`;
  return [`${plainText(health)}${names}`, ...(progress === null ? [] : [progressLine(progress, columns)])];
}

/** @unit columns */
const BAR = { min: 10, max: 40 } as const;

/**
 * `tier 2 [######····] 63 %, 8645 of 12345, 5,120 blocks/s, 2 s left`, or `tier 3 [##········] 25 %, snapshot of height 12000:
 * 3 of 12 chunks`; as wide as the terminal allows, never wider.
 */
export function progressLine(progress: Progress, columns: number): string {
  const { snapshot } = progress;
  const share = snapshot === null ? shareOf(progress) : snapshotShare(snapshot);
  const head = `tier ${progress.tier} `;
  const what =
    snapshot === null
      ? blockFacts(progress)
      : [`snapshot of height ${snapshot.height}: ${snapshot.written} of ${snapshot.chunks} chunks`];
  const facts = [` ${Math.floor(share * 100)} %`, ...what];
  const room = columns - head.length - facts.join(', ').length - 2;
  if (room < BAR.min) return `${head.trimEnd()}${facts.join(', ')}`.slice(0, columns);
  const width = Math.min(BAR.max, room);
  const full = Math.floor(share * width);
  return `${head}[${'#'.repeat(full)}${'·'.repeat(width - full)}]${facts.join(', ')}`;
}

function blockFacts({ at, to, blocks_per_second: speed, remaining_ms: left }: Progress): readonly string[] {
  const rest = left === null ? [] : [`${timeLeft(left)} left`];
  return [`${at} of ${to}`, `${countText(Math.round(speed))} blocks/s`, ...rest];
}

const snapshotShare = ({ written, chunks }: { readonly written: number; readonly chunks: number }): number =>
  shareOf({ from: '0', at: String(written), to: String(chunks) });

/** 0 to 1, whatever a node says; 1 only when there is nothing left. */
export function shareOf({ from, at, to }: Pick<Progress, 'from' | 'at' | 'to'>): number {
  const [total, done] = [Number(to) - Number(from), Number(at) - Number(from)];
  if (!(total > 0)) return 1;
  return Math.min(1, Math.max(0, done / total)) || 0;
}

/** As `under 1 s`, `12 s`, `3 min 20 s`, `2 h 5 min`. */
export function timeLeft(ms: number): string {
  if (ms < 1_000) return 'under 1 s';
  const seconds = Math.ceil(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.ceil(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function headLines(sync: Sync): readonly string[] {
  const error = sync.last_error;
  return fields([
    ['doing', ACTIVITY_WORDS[sync.activity] ?? plainText(sync.activity)],
    ['height', sync.height],
    ['consensus', consensusText(sync)],
    ['last check', checkText(sync)],
    ...(error === null
      ? []
      : [['last error', pc.yellow(plainText(`${error.code}: ${error.detail}`))] as const]),
    ['blocks', blocksText(sync)],
    ...tier2Text(sync),
    ...resyncText(sync),
    ...(sync.alerts.length === 0 ? [['alerts', 'none'] as const] : []),
  ]);
}

const ACTIVITY_WORDS: Readonly<Record<string, string>> = {
  starting: 'reading its chain from the disk',
  joining: 'waiting for a first peer to ask',
  resting: 'nothing until the next check',
  checking: 'asking the peers for their heights (tier 1)',
  catchingUp: 'fetching blocks (tier 2)',
  resyncing: 'downloading the whole chain (tier 3)',
  critical: 'nothing: its operator must decide',
};

function consensusText({
  consensus_height: height,
  proved_height: proved,
  supported_height: supported,
}: Sync) {
  if (height === null) return pc.yellow('unknown: no peer has answered');
  if (height === proved) return `${height}, proved by a commit`;
  return height === supported ? `${height}, reported by 67 % and not proved` : height;
}

function checkText({ last_check_age_ms: age, tier1_ms: took, counts }: Sync): string {
  if (age === null) return 'none yet';
  const lasted = took === null ? '' : `, took ${duration(took)}`;
  return `${duration(age)} ago${lasted}, number ${counts.checks}`;
}

const blocksText = ({ counts }: Sync): string =>
  [
    `${countText(counts.blocks_fetched)} fetched (${bytesText(counts.bytes_fetched)})`,
    `${countText(counts.blocks_rejected)} refused`,
    `${countText(counts.batches_retried)} batches asked for again`,
  ].join(', ');

function tier2Text({
  tier2_ms: took,
  validation_ms: validation,
}: Sync): readonly (readonly [string, string])[] {
  const run = took === null ? [] : [`last run ${duration(took)}`];
  const batch = validation === null ? [] : [`last batch validated and stored in ${duration(validation)}`];
  return run.length + batch.length === 0 ? [] : [['tier 2', [...run, ...batch].join(', ')]];
}

function resyncText({ resync }: Sync): readonly (readonly [string, string])[] {
  switch (resync?.status) {
    case 'ready':
      return [['resync', pc.green(`ready at height ${resync.height}: the node starts again on it`)]];
    case 'failed':
      return [['resync', pc.yellow(plainText(`failed: ${resync.error.code}: ${resync.error.detail}`))]];
    default:
      return [];
  }
}

const alertLines = ({ alerts }: Sync, columns: number): readonly string[] =>
  alerts.flatMap(({ alert, detail, remedy, age_ms: age }) => {
    const sentence = plainText(`${alert}: ${detail}, for ${duration(age)}`);
    const [first = '', ...rest] = wrapped(sentence, columns);
    return [
      '',
      first.replace(alert, pc.yellow(alert)),
      ...rest,
      ...wrapped(`do: ${plainText(remedy)}`, columns),
    ];
  });

function peerLines({ peers }: Sync): readonly string[] {
  if (peers.length === 0) return ['', 'no peers are connected'];
  const remarks = peers.flatMap(({ peer, failures, removed_for_ms: removed }) => {
    if (failures === 0 && removed === null) return [];
    const rests = removed === null ? '' : `, not asked for ${duration(removed)}`;
    return [`- ${peer.slice(0, 8)}: ${failures} unanswered in a row${rests}`];
  });
  return [
    '',
    ...table([
      ['peer', 'name', 'power', 'blocks', 'claim', 'latency', 'score', 'consistent'],
      ...peers.map((peer) => [
        peer.peer.slice(0, 8),
        plainText(peer.name),
        peer.power,
        peer.height === null ? '-' : `${peer.base ?? '?'}-${peer.height}`,
        claimText(peer),
        peer.latency_ms === null ? '-' : duration(peer.latency_ms),
        peer.score.toFixed(2),
        `${duration(peer.consistent_uptime_ms)}${peer.is_trusted ? ' trusted' : ''}`,
      ]),
    ]),
    ...remarks,
  ];
}

function claimText({ height, is_proved: isProved }: Sync['peers'][number]): string {
  if (height === null) return 'no answer';
  return isProved ? 'proved' : 'unproved';
}

/** With a comma at each thousand. */
const countText = (count: number): string => String(count).replaceAll(/\B(?=(\d{3})+$)/g, ',');

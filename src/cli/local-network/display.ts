/**
 * What a local network shows: a live table on a terminal, plain lines elsewhere, JSON lines with --json.
 * Boundary: stdout. All that is shown is a copy of what the validators told.
 */
import pc from 'picocolors';
import { commandLine } from '../called.ts';
import type { RunnerEvent } from '../node-events.ts';
import { clipped, table } from '../output.ts';
import { type Progress, progressLine } from '../sync-lines.ts';
import type { ProcessEnd } from './validator-process.ts';

export interface NetworkDisplay {
  readonly event: (index: number, event: RunnerEvent) => void;
  readonly ended: (index: number, end: ProcessEnd, logFile: string, expected: boolean) => void;
  /** A sentence for the reader; not with --json. */
  readonly say: (line: string) => void;
  readonly close: () => void;
}

export interface NetworkFacts {
  readonly chainId: string;
  readonly data: string;
  readonly homes: readonly string[];
  /** Where the network is looked at, with the token of this start. */
  readonly page: string;
  /** Commands to begin with, without the program's name. */
  readonly hints: readonly string[];
}

/**
 * JSON lines: first `ready` with the list of validators, once all are up (or have ended; not when none came up), then
 * each `block`, `view-change` and `stopped` with its node. What happens before is held back: a reader of `ready` finds the whole network.
 */
export function jsonDisplay(facts: NetworkFacts): NetworkDisplay {
  const ready = new Map<number, object>();
  const settled = new Set<number>();
  let held: object[] | undefined = [];
  const write = (value: object): void => {
    if (held === undefined) process.stdout.write(`${JSON.stringify(value)}\n`);
    else if (held.length < HELD_LINES_MAX) held.push(value);
  };
  const settle = (index: number): void => {
    settled.add(index);
    if (held === undefined || settled.size < facts.homes.length) return;
    const nodes = [...facts.homes.keys()].flatMap((node) => ready.get(node) ?? []);
    const all = { type: 'ready', chain_id: facts.chainId, data: facts.data, page: facts.page, nodes };
    const lines = [...(nodes.length === 0 ? [] : [all]), ...held];
    held = undefined;
    for (const line of lines) write(line);
  };
  return {
    event: (index, event) => {
      if (event.type === 'ready') {
        // Of one validator alone, for this process.
        const { type: _, inspector_url: __, ...node } = event;
        ready.set(index, { node: index, home: facts.homes[index], ...node });
        settle(index);
      } else if (event.type === 'block' || event.type === 'view-change') {
        const { type, ...rest } = event;
        write({ type, node: index, ...rest });
      }
    },
    ended: (index, end) => {
      const { code, signal } = end;
      write({ type: 'stopped', node: index, code, signal, reason: reasonOf(end) });
      settle(index);
    },
    say: () => undefined,
    close: () => undefined,
  };
}

/** One line for each height at most once a second, and one for everything unusual. */
export function plainDisplay(facts: NetworkFacts): NetworkDisplay {
  const write = (line: string): void => void process.stdout.write(`${line}\n`);
  const peers = facts.homes.map(() => 0);
  const ready = new Set<number>();
  const toldAt = facts.homes.map(() => Number.NEGATIVE_INFINITY);
  let shownHeight = 0;
  let shownAt = Number.NEGATIVE_INFINITY;
  return {
    event: (index, event) => {
      if (event.type === 'ready') {
        const isFirst = ready.size < facts.homes.length;
        ready.add(index);
        write(
          `validator ${index} ${event.id} listens at ${event.peer_address}, RPC http://${event.rpc_address}`,
        );
        if (isFirst && ready.size === facts.homes.length)
          write(`all ${ready.size} validators of ${facts.chainId} are up; look at them: ${facts.page}`);
      } else if (event.type === 'progress') {
        peers[index] = event.peers;
        const now = performance.now();
        if (event.catching_up === undefined || now - (toldAt[index] ?? 0) < CATCH_UP_INTERVAL) return;
        toldAt[index] = now;
        write(`validator ${index}: ${progressLine(event.catching_up, PLAIN_COLUMNS)}`);
      } else if (event.type === 'block') {
        const now = performance.now();
        if (event.height <= shownHeight || now - shownAt < SUMMARY_INTERVAL) return;
        shownHeight = event.height;
        shownAt = now;
        write(
          `height ${event.height}, round ${event.round}, block ${event.id.slice(0, 12)}, peers ${peers.join(' ')}`,
        );
      } else if (event.type === 'view-change') {
        write(viewChangeLine(index, event));
      }
    },
    ended: (index, end, logFile, expected) => write(endedLine(index, end, logFile, expected)),
    say: write,
    close: () => undefined,
  };
}

/** A table that is redrawn in place, with the last notices above it. */
export function liveDisplay(facts: NetworkFacts): NetworkDisplay {
  const rows = facts.homes.map(
    (_, index): Row => ({
      index,
      state: 'starting',
      height: 0,
      round: 0,
      peers: 0,
      catchingUp: undefined,
      block: '',
      rpc: '',
    }),
  );
  const pending: string[] = [];
  let drawn = 0;
  const draw = (): void => {
    const up = drawn === 0 ? '' : `\u001b[${drawn}A\u001b[J`;
    // A line that wraps would be two lines for the terminal, and one for the count of lines to go up.
    const lines = [
      ...liveTable(rows),
      ...catchUpLines(rows),
      '',
      `look at all of it: ${pc.underline(facts.page)}`,
      pc.dim(hintLine(facts.hints)),
    ].map((line) => clipped(line, process.stdout.columns - 1));
    const notices = pending
      .splice(0)
      .map((line) => `${line}\n`)
      .join('');
    process.stdout.write(`${up}${notices}${lines.join('\n')}\n`);
    drawn = lines.length;
  };
  const timer = setInterval(draw, DRAW_INTERVAL);
  const notice = (line: string): void => {
    pending.push(line);
    if (pending.length > NOTICES_MAX) pending.shift();
  };
  const update = (index: number, change: Partial<Row>): void => {
    const row = rows[index];
    if (row !== undefined) rows[index] = { ...row, ...change };
  };
  return {
    event: (index, event) => {
      if (event.type === 'ready') update(index, { state: 'running', rpc: `http://${event.rpc_address}` });
      else if (event.type === 'block')
        update(index, { height: event.height, round: event.round, block: event.id.slice(0, 12) });
      else if (event.type === 'progress') {
        const { height, round, peers, syncing, catching_up: catchingUp } = event;
        update(index, { height, round, peers, catchingUp, state: syncing ? 'syncing' : 'running' });
      } else if (event.type === 'view-change') notice(viewChangeLine(index, event));
    },
    ended: (index, end, logFile, expected) => {
      update(index, { state: 'stopped', peers: 0, catchingUp: undefined });
      notice(endedLine(index, end, logFile, expected));
    },
    say: notice,
    close: () => {
      clearInterval(timer);
      draw();
    },
  };
}

/** Lines held back until all validators are up; further ones are not shown. @unit lines */
const HELD_LINES_MAX = 10_000;
/** @unit ms @source ten frames a second read as live */
const DRAW_INTERVAL = 100;
/** @unit ms */
const SUMMARY_INTERVAL = 1_000;
/** Between two lines of one validator that catches up. @unit ms @source a log of minutes stays readable */
const CATCH_UP_INTERVAL = 2_000;
/** Where the output is no terminal. @unit columns */
const PLAIN_COLUMNS = 100;
/** Notices between two frames; the oldest go first. */
const NOTICES_MAX = 100;
const hintLine = (hints: readonly string[]): string =>
  `Ctrl-C stops all · try: ${hints.map(commandLine).join(' · ')}`;

interface Row {
  readonly index: number;
  readonly state: 'starting' | 'running' | 'syncing' | 'stopped';
  readonly height: number;
  readonly round: number;
  readonly peers: number;
  readonly catchingUp: Progress | undefined;
  readonly block: string;
  readonly rpc: string;
}

const liveTable = (rows: readonly Row[]): readonly string[] =>
  table([
    ['validator', 'state', 'height', 'round', 'peers', 'block', 'RPC'],
    ...rows.map(({ index, state, height, round, peers, block, rpc }) => [
      String(index),
      state,
      String(height),
      String(round),
      String(peers),
      block,
      rpc,
    ]),
  ]);

/** SY-11: a bar below the table for each validator that catches up. */
const catchUpLines = (rows: readonly Row[]): readonly string[] =>
  rows.flatMap(({ index, catchingUp }) => {
    if (catchingUp === undefined) return [];
    const label = `validator ${index} `;
    return [
      `${label}${progressLine(catchingUp, (process.stdout.columns ?? PLAIN_COLUMNS) - label.length - 1)}`,
    ];
  });

const viewChangeLine = (index: number, event: Extract<RunnerEvent, { type: 'view-change' }>): string =>
  `validator ${index}: view change, round ${event.round} of epoch ${event.epoch}, leader ${event.leader.slice(0, 8)}, failed: ${event.reason} after ${event.duration_ms} ms`;

/** Why a validator is gone: what it said last, where it failed by itself. */
function reasonOf({ code, signal, lastWords }: ProcessEnd): string {
  if (lastWords !== undefined) return lastWords;
  if (signal !== null) return `killed by ${signal}`;
  return code === 0 ? 'stopped' : `exit code ${code}`;
}

function endedLine(
  index: number,
  { code, signal, lastWords }: ProcessEnd,
  logFile: string,
  expected: boolean,
): string {
  if (expected && code === 0) return `validator ${index} stopped`;
  const how = signal === null ? `ended with exit code ${code}` : `was killed by ${signal}`;
  const words = lastWords === undefined ? '' : `: ${lastWords}`;
  const advice = expected ? '' : '; the others go on';
  return `validator ${index} ${how}${words}${advice} (its log: ${logFile})`;
}

/**
 * Messages between recorded nodes as a log of ShiViz: what each node sent and received, with vector clocks. Pure, but for the runs that it plays.
 * Rule RP-7, docs/journal.md. Source: the log format of ShiViz: first line the parser, second a delimiter of executions, then the log.
 */

import { MessageMemory } from '../node/feed/messages.ts';
import { concernsWire, readWire } from '../node/feed/wire.ts';
import type { WireEvent } from '../observe/feed/feed.ts';
import type { JournalFlaw, RunReader } from '../record/run-reader.ts';
import { Player, type ReplayedBy } from './player.ts';

/** What ShiViz reads a log by: its own default. */
export const SHIVIZ_PARSER = String.raw`(?<event>.*)\n(?<host>\S*) (?<clock>{.*})`;

/** Something that a node sent or received; `peer` is the other's id. */
export interface WireRow extends Pick<WireEvent, 'id' | 'direction' | 'kind' | 'at'> {
  readonly peer: string;
  readonly about: string;
}

export interface Host {
  readonly id: string;
  readonly name: string;
  /** In the order in which they happened there. */
  readonly rows: readonly WireRow[];
}

/** What the nodes of some runs sent and received, with what could not be read of it. @throws NotReplayable */
export function hostsOf(
  runs: readonly RunReader[],
  by: ReplayedBy,
): { readonly hosts: readonly Host[]; readonly flaws: readonly JournalFlaw[] } {
  const hosts = new Map<string, { id: string; name: string; rows: WireRow[] }>();
  const flaws: JournalFlaw[] = [];
  const inOrder = runs.toSorted((left, right) => left.opening.startedAt - right.opening.startedAt);
  for (const run of inOrder) {
    const { id, moniker } = run.opening.node;
    const host = hosts.get(id) ?? { id, name: moniker.replaceAll(/\s/g, '_'), rows: [] };
    hosts.set(id, host);
    flaws.push(...readRows(run, by, (row) => void host.rows.push(row)));
  }
  return { hosts: [...hosts.values()], flaws };
}

function readRows(run: RunReader, by: ReplayedBy, take: (row: WireRow) => void): readonly JournalFlaw[] {
  const memory = new MessageMemory();
  const player = new Player(run, {
    ...by,
    inspector: {
      transition: (transition) => {
        if (!concernsWire(transition.address, transition.event.type)) return;
        readWire(transition, { wire: note, step: () => undefined, hasRoomFor: () => true }, memory);
      },
    },
  });
  const note = (event: Omit<WireEvent, 'node'>): void => {
    const { id, direction, kind, at, round, height, refused, peer } = event;
    const about = [
      round === undefined ? '' : `round ${round}`,
      height === undefined ? '' : `height ${height}`,
      refused === undefined ? '' : `refused: ${refused.code}`,
    ].filter((word) => word !== '');
    take({ id, direction, kind, at, peer: String(peer), about: about.join(', ') });
  };
  player.finish();
  return player.flaws();
}

/** The whole log. What was sent and never came stands with its sender alone; what came from elsewhere, with its receiver. */
export function shivizLog(hosts: readonly Host[]): string {
  const sent = new Map<string, number>();
  for (const { id, rows } of hosts)
    for (const row of rows) if (row.direction === 'sent') count(sent, keyOf(id, row.peer, row.id), 1);
  const clocks = new Map(hosts.map(({ id }) => [id, new Map<string, number>()]));
  /** Clocks of what is on its way, in the order of sending. */
  const flying = new Map<string, ReadonlyMap<string, number>[]>();
  const names = new Map(hosts.map(({ id, name }) => [id, name]));
  const lines: string[] = [];
  const next = hosts.map(() => 0);
  /** False when it waits for a message that its sender has not sent yet. */
  const step = (host: Host, place: number, isForced: boolean): boolean => {
    const row = host.rows[next[place] ?? 0];
    const clock = clocks.get(host.id);
    if (row === undefined || clock === undefined) return false;
    if (row.direction === 'received') {
      const key = keyOf(row.peer, host.id, row.id);
      const seen = flying.get(key)?.shift();
      if (seen === undefined && !isForced && (sent.get(key) ?? 0) > 0) return false;
      for (const [name, value] of seen ?? []) clock.set(name, Math.max(clock.get(name) ?? 0, value));
    }
    count(clock, host.name, 1);
    if (row.direction === 'sent') {
      const key = keyOf(host.id, row.peer, row.id);
      count(sent, key, -1);
      flying.set(key, [...(flying.get(key) ?? []), new Map(clock)]);
    }
    const other = names.get(row.peer) ?? row.peer;
    const words = `${row.kind} ${row.direction === 'sent' ? 'to' : 'from'} ${other}${row.about === '' ? '' : ` (${row.about})`}`;
    lines.push(
      `${new Date(row.at).toISOString()} ${words}`,
      `${host.name} ${JSON.stringify(Object.fromEntries(clock))}`,
    );
    next[place] = (next[place] ?? 0) + 1;
    return true;
  };
  for (let isForced = false; ; ) {
    let moved = false;
    for (const [place, host] of hosts.entries()) {
      while (step(host, place, isForced)) {
        moved = true;
        isForced = false;
      }
    }
    if (moved) continue;
    // Nobody can go on but by taking a message whose sending is not in the journals where it should be.
    if (isForced) break;
    isForced = true;
  }
  return `${SHIVIZ_PARSER}\n\n${lines.join('\n')}\n`;
}

const keyOf = (from: string, to: string, id: string): string => `${from}>${to} ${id}`;

function count(counts: Map<string, number>, key: string, by: number): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}

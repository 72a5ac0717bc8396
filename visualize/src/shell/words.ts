/** Times, counts and addresses as people read them. Pure. */
import type { At, NodeCard } from '../../../src/observe/feed/feed.ts';

/** `14:03:05.250`, UTC: as in the views, the logs and for whoever gets the link. */
export function clockTime(at: At): string {
  if (at <= 0) return '––:––:––.–––';
  const time = new Date(at);
  return time.toISOString().slice(11, 23);
}

/** `0.4 s`, `12 s`, `3 min 5 s`, `2 h 4 min`. */
export function duration(ms: number): string {
  const seconds = Math.abs(ms) / 1_000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** `0.3 ms`, `12 ms`, `1.2 s`. */
export function milliseconds(ms: number): string {
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(1)} s`;
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** `950`, `12.3k`, `4.1M`. */
export function short(count: number): string {
  if (count < 10 && !Number.isInteger(count)) return count.toFixed(1);
  if (count < 1_000) return String(Math.round(count));
  if (count < 10_000) return `${(count / 1_000).toFixed(1)}k`;
  if (count < 1_000_000) return `${Math.round(count / 1_000)}k`;
  return `${(count / 1_000_000).toFixed(1)}M`;
}

/** With narrow spaces between thousands. */
export const counted = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, '\u202f');

/** Of an address the last name, `safety` or `round/0/37`; where that is a node's id, the node's moniker. */
export function nameOf(address: string, nodes: readonly NodeCard[]): string {
  const parts = address.split('/');
  const word = parts.findLastIndex((part) => !/^\d{1,15}$/.test(part));
  const name = parts.slice(Math.max(0, word)).join('/');
  if (!/^[0-9a-f]{16,}$/.test(name)) return name;
  return nodes.find(({ id }) => id === name)?.moniker ?? `${name.slice(0, 8)}…`;
}

/** Names for little room that still differ: without what all begin with, where they differ within four letters from there; else three. */
export function shortNamesOf(names: readonly string[]): readonly string[] {
  const [first = ''] = names;
  let common = 0;
  while (common < first.length && names.every((name) => name[common] === first[common])) common += 1;
  // A number is not torn apart.
  while (common > 0 && /\d/.test(first[common - 1] ?? '')) common -= 1;
  const isTold = common > 0 && names.every(({ length }) => length > common);
  return names.map((name) => (isTold ? name.slice(common, common + 4) : name.slice(0, 3)));
}

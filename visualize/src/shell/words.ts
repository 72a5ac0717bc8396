/** Times, counts and addresses as people read them. Pure. */
import type { At, NodeCard } from '../../../src/observe/feed/feed.ts';

const two = (value: number): string => String(value).padStart(2, '0');

/** `14:03:05.250`, in the reader's zone. */
export function clockTime(at: At): string {
  if (at <= 0) return '––:––:––.–––';
  const time = new Date(at);
  const ms = String(time.getMilliseconds()).padStart(3, '0');
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${ms}`;
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

export const counted = (count: number): string => count.toLocaleString('en-GB');

/** Of an address the last name, `safety` or `round/0/37`; where that is a node's id, the node's moniker. */
export function nameOf(address: string, nodes: readonly NodeCard[]): string {
  const parts = address.split('/');
  const word = parts.findLastIndex((part) => !/^\d{1,15}$/.test(part));
  const name = parts.slice(Math.max(0, word)).join('/');
  if (!/^[0-9a-f]{16,}$/.test(name)) return name;
  return nodes.find(({ id }) => id === name)?.moniker ?? `${name.slice(0, 8)}…`;
}

/** How the views say what the feed tells: names of nodes, durations, counts, steps, fates. Pure. */
import type { NodeCard, NodeIndex, StepKind } from '../../../src/observe/feed/feed.ts';
import type { Fate } from './diagram/flights.ts';

/** A node that the feed does not know is called by the beginning of its id. */
export function nodeName(nodes: readonly NodeCard[], node: NodeIndex | string): string {
  if (typeof node === 'string') return shortId(node);
  const card = nodes[node];
  if (card === undefined) return `node ${node}`;
  return card.moniker === '' ? shortId(card.id) : card.moniker;
}

/** By the address of its key. */
export function nodeOfId(nodes: readonly NodeCard[], id: string): NodeIndex | undefined {
  const place = nodes.findIndex((node) => node.id === id);
  return place < 0 ? undefined : place;
}

/** Enough of a hash to tell it from its neighbours. */
export const shortId = (id: string): string => (id.length <= 10 ? id : id.slice(0, 8));

/** Three digits that count. @param ms milliseconds */
export function duration(ms: number): string {
  const size = Math.abs(ms);
  if (size < 0.0005) return '0 ms';
  if (size < 1) return `${trimmed(ms * 1_000)} µs`;
  if (size < 1_000) return `${trimmed(ms)} ms`;
  if (size < 60_000) return `${trimmed(ms / 1_000)} s`;
  if (size < 3_600_000) return `${trimmed(ms / 60_000)} min`;
  return `${trimmed(ms / 3_600_000)} h`;
}

const trimmed = (value: number): string => {
  const size = Math.abs(value);
  return value.toFixed(size < 10 ? 2 : size < 100 ? 1 : 0).replace(/\.0+$|(\.\d*?)0+$/, '$1');
};

export function byteCount(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`;
  return bytes < 1_048_576 ? `${trimmed(bytes / 1_024)} KiB` : `${trimmed(bytes / 1_048_576)} MiB`;
}

export { counted as count } from '../shell/words.ts';

/** Time of day, UTC: the same for whoever looks, wherever they are. */
export function clockOf(at: number, withMs = true): string {
  const text = new Date(at).toISOString();
  return withMs ? text.slice(11, 23) : text.slice(11, 19);
}

export const FATE_WORDS: Readonly<Record<Fate, string>> = {
  arrived: 'arrived',
  late: 'arrived late',
  refused: 'refused',
  lost: 'lost: it left, and never came',
  flying: 'on its way',
  halfSeen: 'seen at one end only',
};

export const STEP_WORDS: Readonly<Record<StepKind, string>> = {
  roundEntered: 'entered the round',
  proposed: 'proposed',
  voted: 'voted',
  refusedToVote: 'refused to vote',
  qcFormed: 'formed a QC',
  tcFormed: 'formed a TC',
  timedOut: 'timed out',
  locked: 'locked',
  committed: 'committed',
  executed: 'executed',
  epochBegan: 'began an epoch',
  syncBegan: 'began to sync',
  syncEnded: 'is in sync',
  restarted: 'restarted',
  crashed: 'crashed',
  violated: 'broke an invariant',
};

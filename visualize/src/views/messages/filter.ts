/** Which messages the reader wants to see: by node, kind, round, verdict and text. Pure. */
import type { NodeIndex } from '../../../../src/observe/feed/feed.ts';
import type { Fate, Flight } from '../diagram/flights.ts';

export interface MessageFilter {
  /** At either end. */
  readonly node: NodeIndex | undefined;
  readonly kind: string | undefined;
  readonly round: number | undefined;
  readonly verdict: Verdict;
  /** In kind, id, block, and in the reason of a refusal; letters of any case. */
  readonly text: string;
}

export type Verdict = 'all' | 'taken' | 'refused' | 'lost' | 'late';

export const NO_FILTER: MessageFilter = {
  node: undefined,
  kind: undefined,
  round: undefined,
  verdict: 'all',
  text: '',
};

const FATES: Readonly<Record<Exclude<Verdict, 'all'>, readonly Fate[]>> = {
  taken: ['arrived', 'late'],
  refused: ['refused'],
  lost: ['lost'],
  late: ['late'],
};

export function passes(flight: Flight, fate: Fate, filter: MessageFilter): boolean {
  const { node, kind, round, verdict } = filter;
  if (node !== undefined && flight.from !== node && flight.to !== node) return false;
  if (kind !== undefined && flight.kind !== kind) return false;
  if (verdict !== 'all' && !FATES[verdict].includes(fate)) return false;
  const event = flight.sent ?? flight.received;
  if (round !== undefined && event?.round !== round) return false;
  return filter.text === '' || holds(flight, filter.text.toLowerCase());
}

function holds({ kind, sent, received }: Flight, text: string): boolean {
  const event = sent ?? received;
  const refused = received?.refused;
  return [kind, event?.id, event?.block, refused?.code, refused?.detail].some(
    (part) => part?.toLowerCase().includes(text) === true,
  );
}

/** Kinds that there are, the most frequent first. */
export function kindsOf(flights: readonly Flight[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const { kind } of flights) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts].toSorted((one, other) => other[1] - one[1]).map(([kind]) => kind);
}

/** '', or no whole number: none. */
export function roundOf(text: string): number | undefined {
  return /^\d{1,15}$/.test(text.trim()) ? Number(text) : undefined;
}

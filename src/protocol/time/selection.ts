/**
 * Which NTP servers are believed, and what they say together. Nothing is assumed but that a strict majority of them is
 * right: then the truth is within `interval`, and only servers that are wrong are overruled. Pure. Rule TM-3,
 * docs/protocol/time.md; RFC 5905 §11.2.1 (intersection), §11.2.2 (cluster), §11.2.3 (combine).
 */
import type { OffsetInterval } from './types.ts';

/** What a usable server says: the truth is within offset ± rootDistance, if it is right. */
export interface Candidate {
  readonly server: string;
  /** As `Sample.offset`. @unit ms */
  readonly offset: number;
  /** λ: what this may be wrong by, back to the reference clock. @unit ms */
  readonly rootDistance: number;
  /** @unit ms */
  readonly jitter: number;
  readonly stratum: number;
}

export type Selection =
  | {
      readonly status: 'selected';
      /** As `Sample.offset`; within `interval`. @unit ms */
      readonly offset: number;
      /** From the offset to the further end of `interval`. @unit ms */
      readonly error: number;
      /** Whose offsets were combined, by name. */
      readonly survivors: readonly string[];
      /** Who contradicts every majority, by name. */
      readonly falsetickers: readonly string[];
      /** From the lowest offset that a strict majority holds possible to the highest. */
      readonly interval: OffsetInterval;
    }
  | { readonly status: 'noMajority'; readonly candidates: number; readonly agreeing: number }
  | { readonly status: 'noCandidates' };

/** The cluster is not thinned below this. @unit servers @source RFC 5905 (NMIN) */
export const SURVIVORS_MIN = 3;
/** The least a server may be wrong by. @unit ms @source ntpd (tos mindist) */
export const ROOT_DISTANCE_MS_MIN = 1;

interface Contender extends Candidate, OffsetInterval {}

/**
 * The order of the candidates is of no matter. One alone is believed: there is nobody to overrule it. Two that contradict
 * each other are never averaged. A candidate whose numbers are not finite is none.
 *
 * @example selectServers([at(0), at(5_000)]) // { status: 'noMajority', candidates: 2, agreeing: 1 }
 */
export function selectServers(candidates: readonly Candidate[]): Selection {
  const contenders = candidates
    .filter(({ offset, rootDistance }) => Number.isFinite(offset) && Number.isFinite(rootDistance))
    .map(contenderOf)
    .toSorted(byName);
  if (contenders.length === 0) return { status: 'noCandidates' };
  const heldBy = (offset: number): number =>
    contenders.filter(({ lo, hi }) => lo <= offset && offset <= hi).length;
  const agreeing = Math.max(...contenders.map(({ lo }) => heldBy(lo)));
  // TM-3: falsetickers are fewer than half; at least three are needed to overrule one.
  const majority = Math.floor(contenders.length / 2) + 1;
  if (agreeing < majority) return { status: 'noMajority', candidates: contenders.length, agreeing };
  // What some servers hold together begins where the last of their intervals begins, so these are the lowest such offsets.
  const possible = contenders.map(({ lo }) => lo).filter((lo) => heldBy(lo) >= majority);
  const interval: OffsetInterval = {
    lo: Math.min(...possible),
    hi: Math.max(...contenders.map(({ hi }) => hi).filter((hi) => heldBy(hi) >= majority)),
  };
  const isTrue = ({ lo, hi }: Contender): boolean => possible.some((offset) => lo <= offset && offset <= hi);
  const survivors = cluster(contenders.filter(isTrue));
  const offset = Math.min(Math.max(combine(survivors), interval.lo), interval.hi);
  return {
    status: 'selected',
    offset,
    error: Math.max(offset - interval.lo, interval.hi - offset),
    survivors: survivors.map(({ server }) => server),
    falsetickers: contenders.filter((each) => !isTrue(each)).map(({ server }) => server),
    interval,
  };
}

function contenderOf(candidate: Candidate): Contender {
  const rootDistance = Math.max(candidate.rootDistance, ROOT_DISTANCE_MS_MIN);
  const { offset } = candidate;
  return { ...candidate, rootDistance, lo: offset - rootDistance, hi: offset + rootDistance };
}

function byName(a: Contender, b: Contender): number {
  if (a.server !== b.server) return a.server < b.server ? -1 : 1;
  return a.lo - b.lo || a.hi - b.hi;
}

/** Leaves out who is furthest from the others, while they differ more than the steadiest of them does from itself. */
function cluster(survivors: readonly Contender[]): readonly Contender[] {
  let left = survivors;
  while (left.length > SURVIVORS_MIN) {
    const ranked = left
      .map((contender) => ({ contender, spread: spreadOf(contender, left) }))
      .toSorted((a, b) => b.spread - a.spread || b.contender.rootDistance - a.contender.rootDistance);
    const [worst] = ranked;
    const steadiest = Math.min(...left.map(({ jitter }) => jitter));
    if (worst === undefined || worst.spread <= steadiest) return left;
    left = left.filter((contender) => contender !== worst.contender);
  }
  return left;
}

/** Selection jitter: RMS of the others' differences to one. @unit ms */
const spreadOf = ({ offset }: Contender, among: readonly Contender[]): number =>
  Math.sqrt(among.reduce((sum, other) => sum + (other.offset - offset) ** 2, 0) / (among.length - 1));

/** Mean weighted by 1/λ, summed from the first offset: sums of 10^12 would lose what is below a microsecond. @unit ms */
function combine(survivors: readonly Contender[]): number {
  const base = survivors[0]?.offset ?? 0;
  let [sum, weights] = [0, 0];
  for (const { offset, rootDistance } of survivors) {
    sum += (offset - base) / rootDistance;
    weights += 1 / rootDistance;
  }
  return base + sum / weights;
}

/**
 * Whom state-sync knows, and whom it asks next. Pure: a choice depends on what is known and one draw, never on the order in
 * which peers came. Rules SY-3, SY-6, docs/protocol/sync.md.
 */
import { type Millis, type Monotonic, millis, monotonic, type WallTime } from '../../base/units.ts';
import type { Address, ValidatorSet } from '../chain/types.ts';
import { powerOf } from '../chain/validator-set.ts';
import type { BlocksQuery } from '../ports/sync.ts';
import { isDistrusted, isRemoved, newReputation, REPUTATIONS_MAX, resumed, scoreAt } from './reputation.ts';
import type { PeerState, Reputation } from './types.ts';

/** Weight of a new latency in the average. @source RFC 6298, alpha */
const LATENCY_WEIGHT = 1 / 8;
/** Of a peer that has not answered yet. @unit ms @source chosen: half around the earth */
const LATENCY_ASSUMED_MS = millis(100);
/** Below it a difference of latencies is none. @unit ms @source chosen */
const LATENCY_FLOOR_MS = millis(5);

/** An answer that takes longer, or that is a small part of what was asked for, counts as so long. @unit ms @source config, block_fetch_timeout_secs */
const ANSWER_MS_MAX = millis(60_000);
/** A peer is slow when it takes so many times as long as the quickest that gives, … @source chosen */
const SLOW_FACTOR = 8;
/** … and longer than this. @unit ms @source chosen: a third of the hurry of SY-8 */
const SLOW_MS_MIN = millis(1_000);
/** Others are asked for so long before a peer that had nothing to give, or SLOW_FACTOR times as long as it took to say so; each time in a row twice as long. @unit ms @source chosen */
const REST_MS_MIN = millis(1_000);
/** @unit ms @source as the first removal */
const REST_MS_MAX = millis(60_000);

/** `unknown`: since this cell started it was not heard whether the peer can be reached. */
export type Presence = 'unknown' | 'connected' | 'gone';

export interface KnownPeer {
  readonly presence: Presence;
  readonly state: PeerState;
  /** Number of the question that brought the claim. */
  readonly claimedBy: number;
  /** The newest question when the claim came: what was asked later cannot have been answered before it. */
  readonly claimedAmong: number;
  /** Questions for blocks in a row that brought none; a claim, however true, does not make up for them (SY-6). */
  readonly withheld: number;
  /** Answers in a row that gave nothing of the heights that were asked for: nobody's fault. */
  readonly declined: number;
  /** Others are asked before it until then. */
  readonly restsUntil?: Monotonic;
  /** How long all blocks of a question take, on the average; absent: it has given none. */
  readonly blocksMs?: Millis;
}

/** At most REPUTATIONS_MAX. */
export type KnownPeers = ReadonlyMap<Address, KnownPeer>;

/** Nothing that it claimed counts. */
const UNCLAIMED = { claimedBy: 0, claimedAmong: 0 } as const;

const stranger = (set: ValidatorSet, peer: Address, reputation: Reputation): KnownPeer => ({
  presence: 'unknown',
  state: { peer, power: powerOf(set, peer), failures: 0, reputation },
  ...UNCLAIMED,
  withheld: 0,
  declined: 0,
});

/** Every validator but this one, and whoever was known before this node stopped. The time since then does not count (SY-9). */
export function knownAtStart(
  set: ValidatorSet,
  self: Address,
  kept: readonly Reputation[],
  now: WallTime,
): KnownPeers {
  const reputations = new Map(kept.map((reputation) => [reputation.peer, resumed(reputation, now)]));
  const validators = set.validators.map(({ address }) => address).filter((address) => address !== self);
  const others = [...reputations.keys()].filter((peer) => peer !== self && !set.indexByAddress.has(peer));
  const addresses = [...validators, ...others.sort()].slice(0, REPUTATIONS_MAX);
  return new Map(
    addresses.map((peer) => {
      const known = stranger(set, peer, reputations.get(peer) ?? newReputation(peer, now));
      return [peer, set.indexByAddress.has(peer) ? known : { ...known, presence: 'gone' }];
    }),
  );
}

/**
 * Another set has the votes from now on. What was claimed is forgotten: proofs of an epoch that has ended may be of what was
 * discarded (CS-16). Of validators that are new and nobody knows, as many as there is room for are kept.
 */
export function withSet(peers: KnownPeers, set: ValidatorSet, self: Address, now: WallTime): KnownPeers {
  const next = new Map<Address, KnownPeer>();
  for (const [peer, known] of peers) {
    const { claim: _, answeredAt: __, ...state } = known.state;
    next.set(peer, { ...known, state: { ...state, power: powerOf(set, peer) }, ...UNCLAIMED });
  }
  for (const { address } of set.validators) {
    if (address === self || next.has(address)) continue;
    if (next.size >= REPUTATIONS_MAX) {
      const oldest = leastLatelySeen(next, set, now);
      if (oldest === undefined) break;
      next.delete(oldest);
    }
    next.set(address, stranger(set, address, newReputation(address, now)));
  }
  return next;
}

/** It can be reached from now on. What it said on an earlier connection counts no more: it may have been reset since. */
export function withConnected(
  peers: KnownPeers,
  set: ValidatorSet,
  peer: Address,
  now: WallTime,
): KnownPeers {
  const known = peers.get(peer);
  if (known?.presence === 'connected') return peers;
  const next = new Map(peers);
  if (known === undefined && peers.size >= REPUTATIONS_MAX) {
    const oldest = leastLatelySeen(peers, set, now);
    if (oldest === undefined) return peers;
    next.delete(oldest);
  }
  const before = known ?? stranger(set, peer, newReputation(peer, now));
  const { claim: _, answeredAt: __, ...rest } = before.state;
  const reputation = resumed(rest.reputation, now);
  return next.set(peer, { ...before, presence: 'connected', state: { ...rest, reputation }, ...UNCLAIMED });
}

/** Whoever is no validator, not connected and not distrusted, and was seen least lately. */
function leastLatelySeen(peers: KnownPeers, set: ValidatorSet, now: WallTime): Address | undefined {
  const candidates = [...peers.values()]
    .filter(({ presence, state: { peer } }) => presence !== 'connected' && !set.indexByAddress.has(peer))
    .filter(({ state }) => !isDistrusted(state.reputation, now))
    .map(({ state: { peer, reputation } }) => ({ peer, at: reputation.at }));
  return candidates.sort((left, right) => left.at - right.at || (left.peer < right.peer ? -1 : 1))[0]?.peer;
}

/** Its answers are waited for no more; what was thought of it stays. */
export function withGone(peers: KnownPeers, peer: Address): KnownPeers {
  const known = peers.get(peer);
  if (known === undefined) return peers;
  const { claim: _, answeredAt: __, ...state } = known.state;
  return new Map(peers).set(peer, { ...known, presence: 'gone', state, ...UNCLAIMED });
}

export const connectedOf = (peers: KnownPeers): readonly PeerState[] =>
  [...peers.values()]
    .filter(({ presence }) => presence === 'connected')
    .map(({ state }) => state)
    .sort((left, right) => (left.peer < right.peer ? -1 : 1));

/** How long a peer that gave `given` of `wanted` blocks in `took` needs for all of them. @unit ms */
export const timeForAll = (took: number, given: number, wanted: number): Millis =>
  millis(Math.min(ANSWER_MS_MAX, took * Math.max(1, wanted / Math.max(1, given))));

/** The average with one more small answer in it. */
export const withLatency = (state: PeerState, took: number): PeerState => ({
  ...state,
  latencyMs: averaged(state.latencyMs, took),
});

/** The average with one more answer in it that gave blocks; `took` for all that were asked for. */
export const withGiven = (known: KnownPeer, took: Millis): KnownPeer => ({
  ...known,
  blocksMs: averaged(known.blocksMs, took),
});

const averaged = (before: Millis | undefined, took: number): Millis =>
  millis(before === undefined ? took : before + (took - before) * LATENCY_WEIGHT);

/** It had nothing to give, and took so long to say so: it rests. */
export function withDeclined(known: KnownPeer, took: number, now: Monotonic): KnownPeer {
  const first = Math.max(REST_MS_MIN, SLOW_FACTOR * took);
  const rest = Math.min(REST_MS_MAX, first * 2 ** Math.min(known.declined, 16));
  return { ...known, declined: known.declined + 1, restsUntil: monotonic(now + rest) };
}

/** A peer's answer is younger than `maxAge`. */
export const isFresh = ({ answeredAt }: PeerState, maxAge: Millis, now: Monotonic): boolean =>
  answeredAt !== undefined && now - answeredAt < maxAge;

/** What is wanted, and of whom. */
export interface Wish {
  readonly query: BlocksQuery;
  readonly holders?: readonly Address[] | undefined;
  readonly avoid: readonly Address[];
  /** Each attempt is of another peer. */
  readonly tried: readonly Address[];
  /** Somebody keeps it waiting: whoever has a place is asked, and the best before the least busy. */
  readonly isUrgent?: boolean;
}

export type Choice =
  | { readonly status: 'chosen'; readonly peer: Address }
  /** All that can be asked have no place for one more question now. */
  | { readonly status: 'busy' }
  | { readonly status: 'nobody' };

/** What a choice depends on beside the peers. */
export interface Choosing {
  readonly now: Monotonic;
  readonly wall: WallTime;
  /** In [0, 1): turns the order of those who are equal. */
  readonly drawn: number;
  /** Open questions at a peer; undefined: it has no place for one more of this kind. */
  readonly placesTaken: (peer: Address) => number | undefined;
  /** How long the peer has owed blocks; 0 where it owes none. @unit ms */
  readonly owing: (peer: Address) => number;
}

/**
 * SY-6: of the peers that may hold what is wanted, the one with the highest proved height that reaches it, then the least busy,
 * who gave blocks when it was asked last, then by score over latency. Who is slow, rests, was removed for failures, or was not
 * heard of, comes last, and is not asked for no better reason than that the others are busy; who contradicted, never.
 */
export function selectBestSyncPeer(peers: KnownPeers, wish: Wish, choosing: Choosing): Choice {
  const { wall, drawn, placesTaken } = choosing;
  const candidates = [...peers.values()].filter((known) => mayHold(known, wish, wall));
  if (candidates.length === 0) return { status: 'nobody' };
  const addresses = candidates.map(({ state }) => state.peer).sort();
  const shift = Math.floor(drawn * addresses.length);
  const bound = slownessAmong(candidates, wish, choosing);
  const placed = candidates.map((known) => ({
    known,
    reserve: reserveOf(known, wish, choosing, bound),
    taken: placesTaken(known.state.peer),
  }));
  // Who has no place for one more question is worth waiting for if it gives.
  const areOthers = placed.some(
    ({ known, reserve, taken }) =>
      reserve < RESERVE && (taken !== undefined || isGiver(known, wish, choosing)),
  );
  const ranked = placed.flatMap(({ known, reserve, taken }) => {
    const { peer } = known.state;
    if (taken === undefined || (reserve >= RESERVE && areOthers && wish.isUrgent !== true)) return [];
    const turn = (addresses.indexOf(peer) + addresses.length - shift) % addresses.length;
    const worth = -worthOf(known, wall);
    const vain = known.withheld + known.declined;
    const order = wish.isUrgent === true ? [vain, worth, taken] : [taken, vain, worth];
    return [{ peer, order: [reserve, rankOf(known.state, wish.query), ...order, turn] }];
  });
  const [best] = ranked.sort((left, right) => compare(left.order, right.order));
  return best === undefined ? { status: 'busy' } : { status: 'chosen', peer: best.peer };
}

function mayHold({ presence, state }: KnownPeer, wish: Wish, wall: WallTime): boolean {
  const { query, holders, tried } = wish;
  if (tried.includes(state.peer) || isDistrusted(state.reputation, wall)) return false;
  if (holders !== undefined && !holders.includes(state.peer)) return false;
  // Of validators one may have come without this cell's hearing of it; others cannot be reached.
  if (presence === 'gone' && state.power === 0n) return false;
  // SY-3: a chain that begins above what is wanted is of no use.
  return query.by === 'id' || state.claim === undefined || state.claim.base <= query.from;
}

/** Kept in reserve. */
const RESERVE = 2;
const ABSENT = 3;

/** 0: asked first. Then who is to be avoided, who was removed, rests or is slow, and who may not be there at all. */
function reserveOf(known: KnownPeer, { avoid }: Wish, choosing: Choosing, slow: number): number {
  if (known.presence !== 'connected') return ABSENT;
  if (isOut(known, choosing) || paceOf(known, choosing) > slow) return RESERVE;
  return avoid.includes(known.state.peer) ? 1 : 0;
}

const isOut = ({ state, restsUntil }: KnownPeer, { now, wall }: Choosing): boolean =>
  isRemoved(state.reputation, wall) || (restsUntil !== undefined && now < restsUntil);

/** What it owes counts as soon as it takes longer than what it gave. @unit ms */
const paceOf = ({ state, blocksMs = LATENCY_ASSUMED_MS }: KnownPeer, { owing }: Choosing): number =>
  Math.max(blocksMs, owing(state.peer));

/** Who takes longer is slow. @unit ms */
function slownessAmong(candidates: readonly KnownPeer[], wish: Wish, choosing: Choosing): number {
  const paces = candidates
    .filter((known) => known.presence === 'connected' && !isOut(known, choosing))
    .filter((known) => isGiver(known, wish, choosing))
    .map((known) => paceOf(known, choosing));
  return Math.max(SLOW_MS_MIN, SLOW_FACTOR * Math.min(...paces));
}

/** It has given blocks, or says that it can, and has not been asked in vain: quick small words make no giver. */
function isGiver(known: KnownPeer, { query }: Wish, { owing }: Choosing): boolean {
  const { state, blocksMs, withheld, declined } = known;
  if (blocksMs !== undefined) return true;
  return withheld + declined === 0 && rankOf(state, query) < NOT_CLAIMED && owing(state.peer) <= SLOW_MS_MIN;
}

/** It says nothing, or that it has none of it. */
const NOT_CLAIMED = 3;

/** 0: it proved that it has all of it; an old claim says only what it had at least. */
function rankOf({ claim }: PeerState, query: BlocksQuery): number {
  if (query.by === 'id') return 0;
  if (claim === undefined || claim.height < query.from) return NOT_CLAIMED;
  if (claim.status !== 'proved') return 2;
  return claim.height >= query.from + query.limit - 1 ? 0 : 1;
}

/** Score over latency. */
const worthOf = ({ state, blocksMs }: KnownPeer, wall: WallTime): number =>
  scoreAt(state.reputation, wall) /
  Math.max(LATENCY_FLOOR_MS, blocksMs ?? state.latencyMs ?? LATENCY_ASSUMED_MS);

function compare(left: readonly number[], right: readonly number[]): number {
  for (const [index, value] of left.entries()) {
    const difference = value - (right[index] ?? value);
    if (difference !== 0) return difference;
  }
  return 0;
}

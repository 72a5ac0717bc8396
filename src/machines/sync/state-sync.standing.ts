/**
 * How state-sync moves what it thinks of a peer, and keeps it on disk. Pure. Rules SY-6, SY-9, TP-6, docs/protocol/sync.md; the
 * arithmetic is in protocol/sync/reputation.ts.
 */
import { monotonic } from '../../base/units.ts';
import type { Address } from '../../protocol/chain/types.ts';
import { telling } from '../../protocol/supervision/effect.ts';
import type { SyncFault } from '../../protocol/sync/faults.ts';
import { type KnownPeer, withConnected, withGone } from '../../protocol/sync/peers.ts';
import { contradicted, failed, isRemoved, lied, praised, seen } from '../../protocol/sync/reputation.ts';
import type { PeerState, Reputation } from '../../protocol/sync/types.ts';
import { change, count, startTimer, type Work } from './state-sync.live.ts';

/** Between two writings of the reputations. @unit ms @source chosen: what a crash forgets of a peer's uptime */
const PERSIST_EVERY_MS = 60_000;
/** The same when it has become known that a peer is not to be trusted. @unit ms @source chosen: a liar must not make a disk busy */
const PERSIST_SOON_MS = 1_000;

const stateOf = ({ context }: Work, peer: Address): PeerState | undefined => context.peers.get(peer)?.state;

export const recordState = (work: Work, state: PeerState): void =>
  recordPeer(work, state.peer, (known) => ({ ...known, state }));

const recordReputation = (work: Work, state: PeerState, reputation: Reputation): void =>
  recordState(work, { ...state, reputation });

export function blame(work: Work, peer: Address, code: SyncFault): void {
  work.effects.push(telling(work.context.router, { type: 'peer.misbehaved', peer, code }));
}

/** The blocks that it gave proved good. */
export function praise(work: Work, peer: Address): void {
  recordPeer(work, peer, (known) => ({ ...known, withheld: 0, declined: 0 }));
  improve(work, peer);
}

function improve(work: Work, peer: Address): void {
  const state = stateOf(work, peer);
  if (state === undefined) return;
  recordReputation(work, { ...state, failures: 0 }, praised(state.reputation, work.clock.wall));
  persistLater(work, PERSIST_EVERY_MS);
}

export function recordPeer(work: Work, peer: Address, changed: (known: KnownPeer) => KnownPeer): void {
  const known = work.context.peers.get(peer);
  if (known !== undefined) change(work, { peers: new Map(work.context.peers).set(peer, changed(known)) });
}

/** It said something true; whoever was removed for failures has to give blocks before that is forgotten. */
export function thank(work: Work, peer: Address): void {
  const known = work.context.peers.get(peer);
  if (known === undefined || isRemoved(known.state.reputation, work.clock.wall)) return;
  if (known.withheld === 0) improve(work, peer);
  else recordState(work, { ...known.state, failures: known.withheld });
}

/** It did not answer in time: with blocks, or with what is smaller. */
export function chargeFailure(work: Work, peer: Address, what: 'blocks' | 'words'): void {
  const known = work.context.peers.get(peer);
  if (known === undefined) return;
  if (what === 'blocks') recordPeer(work, peer, (one) => ({ ...one, withheld: one.withheld + 1 }));
  const { state } = known;
  const failures = state.failures + 1;
  recordReputation(work, { ...state, failures }, failed(state.reputation, failures, work.clock.wall));
  persistLater(work, PERSIST_EVERY_MS);
}

/** What it gave was refused by the rule of that code. */
export function chargeLie(work: Work, peer: Address, code: SyncFault): void {
  blame(work, peer, code);
  count(work, 'lies');
  const state = stateOf(work, peer);
  if (state === undefined) return;
  const failures = state.failures + 1;
  recordReputation(work, { ...state, failures }, lied(state.reputation, failures, work.clock.wall));
  persistLater(work, PERSIST_SOON_MS);
}

/** Its chain is not this one: what it says is worth nothing, and it is asked no more. */
export function distrust(work: Work, peer: Address): void {
  const state = stateOf(work, peer);
  if (state === undefined) return;
  const { claim: _, ...rest } = state;
  const reputation = contradicted(state.reputation, work.clock.wall, work.context.config);
  recordReputation(work, { ...rest, failures: state.failures + 1 }, reputation);
  persistLater(work, PERSIST_SOON_MS);
}

export function recordConnected(work: Work, peer: Address): void {
  const { peers, epoch, self } = work.context;
  if (peer !== self) change(work, { peers: withConnected(peers, epoch.set, peer, work.clock.wall) });
}

export function recordGone(work: Work, peer: Address): void {
  const known = work.context.peers.get(peer);
  if (known === undefined) return;
  if (known.presence === 'connected') {
    recordReputation(work, known.state, seen(known.state.reputation, work.clock.wall));
    persistLater(work, PERSIST_EVERY_MS);
  }
  change(work, { peers: withGone(work.context.peers, peer) });
}

/** Everything that is thought of everybody is written within `every` of the last time, at the latest. */
function persistLater(work: Work, every: number): void {
  const { now } = work.clock;
  const { persistAt, persistedAt } = work.context;
  const at = monotonic(Math.max(now, persistedAt + every));
  if (persistAt !== undefined && persistAt <= at) return;
  change(work, { persistAt: at });
  startTimer(work, 'reputations', at - now, { type: 'reputations.due' });
}

/** Writes them, and comes again: uptime grows while nothing else happens. */
export function persistReputations(work: Work): void {
  const { now, wall } = work.clock;
  const { storage } = work.context;
  for (const { presence, state } of work.context.peers.values()) {
    if (presence === 'connected') recordReputation(work, state, seen(state.reputation, wall));
  }
  const reputations = [...work.context.peers.values()]
    .map(({ state }) => state.reputation)
    .sort((left, right) => (left.peer < right.peer ? -1 : 1));
  work.effects.push(telling(storage, { type: 'reputations.persistRequested', reputations }));
  change(work, { persistAt: undefined, persistedAt: now });
  persistLater(work, PERSIST_EVERY_MS);
}

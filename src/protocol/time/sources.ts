/**
 * What the sources say at one moment, and which of them leads: the system clock, NTP, the peers, or NTP within what the
 * peers agree on. Pure. Rules TM-3 to TM-5, docs/protocol/time.md.
 */
import { type Monotonic, millis } from '../../base/units.ts';
import type { Address, ValidatorSet } from '../chain/types.ts';
import { powerOf } from '../chain/validator-set.ts';
import type { TimeConfig } from './config.ts';
import { combine, grownError } from './hybrid.ts';
import { type Midpoint, midpointOf, type Reading, readingInterval } from './midpoint.ts';
import type { Heard } from './poll.ts';
import { isAdmitted, RELIABILITY_START } from './reliability.ts';
import { type Candidate, type Selection, selectServers } from './selection.ts';
import type { Estimate, OffsetInterval, PeerTimeInfo, TimeSource } from './types.ts';

/** All that a node knows when an update is due. Offsets are as `Sample.offset`. @unit ms */
export interface Knowledge {
  readonly config: TimeConfig;
  readonly validators: ValidatorSet;
  readonly self: Address;
  readonly now: Monotonic;
  /** Of its adjusted time, and of its system clock. */
  readonly ownOffset: number;
  readonly systemOffset: number;
  readonly isSynchronised: boolean;
  readonly peers: ReadonlyMap<Address, PeerTimeInfo>;
  /** Of the newest poll. */
  readonly heard: ReadonlyMap<Address, Heard>;
  readonly servers: readonly Candidate[];
}

export interface Findings {
  /** What leads, if anything does. */
  readonly estimate: (Estimate & { readonly interval: OffsetInterval }) | undefined;
  readonly peers: Midpoint;
  readonly ntp: Selection;
  readonly conflict: boolean;
  /** The peers' interval is of synchronised clocks: it can be held against something. */
  readonly peersAreSynchronised: boolean;
  /** It is not, but somebody honest among them has time: worth a wait. */
  readonly somebodyHasTime: boolean;
}

export function findingsOf(knowledge: Knowledge): Findings {
  const { config, systemOffset } = knowledge;
  const { midpoint: peers, areSynchronised: peersAreSynchronised, somebodyHasTime } = midpointNow(knowledge);
  const ntp = selectServers(knowledge.servers);
  const selected = ntp.status === 'selected' ? ntp : undefined;
  const agreed = peers.status === 'agreed' ? peers : undefined;
  const found = { peers, ntp, conflict: false, peersAreSynchronised, somebodyHasTime };
  switch (config.source) {
    case 'system':
      return { ...found, estimate: around({ offset: systemOffset, error: 0, by: 'system' }) };
    case 'ntp':
      return { ...found, estimate: selected && around({ ...lead(selected), by: 'ntp' }) };
    case 'peers':
      return { ...found, estimate: agreed && { ...lead(agreed), by: 'peers', interval: agreed.interval } };
    case 'hybrid': {
      const combined = combine({ ntp: selected, peers: agreed, peersAreSynchronised });
      if (combined.status === 'none') return { ...found, estimate: undefined };
      const { offset, error, by, conflict } = combined;
      const interval = by === 'ntp' || agreed === undefined ? intervalAround(offset, error) : agreed.interval;
      return { ...found, estimate: { offset, error, by, interval }, conflict };
    }
  }
}

/** Whether the peers contradict this node's own time, though it does not follow them (seed 000: checkDriftWithPeers). */
export const peersDisagree = (
  { peers, peersAreSynchronised }: Findings,
  ownOffset: number,
  error: number,
): boolean =>
  peersAreSynchronised &&
  peers.status === 'agreed' &&
  (ownOffset + error < peers.interval.lo || ownOffset - error > peers.interval.hi);

/** Sources that are asked at all, by whom a node believes. The peers are asked always: they tell a wrong clock. */
export const asksNtp = (source: TimeSource): boolean => source === 'ntp' || source === 'hybrid';

interface Agreement {
  readonly midpoint: Midpoint;
  readonly areSynchronised: boolean;
  readonly somebodyHasTime: boolean;
}

/**
 * TM-4, by the synchronised clocks alone: the others show their system clocks. Only a node without time takes what it gets,
 * its own system clock first, so that those who have time are not drawn away by those who have none.
 */
function midpointNow(knowledge: Knowledge): Agreement {
  const { validators, self, isSynchronised, heard } = knowledge;
  const { totalPower } = validators;
  const readings = readingsOf(knowledge);
  const isOfTime = ({ peer }: Reading): boolean =>
    peer === self ? isSynchronised : heard.get(peer)?.isSynchronised === true;
  const ofTime = midpointOf({ readings: readings.filter(isOfTime), totalPower });
  if (ofTime.status === 'agreed' || isSynchronised)
    return { midpoint: ofTime, areSynchronised: true, somebodyHasTime: true };
  const power = readings.filter(isOfTime).reduce((sum, reading) => sum + reading.power, 0n);
  const withOwn = midpointOf({
    readings: readings.filter((reading) => reading.peer === self || isOfTime(reading)),
    totalPower,
  });
  // Own clock and a liar together may be more than F: what they say binds nobody.
  const somebodyHasTime = power >= validators.honestPower;
  return withOwn.status === 'agreed' && somebodyHasTime
    ? { midpoint: withOwn, areSynchronised: false, somebodyHasTime }
    : { midpoint: midpointOf({ readings, totalPower }), areSynchronised: false, somebodyHasTime };
}

/** One for each validator that answered and is admitted, and this node's own, which needs no exchange. */
function readingsOf(knowledge: Knowledge): readonly Reading[] {
  const { config, validators, self, now, ownOffset, peers, heard } = knowledge;
  const others = [...heard].flatMap(([peer, { sample }]): readonly Reading[] => {
    const reliability = peers.get(peer)?.reliabilityScore ?? 0;
    if (!isAdmitted(reliability)) return [];
    const { offset, delay, dispersion } = sample;
    // From when the peer read its clock, at the earliest.
    const age = millis(now - sample.at + delay);
    const interval = readingInterval(offset, millis(delay + 2 * dispersion), age, config.driftPpmMax);
    return [{ peer, power: powerOf(validators, peer), offset, interval, reliability }];
  });
  const own: Reading = {
    peer: self,
    power: powerOf(validators, self),
    offset: ownOffset,
    interval: { lo: ownOffset, hi: ownOffset },
    // As the best of the others: a node that thinks more of itself leans away from them.
    reliability: Math.max(...others.map(({ reliability }) => reliability), RELIABILITY_START),
  };
  return [own, ...others];
}

const lead = ({ offset, error }: { readonly offset: number; readonly error: number }) => ({ offset, error });

const around = (estimate: Estimate): NonNullable<Findings['estimate']> => ({
  ...estimate,
  interval: intervalAround(estimate.offset, estimate.error),
});

const intervalAround = (offset: number, error: number): OffsetInterval => ({
  lo: offset - error,
  hi: offset + error,
});

/** How wrong a node's adjusted time can be, as it was told at its last update. */
export interface ErrorBound {
  readonly error: number;
  readonly at: Monotonic;
}

/** The bound at a later moment, without what is still to be made up of a correction. @unit ms */
export const errorAt = (bound: ErrorBound, now: Monotonic, { driftPpmMax }: TimeConfig): number =>
  grownError(bound.error, now - bound.at, driftPpmMax);

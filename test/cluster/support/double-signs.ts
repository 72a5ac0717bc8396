/**
 * Whether a validator signed what no honest one may: judged from what left its processes, over all its lives, and from
 * the safety records found after its deaths. Pure. Rules CS-3, CS-6, CS-9, docs/protocol/consensus.md.
 */
import type { Address } from '../../../src/protocol/chain/types.ts';
import type { SafetyRecord } from '../../../src/protocol/consensus/types.ts';

export type Act = 'vote' | 'proposal' | 'timeout';

/** Something signed, as it was first seen. */
export interface Sighting {
  readonly signer: Address;
  readonly act: Act;
  readonly epoch: number;
  readonly round: number;
  /** All that was signed beside epoch and round: equal texts are one statement. */
  readonly statement: string;
  /** The signer's process it left from, counted from 0; absent when another told it, as part of a certificate. */
  readonly life?: number;
}

/** The durable record after a process was killed. */
export interface FoundRecord {
  readonly signer: Address;
  readonly life: number;
  readonly version: number;
  readonly record: Pick<
    SafetyRecord,
    'epoch' | 'lastVotedRound' | 'lockedRound' | 'highQC' | 'lastVote' | 'lastTimeout'
  >;
}

export interface Violation {
  readonly code:
    | 'SIGNED_TWICE'
    | 'VOTE_AFTER_TIMEOUT'
    | 'TIMEOUT_BELOW_VOTE'
    | 'NOT_COVERED_BY_RECORD'
    | 'RECORD_WENT_BACK';
  readonly signer: Address;
  readonly detail: string;
}

/** Every violation in what was seen; `sightings` in the order in which each signer's own left, `records` by life. */
export function violationsOf(
  sightings: readonly Sighting[],
  records: readonly FoundRecord[],
): readonly Violation[] {
  return [
    ...signedTwice(sightings),
    ...outOfOrder(sightings),
    ...uncovered(sightings, records),
    ...wentBack(records),
  ];
}

/** CS-3, CS-9, CS-6: one vote, one proposal, one timeout a round, re-sent unchanged or not at all. */
function signedTwice(sightings: readonly Sighting[]): readonly Violation[] {
  const first = new Map<string, Sighting>();
  return sightings.flatMap((seen) => {
    const { signer, act, epoch, round, statement } = seen;
    const key = `${signer} ${act} ${epoch} ${round}`;
    const before = first.get(key);
    if (before === undefined) first.set(key, seen);
    if (before === undefined || before.statement === statement) return [];
    const detail = `${act} of round ${round}: ${before.statement} ${lifeOf(before)}, then ${statement} ${lifeOf(seen)}`;
    return [{ code: 'SIGNED_TWICE', signer, detail }];
  });
}

/** CS-6: a timeout of r ends all voting up to r, and is not below what was voted for. */
function outOfOrder(sightings: readonly Sighting[]): readonly Violation[] {
  const greatest = new Map<string, { vote: number; timeout: number }>();
  const seenBefore = new Set<string>();
  const found: Violation[] = [];
  for (const seen of sightings) {
    const { signer, act, epoch, round, statement } = seen;
    // Who tells a certificate tells nothing about when its votes were cast; a re-send is no new vote.
    const key = `${signer} ${act} ${epoch} ${round} ${statement}`;
    if (seen.life === undefined || act === 'proposal' || seenBefore.has(key)) continue;
    seenBefore.add(key);
    const span = `${signer} ${epoch}`;
    const far = greatest.get(span) ?? { vote: -1, timeout: -1 };
    if (act === 'vote' && round <= far.timeout) {
      const detail = `vote of round ${round} ${lifeOf(seen)} after a timeout of round ${far.timeout}`;
      found.push({ code: 'VOTE_AFTER_TIMEOUT', signer, detail });
    }
    if (act === 'timeout' && round < far.vote) {
      const detail = `timeout of round ${round} ${lifeOf(seen)} after a vote of round ${far.vote}`;
      found.push({ code: 'TIMEOUT_BELOW_VOTE', signer, detail });
    }
    greatest.set(span, { ...far, [act]: Math.max(far[act], round) });
  }
  return found;
}

/** A signature never leaves before its record is durable: what left up to a death is in the record found after it. */
function uncovered(sightings: readonly Sighting[], records: readonly FoundRecord[]): readonly Violation[] {
  return records.flatMap(({ signer, life, record }) => {
    const own = sightings.filter(
      (seen) => seen.signer === signer && seen.life !== undefined && seen.life <= life,
    );
    return own.flatMap((seen): readonly Violation[] => {
      const lack = lackOf(record, seen);
      if (lack === undefined) return [];
      const detail = `${seen.act} of epoch ${seen.epoch}, round ${seen.round} ${lifeOf(seen)}: the record after life ${life} has ${lack}`;
      return [{ code: 'NOT_COVERED_BY_RECORD', signer, detail }];
    });
  });
}

/** What the record says instead of knowing of the signature; undefined when it knows. */
function lackOf(
  record: FoundRecord['record'],
  { act, epoch, round, statement }: Sighting,
): string | undefined {
  if (epoch < record.epoch) return undefined;
  if (epoch > record.epoch) return `epoch ${record.epoch}`;
  if (round > record.lastVotedRound) return `lastVotedRound ${record.lastVotedRound}`;
  if (act === 'timeout') {
    const { lastTimeout } = record;
    if (lastTimeout === undefined || lastTimeout.round < round)
      return `timeout of round ${lastTimeout?.round}`;
    const same = lastTimeout.round > round || timeoutText(lastTimeout) === statement;
    return same ? undefined : `another timeout of this round: ${timeoutText(lastTimeout)}`;
  }
  const { lastVote } = record;
  if (lastVote === undefined || lastVote.round < round) return `vote of round ${lastVote?.round}`;
  const same = lastVote.round > round || voteText(lastVote) === statement;
  return same ? undefined : `another vote in this round: ${voteText(lastVote)}`;
}

/** ST-2: from one death to the next nothing in the record falls. */
function wentBack(records: readonly FoundRecord[]): readonly Violation[] {
  const last = new Map<Address, FoundRecord>();
  return records.flatMap((found) => {
    const { signer } = found;
    const before = last.get(signer);
    last.set(signer, found);
    if (before === undefined) return [];
    const [then, now] = [numbersOf(before), numbersOf(found)];
    const sameEpoch = before.record.epoch === found.record.epoch;
    return Object.entries(then).flatMap(([name, value]): readonly Violation[] => {
      const present = now[name] ?? -1;
      if (present >= value || (!sameEpoch && name !== 'version' && name !== 'epoch')) return [];
      const detail = `${name} was ${value} after life ${before.life}, is ${present} after life ${found.life}`;
      return [{ code: 'RECORD_WENT_BACK', signer, detail }];
    });
  });
}

const numbersOf = ({ version, record }: FoundRecord): Readonly<Record<string, number>> => ({
  version,
  epoch: record.epoch,
  lastVotedRound: record.lastVotedRound,
  lockedRound: record.lockedRound,
  highQcRound: record.highQC.round,
  lastVoteRound: record.lastVote?.round ?? -1,
  lastTimeoutRound: record.lastTimeout?.round ?? -1,
});

const lifeOf = ({ life }: Sighting): string => (life === undefined ? '(in a certificate)' : `(life ${life})`);

export const voteText = (vote: {
  readonly blockId: string;
  readonly height: number;
  readonly parentId: string;
  readonly parentRound: number;
}): string => `block ${vote.blockId} at ${vote.height} on ${vote.parentId} of round ${vote.parentRound}`;

export const timeoutText = ({ highQC }: { readonly highQC: { readonly round: number } }): string =>
  `high QC of round ${highQC.round}`;

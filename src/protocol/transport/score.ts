/**
 * What misbehaviour costs a peer, how it fades, and when it is banned. Two scores a peer: a validator that
 * floods our sync keeps its consensus lane. Pure. Rule TP-6, docs/protocol/transport.md.
 */
import { type Millis, type Monotonic, millis, monotonic } from '../../base/units.ts';
import type { SyncFault } from '../sync/faults.ts';
import type { FrameRefusal } from './refusal.ts';

export type ScoreLane = 'consensus' | 'sync';

/** Cost of one misbehaviour. 0: our own fault or nobody's, never counted (TP-6). */
export interface Penalty {
  readonly lane: ScoreLane;
  readonly weight: number;
}

/** Score at which a lane is banned. @unit penalty points */
export const BAN_AT = 100;
/** @unit ms @source a burst of small faults is forgotten in minutes; five grave ones are not */
export const SCORE_HALF_LIFE_MS = millis(60_000);
/** First ban; doubles with each further one, up to the longest. @unit ms */
export const BAN_MS_MIN = millis(60_000);
/** @unit ms */
export const BAN_MS_MAX = millis(3_600_000);
/** Clean time after the end of a ban that makes the next one a first one again. @unit ms */
export const BAN_FORGOTTEN_AFTER_MS = millis(3_600_000);

const consensus = (weight: number): Penalty => ({ lane: 'consensus', weight });
const sync = (weight: number): Penalty => ({ lane: 'sync', weight });

/** What sync blames for costs the sync lane alone, but for a foreign genesis. */
const SYNC_PENALTIES: Readonly<Record<SyncFault, Penalty>> = {
  BAD_BLOCKS: sync(50),
  BLOCKS_NOT_GAPLESS: sync(50),
  BLOCKS_SPAN_EPOCHS: sync(50),
  BLOCKS_PARENT_DIFFERS: sync(50),
  CERTIFICATE_OF_ANOTHER_BLOCK: sync(50),
  BLOCKS_NOT_CERTIFIED: sync(50),
  NOT_THE_WANTED_BLOCK: sync(50),
  CONTRADICTS_COMMITTED: sync(50),
  BATCH_NOT_NAMED: sync(50),
  UNREQUESTED: sync(10),
  REQUEST_TIMEOUT: sync(2),
  HEIGHT_WENT_BACK: sync(25),
  CLAIM_FALSE: sync(50),
  GENESIS_DIFFERS: consensus(BAN_AT),
  SNAPSHOT_FALSE: sync(50),
  SNAPSHOT_CHUNK_DIFFERS: sync(50),
  EPOCHS_FALSE: sync(50),
};

/** Codes of refusals by the transport, and of cells that refuse what a peer sent. Others cost `UNLISTED`. */
const PENALTIES: ReadonlyMap<string, Penalty> = new Map<string, Penalty>([
  ['FRAME_TOO_SHORT', consensus(50)],
  ['FRAME_TOO_LARGE', consensus(50)],
  ['FRAME_NOT_BINARY', consensus(50)],
  ['PACKET_EMPTY', consensus(50)],
  ['ENVELOPE_MALFORMED', consensus(50)],
  ['KIND_UNKNOWN', consensus(20)],
  ['KIND_OUT_OF_PHASE', consensus(50)],
  // Who was elected a moment ago is known as a validator to some before others (CS-16).
  ['KIND_NOT_FOR_ROLE', consensus(0.1)],
  ['STRUCTURE', consensus(50)],
  ['SCHEMA', consensus(50)],
  ['NOT_CANONICAL', consensus(50)],
  // Compressed state is sync's business: a validator that lies in it keeps its vote.
  ['STATE_EMPTY', sync(50)],
  ['STATE_TOO_LARGE', sync(50)],
  ['STATE_COMPRESSED_NEEDLESSLY', sync(50)],
  ['STATE_SEQUENCE_MISMATCH', sync(50)],
  ['STATE_BLOCK_MALFORMED', sync(50)],
  ['STATE_SIZE_MISMATCH', sync(50)],
  ['STATE_CHECKSUM_MISMATCH', sync(50)],
  ['RATE_EXCEEDED', consensus(0.1)],
  ['OPERATIONS_RATE_EXCEEDED', consensus(0.1)],
  ['SYNC_LANE_BANNED', sync(0)],
  // Three pairings to find out; whoever passes it on has verified it.
  ['EPOCH_CHANGE_FALSE', consensus(50)],
  // Lies that only their signer can have told.
  ['SIGNATURE_INVALID', consensus(50)],
  ['SIGNERS_MALFORMED', consensus(50)],
  ['SIGNER_TWICE', consensus(50)],
  ['QUORUM_NOT_REACHED', consensus(50)],
  ['GROUPS_NOT_FALLING', consensus(50)],
  ['HIGH_QC_NOT_OF_GROUPS', consensus(50)],
  ['ROOT_CERTIFICATE_WRONG', consensus(50)],
  ['VOTE_NOT_OF_SENDER', consensus(50)],
  ['VIEW_CHANGE_NOT_OF_SENDER', consensus(50)],
  ['LAST_VOTE_NOT_OF_SENDER', consensus(50)],
  ['DOUBLE_VOTE', consensus(50)],
  ['QC_HIDING', consensus(50)],
  ['EVIDENCE_NOT_AN_OFFENCE', consensus(50)],
  ['BATCH_MALFORMED', consensus(50)],
  ['ADDRESS_SIGNATURE', sync(50)],
  ...Object.entries(SYNC_PENALTIES),
  ['SYNC_RATE_EXCEEDED', sync(0.5)],
  // An honest validator's answer comes late, or to an earlier life of the asker; the breakers keep that below a ban (BR-8).
  ['ANSWER_UNREQUESTED', sync(2)],
  // A clock that is off, or an application that differs: a fault, but perhaps not theirs.
  ['TIME_TOO_EARLY', consensus(2)],
  ['TIME_TOO_LATE', consensus(2)],
  ['EXECUTED_WRONG', consensus(2)],
  ['TIME_REPLY_MALFORMED', consensus(10)],
  // What honest peers do when messages cross, and what is our own fault.
  ['WRONG_EPOCH', consensus(0)],
  ['ROUND_BELOW_WINDOW', consensus(0)],
  ['ROUND_PASSED', consensus(0)],
  ['ROUND_ALREADY_VOTED', consensus(0)],
  ['NOT_ABOVE_COMMITTED', consensus(0)],
  ['TREE_FULL', consensus(0)],
  ['ROUND_FULL', consensus(0)],
  ['STORAGE_FAILED', consensus(0)],
  ['SIGNER_UNAVAILABLE', consensus(0)],
  ['STATE_NOT_DECOMPRESSED', sync(0)],
]);

/** A code that no row names: a refusal by a cell, of middling weight. */
export const UNLISTED: Penalty = consensus(10);

export const penaltyFor = (code: string): Penalty => PENALTIES.get(code) ?? UNLISTED;

/** Cost of a refused frame; over-rate in the sync lanes is charged to the sync score. */
export function penaltyForFrame(refusal: FrameRefusal, lane: ScoreLane): Penalty {
  if (refusal.code === 'RATE_EXCEEDED' && lane === 'sync') return penaltyFor('SYNC_RATE_EXCEEDED');
  return penaltyFor(refusal.code);
}

/** One lane's score. `bans` counts those not yet forgotten. */
export interface LaneScore {
  readonly points: number;
  readonly at: Monotonic;
  readonly bans: number;
  /** In force while now < bannedUntil. */
  readonly bannedUntil: Monotonic;
}

export interface PeerScore {
  readonly consensus: LaneScore;
  readonly sync: LaneScore;
}

const cleanLane = (now: Monotonic): LaneScore => ({
  points: 0,
  at: now,
  bans: 0,
  bannedUntil: monotonic(Number.NEGATIVE_INFINITY),
});

/** The score of a peer that did nothing yet. */
export const cleanScore = (now: Monotonic): PeerScore => ({
  consensus: cleanLane(now),
  sync: cleanLane(now),
});

/** Points left at `now`: half of them fade with each half-life. */
export function pointsAt(score: LaneScore, now: Monotonic): number {
  if (now <= score.at) return score.points;
  return score.points * 0.5 ** ((now - score.at) / SCORE_HALF_LIFE_MS);
}

/** How long the `n`th ban in a row lasts, n >= 1. */
export const banDuration = (n: number): Millis =>
  millis(Math.min(BAN_MS_MAX, BAN_MS_MIN * 2 ** Math.min(n - 1, 32)));

export const isBanned = (score: PeerScore, lane: ScoreLane, now: Monotonic): boolean =>
  now < score[lane].bannedUntil;

function penalizeLane(score: LaneScore, weight: number, now: Monotonic): LaneScore {
  const points = pointsAt(score, now) + weight;
  if (points < BAN_AT || now < score.bannedUntil)
    return { ...score, points: Math.min(points, BAN_AT), at: now };
  const forgotten = now - score.bannedUntil >= BAN_FORGOTTEN_AFTER_MS;
  const bans = forgotten ? 1 : score.bans + 1;
  return { points: 0, at: now, bans, bannedUntil: monotonic(now + banDuration(bans)) };
}

export interface Penalized {
  readonly score: PeerScore;
  /** The lane that this penalty has banned, if it did. */
  readonly banned: ScoreLane | undefined;
}

/** Charges `penalty`. A lane that reaches BAN_AT is banned and its points start anew. */
export function penalize(score: PeerScore, penalty: Penalty, now: Monotonic): Penalized {
  if (penalty.weight <= 0) return { score, banned: undefined };
  const before = score[penalty.lane];
  const after = penalizeLane(before, penalty.weight, now);
  const banned = after.bannedUntil > now && before.bannedUntil <= now ? penalty.lane : undefined;
  return { score: { ...score, [penalty.lane]: after }, banned };
}

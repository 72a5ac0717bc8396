/**
 * Counts votes by what they state, forms QCs, finds who signed badly and who voted twice. Votes are verified in
 * aggregate at the quorum; one by one only after an aggregate failed. Pure; immutable. Rules CS-4, CS-13.
 */
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import { sameStatement, voteStatementBytes } from '../chain/canonical.ts';
import { bitmapOf } from '../chain/signers.ts';
import type {
  Address,
  Evidence,
  Power,
  QuorumCertificate,
  Round,
  Vote,
  VoteStatement,
} from '../chain/types.ts';
import { powerOf, validatorOf } from '../chain/validator-set.ts';
import { checkVoteForm } from './certificates.ts';
import type { EpochContext } from './epoch.ts';
import { doubleVote } from './evidence.ts';
import type { CertificateRefusal, StorageRefusal } from './refusals.ts';
import { admit, forgetBelow, type RoundWindow } from './round-window.ts';

interface Slot {
  readonly vote: Vote;
  /** Its own signature was checked alone: within a true aggregate two colluding ones can be wrong. */
  readonly verified: boolean;
}

interface RoundVotes {
  /** One vote a validator: its first. */
  readonly slots: ReadonlyMap<Address, Slot>;
  /** The round's QC, once formed here. */
  readonly qc?: QuorumCertificate;
}

export interface VoteBook {
  readonly rounds: ReadonlyMap<Round, RoundVotes>;
  readonly window: RoundWindow;
  /** Validators that signed badly once: their votes are verified on arrival. Bounded by the set. */
  readonly suspects: ReadonlySet<Address>;
}

const NO_VOTES: RoundVotes = { slots: new Map() };

export const EMPTY_VOTE_BOOK: VoteBook = { rounds: new Map(), window: new Map(), suspects: new Set() };

export type VoteOutcome =
  | { readonly status: 'counted'; readonly power: Power; readonly needed: Power }
  /** Held before, or its round has its QC already. */
  | { readonly status: 'known' }
  /** `offenders` signed badly: score them. */
  | { readonly status: 'certified'; readonly qc: QuorumCertificate; readonly offenders: readonly Address[] }
  /** The aggregate failed and too few are left; the offenders' slots are free again. */
  | {
      readonly status: 'spoiled';
      readonly offenders: readonly Address[];
      readonly power: Power;
      readonly needed: Power;
    }
  /** Two verified votes of one validator in one round: CS-14. The first still counts. */
  | { readonly status: 'conflict'; readonly evidence: Extract<Evidence, { kind: 'DoubleVote' }> }
  | { readonly status: 'refused'; readonly refusal: CertificateRefusal | StorageRefusal };

export interface VoteStep {
  readonly book: VoteBook;
  readonly outcome: VoteOutcome;
}

/** Takes one vote, from whatever message. Whoever hands it in has checked that the sender is the voter. */
export function addVote(book: VoteBook, epoch: EpochContext, bls: BlsEngine, vote: Vote): VoteStep {
  const refuse = (refusal: CertificateRefusal | StorageRefusal): VoteStep => ({
    book,
    outcome: { status: 'refused', refusal },
  });
  const form = checkVoteForm(epoch, vote);
  if (form !== 'valid') return refuse(form);
  const votes = book.rounds.get(vote.round) ?? NO_VOTES;
  const held = votes.slots.get(vote.validator);
  if (held !== undefined) return meetSlot(book, epoch, bls, votes, held, vote);
  if (votes.qc !== undefined && sameStatement(votes.qc, vote)) return { book, outcome: { status: 'known' } };
  const verified = book.suspects.has(vote.validator);
  if (verified && !signedBy(epoch, bls, vote)) return refuse(badSignature(vote));
  const admittance = admit(book.window, vote.validator, vote.round);
  if (admittance.status === 'below') {
    return refuse({ code: 'ROUND_BELOW_WINDOW', round: vote.round, oldest: admittance.oldest });
  }
  const rounds = new Map(book.rounds);
  if (admittance.displaced !== undefined) freeSlot(rounds, admittance.displaced, vote.validator);
  const placed = withSlot(votes, { vote, verified });
  rounds.set(vote.round, placed);
  return tally({ ...book, rounds, window: admittance.window }, epoch, bls, placed, vote);
}

/** Forgets votes of rounds below `round`. */
export function forgetVotesBelow(book: VoteBook, round: Round): VoteBook {
  if ([...book.rounds.keys()].every((held) => held >= round)) return book;
  const rounds = new Map([...book.rounds].filter(([held]) => held >= round));
  return { ...book, rounds, window: forgetBelow(book.window, round) };
}

/** Votes held for a round, by validator. For readers: they need not be verified. */
export function votesIn(book: VoteBook, round: Round): ReadonlyMap<Address, Vote> {
  const slots = book.rounds.get(round)?.slots ?? new Map<Address, Slot>();
  return new Map([...slots].map(([validator, { vote }]) => [validator, vote]));
}

/** Votes held of a validator, of whatever rounds. They need not be verified. */
export const votesOf = ({ rounds }: VoteBook, validator: Address): readonly Vote[] =>
  [...rounds.values()].flatMap(({ slots }) => slots.get(validator)?.vote ?? []);

/** What `forgetVotesBelow` of this round would forget. They need not be verified. */
export const votesBelow = ({ rounds }: VoteBook, round: Round): readonly Vote[] =>
  [...rounds].flatMap(([held, { slots }]) =>
    held < round ? [...slots.values()].map(({ vote }) => vote) : [],
  );

/** A QC from votes for one statement, each by another validator; undefined when a signature is no point at all. */
export function assembleQC(
  epoch: EpochContext,
  bls: BlsEngine,
  statement: VoteStatement,
  votes: readonly Vote[],
): QuorumCertificate | undefined {
  const signature = bls.aggregateSignatures(votes.map((vote) => vote.signature));
  if (signature === undefined) return undefined;
  const { round, height, blockId, parentId, parentRound } = statement;
  const signers = bitmapOf(
    epoch.set,
    votes.map(({ validator }) => validator),
  );
  return { epoch: statement.epoch, round, height, blockId, parentId, parentRound, signers, signature };
}

/** The voter's slot is taken: the same vote again, a forged one that must not stay, or an offence. */
function meetSlot(
  book: VoteBook,
  epoch: EpochContext,
  bls: BlsEngine,
  votes: RoundVotes,
  held: Slot,
  vote: Vote,
): VoteStep {
  const same = sameStatement(held.vote, vote);
  // A validator's valid BLS signature of one statement is one byte string.
  if (same && (held.verified || Buffer.compare(held.vote.signature, vote.signature) === 0)) {
    return { book, outcome: { status: 'known' } };
  }
  if (!signedBy(epoch, bls, vote))
    return { book, outcome: { status: 'refused', refusal: badSignature(vote) } };
  const heldIsTrue = held.verified || signedBy(epoch, bls, held.vote);
  const slot: Slot = heldIsTrue ? { vote: held.vote, verified: true } : { vote, verified: true };
  const placed = withSlot(votes, slot);
  const next = { ...book, rounds: new Map(book.rounds).set(vote.round, placed) };
  // A vote counts only under its own verified signature: the true one takes a forgery's place.
  if (!heldIsTrue) return tally(next, epoch, bls, placed, vote);
  const evidence = doubleVote(held.vote, vote);
  return {
    book: next,
    outcome: evidence === undefined ? { status: 'known' } : { status: 'conflict', evidence },
  };
}

/** Counts the votes for one statement; at Q: aggregate, verify once; on failure drop the bad and count again. */
function tally(
  book: VoteBook,
  epoch: EpochContext,
  bls: BlsEngine,
  votes: RoundVotes,
  statement: VoteStatement,
): VoteStep {
  const needed = epoch.set.quorumPower;
  const agreeing = [...votes.slots.values()].filter(({ vote }) => sameStatement(vote, statement));
  const power = powerOfSlots(epoch, agreeing);
  if (votes.qc !== undefined || power < needed) {
    return { book, outcome: { status: 'counted', power, needed } };
  }
  const qc = aggregate(epoch, bls, statement, agreeing);
  if (qc !== undefined) return certify(book, votes, qc, []);
  const sound = agreeing.filter(({ verified, vote }) => verified || signedBy(epoch, bls, vote));
  const offenders = agreeing.filter((slot) => !sound.includes(slot)).map(({ vote }) => vote.validator);
  const cleaned = expel(book, votes, statement.round, offenders, sound);
  const left = powerOfSlots(epoch, sound);
  const rest = left >= needed ? aggregate(epoch, bls, statement, sound) : undefined;
  if (rest !== undefined) return certify(cleaned.book, cleaned.votes, rest, offenders);
  return { book: cleaned.book, outcome: { status: 'spoiled', offenders, power: left, needed } };
}

function aggregate(
  epoch: EpochContext,
  bls: BlsEngine,
  statement: VoteStatement,
  slots: readonly Slot[],
): QuorumCertificate | undefined {
  const votes = slots.map(({ vote }) => vote);
  const qc = assembleQC(epoch, bls, statement, votes);
  if (qc === undefined) return undefined;
  const keys = votes.flatMap(({ validator }) => validatorOf(epoch.set, validator)?.consensusKey ?? []);
  const proven = bls.fastAggregateVerify(keys, voteStatementBytes(epoch.domain, statement), qc.signature);
  return proven ? qc : undefined;
}

function certify(
  book: VoteBook,
  votes: RoundVotes,
  qc: QuorumCertificate,
  offenders: readonly Address[],
): VoteStep {
  return {
    book: { ...book, rounds: new Map(book.rounds).set(qc.round, { ...votes, qc }) },
    outcome: { status: 'certified', qc, offenders },
  };
}

/** Frees the offenders' slots, remembers them as suspects, and marks the others' votes verified. */
function expel(
  book: VoteBook,
  votes: RoundVotes,
  round: Round,
  offenders: readonly Address[],
  sound: readonly Slot[],
): { readonly book: VoteBook; readonly votes: RoundVotes } {
  const slots = new Map(votes.slots);
  for (const { vote } of sound) slots.set(vote.validator, { vote, verified: true });
  for (const offender of offenders) slots.delete(offender);
  const cleaned: RoundVotes = { ...votes, slots };
  return {
    book: {
      ...book,
      rounds: new Map(book.rounds).set(round, cleaned),
      suspects: new Set([...book.suspects, ...offenders]),
    },
    votes: cleaned,
  };
}

function freeSlot(rounds: Map<Round, RoundVotes>, round: Round, validator: Address): void {
  const votes = rounds.get(round);
  if (votes === undefined) return;
  const slots = new Map(votes.slots);
  slots.delete(validator);
  if (slots.size === 0) rounds.delete(round);
  else rounds.set(round, { ...votes, slots });
}

const withSlot = (votes: RoundVotes, slot: Slot): RoundVotes => ({
  ...votes,
  slots: new Map(votes.slots).set(slot.vote.validator, slot),
});

const powerOfSlots = (epoch: EpochContext, slots: readonly Slot[]): Power =>
  slots.reduce((sum, { vote }) => sum + powerOf(epoch.set, vote.validator), 0n);

function signedBy(epoch: EpochContext, bls: BlsEngine, vote: Vote): boolean {
  const voter = validatorOf(epoch.set, vote.validator);
  return (
    voter !== undefined &&
    bls.verify(voter.consensusKey, voteStatementBytes(epoch.domain, vote), vote.signature)
  );
}

const badSignature = (vote: Vote): CertificateRefusal => ({
  code: 'SIGNATURE_INVALID',
  statement: 'vote',
  round: vote.round,
  signers: [vote.validator],
});

/**
 * Counts timeouts of a round: at J(W) one's own is due, at Q(W) a TC is formed. Only messages that
 * `verifyViewChange` found valid are handed in. Pure; immutable. Rules CS-7, CS-8, CS-13.
 */
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import { bitmapOf } from '../chain/signers.ts';
import type {
  Address,
  Power,
  QuorumCertificate,
  Round,
  TimeoutCertificate,
  TimeoutGroup,
} from '../chain/types.ts';
import { powerOf } from '../chain/validator-set.ts';
import type { EpochContext } from './epoch.ts';
import type { StorageRefusal } from './refusals.ts';
import { admit, forgetBelow, type RoundWindow } from './round-window.ts';
import type { ViewChangeMessage } from './types.ts';

interface RoundTimeouts {
  /** One message a validator: its first. */
  readonly slots: ReadonlyMap<Address, ViewChangeMessage>;
  /** J(W) was reached and reported. */
  readonly amplified: boolean;
  /** Q(W) was reached: the round's TC, formed once. */
  readonly tc?: TimeoutCertificate;
}

export interface ViewChangeBook {
  readonly rounds: ReadonlyMap<Round, RoundTimeouts>;
  readonly window: RoundWindow;
}

const NO_TIMEOUTS: RoundTimeouts = { slots: new Map(), amplified: false };

export const EMPTY_VIEW_CHANGE_BOOK: ViewChangeBook = { rounds: new Map(), window: new Map() };

export type ViewChangeOutcome =
  | {
      readonly status: 'counted';
      readonly power: Power;
      readonly needed: Power;
      /** J(W) reached for the first time and the own timeout is not among them: sign and send it, once. */
      readonly amplify: boolean;
      /** Q(W) reached for the first time. */
      readonly tc?: TimeoutCertificate;
    }
  /** This validator's timeout of the round is held, be the new one a re-send or signed over a newer high QC. */
  | { readonly status: 'known' }
  | { readonly status: 'refused'; readonly refusal: StorageRefusal };

export interface ViewChangeStep {
  readonly book: ViewChangeBook;
  readonly outcome: ViewChangeOutcome;
}

/** True when the sender's timeout of that round is held: nothing of it needs verifying again. */
export function holdsViewChange(book: ViewChangeBook, message: ViewChangeMessage): boolean {
  return book.rounds.get(message.round)?.slots.has(message.validator) ?? false;
}

/**
 * Takes one verified timeout. Rounds below `currentRound` are not counted: their senders are answered with the best
 * certificate instead. A second timeout of one validator in a round is no offence here: the first stays (CS-6).
 */
export function addViewChange(
  book: ViewChangeBook,
  epoch: EpochContext,
  bls: BlsEngine,
  message: ViewChangeMessage,
  at: { readonly currentRound: Round; readonly self: Address },
): ViewChangeStep {
  const { round, validator } = message;
  if (round < at.currentRound) {
    const refusal: StorageRefusal = { code: 'ROUND_BELOW_WINDOW', round, oldest: at.currentRound };
    return { book, outcome: { status: 'refused', refusal } };
  }
  if (holdsViewChange(book, message)) return { book, outcome: { status: 'known' } };
  const admittance = admit(book.window, validator, round);
  if (admittance.status === 'below') {
    const refusal: StorageRefusal = { code: 'ROUND_BELOW_WINDOW', round, oldest: admittance.oldest };
    return { book, outcome: { status: 'refused', refusal } };
  }
  const rounds = new Map(book.rounds);
  if (admittance.displaced !== undefined) freeSlot(rounds, admittance.displaced, validator);
  const held = rounds.get(round) ?? NO_TIMEOUTS;
  const slots = new Map(held.slots).set(validator, message);
  const power = [...slots.keys()].reduce((sum, address) => sum + powerOf(epoch.set, address), 0n);
  const amplify = !held.amplified && power >= epoch.set.honestPower && !slots.has(at.self);
  const amplified = held.amplified || power >= epoch.set.honestPower;
  const complete = held.tc === undefined && power >= epoch.set.quorumPower;
  const tc = complete ? assembleTC(epoch, bls, [...slots.values()]) : undefined;
  const keptTc = held.tc ?? tc;
  rounds.set(round, { slots, amplified, ...(keptTc === undefined ? {} : { tc: keptTc }) });
  return {
    book: { rounds, window: admittance.window },
    outcome: {
      status: 'counted',
      power,
      needed: epoch.set.quorumPower,
      amplify,
      ...(tc === undefined ? {} : { tc }),
    },
  };
}

/** Forgets timeouts of rounds below `round`. */
export function forgetViewChangesBelow(book: ViewChangeBook, round: Round): ViewChangeBook {
  if ([...book.rounds.keys()].every((held) => held >= round)) return book;
  const rounds = new Map([...book.rounds].filter(([held]) => held >= round));
  return { rounds, window: forgetBelow(book.window, round) };
}

/** Timeouts held for a round, by validator. */
export const viewChangesIn = (book: ViewChangeBook, round: Round): ReadonlyMap<Address, ViewChangeMessage> =>
  book.rounds.get(round)?.slots ?? new Map<Address, ViewChangeMessage>();

/**
 * A TC from verified timeouts of one round: the best high QC, and the signers grouped by the round of the high QC
 * that each reported, falling (CS-8). Undefined for no message or when a signature is no point at all.
 */
export function assembleTC(
  epoch: EpochContext,
  bls: BlsEngine,
  messages: readonly ViewChangeMessage[],
): TimeoutCertificate | undefined {
  const signature = bls.aggregateSignatures(messages.map((message) => message.signature));
  const highQC = messages.reduce<QuorumCertificate | undefined>(
    (best, message) => (best === undefined || message.highQC.round > best.round ? message.highQC : best),
    undefined,
  );
  const [firstGroup, ...otherGroups] = groupsOf(epoch, messages);
  const round = messages[0]?.round;
  if (signature === undefined || highQC === undefined || firstGroup === undefined || round === undefined) {
    return undefined;
  }
  return { epoch: epoch.epoch, round, highQC, groups: [firstGroup, ...otherGroups], signature };
}

function groupsOf(epoch: EpochContext, messages: readonly ViewChangeMessage[]): readonly TimeoutGroup[] {
  const signers = new Map<Round, Address[]>();
  for (const { highQC, validator } of messages) {
    const group = signers.get(highQC.round);
    if (group === undefined) signers.set(highQC.round, [validator]);
    else group.push(validator);
  }
  return [...signers]
    .sort(([left], [right]) => right - left)
    .map(([highQcRound, addresses]) => ({ highQcRound, signers: bitmapOf(epoch.set, addresses) }));
}

function freeSlot(rounds: Map<Round, RoundTimeouts>, round: Round, validator: Address): void {
  const held = rounds.get(round);
  if (held === undefined) return;
  const slots = new Map(held.slots);
  slots.delete(validator);
  if (slots.size === 0) rounds.delete(round);
  else rounds.set(round, { ...held, slots });
}

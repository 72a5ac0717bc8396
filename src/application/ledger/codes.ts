/** Why the ledger refuses: a code for programs and words for people. Pure. LG-14, docs/ledger.md. */

export const CODESPACE = 'ledger';

export const CODES = {
  ok: 0,
  /** Of a query: no such path, or data that it cannot read. */
  badQuery: 1,
  malformed: 2,
  signatureWrong: 3,
  nonceWrong: 4,
  feeTooLow: 5,
  balanceTooLow: 6,
  /** A validator's keys, proofs or operator are not right. */
  registrationWrong: 7,
  unknownValidator: 8,
  notTheOperator: 9,
  /** Stake below the least, or beyond what is there. */
  stakeWrong: 10,
  /** Consensus cannot run with the set that would be left (CS-16), or the set is full. */
  setWrong: 11,
  nothingToWithdraw: 12,
  tooManyUnbondings: 13,
  // 14 and 15 were of evidence in transactions.
  alreadyJailed: 16,
  /** The block does no more work (LG-8). */
  blockFull: 17,
  /** Above the last height that was signed (LG-18). */
  tooLate: 18,
  /** The last height is too far ahead (LG-18). */
  tooLong: 19,
  /** A transfer in the open, where transfers are sealed (LG-20). */
  sealingWanted: 20,
  /** Of one account, or of all (LG-22). */
  tooManySeals: 21,
  /** Of a reveal: there is no such seal, as yet or any more (LG-23). */
  unknownSeal: 22,
  /** Of a reveal: not what was committed to, not readable, or too early. */
  revealWrong: 23,
  alreadyRevealed: 24,
  /** Of a reveal: too late. */
  sealClosed: 25,
  /** Of other chains (LG-30 to LG-37): the genesis names no such chain, or nothing was proven of it yet. */
  unknownChain: 40,
  /** Its genesis hash is known. */
  chainOpen: 41,
  proofWrong: 42,
  /** Not the transfer that is next, or nothing new. */
  sequenceWrong: 43,
  /** The other chain has not acknowledged enough of what was sent. */
  outboxFull: 44,
  /** More than the genesis lets come from that chain, or go there (LG-35). */
  creditExceeded: 45,
  /** That chain has contradicted itself (LG-37). */
  chainHalted: 46,
} as const;

export interface Refusal {
  readonly code: Exclude<(typeof CODES)[keyof typeof CODES], 0>;
  readonly log: string;
}

export const refused = (code: Refusal['code'], log: string): Refusal => ({ code, log });

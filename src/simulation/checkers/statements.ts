/**
 * What each honest validator has signed, over all its lives: one statement of a kind in a round, rounds that only grow,
 * no timeout that hides what a vote was built on. Reads messages, the votes and the certificates inside them. Mutable
 * memory. Rules SM-4, CS-3, CS-6, CS-9, CS-14.
 */
import type {
  Address,
  BlockId,
  QuorumCertificate,
  TimeoutCertificate,
  Vote,
  VoteStatement,
} from '../../protocol/chain/types.ts';
import type { EpochContext } from '../../protocol/consensus/epoch.ts';
import type { ViewChangeMessage } from '../../protocol/consensus/types.ts';
import type { Report } from './claim.ts';
import { signersIn } from './proofs.ts';

export const ONE_VOTE = 'no two votes in a round';
export const ONE_PROPOSAL = 'no two proposals in a round';
export const ONE_TIMEOUT = 'no two timeouts in a round';
export const VOTES_GROW = 'no vote in a round after its timeout, or below an earlier vote';
export const TIMEOUTS_GROW = 'no timeout below an earlier one, or below a vote';
export const LOCK_KEPT = 'the locked round never falls: no timeout reports less than a vote was built on';

/** Of one validator in one epoch. */
interface Signed {
  readonly votes: Map<number, VoteStatement>;
  readonly proposals: Map<number, BlockId>;
  /** Round of the high QC by round. */
  readonly timeouts: Map<number, number>;
  readonly links: Map<Address, Link>;
}

/** Newest rounds that one receiver was told of: only a link keeps the order in which things were signed. */
interface Link {
  lastVote: number;
  lastTimeout: number;
  /** The best QC that a vote was built on. */
  lock: number;
}

export class Statements {
  readonly #report: Report;
  readonly #faulty: ReadonlySet<Address>;
  readonly #signed = new Map<string, Signed>();
  readonly #certificates = new WeakSet<object>();

  constructor(report: Report, faulty: ReadonlySet<Address>) {
    this.#report = report;
    this.#faulty = faulty;
  }

  /** A vote that left its voter for `to`, alone or inside another message of its voter. */
  vote(vote: Vote, to: Address): void {
    const { validator, round, parentRound } = vote;
    const signed = this.#of(validator, vote.epoch);
    const link = linkOf(signed, to);
    const { lastVote, lastTimeout } = link;
    link.lastVote = Math.max(lastVote, round);
    link.lock = Math.max(link.lock, parentRound);
    if (signed.votes.has(round)) {
      this.#same(validator, signed, vote);
      return;
    }
    signed.votes.set(round, vote);
    if (round <= lastVote || round <= lastTimeout) {
      const detail = `${validator}: vote of round ${round} after a vote of ${lastVote}, a timeout of ${lastTimeout}`;
      this.#report(VOTES_GROW, detail);
    }
  }

  proposal(vote: Vote): void {
    const { proposals } = this.#of(vote.validator, vote.epoch);
    const before = proposals.get(vote.round);
    if (before === undefined) proposals.set(vote.round, vote.blockId);
    else if (before !== vote.blockId) {
      this.#report(ONE_PROPOSAL, `${vote.validator} in round ${vote.round}: ${before} and ${vote.blockId}`);
    }
  }

  timeout({ validator, epoch, round, highQC, lastVote: cast }: ViewChangeMessage, to: Address): void {
    // It was cast before.
    if (cast !== undefined) this.vote(cast, to);
    const signed = this.#of(validator, epoch);
    const link = linkOf(signed, to);
    const { lastVote, lastTimeout } = link;
    link.lastTimeout = Math.max(lastTimeout, round);
    const before = signed.timeouts.get(round);
    if (before !== undefined) {
      this.#sameTimeout(validator, round, before, highQC.round);
      return;
    }
    signed.timeouts.set(round, highQC.round);
    if (round < lastTimeout || round < lastVote) {
      const detail = `${validator}: timeout of round ${round} after a timeout of ${lastTimeout}, a vote of ${lastVote}`;
      this.#report(TIMEOUTS_GROW, detail);
    }
    if (highQC.round < link.lock) {
      const detail = `${validator}: timeout of round ${round} reports ${highQC.round}, voted on ${link.lock}`;
      this.#report(LOCK_KEPT, detail);
    }
  }

  /** Its signers have voted so, whenever that was. */
  qc(epoch: EpochContext, qc: QuorumCertificate): void {
    if (this.#certificates.has(qc)) return;
    this.#certificates.add(qc);
    for (const validator of signersIn(epoch, qc.signers)) {
      if (this.#faulty.has(validator)) continue;
      const signed = this.#of(validator, qc.epoch);
      if (signed.votes.has(qc.round)) this.#same(validator, signed, qc);
      else signed.votes.set(qc.round, qc);
    }
  }

  tc(epoch: EpochContext, tc: TimeoutCertificate): void {
    if (this.#certificates.has(tc)) return;
    this.#certificates.add(tc);
    for (const { highQcRound, signers } of tc.groups) {
      for (const validator of signersIn(epoch, signers)) {
        if (this.#faulty.has(validator)) continue;
        const { timeouts } = this.#of(validator, tc.epoch);
        const before = timeouts.get(tc.round);
        if (before === undefined) timeouts.set(tc.round, highQcRound);
        else this.#sameTimeout(validator, tc.round, before, highQcRound);
      }
    }
  }

  #same(validator: Address, { votes }: Signed, now: VoteStatement): void {
    const before = votes.get(now.round);
    if (before === undefined || isSame(before, now)) return;
    this.#report(ONE_VOTE, `${validator} in round ${now.round}: ${textOf(before)} and ${textOf(now)}`);
  }

  #sameTimeout(validator: Address, round: number, before: number, now: number): void {
    if (before === now) return;
    this.#report(ONE_TIMEOUT, `${validator} in round ${round}: high QC of ${before} and of ${now}`);
  }

  #of(validator: Address, epoch: number): Signed {
    const key = epoch === 0 ? validator : `${validator}/${epoch}`;
    const known = this.#signed.get(key);
    if (known !== undefined) return known;
    const signed: Signed = {
      votes: new Map(),
      proposals: new Map(),
      timeouts: new Map(),
      links: new Map(),
    };
    this.#signed.set(key, signed);
    return signed;
  }
}

function linkOf({ links }: Signed, to: Address): Link {
  const known = links.get(to);
  if (known !== undefined) return known;
  const link: Link = { lastVote: -1, lastTimeout: -1, lock: -1 };
  links.set(to, link);
  return link;
}

const isSame = (left: VoteStatement, right: VoteStatement): boolean =>
  left.blockId === right.blockId &&
  left.parentId === right.parentId &&
  left.height === right.height &&
  left.parentRound === right.parentRound;

const textOf = ({ blockId, height, parentId, parentRound }: VoteStatement): string =>
  `${blockId} at ${height} on ${parentId} of round ${parentRound}`;

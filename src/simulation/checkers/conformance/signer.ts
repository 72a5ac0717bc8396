/**
 * One validator held against the text of docs/protocol/consensus.md: what it signed, in the order in which it signed, over
 * all its lives, and the records found of it. Knows nothing of the production rules. Rules CS-3, CS-6, CS-9.
 */
import type { Address, Vote } from '../../../protocol/chain/types.ts';
import type { ProposalMessage, ViewChangeMessage } from '../../../protocol/consensus/types.ts';
import type { Report } from '../claim.ts';
import type { LogEntry } from './log.ts';

export type FoundRecord = Extract<LogEntry, { kind: 'record' }>['record'];

/** Greatest round of a vote and of a timeout, and the best QC that a vote was built on, and that anything reported. */
interface Told {
  voted: number;
  gaveUp: number;
  lock: number;
  best: number;
}

/** Where a statement was seen. */
export interface Seen {
  readonly life: number;
  readonly to: string;
}

/** A vote is judged again when its block is known; that is the judge's. */
export interface CastVote {
  readonly vote: Vote;
}

export class Signer {
  readonly votes = new Map<number, CastVote>();
  readonly #name: Address;
  readonly #report: Report;
  /** High QC by round. */
  readonly #timeouts = new Map<number, number>();
  readonly #proposals = new Map<number, string>();
  readonly #links = new Map<string, Told>();
  /** Of all its links and records. */
  readonly #all: Told = { voted: 0, gaveUp: 0, lock: 0, best: 0 };
  #record: FoundRecord | undefined;

  constructor(name: Address, report: Report) {
    this.#name = name;
    this.#report = report;
  }

  /** CS-3: "at most one vote a round, rounds only grow, a round that was given up is not voted in". */
  vote(vote: Vote, { life, to }: Seen): void {
    const { round, parentRound } = vote;
    const link = this.#link(to);
    const { voted, gaveUp } = link;
    for (const told of [link, this.#all]) {
      told.voted = Math.max(told.voted, round);
      told.lock = Math.max(told.lock, parentRound);
      told.best = Math.max(told.best, parentRound);
    }
    const before = this.votes.get(round);
    if (before !== undefined) {
      if (textOf(before.vote) === textOf(vote)) return;
      this.#say(
        'CS-3: one vote a round',
        `round ${round}: ${textOf(before.vote)}, then ${textOf(vote)}`,
        life,
      );
      return;
    }
    this.votes.set(round, { vote });
    if (round <= voted) this.#say('CS-3: rounds only grow', `vote of ${round} after ${voted}`, life);
    if (round <= gaveUp) {
      this.#say('CS-3: no vote in a round given up', `vote of ${round} after a timeout of ${gaveUp}`, life);
    }
  }

  /** CS-6: "needs a high QC that is not below the lock, below r, and justified by a certificate of r − 1". */
  timeout({ round, highQC, lastTC, lastVote }: ViewChangeMessage, seen: Seen): void {
    const { life } = seen;
    if (lastVote !== undefined) this.vote(lastVote, seen);
    const link = this.#link(seen.to);
    const { voted, gaveUp, lock } = link;
    for (const told of [link, this.#all]) {
      told.gaveUp = Math.max(told.gaveUp, round);
      told.best = Math.max(told.best, highQC.round);
    }
    const before = this.#timeouts.get(round);
    if (before !== undefined) {
      if (before === highQC.round) return;
      this.#say(
        'CS-6: one timeout a round',
        `round ${round}: high QC of ${before}, then of ${highQC.round}`,
        life,
      );
      return;
    }
    this.#timeouts.set(round, highQC.round);
    const at = `timeout of ${round} with a high QC of ${highQC.round}`;
    if (highQC.round >= round) this.#say('CS-6: its high QC is below its round', at, life);
    if (highQC.round < lock) this.#say('CS-6: not below the lock', `${at}, locked on ${lock}`, life);
    if (highQC.round + 1 !== round && lastTC?.round !== round - 1) {
      this.#say(
        'CS-6: justified by a certificate of r − 1',
        `${at}, TC of ${lastTC?.round ?? 'no'} round`,
        life,
      );
    }
    if (round < gaveUp || round < voted) {
      this.#say('CS-6: rounds only grow', `${at} after a vote of ${voted}, a timeout of ${gaveUp}`, life);
    }
    if (lastVote === undefined && this.votes.has(round)) {
      this.#say('CS-6: carries the own vote of its round', at, life);
    }
  }

  /** CS-9: "once in its round, on its high QC, with the TC when the QC does not open the round". */
  proposal({ block, vote, tc }: ProposalMessage, leader: Address | undefined, seen: Seen): void {
    const { life } = seen;
    const { best } = this.#link(seen.to);
    const { round } = block.header;
    const before = this.#proposals.get(round);
    if (before === undefined) {
      const at = `round ${round} on a QC of ${block.qc.round}`;
      if (leader !== this.#name) this.#say('CS-9: only the leader proposes', `${at}, leader ${leader}`, life);
      if (block.qc.round < best) this.#say('CS-9: on its high QC', `${at}, knows ${best}`, life);
      const carries = block.qc.round + 1 === round ? tc === undefined : tc?.round === round - 1;
      if (!carries) this.#say('CS-9: with the TC when the QC does not open the round', at, life);
    } else if (before !== vote.blockId) {
      this.#say('CS-9: once in its round', `round ${round}: ${before}, then ${vote.blockId}`, life);
    }
    this.#proposals.set(round, vote.blockId);
    this.vote(vote, seen);
  }

  /** "That record is durable before the vote leaves"; nothing in it falls. */
  record(record: FoundRecord, life: number): void {
    const { lastVotedRound, lockedRound, highQC, lastVote, lastTimeout } = record;
    const { voted, gaveUp, lock, best } = this.#all;
    const signed = Math.max(voted, gaveUp);
    const shown = `voted ${lastVotedRound}, locked ${lockedRound}, high QC ${highQC.round}`;
    if (lastVotedRound < signed)
      this.#say('CS-3: the record covers what left', `${shown}; signed ${signed}`, life);
    if (lockedRound < lock) this.#say('CS-3: the record holds the lock', `${shown}; lock ${lock}`, life);
    if (highQC.round < lockedRound || highQC.round < best) {
      this.#say('CS-3: the record holds the high QC', `${shown}; reported ${best}`, life);
    }
    if ((lastVote?.round ?? 0) < voted || (lastTimeout?.round ?? 0) < gaveUp) {
      const last = `last vote ${lastVote?.round ?? 'none'}, last timeout ${lastTimeout?.round ?? 'none'}`;
      this.#say('CS-3: the record covers what left', `${last}; sent ${voted} and ${gaveUp}`, life);
    }
    const before = this.#record;
    if (before !== undefined && before.epoch === record.epoch) {
      const falls = lastVotedRound < before.lastVotedRound || lockedRound < before.lockedRound;
      if (falls)
        this.#say('CS-3: nothing in the record falls', `${shown}; was ${before.lastVotedRound}`, life);
    }
    this.#record = record;
    this.#standOn(record);
  }

  /** The record may know of signatures that never left: what any receiver hears later stands on them. */
  #standOn({ lockedRound, highQC, lastVote, lastTimeout }: FoundRecord): void {
    for (const told of [this.#all, ...this.#links.values()]) {
      told.voted = Math.max(told.voted, lastVote?.round ?? 0);
      told.gaveUp = Math.max(told.gaveUp, lastTimeout?.round ?? 0);
      told.lock = Math.max(told.lock, lockedRound);
      told.best = Math.max(told.best, highQC.round);
    }
    if (lastVote !== undefined && !this.votes.has(lastVote.round)) {
      this.votes.set(lastVote.round, { vote: lastVote });
    }
    if (lastTimeout !== undefined && !this.#timeouts.has(lastTimeout.round)) {
      this.#timeouts.set(lastTimeout.round, lastTimeout.highQC.round);
    }
  }

  /** A certificate says that this validator signed so; when, it does not say. */
  certified(kind: 'vote' | 'timeout', round: number, statement: Vote | number): void {
    if (kind === 'timeout') {
      const own = this.#timeouts.get(round);
      if (own !== undefined && own !== statement) {
        this.#say('CS-6: one timeout a round', `round ${round}: high QC of ${own}, in a TC of ${statement}`);
      }
      return;
    }
    const own = this.votes.get(round);
    if (typeof statement === 'number' || own === undefined || textOf(own.vote) === textOf(statement)) return;
    this.#say('CS-3: one vote a round', `round ${round}: ${textOf(own.vote)}, in a QC ${textOf(statement)}`);
  }

  #link(to: string): Told {
    const known = this.#links.get(to);
    if (known !== undefined) return known;
    const told: Told = { voted: 0, gaveUp: 0, lock: 0, best: 0 };
    this.#links.set(to, told);
    return told;
  }

  #say(claim: string, detail: string, life?: number): void {
    this.#report(claim, `${this.#name}${life === undefined ? '' : ` (life ${life})`}: ${detail}`);
  }
}

const textOf = ({ blockId, height, parentId, parentRound }: Omit<Vote, 'validator' | 'signature'>): string =>
  `${blockId} at ${height} on ${parentId} of ${parentRound}`;

/**
 * Judges a log of what validators said by the text of docs/protocol/consensus.md. Written from the text alone: of the
 * production rules it shares the types. Pure but for its memory. Rules SM-9, CS-1 to CS-9.
 */
import type { BlsEngine } from '../../../crypto/bls/engine.ts';
import type {
  Address,
  Block,
  QuorumCertificate,
  Round,
  TimeoutCertificate,
  Vote,
} from '../../../protocol/chain/types.ts';
import { type EpochContext, epochAfter, leaderAt } from '../../../protocol/consensus/epoch.ts';
import type { EpochChangeMessage } from '../../../protocol/consensus/types.ts';
import { parseEpochProof } from '../../../protocol/light/encoding.ts';
import { idOf } from '../bytes.ts';
import type { Report, Violation } from '../claim.ts';
import { Proofs, signersIn } from '../proofs.ts';
import type { JudgedMessage, LogEntry } from './log.ts';
import { type Seen, Signer } from './signer.ts';

/** What a log was judged by, and what of it could not be judged for lack of the block. */
export interface Judgement {
  readonly violations: readonly Violation[];
  readonly votes: number;
  readonly votesWithoutBlock: number;
  /** Entries of epochs that the log does not say the beginning of; those beyond the room for them are not judged either. */
  readonly entriesWithoutEpoch: number;
}

export interface JudgeSetting {
  /** The first; the others are learnt from the `EpochChange` messages of the log. */
  readonly epoch: EpochContext;
  readonly bls: Pick<BlsEngine, 'fastAggregateVerify' | 'aggregateVerify'>;
  /** What they say is not judged. */
  readonly faulty?: ReadonlySet<Address>;
}

interface Proposed {
  readonly block: Block;
  readonly tcs: readonly TimeoutCertificate[];
}

/** At most so many of one log are told. */
const VIOLATIONS_MAX = 64;
/** That wait for the beginning of their epoch: logs of several validators are read one after the other. @unit entries @source chosen */
const WAITING_MAX = 262_144;

export class Judge {
  /** By number. */
  readonly #epochs: EpochContext[];
  #waiting: LogEntry[] = [];
  #unheard = 0;
  readonly #faulty: ReadonlySet<Address>;
  readonly #violations: Violation[] = [];
  /** Of each epoch, in which rounds begin again. */
  readonly #signers = new Map<string, readonly [Address, Signer]>();
  readonly #proofs: Proofs;
  readonly #blocks = new Map<string, Proposed>();
  readonly #committed = new Map<string, string>();
  readonly #seen = new WeakSet<object>();

  constructor({ epoch, bls, faulty = new Set() }: JudgeSetting) {
    this.#epochs = [epoch];
    this.#faulty = faulty;
    const epochs = { of: (number: number) => this.#epochs[number] };
    this.#proofs = new Proofs({ epoch, epochs, bls }, this.#report);
  }

  readonly #report: Report = (claim, detail) => {
    if (this.#violations.length < VIOLATIONS_MAX) this.#violations.push({ claim, detail });
  };

  take(entry: LogEntry): void {
    if (this.#epochs[epochOf(entry)] !== undefined) this.#judge(entry);
    else if (this.#waiting.length < WAITING_MAX) this.#waiting.push(entry);
    else this.#unheard += 1;
  }

  #judge(entry: LogEntry): void {
    if (entry.kind === 'block') {
      this.#learn(entry.block, entry.tc);
      return;
    }
    if (this.#faulty.has(entry.by)) {
      if (entry.kind === 'sent' && entry.message.kind === 'Proposal') {
        this.#learn(entry.message.block, entry.message.tc);
      }
      return;
    }
    switch (entry.kind) {
      case 'sent':
        this.#said(entry.by, entry, entry.message);
        return;
      case 'record':
        this.#of(entry.by, entry.record.epoch).record(entry.record, entry.life);
        return;
      case 'committed':
        this.#commit(entry.by, entry.block);
    }
  }

  /** Everything so far, with each vote held against its block. */
  judgement(): Judgement {
    const before = this.#violations.length;
    let votes = 0;
    let votesWithoutBlock = 0;
    for (const [voter, signer] of this.#signers.values()) {
      for (const { vote } of signer.votes.values()) {
        votes += 1;
        const proposed = this.#blocks.get(vote.blockId);
        if (proposed === undefined) votesWithoutBlock += 1;
        else this.#judgeVote(voter, vote, proposed);
      }
    }
    const violations = [...this.#violations];
    this.#violations.length = before;
    const entriesWithoutEpoch = this.#waiting.length + this.#unheard;
    return { violations, votes, votesWithoutBlock, entriesWithoutEpoch };
  }

  #of(address: Address, epoch: number): Signer {
    const key = `${address}/${epoch}`;
    const known = this.#signers.get(key) ?? [address, new Signer(address, this.#report)];
    this.#signers.set(key, known);
    return known[1];
  }

  /** CS-16: whoever tells the end of an epoch has verified it, and all tell the same. */
  #ended(by: Address, { qc, proof: bytes }: EpochChangeMessage): void {
    const [first] = this.#epochs;
    const proof = parseEpochProof(bytes);
    if (first === undefined) return;
    if (proof === 'malformed') {
      this.#report('CS-16: the end of an epoch is proven', `${by}: of epoch ${qc.epoch}`);
      return;
    }
    this.#proofs.qc(by, qc);
    this.#proofs.qc(by, proof.last.certificate);
    const next = epochAfter(first, { qc, proof });
    const known = this.#epochs[next.epoch];
    if (known !== undefined) {
      if (known.hash !== next.hash || known.rootQC.blockId !== next.rootQC.blockId)
        this.#report('CS-16: one end of an epoch', `${by}: of epoch ${qc.epoch}, block ${qc.blockId}`);
      return;
    }
    if (next.epoch !== this.#epochs.length) return;
    this.#epochs.push(next);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const entry of waiting) this.take(entry);
  }

  #said(by: Address, seen: Seen, message: JudgedMessage): void {
    switch (message.kind) {
      case 'Vote':
        if (message.vote.validator !== by)
          this.#report('CS-3: everybody votes for itself', `${by} sent another's`);
        else this.#of(by, message.vote.epoch).vote(message.vote, seen);
        return;
      case 'Proposal': {
        this.#learn(message.block, message.tc);
        const { epoch, round } = message.block.header;
        this.#of(by, epoch).proposal(message, this.#leaderOf(epoch, round), seen);
        this.#hold(by, message.block.qc, message.tc);
        return;
      }
      case 'ViewChange':
        if (message.validator !== by)
          this.#report('CS-7: its form', `${by} sent a timeout of ${message.validator}`);
        else this.#of(by, message.epoch).timeout(message, seen);
        this.#hold(by, message.highQC, message.lastTC);
        return;
      case 'QC':
        this.#hold(by, message.qc);
        return;
      case 'NewView': {
        const { epoch, round, leader, tc } = message;
        if (tc.round + 1 !== round || leader !== this.#leaderOf(epoch, round)) {
          this.#report(
            'CS-7: a new view is of the round that its TC opens',
            `${by}: ${round}, TC of ${tc.round}`,
          );
        }
        this.#hold(by, undefined, tc);
        return;
      }
      case 'EpochChange':
        this.#ended(by, message);
        return;
      case 'Blocks':
        for (const { block, qc } of message.blocks) {
          this.#learn(block, undefined);
          this.#hold(by, block.qc);
          this.#hold(by, qc);
          if (qc.blockId !== this.#idOf(block)) {
            this.#report('CS-12: a block is served with its own QC', `${by}: ${qc.blockId}`);
          }
        }
    }
  }

  /** Whoever uses a certificate has verified it (CS-13), and its signers signed nothing else. */
  #hold(by: Address, qc: QuorumCertificate | undefined, tc?: TimeoutCertificate): void {
    if (qc !== undefined && !this.#seen.has(qc)) {
      this.#seen.add(qc);
      this.#proofs.qc(by, qc);
      const signature = qc.signature;
      for (const validator of this.#signersIn(qc.epoch, qc.signers)) {
        if (this.#faulty.has(validator)) continue;
        this.#of(validator, qc.epoch).certified('vote', qc.round, { ...qc, validator, signature });
      }
    }
    if (tc === undefined || this.#seen.has(tc)) return;
    this.#seen.add(tc);
    this.#hold(by, tc.highQC);
    this.#proofs.tc(by, tc);
    for (const { highQcRound, signers } of tc.groups) {
      for (const validator of this.#signersIn(tc.epoch, signers)) {
        if (this.#faulty.has(validator)) continue;
        this.#of(validator, tc.epoch).certified('timeout', tc.round, highQcRound);
      }
    }
  }

  #learn(block: Block, tc: TimeoutCertificate | undefined): void {
    if (this.#seen.has(block) && tc === undefined) return;
    this.#seen.add(block);
    const id = this.#idOf(block);
    const known = this.#blocks.get(id);
    const tcs = [...(known?.tcs ?? []), ...(tc === undefined || (known?.tcs.length ?? 0) > 8 ? [] : [tc])];
    this.#blocks.set(id, { block, tcs });
  }

  /** CS-2, CS-3, "Blocks": the block that was voted for is one that may be voted for. */
  #judgeVote(voter: Address, vote: Vote, { block, tcs }: Proposed): void {
    const { header, qc } = block;
    const { epoch, round } = header;
    const at = `${voter} voted for ${vote.blockId} of round ${round}`;
    const said = (claim: string, detail = ''): void => this.#report(claim, `${at}${detail}`);
    const states =
      vote.epoch === epoch &&
      vote.round === round &&
      vote.height === header.height &&
      vote.parentId === header.parentId;
    if (!states || vote.parentRound !== qc.round) said('CS-3: a vote states its block');
    if (header.proposer !== this.#leaderOf(epoch, round)) said("CS-3: the author is the round's leader");
    if (header.parentId !== qc.blockId || header.height !== qc.height + 1) {
      said('CS-3: a block is on the block that its QC certifies');
    }
    const opensIt = qc.round + 1 === round;
    const byTc = tcs.some((tc) => tc.round + 1 === round && qc.round < round && qc.round >= bestIn(tc));
    // A block that was only fetched comes without its TC.
    if (!opensIt && !byTc && tcs.length > 0) said('CS-2: the round was validly entered', `, on ${qc.round}`);
    const parent = this.#blocks.get(header.parentId)?.block.header;
    if (parent !== undefined && header.time <= parent.time) said("CS-3: time is after the parent's");
    this.#judgeExecuted(block, parent, said);
  }

  /** "`executed` is the parent's value; or, when the parent's QC is consecutive, the outcome of the parent's parent". */
  #judgeExecuted(
    { header, qc }: Block,
    parent: Block['header'] | undefined,
    said: (claim: string) => void,
  ): void {
    if (qc.round > 0 && qc.round === qc.parentRound + 1) {
      if (header.executed.height !== qc.height - 1) said("Blocks: executed is of the parent's parent");
    } else if (parent !== undefined) {
      const same =
        header.executed.height === parent.executed.height &&
        header.executed.appHash === parent.executed.appHash;
      if (!same) said("Blocks: executed is the parent's");
    }
  }

  /** CS-5. */
  #commit(by: Address, { id, block, commitProof }: Extract<LogEntry, { kind: 'committed' }>['block']): void {
    this.#learn(block, undefined);
    const { height } = block.header;
    this.#proofs.commit(by, height, commitProof);
    const { epoch } = block.header;
    // What is above the end of an epoch is proven in that epoch, and in no chain (CS-16).
    for (const [at, committed] of [
      [`${height}`, id],
      [`${epoch}/${height}`, id],
      [`${commitProof.epoch}/${commitProof.height - 1}`, commitProof.parentId],
    ] as const) {
      const before = this.#committed.get(at) ?? committed;
      this.#committed.set(at, before);
      if (before !== committed)
        this.#report('CS-5: one chain', `height ${at}: ${before}, ${by} ${committed}`);
    }
  }

  #leaderOf(number: number, round: Round): Address | undefined {
    const epoch = this.#epochs[number];
    return epoch === undefined ? undefined : leaderAt(epoch, round);
  }

  #signersIn(number: number, signers: Uint8Array): readonly Address[] {
    const epoch = this.#epochs[number];
    return epoch === undefined ? [] : signersIn(epoch, signers);
  }

  /** Of the same chain in every epoch. */
  #idOf(block: Block): string {
    const [first] = this.#epochs;
    return first === undefined ? '' : idOf(first.domain, block);
  }
}

/** By which an entry is judged. */
function epochOf(entry: LogEntry): number {
  switch (entry.kind) {
    case 'block':
      return entry.block.header.epoch;
    case 'record':
      return entry.record.epoch;
    case 'committed':
      return entry.block.block.header.epoch;
    case 'sent':
      return epochOfMessage(entry.message);
  }
}

function epochOfMessage(message: JudgedMessage): number {
  switch (message.kind) {
    case 'Vote':
      return message.vote.epoch;
    case 'Proposal':
      return message.block.header.epoch;
    case 'QC':
      return message.qc.epoch;
    case 'EpochChange':
      return message.qc.epoch;
    case 'Blocks':
      return Math.max(0, ...message.blocks.map(({ block }) => block.header.epoch));
    case 'ViewChange':
    case 'NewView':
      return message.epoch;
  }
}

const bestIn = (tc: TimeoutCertificate): number =>
  Math.max(...tc.groups.map(({ highQcRound }) => highQcRound));

/**
 * What a node's disk would leave if it died now covers what the node has said by now: each signature its record, each
 * vote the block voted for and what justified it, each acknowledged block the block. Nothing durable falls. Mutable
 * memory. Rules SM-4, ST-2, ST-4, CS-2, CS-3, CS-6.
 */
import type {
  BatchDigest,
  BlockId,
  Height,
  QuorumCertificate,
  TimeoutCertificate,
  Vote,
} from '../../protocol/chain/types.ts';
import type { PeerMessage, SafetyRecord, ViewChangeMessage } from '../../protocol/consensus/types.ts';
import type { CommittedBlock } from '../../protocol/ports/storage.ts';
import type { MemoryDisk } from '../../storage/memory-store.ts';
import type { Report } from './claim.ts';

export const RECORD_FIRST = 'a signature never leaves before its record is durable';
export const BLOCK_FIRST = 'the block voted for is durable with the vote';
export const LOCK_RAISED = 'a vote raises the durable lock and high QC to what it was built on';
export const ENTERED = 'a vote is cast in a round that was validly entered';
export const BATCHES_FIRST = 'batches are durable before a vote or an acknowledgement counts on them';
export const RECORD_KEPT = 'the durable record never falls';
export const EPOCH_CLEAN = 'the record of an epoch holds nothing of the one before';
export const COMMIT_FIRST = 'a committed block is durable before anybody is told';
export const CHAIN_KEPT = 'the durable chain never falls';

/** The disk of one honest instance, over all its lives. */
export class Durability {
  readonly #name: string;
  readonly #disk: MemoryDisk;
  readonly #report: Report;
  #record: SafetyRecord;
  #version = 0;
  #tip = 0;
  /** The newest vote that was looked at. */
  #vote: Vote | undefined;

  constructor(name: string, disk: MemoryDisk, report: Report) {
    this.#name = name;
    this.#disk = disk;
    this.#report = report;
    this.#record = disk.durable().record;
  }

  sent(message: PeerMessage): void {
    if (message.kind === 'Vote') this.#voted(message.vote);
    else if (message.kind === 'Proposal') this.#voted(message.vote);
    else if (message.kind === 'ViewChange') this.#timedOut(message);
    else if (message.kind === 'BatchAck') this.#batches('acknowledged', message.digests);
  }

  /** Somebody in the node or outside is told of the blocks up to `height`, the newest being `id`. */
  told(what: string, height: Height, id: BlockId): void {
    const { tip } = this.#disk.durable();
    if (tip.height < height || (tip.height === height && tip.id !== id)) {
      this.#report(
        COMMIT_FIRST,
        `${this.#name}: ${what} of height ${height}, durable is height ${tip.height}`,
      );
    }
  }

  toldOf(what: string, blocks: readonly CommittedBlock[]): void {
    const newest = blocks.at(-1);
    if (newest !== undefined) this.told(what, newest.block.header.height, newest.id);
  }

  /** Asked now and then, and after each crash. */
  look(): void {
    const { record, recordVersion, tip } = this.#disk.durable();
    const before = this.#record;
    if (record === before && tip.height === this.#tip) return;
    if (recordVersion < this.#version) {
      this.#report(RECORD_KEPT, `${this.#name}: version ${this.#version} → ${recordVersion}`);
    }
    if (record.epoch < before.epoch) this.#falls('epoch', before.epoch, record.epoch);
    const ofOthers = [record.highQC, record.lastVote, record.lastTimeout, record.lastTC].filter(
      (one) => one !== undefined && one.epoch !== record.epoch,
    );
    if (ofOthers.length > 0 || (record.highQC.round === 0 && record.lockedRound > 0)) {
      const held = `${ofOthers.length} statements of other epochs, locked ${record.lockedRound}`;
      this.#report(EPOCH_CLEAN, `${this.#name}: epoch ${record.epoch}, ${held}`);
    }
    if (record.epoch === before.epoch) {
      this.#falls('lastVotedRound', before.lastVotedRound, record.lastVotedRound);
      this.#falls('lockedRound', before.lockedRound, record.lockedRound);
      this.#falls('high QC', before.highQC.round, record.highQC.round);
      this.#falls('last timeout', before.lastTimeout?.round ?? -1, record.lastTimeout?.round ?? -1);
    }
    if (record.lockedRound > record.highQC.round) {
      const detail = `${this.#name}: locked on ${record.lockedRound}, high QC of ${record.highQC.round}`;
      this.#report(LOCK_RAISED, detail);
    }
    if (tip.height < this.#tip) this.#report(CHAIN_KEPT, `${this.#name}: ${this.#tip} → ${tip.height}`);
    this.#record = record;
    this.#version = recordVersion;
    this.#tip = tip.height;
  }

  #voted(vote: Vote): void {
    if (vote === this.#vote) return;
    this.#vote = vote;
    this.look();
    const record = this.#record;
    const { round, parentRound } = vote;
    if (record.epoch < vote.epoch) {
      const detail = `${this.#name}: vote of round ${round} of epoch ${vote.epoch}, durable is epoch ${record.epoch}`;
      this.#report(RECORD_FIRST, detail);
    }
    // What left in an epoch that has ended since was looked at when it left.
    if (record.epoch !== vote.epoch) return;
    const lastRound = record.lastVote?.round ?? -1;
    if (record.lastVotedRound < round || lastRound < round) {
      const detail = `${this.#name}: vote of round ${round}, durable: voted ${record.lastVotedRound}, last vote ${lastRound}`;
      this.#report(RECORD_FIRST, detail);
      return;
    }
    if (lastRound === round && record.lastVote?.blockId !== vote.blockId) {
      this.#report(RECORD_FIRST, `${this.#name}: vote of round ${round}, durable is another one`);
    }
    if (record.lockedRound < parentRound || record.highQC.round < parentRound) {
      const held = `locked ${record.lockedRound}, high QC ${record.highQC.round}`;
      this.#report(LOCK_RAISED, `${this.#name}: vote of round ${round} on ${parentRound}, durable: ${held}`);
    }
    if (lastRound === round) this.#justified(vote, record);
  }

  /** CS-2, CS-3, by the text: what the disk holds beside the vote justifies it. */
  #justified(vote: Vote, record: SafetyRecord): void {
    const { round, blockId, parentId, parentRound, height } = vote;
    const block = this.#disk.block(blockId);
    if (block === undefined) {
      // Committed past it meanwhile, or its epoch ended below it, and pruned, perhaps by the group that is being written: the
      // vote was cast long ago.
      const { tip, epoch } = this.#disk.staged();
      if (tip.height < height && epoch === vote.epoch)
        this.#report(BLOCK_FIRST, `${this.#name}: round ${round}, block ${blockId}`);
      return;
    }
    const { header, qc } = block;
    this.#batches(
      `voted for in round ${round}`,
      header.batches.map(({ digest }) => digest),
    );
    const linked = header.parentId === qc.blockId && parentId === qc.blockId && parentRound === qc.round;
    if (!linked || height !== qc.height + 1 || header.height !== height || header.round !== round) {
      this.#report(ENTERED, `${this.#name}: block ${blockId} of round ${round} is not on its parent's QC`);
      return;
    }
    if (!entersBy(round, qc, record.lastTC)) {
      const tc =
        record.lastTC === undefined ? 'none' : `${record.lastTC.round} reporting ${bestOf(record.lastTC)}`;
      this.#report(ENTERED, `${this.#name}: voted in round ${round} on a QC of ${qc.round}, TC: ${tc}`);
    }
  }

  #timedOut({ epoch, round, lastVote, highQC }: ViewChangeMessage): void {
    if (lastVote !== undefined) this.#voted(lastVote);
    this.look();
    const { lastVotedRound, lastTimeout } = this.#record;
    if (this.#record.epoch > epoch) return;
    const durable = lastTimeout?.round ?? -1;
    const isOfNext = this.#record.epoch < epoch;
    const another = durable === round && lastTimeout?.highQC.round !== highQC.round;
    if (isOfNext || lastVotedRound < round || durable < round || another) {
      const detail = `${this.#name}: timeout of round ${round}, durable: voted ${lastVotedRound}, last timeout ${durable}`;
      this.#report(RECORD_FIRST, detail);
    }
  }

  #batches(what: string, digests: readonly BatchDigest[]): void {
    for (const digest of digests) {
      if (this.#disk.batch(digest) === undefined)
        this.#report(BATCHES_FIRST, `${this.#name}: ${digest}, ${what}`);
    }
  }

  #falls(what: string, before: number, now: number): void {
    if (now < before) this.#report(RECORD_KEPT, `${this.#name}: ${what} ${before} → ${now}`);
  }
}

const bestOf = (tc: TimeoutCertificate): number =>
  Math.max(...tc.groups.map(({ highQcRound }) => highQcRound));

/**
 * Either the parent's QC is of the round before, or the TC is, and nobody in it reported a better QC. A TC of the voted round or of a
 * later one took that one's place: the vote left with the group that wrote both.
 */
function entersBy(round: number, qc: QuorumCertificate, tc: TimeoutCertificate | undefined): boolean {
  if (qc.round === round - 1) return true;
  if (tc !== undefined && tc.round >= round) return true;
  return tc !== undefined && tc.round === round - 1 && qc.round < round && qc.round >= bestOf(tc);
}

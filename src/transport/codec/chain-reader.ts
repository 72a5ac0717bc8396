/** Reads certified blocks at fixed places, total on foreign bytes; copies what a block keeps out of the frame. Rules TP-8, TP-9, TP-11. */
import type { WallTime } from '../../base/units.ts';
import { ORDINAL_MAX } from '../../protocol/chain/ordinals.ts';
import type {
  Address,
  BatchReference,
  BlockId,
  CertifiedBlock,
  Digest,
  Evidence,
  EvidenceList,
  Header,
  QuorumCertificate,
  TimeoutStatement,
  Vote,
  VoteStatement,
} from '../../protocol/chain/types.ts';
import { ANSWER_REFERENCES_MAX, EVIDENCE_PER_BLOCK_MAX } from '../../protocol/transport/limits.ts';
import {
  BLOCK_HEAD_BYTES,
  CHAIN_HEAD_BYTES,
  EVIDENCE_BYTES,
  EVIDENCE_COUNT_BYTES,
  HEADER_BYTES,
  REFERENCE_BYTES,
  STATEMENT_BYTES,
} from '../../protocol/transport/sizes.ts';
import {
  CARRYING,
  EVIDENCE_KINDS,
  type Lengths,
  problemOfLengths,
  REPEATED,
  SIGNATURE_BYTES,
  sameCertificate,
} from './chain-shape.ts';

const ORDINAL_HIGH_MAX = ORDINAL_MAX / 2 ** 32;

/** Reads at fixed places; a block's whole length is known to be there before its first value is read. */
export class ChainReader {
  readonly #buffer: Buffer;
  readonly #view: DataView;
  #at = 0;
  #referencesLeft = ANSWER_REFERENCES_MAX;
  #ordinalsHold = true;

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#buffer.byteLength;
  }

  /** More than any list has when there is no room for a count. */
  count(): number {
    if (this.#buffer.byteLength < CHAIN_HEAD_BYTES) return Number.POSITIVE_INFINITY;
    this.#at = CHAIN_HEAD_BYTES;
    return this.#buffer.readUInt16BE(0);
  }

  /** The next block after the one that `before` certifies, or what is wrong with it. */
  block(before: QuorumCertificate | undefined): CertifiedBlock | string {
    const buffer = this.#buffer;
    const start = this.#at;
    if (start + BLOCK_HEAD_BYTES > buffer.byteLength) return 'truncated';
    const flags = buffer.readUInt8(start);
    if (flags > (REPEATED | CARRYING)) return 'unknown flags';
    const isRepeated = (flags & REPEATED) !== 0;
    const lengths: Lengths = {
      vrfProof: buffer.readUInt8(start + 1),
      references: buffer.readUInt16BE(start + 2),
      parentSigners: buffer.readUInt8(start + 4),
      parentSignature: buffer.readUInt8(start + 5),
      signers: buffer.readUInt8(start + 6),
      signature: buffer.readUInt8(start + 7),
    };
    const problem = problemOfLengths(lengths);
    if (problem !== undefined) return problem;
    const parentBytes = lengths.parentSigners + lengths.parentSignature;
    if (isRepeated && (before === undefined || parentBytes > 0)) return 'repeats no certificate';
    this.#referencesLeft -= lengths.references;
    if (this.#referencesLeft < 0) return 'too many batches in all';
    const fixed = HEADER_BYTES + (isRepeated ? 1 : 2) * STATEMENT_BYTES;
    const tail = lengths.vrfProof + parentBytes + lengths.signers + lengths.signature;
    const bytesAt = start + BLOCK_HEAD_BYTES + fixed + lengths.references * REFERENCE_BYTES;
    if (bytesAt + tail > buffer.byteLength) return 'truncated';
    // One allocation a block, and none of them keeps the frame.
    const kept = new Uint8Array(tail);
    kept.set(buffer.subarray(bytesAt, bytesAt + tail));
    this.#at = start + BLOCK_HEAD_BYTES;
    const certified = this.#values(lengths, kept.buffer, isRepeated ? before : undefined);
    this.#at = bytesAt + tail;
    const evidence = (flags & CARRYING) === 0 ? undefined : this.#evidence();
    if (typeof evidence === 'string') return evidence;
    if (!this.#ordinalsHold) return 'a number above 2^52';
    if (!isRepeated && before !== undefined && sameCertificate(before, certified.block.qc)) {
      return 'a certificate twice';
    }
    return evidence === undefined ? certified : { block: { ...certified.block, evidence }, qc: certified.qc };
  }

  #evidence(): EvidenceList | string {
    const count = this.#isThere(EVIDENCE_COUNT_BYTES) ? this.#byte() : 0;
    if (count === 0 || count > EVIDENCE_PER_BLOCK_MAX)
      return `expected 1 to ${EVIDENCE_PER_BLOCK_MAX} evidence`;
    const list: Evidence[] = [];
    while (list.length < count) {
      const kind = this.#isThere(EVIDENCE_COUNT_BYTES) ? EVIDENCE_KINDS[this.#byte()] : undefined;
      if (kind === undefined) return 'evidence of no known kind';
      if (!this.#isThere(EVIDENCE_BYTES[kind] - EVIDENCE_COUNT_BYTES)) return 'truncated';
      list.push(
        kind === 'DoubleVote'
          ? { kind, first: this.#vote(), second: this.#vote() }
          : { kind, vote: this.#vote(), timeout: this.#timeout() },
      );
    }
    const [first, ...others] = list;
    return first === undefined ? 'no evidence' : [first, ...others];
  }

  #isThere(bytes: number): boolean {
    return this.#at + bytes <= this.#buffer.byteLength;
  }

  #byte(): number {
    const value = this.#buffer.readUInt8(this.#at);
    this.#at += 1;
    return value;
  }

  #vote(): Vote {
    const statement = this.#statement();
    return { ...statement, validator: this.#hex(20) as Address, signature: this.#signature() };
  }

  #timeout(): TimeoutStatement {
    const epoch = this.#ordinal<TimeoutStatement['epoch']>();
    const round = this.#ordinal<TimeoutStatement['round']>();
    const highQcRound = this.#ordinal<TimeoutStatement['round']>();
    return { epoch, round, highQcRound, validator: this.#hex(20) as Address, signature: this.#signature() };
  }

  /** A copy: it is kept, and the frame is not. */
  #signature(): Uint8Array {
    const at = this.#at;
    this.#at = at + SIGNATURE_BYTES;
    return new Uint8Array(this.#buffer.subarray(at, at + SIGNATURE_BYTES));
  }

  /** `kept`: VRF proof, signers and signature of the parent's QC unless it is `repeated`, and those of the QC. */
  #values(lengths: Lengths, kept: ArrayBuffer, repeated: QuorumCertificate | undefined): CertifiedBlock {
    const { vrfProof, parentSigners, parentSignature, signers, signature } = lengths;
    const parentAt = vrfProof;
    const ownAt = vrfProof + parentSigners + parentSignature;
    const fields = this.#header();
    const parent =
      repeated ??
      this.#certificate(
        new Uint8Array(kept, parentAt, parentSigners),
        new Uint8Array(kept, parentAt + parentSigners, parentSignature),
      );
    const qc = this.#certificate(
      new Uint8Array(kept, ownAt, signers),
      new Uint8Array(kept, ownAt + signers, signature),
    );
    const batches: BatchReference[] = [];
    for (let left = lengths.references; left > 0; left -= 1) batches.push(this.#reference());
    const header: Header = { ...fields, batches, vrfProof: new Uint8Array(kept, 0, vrfProof) };
    return { block: { header, qc: parent }, qc };
  }

  #header(): Omit<Header, 'batches' | 'vrfProof'> {
    const epoch = this.#ordinal<Header['epoch']>();
    const round = this.#ordinal<Header['round']>();
    const height = this.#ordinal<Header['height']>();
    const time = this.#ordinal<WallTime>();
    const executedHeight = this.#ordinal<Header['height']>();
    const proposer = this.#hex(20) as Address;
    const parentId = this.#hex(32) as BlockId;
    const batchesRoot = this.#hex(32) as Digest;
    const appHash = this.#hex(32) as Digest;
    const validatorsHash = this.#hex(32) as Digest;
    const nextValidatorsHash = this.#hex(32) as Digest;
    const evidenceHash = this.#hex(32) as Digest;
    return {
      epoch,
      round,
      height,
      parentId,
      time,
      proposer,
      batchesRoot,
      executed: { height: executedHeight, appHash },
      validatorsHash,
      nextValidatorsHash,
      evidenceHash,
    };
  }

  #certificate(signers: Uint8Array, signature: Uint8Array): QuorumCertificate {
    return { ...this.#statement(), signers, signature };
  }

  #statement(): VoteStatement {
    const epoch = this.#ordinal<QuorumCertificate['epoch']>();
    const round = this.#ordinal<QuorumCertificate['round']>();
    const height = this.#ordinal<QuorumCertificate['height']>();
    const parentRound = this.#ordinal<QuorumCertificate['round']>();
    const blockId = this.#hex(32) as BlockId;
    const parentId = this.#hex(32) as BlockId;
    return { epoch, round, height, blockId, parentId, parentRound };
  }

  #reference(): BatchReference {
    const digest = this.#hex(32) as BatchReference['digest'];
    const count = this.#ordinal<number>();
    const bytes = this.#ordinal<number>();
    return { digest, count, bytes };
  }

  #ordinal<Brand extends number>(): Brand {
    const high = this.#view.getUint32(this.#at);
    const low = this.#view.getUint32(this.#at + 4);
    this.#at += 8;
    if (high >= ORDINAL_HIGH_MAX && (high > ORDINAL_HIGH_MAX || low > 0)) this.#ordinalsHold = false;
    return (high * 2 ** 32 + low) as Brand;
  }

  #hex(length: number): string {
    const at = this.#at;
    this.#at = at + length;
    return this.#buffer.toString('hex', at, at + length);
  }
}

/**
 * Certified blocks as one byte string: fixed places, big-endian, and one encoding of each list, so that nothing has to be
 * encoded again to prove it. What a block keeps is copied out of the frame, a few hundred bytes a block. Never throws on
 * foreign bytes; allocates for what is there, never for what is claimed. Rules TP-8, TP-9, TP-11, docs/protocol/transport.md.
 */
import { equalBytes } from '../../base/bytes.ts';
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
import {
  ANSWER_REFERENCES_MAX,
  BATCH_REFERENCES_MAX,
  BLOCKS_MAX,
  EVIDENCE_PER_BLOCK_MAX,
  VALIDATORS_MAX,
} from '../../protocol/transport/limits.ts';
import {
  BLOCK_HEAD_BYTES,
  CHAIN_HEAD_BYTES,
  certifiedBlockBytes,
  EVIDENCE_BYTES,
  EVIDENCE_COUNT_BYTES,
  HEADER_BYTES,
  REFERENCE_BYTES,
  STATEMENT_BYTES,
} from '../../protocol/transport/sizes.ts';

/** Where and why blocks were not taken. */
export interface ChainRefusal {
  readonly outcome: 'refused';
  /** Of the block, from 0; the number of blocks for what is behind them. */
  readonly index: number;
  readonly problem: string;
}
export type ChainWriting = { readonly outcome: 'written'; readonly bytes: Uint8Array } | ChainRefusal;
export type ChainReading =
  | { readonly outcome: 'read'; readonly blocks: readonly CertifiedBlock[] }
  | ChainRefusal;

/** Flag: the QC in the block is the one of the block before, byte by byte. */
const REPEATED = 1;
/** Flag: evidence stands at the block's end (CS-14). */
const CARRYING = 2;
const EVIDENCE_KINDS = ['DoubleVote', 'QcHiding'] as const satisfies readonly Evidence['kind'][];
const VRF_PROOF_BYTES_MAX = 96;
const SIGNERS_BYTES_MAX = VALIDATORS_MAX / 8;
const SIGNATURE_BYTES = 96;
const ORDINAL_HIGH_MAX = ORDINAL_MAX / 2 ** 32;

const refused = (index: number, problem: string): ChainRefusal => ({ outcome: 'refused', index, problem });

/** The one encoding of `blocks`; refused when `readChain` would refuse it. */
export function writeChain(blocks: readonly CertifiedBlock[]): ChainWriting {
  if (blocks.length > BLOCKS_MAX) return refused(BLOCKS_MAX, `more than ${BLOCKS_MAX} blocks`);
  let length = CHAIN_HEAD_BYTES;
  let references = 0;
  const repeated: boolean[] = [];
  for (const [index, certified] of blocks.entries()) {
    const problem = problemOf(certified);
    if (problem !== undefined) return refused(index, problem);
    references += certified.block.header.batches.length;
    if (references > ANSWER_REFERENCES_MAX) return refused(index, 'too many batches in all');
    const before = blocks[index - 1];
    repeated[index] = before !== undefined && sameCertificate(before.qc, certified.block.qc);
    length += certifiedBlockBytes(certified, repeated[index] === true);
  }
  const writer = new ChainWriter(length);
  writer.count(blocks.length);
  for (const [index, certified] of blocks.entries()) {
    writer.block(certified, repeated[index] === true);
    if (writer.problem !== undefined) return refused(index, writer.problem);
  }
  return { outcome: 'written', bytes: writer.bytes };
}

/** The blocks that `bytes` encodes. Total: anything but the one encoding of a list of blocks is refused. */
export function readChain(bytes: Uint8Array): ChainReading {
  const reader = new ChainReader(bytes);
  const count = reader.count();
  if (count > BLOCKS_MAX) return refused(0, `more than ${BLOCKS_MAX} blocks`);
  const blocks: CertifiedBlock[] = [];
  for (let index = 0; index < count; index += 1) {
    const certified = reader.block(blocks[index - 1]?.qc);
    if (typeof certified === 'string') return refused(index, certified);
    blocks.push(certified);
  }
  return reader.isAtEnd ? { outcome: 'read', blocks } : refused(count, 'bytes after the last block');
}

/** What is wrong with the lengths of a block. */
function problemOf({ block, qc }: CertifiedBlock): string | undefined {
  const { header, qc: parent, evidence = [] } = block;
  if (evidence.length > EVIDENCE_PER_BLOCK_MAX) return 'too much evidence';
  return problemOfLengths({
    vrfProof: header.vrfProof.byteLength,
    references: header.batches.length,
    parentSigners: parent.signers.byteLength,
    parentSignature: parent.signature.byteLength,
    signers: qc.signers.byteLength,
    signature: qc.signature.byteLength,
  });
}

interface Lengths {
  readonly vrfProof: number;
  readonly references: number;
  readonly parentSigners: number;
  readonly parentSignature: number;
  readonly signers: number;
  readonly signature: number;
}

function problemOfLengths(lengths: Lengths): string | undefined {
  if (lengths.vrfProof > VRF_PROOF_BYTES_MAX) return 'VRF proof too long';
  if (lengths.references > BATCH_REFERENCES_MAX) return 'too many batches';
  if (lengths.parentSigners > SIGNERS_BYTES_MAX || lengths.signers > SIGNERS_BYTES_MAX)
    return 'too many signers';
  return isSignature(lengths.parentSignature) && isSignature(lengths.signature)
    ? undefined
    : `expected a signature of ${SIGNATURE_BYTES} bytes or none`;
}

const isSignature = (length: number): boolean => length === SIGNATURE_BYTES || length === 0;

const sameCertificate = (left: QuorumCertificate, right: QuorumCertificate): boolean =>
  left === right ||
  (left.blockId === right.blockId &&
    left.round === right.round &&
    left.height === right.height &&
    left.epoch === right.epoch &&
    left.parentId === right.parentId &&
    left.parentRound === right.parentRound &&
    equalBytes(left.signers, right.signers) &&
    equalBytes(left.signature, right.signature));

/** Value of a lower-case hex letter by its code; 255 for any other below 128. */
const HEX_VALUES = Uint8Array.from({ length: 128 }, (_, code) => {
  const value = '0123456789abcdef'.indexOf(String.fromCharCode(code));
  return value < 0 ? 255 : value;
});

/** Writes into one buffer of the right length; the first value that is not of its shape is remembered, none throws. */
class ChainWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  problem: string | undefined;

  constructor(length: number) {
    this.#bytes = new Uint8Array(length);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get bytes(): Uint8Array {
    return this.#bytes;
  }

  count(count: number): void {
    this.#view.setUint16(this.#at, count);
    this.#at += 2;
  }

  block({ block, qc }: CertifiedBlock, repeated: boolean): void {
    const { header, qc: parent, evidence } = block;
    this.#byte((repeated ? REPEATED : 0) | (evidence === undefined ? 0 : CARRYING));
    this.#byte(header.vrfProof.byteLength);
    this.count(header.batches.length);
    this.#byte(repeated ? 0 : parent.signers.byteLength);
    this.#byte(repeated ? 0 : parent.signature.byteLength);
    this.#byte(qc.signers.byteLength);
    this.#byte(qc.signature.byteLength);
    this.#header(header);
    if (!repeated) this.#statement(parent);
    this.#statement(qc);
    for (const { digest, count, bytes } of header.batches) {
      this.#hex(digest, 32);
      this.#ordinal(count);
      this.#ordinal(bytes);
    }
    this.#raw(header.vrfProof);
    if (!repeated) {
      this.#raw(parent.signers);
      this.#raw(parent.signature);
    }
    this.#raw(qc.signers);
    this.#raw(qc.signature);
    if (evidence !== undefined) this.#evidence(evidence);
  }

  #evidence(list: EvidenceList): void {
    this.#byte(list.length);
    for (const evidence of list) {
      this.#byte(EVIDENCE_KINDS.indexOf(evidence.kind));
      if (evidence.kind === 'DoubleVote') {
        this.#vote(evidence.first);
        this.#vote(evidence.second);
        continue;
      }
      const { epoch, round, highQcRound, validator, signature } = evidence.timeout;
      this.#vote(evidence.vote);
      for (const ordinal of [epoch, round, highQcRound]) this.#ordinal(ordinal);
      this.#hex(validator, 20);
      this.#signature(signature);
    }
  }

  #vote(vote: Vote): void {
    this.#statement(vote);
    this.#hex(vote.validator, 20);
    this.#signature(vote.signature);
  }

  #signature(signature: Uint8Array): void {
    if (signature.byteLength === SIGNATURE_BYTES) this.#raw(signature);
    else this.problem = `expected a signature of ${SIGNATURE_BYTES} bytes`;
  }

  #header(header: Header): void {
    this.#ordinal(header.epoch);
    this.#ordinal(header.round);
    this.#ordinal(header.height);
    this.#ordinal(header.time);
    this.#ordinal(header.executed.height);
    this.#hex(header.proposer, 20);
    this.#hex(header.parentId, 32);
    this.#hex(header.batchesRoot, 32);
    this.#hex(header.executed.appHash, 32);
    this.#hex(header.validatorsHash, 32);
    this.#hex(header.nextValidatorsHash, 32);
    this.#hex(header.evidenceHash, 32);
  }

  #statement(qc: VoteStatement): void {
    this.#ordinal(qc.epoch);
    this.#ordinal(qc.round);
    this.#ordinal(qc.height);
    this.#ordinal(qc.parentRound);
    this.#hex(qc.blockId, 32);
    this.#hex(qc.parentId, 32);
  }

  #byte(value: number): void {
    this.#bytes[this.#at] = value;
    this.#at += 1;
  }

  #ordinal(value: number): void {
    if (Number.isSafeInteger(value) && value >= 0 && value <= ORDINAL_MAX) {
      this.#view.setUint32(this.#at, Math.floor(value / 2 ** 32));
      this.#view.setUint32(this.#at + 4, value >>> 0);
    } else {
      this.problem = 'expected a whole number of 0 to 2^52';
    }
    this.#at += 8;
  }

  #hex(text: string, length: number): void {
    const bytes = this.#bytes;
    const start = this.#at;
    let seen = text.length === 2 * length ? 0 : 255;
    for (let place = 0; place < length; place += 1) {
      const high = HEX_VALUES[text.charCodeAt(2 * place)] ?? 255;
      const low = HEX_VALUES[text.charCodeAt(2 * place + 1)] ?? 255;
      seen |= high | low;
      bytes[start + place] = (high << 4) | low;
    }
    if (seen > 15) this.problem = `expected ${length} bytes in lower-case hex`;
    this.#at = start + length;
  }

  #raw(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.byteLength;
  }
}

/** Reads at fixed places; a block's whole length is known to be there before its first value is read. */
class ChainReader {
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

/**
 * Canonical bytes: what is hashed and signed, and nothing else (never msgpack). Integers are big-endian u64;
 * texts and byte strings carry their length; digests are 32 and addresses 20 bytes. Every statement opens with
 * `althing/<kind>/v1`, the genesis hash, the chain id and the epoch. Pure. Source: docs/protocol/consensus.md.
 */
import { concatBytes, toHex } from '../../base/bytes.ts';
import { remembered } from '../../base/remembered.ts';
import { sha256, sha256Hex } from '../../crypto/hash.ts';
import { CanonicalWriter } from './canonical-writer.ts';
import { GENESIS_HEIGHT, ROOT_ROUND } from './ordinals.ts';
import { digestBytes } from './parse.ts';
import type {
  BatchDigest,
  Block,
  BlockId,
  ChainDomain,
  Digest,
  Epoch,
  EpochDescriptor,
  Evidence,
  Header,
  HeaderLink,
  QuorumCertificate,
  Round,
  Validator,
  Vote,
  VoteStatement,
} from './types.ts';

/** SHA-256 of the parts, one after the other, in hex. */
export function digestOf(...parts: readonly Uint8Array[]): Digest {
  const [first, ...others] = parts;
  return sha256Hex(first !== undefined && others.length === 0 ? first : concatBytes(...parts)) as Digest;
}

/** Eight bytes, big-endian. `value` is a whole number in 0..2^53-1 or a bigint below 2^64. */
export const u64 = (value: number | bigint): Uint8Array => new CanonicalWriter().u64(value).finish();
/** A byte string behind its length. */
export const prefixed = (bytes: Uint8Array): Uint8Array => new CanonicalWriter().prefixed(bytes).finish();
/** A UTF-8 text behind its length in bytes. */
export const text = (value: string): Uint8Array => new CanonicalWriter().text(value).finish();

/** SHA-256 of what was written. */
const digestOfWritten = (writer: CanonicalWriter): Digest => digestOf(writer.finish());

/** The bytes that a vote and a QC sign: round, height, block id, parent id, parent round. */
export function voteStatementBytes(domain: ChainDomain, statement: VoteStatement): Uint8Array {
  return new CanonicalWriter()
    .statement('vote', domain, statement.epoch)
    .u64(statement.round)
    .u64(statement.height)
    .hex(statement.blockId)
    .hex(statement.parentId)
    .u64(statement.parentRound)
    .finish();
}

/** The bytes that a ViewChange and one group of a TC sign: the round, and the round of the high QC. */
export function viewChangeStatementBytes(
  domain: ChainDomain,
  epoch: Epoch,
  round: Round,
  highQcRound: Round,
): Uint8Array {
  return new CanonicalWriter().statement('view-change', domain, epoch).u64(round).u64(highQcRound).finish();
}

/** What a leader's VRF is asked for (CS-17): nothing in it can be chosen by anyone, so neither can the output. */
export const vrfInputOf = (domain: ChainDomain, epoch: Epoch, round: Round): Uint8Array =>
  new CanonicalWriter().statement('vrf', domain, epoch).u64(round).finish();

/** Canonical header; its fields in the order of the type, but for the epoch, which stands before them. */
export function writeHeaderFields(writer: CanonicalWriter, header: Header): CanonicalWriter {
  writer
    .u64(header.round)
    .u64(header.height)
    .hex(header.parentId)
    .u64(header.time)
    .hex(header.proposer)
    .u64(header.batches.length);
  for (const { digest, count, bytes } of header.batches) writer.hex(digest).u64(count).u64(bytes);
  return writer
    .hex(header.batchesRoot)
    .u64(header.executed.height)
    .hex(header.executed.appHash)
    .hex(header.validatorsHash)
    .hex(header.nextValidatorsHash)
    .hex(header.evidenceHash)
    .prefixed(header.vrfProof);
}

/** The id of the block that a header link is of; `blockIdOf` of the whole block is the same. */
export const linkIdOf = (domain: ChainDomain, { header, parentRound }: HeaderLink): BlockId =>
  digestOfWritten(
    writeHeaderFields(new CanonicalWriter().statement('block', domain, header.epoch), header).u64(
      parentRound,
    ),
  ) as BlockId;

/** SHA-256(canonical header ‖ parent round). The signers and signature of the parent's QC are not part of it. */
export const blockIdOf = remembered(
  (domain: ChainDomain, block: Block): BlockId =>
    linkIdOf(domain, { header: block.header, parentRound: block.qc.round }),
);

/** What a vote for `block` states; `id` is `blockIdOf(domain, block)`. */
export function statementOf(block: Block, id: BlockId): VoteStatement {
  const { epoch, round, height, parentId } = block.header;
  return { epoch, round, height, blockId: id, parentId, parentRound: block.qc.round };
}

/**
 * The block with the certificate of its parent as the parent's own statement has it. A block's id covers which block its
 * certificate is for, and its round; the rest of what it says is the parent's to say, whoever sent the block.
 */
export function restated(block: Block, parent: VoteStatement): Block {
  if (sameStatement(block.qc, parent)) return block;
  const { epoch, round, height, blockId, parentId, parentRound } = parent;
  return { ...block, qc: { ...block.qc, epoch, round, height, blockId, parentId, parentRound } };
}

/** Equal in every field: the two sign the same bytes. */
export function sameStatement(left: VoteStatement, right: VoteStatement): boolean {
  return (
    left.blockId === right.blockId &&
    left.round === right.round &&
    left.epoch === right.epoch &&
    left.height === right.height &&
    left.parentId === right.parentId &&
    left.parentRound === right.parentRound
  );
}

/** Id of the block at height 0, which nobody proposed: a hash of the chain's domain alone. */
export function genesisBlockId(domain: ChainDomain, epoch: Epoch): BlockId {
  return digestOfWritten(new CanonicalWriter().statement('genesis-block', domain, epoch)) as BlockId;
}

/** The id that the genesis block has for a parent. */
export const NO_PARENT = '0'.repeat(64) as Digest as BlockId;

/** "The QC of round 0": empty signers and signature, valid for the genesis id only. */
export function genesisCertificate(domain: ChainDomain, epoch: Epoch): QuorumCertificate {
  return {
    epoch,
    round: ROOT_ROUND,
    height: GENESIS_HEIGHT,
    blockId: genesisBlockId(domain, epoch),
    parentId: NO_PARENT,
    parentRound: ROOT_ROUND,
    signers: new Uint8Array(0),
    signature: new Uint8Array(0),
  };
}

/** What a block above the end of its epoch names in place of a next epoch: it is never executed, and its height is another block's (CS-16). */
export const NO_NEXT_EPOCH = '0'.repeat(64) as Digest;

/** Identity of a validator set: every field of every validator, in the set's order. */
export function validatorsHashOf(validators: readonly Validator[]): Digest {
  const writer = new CanonicalWriter().text('althing/validators/v1').u64(validators.length);
  for (const { address, consensusKey, nodeKey, power } of validators) {
    writer.hex(address).prefixed(consensusKey).prefixed(nodeKey).u64(power);
  }
  return digestOfWritten(writer);
}

/** Identity of an epoch: its number, its validators, and what decides who leads. */
export function epochHashOf({ epoch, validators, seed, passedOver }: EpochDescriptor): Digest {
  const writer = new CanonicalWriter()
    .text('althing/epoch/v1')
    .u64(epoch)
    .hex(validators.hash)
    .hex(seed)
    .u64(passedOver.length);
  for (const address of passedOver) writer.hex(address);
  return digestOfWritten(writer);
}

/**
 * Identity of an evidence: all that it says, its signatures too. A BLS key has one signature for a statement, so that one
 * pair of true statements has one id; and a copy with other bytes, which proves nothing, cannot stand in for the true one.
 */
export function evidenceIdOf(evidence: Evidence): Digest {
  const writer = new CanonicalWriter().text('althing/evidence/v1').text(evidence.kind);
  if (evidence.kind === 'DoubleVote')
    return digestOfWritten(writeVote(writeVote(writer, evidence.first), evidence.second));
  const { epoch, round, highQcRound, validator, signature } = evidence.timeout;
  writeVote(writer, evidence.vote).u64(epoch).u64(round).u64(highQcRound).hex(validator).prefixed(signature);
  return digestOfWritten(writer);
}

const writeVote = (writer: CanonicalWriter, vote: Vote): CanonicalWriter =>
  writer
    .u64(vote.epoch)
    .u64(vote.round)
    .u64(vote.height)
    .hex(vote.blockId)
    .hex(vote.parentId)
    .u64(vote.parentRound)
    .hex(vote.validator)
    .prefixed(vote.signature);

/** Hash of the evidence that a block carries, in order. */
export function evidenceHashOf(evidence: readonly Evidence[]): Digest {
  if (evidence.length === 0) return NO_EVIDENCE;
  const writer = evidenceListWriter(evidence.length);
  for (const one of evidence) writer.hex(evidenceIdOf(one));
  return digestOfWritten(writer);
}

const evidenceListWriter = (length: number): CanonicalWriter =>
  new CanonicalWriter().text('althing/evidence-list/v1').u64(length);

/** Evidence hash of a block without evidence. */
export const NO_EVIDENCE: Digest = digestOfWritten(evidenceListWriter(0));

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/** Merkle tree hash of the digests, after RFC 6962 section 2.1: leaves and nodes hash in domains of their own. */
export function merkleRootOf(digests: readonly (Digest | BatchDigest)[]): Digest {
  if (digests.length === 0) return digestOf(new Uint8Array(0));
  let level = digests.map((digest) => sha256(concatBytes(LEAF, digestBytes(digest))));
  // Pairing level by level and carrying an odd one up splits at the greatest power of two below n, as the RFC does.
  while (level.length > 1) {
    const above: Uint8Array[] = [];
    for (let index = 0; index < level.length; index += 2) {
      const [left, right] = level.slice(index, index + 2);
      if (left === undefined) break;
      above.push(right === undefined ? left : sha256(concatBytes(NODE, left, right)));
    }
    level = above;
  }
  return toHex(level[0] ?? new Uint8Array(0)) as Digest;
}

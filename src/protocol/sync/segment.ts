/**
 * When blocks that a peer gave may be used: each is the parent of the next, each certificate states its block, and a
 * verified certificate vouches for the newest; a quorum that signed it has judged all below. Pure and total.
 * Rules SY-3, SY-8, SY-14; CS-5, docs/protocol/sync.md.
 */
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import { batchDigestOf } from '../chain/batch.ts';
import { blockIdOf, sameStatement, statementOf } from '../chain/canonical.ts';
import { GENESIS_HEIGHT, maxHeight, previousHeight } from '../chain/ordinals.ts';
import type {
  BatchDigest,
  BlockId,
  CertifiedBlock,
  CommitProof,
  Height,
  QuorumCertificate,
} from '../chain/types.ts';
import type { EpochContext } from '../consensus/epoch.ts';
import { checkCarried } from '../consensus/proposal.ts';
import { type VerifiedCertificates, verifyCertificates } from '../consensus/verified.ts';
import type { SegmentFault } from './faults.ts';

/** Certificates below the newest that are tried as a proof of commit. @unit certificates @source 4 × 2 pairings a batch at the most */
export const PROOF_TRIES_MAX = 4;
/** What a certified block takes without its references. @unit bytes @source its message, sizes.ts */
const BLOCK_BYTES = 1_340;
/** @unit bytes @source as above */
const REFERENCE_BYTES = 105;

export interface NamedBatch {
  readonly digest: BatchDigest;
  readonly bytes: Uint8Array;
}

/** Certified blocks, each the parent of the next, at least one. */
export interface Links {
  readonly blocks: readonly CertifiedBlock[];
  /** Their ids. */
  readonly ids: readonly BlockId[];
  /** Of the oldest and of the newest. */
  readonly from: Height;
  readonly to: Height;
  /** What the oldest stands on. */
  readonly parentId: BlockId;
  readonly batches: readonly NamedBatch[];
  /** An estimate from above. @unit bytes */
  readonly bytes: number;
}

/** Links that a quorum vouches for. */
export interface Segment extends Links {
  /** Of the newest block or above it, and what proves commits; by rising round, at least one. */
  readonly verified: readonly QuorumCertificate[];
  /** Up to here `verified` commits; below `from` where it commits nothing. */
  readonly firm: Height;
}

/** What came, as it came. */
export interface Answered {
  readonly blocks: readonly CertifiedBlock[];
  readonly batches: readonly Uint8Array[];
}

/** Of no use. */
type Useless =
  /** Its sender is to blame. */
  | { readonly status: 'refused'; readonly code: SegmentFault }
  /** Blocks of an epoch whose validators this node does not know: nobody is to blame. */
  | { readonly status: 'notUnderstood' };

export type LinksCheck = { readonly status: 'linked'; readonly links: Links } | Useless;

export type SegmentCheck = { readonly verified: VerifiedCertificates } & (
  | { readonly status: 'verified'; readonly segment: Segment }
  | Useless
);

/** How certificates are judged, and which were before. */
export interface Judge {
  readonly epoch: EpochContext;
  readonly bls: BlsEngine;
  readonly verified: VerifiedCertificates;
}

/**
 * Answer to a question by height (seed 001: validateBlock): at most `limit` blocks from `from` on. `proofs` are verified;
 * what they commit cannot be contradicted, and needs no other certificate.
 */
export function verifySegment(
  judge: Judge,
  question: { readonly from: Height; readonly limit: number; readonly proofs: readonly CommitProof[] },
  answered: Answered,
): SegmentCheck {
  const refuse = (code: SegmentFault, verified = judge.verified): SegmentCheck => ({
    status: 'refused',
    code,
    verified,
  });
  if (answered.blocks.length > question.limit) return refuse('BAD_BLOCKS');
  const check = linksOf(judge.epoch, answered);
  if (check.status !== 'linked') return { ...check, verified: judge.verified };
  const { links } = check;
  if (links.from !== question.from) return refuse('BLOCKS_NOT_GAPLESS');
  const within = question.proofs.filter(({ height }) => height > links.from && height - 1 <= links.to);
  if (within.some((proof) => idAt(links, previousHeight(proof.height)) !== proof.parentId)) {
    return refuse('CONTRADICTS_COMMITTED');
  }
  if (within.some(({ height }) => height - 1 === links.to)) {
    return { status: 'verified', segment: vouched(links, within), verified: judge.verified };
  }
  const newest = links.blocks.at(-1);
  if (newest === undefined) return refuse('BLOCKS_NOT_GAPLESS');
  const outcome = verifyCertificates(judge.epoch, judge.bls, judge.verified, { qc: newest.qc });
  if (outcome.refusals.length > 0) return refuse('BLOCKS_NOT_CERTIFIED', outcome.verified);
  return proven({ ...judge, verified: outcome.verified }, links, [...within, newest.qc]);
}

/** Answer to a question by id: the block of that id and ancestors of it. The id vouches for them, no signature is looked at. */
export function checkDescent(
  epoch: EpochContext,
  question: { readonly id: BlockId; readonly limit: number },
  answered: Answered,
): LinksCheck {
  if (answered.blocks.length > question.limit) return { status: 'refused', code: 'BAD_BLOCKS' };
  const check = linksOf(epoch, answered);
  if (check.status !== 'linked') return check;
  if (check.links.ids.at(-1) !== question.id) return { status: 'refused', code: 'NOT_THE_WANTED_BLOCK' };
  return check;
}

/** `lower` ends with the parent of the first of `upper`. */
export function joined(lower: Links, upper: Links): Links {
  return {
    blocks: [...lower.blocks, ...upper.blocks],
    ids: [...lower.ids, ...upper.ids],
    from: lower.from,
    to: upper.to,
    parentId: lower.parentId,
    batches: [...lower.batches, ...upper.batches],
    bytes: lower.bytes + upper.bytes,
  };
}

/**
 * Links under certificates that are verified: with the newest of consecutive rounds that holds, which commits what is below
 * it. One that does not hold is nobody's fault: nobody who passed it on had to verify it.
 */
export function proven(
  judge: Judge,
  links: Links,
  vouchers: readonly QuorumCertificate[],
): Extract<SegmentCheck, { status: 'verified' }> {
  let { verified } = judge;
  let tries = 0;
  const held = new Set(vouchers.map(({ blockId }) => blockId));
  for (let index = links.blocks.length - 1; index >= 0 && tries < PROOF_TRIES_MAX; index -= 1) {
    const certified = links.blocks[index];
    if (certified === undefined || !isConsecutive(certified.qc)) continue;
    if (held.has(certified.qc.blockId)) break;
    tries += 1;
    for (const qc of [certified.qc, links.blocks[index + 1]?.block.qc]) {
      if (qc === undefined) continue;
      const outcome = verifyCertificates(judge.epoch, judge.bls, verified, { qc });
      verified = outcome.verified;
      if (outcome.qc !== undefined) {
        return { status: 'verified', segment: vouched(links, [...vouchers, qc]), verified };
      }
    }
  }
  return { status: 'verified', segment: vouched(links, vouchers), verified };
}

/** The id at a height of the links; undefined outside them. */
export const idAt = ({ ids, from }: Links, height: Height): BlockId | undefined => ids[height - from];

/** What is above a height, without the bytes of batches; undefined when nothing is. */
export function above(segment: Segment, height: Height): Segment | undefined {
  if (segment.from > height) return segment;
  const blocks = segment.blocks.slice(height + 1 - segment.from);
  const [first] = blocks;
  if (first === undefined) return undefined;
  return {
    ...segment,
    blocks,
    ids: segment.ids.slice(-blocks.length),
    from: first.block.header.height,
    parentId: first.block.header.parentId,
  };
}

/** Without the bytes of batches: they are durable. */
export const withoutBatches = <Kind extends Links>(links: Kind): Kind => ({
  ...links,
  batches: [],
  bytes: links.bytes - links.batches.reduce((sum, { bytes }) => sum + bytes.byteLength, 0),
});

/** CS-5: it commits the parent of its block. */
const isConsecutive = (qc: QuorumCertificate): boolean => qc.round === qc.parentRound + 1;

function vouched(links: Links, vouchers: readonly QuorumCertificate[]): Segment {
  const verified = [...vouchers].sort((left, right) => left.round - right.round);
  const firm = verified
    .filter(isConsecutive)
    .reduce((most, qc) => maxHeight(most, previousHeight(qc.height)), GENESIS_HEIGHT);
  return { ...links, verified, firm };
}

function linksOf(epoch: EpochContext, { blocks, batches }: Answered): LinksCheck {
  const refuse = (code: SegmentFault): LinksCheck => ({ status: 'refused', code });
  const ids: BlockId[] = [];
  let bytes = 0;
  let below: QuorumCertificate | undefined;
  for (const { block, qc } of blocks) {
    const { header } = block;
    if (header.epoch !== blocks[0]?.block.header.epoch) return refuse('BLOCKS_SPAN_EPOCHS');
    if (header.epoch !== epoch.epoch) continue;
    if (header.parentId !== block.qc.blockId) return refuse('BLOCKS_PARENT_DIFFERS');
    if (header.height !== block.qc.height + 1) return refuse('BLOCKS_NOT_GAPLESS');
    // `below` states the block before this one, so the link holds in id, height and rounds.
    if (below !== undefined && !sameStatement(block.qc, below)) return refuse('BLOCKS_NOT_GAPLESS');
    // CS-14: the id covers evidence by its hash alone.
    if (checkCarried(block) !== 'valid') return refuse('BAD_BLOCKS');
    const id = blockIdOf(epoch.domain, block);
    if (!sameStatement(qc, statementOf(block, id))) return refuse('CERTIFICATE_OF_ANOTHER_BLOCK');
    ids.push(id);
    below = qc;
    bytes += BLOCK_BYTES + header.batches.length * REFERENCE_BYTES;
  }
  const first = blocks[0]?.block.header;
  if (first !== undefined && first.epoch !== epoch.epoch) return { status: 'notUnderstood' };
  const last = blocks.at(-1)?.block.header;
  if (first === undefined || last === undefined) return refuse('BLOCKS_NOT_GAPLESS');
  const named = namedAmong(blocks, batches);
  if (named === undefined) return refuse('BATCH_NOT_NAMED');
  const { parentId } = first;
  return {
    status: 'linked',
    links: {
      blocks,
      ids,
      from: first.height,
      to: last.height,
      parentId,
      batches: named,
      bytes: named.reduce((sum, batch) => sum + batch.bytes.byteLength, bytes),
    },
  };
}

/** The batches by digest; undefined when one of them is not named by the blocks, or came twice. */
function namedAmong(
  blocks: readonly CertifiedBlock[],
  batches: readonly Uint8Array[],
): readonly NamedBatch[] | undefined {
  if (batches.length === 0) return [];
  const lengths = new Map(
    blocks.flatMap(({ block }) => block.header.batches.map(({ digest, bytes }) => [digest, bytes] as const)),
  );
  if (batches.length > lengths.size) return undefined;
  const named: NamedBatch[] = [];
  for (const bytes of batches) {
    const digest = batchDigestOf(bytes);
    if (lengths.get(digest) !== bytes.byteLength) return undefined;
    lengths.delete(digest);
    named.push({ digest, bytes });
  }
  return named;
}

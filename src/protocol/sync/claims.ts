/**
 * What a peer's claim about its chain is worth: proved by a commit proof or by this node's own block, unproved, a lie, or
 * half of a fork. Pure. Rules SY-3, SY-5, docs/protocol/sync.md.
 */
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import { genesisBlockId } from '../chain/canonical.ts';
import { FIRST_EPOCH, GENESIS_HEIGHT } from '../chain/ordinals.ts';
import type {
  Address,
  BlockId,
  CertifiedBlock,
  CommitProof,
  Height,
  QuorumCertificate,
} from '../chain/types.ts';
import type { EpochContext } from '../consensus/epoch.ts';
import { NONE_VERIFIED, type VerifiedCertificates, verifyCertificates } from '../consensus/verified.ts';
import type { BlockHeightMessage, ChainMessage } from './messages.ts';
import { CHECKPOINTS_MAX } from './messages.ts';
import type { ForkEvidence, PeerClaim, ProvedTip } from './types.ts';

export type ClaimRuling =
  | { readonly status: 'accepted'; readonly claim: PeerClaim }
  /** `code` is what the peer is blamed for. */
  | { readonly status: 'false'; readonly code: 'CLAIM_FALSE'; readonly detail: string }
  /** Its proof is of an epoch that has ended, and this node holds no block there: nobody is to blame. */
  | { readonly status: 'notUnderstood' }
  /** The proof holds, and this node has committed another block at the height. */
  | { readonly status: 'fork'; readonly tip: ProvedTip };

export interface ClaimJudged {
  readonly ruling: ClaimRuling;
  readonly verified: VerifiedCertificates;
}

/** A later epoch's root is another block. */
const genesisOf = ({ domain }: EpochContext): BlockId => genesisBlockId(domain, FIRST_EPOCH);

type Claimed = Pick<BlockHeightMessage, 'base' | 'height' | 'tipId' | 'proof'>;

/** True when the certificate states the commit of the block: it certifies a child of consecutive round (CS-5). No pairing. */
export const statesCommitOf = (
  proof: CommitProof,
  { height, id }: { readonly height: Height; readonly id: BlockId },
): boolean => proof.parentId === id && proof.parentRound + 1 === proof.round && proof.height === height + 1;

/**
 * SY-3. `held`: the block that this node has committed at the height, if it has. A claim that names it needs no proof, and
 * none is looked at.
 */
export function ruleOnClaim(
  epoch: EpochContext,
  bls: BlsEngine,
  verified: VerifiedCertificates,
  { base, height, tipId, proof }: Claimed,
  held: BlockId | undefined,
): ClaimJudged {
  const rule = (ruling: ClaimRuling, memory = verified): ClaimJudged => ({ ruling, verified: memory });
  const lie = (detail: string, memory = verified): ClaimJudged =>
    rule({ status: 'false', code: 'CLAIM_FALSE', detail }, memory);
  if (base > height) return lie(`base ${base} above height ${height}`);
  const own = height === GENESIS_HEIGHT ? genesisOf(epoch) : held;
  if (own === tipId) return rule({ status: 'accepted', claim: { base, height, tipId, status: 'proved' } });
  if (height === GENESIS_HEIGHT) return lie('another block at height 0');
  if (proof === undefined) {
    if (own !== undefined) return lie(`another block at height ${height}, without proof`);
    return rule({ status: 'accepted', claim: { base, height, tipId, status: 'unproved' } });
  }
  // CS-16: of a later epoch the validators are not known here, of an older one this node has the blocks.
  if (proof.epoch > epoch.epoch) {
    const claim: PeerClaim = { base, height, tipId, status: 'later', epoch: proof.epoch };
    return rule({ status: 'accepted', claim });
  }
  if (proof.epoch < epoch.epoch) return rule({ status: 'notUnderstood' });
  const isDirect = statesCommitOf(proof, { height, id: tipId });
  // The last block of an epoch may be committed by a proof high above it: that says its epoch, and here no more (CS-16).
  if (!isDirect && proof.height <= height + 1) return lie('a proof of something else');
  const outcome = verifyCertificates(epoch, bls, verified, { qc: proof });
  const [refusal] = outcome.refusals;
  if (refusal !== undefined) return lie(`a proof that does not hold: ${refusal.code}`, outcome.verified);
  if (!isDirect) {
    if (own !== undefined) return lie(`another block at height ${height}, without proof`, outcome.verified);
    const claim: PeerClaim = { base, height, tipId, status: 'unproved' };
    return rule({ status: 'accepted', claim }, outcome.verified);
  }
  if (own !== undefined) return rule({ status: 'fork', tip: { height, id: tipId, proof } }, outcome.verified);
  return rule(
    { status: 'accepted', claim: { base, height, tipId, status: 'proved', proof } },
    outcome.verified,
  );
}

/** A chain only grows: true when the later claim of one connection is below the earlier one. */
export const wentBack = (before: PeerClaim, after: PeerClaim): boolean =>
  after.height < before.height || after.base < before.base;

export const provedTipOf = (claim: PeerClaim | undefined): ProvedTip | undefined =>
  claim?.status === 'proved' && claim.proof !== undefined
    ? { height: claim.height, id: claim.tipId, proof: claim.proof }
    : undefined;

/**
 * SY-5: what two verified proofs are evidence of, if they contradict each other. Those of two epochs do not: what was certified
 * above the end of an epoch was discarded, however well it is proven (CS-16).
 */
export function forkOf(left: ProvedTip, right: ProvedTip): ForkEvidence | undefined {
  if (left.proof.epoch !== right.proof.epoch) return undefined;
  const [first, second] = left.id <= right.id ? [left, right] : [right, left];
  if (first.height === second.height && first.id !== second.id) {
    const of = ({ id, proof }: ProvedTip) => ({ id, proof });
    return { kind: 'CommitProofs', height: first.height, first: of(first), second: of(second) };
  }
  return certificatesApart(first.proof, second.proof)
    ? { kind: 'RoundCertificates', first: first.proof, second: second.proof }
    : undefined;
}

const certificatesApart = (left: QuorumCertificate, right: QuorumCertificate): boolean =>
  left.epoch === right.epoch && left.round === right.round && left.blockId !== right.blockId;

/**
 * The proof that this node's own block was committed, from that block, the one above it and what storage keeps as its proof:
 * the certificate of the block above where that is direct and holds, else the kept one, which may commit a descendant.
 */
export function ownTip(
  epoch: EpochContext,
  bls: BlsEngine,
  [at, above]: readonly CertifiedBlock[],
  kept: CommitProof | undefined,
): ProvedTip | undefined {
  if (at === undefined) return undefined;
  const { height } = at.block.header;
  const id = at.qc.blockId;
  const direct = above?.qc;
  const isDirect =
    direct !== undefined &&
    statesCommitOf(direct, { height, id }) &&
    verifyCertificates(epoch, bls, NONE_VERIFIED, { qc: direct }).refusals.length === 0;
  const proof = isDirect ? direct : kept;
  return proof === undefined ? undefined : { height, id, proof };
}

/** `notUnderstood`: of another epoch; or without a proof, as that of an epoch's last block may be (CS-16). */
export type ChainRuling = 'sound' | 'false' | 'notUnderstood';

/** Whether a whole chain's description is one: rising checkpoints within it, and a tip that is proved. */
export function ruleOnChain(
  epoch: EpochContext,
  bls: BlsEngine,
  verified: VerifiedCertificates,
  { base, proof, checkpoints }: ChainMessage,
): { readonly ruling: ChainRuling; readonly verified: VerifiedCertificates } {
  const tip = checkpoints.at(-1);
  const [first] = checkpoints;
  const rises = checkpoints.every(({ height }, index) => height > (checkpoints[index - 1]?.height ?? -1));
  if (tip === undefined || first === undefined || !rises || first.height < base) {
    return { ruling: 'false', verified };
  }
  if (checkpoints.length > CHECKPOINTS_MAX) return { ruling: 'false', verified };
  if (tip.height === GENESIS_HEIGHT) {
    return { ruling: tip.id === genesisOf(epoch) ? 'sound' : 'false', verified };
  }
  if (proof === undefined || proof.epoch !== epoch.epoch) return { ruling: 'notUnderstood', verified };
  if (!statesCommitOf(proof, tip)) return { ruling: 'false', verified };
  const outcome = verifyCertificates(epoch, bls, verified, { qc: proof });
  return { ruling: outcome.refusals.length === 0 ? 'sound' : 'false', verified: outcome.verified };
}

/** The first of other peers' proved tips that contradicts this one, by rising address. */
export function forkAmong(
  tip: ProvedTip,
  others: readonly { readonly peer: Address; readonly claim: PeerClaim | undefined }[],
): ForkEvidence | undefined {
  for (const { claim } of others) {
    const other = provedTipOf(claim);
    const evidence = other === undefined ? undefined : forkOf(tip, other);
    if (evidence !== undefined) return evidence;
  }
  return undefined;
}

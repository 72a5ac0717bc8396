/**
 * Whether a header is committed, for whoever knows its epoch and nothing else of the chain: a chain of ids up to a header
 * whose child has a quorum's certificate in the very next round. Hashes are checked before the one pairing. Pure and total.
 * Rules CS-5, CS-16, docs/protocol/light-client.md.
 */
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import { epochHashOf, linkIdOf, NO_NEXT_EPOCH } from '../chain/canonical.ts';
import { nextHeight, nextRound, ROOT_ROUND } from '../chain/ordinals.ts';
import type { BlockId, CommitProof, Digest, HeaderLink, ProvenHeader } from '../chain/types.ts';
import { verifySignedQC } from '../consensus/certificates.ts';
import { type LightRefusal, PROOF_PATH_MAX, type ProvenFacts, type TrustedEpoch } from './types.ts';

export type HeaderVerdict =
  | { readonly status: 'proven'; readonly facts: ProvenFacts }
  | { readonly status: 'refused'; readonly refusal: LightRefusal };

/** What the first header of the path is, or the first thing that is wrong. Two pairings and a hash for each header. */
export function verifyProvenHeader(
  trusted: TrustedEpoch,
  bls: BlsEngine,
  proof: ProvenHeader,
): HeaderVerdict {
  const { path, certificate } = proof;
  const headers = path.length;
  if (headers > PROOF_PATH_MAX) return refused({ code: 'PATH_LENGTH_WRONG', headers, limit: PROOF_PATH_MAX });
  const [first, ...others] = path;
  // CS-16: such a block is proven as any other, and in no chain: another stands at its height.
  if (first.header.nextValidatorsHash === NO_NEXT_EPOCH)
    return refused({ code: 'NOT_IN_CHAIN', height: first.header.height });
  const hash = epochHashOf(trusted.descriptor);
  const id = linkIdOf(trusted.domain, first);
  let refusal = problemOfLink(trusted, hash, first);
  let [below, belowId]: readonly [HeaderLink, BlockId] = [first, id];
  for (const link of others) {
    refusal ??= problemOfLink(trusted, hash, link) ?? problemOfChild(hash, below, belowId, link);
    if (refusal !== undefined) break;
    below = link;
    belowId = linkIdOf(trusted.domain, link);
  }
  refusal ??= problemOfCertificate(below, belowId, certificate);
  if (refusal !== undefined) return refused(refusal);
  const { domain, descriptor } = trusted;
  const context = { domain, epoch: descriptor.epoch, set: descriptor.validators };
  const verdict = verifySignedQC(context, bls, certificate);
  if (verdict !== 'valid') return refused(verdict);
  const { header, parentRound } = first;
  return {
    status: 'proven',
    facts: { id, header, parentRound, endsEpoch: header.nextValidatorsHash !== hash },
  };
}

/** What one header must be by itself. */
function problemOfLink(
  { descriptor }: TrustedEpoch,
  expected: Digest,
  { header, parentRound }: HeaderLink,
): LightRefusal | undefined {
  const { epoch, height, round } = header;
  if (epoch !== descriptor.epoch) return { code: 'WRONG_EPOCH', epoch, expected: descriptor.epoch };
  if (header.validatorsHash !== expected)
    return { code: 'EPOCH_HASH_WRONG', height, hash: header.validatorsHash, expected };
  if (round <= ROOT_ROUND || parentRound >= round) return { code: 'ROUND_WRONG', height, round, parentRound };
  return undefined;
}

/** What it must be on the header before it. */
function problemOfChild(
  hash: Digest,
  below: HeaderLink,
  belowId: BlockId,
  { header, parentRound }: HeaderLink,
): LightRefusal | undefined {
  const { height, parentId, nextValidatorsHash } = header;
  const parent = below.header;
  if (parentId !== belowId) return { code: 'PARENT_WRONG', height, parentId, expected: belowId };
  if (height !== nextHeight(parent.height))
    return { code: 'HEIGHT_WRONG', height, expected: nextHeight(parent.height) };
  if (parentRound !== parent.round)
    return { code: 'PARENT_ROUND_WRONG', height, parentRound, expected: parent.round };
  if (parent.nextValidatorsHash !== hash && nextValidatorsHash !== NO_NEXT_EPOCH)
    return {
      ...{ code: 'NEXT_EPOCH_CHANGED', height },
      ...{ hash: nextValidatorsHash, expected: NO_NEXT_EPOCH },
    };
  return undefined;
}

/** CS-5, before any pairing. */
function problemOfCertificate(
  { header }: HeaderLink,
  id: BlockId,
  { height, round, parentId, parentRound }: CommitProof,
): LightRefusal | undefined {
  if (parentId !== id) return { code: 'PARENT_WRONG', height, parentId, expected: id };
  if (height !== nextHeight(header.height))
    return { code: 'HEIGHT_WRONG', height, expected: nextHeight(header.height) };
  if (parentRound !== header.round)
    return { code: 'PARENT_ROUND_WRONG', height, parentRound, expected: header.round };
  if (round !== nextRound(parentRound)) return { code: 'NOT_CONSECUTIVE', round, parentRound };
  return undefined;
}

const refused = (refusal: LightRefusal): HeaderVerdict => ({ status: 'refused', refusal });

/** What somebody tells of how an epoch ended: read as far as it is so. Pure and total. Rules CS-16, TP-11, docs/protocol/consensus.md. */
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import { linkIdOf, sameStatement } from '../chain/canonical.ts';
import type { EncodedChange, EpochChange } from '../chain/types.ts';
import { parseEndOf, parseEpochProof } from '../light/encoding.ts';
import { verifyEpochProof } from '../light/epochs.ts';
import { endsEpoch } from './block-tree.ts';
import { verifyQC } from './certificates.ts';
import type { EpochContext } from './epoch.ts';

/**
 * How this epoch ended; undefined where it did not end so. Dearest last (TP-11): one header, the certificate of its block, the
 * other headers, the certificate above them.
 */
export function verifiedEnd(
  epoch: EpochContext,
  bls: BlsEngine,
  { qc, proof: bytes }: EncodedChange,
): EpochChange | undefined {
  const link = parseEndOf(bytes);
  if (link === 'malformed' || link.header.epoch !== epoch.epoch || !endsEpoch(link.header)) return undefined;
  const { header, parentRound } = link;
  const statement = { ...header, blockId: linkIdOf(epoch.domain, link), parentRound };
  if (!sameStatement(qc, statement) || verifyQC(epoch, bls, qc) !== 'valid') return undefined;
  const proof = parseEpochProof(bytes);
  if (proof === 'malformed') return undefined;
  const trusted = { domain: epoch.domain, descriptor: epoch.descriptor };
  return verifyEpochProof(trusted, bls, proof).status === 'proven' ? { qc, proof } : undefined;
}

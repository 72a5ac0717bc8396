/**
 * Each certificate is verified once: a bounded memory of those that were, by digest of all their bytes. A value
 * owned by one cell; when it is full the oldest entry is forgotten, and costs one more verification. Pure. CS-13.
 */
import { remembered } from '../../base/remembered.ts';
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import { digestOf, voteStatementBytes } from '../chain/canonical.ts';
import { CanonicalWriter } from '../chain/canonical-writer.ts';
import type { ChainDomain, Digest, QuorumCertificate, TimeoutCertificate } from '../chain/types.ts';
import { verifyQC, verifyTimeoutGroups } from './certificates.ts';
import type { EpochContext } from './epoch.ts';
import type { CertificateRefusal } from './refusals.ts';

/** Certificates that a cell remembers as verified. @unit entries @source a few rounds of n = 100 validators */
export const VERIFIED_MAX = 128;

/** Oldest first. */
export interface VerifiedCertificates {
  readonly digests: readonly Digest[];
}

export const NONE_VERIFIED: VerifiedCertificates = { digests: [] };

/** Certificates as they came, inside any message. */
export interface Certificates {
  readonly qc?: QuorumCertificate | undefined;
  readonly tc?: TimeoutCertificate | undefined;
}

/** What of them proved true (fit to adopt), and what was refused. */
export interface VerifiedOutcome {
  readonly verified: VerifiedCertificates;
  readonly qc?: QuorumCertificate;
  readonly tc?: TimeoutCertificate;
  readonly refusals: readonly CertificateRefusal[];
}

/**
 * Verifies a QC and a TC (with its high QC) unless they were before. A TC counts only with its high QC; a valid high
 * QC of a wrong TC is handed out as `qc` when it is the best.
 */
export function verifyCertificates(
  epoch: EpochContext,
  bls: BlsEngine,
  verified: VerifiedCertificates,
  { qc, tc }: Certificates,
): VerifiedOutcome {
  const refusals: CertificateRefusal[] = [];
  let memory = verified;
  const proves = (digest: Digest, verify: () => CertificateRefusal | 'valid'): boolean => {
    if (isVerified(memory, digest)) return true;
    const verdict = verify();
    if (verdict !== 'valid') refusals.push(verdict);
    else memory = remembering(memory, digest);
    return verdict === 'valid';
  };
  const qcProved = (one: QuorumCertificate): boolean =>
    proves(digestOfQC(epoch.domain, one), () => verifyQC(epoch, bls, one));

  const candidates = [qc, tc?.highQC].filter((one) => one !== undefined).filter(qcProved);
  const best = candidates.reduce<QuorumCertificate | undefined>(
    (highest, one) => (highest === undefined || one.round > highest.round ? one : highest),
    undefined,
  );
  const tcProved =
    tc !== undefined &&
    candidates.includes(tc.highQC) &&
    proves(digestOfTC(epoch.domain, tc), () => verifyTimeoutGroups(epoch, bls, tc));
  return {
    verified: memory,
    ...(best === undefined ? {} : { qc: best }),
    ...(tcProved ? { tc } : {}),
    refusals,
  };
}

/** Notes a QC that this node assembled from verified votes. */
export function rememberQC(
  domain: ChainDomain,
  verified: VerifiedCertificates,
  qc: QuorumCertificate,
): VerifiedCertificates {
  return remembering(verified, digestOfQC(domain, qc));
}

/** Notes a TC that this node assembled from verified timeouts. */
export function rememberTC(
  domain: ChainDomain,
  verified: VerifiedCertificates,
  tc: TimeoutCertificate,
): VerifiedCertificates {
  return remembering(remembering(verified, digestOfQC(domain, tc.highQC)), digestOfTC(domain, tc));
}

/** Over the statement, the signers and the signature. */
export const digestOfQC = remembered(
  (domain: ChainDomain, qc: QuorumCertificate): Digest =>
    digestOf(
      new CanonicalWriter()
        .text('qc')
        .fixed(voteStatementBytes(domain, qc))
        .prefixed(qc.signers)
        .prefixed(qc.signature)
        .finish(),
    ),
);

/** Over everything but the high QC's own content, which `verifyCertificates` looks up by its own digest. */
function digestOfTC(domain: ChainDomain, tc: TimeoutCertificate): Digest {
  const writer = new CanonicalWriter()
    .statement('tc', domain, tc.epoch)
    .u64(tc.round)
    .u64(tc.highQC.epoch)
    .u64(tc.highQC.round)
    .u64(tc.groups.length);
  for (const { highQcRound, signers } of tc.groups) writer.u64(highQcRound).prefixed(signers);
  return digestOf(writer.prefixed(tc.signature).finish());
}

// The newest are asked for most.
const isVerified = ({ digests }: VerifiedCertificates, digest: Digest): boolean =>
  digests.lastIndexOf(digest) >= 0;

function remembering(verified: VerifiedCertificates, digest: Digest): VerifiedCertificates {
  if (isVerified(verified, digest)) return verified;
  const kept = verified.digests.length < VERIFIED_MAX ? verified.digests : verified.digests.slice(1);
  return { digests: [...kept, digest] };
}

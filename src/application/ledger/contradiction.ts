/**
 * A chain that has contradicted itself: two blocks of one height, each committed by a quorum of its validators. None of its proofs
 * can be believed any more, so the channel halts, for good; what is held stays held. Whoever has both proofs may show them. Pure.
 * LG-37, docs/ledger.md.
 */
import { linkIdOf } from '../../protocol/chain/canonical.ts';
import type { ProvenHeader } from '../../protocol/chain/types.ts';
import { verifyProvenHeader } from '../../protocol/light/headers.ts';
import type { TrustedEpoch } from '../../protocol/light/types.ts';
import type { StateReader } from '../state/rules.ts';
import { haltedPair, trustBeforeOf } from './chains.ts';
import { CODES, type Refusal, refused } from './codes.ts';
import {
  domainOf,
  type Lights,
  type OpenChain,
  openChain,
  type Prepared,
  type ProofPayload,
  trustedOf,
  unproven,
  unreadable,
} from './open-chain.ts';
import { parseContradictProof } from './proofs-between-chains.ts';

/** Two proofs that contradict each other, each of the trusted epoch or of the one before. */
export function prepareContradict(
  payload: ProofPayload,
  state: StateReader,
  lights: Lights,
): Prepared | Refusal {
  const found = openChain(state, payload.chain);
  if ('code' in found) return found;
  const proof = parseContradictProof(payload.proof);
  if (proof === 'malformed') return unreadable(payload.kind);
  const [left, right] = [proof.left.path[0], proof.right.path[0]];
  const domain = domainOf(found.chain, found.genesisHash);
  // One block has many proofs: they differ in the votes that were counted, and contradict nothing.
  if (left.header.height !== right.header.height || linkIdOf(domain, left) === linkIdOf(domain, right))
    return refused(
      CODES.proofWrong,
      `headers of heights ${left.header.height} and ${right.header.height} contradict each other only where they are two blocks of one height`,
    );
  const judged: { readonly trusted: TrustedEpoch; readonly header: ProvenHeader }[] = [];
  for (const header of [proof.left, proof.right]) {
    const trusted = epochOf(header, state, found, lights);
    if ('code' in trusted) return trusted;
    judged.push({ trusted, header });
  }
  return {
    finish(writer) {
      for (const { trusted, header } of judged) {
        const verdict = verifyProvenHeader(trusted, lights.bls, header);
        if (verdict.status === 'refused') return unproven(verdict.refusal);
      }
      writer.set(...haltedPair(found.slot, left.header.height));
      return undefined;
    },
  };
}

/** Whoever forks at the end of an epoch can have it followed at once: so the epoch before is remembered. */
function epochOf(
  { path: [{ header }] }: ProvenHeader,
  state: StateReader,
  found: OpenChain,
  lights: Lights,
): TrustedEpoch | Refusal {
  const trusted = trustedOf(state, found, lights);
  if (header.epoch === trusted.descriptor.epoch) return trusted;
  const before = trustBeforeOf(state, found.slot);
  const descriptor = before === undefined ? undefined : lights.readEpoch(before);
  if (descriptor !== undefined && header.epoch === descriptor.epoch) return { ...trusted, descriptor };
  return refused(
    CODES.proofWrong,
    `a header of epoch ${header.epoch} of ${found.chain.chainId}, and epoch ${trusted.descriptor.epoch} is trusted: only that one and the one before, if it was followed here, can be judged`,
  );
}

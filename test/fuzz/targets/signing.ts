/**
 * Signs anew what a mutation has changed, with the keys of whoever the message names: what a liar with keys can send.
 * Without it every changed message ends at its signature, and nothing behind it is reached.
 */
import {
  blockIdOf,
  statementOf,
  viewChangeStatementBytes,
  voteStatementBytes,
} from '../../../src/protocol/chain/canonical.ts';
import { signersOf } from '../../../src/protocol/chain/signers.ts';
import type {
  Address,
  Block,
  CertifiedBlock,
  QuorumCertificate,
  TimeoutCertificate,
  Vote,
} from '../../../src/protocol/chain/types.ts';
import { leaderAt } from '../../../src/protocol/consensus/epoch.ts';
import type { PeerMessage } from '../../../src/protocol/consensus/types.ts';
import type { World } from '../../protocol/consensus/fixture.ts';

export function resigned(place: World, message: PeerMessage): PeerMessage {
  switch (message.kind) {
    case 'Vote':
      return { ...message, vote: vote(place, message.vote) };
    case 'QC':
      return { ...message, qc: certificate(place, message.qc) };
    case 'NewView':
      return { ...message, tc: timeoutCertificate(place, message.tc) };
    case 'Blocks':
      return { ...message, blocks: message.blocks.map((one) => certified(place, one)) };
    case 'ViewChange': {
      const { epoch, round, highQC, lastTC, lastVote, validator } = message;
      const bytes = viewChangeStatementBytes(place.epoch.domain, epoch, round, highQC.round);
      return {
        ...message,
        highQC: certificate(place, highQC),
        ...(lastTC === undefined ? {} : { lastTC: timeoutCertificate(place, lastTC) }),
        ...(lastVote === undefined ? {} : { lastVote: vote(place, lastVote) }),
        signature: signatureOf(place, validator, bytes) ?? message.signature,
      };
    }
    case 'Proposal': {
      const block = signedParent(place, message.block);
      const statement = statementOf(block, blockIdOf(place.epoch.domain, block));
      const own = { ...statement, validator: message.vote.validator, signature: message.vote.signature };
      const { tc } = message;
      return {
        ...message,
        block,
        vote: vote(place, own),
        ...(tc === undefined ? {} : { tc: timeoutCertificate(place, tc) }),
      };
    }
    default:
      return message;
  }
}

/** The block with its author and hashes as they must be: what is behind those checks is reached, too. */
export function plausible(place: World, message: PeerMessage): PeerMessage {
  if (message.kind !== 'Proposal') return message;
  const { header, qc } = message.block;
  const leader = leaderAt(place.epoch, header.round);
  const block = { header: { ...header, proposer: leader, parentId: qc.blockId }, qc };
  return { ...message, block, vote: { ...message.vote, validator: leader } };
}

const signedParent = (place: World, { header, qc }: Block): Block => ({ header, qc: certificate(place, qc) });

function certified(place: World, { block, qc }: CertifiedBlock): CertifiedBlock {
  const signed = signedParent(place, block);
  const statement = statementOf(signed, blockIdOf(place.epoch.domain, signed));
  return { block: signed, qc: certificate(place, { ...qc, ...statement }) };
}

function vote(place: World, one: Vote): Vote {
  const bytes = voteStatementBytes(place.epoch.domain, one);
  return { ...one, signature: signatureOf(place, one.validator, bytes) ?? one.signature };
}

function certificate(place: World, qc: QuorumCertificate): QuorumCertificate {
  if (qc.signature.byteLength === 0) return qc;
  const bytes = voteStatementBytes(place.epoch.domain, qc);
  return { ...qc, signature: aggregate(place, [{ signers: qc.signers, bytes }]) ?? qc.signature };
}

function timeoutCertificate(place: World, tc: TimeoutCertificate): TimeoutCertificate {
  const groups = tc.groups.map(({ highQcRound, signers }) => ({
    signers,
    bytes: viewChangeStatementBytes(place.epoch.domain, tc.epoch, tc.round, highQcRound),
  }));
  return {
    ...tc,
    highQC: certificate(place, tc.highQC),
    signature: aggregate(place, groups) ?? tc.signature,
  };
}

function aggregate(
  place: World,
  groups: readonly { readonly signers: Uint8Array; readonly bytes: Uint8Array }[],
): Uint8Array | undefined {
  const signatures = groups.flatMap(({ signers, bytes }) => {
    const validators = signersOf(place.epoch.set, signers);
    if (validators === 'malformed') return [];
    return validators.flatMap(({ address }) => signatureOf(place, address, bytes) ?? []);
  });
  return signatures.length === 0 ? undefined : place.bls.aggregateSignatures(signatures);
}

function signatureOf(place: World, validator: Address, bytes: Uint8Array): Uint8Array | undefined {
  const index = place.indexOf(validator);
  return index < 0 ? undefined : place.signer(index).sign(bytes);
}

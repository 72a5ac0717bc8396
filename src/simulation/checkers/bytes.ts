/**
 * The bytes that votes, timeouts and block ids are made of, written down anew from docs/protocol/consensus.md, "Signed statements": what
 * judges the rules does not ask them. Pure.
 */
import { createHash } from 'node:crypto';
import type { Block, ChainDomain, Evidence, Vote, VoteStatement } from '../../protocol/chain/types.ts';

/** Texts carry their length; everything else has a known one. */
function statement(
  kind: string,
  domain: ChainDomain,
  epoch: number,
  ...rest: readonly Uint8Array[]
): Uint8Array {
  return Buffer.concat([
    text(`althing/${kind}/v1`),
    hex(domain.genesisHash),
    text(domain.chainId),
    u64(epoch),
    ...rest,
  ]);
}

export const voteBytes = (domain: ChainDomain, vote: VoteStatement): Uint8Array =>
  statement(
    'vote',
    domain,
    vote.epoch,
    u64(vote.round),
    u64(vote.height),
    hex(vote.blockId),
    hex(vote.parentId),
    u64(vote.parentRound),
  );

export const timeoutBytes = (
  domain: ChainDomain,
  epoch: number,
  round: number,
  highQcRound: number,
): Uint8Array => statement('view-change', domain, epoch, u64(round), u64(highQcRound));

export function u64(value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

export function text(value: string): Uint8Array {
  const bytes = Buffer.from(value, 'utf8');
  return Buffer.concat([u64(bytes.byteLength), bytes]);
}

/** SHA-256 of the header's fields and the parent's round, in hex: "the id". */
export function idOf(domain: ChainDomain, { header, qc }: Block): string {
  const bytes = statement(
    'block',
    domain,
    header.epoch,
    u64(header.round),
    u64(header.height),
    hex(header.parentId),
    u64(header.time),
    hex(header.proposer),
    u64(header.batches.length),
    ...header.batches.flatMap(({ digest, count, bytes: size }) => [hex(digest), u64(count), u64(size)]),
    hex(header.batchesRoot),
    u64(header.executed.height),
    hex(header.executed.appHash),
    hex(header.validatorsHash),
    hex(header.nextValidatorsHash),
    hex(header.evidenceHash),
    u64(header.vrfProof.byteLength),
    header.vrfProof,
    u64(qc.round),
  );
  return createHash('sha256').update(bytes).digest('hex');
}

/** SHA-256 of the ids of what a block carries, each of all bytes of an evidence, in hex: what its header states. */
export function evidenceHashOf(evidence: readonly Evidence[]): string {
  const ids = evidence.map((one) =>
    sha256(
      text('althing/evidence/v1'),
      text(one.kind),
      ...(one.kind === 'DoubleVote'
        ? [signedVote(one.first), signedVote(one.second)]
        : [
            signedVote(one.vote),
            u64(one.timeout.epoch),
            u64(one.timeout.round),
            u64(one.timeout.highQcRound),
            hex(one.timeout.validator),
            u64(one.timeout.signature.byteLength),
            one.timeout.signature,
          ]),
    ),
  );
  return sha256(text('althing/evidence-list/v1'), u64(ids.length), ...ids).toString('hex');
}

const signedVote = (vote: Vote): Uint8Array =>
  Buffer.concat([
    ...[u64(vote.epoch), u64(vote.round), u64(vote.height), hex(vote.blockId), hex(vote.parentId)],
    ...[u64(vote.parentRound), hex(vote.validator), u64(vote.signature.byteLength), vote.signature],
  ]);

const sha256 = (...parts: readonly Uint8Array[]): Buffer =>
  createHash('sha256').update(Buffer.concat(parts)).digest();

export const hex = (digits: string): Uint8Array => Buffer.from(digits, 'hex');

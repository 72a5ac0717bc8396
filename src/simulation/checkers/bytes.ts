/**
 * The bytes that votes, timeouts and block ids are made of, written down anew from docs/protocol/consensus.md, "Signed statements": what
 * judges the rules does not ask them. Pure.
 */
import { createHash } from 'node:crypto';
import type { Block, ChainDomain, VoteStatement } from '../../protocol/chain/types.ts';

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

function u64(value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

function text(value: string): Uint8Array {
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

const hex = (digits: string): Uint8Array => Buffer.from(digits, 'hex');

/** A world of four validators whose histories can be forged: blocks, certificates, messages with true signatures. */
import { utf8 } from '../../../src/base/bytes.ts';
import { type WallTime, wallTime } from '../../../src/base/units.ts';
import { createKeyedHashEngine } from '../../../src/crypto/bls/keyed-hash.ts';
import { sha256 } from '../../../src/crypto/hash.ts';
import {
  blockIdOf,
  digestOf,
  statementOf,
  viewChangeStatementBytes,
  voteStatementBytes,
} from '../../../src/protocol/chain/canonical.ts';
import { DEFAULT_CHAIN_PARAMETERS } from '../../../src/protocol/chain/genesis.ts';
import { GENESIS_HEIGHT } from '../../../src/protocol/chain/ordinals.ts';
import { parseRound } from '../../../src/protocol/chain/parse.ts';
import { bitmapOf } from '../../../src/protocol/chain/signers.ts';
import type {
  Address,
  Block,
  QuorumCertificate,
  Round,
  TimeoutCertificate,
  Validator,
  Vote,
  VoteStatement,
} from '../../../src/protocol/chain/types.ts';
import { addressOf, validatorSet } from '../../../src/protocol/chain/validator-set.ts';
import { firstEpoch, leaderAt } from '../../../src/protocol/consensus/epoch.ts';
import { buildBlock } from '../../../src/protocol/consensus/proposal.ts';
import type { ProposalMessage, ViewChangeMessage } from '../../../src/protocol/consensus/types.ts';
import { type BlockResults, DUPLICATE_CODE, NODE_CODESPACE } from '../../../src/protocol/ports/execution.ts';
import type { CommittedBlock } from '../../../src/protocol/ports/storage.ts';
import { heightOf } from './heights.ts';

export const bls = createKeyedHashEngine();

const secrets = [0, 1, 2, 3].map((index) => {
  const secret = bls.generateSecret(sha256(utf8(`forged/${index}`)));
  if (secret === undefined) throw new Error('a digest is seed enough');
  return secret;
});

const members = secrets.map((secret, index): Validator => {
  const consensusKey = bls.publicKeyOf(secret);
  if (consensusKey === undefined) throw new Error('a secret has a public key');
  const nodeKey = sha256(utf8(`forged/node/${index}`));
  return { address: addressOf(nodeKey), consensusKey, nodeKey, power: 1n };
});
const set = validatorSet(members);
if ('code' in set) throw new Error(set.code);
export const domain = { chainId: 'forged', genesisHash: digestOf(utf8('forged')) };
export const epoch = firstEpoch(domain, set, DEFAULT_CHAIN_PARAMETERS);
/** In the order of the set. */
export const [A, B, C, D] = epoch.set.validators.map(({ address }) => address) as [
  Address,
  Address,
  Address,
  Address,
];
export const ALL = [A, B, C, D];

export function round(value: number): Round {
  const parsed = parseRound(value);
  if (parsed === 'malformed') throw new Error(`no round ${value}`);
  return parsed;
}

const secretOf = (address: Address): Uint8Array =>
  secrets[members.findIndex((member) => member.address === address)] ?? new Uint8Array(0);

const signed = (address: Address, bytes: Uint8Array): Uint8Array =>
  bls.sign(secretOf(address), bytes) ?? new Uint8Array(0);

const sum = (signatures: readonly Uint8Array[]): Uint8Array =>
  bls.aggregateSignatures(signatures) ?? new Uint8Array(0);

export function blockOn(
  qc: QuorumCertificate,
  inRound: number,
  change: Partial<Block['header']> = {},
): Block {
  const height = heightOf(Math.max(0, qc.height - 1));
  const executed = { height, appHash: digestOf(utf8(height === 0 ? 'state' : `after ${height}`)) };
  const time: WallTime = wallTime(1_700_000_000_000 + inRound);
  const proposer = leaderAt(epoch, round(inRound));
  const content = { round: round(inRound), proposer, qc, time, executed, nextHash: epoch.hash, batches: [] };
  const block = buildBlock(epoch, content);
  return { ...block, header: { ...block.header, ...change } };
}

export const statement = (block: Block): VoteStatement => statementOf(block, blockIdOf(domain, block));

export function voteOf(validator: Address, of: VoteStatement): Vote {
  const { epoch: at, round: inRound, height, blockId, parentId, parentRound } = of;
  const plain: VoteStatement = { epoch: at, round: inRound, height, blockId, parentId, parentRound };
  return { ...plain, validator, signature: signed(validator, voteStatementBytes(domain, plain)) };
}

export function qcOf(block: Block, signers: readonly Address[] = ALL): QuorumCertificate {
  const votes = signers.map((one) => voteOf(one, statement(block)));
  const signature = sum(votes.map((vote) => vote.signature));
  return { ...statement(block), signers: bitmapOf(epoch.set, signers), signature };
}

export function tcOf(
  inRound: number,
  highQC: QuorumCertificate,
  groups: readonly (readonly [highQcRound: number, signers: readonly Address[]])[],
): TimeoutCertificate {
  const [first, ...others] = groups.map(([highQcRound, signers]) => ({
    highQcRound: round(highQcRound),
    signers: bitmapOf(epoch.set, signers),
  }));
  if (first === undefined) throw new Error('a TC has a group');
  const signatures = groups.flatMap(([highQcRound, signers]) =>
    signers.map((one) =>
      signed(one, viewChangeStatementBytes(domain, epoch.epoch, round(inRound), round(highQcRound))),
    ),
  );
  return {
    epoch: epoch.epoch,
    round: round(inRound),
    highQC,
    groups: [first, ...others],
    signature: sum(signatures),
  };
}

export function timeoutOf(
  validator: Address,
  inRound: number,
  highQC: QuorumCertificate,
  rest: Partial<ViewChangeMessage> = {},
): ViewChangeMessage {
  const bytes = viewChangeStatementBytes(domain, epoch.epoch, round(inRound), highQC.round);
  return {
    kind: 'ViewChange',
    epoch: epoch.epoch,
    round: round(inRound),
    highQC,
    reason: 'LeaderTimeout',
    height: GENESIS_HEIGHT,
    tick: 1,
    validator,
    signature: signed(validator, bytes),
    ...rest,
  };
}

export const proposalOf = (block: Block, tc?: TimeoutCertificate): ProposalMessage => ({
  kind: 'Proposal',
  block,
  vote: voteOf(block.header.proposer, statement(block)),
  ...(tc === undefined ? {} : { tc }),
});

/** `count` blocks in consecutive rounds from 1 on, with the QC of each. */
export function chain(count: number): readonly { readonly block: Block; readonly qc: QuorumCertificate }[] {
  const blocks: { block: Block; qc: QuorumCertificate }[] = [];
  let qc = epoch.rootQC;
  for (let inRound = 1; inRound <= count; inRound += 1) {
    const block = blockOn(qc, inRound);
    qc = qcOf(block);
    blocks.push({ block, qc });
  }
  return blocks;
}

export const committedOf = (block: Block, proof: QuorumCertificate, qc = qcOf(block)): CommittedBlock => ({
  id: blockIdOf(domain, block),
  block,
  qc,
  commitProof: proof,
});

/** What a node tells of a block that it executed: transactions by name, duplicates with a `!`. */
export function executedOf(
  block: Block,
  names: readonly string[],
  state = `after ${block.header.height}`,
): BlockResults {
  const nothing = new Uint8Array(0);
  return {
    type: 'results.persisted',
    blockId: blockIdOf(domain, block),
    round: block.header.round,
    proposer: block.header.proposer,
    time: block.header.time,
    executed: { height: block.header.height, appHash: digestOf(utf8(state)) },
    transactions: names.map((name, index) => ({
      hash: digestOf(utf8(name.replace('!', ''))),
      index,
      bytes: utf8(name),
      result: {
        code: name.endsWith('!') ? DUPLICATE_CODE : 0,
        data: nothing,
        log: '',
        codespace: name.endsWith('!') ? NODE_CODESPACE : 'app',
        gasWanted: 0n,
        gasUsed: 0n,
        events: [],
      },
    })),
    events: [],
    validatorUpdates: [],
  };
}

/**
 * A small world for tests of the consensus rules: validators, by default with the simulator's keyed-hash signatures, and
 * short ways to make true messages.
 */
import { utf8 } from '../../../src/base/bytes.ts';
import { type WallTime, wallTime } from '../../../src/base/units.ts';
import type { BlsEngine } from '../../../src/crypto/bls/engine.ts';
import { createKeyedHashEngine } from '../../../src/crypto/bls/keyed-hash.ts';
import { sha256 } from '../../../src/crypto/hash.ts';
import type { VrfEngine } from '../../../src/crypto/vrf.ts';
import { createKeyedHashVrf } from '../../../src/crypto/vrf-keyed-hash.ts';
import {
  blockIdOf,
  digestOf,
  statementOf,
  viewChangeStatementBytes,
  voteStatementBytes,
  vrfInputOf,
} from '../../../src/protocol/chain/canonical.ts';
import { DEFAULT_CHAIN_PARAMETERS } from '../../../src/protocol/chain/genesis.ts';
import { parseEpoch, parseHeight, parseRound } from '../../../src/protocol/chain/parse.ts';
import type {
  Address,
  BatchReference,
  Block,
  Digest,
  Epoch,
  ExecutedState,
  Height,
  QuorumCertificate,
  Round,
  TimeoutCertificate,
  Validator,
  Vote,
} from '../../../src/protocol/chain/types.ts';
import { addressOf, validatorSet } from '../../../src/protocol/chain/validator-set.ts';
import { type EpochContext, firstEpoch, leaderAt } from '../../../src/protocol/consensus/epoch.ts';
import type { LeadershipParameters } from '../../../src/protocol/consensus/leader.ts';
import { buildBlock } from '../../../src/protocol/consensus/proposal.ts';
import type { Signer } from '../../../src/protocol/consensus/safety.ts';
import type { ProposalMessage, ViewChangeMessage } from '../../../src/protocol/consensus/types.ts';
import { assembleTC } from '../../../src/protocol/consensus/view-change-book.ts';
import { assembleQC } from '../../../src/protocol/consensus/vote-book.ts';

export const round = (value: number): Round => {
  const parsed = parseRound(value);
  if (parsed === 'malformed') throw new Error(`no round: ${value}`);
  return parsed;
};
export const epochNumber = (value: number): Epoch => {
  const parsed = parseEpoch(value);
  if (parsed === 'malformed') throw new Error(`no epoch: ${value}`);
  return parsed;
};
export const height = (value: number): Height => {
  const parsed = parseHeight(value);
  if (parsed === 'malformed') throw new Error(`no height: ${value}`);
  return parsed;
};

/** The value, or a failed test that says which was missing. */
export function present<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`${what} is missing`);
  return value;
}

/** Counts verifications, so that tests can claim "before any pairing" and "only once". */
export interface CountingEngine extends BlsEngine {
  readonly calls: { verify: number; fastAggregateVerify: number; aggregateVerify: number };
}

function counting(engine: BlsEngine): CountingEngine {
  const calls = { verify: 0, fastAggregateVerify: 0, aggregateVerify: 0 };
  return {
    ...engine,
    calls,
    verify: (publicKey, message, signature) => {
      calls.verify += 1;
      return engine.verify(publicKey, message, signature);
    },
    fastAggregateVerify: (publicKeys, message, signature) => {
      calls.fastAggregateVerify += 1;
      return engine.fastAggregateVerify(publicKeys, message, signature);
    },
    aggregateVerify: (groups, signature) => {
      calls.aggregateVerify += 1;
      return engine.aggregateVerify(groups, signature);
    },
  };
}

export interface World {
  readonly bls: CountingEngine;
  readonly vrf: VrfEngine;
  readonly epoch: EpochContext;
  /** In the set's order. */
  readonly validators: readonly Validator[];
  readonly signer: (index: number) => Signer;
  readonly addressAt: (index: number) => Address;
  readonly indexOf: (address: Address) => number;
}

export const GENESIS_TIME: WallTime = wallTime(1_000_000);
export const GENESIS_APP_HASH: Digest = digestOf(Uint8Array.of(1));
export const GENESIS_EXECUTED: ExecutedState = { height: height(0), appHash: GENESIS_APP_HASH };

/** Validators with these powers, in the set's order of addresses. */
export function world(
  powers: readonly bigint[] = [1n, 1n, 1n, 1n],
  chainId = 'test',
  engine: BlsEngine = createKeyedHashEngine(),
  leadership: LeadershipParameters = DEFAULT_CHAIN_PARAMETERS,
): World {
  const bls = counting(engine);
  const secrets = new Map<Address, Uint8Array>();
  const nodeSecrets = new Map<Address, Uint8Array>();
  const named = powers.map((_, index) => {
    const nodeKey = sha256(utf8(`${chainId} node ${index}`));
    const secret = present(bls.generateSecret(sha256(utf8(`${chainId} bls ${index}`))), 'secret');
    const address = addressOf(nodeKey);
    secrets.set(address, secret);
    nodeSecrets.set(address, sha256(utf8(`${chainId} node secret ${index}`)));
    return { address, nodeKey, consensusKey: present(bls.publicKeyOf(secret), 'public key') };
  });
  named.sort((left, right) => (left.address < right.address ? -1 : 1));
  const set = validatorSet(named.map((one, index) => ({ ...one, power: powers[index] ?? 1n })));
  if ('code' in set) throw new Error(`no validator set: ${set.code}`);
  const vrf = createKeyedHashVrf(
    named.flatMap(({ address, nodeKey: publicKey }) => {
      const secret = nodeSecrets.get(address);
      return secret === undefined ? [] : [{ secret, publicKey }];
    }),
  );
  const addressAt = (index: number) => present(set.validators[index], `validator ${index}`).address;
  return {
    bls,
    vrf,
    epoch: firstEpoch({ genesisHash: digestOf(Buffer.from(chainId)), chainId }, set, leadership),
    validators: set.validators,
    addressAt,
    indexOf: (address) => set.indexByAddress.get(address) ?? -1,
    signer: (index) => {
      const address = addressAt(index);
      const secret = present(secrets.get(address), 'secret');
      const nodeSecret = present(nodeSecrets.get(address), 'node secret');
      return {
        address,
        sign: (message) => bls.sign(secret, message),
        prove: (input) => vrf.prove(nodeSecret, input),
      };
    },
  };
}

export interface BlockOptions {
  readonly time?: number;
  readonly executed?: ExecutedState;
  readonly batches?: readonly BatchReference[];
  /** By default the epoch goes on. */
  readonly nextHash?: Digest;
}

/** The block that the leader of `inRound` proposes on `qc`; its time is the round's, a millisecond apart. */
export function blockOn(
  { epoch, signer, indexOf }: World,
  qc: QuorumCertificate,
  inRound: number,
  options: BlockOptions = {},
): Block {
  const proposer = leaderAt(epoch, round(inRound));
  const input = vrfInputOf(epoch.domain, epoch.epoch, round(inRound));
  return buildBlock(epoch, {
    round: round(inRound),
    proposer,
    vrfProof: epoch.leadership.vrf ? signer(indexOf(proposer)).prove(input) : undefined,
    qc,
    time: wallTime(options.time ?? GENESIS_TIME + inRound),
    executed: options.executed ?? GENESIS_EXECUTED,
    nextHash: options.nextHash ?? epoch.hash,
    batches: options.batches ?? [],
  });
}

export function voteFor({ epoch, signer }: World, block: Block, index: number): Vote {
  const statement = statementOf(block, blockIdOf(epoch.domain, block));
  const { address, sign } = signer(index);
  return {
    ...statement,
    validator: address,
    signature: present(sign(voteStatementBytes(epoch.domain, statement)), 'signature'),
  };
}

/** A QC of `block` by these validators (by default a quorum from the first on). */
export function qcOf(place: World, block: Block, by = quorumOf(place)): QuorumCertificate {
  const votes = by.map((index) => voteFor(place, block, index));
  const [first] = votes;
  return present(assembleQC(place.epoch, place.bls, present(first, 'vote'), votes), 'QC');
}

/** Indices of the least beginning of the set that is a quorum. */
export function quorumOf({ epoch, validators }: World): readonly number[] {
  const chosen: number[] = [];
  let power = 0n;
  for (const [index, validator] of validators.entries()) {
    if (power >= epoch.set.quorumPower) break;
    chosen.push(index);
    power += validator.power;
  }
  return chosen;
}

export function timeoutBy(
  { epoch, signer }: World,
  index: number,
  content: Pick<ViewChangeMessage, 'highQC'> &
    Partial<Pick<ViewChangeMessage, 'lastTC' | 'lastVote' | 'reason' | 'tick'>> & { readonly round: number },
): ViewChangeMessage {
  const { address, sign } = signer(index);
  const inRound = round(content.round);
  const bytes = viewChangeStatementBytes(epoch.domain, epoch.epoch, inRound, content.highQC.round);
  return {
    kind: 'ViewChange',
    epoch: epoch.epoch,
    highQC: content.highQC,
    ...(content.lastTC === undefined ? {} : { lastTC: content.lastTC }),
    ...(content.lastVote === undefined ? {} : { lastVote: content.lastVote }),
    round: inRound,
    reason: content.reason ?? 'LeaderTimeout',
    height: height(1),
    tick: content.tick ?? 0,
    validator: address,
    signature: present(sign(bytes), 'signature'),
  };
}

/** A TC of `inRound`; `highQCs` gives what each signer, from the first validator on, reports. */
export function tcOf(
  place: World,
  inRound: number,
  highQCs: readonly QuorumCertificate[],
): TimeoutCertificate {
  const messages = highQCs.map((highQC, index) => timeoutBy(place, index, { round: inRound, highQC }));
  return present(assembleTC(place.epoch, place.bls, messages), 'TC');
}

export function proposalOf(place: World, block: Block, tc?: TimeoutCertificate): ProposalMessage {
  const vote = voteFor(place, block, place.indexOf(block.header.proposer));
  return { kind: 'Proposal', block, vote, ...(tc === undefined ? {} : { tc }) };
}

/** A chain of blocks in the given rounds, each on the QC of the one before, from genesis on. */
export function chainOf(
  place: World,
  rounds: readonly number[],
  options: (index: number) => BlockOptions = () => ({}),
): { readonly blocks: readonly Block[]; readonly qcs: readonly QuorumCertificate[] } {
  const blocks: Block[] = [];
  const qcs: QuorumCertificate[] = [];
  let tip = place.epoch.rootQC;
  for (const [index, inRound] of rounds.entries()) {
    const block = blockOn(place, tip, inRound, options(index));
    tip = qcOf(place, block);
    blocks.push(block);
    qcs.push(tip);
  }
  return { blocks, qcs };
}

export const idOf = ({ epoch }: World, block: Block) => blockIdOf(epoch.domain, block);

/** Seeded numbers in [0, 1): Mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `epoch` with a set of one power each that only cells see which ask who is in it: their keys are nobody's. */
export function epochOfAddresses(epoch: EpochContext, addresses: readonly Address[]): EpochContext {
  const validators = addresses.toSorted().map((address, index): Validator => {
    const key = index + 1;
    return {
      address,
      nodeKey: new Uint8Array(32).fill(key),
      consensusKey: new Uint8Array(48).fill(key),
      power: 1n,
    };
  });
  const indexByAddress = new Map(validators.map(({ address }, index) => [address, index]));
  return { ...epoch, set: { ...epoch.set, validators, indexByAddress } };
}

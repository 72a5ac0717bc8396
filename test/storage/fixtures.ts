/** Chains, records and results without signatures: a store never verifies one. Deterministic. */
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { concatBytes, utf8 } from '../../src/base/bytes.ts';
import { wallTime } from '../../src/base/units.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import {
  blockIdOf,
  digestOf,
  genesisBlockId,
  genesisCertificate,
  merkleRootOf,
  NO_EVIDENCE,
  statementOf,
  text,
} from '../../src/protocol/chain/canonical.ts';
import { FIRST_EPOCH, GENESIS_HEIGHT, ROOT_ROUND } from '../../src/protocol/chain/ordinals.ts';
import {
  parseAddress,
  parseBatchDigest,
  parseEpoch,
  parseHeight,
  parseRound,
} from '../../src/protocol/chain/parse.ts';
import type {
  Address,
  BatchDigest,
  Block,
  BlockId,
  Epoch,
  EpochChange,
  EpochDescriptor,
  Height,
  QuorumCertificate,
  Round,
  TimeoutCertificate,
  Vote,
} from '../../src/protocol/chain/types.ts';
import { addressOf, validatorSet } from '../../src/protocol/chain/validator-set.ts';
import { rootCertificate } from '../../src/protocol/consensus/epoch.ts';
import type { SafetyRecord, ViewChangeMessage } from '../../src/protocol/consensus/types.ts';
import type { ValidatorUpdate } from '../../src/protocol/ports/application.ts';
import type { CommittedBlock, ExecutedTransaction } from '../../src/protocol/ports/storage.ts';
import type { Reputation } from '../../src/protocol/sync/types.ts';
import { type OpenOptions, openStore } from '../../src/storage/open.ts';
import type {
  BatchBytes,
  Read,
  Store,
  StoreIdentity,
  StoreWrite,
  WriteOutcome,
} from '../../src/storage/store.ts';

function sure<Value>(value: Value | 'malformed'): Value {
  if (value === 'malformed') throw new Error('a fixture is well formed');
  return value;
}

export const height = (value: number): Height => sure(parseHeight(value));
export const round = (value: number): Round => sure(parseRound(value));
export const epoch = (value: number): Epoch => sure(parseEpoch(value));
export const address = (index: number): Address => sure(parseAddress(index.toString(16).padStart(40, '0')));
export const digest = (name: string) => digestOf(text(name));
export const batchDigest = (bytes: Uint8Array): BatchDigest =>
  sure(parseBatchDigest(Buffer.from(sha256(bytes)).toString('hex')));

export const IDENTITY: StoreIdentity = { genesisHash: digest('genesis'), chainId: 'store-chain' };
export const GENESIS_ID = genesisBlockId(IDENTITY, FIRST_EPOCH);
export const GENESIS_QC = genesisCertificate(IDENTITY, FIRST_EPOCH);

/** Bytes that a name decides. */
export function bytesOf(name: string, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const seed = sha256(Buffer.from(name));
  for (let at = 0; at < length; at += seed.byteLength) bytes.set(seed.subarray(0, length - at), at);
  return bytes;
}

export function batch(name: string, length = 300): BatchBytes {
  const bytes = bytesOf(name, length);
  return { digest: batchDigest(bytes), bytes };
}

export interface MadeBlock {
  readonly id: BlockId;
  readonly block: Block;
  /** Certifies `block`. */
  readonly qc: QuorumCertificate;
}

/** A block on `parent` (the genesis block without one). */
export function child(
  parent: MadeBlock | undefined,
  options: {
    readonly salt?: string;
    readonly round?: number;
    readonly epoch?: number;
    readonly batches?: readonly BatchBytes[];
    /** Height that it states as executed. */
    readonly executed?: number;
  } = {},
): MadeBlock {
  const parentHeight = parent?.block.header.height ?? GENESIS_HEIGHT;
  const qc = parent?.qc ?? GENESIS_QC;
  const batches = options.batches ?? [];
  const block: Block = {
    header: {
      epoch: epoch(options.epoch ?? 0),
      round: round(options.round ?? qc.round + 1),
      height: height(parentHeight + 1),
      parentId: parent?.id ?? GENESIS_ID,
      time: wallTime(1_700_000_000_000 + parentHeight),
      proposer: address(parentHeight % 4),
      batches: batches.map((entry) => ({ digest: entry.digest, count: 1, bytes: entry.bytes.byteLength })),
      batchesRoot: merkleRootOf(batches.map((entry) => entry.digest)),
      executed: { height: height(options.executed ?? 0), appHash: digest('app') },
      validatorsHash: digest('validators'),
      nextValidatorsHash: digest('validators'),
      evidenceHash: NO_EVIDENCE,
      vrfProof: bytesOf(options.salt ?? '', options.salt === undefined ? 0 : 80),
    },
    qc,
  };
  const id = blockIdOf(IDENTITY, block);
  return { id, block, qc: certificate(block, id) };
}

export function certificate(block: Block, id: BlockId): QuorumCertificate {
  return {
    ...statementOf(block, id),
    signers: Uint8Array.of(0b1110),
    signature: bytesOf(`signature ${id}`, 96),
  };
}

/** Blocks 1 to `length`, each the parent of the next. */
export function chain(length: number, make?: (at: number) => readonly BatchBytes[]): readonly MadeBlock[] {
  const blocks: MadeBlock[] = [];
  for (let at = 1; at <= length; at += 1) blocks.push(child(blocks.at(-1), { batches: make?.(at) ?? [] }));
  return blocks;
}

/** The certificate of a block's child proves its commit. */
export const committed = (made: MadeBlock): CommittedBlock => ({ ...made, commitProof: child(made).qc });

export const vote = (made: MadeBlock): Vote => ({
  ...statementOf(made.block, made.id),
  validator: address(1),
  signature: bytesOf(`vote ${made.id}`, 96),
});

export const timeoutCertificate = (of: number, highQC: QuorumCertificate): TimeoutCertificate => ({
  epoch: highQC.epoch,
  round: round(of),
  highQC,
  groups: [
    { highQcRound: highQC.round, signers: Uint8Array.of(0b0110) },
    { highQcRound: ROOT_ROUND, signers: Uint8Array.of(0b1000) },
  ],
  signature: bytesOf(`tc ${of}`, 96),
});

export function timeout(of: number, highQC: QuorumCertificate, tick = 0): ViewChangeMessage {
  return {
    kind: 'ViewChange',
    epoch: highQC.epoch,
    round: round(of),
    highQC,
    reason: 'LeaderTimeout',
    height: height(highQC.height + 1),
    tick,
    validator: address(1),
    signature: bytesOf(`timeout ${of}`, 96),
  };
}

/** The record after a vote for `made`. */
export const votedFor = (made: MadeBlock): SafetyRecord => ({
  epoch: made.block.header.epoch,
  lastVotedRound: made.block.header.round,
  lastVote: vote(made),
  lockedRound: made.block.qc.round,
  highQC: made.block.qc,
});

export const record = (value: SafetyRecord, expectedVersion: number, block?: Block): StoreWrite => ({
  kind: 'record',
  record: value,
  expectedVersion,
  ...(block === undefined ? {} : { block }),
});

export function transaction(name: string, index: number, code = 0): ExecutedTransaction {
  const bytes = bytesOf(name, 40);
  return {
    hash: digestOf(bytes),
    index,
    bytes,
    result: {
      code,
      data: Uint8Array.of(1, 2),
      log: `log of ${name}`,
      codespace: code === 30 ? 'althing' : '',
      gasWanted: 2n ** 63n,
      gasUsed: -1n,
      events: [{ type: 'transfer', attributes: [{ key: 'to', value: name, index: true }] }],
    },
  };
}

export function execution(made: MadeBlock, names: readonly string[], app = 'app'): StoreWrite {
  return {
    kind: 'execution',
    blockId: made.id,
    executed: { height: made.block.header.height, appHash: digest(`${app} ${made.block.header.height}`) },
    transactions: names.map((name, index) => transaction(name, index)),
    events: [{ type: 'block', attributes: [] }],
    validatorUpdates: [],
  };
}

/** Validators come and go, each with keys of its own name. */
export const update = (name: string, power = 1n): ValidatorUpdate => ({
  nodeKey: sha256(utf8(`node ${name}`)),
  consensusKey: concatBytes(sha256(utf8(`bls ${name}`)), new Uint8Array(16)),
  possessionProof: bytesOf(`proof ${name}`, 96),
  power,
});

/** Its epoch ends with this block; the validators after it have these names. A store does not ask whether they are right. */
export function ending(last: MadeBlock, ...names: readonly string[]): EpochChange {
  const validators = validatorSet(
    names.map((name) => {
      const { nodeKey, consensusKey, power } = update(name);
      return { address: addressOf(nodeKey), nodeKey, consensusKey, power };
    }),
  );
  if ('code' in validators) throw new Error(validators.code);
  const { header, qc } = last.block;
  const next: EpochDescriptor = {
    epoch: epoch(header.epoch + 1),
    validators,
    seed: digest(`seed ${header.epoch}`),
    passedOver: [],
  };
  const path = [{ header, parentRound: qc.round }] as const;
  return { qc: last.qc, proof: { last: { path, certificate: child(last).qc }, next } };
}

/** The last block of an epoch as what the first block of the next stands on. */
export function opening(last: MadeBlock): MadeBlock {
  const { height, parentId } = last.block.header;
  return {
    ...last,
    qc: rootCertificate(epoch(last.block.header.epoch + 1), { height, id: last.id, parentId }),
  };
}

/** The block's execution, which asks for this validator too (CS-16). */
export function asking(made: MadeBlock, name = 'new'): StoreWrite {
  const write = execution(made, []);
  if (write.kind !== 'execution') throw new Error('an execution');
  return { ...write, validatorUpdates: [update(name)] };
}

export const reputation = (index: number): Reputation => ({
  peer: address(index),
  score: 1 / (index + 1),
  at: wallTime(1_700_000_000_000.5),
  consistentSince: wallTime(1_690_000_000_000 + index),
});

export function found<Value>(read: Read<Value>): Value {
  if (read.status === 'failed') throw new Error(`${read.code}: ${read.detail}`);
  return read.value;
}

/** Stages and syncs one group, which must become durable. */
export function write(store: Store, ...writes: readonly StoreWrite[]): readonly WriteOutcome[] {
  const staged = store.stage(writes);
  if (staged.status === 'failed') throw new Error(`${staged.code}: ${staged.detail}`);
  const synced = store.sync();
  if (synced.status === 'failed') throw new Error(`${synced.code}: ${synced.detail}`);
  return staged.outcomes;
}

export const codes = (outcomes: readonly WriteOutcome[]): readonly string[] =>
  outcomes.map((outcome) => (outcome.status === 'refused' ? outcome.code : outcome.status));

export function opened(dir: string, options?: OpenOptions): Store {
  const store = openStore(dir, IDENTITY, options);
  if ('status' in store) throw new Error(`${store.code}: ${store.detail}`);
  return store;
}

export interface TestDisk {
  open(): Store;
  /** Power off: the open store is dead, what was acknowledged stays. */
  crash(): void;
  remove(): void;
}

/** Memory where there is some: these tests do not wait for a busy disk. `crash.test.ts` uses the disk. */
const FAST_FOLDER = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** A folder whose crash is a copy of its files at that instant, as kill -9 leaves them. */
export function folderDisk(options?: OpenOptions): TestDisk {
  const root = mkdtempSync(join(FAST_FOLDER, 'althing-store-'));
  let generation = 0;
  let current: Store | undefined;
  const dir = (): string => join(root, String(generation));
  return {
    open() {
      current = opened(dir(), options);
      return current;
    },
    crash() {
      const before = dir();
      generation += 1;
      cpSync(before, dir(), { recursive: true });
      current?.close();
      rmSync(before, { recursive: true });
    },
    remove() {
      current?.close();
      rmSync(root, { recursive: true });
    },
  };
}

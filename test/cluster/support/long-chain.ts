/**
 * A chain of any length, written into the homes of a network that never ran, as its validators would have made it:
 * real keys, certificates, batches and outcomes, in consecutive rounds. Boundary: disk.
 */
import { cpSync, rmSync } from 'node:fs';
import { kv } from '../../../src/application/kv/rules.ts';
import { wallTime } from '../../../src/base/units.ts';
import type { BlsEngine } from '../../../src/crypto/bls/engine.ts';
import { loadBlsEngine } from '../../../src/crypto/bls/select.ts';
import { signerBitmap } from '../../../src/crypto/signer-bitmap.ts';
import { loadGenesis } from '../../../src/node/config/genesis-file.ts';
import { homePaths } from '../../../src/node/config/home.ts';
import { batchDigestOf, encodeBatch, transactionHashOf } from '../../../src/protocol/chain/batch.ts';
import { blockIdOf, statementOf, voteStatementBytes } from '../../../src/protocol/chain/canonical.ts';
import { GENESIS_HEIGHT, nextRound } from '../../../src/protocol/chain/ordinals.ts';
import { parseHeight } from '../../../src/protocol/chain/parse.ts';
import type {
  Address,
  Block,
  BlockId,
  ExecutedState,
  Height,
  QuorumCertificate,
} from '../../../src/protocol/chain/types.ts';
import { type EpochContext, leaderAt } from '../../../src/protocol/consensus/epoch.ts';
import { buildBlock } from '../../../src/protocol/consensus/proposal.ts';
import { outcomes } from '../../../src/protocol/execution/outcome.ts';
import type { Application } from '../../../src/protocol/ports/application.ts';
import { openStore } from '../../../src/storage/open.ts';
import type { Store, StoreWrite } from '../../../src/storage/store.ts';
import { nodeIdentity } from '../../../src/transport/identity.ts';
import { readEpoch, readKeys } from './chain.ts';

export interface LongChain {
  /** Homes whose keys sign; together a quorum. */
  readonly signers: readonly string[];
  /** Who gets how many of its blocks. */
  readonly into: readonly { readonly home: string; readonly blocks: number }[];
  /** Of transactions in each block, in four of them. @unit bytes */
  readonly bodyBytes: number;
  /** Of their stores. @unit bytes */
  readonly segmentBytes?: number;
}

/** Writes of one group. */
const GROUP_WRITES = 768;
const TRANSACTIONS_PER_BLOCK = 4;

/** Each home's committed blocks, and one more on top that is certified and not committed. */
export async function writeLongChain({ signers, into, ...shape }: LongChain): Promise<void> {
  const rising = [...into].sort((left, right) => left.blocks - right.blocks);
  const longest = rising.pop();
  if (longest === undefined) return;
  const { engine } = await loadBlsEngine();
  const chain = await ChainWriter.open(longest.home, engine, signers, shape);
  for (const { home, blocks } of rising) {
    await chain.writeTo(blocks);
    chain.copyTo(home);
  }
  await chain.writeTo(longest.blocks);
  await chain.close();
}

type Shape = Pick<LongChain, 'bodyBytes' | 'segmentBytes'>;

interface Made {
  readonly id: BlockId;
  readonly block: Block;
  readonly qc: QuorumCertificate;
}

class ChainWriter {
  readonly #home: string;
  readonly #epoch: EpochContext;
  readonly #shape: Shape;
  readonly #certify: (block: Block, id: BlockId) => QuorumCertificate;
  readonly #application: Application;
  readonly #genesisTime: number;
  #store: Store;
  /** By height. */
  readonly #executed: ExecutedState[] = [];
  /** Certified, not committed. */
  #tip: Made | undefined;
  #group: StoreWrite[] = [];

  private constructor(home: string, bls: BlsEngine, signers: readonly string[], shape: Shape) {
    const { genesisFile, applicationData } = homePaths(home);
    const loaded = loadGenesis(genesisFile, bls);
    if (loaded.status === 'refused') throw new Error(JSON.stringify(loaded.problems));
    this.#home = home;
    this.#epoch = readEpoch(home, bls);
    this.#shape = shape;
    this.#certify = certifier(this.#epoch, bls, signers);
    this.#genesisTime = loaded.genesis.genesisTime;
    this.#application = kv({ dir: applicationData, provesPossession: bls.verifyPossession });
    this.#store = this.#open();
  }

  static async open(
    home: string,
    bls: BlsEngine,
    signers: readonly string[],
    shape: Shape,
  ): Promise<ChainWriter> {
    const writer = new ChainWriter(home, bls, signers, shape);
    await writer.#initialise(bls);
    return writer;
  }

  async #initialise(bls: BlsEngine): Promise<void> {
    const loaded = loadGenesis(homePaths(this.#home).genesisFile, bls);
    if (loaded.status === 'refused') throw new Error(JSON.stringify(loaded.problems));
    const { chainId, genesisTime, validators, application } = loaded.genesis;
    const request = {
      chainId,
      genesisHash: loaded.hash,
      genesisTime,
      validators,
      appState: application.state,
    };
    const { appHash } = await this.#application.initChain(request);
    const state = { height: GENESIS_HEIGHT, appHash };
    this.#executed.push(state);
    this.#group.push(execution(this.#epoch.rootQC.blockId, state, []));
  }

  /** Up to `blocks` committed ones. */
  async writeTo(blocks: number): Promise<void> {
    while ((this.#tip?.block.header.height ?? 0) <= blocks) {
      await this.#next();
      if (this.#group.length >= GROUP_WRITES) this.#settle();
    }
    if (this.#tip !== undefined) this.#group.push({ kind: 'certified', blocks: [this.#tip] });
    this.#settle();
  }

  /** What has been written, into another home. */
  copyTo(home: string): void {
    this.#store.close();
    const from = homePaths(this.#home);
    const to = homePaths(home);
    for (const [source, target] of [
      [from.data, to.data],
      [from.applicationData, to.applicationData],
    ] as const) {
      rmSync(target, { recursive: true, force: true });
      cpSync(source, target, { recursive: true });
    }
    this.#store = this.#open();
  }

  async close(): Promise<void> {
    this.#store.close();
    await this.#application.close?.();
  }

  #open(): Store {
    const { segmentBytes } = this.#shape;
    const options = segmentBytes === undefined ? {} : { segmentBytes };
    const store = openStore(homePaths(this.#home).data, this.#epoch.domain, options);
    if ('status' in store) throw new Error(store.detail);
    return store;
  }

  /** One more block; its parent is committed by it, and executed. */
  async #next(): Promise<void> {
    const parent = this.#tip;
    const qc = parent?.qc ?? this.#epoch.rootQC;
    const at = qc.height + 1;
    const round = nextRound(qc.round);
    const proposer = leaderAt(this.#epoch, round);
    const batch = this.#batchAt(at, proposer);
    const stated = this.#executed[Math.max(0, at - 2)];
    if (stated === undefined) throw new Error('a block states what was executed before');
    const block = buildBlock(this.#epoch, {
      round,
      proposer,
      qc,
      time: wallTime(this.#genesisTime + at),
      executed: stated,
      nextHash: this.#epoch.hash,
      batches: [{ digest: batch.digest, count: batch.transactions.length, bytes: batch.bytes.byteLength }],
    });
    const id = blockIdOf(this.#epoch.domain, block);
    this.#tip = { id, block, qc: this.#certify(block, id) };
    this.#group.push({ kind: 'batches', batches: [batch] });
    if (parent === undefined) return;
    this.#group.push({ kind: 'commit', blocks: [{ ...parent, commitProof: this.#tip.qc }] });
    await this.#execute(parent);
  }

  async #execute({ id, block }: Made): Promise<void> {
    const { height, time, proposer } = block.header;
    const { transactions } = this.#batchAt(height, proposer);
    const ordered = {
      transactions,
      hashes: transactions.map(transactionHashOf),
      given: transactions,
    };
    const request = { height, blockId: id, time, proposer, randomness: id, transactions };
    const { appHash, results } = await this.#application.finalizeBlock(request);
    const state: ExecutedState = { height, appHash };
    this.#executed.push(state);
    this.#group.push(execution(id, state, outcomes(ordered, results) ?? []));
  }

  #batchAt(height: number, author: Address) {
    const transactions = transactionsAt(height, this.#shape.bodyBytes);
    const expiresAtHeight = heightOf(height + 1_000);
    const bytes = encodeBatch({ author, sequence: height, expiresAtHeight, transactions });
    return { digest: batchDigestOf(bytes), bytes, transactions };
  }

  #settle(): void {
    const staged = this.#store.stage(this.#group.splice(0));
    if (staged.status === 'failed') throw new Error(staged.detail);
    const refused = staged.outcomes.find(({ status }) => status === 'refused');
    if (refused?.status === 'refused') throw new Error(refused.detail);
    const synced = this.#store.sync();
    if (synced.status === 'failed') throw new Error(synced.detail);
  }
}

type Executed = Extract<StoreWrite, { kind: 'execution' }>;

const execution = (
  blockId: BlockId,
  executed: ExecutedState,
  transactions: Executed['transactions'],
): StoreWrite => ({ kind: 'execution', blockId, executed, transactions, events: [], validatorUpdates: [] });

function transactionsAt(height: number, bodyBytes: number): readonly Uint8Array[] {
  const length = Math.floor(bodyBytes / TRANSACTIONS_PER_BLOCK);
  return Array.from({ length: TRANSACTIONS_PER_BLOCK }, (_, index) =>
    new TextEncoder().encode(
      `key-${(height * TRANSACTIONS_PER_BLOCK + index) % 10_000}=${height}-${index}-`.padEnd(length, 'x'),
    ),
  );
}

function certifier(epoch: EpochContext, bls: BlsEngine, homes: readonly string[]) {
  const members = homes.map((home) => {
    const { nodeSecret, consensusSecret } = readKeys(home, bls);
    const index = epoch.set.indexByAddress.get(nodeIdentity(nodeSecret).id);
    if (index === undefined) throw new Error(`${home} is not of the set`);
    return { index, consensusSecret };
  });
  const signers = signerBitmap(
    epoch.set.validators.length,
    members.map(({ index }) => index),
  );
  return (block: Block, id: BlockId): QuorumCertificate => {
    const statement = statementOf(block, id);
    const message = voteStatementBytes(epoch.domain, statement);
    const signatures = members.flatMap(({ consensusSecret }) => bls.sign(consensusSecret, message) ?? []);
    const signature = bls.aggregateSignatures(signatures);
    if (signature === undefined) throw new Error('no signature');
    return { ...statement, signers, signature };
  };
}

function heightOf(value: number): Height {
  const height = parseHeight(value);
  if (height === 'malformed') throw new Error(`height ${value}`);
  return height;
}

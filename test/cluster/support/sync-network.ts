/**
 * A network of five whose homes hold parts of one chain before anything runs, started again from that state as often as
 * a test wants it. What a user sees of sync is read by `althing`.
 */
import { cpSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import { SYNC } from '../../../src/cli/shapes.ts';
import type { BlsEngine } from '../../../src/crypto/bls/engine.ts';
import { loadBlsEngine } from '../../../src/crypto/bls/select.ts';
import { homePaths } from '../../../src/node/config/home.ts';
import type { Address } from '../../../src/protocol/chain/types.ts';
import type { EpochContext } from '../../../src/protocol/consensus/epoch.ts';
import type { Reputation } from '../../../src/protocol/sync/types.ts';
import { openStore } from '../../../src/storage/open.ts';
import { readAddresses, readEpoch } from './chain.ts';
import { eventually } from './local-network.ts';
import { writeLongChain } from './long-chain.ts';
import { SyncLiar } from './sync-liars.ts';
import { type SeenEnd, Validators } from './validators.ts';

export type SyncView = z.infer<typeof SYNC>;

/** They hold the whole chain; with any three of them and the joiner there is a quorum. */
export const HOLDERS = [0, 1, 2, 3] as const;
export const JOINER = 4;
const COUNT = 5;
/** The least: homes are copied. @unit bytes */
const SEGMENT_BYTES = 1_048_576;

/** A check that nobody answers ends sooner, and the next one comes sooner. */
const BRISK = {
  ALTHING_SYNC__CHECK_INTERVAL_SECS: '3',
  ALTHING_SYNC__TIER1_TIMEOUT_SECS: '6',
  ALTHING_SYNC__PEER_QUERY_TIMEOUT_SECS: '3',
};

interface SyncNetworkOptions {
  /** Blocks of the holders. */
  readonly blocks: number;
  /** Blocks that the joiner may begin with. */
  readonly starts: readonly number[];
}

export class SyncNetwork {
  readonly validators: Validators;
  readonly blocks: number;
  /** What the next processes are started with. */
  env: NodeJS.ProcessEnv = {};
  /** Of the joiner's next processes: no file may be greater. @unit blocks of 512 bytes, or of 1,024 */
  fileBlocksMax: number | undefined;
  /** Of all processes so far. */
  readonly ends: SeenEnd[] = [];
  readonly #liars: SyncLiar[] = [];
  readonly #read: { readonly epoch: EpochContext; readonly ids: readonly Address[] };

  private constructor(validators: Validators, blocks: number, bls: BlsEngine) {
    this.validators = validators;
    this.blocks = blocks;
    const { network } = validators;
    this.#read = { epoch: readEpoch(network.homeOf(0), bls), ids: readAddresses(network, COUNT, bls) };
  }

  static async create({ blocks, starts }: SyncNetworkOptions): Promise<SyncNetwork> {
    let made: SyncNetwork | undefined;
    const validators = await Validators.create({
      count: COUNT,
      onEnd: (end) => made?.ends.push(end),
      launch: (index) => ({
        env: { ...BRISK, ...made?.env },
        words: ['--set', `storage.segment_bytes=${SEGMENT_BYTES}`],
        ...(index === JOINER && made?.fileBlocksMax !== undefined
          ? { wrapper: ['sh', '-c', `ulimit -f ${made.fileBlocksMax}; exec "$0" "$@"`] }
          : {}),
      }),
    });
    made = new SyncNetwork(validators, blocks, (await loadBlsEngine()).engine);
    const { network } = validators;
    const signers = HOLDERS.map((index) => network.homeOf(index));
    await writeLongChain({
      signers,
      into: [
        ...signers.map((home) => ({ home, blocks })),
        ...starts
          .filter((start) => start > 0 && start < blocks)
          .map((start) => ({ home: made.#part(start), blocks: start })),
      ],
      bodyBytes: 256,
      segmentBytes: SEGMENT_BYTES,
    });
    mkdirSync(made.#template);
    for (let index = 0; index < COUNT; index += 1) {
      renameSync(network.homeOf(index), join(made.#template, `node${index}`));
    }
    return made;
  }

  /** All homes as they were before anything ran; the joiner's with the first `blocks`. */
  begin(blocks: number): void {
    for (let index = 0; index < COUNT; index += 1) {
      const home = this.homeOf(index);
      rmSync(home, { recursive: true, force: true });
      cpSync(join(this.#template, `node${index}`), home, { recursive: true });
    }
    if (blocks > 0)
      cpSync(homePaths(this.#part(blocks)).data, homePaths(this.homeOf(JOINER)).data, { recursive: true });
  }

  get #template(): string {
    return join(this.validators.network.directory, 'template');
  }

  #part(blocks: number): string {
    return blocks === this.blocks
      ? join(this.#template, 'node0')
      : join(this.validators.network.directory, `part-${blocks}`);
  }

  homeOf(index: number): string {
    return this.validators.network.homeOf(index);
  }

  start(...indices: readonly number[]): void {
    for (const index of indices) this.validators.start(index);
  }

  /** Plays a holder towards the joiner. */
  async playBad(index: number, manner: 'lies' | 'stalls'): Promise<SyncLiar> {
    const liar = await SyncLiar.start(this.validators, index, JOINER, manner);
    this.#liars.push(liar);
    return liar;
  }

  /** kill -9 of everything. */
  async end(): Promise<void> {
    for (const liar of this.#liars.splice(0)) liar.end();
    this.env = {};
    this.fileBlocksMax = undefined;
    for (let index = 0; index < COUNT; index += 1) await this.validators.kill(index);
  }

  async stop(index: number): Promise<void> {
    await this.validators.kill(index);
  }

  async remove(): Promise<void> {
    await this.end();
    await this.validators.remove();
  }

  /** Undefined while it does not answer. */
  async view(index: number): Promise<SyncView | undefined> {
    const answer = await this.validators.network.call(index, 'althing_sync');
    return answer === undefined ? undefined : SYNC.parse(answer);
  }

  seen(
    claim: string,
    index: number,
    fits: (view: SyncView) => boolean,
    withinMs = 60_000,
  ): Promise<SyncView> {
    let last: SyncView | undefined;
    return eventually(claim, withinMs, async () => {
      if (!this.validators.runs(index)) throw new Error(`${index} ended: ${this.validators.wordsOf(index)}`);
      last = (await this.view(index)) ?? last;
      return last !== undefined && fits(last) ? last : undefined;
    }).catch((cause: unknown) => {
      throw new Error(`${String(cause)}; ${JSON.stringify(last)}; ${this.validators.wordsOf(index)}`);
    });
  }

  /** Base64; undefined while the block is not executed there. */
  async appHash(index: number, height: number): Promise<string | undefined> {
    const answer = await this.validators.network.call(index, 'block_results', { height: String(height) });
    return answer?.app_hash;
  }

  async blockId(index: number, height: number): Promise<string | undefined> {
    const answer = await this.validators.network.call(index, 'block', { height: String(height) });
    return answer?.block_id?.hash;
  }

  /** Waits until all of them have executed `height`; their hashes of the state after it, no two the same. */
  async appHashes(indices: readonly number[], height: number): Promise<readonly string[]> {
    const hashes = await Promise.all(
      indices.map((index) =>
        eventually(`${index} has executed ${height}`, 60_000, () => this.appHash(index, height)),
      ),
    );
    return [...new Set(hashes)];
  }

  /** What the joiner, which does not run, has kept of these. */
  reputations(indices: readonly number[]): readonly Reputation[] {
    const { epoch, ids } = this.#read;
    const store = openStore(homePaths(this.homeOf(JOINER)).data, epoch.domain);
    if ('status' in store) throw new Error(store.detail);
    const kept = store.reputations();
    store.close();
    if (kept.status !== 'found') throw new Error(kept.detail);
    return indices.map((index) => {
      const found = kept.value.find(({ peer }) => peer === ids[index]);
      if (found === undefined) throw new Error(`nothing is kept of ${index}`);
      return found;
    });
  }

  /** Names of what is in the joiner's home. */
  folders(): readonly string[] {
    return readdirSync(this.homeOf(JOINER)).sort();
  }
}

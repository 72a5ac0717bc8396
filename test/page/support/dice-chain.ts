/**
 * A chain of dice without consensus, for tests of its page: the real rules in blocks by a timer, behind several real RPC
 * servers. A node can be taken away; what one has admitted, all have.
 */
import { setInterval } from 'node:timers';
import { millis } from '../../../src/base/units.ts';
import { applicationPages } from '../../../src/node/pages.ts';
import { digestOf } from '../../../src/protocol/chain/canonical.ts';
import { parseHeight } from '../../../src/protocol/chain/parse.ts';
import type { Digest, Height } from '../../../src/protocol/chain/types.ts';
import type { Admission } from '../../../src/protocol/ports/mempool.ts';
import { type RunningRpcServer, startRpcServer } from '../../../src/rpc/http-server.ts';
import type {
  IndexedTransaction,
  NodeStatus,
  QueryAnswer,
  TransactionFate,
} from '../../../src/rpc/node-port.ts';
import type { PageFile } from '../../../src/rpc/pages.ts';
import { Game } from '../../application/dice/game.ts';
import { MemoryNode } from '../../rpc/memory-node.ts';

/** @unit ms @source a quick network's blocks */
const BLOCK_MS = 80;

export interface DiceNetwork {
  readonly chain: DiceChain;
  /** `http://host:port` of each node. */
  readonly origins: readonly string[];
  /** The node answers no more. */
  readonly kill: (index: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

export async function startDiceNetwork(nodes: number, appState: object = {}): Promise<DiceNetwork> {
  const chain = new DiceChain(new Game(appState));
  const pages = Array.from({ length: nodes }, () => new Map<string, PageFile>());
  const allowedOrigins: string[] = [];
  const servers: RunningRpcServer[] = [];
  for (const own of pages) servers.push(await startServer(new DiceNode(chain), own, allowedOrigins));
  const origins = servers.map(({ address }) => `http://${address}`);
  allowedOrigins.push(...origins);
  for (const [index, own] of pages.entries()) {
    const others = origins.filter((_, other) => other !== index);
    for (const [path, file] of applicationPages('dice', others)) own.set(path, file);
  }
  const timer = setInterval(() => chain.makeBlock(), BLOCK_MS);
  return {
    chain,
    origins,
    kill: async (index) => servers[index]?.close(),
    close: async () => {
      clearInterval(timer);
      await Promise.all(servers.map((server) => server.close()));
    },
  };
}

const startServer = (
  node: DiceNode,
  pages: ReadonlyMap<string, PageFile>,
  allowedOrigins: readonly string[],
): Promise<RunningRpcServer> =>
  startRpcServer({
    ...{ port: node, pages, allowedOrigins, listen: '127.0.0.1:0', allowedHosts: [] },
    ...{ connectionsMax: 100, connectionsPerAddressMax: 100, bodyBytesMax: 100_000, batchRequestsMax: 10 },
    ...{ requestTimeout: millis(10_000), commitTimeout: millis(5_000), loopLagMax: millis(1_000) },
    ...{ requestsPerSecond: 5_000, requestsBurst: 10_000 },
    loopLag: () => millis(0),
    metrics: async () => '',
    onCall: () => undefined,
  });

export class DiceChain {
  readonly game: Game;
  /** Blocks stand still while true; what is sent waits. */
  holds = false;
  readonly #waiting = new Map<Digest, Uint8Array>();
  readonly #executed = new Map<Digest, IndexedTransaction>();
  #listeners: (() => void)[] = [];

  constructor(game: Game) {
    this.game = game;
  }

  get height(): Height {
    const height = parseHeight(this.game.height - 1);
    if (height === 'malformed') throw new Error(`${this.game.height} is no height`);
    return height;
  }

  submit(transaction: Uint8Array): Admission {
    const hash = digestOf(transaction);
    const refused = { status: 'refused', hash } as const;
    if (this.#waiting.has(hash) || this.#executed.has(hash))
      return { ...refused, code: 'ALREADY_KNOWN', log: '' };
    const { code, log } = this.game.check(transaction);
    if (code !== 0) return { ...refused, code: 'CHECK_FAILED', log, applicationCode: code };
    this.#waiting.set(hash, transaction);
    return { status: 'admitted', hash };
  }

  find(hash: Digest): IndexedTransaction | undefined {
    return this.#executed.get(hash);
  }

  nextBlock(): Promise<void> {
    return new Promise((resolve) => this.#listeners.push(resolve));
  }

  makeBlock(): void {
    if (this.holds) return;
    const height = parseHeight(this.game.height);
    if (height === 'malformed') throw new Error(`${this.game.height} is no height`);
    for (const [index, [hash, bytes]] of [...this.#waiting].entries()) {
      const result = this.game.execute(bytes);
      this.#executed.set(hash, { height, executed: { hash, index, bytes, result } });
    }
    this.#waiting.clear();
    this.game.endBlock();
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener();
  }
}

class DiceNode extends MemoryNode {
  readonly #chain: DiceChain;

  constructor(chain: DiceChain) {
    super();
    this.#chain = chain;
  }

  override status(): NodeStatus {
    const status = super.status();
    return { ...status, committed: { ...status.committed, height: this.#chain.height } };
  }

  override async submit(transactions: readonly Uint8Array[]): Promise<readonly Admission[]> {
    return transactions.map((transaction) => this.#chain.submit(transaction));
  }

  override async waitCommitted(hash: Digest): Promise<TransactionFate> {
    for (let blocks = 0; blocks < 50; blocks += 1) {
      const found = this.#chain.find(hash);
      if (found !== undefined) {
        const { index, result } = found.executed;
        return { status: 'committed', height: found.height, index, result };
      }
      await this.#chain.nextBlock();
    }
    return { status: 'timeout' };
  }

  override async transaction(hash: Digest): Promise<IndexedTransaction | undefined> {
    return this.#chain.find(hash);
  }

  override async query(path: string, data: Uint8Array): Promise<QueryAnswer> {
    const answer = this.#chain.game.query(path, new TextDecoder().decode(data));
    return {
      status: 'answered',
      result: { ...answer, codespace: 'dice', key: data, height: this.#chain.height },
    };
  }
}

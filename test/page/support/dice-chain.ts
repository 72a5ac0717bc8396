/**
 * A chain of dice without consensus, for tests of its page: the real rules in blocks by a timer, behind several real RPC
 * servers. A node can be taken away, and can lie; what one has admitted, all have.
 */
import { setInterval } from 'node:timers';
import { setTimeout } from 'node:timers/promises';
import { type Action, readTransaction } from '../../../src/application/dice/operation.ts';
import { utf8 } from '../../../src/base/bytes.ts';
import { type Millis, millis } from '../../../src/base/units.ts';
import { applicationPages } from '../../../src/node/pages.ts';
import { digestOf } from '../../../src/protocol/chain/canonical.ts';
import { type OperationContent, parseOperation } from '../../../src/protocol/chain/operation.ts';
import { parseHeight } from '../../../src/protocol/chain/parse.ts';
import type { Digest, ExecutedState, Height } from '../../../src/protocol/chain/types.ts';
import type { Admission } from '../../../src/protocol/ports/mempool.ts';
import { type RunningRpcServer, startRpcServer } from '../../../src/rpc/http-server.ts';
import type {
  Followed,
  FollowedOperation,
  IndexedTransaction,
  NodeStatus,
  OperationStanding,
  QueryAnswer,
  QueryAsked,
} from '../../../src/rpc/node-port.ts';
import type { PageFile } from '../../../src/rpc/pages.ts';
import { Game, GENESIS_HASH } from '../../application/dice/game.ts';
import { MemoryNode } from '../../rpc/memory-node.ts';

/** @unit ms @source a quick network's blocks */
const BLOCK_MS = 80;

export type Lie = (path: string, answer: unknown) => unknown;

export interface DiceNetwork {
  readonly chain: DiceChain;
  /** `http://host:port` of each node. */
  readonly origins: readonly string[];
  /** From now on what this node says of the state goes through `lie`: the JSON of an answer to `path`. */
  readonly corrupt: (index: number, lie: Lie) => void;
  /** The node answers no more. */
  readonly kill: (index: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

export async function startDiceNetwork(nodes: number, appState: object = {}): Promise<DiceNetwork> {
  const chain = new DiceChain(new Game(appState));
  const pages = Array.from({ length: nodes }, () => new Map<string, PageFile>());
  const allowedOrigins: string[] = [];
  const servers: RunningRpcServer[] = [];
  const members = pages.map(() => new DiceNode(chain));
  for (const [index, member] of members.entries())
    servers.push(await startServer(member, pages[index] ?? new Map(), allowedOrigins));
  const origins = servers.map(({ address }) => `http://${address}`);
  allowedOrigins.push(...origins);
  for (const [index, own] of pages.entries()) {
    const others = origins.filter((_, other) => other !== index);
    for (const [path, file] of applicationPages('dice', { genesisHash: GENESIS_HASH, otherNodes: others }))
      own.set(path, file);
  }
  const timer = setInterval(() => chain.makeBlock(), BLOCK_MS);
  return {
    chain,
    origins,
    corrupt: (index, lie) => members[index]?.corrupt(lie),
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
    onEarly: () => undefined,
  });

export class DiceChain {
  readonly game: Game;
  /** Every operation that a node was given, by its kind. */
  readonly given: Action['kind'][] = [];
  /** Blocks stand still while true; what is sent waits. */
  holds = false;
  readonly #waiting = new Map<Digest, OperationContent>();
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
    const operation = parseOperation(transaction);
    if (operation === undefined)
      return { ...refused, code: 'CHECK_FAILED', log: 'no operation (EX-7)', applicationCode: 2 };
    const kind = readTransaction(operation.payload)?.operation.action.kind;
    if (kind !== undefined) this.given.push(kind);
    const { code, log } = this.game.check(operation.payload);
    if (code !== 0) return { ...refused, code: 'CHECK_FAILED', log, applicationCode: code };
    this.#waiting.set(hash, operation);
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
    const due = [...this.#waiting].filter(([, { expiresAtHeight }]) => expiresAtHeight >= height);
    for (const [index, [hash, { payload: bytes }]] of due.entries()) {
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
  #lie: Lie = (_, answer) => answer;

  constructor(chain: DiceChain) {
    super();
    this.#chain = chain;
  }

  corrupt(lie: Lie): void {
    this.#lie = lie;
  }

  override status(): NodeStatus {
    const status = super.status();
    return { ...status, committed: { ...status.committed, height: this.#chain.height } };
  }

  override async submit(transactions: readonly Uint8Array[]): Promise<readonly Admission[]> {
    return transactions.map((transaction) => this.#chain.submit(transaction));
  }

  override executed(): ExecutedState {
    return { ...super.executed(), height: this.#chain.height };
  }

  override async follow(
    operations: readonly FollowedOperation[],
    _client: string,
    wait: Millis,
    signal: AbortSignal,
  ): Promise<Followed> {
    const until = performance.now() + wait;
    for (;;) {
      const { height } = this.#chain;
      const standings = operations.map(({ id, expiresAtHeight }): OperationStanding => {
        const found = this.#chain.find(id);
        if (found === undefined) return { status: height > expiresAtHeight ? 'expired' : 'pending' };
        const { index, result } = found.executed;
        return { status: 'committed', height: found.height, index, result };
      });
      const hasNews = standings.some(({ status }) => status !== 'pending');
      if (hasNews || signal.aborted || performance.now() >= until)
        return { height, standings, isCrowded: false };
      await Promise.race([this.#chain.nextBlock(), setTimeout(until - performance.now())]);
    }
  }

  override async transaction(hash: Digest): Promise<IndexedTransaction | undefined> {
    return this.#chain.find(hash);
  }

  override async query({ path, data }: QueryAsked): Promise<QueryAnswer> {
    const { code, log, value: told } = this.#chain.game.query(path, new TextDecoder().decode(data));
    const value = utf8(JSON.stringify(this.#lie(path, JSON.parse(new TextDecoder().decode(told)))));
    return {
      status: 'answered',
      result: { ...{ code, log, value }, codespace: 'dice', key: data, height: this.#chain.height },
    };
  }
}

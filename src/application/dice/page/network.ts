/**
 * The page's way to the chain: questions to one node, and on to the next when it does not answer; questions to all, for what
 * several must say alike; and operations, whose one end `althing/client` finds. Boundary: HTTP by the client, clock.
 */
import { type Client, connect, type Outcome } from '../../../client/index.ts';
import { believedOf, firstAgreed } from '../agreement.ts';

export interface Endpoint {
  /** `http://host:port` */
  readonly origin: string;
  readonly status: 'untried' | 'up' | 'down';
  /** The newest that it told; 0: none yet. */
  readonly height: number;
}

export interface Told<View> {
  /** Of the state that it is about. */
  readonly height: number;
  readonly view: View;
}

export interface Network {
  /** In their order; the one that is used now is `current`. */
  readonly endpoints: readonly Endpoint[];
  readonly current: Endpoint;
  /** How many must say the same before something is signed. @unit nodes */
  readonly needed: number;
  /** A height that so many nodes have told or passed: no lie lifts it. */
  readonly height: number;
  /** @param read throws where the JSON has another shape. @throws when no node answers */
  query<View>(path: string, data: string, read: (value: unknown) => View): Promise<Told<View>>;
  /** What `needed` nodes say alike; undefined when they do not. `factOf` gives undefined where an answer does not count. */
  agreed<Fact>(
    path: string,
    data: string,
    factOf: (value: unknown, height: number) => Fact | undefined,
  ): Promise<Fact | undefined>;
  /** Goes on until the end is known. @param lastHeight above it no block executes it (EX-7) */
  submit(payload: Uint8Array, lastHeight: number): Promise<Outcome>;
  /** Asks all nodes that are not in use how they are. */
  probe(): Promise<void>;
}

/** @unit ms @source three blocks at rest; a local node answers in 10 */
const ANSWER_MS = 3_000;
/** A node that keeps an operation for so long without an end is joined by another one. @unit ms @source two blocks at rest */
const RESUBMIT_MS = 2_000;
/** First rest of a node that does not answer; doubles. @unit ms */
const REST_MS_MIN = 500;
/** @unit ms */
const REST_MS_MAX = 8_000;
/** Operations that have not ended; one more is refused. @unit operations @source the session sends one after the other */
const PENDING_MAX = 8;

interface Node {
  readonly origin: string;
  readonly client: Client;
  status: Endpoint['status'];
  height: number;
  restMs: number;
  restUntil: number;
}

/** @param origins the first is the one that served the page */
export const connectTo = (origins: readonly string[], changed: () => void): Network =>
  new KnownNodes(origins, changed);

class KnownNodes implements Network {
  readonly needed: number;
  readonly #nodes: readonly Node[];
  readonly #sender: Client;
  readonly #changed: () => void;
  #current: Node;

  constructor(origins: readonly string[], changed: () => void) {
    const [first, ...others] = origins.map(nodeAt);
    if (first === undefined) throw new Error('a network has at least one node');
    this.#nodes = [first, ...others];
    this.#current = first;
    this.#changed = changed;
    this.needed = believedOf(origins.length);
    this.#sender = connect({
      ...{ endpoints: origins, pendingMax: PENDING_MAX, whenFull: 'reject' },
      ...{ callTimeoutMs: ANSWER_MS, resubmitAfterMs: RESUBMIT_MS },
    });
  }

  get endpoints(): readonly Endpoint[] {
    return this.#nodes.map(endpointOf);
  }

  get current(): Endpoint {
    return endpointOf(this.#current);
  }

  get height(): number {
    const heights = this.#nodes.map(({ height }) => height).toSorted((left, right) => right - left);
    return heights[this.needed - 1] ?? 0;
  }

  async query<View>(path: string, data: string, read: (value: unknown) => View): Promise<Told<View>> {
    let failure: unknown;
    for (const node of this.#inTurn()) {
      try {
        const told = await this.#ask(node, path, data, read);
        if (this.#current !== node) {
          this.#current = node;
          this.#changed();
        }
        return told;
      } catch (cause) {
        failure = cause;
      }
    }
    throw failure;
  }

  agreed<Fact>(
    path: string,
    data: string,
    factOf: (value: unknown, height: number) => Fact | undefined,
  ): Promise<Fact | undefined> {
    const answers = this.#rested().map(async (node) => {
      const { height, view } = await this.#ask(node, path, data, (value) => value);
      return factOf(view, height);
    });
    return firstAgreed(answers, this.needed);
  }

  async submit(payload: Uint8Array, lastHeight: number): Promise<Outcome> {
    const { outcome } = await this.#sender.submit(payload, { expiresAtHeight: lastHeight });
    return outcome;
  }

  async probe(): Promise<void> {
    const idle = this.#rested().filter((node) => node !== this.#current);
    const probes = idle.map(async (node) => {
      const { height } = await this.#use(node, (client) => client.status());
      node.height = Math.max(node.height, height);
      this.#changed();
    });
    await Promise.allSettled(probes);
  }

  #rested(): readonly Node[] {
    return this.#nodes.filter(({ restUntil }) => restUntil <= performance.now());
  }

  /** Those that do not rest, the one in use first; all rest: the one that is rested soonest. */
  #inTurn(): readonly Node[] {
    const at = this.#nodes.indexOf(this.#current);
    const ring = [...this.#nodes.slice(at), ...this.#nodes.slice(0, at)];
    const awake = new Set(this.#rested());
    if (awake.size > 0) return ring.filter((node) => awake.has(node));
    return ring.toSorted((left, right) => left.restUntil - right.restUntil).slice(0, 1);
  }

  #ask<View>(node: Node, path: string, data: string, read: (value: unknown) => View): Promise<Told<View>> {
    return this.#use(node, async (client) => {
      const { code, log, value, height } = await client.query(path, data);
      if (code !== 0) throw new Error(`the application of ${node.origin} answers: ${log}`);
      const view = read(JSON.parse(new TextDecoder().decode(value)));
      node.height = Math.max(node.height, height);
      return { height, view };
    });
  }

  async #use<Answer>(node: Node, ask: (client: Client) => Promise<Answer>): Promise<Answer> {
    try {
      const answer = await ask(node.client);
      node.restMs = REST_MS_MIN;
      if (node.status !== 'up') {
        node.status = 'up';
        this.#changed();
      }
      return answer;
    } catch (failure) {
      node.status = 'down';
      node.restUntil = performance.now() + node.restMs;
      node.restMs = Math.min(2 * node.restMs, REST_MS_MAX);
      this.#changed();
      throw failure;
    }
  }
}

const nodeAt = (origin: string): Node => ({
  ...{ origin, client: connect({ endpoints: [origin], callTimeoutMs: ANSWER_MS }) },
  ...{ status: 'untried', height: 0, restMs: REST_MS_MIN, restUntil: 0 },
});

const endpointOf = ({ origin, status, height }: Node): Endpoint => ({ origin, status, height });

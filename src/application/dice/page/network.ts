/**
 * The page's way to the chain: JSON-RPC to one node, and on to the next when it does not answer. All that waits is bounded; an
 * operation ends as committed, expired or rejected. Boundary: fetch, clock.
 */
import { bytesToHex } from '@noble/hashes/utils.js';
import { sha256 } from '../../../crypto/hash-noble.ts';

export interface Endpoint {
  /** `http://host:port` */
  readonly origin: string;
  readonly status: 'untried' | 'up' | 'down';
  /** The newest that it told; 0: none yet. */
  readonly height: number;
}

export type Outcome =
  | { readonly status: 'committed'; readonly height: number; readonly code: number; readonly log: string }
  | { readonly status: 'expired'; readonly height: number }
  | { readonly status: 'rejected'; readonly code: number; readonly log: string };

export interface Network {
  /** In their order; the one that is used now is `current`. */
  readonly endpoints: readonly Endpoint[];
  readonly current: Endpoint;
  /** The state's value as JSON, and the height that it is of. @throws when no node answers */
  query(path: string, data: string): Promise<{ readonly height: number; readonly value: unknown }>;
  /** Goes on until the end is known; @param lastHeight the operation's own: above it no block executes it. */
  submit(transaction: Uint8Array, lastHeight: number): Promise<Outcome>;
  /** Asks all nodes that are not in use how they are. */
  probe(): Promise<void>;
}

/** @unit ms @source five blocks at rest would be more; a local node answers in 10 */
const ANSWER_MS = 3_000;
/** More than the node itself waits for a commit. @unit ms @source rpc.commit_timeout_ms */
const COMMIT_MS = 12_000;
/** First rest of a node that does not answer; doubles. @unit ms */
const REST_MS_MIN = 500;
/** @unit ms */
const REST_MS_MAX = 8_000;
/** Between two looks for an operation whose end is not known. @unit ms */
const LOOK_AGAIN_MS = 700;
/** A node counts a transaction that it has seen already as this. @source EX-2 */
const DUPLICATE = { code: 30, codespace: 'althing' };

interface Node {
  readonly origin: string;
  status: Endpoint['status'];
  height: number;
  restMs: number;
  restUntil: number;
}

/** The node did not answer, or with something that is no answer. */
class NoAnswer extends Error {}

/** @param origins the first is the one that served the page */
export function connectTo(origins: readonly string[], changed: () => void): Network {
  const [first, ...others] = origins.map(
    (origin): Node => ({ origin, status: 'untried', height: 0, restMs: REST_MS_MIN, restUntil: 0 }),
  );
  if (first === undefined) throw new Error('a network has at least one node');
  const nodes = [first, ...others];
  let current = first;

  const call = async (node: Node, method: string, params: object, timeoutMs: number): Promise<Reply> => {
    try {
      const reply = await post(node.origin, method, params, timeoutMs);
      node.restMs = REST_MS_MIN;
      if (node.status !== 'up') {
        node.status = 'up';
        changed();
      }
      return reply;
    } catch (failure) {
      node.status = 'down';
      node.restUntil = performance.now() + node.restMs;
      node.restMs = Math.min(2 * node.restMs, REST_MS_MAX);
      changed();
      throw failure;
    }
  };

  /** One try with each node that does not rest, beginning with the one in use; all rest: with the one that is rested soonest. */
  const callAny = async (method: string, params: object, timeoutMs: number): Promise<Reply> => {
    const ring = [...nodes.slice(nodes.indexOf(current)), ...nodes.slice(0, nodes.indexOf(current))];
    const rested = ring.filter(({ restUntil }) => restUntil <= performance.now());
    const soonest = ring.toSorted((left, right) => left.restUntil - right.restUntil).slice(0, 1);
    let failure: unknown;
    for (const node of rested.length > 0 ? rested : soonest) {
      try {
        const reply = await call(node, method, params, timeoutMs);
        if (current !== node) {
          current = node;
          changed();
        }
        return reply;
      } catch (cause) {
        failure = cause;
      }
    }
    throw failure;
  };

  const query = async (path: string, data: string): Promise<{ height: number; value: unknown }> => {
    const hex = bytesToHex(new TextEncoder().encode(data));
    const { response } = resultOf(await callAny('abci_query', { path, data: hex }, ANSWER_MS));
    const { height, code, log, value } = fieldsOf(response);
    if (code !== 0) throw new NoAnswer(`the node's application answers: ${String(log)}`);
    const told = Number(height);
    current.height = Math.max(current.height, told);
    return { height: told, value: typeof value === 'string' ? JSON.parse(textOf(value)) : null };
  };

  const submit = async (transaction: Uint8Array, lastHeight: number): Promise<Outcome> => {
    const tx = base64(transaction);
    const hash = base64(sha256(transaction));
    let refused: Outcome | undefined;
    for (let isFirst = true; ; isFirst = false) {
      if (!isFirst) {
        // What this node has executed by now is what it must have found.
        const { height } = current;
        const asked = current;
        const found = await committedAs(hash, callAny);
        if (found !== undefined) return found;
        if (refused !== undefined) return refused;
        if (current === asked && height > lastHeight) return { status: 'expired', height };
        await pause(LOOK_AGAIN_MS);
      }
      try {
        const outcome = outcomeOf(await callAny('broadcast_tx_commit', { tx }, COMMIT_MS));
        if (outcome?.status === 'committed') return outcome;
        // After an unanswered try it may be in a block already, which is why it is refused now.
        if (outcome !== undefined && isFirst) return outcome;
        refused = outcome;
      } catch {
        // Whether the node took it is not known: it is looked for, and sent again, byte for byte.
      }
    }
  };

  return {
    get endpoints() {
      return nodes.map(({ origin, status, height }) => ({ origin, status, height }));
    },
    get current() {
      const { origin, status, height } = current;
      return { origin, status, height };
    },
    query,
    submit,
    async probe() {
      const idle = nodes.filter((node) => node !== current && node.restUntil <= performance.now());
      const probes = idle.map(async (node) => {
        const { sync_info: sync } = resultOf(await call(node, 'status', {}, ANSWER_MS));
        node.height = Number(fieldsOf(sync)['latest_block_height']);
        changed();
      });
      await Promise.allSettled(probes);
    },
  };
}

interface Reply {
  readonly result?: unknown;
  readonly error?: unknown;
}

async function post(origin: string, method: string, params: object, timeoutMs: number): Promise<Reply> {
  const response = await fetch(origin, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    signal: AbortSignal.timeout(timeoutMs),
    redirect: 'error',
    credentials: 'omit',
  });
  if (response.status === 429) throw new NoAnswer(`${origin} asks to slow down`);
  const { result, error } = fieldsOf(await response.json());
  return { ...(result === undefined ? {} : { result }), ...(error === undefined ? {} : { error }) };
}

function outcomeOf(reply: Reply): Outcome | undefined {
  // An error is the node's own: it may have the transaction all the same.
  if (reply.result === undefined) return undefined;
  const { check_tx: check, tx_result: executed, height } = resultOf(reply);
  const checked = fieldsOf(check);
  if (checked['code'] !== 0)
    return { status: 'rejected', code: Number(checked['code']), log: String(checked['log']) };
  return committed(fieldsOf(executed), height);
}

/** Undefined: no block that this node knows holds it. */
async function committedAs(
  hash: string,
  call: (method: string, params: object, timeoutMs: number) => Promise<Reply>,
): Promise<Outcome | undefined> {
  try {
    const reply = await call('tx', { hash, prove: false }, ANSWER_MS);
    if (reply.result === undefined) return undefined;
    const { tx_result: executed, height } = resultOf(reply);
    return committed(fieldsOf(executed), height);
  } catch {
    return undefined;
  }
}

function committed(result: Fields, height: unknown): Outcome | undefined {
  if (result['code'] === DUPLICATE.code && result['codespace'] === DUPLICATE.codespace) return undefined;
  const at = Number(height);
  if (!Number.isSafeInteger(at) || at < 1) return undefined;
  return { status: 'committed', height: at, code: Number(result['code']), log: String(result['log']) };
}

type Fields = Readonly<Record<string, unknown>>;

function resultOf({ result, error }: Reply): Fields {
  if (result === undefined) throw new NoAnswer(`the node answers: ${JSON.stringify(error)}`);
  return fieldsOf(result);
}

function fieldsOf(value: unknown): Fields {
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value));
  throw new NoAnswer('the node gives something that is no answer');
}

const base64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes));
const textOf = (base64: string): string =>
  new TextDecoder().decode(Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)));

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

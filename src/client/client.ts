/**
 * A client of a network: it submits operations to one node after the other until each has its one end, follows them, and
 * queries. Boundary: fetch and timers, in Node and in a browser. docs/client.md. Rules BR-1, BR-2.
 */
import { HEIGHT_DIGITS_MAX, type Heights, parseHeights, parseQuery, parseStatus } from './answers.ts';
import type { Calls } from './calls.ts';
import { encodeOperation, freshNonce, hexOf, idOf, toBase64, utf8 } from './encoding.ts';
import { type Called, Endpoint } from './endpoint.ts';
import { Follower } from './follower.ts';
import { NewestHeight } from './heights.ts';
import { checkedOptions } from './options.ts';
import { type Entry, type NewEntry, Pending } from './pending.ts';
import { Sender } from './sender.ts';
import {
  ClientClosed,
  type ClientOptions,
  type EndpointHealth,
  type NetworkStatus,
  NotAnswered,
  type Operation,
  type Outcome,
  type QueryAnswer,
  type SubmitOptions,
} from './types.ts';

/** An older height is asked for anew before an expiry is counted from it. @unit ms @source less than 500 blocks take */
const HEIGHT_AGE_MS_MAX = 3_000;
/** After the first endpoint told its height, others have so long. @unit ms */
const OTHERS_MS = 250;
/** Between tries to learn the height where nobody answers. @unit ms */
const RETRY_MS = 200;

/** Before endpoints that are all behind what was told are asked again. @unit ms @source chosen: a fraction of a block interval */
const BEHIND_MS = 50;

/**
 * Begins at once; nothing is asked before something is submitted, followed or asked for.
 * @throws TypeError where an option is none, or out of its range
 */
export const connect = (options: ClientOptions): Client => new Client(options);

export class Client {
  readonly #options: Required<ClientOptions>;
  readonly #endpoints: readonly Endpoint[];
  readonly #pending: Pending;
  readonly #sender: Sender;
  readonly #followers: readonly Follower[];
  readonly #newest = new NewestHeight();
  readonly #closing = new AbortController();
  #refreshing: Promise<Heights> | undefined;
  #turn = 0;
  /** Of the operations that were told as committed. */
  #committedHeight = 0;

  constructor(options: ClientOptions) {
    this.#options = checkedOptions(options);
    this.#endpoints = this.#options.endpoints.map((url, index) => new Endpoint(index, url));
    const { pendingMax, whenFull, whenRefused, bodyBytesMax } = this.#options;
    this.#pending = new Pending(pendingMax, whenFull, (entry, how) => this.#takeEnd(entry, how));
    const calls: Calls = {
      pending: this.#pending,
      now,
      call: (endpoint, method, params) => this.#call(endpoint, method, params),
      onHeights: (endpoint, heights) => this.#succeed(endpoint, heights),
      onFailure: (endpoint, problem, retryAfterMs) => this.#fail(endpoint, problem, retryAfterMs),
    };
    this.#sender = new Sender({ ...calls, endpoints: this.#endpoints, bodyBytesMax, whenRefused });
    this.#followers = this.#endpoints.map(
      (endpoint) =>
        new Follower({
          ...calls,
          endpoint,
          endpointCount: this.#endpoints.length,
          wantsHeights: () => this.#newest.hasListeners && !this.#closing.signal.aborted,
        }),
    );
  }

  /** How each endpoint does. */
  get endpoints(): readonly EndpointHealth[] {
    return this.#endpoints.map((endpoint) => endpoint.health(now()));
  }

  /** Operations that have not ended. */
  get pending(): number {
    return this.#pending.size;
  }

  /**
   * Resolves once the operation has its expiry and a place among the pending: keep `id` and `expiresAtHeight` where it
   * must be followed after a restart. `payload` is what the application gets.
   */
  async submit(payload: Uint8Array | string, options: SubmitOptions = {}): Promise<Operation> {
    const nonce = checkedNonce(options.nonce ?? freshNonce());
    const content = typeof payload === 'string' ? utf8(payload) : payload;
    // Without a payload it is no operation (EX-7): no node would know its expiry.
    if (content.length === 0) throw new TypeError('payload: give at least one byte');
    return this.#enter(async () => {
      const expiresAtHeight = checkedHeight(options.expiresAtHeight ?? (await this.#expiry()));
      const bytes = encodeOperation(content, expiresAtHeight, nonce);
      // Nobody else has drawn a fresh nonce; one that was given may have been given before, with the same bytes.
      const isExposed = options.nonce !== undefined;
      return { id: idOf(bytes), expiresAtHeight, body: toBase64(bytes), isExposed };
    });
  }

  /** One after the other, so that as many wait as there is room for. */
  async submitAll(
    payloads: Iterable<Uint8Array | string>,
    options: Pick<SubmitOptions, 'expiresAtHeight'> = {},
  ): Promise<readonly Operation[]> {
    // Its letters would each be submitted.
    if (typeof payloads === 'string') throw new TypeError('payloads: give a list of them, or use submit');
    const submitted: Operation[] = [];
    for (const payload of payloads) submitted.push(await this.submit(payload, options));
    return submitted;
  }

  /** The end of an operation that was submitted before, by another life of this client or by another one. */
  async follow(id: string, expiresAtHeight: number): Promise<Operation> {
    if (!/^[0-9A-Fa-f]{64}$/.test(id)) throw new TypeError(`id ${id}: give 64 hexadecimal letters`);
    const expiry = checkedHeight(expiresAtHeight);
    return this.#enter(async () => ({
      ...{ id: id.toUpperCase(), expiresAtHeight: expiry },
      ...{ body: undefined, isExposed: true },
    }));
  }

  /**
   * Asks the application's state at one endpoint after the other: without `height`, a state in which every operation that was
   * told as committed is executed. Rejects with `NotAnswered`.
   */
  async query(path: string, data: Uint8Array | string, height?: number): Promise<QueryAnswer> {
    const key = hexOf(typeof data === 'string' ? utf8(data) : data);
    const at = height === undefined ? {} : { height: String(height) };
    const least = height ?? this.#committedHeight;
    const until = now() + this.#options.callTimeoutMs;
    const isNewEnough = (answer: QueryAnswer): boolean => answer.height >= least || answer.code !== 0;
    for (;;) {
      const answer = await this.#ask('abci_query', { path, data: key, ...at }, parseQuery, isNewEnough);
      if (isNewEnough(answer)) return answer;
      if (now() >= until) throw new NotAnswered(`abci_query: no endpoint has executed height ${least} yet`);
      await this.#sleep(BEHIND_MS);
    }
  }

  status(): Promise<NetworkStatus> {
    return this.#ask('status', {}, parseStatus);
  }

  /** Tells each new height that was executed; some may be passed over. The returned function ends it. */
  onHeight(listener: (height: number) => void): () => void {
    const end = this.#newest.listen(listener);
    for (const follower of this.#followers) follower.wake();
    return end;
  }

  /** Every outcome that has not come rejects with `ClientClosed`. What was submitted may still commit: follow it later. */
  close(): void {
    this.#closing.abort();
    this.#sender.close();
    this.#pending.close();
    for (const follower of this.#followers) follower.close();
  }

  async #enter(make: () => Promise<Omit<NewEntry, 'patience'>>): Promise<Operation> {
    await this.#pending.place();
    let made: Omit<NewEntry, 'patience'>;
    try {
      made = await make();
    } catch (failure) {
      this.#pending.giveBack();
      throw failure;
    }
    const known = this.#pending.get(made.id);
    if (known !== undefined) {
      this.#pending.giveBack();
      // It was only followed so far: now there is something to submit.
      if (known.body === undefined && made.body !== undefined) {
        known.body = made.body;
        this.#sender.add(known);
      }
      return known.operation;
    }
    const patience = this.#options.resubmitAfterMs;
    const entry = this.#pending.add({ ...made, patience });
    if (made.body !== undefined) this.#sender.add(entry);
    for (const follower of this.#followers) follower.add(entry);
    return entry.operation;
  }

  #takeEnd(entry: Entry, how: Outcome | Error): void {
    if ('status' in how && how.status === 'committed')
      this.#committedHeight = Math.max(this.#committedHeight, how.height);
    this.#sender.forget(entry);
    for (const follower of this.#followers) follower.forget(entry);
  }

  async #expiry(): Promise<number> {
    const known = this.#refreshing === undefined ? this.#newest.recent(now(), HEIGHT_AGE_MS_MAX) : undefined;
    const recent = known ?? (await this.#refreshHeight());
    return Math.min(recent.height + this.#options.expiryHeights, recent.expiresAtHeightMax);
  }

  /** Until one endpoint has told its height; many callers wait for one answer. */
  #refreshHeight(): Promise<Heights> {
    this.#refreshing ??= this.#learnHeight().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #learnHeight(): Promise<Heights> {
    for (;;) {
      if (this.#closing.signal.aborted) throw new ClientClosed('the client is closed');
      const asked = this.#endpoints
        .filter(({ rest }) => !rest.isResting(now()))
        .map((endpoint) => this.#askHeight(endpoint));
      const isTold = await Promise.any(asked).then(
        () => true,
        () => false,
      );
      // With the others' word one that is far behind does not decide.
      if (isTold) await Promise.race([Promise.allSettled(asked), this.#sleep(OTHERS_MS)]);
      const newest = this.#newest.recent(now(), HEIGHT_AGE_MS_MAX);
      if (newest !== undefined) return newest;
      await this.#sleep(RETRY_MS);
    }
  }

  async #askHeight(endpoint: Endpoint): Promise<void> {
    const called = await this.#call(endpoint, 'althing_outcomes', { operations: [], wait_ms: '0' });
    const heights = called.kind === 'answered' ? parseHeights(called.result) : 'malformed';
    if (heights === 'malformed') {
      if (called.kind === 'answered') this.#fail(endpoint, 'it answered no height');
      else this.#fail(endpoint, called.detail, called.retryAfterMs);
      throw new NotAnswered(endpoint.url);
    }
    this.#succeed(endpoint, heights);
  }

  /** The first answer that is enough; another one where there is none. */
  async #ask<Answer>(
    method: string,
    params: object,
    parse: (raw: unknown) => Answer | 'malformed',
    isEnough: (answer: Answer) => boolean = () => true,
  ): Promise<Answer> {
    const problems: string[] = [];
    let second: Answer | undefined;
    for (const endpoint of this.#inTurn()) {
      const called = await this.#call(endpoint, method, params);
      const answer = called.kind === 'answered' ? parse(called.result) : 'malformed';
      if (answer !== 'malformed') {
        endpoint.succeed(undefined, now());
        if (isEnough(answer)) return answer;
        second = answer;
        continue;
      }
      const problem = called.kind === 'answered' ? `it answered ${method} in another shape` : called.detail;
      problems.push(`${endpoint.url}: ${problem}`);
    }
    if (second !== undefined) return second;
    throw new NotAnswered(`${method}: no endpoint has answered (${problems.join('; ')})`);
  }

  /** All endpoints, by turns, those that rest last. */
  #inTurn(): readonly Endpoint[] {
    this.#turn += 1;
    const count = this.#endpoints.length;
    const turned = this.#endpoints.flatMap((_, at) => this.#endpoints[(at + this.#turn) % count] ?? []);
    const rests = ({ rest }: Endpoint): boolean => rest.isResting(now());
    return [...turned.filter((one) => !rests(one)), ...turned.filter(rests)];
  }

  #call(endpoint: Endpoint, method: string, params: object): Promise<Called> {
    const { callTimeoutMs: timeoutMs, answerBytesMax } = this.#options;
    return endpoint.call(method, params, { timeoutMs, answerBytesMax, signal: this.#closing.signal });
  }

  #succeed(endpoint: Endpoint, heights: Heights): void {
    endpoint.succeed(heights, now());
    this.#newest.take(this.#endpoints, now());
  }

  #fail(endpoint: Endpoint, problem: string, retryAfterMs = 0): void {
    if (this.#closing.signal.aborted) return;
    endpoint.fail(problem, now(), retryAfterMs);
    this.#sender.takeOver();
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#closing.signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      this.#closing.signal.addEventListener('abort', end, { once: true });
    });
  }
}

const now = (): number => performance.now();

function checkedNonce(nonce: bigint): bigint {
  if (BigInt.asUintN(64, nonce) === nonce) return nonce;
  throw new TypeError(`nonce ${nonce}: give a whole number from 0 to 2^64 - 1`);
}

function checkedHeight(height: number): number {
  if (Number.isSafeInteger(height) && height > 0 && height < HEIGHT_LIMIT) return height;
  throw new TypeError(`expiresAtHeight ${height}: give a whole number above 0`);
}

const HEIGHT_LIMIT = 10 ** HEIGHT_DIGITS_MAX;

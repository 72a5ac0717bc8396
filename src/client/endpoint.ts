/**
 * One node's RPC: calls by fetch, bounded in time and bytes, and how the node has done lately. Boundary: HTTP. A failed one
 * rests; redirects are refused, since who answers would not be who was named.
 */
import { type Heights, parseEnvelope } from './answers.ts';
import { Rest } from './rest.ts';
import type { EndpointHealth } from './types.ts';

type Cause = 'busy' | 'tooLarge' | 'other';

/** `notTaken`: the node surely did not take the call. `lost`: taken or not. `tooLarge`: for its size. */
export type Called =
  | { readonly kind: 'answered'; readonly result: unknown }
  | ({ readonly kind: 'notTaken' | 'lost'; readonly detail: string; readonly cause: Cause } & Asked);

interface Asked {
  /** By Retry-After; 0 where it asks for nothing. @unit ms */
  readonly retryAfterMs: number;
}

export interface CallBounds {
  readonly timeoutMs: number;
  readonly answerBytesMax: number;
  readonly signal: AbortSignal;
}

/**
 * Errors of JSON-RPC that a node gives before a method runs; not the one of text that is no JSON, which ours always is, so that
 * it speaks of somebody else's. @source jsonrpc.org/specification
 */
const UNTAKEN_CODES: ReadonlySet<number> = new Set([-32_600, -32_601, -32_602]);
/**
 * How a node's word begins where it turns a call away unread: with its own code. A status alone says nothing, since a proxy may
 * give it after it has handed the call on (BR-1).
 */
const NODES_CODE = /^[A-Z]+(?:_[A-Z]+)*: /;
const UNREAD_STATUSES: ReadonlySet<number> = new Set([403, 413, 429, 503]);
const TOO_MANY = 429;
const FULL = 503;
const TOO_LARGE = 413;
/** Failures to connect, as Node names them. A browser does not tell, and then the call counts as lost. */
const UNCONNECTED_CODES: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'UND_ERR_CONNECT_TIMEOUT',
]);

export class Endpoint {
  readonly index: number;
  readonly url: string;
  /** After a failure: nothing is asked of it. */
  readonly rest = new Rest();
  /** After a refusal: nothing is submitted to it. */
  readonly submissionRest = new Rest();
  /** After too many calls, or polls that wait: it is not polled. */
  readonly pollRest = new Rest();
  /** Submissions that wait for their answer. */
  submissions = 0;
  heights: Heights | undefined;
  /** As EndpointHealth has it. */
  refusal = '';
  #problem = '';

  constructor(index: number, url: string) {
    this.index = index;
    this.url = url;
  }

  health(now: number): EndpointHealth {
    return {
      url: this.url,
      status: this.rest.isResting(now) ? 'resting' : 'usable',
      failures: this.rest.failures,
      restsForMs: this.rest.leftAt(now),
      problem: this.#problem,
      refusal: this.refusal,
      height: this.heights?.height,
    };
  }

  fail(problem: string, now: number, retryAfterMs = 0): void {
    this.#problem = problem;
    this.rest.begin(now, retryAfterMs);
  }

  /** What was under way when it failed does not end its rest. */
  succeed(heights: Heights | undefined, now: number): void {
    if (!this.rest.isResting(now)) {
      this.#problem = '';
      this.rest.end();
    }
    this.heights = heights ?? this.heights;
  }

  /** Never rejects. */
  async call(method: string, params: unknown, bounds: CallBounds): Promise<Called> {
    const { timeoutMs, answerBytesMax, signal } = bounds;
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
    try {
      const response = await fetch(this.url, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body,
        redirect: 'error',
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      });
      const text = await textOf(response, answerBytesMax);
      const meant =
        text === undefined
          ? lost(`its answer is longer than ${answerBytesMax} bytes`)
          : meaningOf(response.status, text);
      const retryAfterMs = retryAfterMsOf(response.headers.get('retry-after'));
      return meant.kind === 'answered' ? meant : { ...meant, retryAfterMs };
    } catch (cause) {
      const { words, code } = reasonOf(cause);
      const detail = `${words}${cause instanceof TypeError ? originAdvice(this.url) : ''}`;
      return UNCONNECTED_CODES.has(code) ? notTaken(detail, 'other') : lost(detail);
    }
  }
}

/** In seconds; a date, and whatever else it is, asks for nothing: our nodes write none. */
const retryAfterMsOf = (header: string | null): number =>
  header !== null && /^[0-9]{1,9}(\.[0-9]{1,3})?$/.test(header) ? Number(header) * 1_000 : 0;

const lost = (detail: string, cause: Cause = 'other'): Called => ({
  ...{ kind: 'lost', detail, cause, retryAfterMs: 0 },
});
const notTaken = (detail: string, cause: Cause): Called => ({
  ...{ kind: 'notTaken', detail, cause, retryAfterMs: 0 },
});

function meaningOf(status: number, text: string): Called {
  const answer = parseEnvelope(text);
  if (answer === 'malformed') {
    const detail = `its answer is not JSON-RPC (HTTP ${status})`;
    // Smaller calls, or fewer, pass whoever says so.
    return lost(detail, status === FULL ? 'other' : causeOf(status));
  }
  if (answer.kind === 'result') return { kind: 'answered', result: answer.result };
  const detail = `${answer.detail} (${answer.code})`;
  const isUnread = UNREAD_STATUSES.has(status) && NODES_CODE.test(answer.detail);
  if (isUnread) return notTaken(detail, causeOf(status));
  if (UNREAD_STATUSES.has(status) || !UNTAKEN_CODES.has(answer.code)) return lost(detail);
  return notTaken(detail, 'other');
}

function causeOf(status: number): Cause {
  if (status === TOO_LARGE) return 'tooLarge';
  return status === TOO_MANY || status === FULL ? 'busy' : 'other';
}

/** The body as text; undefined where it is longer than `bytesMax`, and then it is not read on. */
async function textOf(response: Response, bytesMax: number): Promise<string | undefined> {
  const reader = response.body?.getReader();
  if (reader === undefined) return '';
  const decoder = new TextDecoder();
  let text = '';
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    length += value.byteLength;
    if (length > bytesMax) {
      await reader.cancel();
      return undefined;
    }
    text += decoder.decode(value, { stream: true });
  }
}

/** A browser gives no answer to a page that the node does not allow, and does not say that this is why. */
function originAdvice(url: string): string {
  const page: unknown = Reflect.get(globalThis, 'location');
  if (typeof page !== 'object' || page === null || !('origin' in page)) return '';
  const origin = String(page.origin);
  return origin === new URL(url).origin ? '' : `, or its rpc.allowed_origins lacks ${origin}`;
}

function reasonOf(cause: unknown): { readonly words: string; readonly code: unknown } {
  if (!(cause instanceof Error)) return { words: String(cause), code: undefined };
  const inner: unknown = cause.cause;
  if (!(inner instanceof Error)) return { words: cause.message, code: undefined };
  return { words: inner.message, code: 'code' in inner ? inner.code : undefined };
}

/**
 * One node's RPC: calls by fetch, bounded in time and bytes, and how the node has done lately. Boundary: HTTP. A failed one
 * rests; redirects are refused, since who answers would not be who was named.
 */
import { type Heights, parseEnvelope } from './answers.ts';
import { Rest } from './rest.ts';
import type { EndpointHealth } from './types.ts';

/** `refused`: the node's error. `notTaken`: it surely did not take the call; `tooLarge` for its size. `lost`: taken or not. */
export type Called =
  | { readonly kind: 'answered'; readonly result: unknown }
  | { readonly kind: 'notTaken'; readonly detail: string; readonly cause: 'busy' | 'tooLarge' | 'other' }
  | { readonly kind: 'lost'; readonly detail: string };

export interface CallBounds {
  readonly timeoutMs: number;
  readonly answerBytesMax: number;
  readonly signal: AbortSignal;
}

/** Errors of JSON-RPC that a node gives before a method runs. @source jsonrpc.org/specification */
const UNTAKEN_CODES: ReadonlySet<number> = new Set([-32_700, -32_600, -32_601, -32_602]);
const BUSY = 429;
/** The node takes no submissions now, and has not read this one. */
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
      height: this.heights?.height,
    };
  }

  fail(problem: string, now: number): void {
    this.#problem = problem;
    this.rest.begin(now);
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
      if (response.status === BUSY) return notTaken('too many requests (429)', 'busy');
      if (response.status === FULL) return notTaken('the node is full (503)', 'busy');
      if (response.status === TOO_LARGE) return notTaken('the request is too large (413)', 'tooLarge');
      const text = await textOf(response, answerBytesMax);
      if (text === undefined) return lost(`its answer is longer than ${answerBytesMax} bytes`);
      const answer = parseEnvelope(text);
      if (answer === 'malformed') return lost(`its answer is not JSON-RPC (HTTP ${response.status})`);
      if (answer.kind === 'result') return { kind: 'answered', result: answer.result };
      const detail = `${answer.detail} (${answer.code})`;
      return UNTAKEN_CODES.has(answer.code) || isForbidden(response)
        ? notTaken(detail, 'other')
        : lost(detail);
    } catch (cause) {
      const reason = reasonOf(cause);
      return UNCONNECTED_CODES.has(reason.code) ? notTaken(reason.words, 'other') : lost(reason.words);
    }
  }
}

const notTaken = (detail: string, cause: 'busy' | 'tooLarge' | 'other'): Called => ({
  kind: 'notTaken',
  detail,
  cause,
});
const lost = (detail: string): Called => ({ kind: 'lost', detail });

/** Refused by its Host or Origin, before the body is read. */
const isForbidden = ({ status }: Response): boolean => status === 403;

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

function reasonOf(cause: unknown): { readonly words: string; readonly code: unknown } {
  if (!(cause instanceof Error)) return { words: String(cause), code: undefined };
  const inner: unknown = cause.cause;
  if (!(inner instanceof Error)) return { words: cause.message, code: undefined };
  return { words: inner.message, code: 'code' in inner ? inner.code : undefined };
}

/**
 * JSON-RPC 2.0 envelopes: reading requests, building answers, with CometBFT's codes and words. Pure and total.
 * Source: jsonrpc.org/specification; error texts as CometBFT 0.38 writes them.
 */

export type RequestId = string | number | null;

export interface RpcRequest {
  readonly id: RequestId;
  readonly method: string;
  /** By name or by position; an empty object when absent. */
  readonly params: Readonly<Record<string, unknown>> | readonly unknown[];
}

export interface RpcError {
  readonly code: number;
  readonly message: string;
  /** What went wrong, for the reader. */
  readonly data: string;
}

export type Answer = { readonly result: unknown } | { readonly error: RpcError };

/** One entry of a body. A notification has no id and gets no answer. */
export type ReadRequest =
  | { readonly kind: 'request'; readonly request: RpcRequest }
  | { readonly kind: 'notification' }
  | { readonly kind: 'invalid'; readonly id: RequestId; readonly error: RpcError };

export type ReadBody =
  | { readonly kind: 'single'; readonly entry: ReadRequest }
  | { readonly kind: 'batch'; readonly entries: readonly ReadRequest[] }
  | { readonly kind: 'unreadable'; readonly error: RpcError };

export const parseError = (data: string): RpcError => ({
  code: -32700,
  message: 'Parse error. Invalid JSON',
  data,
});
export const invalidRequest = (data: string): RpcError => ({
  code: -32600,
  message: 'Invalid Request',
  data,
});
export const methodNotFound = (data: string): RpcError => ({
  code: -32601,
  message: 'Method not found',
  data,
});
export const invalidParams = (data: string): RpcError => ({ code: -32602, message: 'Invalid params', data });
export const internalError = (data: string): RpcError => ({ code: -32603, message: 'Internal error', data });
export const serverError = (data: string): RpcError => ({ code: -32000, message: 'Server error', data });
const TOKEN_WORDS = 'send the header "Authorization: Bearer <token of keys/admin.token>"';
/** Who calls has not shown the operator's token. */
export const operatorOnly = (name: string): RpcError =>
  serverError(`"${name}" is an operator's: ${TOKEN_WORDS}`);
/** As `operatorOnly` answers, by its data. */
export const isOperatorOnly = (data: string | undefined): boolean => data?.endsWith(TOKEN_WORDS) === true;

/** Answers with a result. */
export const succeed = (result: unknown): Answer => ({ result });
/** Answers with CometBFT's "Internal error", whose data says what is wrong; also for heights and hashes that are not there. */
export const fail = (data: string): Answer => ({ error: internalError(data) });

/** Arrays and objects within each other in one body. @unit levels @source chosen: no method takes more than three */
const DEPTH_MAX = 64;
/** Values of one call, its own members included. @unit values @source chosen: nearly all methods take less than ten */
const VALUES_PER_CALL_MAX = 64;
/** Of one body, however few calls it may have. @unit values @source 1,000 operations are 3,000 (operations.ts), with room */
const VALUES_MIN = 4_096;

/** What a POST body holds. `batchMax`: calls in one batch. */
export function readBody(text: string, batchMax: number): ReadBody {
  const excess = excessOf(text, DEPTH_MAX, Math.max(VALUES_MIN, VALUES_PER_CALL_MAX * batchMax));
  if (excess !== undefined) {
    return { kind: 'unreadable', error: invalidRequest(`error unmarshaling request: ${excess}`) };
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    return { kind: 'unreadable', error: parseError(`error unmarshaling request: ${detail}`) };
  }
  if (!Array.isArray(json)) return { kind: 'single', entry: readRequest(json) };
  if (json.length === 0) return { kind: 'unreadable', error: invalidRequest('empty batch') };
  if (json.length > batchMax) {
    const data = `batch request exceeds maximum (${batchMax}) allowed number of requests`;
    return { kind: 'unreadable', error: invalidRequest(data) };
  }
  return { kind: 'batch', entries: json.map(readRequest) };
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const BRACKET = { open: 0x5b, close: 0x5d } as const;
const BRACE = { open: 0x7b, close: 0x7d } as const;

/**
 * In what a text is more than JSON.parse should be given, if in anything: one pass, and no more memory than the text.
 * Commas, brackets and quotes are counted; whether it is JSON is for the parser.
 */
function excessOf(text: string, depthMax: number, valuesMax: number): string | undefined {
  let depth = 0;
  let values = 1;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) {
      at = endOfString(text, at);
    } else if (unit === COMMA) {
      values += 1;
    } else if (unit === BRACKET.open || unit === BRACE.open) {
      depth += 1;
      values += 1;
    } else if (unit === BRACKET.close || unit === BRACE.close) {
      depth -= 1;
    } else {
      continue;
    }
    if (depth > depthMax) return `more than ${depthMax} arrays and objects within each other`;
    if (values > valuesMax) return `more than ${valuesMax} values`;
  }
  return undefined;
}

/** Where the string that begins at `from` ends; the text's end when it does not. */
function endOfString(text: string, from: number): number {
  for (let end = text.indexOf('"', from + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let escapes = 0;
    while (text.charCodeAt(end - 1 - escapes) === BACKSLASH) escapes += 1;
    if (escapes % 2 === 0) return end;
  }
  return text.length;
}

/** One answer as it goes out. */
export function envelope(id: RequestId, answer: Answer): object {
  if ('result' in answer) return { jsonrpc: '2.0', id, result: answer.result };
  const { code, message, data } = answer.error;
  return { jsonrpc: '2.0', id, error: data === '' ? { code, message } : { code, message, data } };
}

function readRequest(json: unknown): ReadRequest {
  if (json === null || typeof json !== 'object' || Array.isArray(json)) {
    return { kind: 'invalid', id: null, error: invalidRequest('a request must be an object') };
  }
  const members: Readonly<Record<string, unknown>> = { ...json };
  const { id, method, params } = members;
  if (id === undefined) return { kind: 'notification' };
  if (typeof id !== 'string' && typeof id !== 'number' && id !== null) {
    return { kind: 'invalid', id: null, error: invalidRequest('id must be a string or a number') };
  }
  if (members['jsonrpc'] !== undefined && members['jsonrpc'] !== '2.0') {
    return { kind: 'invalid', id, error: invalidRequest('jsonrpc must be "2.0"') };
  }
  if (typeof method !== 'string') {
    return { kind: 'invalid', id, error: invalidRequest('method must be a string') };
  }
  if (params === undefined || params === null) {
    return { kind: 'request', request: { id, method, params: {} } };
  }
  if (typeof params !== 'object') {
    const data = 'error converting json params to arguments: expected map or array';
    return { kind: 'invalid', id, error: invalidParams(data) };
  }
  return { kind: 'request', request: { id, method, params: Array.isArray(params) ? params : { ...params } } };
}

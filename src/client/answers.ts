/**
 * The gateway of the client: what a node answered becomes a typed value, or the word 'malformed'. Strict, since an answer that
 * is wrong in one place is believed in none. Pure and total. The shapes: docs/operator-guide.md, "RPC".
 */
import { fromBase64 } from './encoding.ts';
import type { NetworkStatus, OperationEvent, OperationResult, QueryAnswer } from './types.ts';

export type Malformed = 'malformed';

/** Of a height. @unit digits @source chosen: so many are exact in a number, and no chain has more blocks */
export const HEIGHT_DIGITS_MAX = 15;

export interface Heights {
  readonly height: number;
  /** The highest expiry that a batch of this height can have. */
  readonly expiresAtHeightMax: number;
}

export type SubmissionAnswer =
  | { readonly id: string; readonly status: 'accepted' }
  | {
      readonly id: string;
      readonly status: 'refused';
      readonly code: string;
      readonly log: string;
      readonly retryable: boolean;
      /** The node may have kept the bytes, or passed them on. */
      readonly mayBeHeld: boolean;
    };

export type OutcomeAnswer =
  | {
      readonly id: string;
      readonly status: 'committed';
      readonly height: number;
      readonly index: number;
      readonly result: OperationResult;
    }
  | { readonly id: string; readonly status: 'expired'; readonly height: number }
  | { readonly id: string; readonly status: 'pending' | 'unknown' };

export interface OutcomesAnswer extends Heights {
  /** The node had no place for a call that waits, and answered at once. */
  readonly isCrowded: boolean;
  readonly outcomes: readonly OutcomeAnswer[];
}

/** An answer to `althing_submit` of these ids: each once, in their order. */
export function parseSubmission(
  raw: unknown,
  ids: readonly string[],
): (Heights & { readonly operations: readonly SubmissionAnswer[] }) | Malformed {
  const heights = parseHeights(raw);
  const operations = listOf(membersOf(raw)['operations'], submissionOf);
  if (heights === 'malformed' || operations === 'malformed') return 'malformed';
  const isAsAsked = operations.length === ids.length && operations.every(({ id }, at) => id === ids[at]);
  return isAsAsked ? { ...heights, operations } : 'malformed';
}

/** An answer to `althing_outcomes` of these operations: none twice, none that was not asked, none beyond its expiry. */
export function parseOutcomes(
  raw: unknown,
  expiries: ReadonlyMap<string, number>,
): OutcomesAnswer | Malformed {
  const heights = parseHeights(raw);
  const { crowded: isCrowded = false } = membersOf(raw);
  const outcomes = listOf(membersOf(raw)['outcomes'], outcomeOf);
  if (typeof isCrowded !== 'boolean') return 'malformed';
  if (heights === 'malformed' || outcomes === 'malformed') return 'malformed';
  const { height } = heights;
  const seen = new Set<string>();
  for (const outcome of outcomes) {
    const expiry = expiries.get(outcome.id);
    if (expiry === undefined || seen.has(outcome.id)) return 'malformed';
    seen.add(outcome.id);
    if (outcome.status === 'committed' && outcome.height > Math.min(expiry, height)) return 'malformed';
    if (outcome.status === 'expired' && (outcome.height <= expiry || outcome.height > height))
      return 'malformed';
  }
  return { ...heights, isCrowded, outcomes };
}

export function parseHeights(raw: unknown): Heights | Malformed {
  const members = membersOf(raw);
  const height = heightOf(members['height']);
  const expiresAtHeightMax = heightOf(members['expires_at_height_max']);
  if (height === 'malformed' || expiresAtHeightMax === 'malformed') return 'malformed';
  return expiresAtHeightMax <= height ? 'malformed' : { height, expiresAtHeightMax };
}

/** `response` of `abci_query`. */
export function parseQuery(raw: unknown): QueryAnswer | Malformed {
  const response = membersOf(membersOf(raw)['response']);
  const { code, log } = response;
  const [key, value] = [bytesOf(response['key']), bytesOf(response['value'])];
  const height = heightOf(response['height']);
  if (!isCount(code) || typeof log !== 'string') return 'malformed';
  if (key === 'malformed' || value === 'malformed' || height === 'malformed') return 'malformed';
  return { code, log, key, value, height };
}

export function parseStatus(raw: unknown): NetworkStatus | Malformed {
  const chainId = membersOf(membersOf(raw)['node_info'])['network'];
  const sync = membersOf(membersOf(raw)['sync_info']);
  const height = heightOf(sync['latest_block_height']);
  const catchingUp = sync['catching_up'];
  if (typeof chainId !== 'string' || height === 'malformed' || typeof catchingUp !== 'boolean')
    return 'malformed';
  return { chainId, height, catchingUp };
}

export type Envelope =
  | { readonly kind: 'result'; readonly result: unknown }
  | { readonly kind: 'error'; readonly code: number; readonly detail: string };

/** A JSON-RPC answer. */
export function parseEnvelope(text: string): Envelope | Malformed {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return 'malformed';
  }
  const { jsonrpc, result, error } = membersOf(raw);
  if (jsonrpc !== '2.0') return 'malformed';
  if (error === undefined) return result === undefined ? 'malformed' : { kind: 'result', result };
  const { code, message, data } = membersOf(error);
  if (typeof code !== 'number' || typeof message !== 'string') return 'malformed';
  return { kind: 'error', code, detail: typeof data === 'string' ? data : message };
}

function submissionOf(raw: unknown): SubmissionAnswer | Malformed {
  // Of a node that does not say it, nothing is known.
  const { id, status, code, log, retryable, may_be_held: mayBeHeld = true } = membersOf(raw);
  if (!isId(id)) return 'malformed';
  if (status === 'accepted') return { id, status };
  if (status !== 'refused' || typeof code !== 'string' || typeof log !== 'string') return 'malformed';
  if (typeof retryable !== 'boolean' || typeof mayBeHeld !== 'boolean') return 'malformed';
  return { id, status, code, log, retryable, mayBeHeld };
}

function outcomeOf(raw: unknown): OutcomeAnswer | Malformed {
  const members = membersOf(raw);
  const { id, status, index } = members;
  if (!isId(id)) return 'malformed';
  if (status === 'pending' || status === 'unknown') return { id, status };
  const height = heightOf(members['height']);
  if (height === 'malformed' || height === 0) return 'malformed';
  if (status === 'expired') return { id, status, height };
  const result = resultOf(members['result']);
  if (status !== 'committed' || !isCount(index) || result === 'malformed') return 'malformed';
  return { id, status, height, index, result };
}

function resultOf(raw: unknown): OperationResult | Malformed {
  const members = membersOf(raw);
  const { code, log } = members;
  const data = bytesOf(members['data']);
  const events = listOf(members['events'], eventOf);
  if (!isCount(code) || typeof log !== 'string') return 'malformed';
  return data === 'malformed' || events === 'malformed' ? 'malformed' : { code, log, data, events };
}

function eventOf(raw: unknown): OperationEvent | Malformed {
  const { type, attributes } = membersOf(raw);
  const pairs = listOf(attributes, (one) => {
    const { key, value } = membersOf(one);
    return typeof key === 'string' && typeof value === 'string' ? { key, value } : 'malformed';
  });
  return typeof type !== 'string' || pairs === 'malformed' ? 'malformed' : { type, attributes: pairs };
}

/** Own members; none of what is no object. */
export const membersOf = (raw: unknown): Readonly<Record<string, unknown>> =>
  typeof raw === 'object' && raw !== null && !Array.isArray(raw) ? { ...raw } : {};

export function listOf<Entry>(
  raw: unknown,
  read: (entry: unknown) => Entry | Malformed,
): readonly Entry[] | Malformed {
  if (!Array.isArray(raw)) return 'malformed';
  const entries: Entry[] = [];
  for (const given of raw) {
    const entry = read(given);
    if (entry === 'malformed') return 'malformed';
    entries.push(entry);
  }
  return entries;
}

const isId = (raw: unknown): raw is string => typeof raw === 'string' && /^[0-9A-F]{64}$/.test(raw);
const isCount = (raw: unknown): raw is number =>
  typeof raw === 'number' && Number.isSafeInteger(raw) && raw >= 0;

/** Heights go as texts of digits. */
const HEIGHT = new RegExp(`^[0-9]{1,${HEIGHT_DIGITS_MAX}}$`);
export const heightOf = (raw: unknown): number | Malformed =>
  typeof raw === 'string' && HEIGHT.test(raw) ? Number(raw) : 'malformed';

/** Base64, and null for no bytes. */
export function bytesOf(raw: unknown): Uint8Array | Malformed {
  if (raw === null) return new Uint8Array();
  return typeof raw === 'string' ? fromBase64(raw) : 'malformed';
}

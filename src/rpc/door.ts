/**
 * Submissions while the node takes none (BR-2): refused by the first letters of their body, before it is parsed, decoded and hashed. Under
 * overload most of what comes is refused, and what that costs is missing where blocks are made. Pure. docs/benchmarks.md, "Overload".
 */
import { type RpcError, serverError } from './json-rpc.ts';
import type { NodePort } from './node-port.ts';

/** Where the name of the method stands, if it is to be found without parsing. @unit letters */
const HEAD_LETTERS = 256;
/** The members that may come before the method, of the first call: nothing that a caller chose freely can look like the method. */
const SUBMISSION =
  /^[\s[]{0,16}\{\s*(?:"(?:jsonrpc|id)"\s*:\s*(?:"[^"\\]{0,64}"|-?\d{1,16}|null)\s*,\s*){0,2}"method"\s*:\s*"(althing_submit|broadcast_tx_(?:async|sync|commit))"/;

/** The method of a body that is a submission, or a batch that begins with one; undefined: anything else, or not to be seen. */
export const submissionIn = (text: string): string | undefined =>
  SUBMISSION.exec(text.slice(0, HEAD_LETTERS))?.[1];

export interface Shed {
  readonly method: string;
  readonly error: RpcError;
}

/** Undefined: it is to be read. Nothing of what is shed was done, so all of it may be sent again. */
export function shedAtTheDoor(text: string, port: Pick<NodePort, 'refusalOfSubmissions'>): Shed | undefined {
  const method = submissionIn(text);
  const refusal = method === undefined ? undefined : port.refusalOfSubmissions();
  if (method === undefined || refusal === undefined) return undefined;
  return { method, error: serverError(`${refusal.code}: ${refusal.log}`) };
}

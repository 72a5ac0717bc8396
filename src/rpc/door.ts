/**
 * Submissions while the node takes none (BR-2): refused by their method, of a POST by the first letters of its body, before it is parsed,
 * decoded and hashed. Under overload most of what comes is refused, and what that costs is missing where blocks are made. Pure.
 * docs/benchmarks.md, "Overload".
 */
import { type RpcError, serverError } from './json-rpc.ts';
import { METHODS } from './methods.ts';
import type { NodePort } from './node-port.ts';

/** Where the name of the method stands, if it is to be found without parsing. @unit letters */
const HEAD_LETTERS = 256;
/** The members that may come before the method, of the first call: nothing that a caller chose freely can look like the method. */
const METHOD =
  /^[\s[]{0,16}\{\s*(?:"(?:jsonrpc|id)"\s*:\s*(?:"[^"\\]{0,64}"|-?\d{1,16}|null)\s*,\s*){0,2}"method"\s*:\s*"([a-z_]+)"/;

/** The method of a body, or of the first call of a batch; undefined: not to be seen. */
export const methodIn = (text: string): string | undefined => METHOD.exec(text.slice(0, HEAD_LETTERS))?.[1];

export interface Shed {
  readonly method: string;
  readonly error: RpcError;
}

/** Undefined: it is to be read. Nothing of what is shed was done, so all of it may be sent again. */
export function shedAtTheDoor(
  method: string | undefined,
  port: Pick<NodePort, 'refusalOfSubmissions'>,
): Shed | undefined {
  if (method === undefined || METHODS.get(method)?.submits !== true) return undefined;
  const refusal = port.refusalOfSubmissions();
  return refusal === undefined
    ? undefined
    : { method, error: serverError(`${refusal.code}: ${refusal.log}`) };
}

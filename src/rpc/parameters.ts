/**
 * Arguments of RPC methods, from JSON and from a URL's query, by CometBFT's rules: in JSON integers are strings
 * of digits (numbers are taken too), `bytes` base64, `hex` hexadecimal; in a URL `"text"` in quotes, `0x` before
 * hexadecimal, integers bare or in quotes. Pure and total. Source: CometBFT 0.38, rpc/jsonrpc/server.
 */
import { fromHex, utf8 } from '../base/bytes.ts';
import { digestFromBytes, parseHeight } from '../protocol/chain/parse.ts';
import type { FollowedOperation } from './node-port.ts';

export type ParameterType = 'integer' | 'text' | 'bool' | 'bytes' | 'hex' | 'bytesList' | 'operations';
export type ParameterList = readonly { readonly name: string; readonly type: ParameterType }[];

interface TypeMap {
  readonly integer: number;
  readonly text: string;
  readonly bool: boolean;
  readonly bytes: Uint8Array;
  readonly hex: Uint8Array;
  readonly bytesList: readonly Uint8Array[];
  readonly operations: readonly FollowedOperation[];
}

/** Entries of a list. @unit entries @source chosen: a longer list keeps other calls waiting for milliseconds */
export const LIST_MAX = 1_000;

/** What a method gets: absent parameters are undefined. */
export type Arguments<List extends ParameterList> = {
  readonly [Entry in List[number] as Entry['name']]: TypeMap[Entry['type']] | undefined;
};

type Value = TypeMap[ParameterType];
export type Conversion<List extends ParameterList> =
  | { readonly ok: true; readonly values: Arguments<List> }
  | { readonly ok: false; readonly problem: string };

/** Arguments out of JSON-RPC params. Unknown names are passed over, as CometBFT does. */
export function fromJsonParams<List extends ParameterList>(
  list: List,
  params: Readonly<Record<string, unknown>> | readonly unknown[],
): Conversion<List> {
  if (isList(params) && params.length !== list.length) {
    const names = list.map(({ name }) => name).join(' ');
    return {
      ok: false,
      problem: `error converting json params to arguments: expected ${list.length} parameters ([${names}]), got ${params.length}`,
    };
  }
  return convert(list, 'json', (name, index) => {
    const raw = isList(params) ? params[index] : Object.hasOwn(params, name) ? params[name] : undefined;
    return raw === undefined || raw === null ? undefined : { raw };
  });
}

/** Arguments out of a URL's query. An empty value is absent. */
export function fromQuery<List extends ParameterList>(list: List, query: URLSearchParams): Conversion<List> {
  return convert(list, 'http', (name) => {
    const raw = query.get(name);
    return raw === null || raw === '' ? undefined : { raw };
  });
}

function convert<List extends ParameterList>(
  list: List,
  source: 'json' | 'http',
  find: (name: string, index: number) => { readonly raw: unknown } | undefined,
): Conversion<List> {
  const values: Record<string, Value | undefined> = {};
  for (const [index, { name, type }] of list.entries()) {
    const found = find(name, index);
    if (found === undefined) continue;
    const value = source === 'json' ? FROM_JSON[type](found.raw) : FROM_QUERY[type](String(found.raw));
    if (value === undefined) {
      const expected = source === 'json' ? JSON_FORMS[type] : QUERY_FORMS[type];
      return {
        ok: false,
        problem: `error converting ${source} params to arguments: ${name} = ${shown(found.raw)}: expected ${expected}`,
      };
    }
    values[name] = value;
  }
  // The gateway: each name got a value of its own type, or none.
  return { ok: true, values: values as Arguments<List> };
}

const JSON_FORMS: Readonly<Record<ParameterType, string>> = {
  integer: 'a string of digits',
  text: 'a string',
  bool: 'true or false',
  bytes: 'a base64 string',
  hex: 'a hexadecimal string',
  bytesList: `at most ${LIST_MAX} base64 strings`,
  operations: `at most ${LIST_MAX} objects {"id": 64 hexadecimal letters, "expires_at_height": a height}`,
};

const QUERY_FORMS: Readonly<Record<ParameterType, string>> = {
  integer: 'digits',
  text: '"text" in double quotes, or 0x and hexadecimal',
  bool: 'true or false',
  bytes: '"text" in double quotes, or 0x and hexadecimal',
  hex: '"text" in double quotes, or 0x and hexadecimal',
  bytesList: 'a list, which only a POST can carry',
  operations: 'a list, which only a POST can carry',
};

type FromJson = { readonly [Type in ParameterType]: (raw: unknown) => TypeMap[Type] | undefined };
type FromQuery = { readonly [Type in ParameterType]: (raw: string) => TypeMap[Type] | undefined };

const FROM_JSON: FromJson = {
  integer: (raw) =>
    typeof raw === 'number' ? safeInteger(raw) : typeof raw === 'string' ? digits(raw) : undefined,
  text: (raw) => (typeof raw === 'string' ? raw : undefined),
  bool: (raw) => (typeof raw === 'boolean' ? raw : undefined),
  bytes: (raw) => (typeof raw === 'string' ? fromBase64(raw) : undefined),
  hex: (raw) => (typeof raw === 'string' ? fromHex(raw) : undefined),
  bytesList: (raw) => listOf(raw, (entry) => (typeof entry === 'string' ? fromBase64(entry) : undefined)),
  operations: (raw) => listOf(raw, operationOf),
};

const FROM_QUERY: FromQuery = {
  integer: (raw) => digits(quoted(raw) ?? raw),
  text: (raw) => {
    const bytes = prefixedHex(raw);
    return bytes === undefined ? quoted(raw) : new TextDecoder().decode(bytes);
  },
  bool: (raw) => (raw === 'true' ? true : raw === 'false' ? false : undefined),
  bytes: (raw) => bytesOf(raw),
  hex: (raw) => bytesOf(raw),
  bytesList: () => undefined,
  operations: () => undefined,
};

/** A list cannot stand in a query. */
export const needsBody = (list: ParameterList): boolean =>
  list.some(({ type }) => type === 'bytesList' || type === 'operations');

/** Every entry, or nothing where one of them is not what it should be. */
function listOf<Entry>(
  raw: unknown,
  read: (entry: unknown) => Entry | undefined,
): readonly Entry[] | undefined {
  if (!Array.isArray(raw) || raw.length > LIST_MAX) return undefined;
  const entries: Entry[] = [];
  for (const given of raw) {
    const entry = read(given);
    if (entry === undefined) return undefined;
    entries.push(entry);
  }
  return entries;
}

function operationOf(raw: unknown): FollowedOperation | undefined {
  if (typeof raw !== 'object' || raw === null) return undefined;
  const members: Readonly<Record<string, unknown>> = { ...raw };
  const bytes = FROM_JSON.hex(members['id']);
  const id = bytes === undefined ? 'malformed' : digestFromBytes(bytes);
  const expiresAtHeight = parseHeight(FROM_JSON.integer(members['expires_at_height']));
  return id === 'malformed' || expiresAtHeight === 'malformed' ? undefined : { id, expiresAtHeight };
}

function bytesOf(raw: string): Uint8Array | undefined {
  const text = quoted(raw);
  return text === undefined ? prefixedHex(raw) : utf8(text);
}

/** The text of a JSON string in double quotes. */
function quoted(raw: string): string | undefined {
  if (raw.length < 2 || !raw.startsWith('"') || !raw.endsWith('"')) return undefined;
  try {
    const text: unknown = JSON.parse(raw);
    return typeof text === 'string' ? text : undefined;
  } catch {
    return undefined;
  }
}

const prefixedHex = (raw: string): Uint8Array | undefined =>
  /^0x/i.test(raw) ? fromHex(raw.slice(2)) : undefined;
const digits = (raw: string): number | undefined =>
  /^-?[0-9]{1,16}$/.test(raw) ? safeInteger(Number(raw)) : undefined;
const safeInteger = (raw: number): number | undefined => (Number.isSafeInteger(raw) ? raw : undefined);

/** With a length that four divides, so that the letters fit their padding; groups in the pattern would take twice the time. */
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
const fromBase64 = (raw: string): Uint8Array | undefined =>
  raw.length % 4 === 0 && BASE64.test(raw) ? new Uint8Array(Buffer.from(raw, 'base64')) : undefined;

const isList = (params: object): params is readonly unknown[] => Array.isArray(params);

/** @unit letters @source a line of an error message */
const SHOWN_MAX = 80;
function shown(raw: unknown): string {
  const text = JSON.stringify(raw) ?? String(raw);
  return text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX - 1)}…`;
}

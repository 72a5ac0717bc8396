/** JSON values and their one canonical text, after RFC 8785: sorted keys, no spaces, shortest numbers. Pure. */

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** Levels of arrays and objects in a value that is read. @unit levels @source deeper is no configuration */
export const JSON_DEPTH_MAX = 32;

/** The canonical text of a value that `isJsonValue` accepted. Keys sorted by UTF-16 code units. */
export function canonicalJson(value: JsonValue): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const members = Object.entries(value)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
  return `{${members.join(',')}}`;
}

/** True for what JSON can say, up to `JSON_DEPTH_MAX` levels. */
export function isJsonValue(value: unknown, depth = 0): value is JsonValue {
  if (depth > JSON_DEPTH_MAX) return false;
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object') return false;
  return Object.values(value).every((member) => isJsonValue(member, depth + 1));
}

function isArray(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

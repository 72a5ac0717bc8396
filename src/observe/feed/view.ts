/**
 * What a cell holds, as a viewer is shown it: plain JSON, bounded in depth, length and size; what is cut ends in '…'. Functions are
 * left out: they are the same in every cell of a kind. Getters are not called: they may throw, cost, or ask anew. Total, pure. Rule
 * IN-1, docs/inspector.md.
 */

/** Containers within each other. @unit levels @source what a reader unfolds */
const DEPTH_MAX = 7;
/** Of one list, map or object. @unit entries @source what a reader scrolls */
const ENTRIES_MAX = 32;
/** @unit letters */
const TEXT_MAX = 200;
/** Of one byte string. @unit bytes @source a hash and a little; a signature is told from another by it */
const BYTES_MAX = 40;
/** Values of one view altogether. @unit values @source about 20 KB of JSON */
const VALUES_MAX = 800;

const CUT = '…';

/** A value as plain JSON: bytes in hexadecimal, bigints as text, maps as lists of pairs, sets as lists. */
export function toView(value: unknown): unknown {
  return view(value, 0, { left: VALUES_MAX });
}

interface Budget {
  left: number;
}

function view(value: unknown, depth: number, budget: Budget): unknown {
  if (budget.left <= 0) return CUT;
  budget.left -= 1;
  switch (typeof value) {
    case 'string':
      return cut(value);
    case 'bigint':
    case 'symbol':
      return cut(String(value));
    case 'number':
      // JSON has none of the others.
      return Number.isFinite(value) ? value + 0 : String(value);
    case 'object':
      return value === null ? null : viewObject(value, depth, budget);
    case 'function':
    case 'undefined':
      return undefined;
    default:
      return value;
  }
}

const cut = (text: string): string => (text.length > TEXT_MAX ? text.slice(0, TEXT_MAX) + CUT : text);

function viewObject(value: object, depth: number, budget: Budget): unknown {
  if (value instanceof Uint8Array) return hexOf(value);
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} ${value.byteLength} bytes`;
  if (value instanceof Error) return cut(`${value.name}: ${value.message}`);
  if (depth >= DEPTH_MAX) return CUT;
  const inside = (one: unknown): unknown => view(one, depth + 1, budget);
  if (Array.isArray(value) || value instanceof Set) return listOf(value, inside);
  if (value instanceof Map) return listOf(value, (pair) => inside(pair));
  return fieldsOf(value, inside);
}

function fieldsOf(value: object, inside: (one: unknown) => unknown): unknown {
  const shown: (readonly [string, unknown])[] = [];
  let more = 0;
  for (const name of Object.keys(value)) {
    const field = Object.getOwnPropertyDescriptor(value, name);
    const one: unknown = field?.get === undefined ? field?.value : CUT;
    if (one === undefined || typeof one === 'function') continue;
    if (shown.length < ENTRIES_MAX) shown.push([cut(name), inside(one)]);
    else more += 1;
  }
  if (more > 0) shown.push([CUT, `${more} more`]);
  return Object.fromEntries(shown);
}

/** The first entries, without walking the rest. */
function listOf(
  values: Iterable<unknown> & (readonly unknown[] | { readonly size: number }),
  shown: (one: unknown) => unknown,
): unknown {
  const list: unknown[] = [];
  for (const value of values) {
    if (list.length === ENTRIES_MAX) {
      const length = 'size' in values ? values.size : values.length;
      list.push(`${CUT} ${length - ENTRIES_MAX} more`);
      break;
    }
    list.push(shown(value) ?? null);
  }
  return list;
}

function hexOf(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.subarray(0, BYTES_MAX)).toString('hex');
  return bytes.length > BYTES_MAX ? `${hex}${CUT} ${bytes.length} bytes` : hex;
}

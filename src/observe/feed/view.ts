/**
 * What a cell holds, as a viewer is shown it: plain JSON, bounded in depth, length and size; what is cut ends in '…'. Functions are
 * left out: they are the same in every cell of a kind. Pure. Rule IN-1, docs/inspector.md.
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
      return value.length > TEXT_MAX ? value.slice(0, TEXT_MAX) + CUT : value;
    case 'bigint':
    case 'symbol':
      return String(value);
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

function viewObject(value: object, depth: number, budget: Budget): unknown {
  if (value instanceof Uint8Array) return hexOf(value);
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (depth >= DEPTH_MAX) return CUT;
  const inside = (one: unknown): unknown => view(one, depth + 1, budget);
  if (Array.isArray(value) || value instanceof Set) return listOf(value, inside);
  if (value instanceof Map) return listOf(value, (pair) => inside(pair));
  const entries = Object.entries(value).filter(([, one]) => one !== undefined && typeof one !== 'function');
  const shown = entries.slice(0, ENTRIES_MAX).map(([name, one]) => [name, inside(one)] as const);
  const cut = entries.length > ENTRIES_MAX ? [[CUT, `${entries.length - ENTRIES_MAX} more`] as const] : [];
  return Object.fromEntries([...shown, ...cut]);
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

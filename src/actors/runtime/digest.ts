/** A short hash of any value a cell holds, the same in every process: for comparing runs, not for security. Pure. RT-15. */

/** 106 bits as hexadecimal text. The order of keys does not count. Source: cyrb53 with two seeds. */
export function digestOf(value: unknown): string {
  return digestText(canonicalText(value));
}

/** As `digestOf`, but of about the first 16 KB of text, so that a great context costs little. */
export function boundedDigestOf(value: unknown): string {
  return digestText(write(value, [], { left: BOUNDED_TEXT_LENGTH }));
}

/** A value as text: equal values give equal texts. Functions do not count; cycles are named. */
export function canonicalText(value: unknown): string {
  return write(value, [], { left: Number.POSITIVE_INFINITY });
}

/** @unit characters @source a digest of it takes about 0.1 ms */
const BOUNDED_TEXT_LENGTH = 16_384;

/** Under a budget, longer byte strings are told by their length and ends. @unit bytes */
const BYTES_WHOLE_MAX = 64;

interface Budget {
  left: number;
}

function write(value: unknown, above: readonly object[], budget: Budget): string {
  if (budget.left <= 0) return '…';
  const text = writeAny(value, above, budget);
  // Containers have paid for their parts already.
  if (typeof value !== 'object' || value === null) budget.left -= text.length;
  return text;
}

function writeAny(value: unknown, above: readonly object[], budget: Budget): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'bigint':
      return `${value}n`;
    case 'number':
      // Zero has one sign: a journal keeps no other.
      return String(value);
    case 'object':
      return value === null ? 'null' : writeObject(value, above, budget);
    case 'function':
      return '<function>';
    default:
      return String(value);
  }
}

function writeObject(value: object, above: readonly object[], budget: Budget): string {
  if (above.includes(value)) return '<cycle>';
  if (value instanceof Uint8Array) return writeBytes(value, budget);
  if (value instanceof Error) return `<${value.name}: ${value.message}>`;
  const path = [...above, value];
  budget.left -= 2;
  if (Array.isArray(value))
    return `[${gather(value, (item) => write(item, path, budget), budget).join(',')}]`;
  if (value instanceof Map) {
    const entry = ([key, item]: readonly [unknown, unknown]): string =>
      `${write(key, path, budget)}:${write(item, path, budget)}`;
    return `<map ${gather(value, entry, budget).sort().join(',')}>`;
  }
  if (value instanceof Set) {
    return `<set ${gather(value, (item) => write(item, path, budget), budget)
      .sort()
      .join(',')}>`;
  }
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined && typeof field !== 'function')
    .sort(([left], [right]) => (left < right ? -1 : 1));
  const field = ([key, item]: readonly [string, unknown]): string =>
    `${write(key, path, budget)}:${write(item, path, budget)}`;
  return `{${gather(fields, field, budget).join(',')}}`;
}

function gather<Item>(items: Iterable<Item>, toText: (item: Item) => string, budget: Budget): string[] {
  const texts: string[] = [];
  for (const item of items) {
    if (budget.left <= 0) {
      texts.push('…');
      break;
    }
    texts.push(toText(item));
  }
  return texts;
}

function writeBytes(bytes: Uint8Array, budget: Budget): string {
  const hex = (part: Uint8Array): string => Buffer.from(part).toString('hex');
  const isWhole = budget.left === Number.POSITIVE_INFINITY || bytes.byteLength <= BYTES_WHOLE_MAX;
  const text = isWhole
    ? `<${hex(bytes)}>`
    : `<${bytes.byteLength} ${hex(bytes.subarray(0, BYTES_WHOLE_MAX / 2))}…${hex(bytes.subarray(-BYTES_WHOLE_MAX / 2))}>`;
  budget.left -= text.length;
  return text;
}

function digestText(text: string): string {
  return hash53(text, 0).toString(16).padStart(14, '0') + hash53(text, 1).toString(16).padStart(14, '0');
}

function hash53(text: string, seed: number): number {
  let h1 = 0xdeadbeef ^ seed;
  let h2 = 0x41c6ce57 ^ seed;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    h1 = Math.imul(h1 ^ code, 2_654_435_761);
    h2 = Math.imul(h2 ^ code, 1_597_334_677);
  }
  h1 = Math.imul(h1 ^ (h1 >>> 16), 2_246_822_507) ^ Math.imul(h2 ^ (h2 >>> 13), 3_266_489_909);
  h2 = Math.imul(h2 ^ (h2 >>> 16), 2_246_822_507) ^ Math.imul(h1 ^ (h1 >>> 13), 3_266_489_909);
  return 4_294_967_296 * (2_097_151 & h2) + (h1 >>> 0);
}

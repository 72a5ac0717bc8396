/** A short hash of any value a cell holds, the same in every process: for comparing runs, not for security. Pure. RT-15. */

/** 106 bits as hexadecimal text. Keys are sorted, so insertion order does not count. Source: cyrb53 with two seeds. */
export function digestOf(value: unknown): string {
  const text = canonicalText(value);
  return hash53(text, 0).toString(16).padStart(14, '0') + hash53(text, 1).toString(16).padStart(14, '0');
}

/** A value as text: equal values give equal texts. Functions and class methods do not count; cycles are named. */
export function canonicalText(value: unknown): string {
  return write(value, []);
}

function write(value: unknown, above: readonly object[]): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'bigint':
      return `${value}n`;
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value);
    case 'object':
      return value === null ? 'null' : writeObject(value, above);
    case 'function':
      return '<function>';
    default:
      return String(value);
  }
}

function writeObject(value: object, above: readonly object[]): string {
  if (above.includes(value)) return '<cycle>';
  const path = [...above, value];
  if (value instanceof Uint8Array) return `<${Buffer.from(value).toString('hex')}>`;
  if (Array.isArray(value)) return `[${value.map((item) => write(item, path)).join(',')}]`;
  if (value instanceof Map) {
    return `<map ${[...value]
      .map(([key, item]) => `${write(key, path)}:${write(item, path)}`)
      .sort()
      .join(',')}>`;
  }
  if (value instanceof Set)
    return `<set ${[...value]
      .map((item) => write(item, path))
      .sort()
      .join(',')}>`;
  if (value instanceof Error) return `<${value.name}: ${value.message}>`;
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined && typeof field !== 'function')
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([key, field]) => `${JSON.stringify(key)}:${write(field, path)}`);
  return `{${fields.join(',')}}`;
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

/** Mutations of JSON that leave it JSON: values replaced, members renamed, doubled and left out, nesting, long lists. */
import type { Draws, Mutation } from '../mutate.ts';

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

const VALUES: readonly Json[] = [
  ...[null, true, false, 0, -1, 1, 1.5, 1e308, -1e-7, 2 ** 53 - 1, 2 ** 53, 2 ** 63, 2 ** 64],
  ...[
    '',
    '0',
    '1',
    '-1',
    '00',
    '1e3',
    '18446744073709551616',
    'a',
    '\u0000',
    '\ud800',
    '𝔱',
    '__proto__',
    '0x',
    '====',
  ],
  ...['"', '\\', 'a'.repeat(300), 'ff'.repeat(32), '2026-02-30T00:00:00Z', '+275760-09-13T00:00:00.000Z'],
  ...[[], {}, [[]], [null], { '': null }, { ['__proto__']: 1 }, { constructor: { prototype: 1 } }],
];

function parsed(input: Uint8Array): Json | undefined {
  try {
    return JSON.parse(Buffer.from(input).toString('utf8'));
  } catch {
    return undefined;
  }
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value);

const partsOf = (value: Json): readonly Json[] => {
  if (value === null || typeof value !== 'object') return [value];
  const inner = isList(value) ? value : Object.values(value);
  return [value, ...inner.flatMap(partsOf)];
};

/** The value with one part of it changed. */
function changedAt(value: Json, draws: Draws, change: (part: Json) => Json): Json {
  if (value === null || typeof value !== 'object' || draws.below(4) === 0) return change(value);
  if (isList(value)) {
    const at = draws.below(value.length);
    return value.length === 0
      ? change(value)
      : value.map((item, index) => (index === at ? changedAt(item, draws, change) : item));
  }
  const entries = Object.entries(value);
  const at = draws.below(entries.length);
  if (entries.length === 0) return change(value);
  return Object.fromEntries(
    entries.map(([key, item], index) => [key, index === at ? changedAt(item, draws, change) : item]),
  );
}

type Change = (part: Json, draws: Draws, words: readonly string[], other: Json) => Json;

const change =
  (how: Change): Mutation =>
  (input, draws, { donor, dictionary }) => {
    const value = parsed(input);
    if (value === undefined) return input;
    const words = dictionary.map((word) => Buffer.from(word).toString('utf8'));
    const other = draws.pick(partsOf(parsed(donor) ?? null)) ?? null;
    const result = changedAt(value, draws, (part) => how(part, draws, words, other));
    return new Uint8Array(Buffer.from(JSON.stringify(result)));
  };

const resized: Change = (part, { below, pick }, words, other) => {
  if (part === null || typeof part !== 'object') return part;
  if (isList(part)) {
    const at = below(part.length);
    const more = [
      [other],
      part.slice(at, at + 1),
      Array.from({ length: 1 << below(9) }, () => part[at] ?? null),
      [],
    ];
    return [...part.slice(0, at), ...(pick(more) ?? []), ...part.slice(at + below(2))];
  }
  const entries = Object.entries(part);
  const at = below(entries.length);
  const key = pick([...words, ...entries.map(([name]) => name)]) ?? '';
  const added: readonly [string, Json] = [key, below(2) === 0 ? other : (entries[at]?.[1] ?? null)];
  return Object.fromEntries([...entries.slice(0, at), added, ...entries.slice(at + below(2))]);
};

const nested: Change = (part, { below }) => {
  let value = part;
  for (let depth = 1 << below(8); depth > 0; depth -= 1) value = below(2) === 0 ? [value] : { a: value };
  return value;
};

const near: Change = (part, { below, pick }) => {
  if (typeof part === 'number') return part + below(5) - 2;
  if (typeof part !== 'string') return part;
  const at = below(part.length + 1);
  const letters = pick(['0', 'f', 'F', '=', '.', ' ', '\n', '\u00e9', '\ud800', '9'.repeat(20), part]) ?? '';
  return part.slice(0, at) + letters + part.slice(at + below(3));
};

export const JSON_FORM: readonly Mutation[] = [
  change((_, { pick }) => pick(VALUES) ?? null),
  change((_, { pick }, words) => pick(words) ?? ''),
  change((_part, _draws, _words, other) => other),
  change(resized),
  change(resized),
  change(nested),
  change(near),
  change(near),
];

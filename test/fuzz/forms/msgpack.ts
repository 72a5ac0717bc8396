/** Mutations of msgpack that leave it msgpack: values replaced, moved, doubled; heads and lengths that lie. */
import { type Mutation, replaced } from '../mutate.ts';

interface Item {
  readonly at: number;
  readonly end: number;
  /** Length of head and length bytes. */
  readonly head: number;
  /** What an array or map holds, map keys too. */
  readonly items: readonly Item[];
}

/** The value at `at`, as far as it is one. */
function readItem(bytes: Uint8Array, at: number, depth = 0): Item | undefined {
  const token = bytes[at];
  if (token === undefined || depth > 40) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const lengthAt = (width: 1 | 2 | 4): number => {
    if (at + width >= bytes.byteLength) return Number.POSITIVE_INFINITY;
    return width === 1
      ? view.getUint8(at + 1)
      : width === 2
        ? view.getUint16(at + 1)
        : view.getUint32(at + 1);
  };
  const plain = (head: number, length: number): Item | undefined => {
    const end = at + head + length;
    return end > bytes.byteLength ? undefined : { at, end, head, items: [] };
  };
  const container = (head: number, count: number): Item | undefined => {
    const items: Item[] = [];
    let end = at + head;
    for (let left = count; left > 0; left -= 1) {
      const item = readItem(bytes, end, depth + 1);
      if (item === undefined) return undefined;
      items.push(item);
      end = item.end;
    }
    return { at, end, head, items };
  };
  if (token < 0x80 || token >= 0xe0) return plain(1, 0);
  if (token < 0x90) return container(1, 2 * (token & 0x0f));
  if (token < 0xa0) return container(1, token & 0x0f);
  if (token < 0xc0) return plain(1, token & 0x1f);
  if (token === 0xdc) return container(3, lengthAt(2));
  if (token === 0xdd) return container(5, lengthAt(4));
  if (token === 0xc4 || token === 0xd9) return plain(2, lengthAt(1));
  if (token === 0xc5 || token === 0xda) return plain(3, lengthAt(2));
  if (token === 0xc6 || token === 0xdb) return plain(5, lengthAt(4));
  return plain(1, WIDTHS.get(token) ?? 0);
}

const WIDTHS: ReadonlyMap<number, number> = new Map([
  ...[0xcc, 0xd0].map((token) => [token, 1] as const),
  ...[0xcd, 0xd1].map((token) => [token, 2] as const),
  ...[0xca, 0xce, 0xd2].map((token) => [token, 4] as const),
  ...[0xcb, 0xcf, 0xd3].map((token) => [token, 8] as const),
]);

/** The values that stand one after the other in `bytes`, as far as they are values: a sequence of frames is one input. */
export function valuesIn(bytes: Uint8Array): readonly Uint8Array[] {
  return rootsOf(bytes).map(({ at, end }) => bytes.subarray(at, end));
}

function rootsOf(bytes: Uint8Array): readonly Item[] {
  const roots: Item[] = [];
  for (let at = 0; at < bytes.byteLength; at = roots.at(-1)?.end ?? 0) {
    const root = readItem(bytes, at);
    if (root === undefined) break;
    roots.push(root);
  }
  return roots;
}

const within = (item: Item): readonly Item[] => [item, ...item.items.flatMap(within)];
const itemsOf = (bytes: Uint8Array): readonly Item[] => rootsOf(bytes).flatMap(within);

/** A whole number as msgpackr writes it: the shortest form, beyond 32 bits a double. */
export function packedInteger(value: number): Uint8Array {
  const bytes = Buffer.alloc(9);
  if (value >= 0 && value < 0x80) return Uint8Array.of(value);
  if (value < 0 && value >= -0x20) return Uint8Array.of(0x100 + value);
  if (value >= 0 && value <= 0xff) return Uint8Array.of(0xcc, value);
  if (value >= 0 && value <= 0xffff) {
    bytes[0] = 0xcd;
    bytes.writeUInt16BE(value, 1);
    return bytes.subarray(0, 3);
  }
  if (value >= 0 && value <= 0xffffffff) {
    bytes[0] = 0xce;
    bytes.writeUInt32BE(value, 1);
    return bytes.subarray(0, 5);
  }
  bytes[0] = 0xcb;
  bytes.writeDoubleBE(value, 1);
  return bytes;
}

const INTEGERS = [0, 1, 2, 3, 4, 5, 15, 16, 127, 128, 255, 256, 65_535, 65_536, 2 ** 31, 2 ** 32 - 1, 2 ** 32]
  .concat([2 ** 52 - 1, 2 ** 52, 2 ** 52 + 1, 2 ** 53 - 1, -1, -32, -33, 1.5, Number.NaN])
  .map(packedInteger);
const OTHERS = [
  'c0',
  'c2',
  'c3',
  'a0',
  'a161',
  '90',
  '80',
  'c400',
  'c40100',
  '9100',
  '81a16100',
  'c1',
  'd40000',
  'd6ff00000000',
]
  .concat(['d97f', 'dd7fffffff', 'df00000001', 'dc0010', 'c6ffffffff', 'dbffffffff', 'c7000000', 'd5727f7f'])
  .map((text) => new Uint8Array(Buffer.from(text, 'hex')));

const otherValue: Mutation = (input, draws) => {
  const item = draws.pick(itemsOf(input));
  if (item === undefined) return input;
  const value = draws.pick(draws.below(3) === 0 ? OTHERS : INTEGERS) ?? Uint8Array.of(0);
  return replaced(input, item.at, item.end - item.at, value);
};

const grownInteger: Mutation = (input, draws) => {
  const integers = itemsOf(input).filter(({ at }) => (input[at] ?? 0xff) < 0x80 || input[at] === 0xcc);
  const item = draws.pick(integers);
  if (item === undefined) return input;
  const value = (input[item.end - 1] ?? 0) + draws.below(7) - 3;
  return replaced(input, item.at, item.end - item.at, packedInteger(value));
};

const fromDonor: Mutation = (input, draws, { donor }) => {
  const [here, there] = [draws.pick(itemsOf(input)), draws.pick(itemsOf(donor))];
  if (here === undefined || there === undefined) return input;
  return replaced(input, here.at, here.end - here.at, donor.subarray(there.at, there.end));
};

/** A field by the same name in another input: the mutation that leaves most of a message true. */
const fieldFromDonor: Mutation = (input, draws, { donor }) => {
  const fields = (bytes: Uint8Array) =>
    itemsOf(bytes).flatMap((item) => {
      const isMap = ((bytes[item.at] ?? 0) & 0xf0) === 0x80;
      return item.items.flatMap((key, index) => {
        const value = item.items[index + 1];
        if (!isMap || index % 2 === 1 || value === undefined) return [];
        return [{ name: Buffer.from(bytes.subarray(key.at, key.end)).toString('latin1'), value }];
      });
    });
  const here = draws.pick(fields(input));
  if (here === undefined) return input;
  const there = draws.pick(fields(donor).filter(({ name }) => name === here.name));
  if (there === undefined) return input;
  const { at, end } = here.value;
  return replaced(input, at, end - at, donor.subarray(there.value.at, there.value.end));
};

const swapped: Mutation = (input, draws) => {
  const items = itemsOf(input);
  const [one, other] = [draws.pick(items), draws.pick(items)].sort(
    (left, right) => (left?.at ?? 0) - (right?.at ?? 0),
  );
  if (one === undefined || other === undefined || one.end > other.at) return input;
  const [first, second] = [input.slice(one.at, one.end), input.slice(other.at, other.end)];
  return replaced(replaced(input, other.at, second.byteLength, first), one.at, first.byteLength, second);
};

/** One entry of a short array or map more or less, its head telling the truth about it. */
const resized: Mutation = (input, draws) => {
  const isShort = (token: number): boolean => token >= 0x80 && token < 0xa0;
  const container = draws.pick(
    itemsOf(input).filter(({ at, items }) => items.length > 0 && isShort(input[at] ?? 0)),
  );
  const head = input[container?.at ?? 0] ?? 0;
  if (container === undefined) return input;
  const step = head < 0x90 ? 2 : 1;
  const index = step * draws.below(container.items.length / step);
  const [first, last] = [container.items[index], container.items[index + step - 1]];
  if (first === undefined || last === undefined) return input;
  const part = input.slice(first.at, last.end);
  const isMore = draws.below(2) === 0 && (head & 0x0f) < 15;
  const bytes = isMore
    ? replaced(input, last.end, 0, part)
    : replaced(input, first.at, part.byteLength, new Uint8Array());
  bytes[container.at] = head + (isMore ? 1 : -1);
  return bytes;
};

/** A head that claims another length, or a longer form of the same. */
const lyingHead: Mutation = (input, draws) => {
  const item = draws.pick(itemsOf(input));
  if (item === undefined) return input;
  const bytes = new Uint8Array(input);
  const at = item.at + draws.below(item.head);
  bytes[at] =
    draws.pick([(bytes[at] ?? 0) + 1, (bytes[at] ?? 0) - 1, 0xff, 0x00, 0x7f, 0xdd, 0xdf, 0xc6]) ?? 0;
  return bytes;
};

export const MSGPACK: readonly Mutation[] = [
  ...[
    otherValue,
    otherValue,
    grownInteger,
    fromDonor,
    fieldFromDonor,
    fieldFromDonor,
    swapped,
    resized,
    lyingHead,
  ],
];

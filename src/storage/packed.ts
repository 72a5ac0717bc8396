/** Values of a row as msgpack, and the reader that says of damaged ones where they are. Gateway: msgpackr. Rules ST-6, docs/storage.md. */
import { Packr } from 'msgpackr';
import { toHex } from '../base/bytes.ts';
import { type Malformed, parseCount } from '../protocol/chain/parse.ts';
import { DamagedData } from './checksum.ts';

const packr = new Packr({ useRecords: false, copyBuffers: true });

/** msgpack of a value made of arrays, numbers, bigints, texts and bytes. */
export function pack(value: Packable): Uint8Array {
  return packr.pack(value);
}

export type Packable = number | bigint | string | boolean | null | Uint8Array | readonly Packable[];

/** The fields of a packed array. @throws DamagedData naming `what` */
export function unpack(bytes: Uint8Array, what: string): Fields {
  let value: unknown;
  try {
    value = packr.unpack(bytes);
  } catch (error) {
    throw new DamagedData(`${what}: not msgpack (${error instanceof Error ? error.message : String(error)})`);
  }
  return new Fields(value, what);
}

/** Reads an array field by field; each reader checks shape and raises DamagedData. */
export class Fields {
  readonly #values: readonly unknown[];
  readonly #within: Fields | string;
  readonly #place: number;
  #next = 0;

  /** `within` and `place` say where the array stands; they become text only when it is damaged. */
  constructor(value: unknown, within: Fields | string, place = 0) {
    this.#within = within;
    this.#place = place;
    if (!Array.isArray(value)) throw new DamagedData(`${this.#path()}: an array is expected`);
    this.#values = value;
  }

  take<Value>(parse: (raw: unknown) => Value | Malformed): Value {
    const value = parse(this.#values[this.#next]);
    if (value === 'malformed') throw new DamagedData(`${this.#path()}: field ${this.#next} is malformed`);
    this.#next += 1;
    return value;
  }

  /** A nested array by its own reader; undefined where null was written. */
  optional<Value>(read: (fields: Fields) => Value): Value | undefined {
    if (this.#values[this.#next] !== null) return this.nested(read);
    this.#next += 1;
    return undefined;
  }

  nested<Value>(read: (fields: Fields) => Value): Value {
    const place = this.#next;
    this.#next += 1;
    return read(new Fields(this.#values[place], this, place));
  }

  list<Value>(read: (fields: Fields) => Value): readonly Value[] {
    return this.nested((entries) => entries.all(read));
  }

  /** Every field that is left, each an array. */
  all<Value>(read: (fields: Fields) => Value): readonly Value[] {
    const left: Value[] = [];
    while (this.#next < this.#values.length) left.push(this.nested(read));
    return left;
  }

  /** A copy that shares no memory with the row. */
  bytes(): Uint8Array {
    return this.take((raw) => {
      if (!(raw instanceof Uint8Array)) return 'malformed';
      // msgpackr copied it already, out of a plain array; out of a Buffer it gives a Buffer.
      return raw.constructor === Uint8Array ? raw : new Uint8Array(raw);
    });
  }

  get isAtEnd(): boolean {
    return this.#next >= this.#values.length;
  }

  text(): string {
    // A text may be the very word 'malformed': it is wrapped on its way through `take`.
    return this.take((raw) => (typeof raw === 'string' ? { text: raw } : 'malformed')).text;
  }

  flag(): boolean {
    return this.take((raw) => (typeof raw === 'boolean' ? raw : 'malformed'));
  }

  bigint(): bigint {
    return this.take((raw) => (typeof raw === 'bigint' ? raw : 'malformed'));
  }

  count(): number {
    return this.take(parseCount);
  }

  integer(): number {
    return this.take((raw) => (Number.isSafeInteger(raw) && typeof raw === 'number' ? raw : 'malformed'));
  }

  #path(): string {
    const within = this.#within;
    return typeof within === 'string' ? within : `${within.#path()}[${this.#place}]`;
  }
}

/** A brand of hex text from the bytes that are stored for it. */
export const fromBytes =
  <Value>(parse: (raw: unknown) => Value | Malformed) =>
  (raw: unknown): Value | Malformed =>
    raw instanceof Uint8Array ? parse(toHex(raw)) : 'malformed';

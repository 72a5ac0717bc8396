/**
 * Transactions of 256 bytes for the kv application, and the JSON-RPC bodies that carry them, written by patching
 * prepared bytes: the generator shares the machine with what it measures. No two are the same; keys repeat, so that
 * the state stops growing. Pure but for the counter.
 */

/** @unit bytes @source docs/benchmarks.md: the size that the references use */
export const TRANSACTION_BYTES = 256;
/** Distinct keys; a value is unique. @unit keys @source a state of 50 MB at the most */
const KEYS_MAX = 100_000;
/** Digits of a number, in groups of three: three bytes are four letters of base64. */
const GROUPS = 5;
const DIGITS = 3 * GROUPS;
const LETTERS = 4 * GROUPS;
/** Base64 of '000' to '999', four letters each. */
const THOUSAND = Buffer.concat(
  Array.from({ length: 1_000 }, (_, number) =>
    Buffer.from(Buffer.from(String(number).padStart(3, '0')).toString('base64')),
  ),
);

/** The transaction with this number: `<15 digits>=xx<15 digits>xxx…`, so that both numbers begin at a letter of base64. */
export function transactionOf(number: number): Buffer {
  const key = String(number % KEYS_MAX).padStart(DIGITS, '0');
  const value = String(number).padStart(DIGITS, '0');
  return Buffer.from(`${key}=xx${value}`.padEnd(TRANSACTION_BYTES, 'x'));
}

const ENCODED = transactionOf(0).toString('base64');
/** Where the digits of the value begin in base64: after those of the key and `=xx`. */
const VALUE_AT = LETTERS + 4;

/** A body of up to `max` calls, written over and over. One request at a time may use it. */
export class BodyWriter {
  readonly #body: Buffer;
  readonly #entryLength: number;
  readonly #transactionAt: number;
  /** Where the body was closed last. */
  #end: number;

  constructor(method: string, max: number) {
    const head = `{"jsonrpc":"2.0","id":1,"method":"${method}","params":{"tx":"`;
    const entry = `${head}${ENCODED}"}}`;
    this.#entryLength = entry.length + 1;
    this.#transactionAt = 1 + head.length;
    this.#body = Buffer.from(`[${Array.from({ length: max }, () => entry).join(',')}]`);
    this.#end = this.#body.length - 1;
  }

  /** The body with transactions `first` to `first + count - 1`; valid until the next call. `count` at least 1. */
  write(first: number, count: number): Buffer {
    for (let index = 0; index < count; index += 1) {
      const at = this.#transactionAt + index * this.#entryLength;
      writeNumber(this.#body, at, first + index);
    }
    if (this.#end < this.#body.length - 1) this.#body[this.#end] = COMMA;
    this.#end = count * this.#entryLength;
    this.#body[this.#end] = BRACKET;
    return this.#body.subarray(0, this.#end + 1);
  }
}

/** Makes the transaction whose base64 begins at `at` the one with this number. */
export function writeNumber(body: Buffer, at: number, number: number): void {
  writeDigits(body, at, number % KEYS_MAX);
  writeDigits(body, at + VALUE_AT, number);
}

/** Letter by letter: half of the time that a call of `write` for each group takes. */
function writeDigits(body: Buffer, at: number, number: number): void {
  let rest = number;
  for (let group = GROUPS - 1; group >= 0; group -= 1) {
    const [to, from] = [at + 4 * group, 4 * (rest % 1_000)];
    body[to] = THOUSAND[from] ?? 0;
    body[to + 1] = THOUSAND[from + 1] ?? 0;
    body[to + 2] = THOUSAND[from + 2] ?? 0;
    body[to + 3] = THOUSAND[from + 3] ?? 0;
    rest = Math.floor(rest / 1_000);
  }
}

const BRACKET = ']'.charCodeAt(0);
const COMMA = ','.charCodeAt(0);

/**
 * Request bodies of the overload benchmark, written by patching prepared bytes: the generator shares the machine with what it
 * measures. The door is `althing_submit` (operations, EX-7) or `broadcast_tx_sync` (raw transactions). Pure but for the buffer.
 */
import { BodyWriter, TRANSACTION_BYTES, transactionOf, writeNumber } from '../../src/cli/bench/payload.ts';
import { encodeOperation } from '../../src/client/encoding.ts';
import { OPERATION_HEADER_BYTES } from '../../src/protocol/chain/operation.ts';

export const DOORS = ['operations', 'raw'] as const;
export type Door = (typeof DOORS)[number];

/** Heights from the newest to an operation's expiry. @unit heights @source the client's default */
const EXPIRY_HEIGHTS = 500;

/** Writes one body over and over: valid until the next call. */
export interface Body {
  readonly write: (first: number, count: number, newestHeight: number) => Buffer;
}

export const bodyFor = (door: Door, max: number): Body =>
  door === 'operations' ? new OperationBody(max) : new BodyWriter('broadcast_tx_sync', max);

/** The number of what `transactionOf` or an operation of it holds; undefined: another's. */
export function numberIn(transaction: Buffer): number | undefined {
  const text = transaction.toString('latin1', transaction[0] === 0 ? OPERATION_HEADER_BYTES : 0);
  const digits = /^\d{15}=xx(\d{15})x/.exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

const operationOf = (number: number, expiresAt: number): Buffer =>
  Buffer.from(
    encodeOperation(
      transactionOf(number).subarray(0, TRANSACTION_BYTES - OPERATION_HEADER_BYTES),
      expiresAt,
      0n,
    ),
  );

/** In base64: 21 bytes are 28 letters, so that the payload begins at a letter of its own. @unit letters */
const HEADER_LETTERS = (OPERATION_HEADER_BYTES / 3) * 4;
const HEAD = '{"jsonrpc":"2.0","id":1,"method":"althing_submit","params":{"operations":[';
const TAIL = ']}}';

class OperationBody implements Body {
  readonly #body: Buffer;
  readonly #max: number;
  readonly #entryLength: number;
  #height = -1;
  #header = '';
  /** Where the body was closed last. */
  #end: number;

  constructor(max: number) {
    const entry = `"${operationOf(0, 1).toString('base64')}",`;
    this.#max = max;
    this.#entryLength = entry.length;
    this.#body = Buffer.from(`${HEAD}${entry.repeat(max)}${TAIL}`);
    this.#end = HEAD.length + max * entry.length - 1;
  }

  write(first: number, count: number, newestHeight: number): Buffer {
    if (newestHeight !== this.#height) this.#writeHeaders(newestHeight);
    if (this.#end < HEAD.length + this.#max * this.#entryLength - 1)
      this.#body.write(`,"${this.#header}`, this.#end, 'latin1');
    for (let index = 0; index < count; index += 1)
      writeNumber(this.#body, this.#entryAt(index) + 1 + HEADER_LETTERS, first + index);
    this.#end = this.#entryAt(count) - 1;
    this.#body.write(TAIL, this.#end, 'latin1');
    return this.#body.subarray(0, this.#end + TAIL.length);
  }

  #writeHeaders(newestHeight: number): void {
    this.#height = newestHeight;
    this.#header = operationOf(0, newestHeight + EXPIRY_HEIGHTS)
      .toString('base64')
      .slice(0, HEADER_LETTERS);
    for (let index = 0; index < this.#max; index += 1)
      this.#body.write(this.#header, this.#entryAt(index) + 1, 'latin1');
  }

  #entryAt(index: number): number {
    return HEAD.length + index * this.#entryLength;
  }
}

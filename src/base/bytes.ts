/**
 * Byte strings: hex, comparison, concatenation; over Buffer, which is several times quicker. Pure. A browser gets
 * `bytes-portable.ts` in its place (`browser` of package.json).
 */
export { concatBytes, utf8 } from './bytes-portable.ts';

/** Lower-case hexadecimal text of `bytes`. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** Bytes of a hexadecimal text, or undefined when it is not one (odd length, foreign letters). */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined;
  return new Uint8Array(Buffer.from(text, 'hex'));
}

/** True when both hold the same bytes. Not constant-time: never for secrets. */
export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.byteLength === right.byteLength && Buffer.compare(left, right) === 0;
}

/** Lexicographic order: negative, zero or positive. */
export function compareBytes(left: Uint8Array, right: Uint8Array): number {
  return Buffer.compare(left, right);
}

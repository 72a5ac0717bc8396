/** Bytes to hexadecimal letters and back. Pure. */

export const hexOf = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

/** Undefined: the text is not hexadecimal. */
export function bytesOf(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined;
  return Uint8Array.from({ length: text.length / 2 }, (_, place) =>
    Number.parseInt(text.slice(2 * place, 2 * place + 2), 16),
  );
}

/** The bytes with one bit turned over; counted from the highest bit of the first byte. */
export function withFlippedBit(bytes: Uint8Array, bit: number): Uint8Array {
  const changed = bytes.slice();
  const place = bit >> 3;
  changed[place] = (changed[place] ?? 0) ^ (0x80 >> (bit & 7));
  return changed;
}

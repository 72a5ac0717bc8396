/**
 * Which of a set's members signed: one bit a member, so that nobody can be named twice. Pure.
 * Member i is bit i mod 8, counted from the lowest, of byte floor(i / 8); bits beyond the set are zero.
 * "Arithmetic", docs/protocol/consensus.md.
 */
import { invariant } from '../base/invariant.ts';

/** Length of the bitmap of a set of `size` members. @unit bytes */
export const signerBitmapBytes = (size: number): number => Math.ceil(size / 8);

/** The bitmap that names `indices`, each in [0, size); anything else is this program's bug and throws. */
export function signerBitmap(size: number, indices: Iterable<number>): Uint8Array {
  invariant(Number.isSafeInteger(size) && size >= 0, 'the size of a signer set is a whole number', { size });
  const bitmap = new Uint8Array(signerBitmapBytes(size));
  for (const index of indices) {
    invariant(Number.isInteger(index) && index >= 0 && index < size, 'a signer is a member of its set', {
      index,
      size,
    });
    bitmap[index >> 3] = (bitmap[index >> 3] ?? 0) | (1 << (index & 7));
  }
  return bitmap;
}

/**
 * The members that `bitmap` names, ascending; undefined when its length is not the set's or a bit lies beyond
 * the last member, so that every set of signers has one encoding.
 */
export function parseSignerBitmap(bitmap: Uint8Array, size: number): readonly number[] | undefined {
  if (!isSignerBitmap(bitmap, size)) return undefined;
  const indices: number[] = [];
  bitmap.forEach((byte, offset) => {
    for (let bit = 0; bit < 8; bit += 1) if ((byte >> bit) & 1) indices.push(offset * 8 + bit);
  });
  return indices;
}

/** How many members `bitmap` names; undefined where `parseSignerBitmap` is. */
export function countSigners(bitmap: Uint8Array, size: number): number | undefined {
  if (!isSignerBitmap(bitmap, size)) return undefined;
  let count = 0;
  for (const byte of bitmap) for (let rest = byte; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}

function isSignerBitmap(bitmap: Uint8Array, size: number): boolean {
  if (bitmap.byteLength !== signerBitmapBytes(size)) return false;
  const used = size % 8;
  return used === 0 || (bitmap[bitmap.byteLength - 1] ?? 0) >> used === 0;
}

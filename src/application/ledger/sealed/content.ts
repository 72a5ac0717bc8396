/**
 * What a seal hides: transfers, done all or none. One encoding: a kind, then the transfers one after the other. Pure; runs in a
 * browser. LG-21, docs/ledger.md.
 */
import { SIZE_CLASSES, type SizeClass } from '../../../protocol/ordering/size-classes.ts';
import { FieldReader, FieldWriter } from '../fields.ts';
import { ADDRESS_BYTES, NUMBER_BYTES } from '../widths.ts';

export interface SealedTransfer {
  readonly to: Uint8Array;
  /** Above 0. @unit units */
  readonly amount: bigint;
}

/** The first byte; another content will have another. */
const TRANSFERS = 1;
/** @unit bytes */
const TRANSFER_BYTES = ADDRESS_BYTES + NUMBER_BYTES;

/** Transfers that a class has room for: 2, 9, 36. @unit transfers */
export const placesOf = (sizeClass: SizeClass): number =>
  Math.floor((SIZE_CLASSES[sizeClass].bytesMax - 1) / TRANSFER_BYTES);

/** @throws RangeError when a field does not fit */
export function encodeContent(transfers: readonly SealedTransfer[]): Uint8Array {
  const writer = new FieldWriter(1 + transfers.length * TRANSFER_BYTES).u8(TRANSFERS);
  for (const { to, amount } of transfers) writer.fixed(to, ADDRESS_BYTES).u64(amount);
  return writer.finish();
}

/** The transfers, or why the bytes are none of this class. What it accepts, `encodeContent` writes the same. */
export function parseContent(
  bytes: Uint8Array,
  sizeClass: SizeClass,
): readonly SealedTransfer[] | { readonly problem: string } {
  const count = (bytes.byteLength - 1) / TRANSFER_BYTES;
  if (bytes[0] !== TRANSFERS || !Number.isInteger(count) || count < 1) {
    return { problem: `${bytes.byteLength} bytes are no list of transfers` };
  }
  if (count > placesOf(sizeClass)) {
    return {
      problem: `${count} transfers; a ${SIZE_CLASSES[sizeClass].name} seal has at most ${placesOf(sizeClass)}`,
    };
  }
  const reader = new FieldReader(bytes, 1);
  const transfers = Array.from({ length: count }, () => ({
    to: reader.fixed(ADDRESS_BYTES),
    amount: reader.u64(),
  }));
  return transfers.every(({ amount }) => amount > 0n) ? transfers : { problem: 'an amount is 0' };
}

/**
 * What a seal hides: transfers, done all or none, within the chain or to another one. One encoding: a kind, the other chain where
 * there is one, then the transfers one after the other. Pure; runs in a browser. LG-21, docs/ledger.md.
 */
import { SIZE_CLASSES, type SizeClass } from '../../../protocol/ordering/size-classes.ts';
import { FieldReader, FieldWriter } from '../fields.ts';
import { ADDRESS_BYTES, DIGEST_BYTES, NUMBER_BYTES } from '../widths.ts';

export interface SealedTransfer {
  readonly to: Uint8Array;
  /** Above 0. @unit units */
  readonly amount: bigint;
}

export interface SealedContent {
  readonly transfers: readonly SealedTransfer[];
  /** Genesis hash of the chain that they go to; undefined: they stay. */
  readonly chain: Uint8Array | undefined;
}

/** The first byte; another content will have another. */
const [TRANSFERS, SENDS] = [1, 2];
/** @unit bytes */
const TRANSFER_BYTES = ADDRESS_BYTES + NUMBER_BYTES;

/** Transfers that a class has room for: 2, 9, 36. To another chain 1, 7, 35. @unit transfers */
export const placesOf = (sizeClass: SizeClass): number =>
  Math.floor((SIZE_CLASSES[sizeClass].bytesMax - 1) / TRANSFER_BYTES);

/** @param chain genesis hash of the chain that they go to. @throws RangeError when a field does not fit */
export function encodeContent(transfers: readonly SealedTransfer[], chain?: Uint8Array): Uint8Array {
  const head = 1 + (chain === undefined ? 0 : DIGEST_BYTES);
  const writer = new FieldWriter(head + transfers.length * TRANSFER_BYTES);
  if (chain === undefined) writer.u8(TRANSFERS);
  else writer.u8(SENDS).fixed(chain, DIGEST_BYTES);
  for (const { to, amount } of transfers) writer.fixed(to, ADDRESS_BYTES).u64(amount);
  return writer.finish();
}

/** What was sealed, or why the bytes are nothing of this class. What it accepts, `encodeContent` writes the same. */
export function parseContent(
  bytes: Uint8Array,
  sizeClass: SizeClass,
): SealedContent | { readonly problem: string } {
  const isSend = bytes[0] === SENDS;
  const head = 1 + (isSend ? DIGEST_BYTES : 0);
  const count = (bytes.byteLength - head) / TRANSFER_BYTES;
  if (!(isSend || bytes[0] === TRANSFERS) || !Number.isInteger(count) || count < 1) {
    return { problem: `${bytes.byteLength} bytes are no list of transfers` };
  }
  const { name, bytesMax } = SIZE_CLASSES[sizeClass];
  const most = Math.floor((bytesMax - head) / TRANSFER_BYTES);
  if (count > most) return { problem: `${count} transfers; a ${name} seal has at most ${most}` };
  const reader = new FieldReader(bytes, 1);
  const chain = isSend ? reader.fixed(DIGEST_BYTES) : undefined;
  const transfers = Array.from({ length: count }, () => ({
    to: reader.fixed(ADDRESS_BYTES),
    amount: reader.u64(),
  }));
  return transfers.every(({ amount }) => amount > 0n) ? { transfers, chain } : { problem: 'an amount is 0' };
}

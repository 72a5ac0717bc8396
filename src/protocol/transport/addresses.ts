/**
 * The address book: where admitted nodes are found, by records that they signed themselves.
 * Pure; signatures are verified by the caller. Rule TP-7, docs/protocol/transport.md.
 */
import { concatBytes } from '../../base/bytes.ts';
import { prefixed, text, u64 } from '../chain/canonical.ts';
import { digestBytes } from '../chain/parse.ts';
import type { ChainDomain } from '../chain/types.ts';
import { ADDRESS_RECORDS_MAX } from './limits.ts';
import type { AddressRecord, NodeId } from './messages.ts';

/** The bytes an address record's signature covers. */
export function addressStatement(record: Omit<AddressRecord, 'signature'>, chain: ChainDomain): Uint8Array {
  return concatBytes(
    text('althing/address/v1'),
    digestBytes(chain.genesisHash),
    text(chain.chainId),
    prefixed(record.nodeKey),
    text(record.host),
    u64(record.port),
    u64(record.sequence),
  );
}

/** Records by the id of their key. At most ADDRESS_RECORDS_MAX; a full book takes no strangers. */
export type AddressBook = ReadonlyMap<NodeId, AddressRecord>;

export type RecordVerdict = 'newer' | 'known' | 'stranger' | 'full';

/**
 * Whether a record is worth verifying: of an admitted node, and newer than what is held.
 * Asked before its signature is looked at, so that repetition costs nothing.
 */
export function ruleOnRecord(
  book: AddressBook,
  admitted: ReadonlySet<NodeId>,
  id: NodeId,
  record: AddressRecord,
): RecordVerdict {
  if (!admitted.has(id)) return 'stranger';
  const held = book.get(id);
  if (held !== undefined && held.sequence >= record.sequence) return 'known';
  if (held === undefined && book.size >= ADDRESS_RECORDS_MAX) return 'full';
  return 'newer';
}

/** The book with `record` in it. */
export function withRecord(book: AddressBook, id: NodeId, record: AddressRecord): AddressBook {
  return new Map(book).set(id, record);
}

/** The book's records in order of id, as they are sent. */
export function recordsOf(book: AddressBook): readonly AddressRecord[] {
  return [...book.entries()].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, record]) => record);
}

/**
 * A reveal: what a seal hid. Nobody signs it and it costs nothing more, since it proves itself and was paid with the seal: so
 * whoever holds it may carry it. Pure; its encoding runs in a browser. LG-23, docs/ledger.md.
 */
import { toHex } from '../../../base/bytes.ts';
import { opens, SALT_BYTES } from '../../../protocol/ordering/commitment.ts';
import { SIZE_CLASSES } from '../../../protocol/ordering/size-classes.ts';
import type { CheckResult } from '../../../protocol/ports/application.ts';
import type { StateReader, StateWriter } from '../../state/rules.ts';
import { CODES, type Refusal, refused } from '../codes.ts';
import { FieldReader, FieldWriter, U64_MAX } from '../fields.ts';
import { TRANSACTION_VERSION } from '../transaction.ts';
import { parseContent } from './content.ts';
import { orderingOf } from './parameters.ts';
import { type OpenSeal, putSeal, sealOf } from './records.ts';

/** Among those of signed transactions, which leave it out (LG-2). */
const REVEAL_KIND = 9;
/** @unit bytes @source SHA-256 */
const ID_BYTES = 32;
/** Version, kind, id, salt. @unit bytes */
const HEAD = 2 + ID_BYTES + SALT_BYTES;
/** Before all that pays: it has been paid, and its window ends. */
const PRIORITY = U64_MAX - 1n;

export interface Reveal {
  /** Of the seal. */
  readonly id: Uint8Array;
  readonly salt: Uint8Array;
  readonly content: Uint8Array;
}

/** True of what is read as a reveal. */
export const isReveal = (bytes: Uint8Array): boolean =>
  bytes[0] === TRANSACTION_VERSION && bytes[1] === REVEAL_KIND;

export const encodeReveal = ({ id, salt, content }: Reveal): Uint8Array =>
  new FieldWriter(HEAD + content.byteLength)
    .u8(TRANSACTION_VERSION)
    .u8(REVEAL_KIND)
    .fixed(id, ID_BYTES)
    .fixed(salt, SALT_BYTES)
    .fixed(content, content.byteLength)
    .finish();

function parseReveal(bytes: Uint8Array): Reveal | undefined {
  const content = bytes.slice(HEAD);
  if (bytes.byteLength <= HEAD || content.byteLength > SIZE_CLASSES[2].bytesMax) return undefined;
  const reader = new FieldReader(bytes, 2);
  return { id: reader.fixed(ID_BYTES), salt: reader.fixed(SALT_BYTES), content };
}

interface Opened {
  readonly id: Uint8Array;
  readonly revealed: OpenSeal;
}

/** LG-23, the cheap ones first. @param height of the block that would carry it */
function openedBy(
  bytes: Uint8Array,
  state: StateReader,
  height: number,
  genesisHash: Uint8Array,
): Opened | Refusal {
  if (orderingOf(state) === undefined) return wrong('this chain orders transfers plainly: nothing is sealed');
  const reveal = parseReveal(bytes);
  if (reveal === undefined) return wrong(`${bytes.byteLength} bytes are no reveal`);
  const { id, salt, content } = reveal;
  const seal = sealOf(state, id);
  if (seal === undefined) return refused(CODES.unknownSeal, `there is no seal ${toHex(id)}: commit it first`);
  if (!('commitment' in seal)) {
    return refused(
      CODES.sealClosed,
      `seal ${toHex(id)} was closed at height ${seal.closedAt}: ${seal.status}`,
    );
  }
  if (seal.status === 'revealed')
    return refused(CODES.alreadyRevealed, `seal ${toHex(id)} is revealed already`);
  if (height <= seal.height) {
    return wrong(`sealed in this very block, ${height}: reveal when it is committed (OR-3)`);
  }
  if (!opens(seal.commitment, { genesisHash, sender: seal.sender, nonce: seal.nonce }, { content, salt })) {
    return wrong(`this is not what seal ${toHex(id)} committed to`);
  }
  const parsed = parseContent(content, seal.sizeClass);
  if ('problem' in parsed) return wrong(parsed.problem);
  return { id, revealed: { ...seal, status: 'revealed', content } };
}

/** In a block. */
export function executeReveal(
  bytes: Uint8Array,
  state: StateWriter,
  height: number,
  genesisHash: Uint8Array,
): { readonly id: Uint8Array } | Refusal {
  const opened = openedBy(bytes, state, height, genesisHash);
  if ('code' in opened) return opened;
  putSeal(state, opened.id, opened.revealed);
  return opened;
}

/** For the mempool: one of each seal is pending, and it goes before what pays. */
export function checkReveal(
  bytes: Uint8Array,
  state: StateReader,
  height: number,
  genesisHash: Uint8Array,
): Pick<CheckResult, 'priority' | 'sender'> | Refusal {
  const opened = openedBy(bytes, state, height, genesisHash);
  if ('code' in opened) return opened;
  const sender = { id: `reveal/${toHex(opened.id)}`, sequence: 0n, next: 0n, cost: 0n, funds: 0n };
  return { priority: PRIORITY, sender };
}

const wrong = (log: string): Refusal => refused(CODES.revealWrong, log);

/**
 * The other chains of the genesis, as they stand in the state: what went to them and came from them, the transfers that they have
 * not acknowledged, and the epoch of theirs that is trusted. Pure. LG-30, LG-35, docs/ledger.md.
 */
import { invariant } from '../../base/invariant.ts';
import { sha256 } from '../../crypto/hash.ts';
import type { StateReader, StateWriter } from '../state/rules.ts';
import { FieldReader, FieldWriter } from './fields.ts';
import { bytesOf, textOf } from './pairs.ts';
import { ADDRESS_BYTES, DIGEST_BYTES, NUMBER_BYTES } from './widths.ts';

/** One that the genesis names. Sums are of all times, below 2^128: coins may come and go for ever. */
export interface Chain {
  readonly chainId: string;
  /** Its name in transactions; undefined until its first proof (LG-31). 32 bytes */
  readonly genesisHash: Uint8Array | undefined;
  /** received - sent stays at most this. @unit units */
  readonly creditMax: bigint;
  /** sent - received stays at most this: beyond the other's credit a transfer would hold up all behind it. @unit units */
  readonly sendMax: bigint;
  /** @unit units */
  readonly sent: bigint;
  readonly received: bigint;
  /** Of the next transfer to it; the first is 1. */
  readonly nextSequence: bigint;
  /** The oldest transfer that it has not acknowledged; `nextSequence` where there is none. */
  readonly firstSequence: bigint;
  /** Of all transfers to it: `digestAfter`. 32 bytes */
  readonly digest: Uint8Array;
}

/** How far transfers from another chain have been credited. Its pair is what that chain is shown as acknowledgement. */
export interface Inbox {
  /** Of the transfer that is credited next. */
  readonly nextSequence: bigint;
  /** Of all transfers before: `digestAfter`. 32 bytes */
  readonly digest: Uint8Array;
}

/** One transfer as it lies in the outbox of its chain until it is acknowledged. */
export interface OutboxEntry extends Transfer {
  /** Of it and all before. 32 bytes */
  readonly digest: Uint8Array;
}

export interface Transfer {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
  /** @unit units */
  readonly amount: bigint;
}

/** @unit chains @source chosen: each has two epochs of up to 50 KB in the state */
export const CHAINS_MAX = 64;
/** Two addresses, an amount. @unit bytes */
export const TRANSFER_BYTES = 2 * ADDRESS_BYTES + NUMBER_BYTES;
/** A digest before the first transfer, and a genesis hash that is not known. No hash is so. */
export const ZEROS: Uint8Array = new Uint8Array(DIGEST_BYTES);
export const FIRST_SEQUENCE = 1n;

/** Everything here is under one letter. */
const COUNT = 'bn';
const CHAIN = 'bc';
const SLOT = 'bs';
const INBOX = 'bi';
const OUTBOX = 'bo';
const TRUST = 'bt';
const TRUST_BEFORE = 'bp';
const HALTED = 'bh';

const numberText = (value: bigint): string => textOf(new FieldWriter(NUMBER_BYTES).u64(value).finish());
const slotText = (slot: number): string => String.fromCharCode(slot);

/** How many the genesis names. */
export const chainCountOf = (state: StateReader): number => state.get(COUNT)?.charCodeAt(0) ?? 0;

/** The place of the chain with this genesis hash; undefined: it is not known, or not yet open. */
export function slotOf(state: StateReader, genesisHash: Uint8Array): number | undefined {
  return state.get(SLOT + textOf(genesisHash))?.charCodeAt(0);
}

export function chainAt(state: StateReader, slot: number): Chain | undefined {
  const text = state.get(CHAIN + slotText(slot));
  return text === undefined ? undefined : readChain(bytesOf(text));
}

export function setChain(state: StateWriter, slot: number, chain: Chain): void {
  state.set(...chainPair(slot, chain));
}

export function chainPair(slot: number, chain: Chain): readonly [string, string] {
  const id = new TextEncoder().encode(chain.chainId);
  const writer = new FieldWriter(CHAIN_BYTES + id.byteLength)
    .fixed(chain.genesisHash ?? ZEROS, DIGEST_BYTES)
    .u64(chain.creditMax)
    .u64(chain.sendMax);
  for (const sum of [chain.sent, chain.received]) writer.u64(sum >> 64n).u64(BigInt.asUintN(64, sum));
  writer.u64(chain.nextSequence).u64(chain.firstSequence).fixed(chain.digest, DIGEST_BYTES);
  return [CHAIN + slotText(slot), textOf(writer.fixed(id, id.byteLength).finish())];
}

/** Genesis hash, two bounds, two sums of sixteen bytes, two sequences, digest. @unit bytes */
const CHAIN_BYTES = 2 * DIGEST_BYTES + 8 * NUMBER_BYTES;

function readChain(bytes: Uint8Array): Chain {
  const reader = new FieldReader(bytes);
  const sum = (): bigint => (reader.u64() << 64n) | reader.u64();
  const genesisHash = reader.fixed(DIGEST_BYTES);
  return {
    genesisHash: genesisHash.every((byte) => byte === 0) ? undefined : genesisHash,
    creditMax: reader.u64(),
    sendMax: reader.u64(),
    sent: sum(),
    received: sum(),
    nextSequence: reader.u64(),
    firstSequence: reader.u64(),
    digest: reader.fixed(DIGEST_BYTES),
    chainId: new TextDecoder().decode(bytes.subarray(CHAIN_BYTES)),
  };
}

export const countPair = (count: number): readonly [string, string] => [COUNT, slotText(count)];
export const slotPair = (genesisHash: Uint8Array, slot: number): readonly [string, string] => [
  SLOT + textOf(genesisHash),
  slotText(slot),
];

/** The key of what is shown to the chain of `genesisHash` as acknowledgement. */
export const inboxKey = (genesisHash: Uint8Array): string => INBOX + textOf(genesisHash);

export const inboxPair = (
  genesisHash: Uint8Array,
  { nextSequence, digest }: Inbox,
): readonly [string, string] => [
  inboxKey(genesisHash),
  textOf(new FieldWriter(INBOX_BYTES).u64(nextSequence).fixed(digest, DIGEST_BYTES).finish()),
];

export function inboxOf(state: StateReader, genesisHash: Uint8Array): Inbox {
  const text = state.get(inboxKey(genesisHash));
  invariant(text !== undefined, 'an open chain has an inbox');
  return readInbox(bytesOf(text));
}

/** @unit bytes */
export const INBOX_BYTES = NUMBER_BYTES + DIGEST_BYTES;

/** @param bytes INBOX_BYTES of them */
export function readInbox(bytes: Uint8Array): Inbox {
  const reader = new FieldReader(bytes);
  return { nextSequence: reader.u64(), digest: reader.fixed(DIGEST_BYTES) };
}

/** The key of a transfer to the chain of `genesisHash`: it is for that chain alone, and for no other of the same chain id. */
export const outboxKey = (genesisHash: Uint8Array, sequence: bigint): string =>
  OUTBOX + textOf(genesisHash) + numberText(sequence);

export function outboxEntryOf(
  state: StateReader,
  genesisHash: Uint8Array,
  sequence: bigint,
): OutboxEntry | undefined {
  const text = state.get(outboxKey(genesisHash, sequence));
  if (text === undefined) return undefined;
  const reader = new FieldReader(bytesOf(text));
  return { ...readTransfer(reader), digest: reader.fixed(DIGEST_BYTES) };
}

export const outboxValue = ({ digest, ...transfer }: OutboxEntry): string =>
  textOf(
    writeTransfer(new FieldWriter(TRANSFER_BYTES + DIGEST_BYTES), transfer)
      .fixed(digest, DIGEST_BYTES)
      .finish(),
  );

export const writeTransfer = (writer: FieldWriter, { from, to, amount }: Transfer): FieldWriter =>
  writer.fixed(from, ADDRESS_BYTES).fixed(to, ADDRESS_BYTES).u64(amount);

export const readTransfer = (reader: FieldReader): Transfer => ({
  from: reader.fixed(ADDRESS_BYTES),
  to: reader.fixed(ADDRESS_BYTES),
  amount: reader.u64(),
});

/** Of all transfers up to this one: whoever has it proven for the last of several has all of them proven. */
export const digestAfter = (before: Uint8Array, transfer: Transfer): Uint8Array =>
  sha256(before, writeTransfer(new FieldWriter(TRANSFER_BYTES), transfer).finish());

/** As `encodeTrust` writes it. */
export function trustOf(state: StateReader, slot: number): Uint8Array {
  const text = state.get(TRUST + slotText(slot));
  invariant(text !== undefined, 'the genesis wrote whom to trust');
  return bytesOf(text);
}

export const trustPair = (slot: number, trust: Uint8Array): readonly [string, string] => [
  TRUST + slotText(slot),
  textOf(trust),
];

/** Of the epoch before the trusted one; undefined where none was followed yet. */
export function trustBeforeOf(state: StateReader, slot: number): Uint8Array | undefined {
  const text = state.get(TRUST_BEFORE + slotText(slot));
  return text === undefined ? undefined : bytesOf(text);
}

export const trustBeforePair = (slot: number, trust: Uint8Array): readonly [string, string] => [
  TRUST_BEFORE + slotText(slot),
  textOf(trust),
];

/** The height of which the chain has shown two blocks (LG-37); undefined: it has not. @unit heights, of that chain */
export function haltedAt(state: StateReader, slot: number): bigint | undefined {
  const text = state.get(HALTED + slotText(slot));
  return text === undefined ? undefined : new FieldReader(bytesOf(text)).u64();
}

export const haltedPair = (slot: number, height: number): readonly [string, string] => [
  HALTED + slotText(slot),
  numberText(BigInt(height)),
];

/** What came from all other chains, less what went there: LG-6. May be below 0. @unit units */
export function netReceivedOf(state: StateReader): bigint {
  let net = 0n;
  for (let slot = 0; slot < chainCountOf(state); slot += 1) {
    const chain = chainAt(state, slot);
    if (chain !== undefined) net += chain.received - chain.sent;
  }
  return net;
}

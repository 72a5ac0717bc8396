/**
 * Seals in the state: each by its commit id; the set of a height by its places; all sets in the order of their heights, linked,
 * so that a block touches none but those that it opens, closes or forgets. Pure. LG-22, docs/ledger.md.
 */
import { invariant } from '../../../base/invariant.ts';
import { ACCUMULATOR_START } from '../../../protocol/ordering/order.ts';
import { COMMITMENT_BYTES, type SizeClass, sizeClassOf } from '../../../protocol/ordering/size-classes.ts';
import type { StateReader, StateWriter } from '../../state/rules.ts';
import { FieldReader, FieldWriter } from '../fields.ts';
import { bytesOf, textOf } from '../pairs.ts';
import { ADDRESS_BYTES } from '../widths.ts';

/**
 * `withheld`: never revealed; `failed`: revealed, and the balance did not cover it. Both have lost the deposit. `refused`: the other
 * chain that it was for takes no more; that is not its sender's doing, who has the deposit back.
 */
export const OUTCOMES = ['done', 'failed', 'withheld', 'refused'] as const;
export type SealOutcome = (typeof OUTCOMES)[number];

interface SealBase {
  /** Of the block that took it. */
  readonly height: number;
  readonly sender: Uint8Array;
  readonly nonce: bigint;
}
export interface OpenSeal extends SealBase {
  readonly status: 'sealed' | 'revealed';
  readonly deposit: bigint;
  readonly sizeClass: SizeClass;
  readonly commitment: Uint8Array;
  /** Empty until it is revealed. */
  readonly content: Uint8Array;
}
export interface EndedSeal extends SealBase {
  readonly status: SealOutcome;
  readonly closedAt: number;
  /** In the order of its set, from 0; of one withheld: behind all that were revealed. */
  readonly place: number;
}
export type SealRecord = OpenSeal | EndedSeal;

/** The set of one height. Heights of 0 are none. */
export interface SealedSet {
  /** Of the block that opened it. @unit ms */
  readonly time: number;
  readonly count: number;
  /** Of the classes of all its seals: what its close may have to do. @unit transfers */
  readonly places: number;
  /** The height of the next set. */
  readonly next: number;
  readonly closedAt: number;
}

/** Where the sets are, and the sums over those that are open. */
export interface SealQueue {
  readonly accumulator: Uint8Array;
  /** The oldest set that is remembered, the oldest that is open, and the newest; 0: there is none. */
  readonly remembered: number;
  readonly open: number;
  readonly newest: number;
  readonly openSeals: number;
  /** Held for open seals (LG-6). @unit units */
  readonly deposits: bigint;
}

const [SEAL, SET, PLACE, QUEUE, OF_SENDER] = ['Ss', 'Sw', 'Si', 'Sq', 'Sn'];
const STATES = ['sealed', 'revealed', ...OUTCOMES] as const;
const NO_QUEUE: SealQueue = {
  ...{ accumulator: ACCUMULATOR_START, remembered: 0, open: 0, newest: 0, openSeals: 0, deposits: 0n },
};

export function queueOf(state: StateReader): SealQueue {
  const text = state.get(QUEUE);
  if (text === undefined) return NO_QUEUE;
  const reader = new FieldReader(bytesOf(text));
  return {
    accumulator: reader.fixed(ACCUMULATOR_START.byteLength),
    remembered: Number(reader.u64()),
    open: Number(reader.u64()),
    newest: Number(reader.u64()),
    openSeals: Number(reader.u64()),
    deposits: reader.u64(),
  };
}

export function setQueue(state: StateWriter, queue: SealQueue): void {
  if (queue.newest === 0) {
    state.delete(QUEUE);
    return;
  }
  const writer = new FieldWriter(ACCUMULATOR_START.byteLength + 5 * 8)
    .fixed(queue.accumulator, ACCUMULATOR_START.byteLength)
    .u64(BigInt(queue.remembered))
    .u64(BigInt(queue.open))
    .u64(BigInt(queue.newest))
    .u64(BigInt(queue.openSeals))
    .u64(queue.deposits);
  state.set(QUEUE, textOf(writer.finish()));
}

const numbered = (...numbers: readonly number[]): string => {
  const writer = new FieldWriter(8 * numbers.length);
  for (const number of numbers) writer.u64(BigInt(number));
  return textOf(writer.finish());
};

export function setOf(state: StateReader, height: number): SealedSet | undefined {
  const text = state.get(SET + numbered(height));
  if (text === undefined) return undefined;
  const reader = new FieldReader(bytesOf(text));
  const [time, count, places] = [Number(reader.u64()), Number(reader.u64()), Number(reader.u64())];
  return { time, count, places, next: Number(reader.u64()), closedAt: Number(reader.u64()) };
}

export const putSet = (
  state: StateWriter,
  height: number,
  { time, count, places, next, closedAt }: SealedSet,
): void => state.set(SET + numbered(height), numbered(time, count, places, next, closedAt));

/** Ids of a set's seals, in the order in which they were committed. */
export const idsOf = (state: StateReader, height: number, { count }: SealedSet): readonly Uint8Array[] =>
  Array.from({ length: count }, (_, index) => {
    const text = state.get(PLACE + numbered(height, index));
    invariant(text !== undefined, 'a set names as many seals as it counts');
    return bytesOf(text);
  });

export const putId = (state: StateWriter, height: number, index: number, id: Uint8Array): void =>
  state.set(PLACE + numbered(height, index), textOf(id));

/** A set, and what became of its seals. */
export function forgetSet(state: StateWriter, height: number, set: SealedSet): void {
  idsOf(state, height, set).forEach((id, index) => {
    state.delete(SEAL + textOf(id));
    state.delete(PLACE + numbered(height, index));
  });
  state.delete(SET + numbered(height));
}

export function sealOf(state: StateReader, id: Uint8Array): SealRecord | undefined {
  const text = state.get(SEAL + textOf(id));
  if (text === undefined) return undefined;
  const bytes = bytesOf(text);
  const reader = new FieldReader(bytes);
  const status = STATES[reader.u8()];
  const [height, nonce, sender] = [Number(reader.u64()), reader.u64(), reader.fixed(ADDRESS_BYTES)];
  if (status !== 'sealed' && status !== 'revealed') {
    invariant(status !== undefined, 'a seal has a status');
    const [closedAt, place] = [Number(reader.u64()), Number(reader.u64())];
    return { height, nonce, sender, status, closedAt, place };
  }
  const deposit = reader.u64();
  const sizeClass = sizeClassOf(reader.u8());
  invariant(sizeClass !== undefined, 'a seal has a class');
  const commitment = reader.fixed(COMMITMENT_BYTES);
  const content = reader.fixed(bytes.byteLength - OPEN_BYTES);
  return { height, nonce, sender, status, deposit, sizeClass, commitment, content };
}

/** Status, height, nonce, sender. @unit bytes */
const HEAD_BYTES = 1 + 8 + 8 + ADDRESS_BYTES;
/** Of an open one without its content. @unit bytes */
const OPEN_BYTES = HEAD_BYTES + 8 + 1 + COMMITMENT_BYTES;

export function putSeal(state: StateWriter, id: Uint8Array, seal: SealRecord): void {
  const isOpen = 'commitment' in seal;
  const writer = new FieldWriter(isOpen ? OPEN_BYTES + seal.content.byteLength : HEAD_BYTES + 16)
    .u8(STATES.indexOf(seal.status))
    .u64(BigInt(seal.height))
    .u64(seal.nonce)
    .fixed(seal.sender, ADDRESS_BYTES);
  if (isOpen) {
    writer.u64(seal.deposit).u8(seal.sizeClass).fixed(seal.commitment, COMMITMENT_BYTES);
    writer.fixed(seal.content, seal.content.byteLength);
  } else writer.u64(BigInt(seal.closedAt)).u64(BigInt(seal.place));
  state.set(SEAL + textOf(id), textOf(writer.finish()));
}

export function openSealsOf(state: StateReader, sender: Uint8Array): number {
  const text = state.get(OF_SENDER + textOf(sender));
  return text === undefined ? 0 : Number(new FieldReader(bytesOf(text)).u64());
}

export function setOpenSealsOf(state: StateWriter, sender: Uint8Array, count: number): void {
  if (count === 0) state.delete(OF_SENDER + textOf(sender));
  else state.set(OF_SENDER + textOf(sender), numbered(count));
}

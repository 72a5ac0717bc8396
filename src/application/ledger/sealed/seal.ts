/** A seal: a commitment to transfers, its fee, and a deposit. Pure. LG-20 to LG-22, docs/ledger.md. */
import { commitIdOf } from '../../../protocol/ordering/commitment.ts';
import type { SIZE_CLASSES, SizeClass } from '../../../protocol/ordering/size-classes.ts';
import type { BlockContext, StateReader, StateWriter } from '../../state/rules.ts';
import { debit } from '../accounts.ts';
import { CODES, type Refusal, refused } from '../codes.ts';
import type { Payload, Transaction } from '../transaction.ts';
import { placesOf } from './content.ts';
import { type OrderingParameters, orderingOf } from './parameters.ts';
import {
  openSealsOf,
  putId,
  putSeal,
  putSet,
  queueOf,
  type SealQueue,
  setOf,
  setOpenSealsOf,
  setQueue,
} from './records.ts';

type SealPayload = Extract<Payload, { readonly kind: 'seal' }>;

export const depositOf = ({ deposit }: OrderingParameters, sizeClass: SizeClass): bigint =>
  deposit * BigInt(placesOf(sizeClass));

/**
 * LG-20: what this chain takes in the open, and what it takes sealed, for free: before signature, fee and nonce. A stake or a
 * registration moves nobody else's coins and must not wait, and a proof of another chain says what that one has decided; what moves
 * coins to others is sealed.
 */
export function refusalOfOrdering({ payload }: Transaction, state: StateReader): Refusal | undefined {
  const ordering = orderingOf(state);
  if (ordering === undefined) {
    if (payload.kind !== 'seal') return undefined;
    return refused(CODES.malformed, 'this chain orders transfers plainly: send a transfer, not a seal');
  }
  if (payload.kind === 'transfer' || payload.kind === 'send') {
    return refused(
      CODES.sealingWanted,
      'this chain takes transfers sealed only, also those to other chains: seal it, then reveal it',
    );
  }
  if (payload.kind !== 'seal' || queueOf(state).openSeals < ordering.openMax) return undefined;
  return refused(CODES.tooManySeals, `${ordering.openMax} seals are open, the most of this chain: wait`);
}

/** LG-22: one account's open seals have a bound, so that a good place in the order has a price. */
export function refusalOfSender(
  state: StateReader,
  sender: Uint8Array,
  { perSenderMax }: OrderingParameters,
): Refusal | undefined {
  const open = openSealsOf(state, sender);
  if (open < perSenderMax) return undefined;
  return refused(
    CODES.tooManySeals,
    `this account has ${open} open seals, the most: wait until one is executed`,
  );
}

export interface SealContext {
  readonly state: StateWriter;
  readonly block: BlockContext;
  readonly sender: Uint8Array;
}

export function seal(
  { state, block, sender }: SealContext,
  { sizeClass, commitment }: SealPayload,
  { nonce }: Pick<Transaction, 'nonce'>,
): Refusal | undefined {
  const ordering = orderingOf(state);
  if (ordering === undefined) return refused(CODES.malformed, 'this chain orders transfers plainly');
  const deposit = depositOf(ordering, sizeClass);
  const refusal = refusalOfSender(state, sender, ordering) ?? debit(state, sender, deposit);
  if (refusal !== undefined) return refusal;
  const { height } = block;
  const id = commitIdOf({ sender, nonce }, commitment);
  const content = new Uint8Array(0);
  putSeal(state, id, { status: 'sealed', height, sender, nonce, deposit, sizeClass, commitment, content });
  setOpenSealsOf(state, sender, openSealsOf(state, sender) + 1);
  const set = setOf(state, height);
  const { count, places } = set ?? { count: 0, places: 0 };
  putId(state, height, count, id);
  const more = { count: count + 1, places: places + placesOf(sizeClass) };
  putSet(state, height, { ...(set ?? { time: block.time, next: 0, closedAt: 0 }), ...more });
  const queue = set === undefined ? appended(state, height) : queueOf(state);
  setQueue(state, { ...queue, openSeals: queue.openSeals + 1, deposits: queue.deposits + deposit });
  return undefined;
}

/** With the set of this height as its newest. */
function appended(state: StateWriter, height: number): SealQueue {
  const queue = queueOf(state);
  const last = setOf(state, queue.newest);
  if (last !== undefined) putSet(state, queue.newest, { ...last, next: height });
  const remembered = queue.remembered === 0 ? height : queue.remembered;
  return { ...queue, remembered, open: queue.open === 0 ? height : queue.open, newest: height };
}

/** For `/fee`: the work of a seal, by its class. */
export const SEAL_WORK: Readonly<Record<`seal_${(typeof SIZE_CLASSES)[number]['name']}`, bigint>> = {
  seal_small: sealWorkOf(0),
  seal_medium: sealWorkOf(1),
  seal_large: sealWorkOf(2),
};

/** Its own verification and writes, its reveal, and each transfer at the close. @unit work */
export function sealWorkOf(sizeClass: SizeClass): bigint {
  return 2n + BigInt(placesOf(sizeClass));
}

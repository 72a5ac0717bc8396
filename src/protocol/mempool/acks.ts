/**
 * Who holds which batch: counted by power, told to all, told again with growing pauses while a batch waits.
 * Everybody's acknowledgements go to everybody, so that any leader can name any author's batch (CS-9, MP-5, MP-6).
 * One message a few milliseconds carries all of them. Pure.
 */
import { type Monotonic, monotonic } from '../../base/units.ts';
import type { Address, BatchDigest, ValidatorSet } from '../chain/types.ts';
import { isValidator } from '../chain/validator-set.ts';
import type { BatchAckMessage } from '../consensus/types.ts';
import type { Effect } from '../supervision/effect.ts';
import { lookup, valuesOf, withEntry, withoutEntry } from './sharded-map.ts';
import {
  accusing,
  type BatchEntry,
  isProposable,
  type MempoolState,
  others,
  type Step,
  sending,
  tell,
  unchanged,
  withBatch,
  withErrand,
} from './state.ts';

/** Counts a validator's acknowledgements; those of batches not yet here wait, bounded per validator (MP-5). */
export function receiveAcks(state: MempoolState, from: Address, message: BatchAckMessage): Step {
  const index = state.validators.indexByAddress.get(from);
  if (index === undefined) return accusing(state, from, 'NOT_A_VALIDATOR');
  const { digests } = message;
  if (digests.length > state.config.digestsPerMessageMax) return accusing(state, from, 'TOO_MANY_DIGESTS');
  const bit = 1n << BigInt(index);
  const power = state.validators.validators[index]?.power ?? 0n;
  const early: BatchDigest[] = [];
  let next = state;
  for (const digest of digests) {
    const entry = lookup(next.batches, digest);
    if (entry === undefined) early.push(digest);
    else if ((entry.acks & bit) === 0n) {
      next = withBatch(next, { ...entry, acks: entry.acks | bit, ackPower: entry.ackPower + power });
    }
  }
  return unchanged(withEarlyAcks(next, from, bit, early));
}

/** Sends the acknowledgements that are due, at most one message an interval; the own one comes back by the router. */
export function flushAcks(state: MempoolState, now: Monotonic): Step {
  if (state.acksDue.length === 0) return unchanged(state);
  const due = monotonic(state.ackedAt + state.config.ackInterval);
  if (now < due) {
    const wait: Effect = {
      kind: 'startTimer',
      key: 'acks',
      delayMs: due - now,
      message: { type: 'acks.due' },
    };
    return { state, effects: [wait] };
  }
  return { state: { ...state, acksDue: [], ackedAt: now }, effects: acksTo(state, 'all', state.acksDue) };
}

/** A validator came (back): it hears what this node holds, and soon gets the own batches that it lacks (MP-6). */
export function greet(state: MempoolState, peer: Address, now: Monotonic): Step {
  const index = state.validators.indexByAddress.get(peer);
  if (index === undefined || peer === state.author) return unchanged(state);
  const bit = 1n << BigInt(index);
  const durable = valuesOf(state.batches).filter(({ storage }) => storage.status === 'durable');
  const next = durable.reduce((at, entry) => {
    if (entry.own === undefined || (entry.acks & bit) !== 0n || entry.storage.status !== 'durable') return at;
    return withBatch(at, { ...entry, storage: { ...entry.storage, retryAt: now } });
  }, state);
  const digests = durable.map(({ digest }) => digest).sort();
  return { state: next, effects: acksTo(state, [peer], digests) };
}

/** What waited too long is acknowledged again; an own batch goes again to those who have not acknowledged it (MP-6). */
export function retryBatches(state: MempoolState, now: Monotonic): Step {
  const due = valuesOf(state.batches)
    .filter(({ storage }) => storage.status === 'durable' && storage.retryAt <= now)
    .sort(bySequence)
    .slice(0, state.config.resendsPerTickMax);
  if (due.length === 0) return unchanged(state);
  const lacking = new Map<BatchDigest, readonly Address[]>();
  const retried = due.reduce((at, entry) => {
    if (entry.own !== undefined) {
      const to = others(state).filter((address) => !hasAcked(state.validators, entry, address));
      if (to.length > 0) lacking.set(entry.digest, to);
    }
    return withBatch(at, { ...entry, storage: nextRetry(state, entry, now) });
  }, state);
  const acked = { ...retried, acksDue: [...retried.acksDue, ...due.map(({ digest }) => digest)] };
  if (lacking.size === 0) return unchanged(acked);
  const { state: asked, tag } = withErrand(acked, { kind: 'resend', to: lacking });
  const { storage, self } = state.addresses;
  const digests = [...lacking.keys()];
  return {
    state: asked,
    effects: [tell(storage, { type: 'batches.requested', replyTo: self, tag, digests })],
  };
}

/** When the first batch is due again; infinity when none waits. @unit ms */
export function nextRetryDue({ batches }: MempoolState): number {
  let due = Number.POSITIVE_INFINITY;
  for (const { storage } of valuesOf(batches)) {
    if (storage.status === 'durable') due = Math.min(due, storage.retryAt);
  }
  return due;
}

/** A new entry, with the acknowledgements that came before it. */
export function weighed(state: MempoolState, entry: Omit<BatchEntry, 'acks' | 'ackPower'>): BatchEntry {
  const acks = lookup(state.earlyAcks, entry.digest) ?? 0n;
  return { ...entry, acks, ackPower: powerOfMask(state.validators, acks) };
}

/** The same acknowledgements by the bits and powers of another validator set. */
export function reweigh(state: MempoolState, validators: ValidatorSet): MempoolState {
  const moved = (acks: bigint): bigint =>
    state.validators.validators.reduce((mask, { address }, index) => {
      const to = validators.indexByAddress.get(address);
      return to === undefined || ((acks >> BigInt(index)) & 1n) === 0n ? mask : mask | (1n << BigInt(to));
    }, 0n);
  const entries = valuesOf(state.batches).map((entry): BatchEntry => {
    const acks = moved(entry.acks);
    return { ...entry, acks, ackPower: powerOfMask(validators, acks) };
  });
  const batches = entries.reduce((map, entry) => withEntry(map, entry.digest, entry), state.batches);
  const proposable = entries.filter((entry) => isProposable(entry, validators)).length;
  const early = new Map([...state.earlyAckQueues].filter(([address]) => isValidator(validators, address)));
  let earlyAcks = state.earlyAcks;
  for (const queue of state.earlyAckQueues.values()) {
    for (const digest of queue) earlyAcks = withoutEntry(earlyAcks, digest);
  }
  const cleared: MempoolState = {
    ...state,
    validators,
    batches,
    proposable,
    endedSequences: new Map(
      [...state.endedSequences].filter(([address]) => isValidator(validators, address)),
    ),
    earlyAcks,
    earlyAckQueues: new Map(),
  };
  return [...early].reduce((at, [address, digests]) => {
    const index = validators.indexByAddress.get(address) ?? 0;
    return withEarlyAcks(at, address, 1n << BigInt(index), digests);
  }, cleared);
}

export const bySequence = (left: BatchEntry, right: BatchEntry): number =>
  left.sequence - right.sequence || (left.digest < right.digest ? -1 : 1);

const hasAcked = (validators: ValidatorSet, entry: BatchEntry, address: Address): boolean =>
  ((entry.acks >> BigInt(validators.indexByAddress.get(address) ?? 0)) & 1n) === 1n;

function nextRetry(state: MempoolState, entry: BatchEntry, now: Monotonic): BatchEntry['storage'] {
  if (entry.storage.status !== 'durable') return entry.storage;
  const retries = entry.storage.retries + 1;
  const pause = Math.min(state.config.resendMax, state.config.resendMin * 2 ** retries);
  return { status: 'durable', retries, retryAt: monotonic(now + pause) };
}

function acksTo(
  state: MempoolState,
  to: 'all' | readonly Address[],
  digests: readonly BatchDigest[],
): readonly Effect[] {
  const size = state.config.digestsPerMessageMax;
  const chunks = Array.from({ length: Math.ceil(digests.length / size) }, (_, index) =>
    digests.slice(index * size, (index + 1) * size),
  );
  return sending(
    state,
    chunks.map((chunk) => ({ to, message: { kind: 'BatchAck', digests: chunk } })),
  );
}

function withEarlyAcks(
  state: MempoolState,
  from: Address,
  bit: bigint,
  digests: readonly BatchDigest[],
): MempoolState {
  const fresh: BatchDigest[] = [];
  let { earlyAcks } = state;
  for (const digest of digests) {
    const acks = lookup(earlyAcks, digest) ?? 0n;
    if ((acks & bit) !== 0n || lookup(state.named, digest) === true) continue;
    earlyAcks = withEntry(earlyAcks, digest, acks | bit);
    fresh.push(digest);
  }
  if (fresh.length === 0) return state;
  const queue = [...(state.earlyAckQueues.get(from) ?? []), ...fresh];
  const surplus = Math.max(0, queue.length - state.config.earlyAcksMax);
  for (const digest of queue.splice(0, surplus)) {
    const acks = (lookup(earlyAcks, digest) ?? 0n) & ~bit;
    earlyAcks = acks === 0n ? withoutEntry(earlyAcks, digest) : withEntry(earlyAcks, digest, acks);
  }
  return { ...state, earlyAcks, earlyAckQueues: new Map(state.earlyAckQueues).set(from, queue) };
}

function powerOfMask(validators: ValidatorSet, acks: bigint): bigint {
  return validators.validators.reduce(
    (power, validator, index) => (((acks >> BigInt(index)) & 1n) === 0n ? power : power + validator.power),
    0n,
  );
}

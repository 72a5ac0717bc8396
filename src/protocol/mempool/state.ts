/**
 * What a mempool knows: transactions on their way into batches, batches that no committed block names, and who
 * holds them. A plain value; every rule of this folder maps it and one message to the next and to effects. Pure.
 * Rules MP-1 to MP-12, docs/protocol/mempool.md.
 */
import { type Monotonic, monotonic } from '../../base/units.ts';
import { GENESIS_HEIGHT } from '../chain/ordinals.ts';
import type { Address, BatchDigest, BatchReference, Digest, Height, ValidatorSet } from '../chain/types.ts';
import type { Outgoing } from '../consensus/types.ts';
import type { SenderPlace } from '../ports/application.ts';
import type { Admission } from '../ports/mempool.ts';
import type { CellAddress, Effect, Message } from '../supervision/effect.ts';
import { type Clients, NO_CLIENTS } from './clients.ts';
import type { MempoolConfig } from './config.ts';
import { EMPTY_FINGERPRINTS, type FingerprintSet, withoutFingerprints } from './fingerprints.ts';
import { type Pacing, START_PACING } from './pacing.ts';
import { NO_SENDERS, released, type Senders } from './senders.ts';
import { emptyMap, lookup, type ShardedMap, withEntry, withoutEntry } from './sharded-map.ts';

/** The cells that a mempool speaks to. */
export interface MempoolAddresses {
  readonly self: CellAddress;
  readonly storage: CellAddress;
  readonly executor: CellAddress;
  readonly network: CellAddress;
  /** Takes the operations of a node that is no validator any more. */
  readonly bridge: CellAddress;
  /** Told `work.changed`. */
  readonly pacemakers: readonly CellAddress[];
  /** Told `transactions.expired`. */
  readonly listeners: readonly CellAddress[];
}

/** A checked transaction that waits for its batch. */
export interface OpenTransaction {
  readonly submission: number;
  readonly position: number;
  readonly hash: Digest;
  readonly bytes: Uint8Array;
  readonly priority: bigint;
  readonly sender?: Pick<SenderPlace, 'id' | 'sequence'>;
}

/** One `transactions.submitted` that is not answered yet. `refused` by position; all others are on their way. */
export interface Submission {
  readonly id: number;
  readonly replyTo: CellAddress;
  readonly tag: number;
  readonly hashes: readonly Digest[];
  readonly refused: ReadonlyMap<number, Admission>;
  readonly stage:
    | {
        readonly status: 'checking';
        readonly positions: readonly number[];
        readonly transactions: readonly Uint8Array[];
        readonly until: Monotonic;
      }
    /** `left` transactions are open or in batches that are not durable yet. */
    | { readonly status: 'sealing'; readonly left: number };
}

/** Which transactions of which submission a batch carries. */
export interface BatchPart {
  readonly submission: number;
  readonly positions: readonly number[];
}

/** A batch that this node holds, or is about to, and that no committed block names. */
export interface BatchEntry extends BatchReference {
  readonly author: Address;
  readonly sequence: number;
  readonly expiresAtHeight: Height;
  readonly storage:
    | { readonly status: 'persisting'; readonly encoding: Uint8Array }
    | { readonly status: 'durable'; readonly retryAt: Monotonic; readonly retries: number };
  /** One bit a validator, by its index in the set, that says it holds the batch durably. */
  readonly acks: bigint;
  readonly ackPower: bigint;
  /** When it came from its author itself; absent while it only came from another, for the author is not signed. */
  readonly fromAuthorAt?: Monotonic;
  /** Of this node's own batches only. */
  readonly own?: OwnBatch;
}

export interface OwnBatch {
  readonly hashes: readonly Digest[];
  /** Of each transaction. @unit bytes */
  readonly lengths: readonly number[];
  readonly parts: readonly BatchPart[];
}

/** The executor is asked what of a recovered batch of this node is executed already, and whose the rest is (MP-3, MP-13). */
export interface Recheck extends Pick<OwnBatch, 'hashes' | 'lengths'> {
  readonly digest: BatchDigest;
  /** How often it was asked. */
  readonly attempts: number;
  /** Asked again then. */
  readonly dueAt: Monotonic;
}

/** An asker that waits for batches, known by its address and tag. `missing` empties as they become durable here. */
export interface Want {
  readonly replyTo: CellAddress;
  readonly tag: number;
  readonly height?: Height;
  /** As it was asked: the same again is a repetition. */
  readonly references: readonly BatchReference[];
  readonly missing: ReadonlyMap<BatchDigest, BatchReference>;
}

/** A batch that somebody wants and that this node does not hold. */
export interface Fetch {
  readonly digest: BatchDigest;
  /** Who is asked, in turn. */
  readonly holders: readonly Address[];
  readonly stage: /** Storage has not answered yet; a holder is asked when that takes until `dueAt`. */
    | { readonly status: 'looking' | 'persisting'; readonly dueAt: Monotonic }
    | { readonly status: 'asking'; readonly attempts: number; readonly dueAt: Monotonic };
}

/** A request to storage whose answer names only its tag. */
export type StorageErrand =
  | { readonly kind: 'recover' }
  | { readonly kind: 'persist'; readonly digests: readonly BatchDigest[] }
  | { readonly kind: 'look'; readonly digests: readonly BatchDigest[] }
  | {
      readonly kind: 'serve';
      readonly to: Address;
      readonly rest: readonly BatchDigest[];
      readonly bytesLeft: number;
    }
  /** `tags` are those of the rechecks. */
  | { readonly kind: 'recheck'; readonly tags: ReadonlyMap<BatchDigest, number> }
  | { readonly kind: 'resend'; readonly to: ReadonlyMap<BatchDigest, readonly Address[]> };

export type FoundBatch = { readonly digest: BatchDigest; readonly bytes: Uint8Array };

export interface MempoolState {
  readonly config: MempoolConfig;
  readonly addresses: MempoolAddresses;
  /** This node's validator address. */
  readonly author: Address;
  readonly validators: ValidatorSet;
  /** Copies: the owners are round-manager and the executor. */
  readonly committedHeight: Height;
  readonly executedHeight: Height;
  readonly nextTag: number;
  readonly nextSequence: number;
  readonly errands: ReadonlyMap<number, StorageErrand>;
  /** Recovered batches that the executor is asked about, by tag, until it answers or all of theirs has ended. */
  readonly rechecks: ReadonlyMap<number, Recheck>;
  /** Every transaction of this node between its submission and its refusal, execution or expiry. */
  readonly pending: FingerprintSet;
  /** @unit bytes */
  readonly pendingBytes: number;
  /** Of the pending ones that the application has named a sender of. */
  readonly senders: Senders;
  readonly clients: Clients;
  readonly submissions: ShardedMap<number, Submission>;
  readonly open: readonly OpenTransaction[];
  /** What `open` would take in a batch. @unit bytes */
  readonly openBytes: number;
  readonly sealedAt: Monotonic;
  /** What batches and blocks carry at present (BR-11). */
  readonly pacing: Pacing;
  readonly batches: ShardedMap<BatchDigest, BatchEntry>;
  readonly held: ReadonlyMap<Address, { readonly batches: number; readonly bytes: number }>;
  /** The highest sequence of each validator's batches that left: the next one is expected to follow it (MP-8). */
  readonly endedSequences: ReadonlyMap<Address, number>;
  /** Batches that a block could name (CS-9). */
  readonly proposable: number;
  /** No entry of `batches` expires below this. */
  readonly earliestExpiry: number;
  /** Acknowledgements of batches that are not here yet, and by whom, oldest first. */
  readonly earlyAcks: ShardedMap<BatchDigest, bigint>;
  readonly earlyAckQueues: ReadonlyMap<Address, readonly BatchDigest[]>;
  readonly acksDue: readonly BatchDigest[];
  readonly ackedAt: Monotonic;
  /** Named by committed blocks of the last `batchTtlHeights`: they never come back. */
  readonly named: ShardedMap<BatchDigest, true>;
  readonly namedLog: readonly { readonly height: Height; readonly digests: readonly BatchDigest[] }[];
  readonly wants: readonly Want[];
  readonly fetches: ShardedMap<BatchDigest, Fetch>;
  /** When the tick is due; absent while it rests. */
  readonly tickAt: Monotonic | undefined;
}

/** The next state and what is to be done, in order. */
export interface Step {
  readonly state: MempoolState;
  readonly effects: readonly Effect[];
}

export interface MempoolStart {
  readonly config: MempoolConfig;
  readonly addresses: MempoolAddresses;
  readonly author: Address;
  readonly validators: ValidatorSet;
}

/** Nothing held, nothing heard, at `now`: the first batch and the first acknowledgement need not wait. */
export const emptyMempool = (input: MempoolStart, now: Monotonic): MempoolState => ({
  ...input,
  committedHeight: GENESIS_HEIGHT,
  executedHeight: GENESIS_HEIGHT,
  nextTag: 1,
  nextSequence: 0,
  errands: new Map(),
  rechecks: new Map(),
  pending: EMPTY_FINGERPRINTS,
  pendingBytes: 0,
  senders: NO_SENDERS,
  clients: NO_CLIENTS,
  submissions: emptyMap(),
  open: [],
  openBytes: 0,
  sealedAt: monotonic(now - input.config.sealInterval),
  pacing: START_PACING,
  batches: emptyMap(),
  held: new Map(),
  endedSequences: new Map(),
  proposable: 0,
  earliestExpiry: Number.POSITIVE_INFINITY,
  earlyAcks: emptyMap(),
  earlyAckQueues: new Map(),
  acksDue: [],
  ackedAt: monotonic(now - input.config.ackInterval),
  named: emptyMap(),
  namedLog: [],
  wants: [],
  fetches: emptyMap(),
  tickAt: undefined,
});

export const unchanged = (state: MempoolState): Step => ({ state, effects: [] });

/** One rule after the other, effects in that order. */
export function chained(state: MempoolState, ...rules: readonly ((state: MempoolState) => Step)[]): Step {
  const effects: Effect[] = [];
  let current = state;
  for (const rule of rules) {
    const step = rule(current);
    current = step.state;
    for (const effect of step.effects) effects.push(effect);
  }
  return { state: current, effects };
}

export const tell = (to: CellAddress, message: Message): Effect => ({ kind: 'tell', to, message });

/** To the network; nothing when there is nobody to send to. */
export const sending = (state: MempoolState, outgoing: readonly Outgoing[]): readonly Effect[] =>
  outgoing.length === 0 ? [] : [tell(state.addresses.network, { type: 'network.sendRequested', outgoing })];

/** A peer sent what an honest one does not (TP-6). */
export const accusing = (state: MempoolState, peer: Address, code: string): Step => ({
  state,
  effects: [tell(state.addresses.network, { type: 'peer.misbehaved', peer, code })],
});

/** Every validator but this node. */
export const others = (state: MempoolState): readonly Address[] =>
  state.validators.validators.flatMap(({ address }) => (address === state.author ? [] : [address]));

/** True when a block may name the batch (CS-9). */
export const isProposable = (entry: BatchEntry, validators: ValidatorSet): boolean =>
  entry.storage.status === 'durable' && entry.ackPower >= validators.quorumPower;

/** Gives back the room of those among `hashes` that still are pending; `lengths` are their bytes by position. */
export function withoutPending(
  state: MempoolState,
  hashes: readonly Digest[],
  lengths: readonly number[],
): MempoolState {
  const { set, removed } = withoutFingerprints(state.pending, hashes);
  const bytes = removed.reduce((sum, position) => sum + (lengths[position] ?? 0), 0);
  return {
    ...state,
    pending: set,
    pendingBytes: state.pendingBytes - bytes,
    senders: released(state.senders, hashes),
  };
}

/** The state with a new or changed entry; counts per author follow. */
export function withBatch(state: MempoolState, entry: BatchEntry): MempoolState {
  const before = lookup(state.batches, entry.digest);
  const proposable =
    state.proposable +
    Number(isProposable(entry, state.validators)) -
    Number(before !== undefined && isProposable(before, state.validators));
  const batches = withEntry(state.batches, entry.digest, entry);
  if (before !== undefined) return { ...state, batches, proposable };
  return {
    ...state,
    batches,
    proposable,
    earlyAcks: withoutEntry(state.earlyAcks, entry.digest),
    held: countedFor(state.held, entry, 1),
    earliestExpiry: Math.min(state.earliestExpiry, entry.expiresAtHeight),
  };
}

export function withoutBatch(state: MempoolState, digest: BatchDigest): MempoolState {
  const entry = lookup(state.batches, digest);
  if (entry === undefined) return state;
  return {
    ...state,
    batches: withoutEntry(state.batches, digest),
    proposable: state.proposable - Number(isProposable(entry, state.validators)),
    held: countedFor(state.held, entry, -1),
    endedSequences: endedWith(state.endedSequences, entry),
  };
}

/** A fresh tag for a request to storage, remembered until it is answered. */
export function withErrand(
  state: MempoolState,
  errand: StorageErrand,
): { readonly state: MempoolState; readonly tag: number } {
  const tag = state.nextTag;
  return { state: { ...state, nextTag: tag + 1, errands: new Map(state.errands).set(tag, errand) }, tag };
}

/** The errand of an answered tag, taken out; undefined when it was answered before. */
export function takeErrand(
  state: MempoolState,
  tag: number,
): { readonly state: MempoolState; readonly errand: StorageErrand | undefined } {
  const errand = state.errands.get(tag);
  if (errand === undefined) return { state, errand };
  const errands = new Map(state.errands);
  errands.delete(tag);
  return { state: { ...state, errands }, errand };
}

/** A batch that did not come from its author counts where it was the next: another's invention moves nothing far. */
function endedWith(
  ended: MempoolState['endedSequences'],
  { author, sequence, fromAuthorAt }: BatchEntry,
): MempoolState['endedSequences'] {
  const before = ended.get(author);
  const isNext = before !== undefined && sequence === before + 1;
  if (!isNext && (fromAuthorAt === undefined || sequence <= (before ?? -1))) return ended;
  return new Map(ended).set(author, sequence);
}

function countedFor(held: MempoolState['held'], entry: BatchEntry, sign: 1 | -1): MempoolState['held'] {
  const counts = held.get(entry.author) ?? { batches: 0, bytes: 0 };
  const next = { batches: counts.batches + sign, bytes: counts.bytes + sign * entry.bytes };
  const changed = new Map(held);
  if (next.batches === 0) changed.delete(entry.author);
  else changed.set(entry.author, next);
  return changed;
}

/**
 * What peers have left of their rates. Kept by the carrier, by node id and by address, so that a new connection brings nothing new;
 * since node ids are free, guests have one bucket together too. Mutable, bounded; knows no socket. Rule TP-5, docs/protocol/transport.md.
 */
import type { Millis, Monotonic } from '../base/units.ts';
import {
  type Bucket,
  type BucketRate,
  fullBucket,
  oweTokens,
  takeTokens,
} from '../protocol/transport/bucket.ts';
import { KINDS, type WireKind } from '../protocol/transport/kinds.ts';
import { type GuestRates, type HandingRates, PEER_QUOTA } from '../protocol/transport/limits.ts';
import type { NodeId } from '../protocol/transport/messages.ts';
import { networkOfEndpoint } from '../protocol/transport/networks.ts';

/** What the inbox of one link asks. */
export interface PeerRates {
  /** One frame of this kind; false above the kind's rate. */
  takeFrame(kind: WireKind, now: Monotonic): boolean;
  /** Of all kinds: how long to rest until nothing is owed. */
  oweBytes(bytes: number, now: Monotonic): Millis;
  /** What a node that is no validator hands over; false, and nothing is taken, where one of its buckets has too little. */
  takeOperations(operations: number, bytes: number, now: Monotonic): boolean;
}

/** Node ids whose rates are remembered, some 3 KB each; that which connected longest ago is forgotten. @source twice the largest set */
const PEERS_MAX = 1_024;
/** Guests' ids and addresses whose share is remembered; as above. The bucket of all bounds those that come back as new. */
const SHARES_MAX = 4_096;

export class RateBook {
  readonly #guests: GuestRates;
  readonly #kept: ReadonlySet<NodeId>;
  readonly #peers = new Map<NodeId, FrameRates>();
  readonly #shares = new Map<string, HandingBuckets>();
  readonly #all: HandingBuckets;

  /** @param kept nodes that the operator names: their share is theirs alone, whatever others do */
  constructor(guests: GuestRates, kept: ReadonlySet<NodeId>) {
    this.#guests = guests;
    this.#kept = kept;
    this.#all = new HandingBuckets(guests.all);
  }

  /** @param remote `host:port` of the other end */
  of(peer: NodeId, remote: string): PeerRates {
    const { each } = this.#guests;
    const frames = touched(this.#peers, peer, PEERS_MAX, () => new FrameRates());
    const shareOf = (key: string): HandingBuckets =>
      touched(this.#shares, key, SHARES_MAX, () => new HandingBuckets(each));
    const buckets = this.#kept.has(peer)
      ? [shareOf(peer)]
      : [shareOf(peer), shareOf(`from ${networkOfEndpoint(remote)}`), this.#all];
    return {
      takeFrame: (kind, now) => frames.take(kind, now),
      oweBytes: (bytes, now) => frames.owe(bytes, now),
      takeOperations(operations, bytes, now) {
        if (!buckets.every((one) => one.has(operations, bytes, now))) return false;
        for (const one of buckets) one.take(operations, bytes, now);
        return true;
      },
    };
  }
}

/** Of one node: a bucket for each kind, and one of bytes for all. */
class FrameRates {
  readonly #kinds = new Map<WireKind, Bucket>();
  #quota: Bucket | undefined;

  take(kind: WireKind, now: Monotonic): boolean {
    const rule = KINDS[kind];
    const { bucket, taken } = takeTokens(this.#kinds.get(kind) ?? fullBucket(rule, now), rule, now);
    this.#kinds.set(kind, bucket);
    return taken;
  }

  owe(bytes: number, now: Monotonic): Millis {
    const { bucket, rest } = oweTokens(this.#quota ?? fullBucket(PEER_QUOTA, now), PEER_QUOTA, now, bytes);
    this.#quota = bucket;
    return rest;
  }
}

/** What may be handed over: so many operations, and so many bytes. */
class HandingBuckets {
  readonly #rates: HandingRates;
  #operations: Bucket | undefined;
  #bytes: Bucket | undefined;

  constructor(rates: HandingRates) {
    this.#rates = rates;
  }

  has(operations: number, bytes: number, now: Monotonic): boolean {
    const { operations: operationRate, bytes: byteRate } = this.#rates;
    return (
      takenOf(this.#operations, operationRate, now, operations).taken &&
      takenOf(this.#bytes, byteRate, now, bytes).taken
    );
  }

  take(operations: number, bytes: number, now: Monotonic): void {
    this.#operations = takenOf(this.#operations, this.#rates.operations, now, operations).bucket;
    this.#bytes = takenOf(this.#bytes, this.#rates.bytes, now, bytes).bucket;
  }
}

const takenOf = (bucket: Bucket | undefined, rate: BucketRate, now: Monotonic, cost: number) =>
  takeTokens(bucket ?? fullBucket(rate, now), rate, now, cost);

/** The value of `key`, now the newest; beyond `max` the oldest is forgotten. */
function touched<Key, Value>(map: Map<Key, Value>, key: Key, max: number, make: () => Value): Value {
  const value = map.get(key) ?? make();
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > max && oldest !== undefined) map.delete(oldest);
  return value;
}

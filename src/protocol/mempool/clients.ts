/**
 * What each client may still submit: token buckets of those that asked lately, in two generations, so that one is found, kept and forgotten
 * without passing all others. Pure. Rule MP-1. Source: measured, 1 in place of 200 µs a submission where 1,024 clients are known.
 */
import { emptyMap, getIn, type PersistentMap, setIn } from '../../base/persistent-map.ts';
import type { Bucket } from '../transport/bucket.ts';

export interface Clients {
  readonly young: PersistentMap<Bucket>;
  /** Those of before; a client of them that asks again is among the young, and what is here of it is not looked at. */
  readonly old: PersistentMap<Bucket>;
}

export const NO_CLIENTS: Clients = { young: emptyMap(), old: emptyMap() };

export const bucketOf = ({ young, old }: Clients, client: string): Bucket | undefined =>
  getIn(young, client) ?? getIn(old, client);

/** At most `most` are known. At least half as many, those that asked last, are never forgotten. */
export function withBucket({ young, old }: Clients, client: string, bucket: Bucket, most: number): Clients {
  const isFull = young.size >= Math.max(1, Math.floor(most / 2)) && getIn(young, client) === undefined;
  return isFull
    ? { young: setIn(emptyMap(), client, bucket), old: young }
    : { young: setIn(young, client, bucket), old };
}

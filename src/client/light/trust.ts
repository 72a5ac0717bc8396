/**
 * What a light client believes: the newest epochs, when that was, and which block it has seen at which height. Bounded: the
 * oldest epochs and heights go first. Mutable, no I/O.
 */

import type { BlsEngine } from '../../crypto/bls/engine.ts';
import { epochHashOf } from '../../protocol/chain/canonical.ts';
import { parseGenesis } from '../../protocol/chain/genesis.ts';
import { parseDigest, parseEpoch } from '../../protocol/chain/parse.ts';
import type { ChainDomain, Digest, Epoch } from '../../protocol/chain/types.ts';
import { validatorSet } from '../../protocol/chain/validator-set.ts';
import { firstDescriptor } from '../../protocol/consensus/epoch.ts';
import type { LightRefusal, ProvenFacts, TrustedEpoch } from '../../protocol/light/types.ts';
import { ForkFound, type LightClientOptions, TrustExpired, type TrustedPoint } from './types.ts';

/** Headers of epochs before these are not verified. @unit epochs @source chosen: 64 of 512 validators have about 10 MB */
const EPOCHS_KEPT_MAX = 64;
/** Heights whose block is remembered, with its proof, to be compared with what others show. @unit heights @source chosen: about 1 MB */
const SEEN_KEPT_MAX = 512;

/** An epoch that is believed by its hash; who it is of, some node has yet to tell. */
export interface AwaitedEpoch {
  readonly epoch: Epoch;
  readonly hash: Digest;
}

export class Trust {
  readonly domain: ChainDomain;
  readonly #epochs = new Map<number, TrustedEpoch>();
  /** The blocks that ended those of them that are over. */
  readonly #ends = new Map<number, ProvenFacts>();
  readonly #seen = new Map<number, { readonly id: string; readonly proof: Uint8Array }>();
  readonly #periodMs: number;
  readonly #now: () => number;
  awaited: AwaitedEpoch | undefined;
  /** When the newest thing that was verified was so. @unit ms since 1970 */
  #time: number;

  /** @throws TypeError where what is to be trusted cannot be */
  constructor(
    { trusted, trustingPeriodMs, now }: Pick<LightClientOptions, 'trusted' | 'trustingPeriodMs' | 'now'>,
    bls: BlsEngine,
  ) {
    this.#periodMs = trustingPeriodMs ?? Number.POSITIVE_INFINITY;
    this.#now = now ?? Date.now;
    if ('genesis' in trusted) {
      const { domain, descriptor, time } = firstOf(trusted.genesis, trusted.hash, bls);
      this.domain = domain;
      this.#time = time;
      this.add({ domain, descriptor });
      return;
    }
    const { domain, awaited } = pointOf(trusted);
    this.domain = domain;
    this.awaited = awaited;
    this.#time = trusted.time;
  }

  get newest(): TrustedEpoch | undefined {
    return [...this.#epochs.values()].at(-1);
  }

  /** To be given to another client as its `trusted`; undefined before an epoch that has such a form is known. */
  get point(): TrustedPoint | undefined {
    const { newest, domain } = this;
    if (newest === undefined) return undefined;
    const { epoch } = newest.descriptor;
    return { ...domain, epoch, epochHash: epochHashOf(newest.descriptor), time: this.#time };
  }

  /** Undefined too where it ended before the trusting period: what its validators sign now costs them nothing. */
  of(epoch: number): TrustedEpoch | undefined {
    const end = this.#ends.get(epoch);
    const isOver = end !== undefined && this.#now() - end.header.time > this.#periodMs;
    return isOver ? undefined : this.#epochs.get(epoch);
  }

  add(trusted: TrustedEpoch): void {
    this.awaited = undefined;
    this.#epochs.set(trusted.descriptor.epoch, trusted);
    for (const oldest of this.#epochs.keys()) {
      if (this.#epochs.size <= EPOCHS_KEPT_MAX) break;
      this.#epochs.delete(oldest);
      this.#ends.delete(oldest);
    }
  }

  /** The epoch of this block is over, `next` has begun. */
  follow(last: ProvenFacts, next: TrustedEpoch): void {
    this.#ends.set(last.header.epoch, last);
    this.add(next);
    this.renew(last.header.time);
  }

  /** CS-16: the keys of an epoch that is over sign whatever its former validators like, also what is above its end. */
  problemOf({ id, header: { epoch, height, time } }: ProvenFacts): LightRefusal | undefined {
    const outside = ({ header: { height: border } }: ProvenFacts): LightRefusal => ({
      ...{ code: 'OUTSIDE_EPOCH', epoch, height, time, border },
    });
    const [before, end] = [this.#ends.get(epoch - 1), this.#ends.get(epoch)];
    if (before !== undefined && height <= before.header.height) return outside(before);
    if (end === undefined || end.id === id) return undefined;
    return height < end.header.height && time < end.header.time ? undefined : outside(end);
  }

  /** Something of this time was verified. */
  renew(time: number): void {
    this.#time = Math.max(this.#time, time);
  }

  /** @throws TrustExpired */
  requireFresh(): void {
    const age = this.#now() - this.#time;
    if (age <= this.#periodMs) return;
    throw new TrustExpired(
      `nothing newer than ${new Date(this.#time).toISOString()} was verified, longer ago than ${this.#periodMs} ms: give a newer epoch that you trust`,
    );
  }

  /** @throws ForkFound where another block was committed at this height */
  see(height: number, id: string, proof: Uint8Array): void {
    const before = this.#seen.get(height);
    if (before !== undefined && before.id !== id)
      throw new ForkFound(`height ${height}`, [before.proof, proof]);
    this.#seen.set(height, { id, proof });
    const [oldest] = this.#seen.size > SEEN_KEPT_MAX ? this.#seen.keys() : [];
    if (oldest !== undefined) this.#seen.delete(oldest);
  }
}

function firstOf(genesis: unknown, given: string | undefined, bls: BlsEngine) {
  const ruling = parseGenesis(genesis, bls);
  if (ruling.status === 'invalid') {
    const [{ path, value, message }] = ruling.problems;
    throw new TypeError(`trusted.genesis: ${path === '' ? 'the document' : path} = ${value}: ${message}`);
  }
  const expected = given?.toLowerCase();
  if (expected !== undefined && expected !== ruling.hash)
    throw new TypeError(
      `trusted.genesis has the hash ${ruling.hash}, not ${expected}: it is another chain's`,
    );
  const set = validatorSet(ruling.genesis.validators);
  if ('code' in set) throw new TypeError(`trusted.genesis: ${set.code}`);
  const domain = { genesisHash: ruling.hash, chainId: ruling.genesis.chainId };
  return { domain, descriptor: firstDescriptor(domain, set), time: ruling.genesis.genesisTime };
}

function pointOf({ chainId, genesisHash, epoch, epochHash }: TrustedPoint): {
  readonly domain: ChainDomain;
  readonly awaited: AwaitedEpoch;
} {
  const [genesis, hash] = [parseDigest(genesisHash.toLowerCase()), parseDigest(epochHash.toLowerCase())];
  const number = parseEpoch(epoch);
  if (genesis === 'malformed')
    throw new TypeError(`trusted.genesisHash ${genesisHash}: give 64 hexadecimal letters`);
  if (hash === 'malformed')
    throw new TypeError(`trusted.epochHash ${epochHash}: give 64 hexadecimal letters`);
  if (number === 'malformed' || number === 0)
    throw new TypeError(
      `trusted.epoch ${epoch}: give a whole number above 0; the first epoch is in the genesis`,
    );
  return { domain: { genesisHash: genesis, chainId }, awaited: { epoch: number, hash } };
}

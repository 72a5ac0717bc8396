/**
 * Who may call: Host and Origin checks against pages that reach for a local node, the operator's token, and a
 * rate for each client address. Against DNS rebinding and cross-site requests (docs/operator-guide.md, "RPC").
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import type { Monotonic } from '../base/units.ts';
import { type Bucket, type BucketRate, fullBucket, takeTokens } from '../protocol/transport/bucket.ts';
import { hostOf } from './shapes.ts';

export interface AccessRules {
  /** Host names beside localhost, the listening host, and any IP address. */
  readonly allowedHosts: readonly string[];
  /** `https://page.example`, or `*`. */
  readonly allowedOrigins: readonly string[];
}

export type AccessRuling =
  | { readonly allowed: true; readonly origin: string | undefined }
  | { readonly allowed: false; readonly reason: string };

/** Rules on the Host and Origin headers. A page of the node's own address is no foreign origin. */
export function ruleOnAccess(
  host: string | undefined,
  origin: string | undefined,
  rules: AccessRules,
): AccessRuling {
  if (host === undefined) return { allowed: false, reason: 'the Host header is missing' };
  const name = hostOf(host).toLowerCase();
  const known = name === 'localhost' || isIP(name) !== 0 || rules.allowedHosts.includes(name);
  if (!known) {
    return { allowed: false, reason: `host "${name}" is not served: add it to rpc.allowed_hosts` };
  }
  if (origin === undefined || origin === `http://${host}` || origin === `https://${host}`) {
    return { allowed: true, origin };
  }
  if (rules.allowedOrigins.includes('*') || rules.allowedOrigins.includes(origin)) {
    return { allowed: true, origin };
  }
  return { allowed: false, reason: `origin "${origin}" may not call: add it to rpc.allowed_origins` };
}

/** True when `authorization` is `Bearer <token>`. Takes the same time for every wrong token. */
export function isOperator(authorization: string | undefined, token: string | undefined): boolean {
  if (token === undefined || token === '' || authorization === undefined) return false;
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(authorization), digest(`Bearer ${token}`));
}

/** Client addresses whose rate is remembered; the one that called longest ago is forgotten first. */
const CLIENTS_MAX = 10_000;

/** A token bucket for each client address. */
export class ClientRates {
  readonly #rate: BucketRate;
  /** Who called longest ago is first. */
  readonly #buckets = new Map<string, Bucket>();
  /** Goes on where it was: one that begins anew passes all that moved to the end. @source measured: 1 in place of 10 µs a call of 10,000 clients */
  #oldest = this.#buckets.keys();

  constructor(rate: BucketRate) {
    this.#rate = rate;
  }

  /** Takes `cost` tokens of `client`; false when it has too few. */
  take(client: string, cost: number, now: Monotonic): boolean {
    const held = this.#buckets.get(client) ?? fullBucket(this.#rate, now);
    const { bucket, taken } = takeTokens(held, this.#rate, now, cost);
    this.#buckets.delete(client);
    this.#buckets.set(client, bucket);
    if (this.#buckets.size > CLIENTS_MAX) this.#forgetOldest();
    return taken;
  }

  /** All that is before where the iterator is has moved to the end, or was forgotten: what it meets next called longest ago. */
  #forgetOldest(): void {
    let { done, value: oldest } = this.#oldest.next();
    if (done === true) {
      this.#oldest = this.#buckets.keys();
      ({ done, value: oldest } = this.#oldest.next());
    }
    if (done !== true && oldest !== undefined) this.#buckets.delete(oldest);
  }
}

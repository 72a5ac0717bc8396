/**
 * The gateway of the chain's brands: what codec, store and configuration read becomes a typed value here, or
 * the word 'malformed'. Total; no other module of the protocol makes these brands from foreign input.
 */
import { fromHex, toHex } from '../../base/bytes.ts';
import type { WallTime } from '../../base/units.ts';
import { ORDINAL_MAX } from './ordinals.ts';
import type { Address, BatchDigest, BlockId, Digest, Epoch, Height, Power, Round } from './types.ts';

export type Malformed = 'malformed';

/** @unit bytes */
export const DIGEST_BYTES = 32;
/** @unit bytes */
export const ADDRESS_BYTES = 20;
/** Total power of a set stays below this. @unit power @source "Arithmetic", docs/protocol/consensus.md */
export const POWER_LIMIT = 2n ** 60n;

const isOrdinal = (raw: unknown): raw is number =>
  typeof raw === 'number' && Number.isSafeInteger(raw) && raw >= 0 && raw <= ORDINAL_MAX;

/** A whole number in 0..2^52. */
export const parseHeight = (raw: unknown): Height | Malformed =>
  isOrdinal(raw) ? (raw as Height) : 'malformed';
/** A whole number in 0..2^52. */
export const parseRound = (raw: unknown): Round | Malformed =>
  isOrdinal(raw) ? (raw as Round) : 'malformed';
/** A whole number in 0..2^52. */
export const parseEpoch = (raw: unknown): Epoch | Malformed =>
  isOrdinal(raw) ? (raw as Epoch) : 'malformed';
/** A whole number in 0..2^52: counts, sequences, request ids. */
export const parseCount = (raw: unknown): number | Malformed => (isOrdinal(raw) ? raw : 'malformed');
/** Whole milliseconds since 1970, in 0..2^52. */
export const parseBlockTime = (raw: unknown): WallTime | Malformed =>
  isOrdinal(raw) ? (raw as number as WallTime) : 'malformed';
/** A bigint in 1..2^60-1. */
export const parsePower = (raw: unknown): Power | Malformed =>
  typeof raw === 'bigint' && raw > 0n && raw < POWER_LIMIT ? raw : 'malformed';

const DIGEST = /^[0-9a-f]{64}$/;
const ADDRESS = /^[0-9a-f]{40}$/;

/** 64 lower-case hex letters. */
export const parseDigest = (raw: unknown): Digest | Malformed =>
  typeof raw === 'string' && DIGEST.test(raw) ? (raw as Digest) : 'malformed';
/** 64 lower-case hex letters. */
export const parseBlockId = (raw: unknown): BlockId | Malformed =>
  typeof raw === 'string' && DIGEST.test(raw) ? (raw as Digest as BlockId) : 'malformed';
/** 64 lower-case hex letters. */
export const parseBatchDigest = (raw: unknown): BatchDigest | Malformed =>
  typeof raw === 'string' && DIGEST.test(raw) ? (raw as Digest as BatchDigest) : 'malformed';
/** 40 lower-case hex letters. */
export const parseAddress = (raw: unknown): Address | Malformed =>
  typeof raw === 'string' && ADDRESS.test(raw) ? (raw as Address) : 'malformed';

/** A digest from its 32 bytes. */
export const digestFromBytes = (bytes: Uint8Array): Digest | Malformed =>
  bytes.byteLength === DIGEST_BYTES ? (toHex(bytes) as Digest) : 'malformed';
/** The 32 bytes of a digest. */
export const digestBytes = (digest: Digest): Uint8Array => fromHex(digest) ?? new Uint8Array(DIGEST_BYTES);
/** The 20 bytes of an address. */
export const addressBytes = (address: Address): Uint8Array =>
  fromHex(address) ?? new Uint8Array(ADDRESS_BYTES);

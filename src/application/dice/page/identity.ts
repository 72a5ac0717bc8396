/**
 * Who plays on this page: a key in the browser's storage, one for each `?seat=`. Secrets of rounds follow from it, so that a page
 * that is closed between commitment and reveal can be opened again. A key that a link brings is used when the player says so, and
 * the one before is kept. Boundary: localStorage, location, randomness. Rule DC-5.
 */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { ed25519PublicKeyOf, ed25519Sign } from '../../../crypto/ed25519-noble.ts';
import { sha256 } from '../../../crypto/hash-noble.ts';
import type { RoundName } from '../fairness.ts';
import { type Operation, signedTransaction, Writer } from '../operation.ts';

export interface Identity {
  readonly seat: string;
  readonly publicKey: Uint8Array;
  /** The public key in hexadecimal. */
  readonly key: string;
  transaction(operation: Omit<Operation, 'player'>, genesisHash: string): Uint8Array;
  secretOf(round: RoundName): Uint8Array;
  /** The same player on another node's page, whose storage is another: the key is behind the "#", which no server gets. */
  linkTo(origin: string): string;
}

/** A key that is not in use. */
export interface OtherKey {
  /** The public key in hexadecimal. */
  readonly key: string;
  /** Makes it the key of this page from the next load on, and keeps the one that was. @throws in words when there is no room */
  use(): void;
}

export interface Keys {
  readonly identity: Identity;
  /** Of a link: whoever made the link has it too. Nothing is done with it before `use`. */
  readonly offered: OtherKey | undefined;
  /** Those that were used here before, the newest first. */
  readonly earlier: readonly OtherKey[];
}

const SEED = /^[0-9a-f]{64}$/;
const HANDED = '#key=';
/** Earlier keys of one seat. One more is not taken: a key is all that its player is. @unit keys */
const EARLIER_MAX = 16;

export function openKeys(): Keys {
  const seat = new URLSearchParams(location.search).get('seat')?.slice(0, 32) ?? '';
  const places = { now: `althing-dice/${seat}`, earlier: `althing-dice-earlier/${seat}` };
  const handed = location.hash.startsWith(HANDED) ? location.hash.slice(HANDED.length) : '';
  if (location.hash !== '') history.replaceState(null, '', location.pathname + location.search);
  const kept = localStorage.getItem(places.now) ?? '';
  const seed = SEED.test(kept) ? kept : newSeed();
  if (seed !== kept) localStorage.setItem(places.now, seed);
  const earlier = earlierAt(places.earlier);
  const other = (taken: string): OtherKey => ({
    key: bytesToHex(publicKeyOf(taken)),
    use() {
      const left = [seed, ...earlier].filter((each) => each !== taken);
      if (left.length > EARLIER_MAX)
        throw new Error(
          `this browser keeps ${EARLIER_MAX} earlier keys and forgets none: open the link with another ?seat= in the address`,
        );
      // First the one that was: whatever comes between, no key is lost.
      localStorage.setItem(places.earlier, JSON.stringify(left));
      localStorage.setItem(places.now, taken);
    },
  });
  const isOffer = SEED.test(handed) && handed !== seed;
  return {
    identity: identityOf(seat, seed),
    offered: isOffer ? other(handed) : undefined,
    earlier: earlier.filter((each) => each !== seed).map(other),
  };
}

function earlierAt(place: string): readonly string[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(place) ?? '[]');
    return Array.isArray(kept) ? kept.filter((each) => typeof each === 'string' && SEED.test(each)) : [];
  } catch {
    return [];
  }
}

function identityOf(seat: string, seedHex: string): Identity {
  const seed = hexToBytes(seedHex);
  const publicKey = publicKeyOf(seedHex);
  return {
    seat,
    publicKey,
    key: bytesToHex(publicKey),
    transaction: (operation, genesisHash) =>
      signedTransaction({ ...operation, player: publicKey }, genesisHash, (message) =>
        required(ed25519Sign(seed, message)),
      ),
    secretOf({ genesisHash, table, round }) {
      const writer = new Writer();
      writer.text('althing/dice/secret/v2');
      writer.fixed(seed);
      writer.fixed(hexToBytes(genesisHash));
      writer.number(table);
      writer.number(round);
      return sha256(writer.bytes());
    },
    linkTo: (origin) =>
      `${origin}/dice${seat === '' ? '' : `?seat=${encodeURIComponent(seat)}`}${HANDED}${seedHex}`,
  };
}

const newSeed = (): string => bytesToHex(crypto.getRandomValues(new Uint8Array(32)));

const publicKeyOf = (seedHex: string): Uint8Array => required(ed25519PublicKeyOf(hexToBytes(seedHex)));

function required(bytes: Uint8Array | undefined): Uint8Array {
  if (bytes === undefined) throw new Error('a seed has 32 bytes');
  return bytes;
}

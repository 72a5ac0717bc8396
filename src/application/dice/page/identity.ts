/**
 * Who plays on this page: a key in the browser's storage, one for each `?seat=`. Secrets of rounds follow from it, so that a page
 * that is closed between commitment and reveal can be opened again. Boundary: localStorage, randomness. Rule DC-5.
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
  transaction(operation: Omit<Operation, 'player'>, chainId: string): Uint8Array;
  secretOf(round: RoundName): Uint8Array;
  /** The same player on another node's page, whose storage is another: the key is behind the "#", which no server gets. */
  linkTo(origin: string): string;
}

const SEED = /^[0-9a-f]{64}$/;

export function openIdentity(): Identity {
  const seat = new URLSearchParams(location.search).get('seat')?.slice(0, 32) ?? '';
  const place = `althing-dice/${seat}`;
  const handed = location.hash.startsWith('#key=') ? location.hash.slice('#key='.length) : '';
  const kept = localStorage.getItem(place) ?? '';
  // A link may bring a key to where none is; it never takes one away.
  const seedHex = [kept, handed].find((text) => SEED.test(text)) ?? newSeed();
  localStorage.setItem(place, seedHex);
  if (location.hash !== '') history.replaceState(null, '', location.pathname + location.search);
  return identityOf(seat, seedHex);
}

function identityOf(seat: string, seedHex: string): Identity {
  const seed = hexToBytes(seedHex);
  const publicKey = required(ed25519PublicKeyOf(seed));
  return {
    seat,
    publicKey,
    key: bytesToHex(publicKey),
    transaction: (operation, chainId) =>
      signedTransaction({ ...operation, player: publicKey }, chainId, (message) =>
        required(ed25519Sign(seed, message)),
      ),
    secretOf({ chainId, table, round }) {
      const writer = new Writer();
      writer.text('althing/dice/secret/v1');
      writer.fixed(seed);
      writer.text(chainId);
      writer.number(table);
      writer.number(round);
      return sha256(writer.bytes());
    },
    linkTo: (origin) =>
      `${origin}/dice${seat === '' ? '' : `?seat=${encodeURIComponent(seat)}`}#key=${seedHex}`,
  };
}

const newSeed = (): string => bytesToHex(crypto.getRandomValues(new Uint8Array(32)));

function required(bytes: Uint8Array | undefined): Uint8Array {
  if (bytes === undefined) throw new Error('a seed has 32 bytes');
  return bytes;
}

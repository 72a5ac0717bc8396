/**
 * Whether a transaction is a player's operation, and its turn: for the mempool, and again when a block executes it. Pure.
 * Rules DC-1 to DC-3, docs/dice.md.
 */
import { toHex } from '../../base/bytes.ts';
import { ed25519Verify } from '../../crypto/ed25519.ts';
import type { StateReader } from '../state/rules.ts';
import { NONCES_AHEAD_MAX, problemOfName } from './limits.ts';
import { type Action, readTransaction, type SignedOperation, statement } from './operation.ts';
import { deskOf, houseOf, playerOf } from './state.ts';
import type { Player } from './table.ts';

/** Codes of the codespace `dice`. */
export const CODES = {
  UNKNOWN_PATH: 1,
  MALFORMED: 2,
  BAD_SIGNATURE: 3,
  BAD_NONCE: 4,
  TOO_LATE: 5,
  NOT_REGISTERED: 6,
  ALREADY_REGISTERED: 7,
  BAD_NAME: 8,
  HOUSE_EMPTY: 9,
  NO_TABLE: 10,
  TABLES_FULL: 11,
  TABLE_FULL: 12,
  BAD_STAKE: 13,
  BAD_TABLE: 14,
  SEATED_ALREADY: 15,
  NOT_SEATED: 16,
  NOT_NOW: 17,
  WRONG_ROUND: 18,
  WRONG_SECRET: 19,
} as const;

export interface Refusal {
  readonly refused: keyof typeof CODES;
  /** For the player to read. */
  readonly log: string;
}

export const refuse = (refused: Refusal['refused'], log: string): Refusal => ({ refused, log });

/** A player's next operation; `player` is missing when it is the first, which registers. */
export type Admitted =
  | { readonly key: string; readonly player: Player; readonly action: Exclude<Action, { kind: 'register' }> }
  | {
      readonly key: string;
      readonly player: undefined;
      readonly action: Extract<Action, { kind: 'register' }>;
    };

/** DC-2, when the block of `height` executes it. */
export function admit(transaction: Uint8Array, state: StateReader, height: number): Admitted | Refusal {
  const known = readSigned(transaction, state);
  if ('refused' in known) return known;
  const { operation, key, player } = known;
  if (height > operation.lastHeight) {
    return refuse(
      'TOO_LATE',
      `this was to be executed up to height ${operation.lastHeight}, and it is ${height}: do it again`,
    );
  }
  const expected = player?.nonce ?? 0;
  if (operation.nonce !== expected) {
    return refuse('BAD_NONCE', `the nonce is ${operation.nonce}, and ${expected} is next: do it again`);
  }
  return withPlayer(operation.action, key, player, state);
}

/** DC-2, for the mempool: it may stand behind others that wait. */
export function check(transaction: Uint8Array, state: StateReader): Refusal | undefined {
  const known = readSigned(transaction, state);
  if ('refused' in known) return known;
  const { operation, key, player } = known;
  const expected = player?.nonce ?? 0;
  if (operation.nonce < expected || operation.nonce > expected + NONCES_AHEAD_MAX) {
    return refuse(
      'BAD_NONCE',
      `the nonce is ${operation.nonce}, and ${expected} is next, up to ${NONCES_AHEAD_MAX} ahead: do it again`,
    );
  }
  const admitted = withPlayer(operation.action, key, player, state);
  return 'refused' in admitted ? admitted : undefined;
}

interface Known {
  readonly operation: SignedOperation['operation'];
  readonly key: string;
  readonly player: Player | undefined;
}

/** The signature comes last: it costs most. */
function readSigned(transaction: Uint8Array, state: StateReader): Known | Refusal {
  const read = readTransaction(transaction);
  if (read === undefined) {
    return refuse(
      'MALFORMED',
      `${transaction.byteLength} bytes that are no operation of dice: make it with the page of this version`,
    );
  }
  const { operation, encoded, signature } = read;
  const key = toHex(operation.player);
  const player = playerOf(state, key);
  if (player === undefined && operation.action.kind !== 'register') {
    return refuse('NOT_REGISTERED', `the player ${key.slice(0, 8)} has no name here yet: register first`);
  }
  if (!ed25519Verify(operation.player, statement(houseOf(state).chainId, encoded), signature)) {
    return refuse(
      'BAD_SIGNATURE',
      `the signature is not one of ${key.slice(0, 8)} for this chain: sign with that key and chain id`,
    );
  }
  return { operation, key, player };
}

/** DC-3: the house welcomes a key once, as long as it has chips. */
function withPlayer(
  action: Action,
  key: string,
  player: Player | undefined,
  state: StateReader,
): Admitted | Refusal {
  if (action.kind !== 'register') {
    return player === undefined ? refuse('NOT_REGISTERED', 'register first') : { key, player, action };
  }
  if (player !== undefined) return refuse('ALREADY_REGISTERED', `this key belongs to ${player.name} already`);
  const problem = problemOfName(action.name);
  if (problem !== undefined) return refuse('BAD_NAME', problem);
  const { chips } = deskOf(state);
  const { grant } = houseOf(state);
  if (chips < grant)
    return refuse(
      'HOUSE_EMPTY',
      `the house has ${chips} chips left, and a new player gets ${grant}: no more can join`,
    );
  return { key, player, action };
}

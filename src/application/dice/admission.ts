/**
 * Whether a transaction is a player's operation, and its turn: for the mempool, and again when a block executes it. Pure but
 * for a bounded memory of signatures. Rules DC-1 to DC-3, docs/dice.md.
 */
import { toHex } from '../../base/bytes.ts';
import type { StateReader } from '../state/rules.ts';
import { LIFETIME_HEIGHTS_MAX, NONCES_AHEAD_MAX, problemOfName } from './limits.ts';
import { type Action, readTransaction, type SignedOperation, statement } from './operation.ts';
import { problemOf } from './permission.ts';
import { type Refusal, refuse } from './refusal.ts';
import { deskOf, houseOf, playerOf } from './state.ts';
import type { Player } from './table.ts';

/** Whether the player has signed this message. */
export type SignatureCheck = (player: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

export type PlayerAction = Exclude<Action, { kind: 'register' }>;
type Register = Extract<Action, { kind: 'register' }>;

/** A signed operation whose turn it is; `player` is missing when its key has no name yet. */
export type Admitted =
  | { readonly key: string; readonly player: Player; readonly action: Action }
  | { readonly key: string; readonly player: undefined; readonly action: Register };

/** One that nothing speaks against. */
export type Permitted =
  | { readonly key: string; readonly player: Player; readonly action: PlayerAction }
  | { readonly key: string; readonly player: undefined; readonly action: Register };

/** DC-2, when the block of `height` executes it. What is refused here has cost its player nothing. */
export function admit(
  transaction: Uint8Array,
  state: StateReader,
  height: number,
  isSigned: SignatureCheck,
): Admitted | Refusal {
  const known = read(transaction, state, height);
  if ('refused' in known) return known;
  const { signed, player } = known;
  const { nonce } = signed.operation;
  const expected = player?.nonce ?? 0;
  if (nonce !== expected)
    return refuse('BAD_NONCE', `the nonce is ${nonce}, and ${expected} is next: do it again`);
  return refusalOfSignature(signed, state, isSigned) ?? admitted(known);
}

/** DC-2, for the mempool: it may stand behind others that wait, and is refused when it can never succeed. */
export function check(
  transaction: Uint8Array,
  state: StateReader,
  executedHeight: number,
  isSigned: SignatureCheck,
): Refusal | undefined {
  const height = executedHeight + 1;
  const known = read(transaction, state, height);
  if ('refused' in known) return known;
  const { signed, player } = known;
  const { nonce } = signed.operation;
  const expected = player?.nonce ?? 0;
  // Before a name there is nothing but the name.
  const ahead = player === undefined ? 0 : NONCES_AHEAD_MAX;
  if (nonce < expected || nonce > expected + ahead) {
    return refuse(
      'BAD_NONCE',
      `the nonce is ${nonce}, and ${expected} is next, up to ${ahead} ahead: do it again`,
    );
  }
  const ruling = permit(admitted(known), state, height);
  const isLasting =
    'refused' in ruling && (ruling.until === 'never' || (ruling.until === 'own' && nonce === expected));
  return isLasting ? ruling : refusalOfSignature(signed, state, isSigned);
}

/** Whether an operation whose turn it is can be done. */
export function permit(
  { key, player, action }: Admitted,
  state: StateReader,
  height: number,
): Permitted | Refusal {
  if (player === undefined) return problemOfNewcomer(action, state) ?? { key, player, action };
  if (action.kind === 'register')
    return refuse('ALREADY_REGISTERED', `this key belongs to ${player.name} already`);
  return problemOf(player, action, state, height) ?? { key, player, action };
}

type Known = { readonly signed: SignedOperation; readonly key: string } & (
  | { readonly player: Player; readonly action: Action }
  | { readonly player: undefined; readonly action: Register }
);

const admitted = ({ signed: _, ...known }: Known): Admitted => known;

/** What everybody can see comes before the signature, which costs most: none of it does anything, or tells what is not public. */
function read(transaction: Uint8Array, state: StateReader, height: number): Known | Refusal {
  const signed = readTransaction(transaction);
  if (signed === undefined) {
    return refuse(
      'MALFORMED',
      `${transaction.byteLength} bytes that are no operation of dice: make it with the page of this version`,
    );
  }
  const { player: publicKey, lastHeight, action } = signed.operation;
  if (height > lastHeight) {
    return refuse(
      'TOO_LATE',
      `this was to be executed up to height ${lastHeight}, and it is ${height}: do it again`,
    );
  }
  const highest = height + LIFETIME_HEIGHTS_MAX;
  if (lastHeight > highest) {
    return refuse(
      'TOO_LONG',
      `the last height is ${lastHeight}, and at height ${height} it is ${highest} at most: do it again with a lower one`,
    );
  }
  const key = toHex(publicKey);
  const player = playerOf(state, key);
  if (player !== undefined) return { signed, key, player, action };
  if (action.kind === 'register') return { signed, key, player, action };
  return refuse('NOT_REGISTERED', `the player ${key.slice(0, 8)} has no name here yet: register first`);
}

function refusalOfSignature(
  { operation: { player }, encoded, signature }: SignedOperation,
  state: StateReader,
  isSigned: SignatureCheck,
): Refusal | undefined {
  if (isSigned(player, statement(houseOf(state).genesisHash, encoded), signature)) return undefined;
  return refuse(
    'BAD_SIGNATURE',
    `the signature is not one of ${toHex(player).slice(0, 8)} for this chain: sign with that key and this chain's genesis hash`,
  );
}

/** DC-3: the house welcomes a key once, as long as it has chips; it gets none back, so an empty one stays empty. */
function problemOfNewcomer({ name }: Register, state: StateReader): Refusal | undefined {
  const problem = problemOfName(name);
  if (problem !== undefined) return refuse('BAD_NAME', problem);
  const { chips } = deskOf(state);
  const { grant } = houseOf(state);
  if (chips >= grant) return undefined;
  return refuse(
    'HOUSE_EMPTY',
    `the house has ${chips} chips left, and a new player gets ${grant}: no more can join`,
  );
}

/**
 * The kv application's transactions that change the validators. Pure.
 * `val:<node key>!<power>` gives a known validator another power, 0 removes it;
 * `val:<node key>!<consensus key>!<possession proof>!<power>` adds one, or gives a known one another consensus key. Keys and
 * proof in hexadecimal, as `althing show-validator` prints them, or in base64.
 * After CometBFT's kvstore, whose `val:<key>!<power>` knows one key only.
 */
import { equalBytes, fromHex, toHex, utf8 } from '../../base/bytes.ts';
import { BLS_PUBLIC_KEY_BYTES, BLS_SIGNATURE_BYTES } from '../../crypto/bls/engine.ts';
import { POWER_LIMIT } from '../../protocol/chain/parse.ts';
import { NODE_KEY_BYTES } from '../../protocol/chain/validator-set.ts';
import type { ValidatorUpdate } from '../../protocol/ports/application.ts';
import { problemOfUpdate, type StateValidators } from '../state/validators.ts';

const PREFIX = 'val:';
const NO_PROOF = new Uint8Array(0);

/** True when the proof shows that somebody holds the secret key of `consensusKey`. */
export type PossessionCheck = (consensusKey: Uint8Array, proof: Uint8Array) => boolean;

const PREFIX_BYTES = utf8(PREFIX);

export const startsAsValidatorTransaction = (transaction: Uint8Array): boolean =>
  transaction[0] === PREFIX_BYTES[0] &&
  equalBytes(transaction.subarray(0, PREFIX_BYTES.byteLength), PREFIX_BYTES);

export type UpdateRuling =
  | { readonly status: 'valid'; readonly update: ValidatorUpdate }
  | { readonly status: 'invalid'; readonly log: string };

/** The update that a transaction asks for, if it leaves a set that consensus can run with (CS-16). */
export function ruleOnUpdate(
  text: string,
  validators: StateValidators,
  provesPossession: PossessionCheck,
): UpdateRuling {
  const parts = text.slice(PREFIX.length).split('!');
  const power = parsePower(parts.at(-1));
  const nodeKey = parseKey(parts[0], NODE_KEY_BYTES);
  if (nodeKey === undefined)
    return invalid(`the node key must be ${NODE_KEY_BYTES} bytes in hexadecimal or base64`);
  if (power === undefined) return invalid(`the power must be a whole number from 0 to 2^60 - 1`);
  const known = validators.get(toHex(nodeKey));
  if (parts.length === 2) {
    if (known === undefined)
      return invalid('no validator has this node key: add its consensus key and proof');
    return within(validators, { ...known, possessionProof: NO_PROOF, power });
  }
  const consensusKey = parseKey(parts[1], BLS_PUBLIC_KEY_BYTES);
  const possessionProof = parseKey(parts[2], BLS_SIGNATURE_BYTES);
  if (parts.length !== 4 || consensusKey === undefined || possessionProof === undefined) {
    return invalid('expected val:<node key>!<power> or val:<node key>!<consensus key>!<proof>!<power>');
  }
  if (known !== undefined && equalBytes(known.consensusKey, consensusKey))
    return invalid('the validator has this consensus key already: give only its power');
  for (const other of validators.values()) {
    if (equalBytes(other.consensusKey, consensusKey))
      return invalid('another validator has this consensus key');
  }
  if (power === 0n) return invalid('a new consensus key needs a power above 0');
  if (!provesPossession(consensusKey, possessionProof))
    return invalid('the proof of possession does not verify');
  return within(validators, { nodeKey, consensusKey, possessionProof, power });
}

function within(validators: StateValidators, update: ValidatorUpdate): UpdateRuling {
  const problem = problemOfUpdate(validators, update);
  return problem === undefined ? { status: 'valid', update } : invalid(problem);
}

const invalid = (log: string): UpdateRuling => ({ status: 'invalid', log });

function parsePower(text: string | undefined): bigint | undefined {
  if (text === undefined || !/^[0-9]{1,19}$/.test(text)) return undefined;
  const power = BigInt(text);
  return power < POWER_LIMIT ? power : undefined;
}

/** Hexadecimal and base64 of one length differ in theirs: no text is both. */
function parseKey(text: string | undefined, length: number): Uint8Array | undefined {
  if (text === undefined || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined;
  if (text.length === 2 * length) return fromHex(text);
  const bytes = new Uint8Array(Buffer.from(text, 'base64'));
  return bytes.byteLength === length ? bytes : undefined;
}

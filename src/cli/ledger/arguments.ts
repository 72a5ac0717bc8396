/** What the ledger's commands are given, read strictly; every wrong input gets words. Boundary: key files. docs/ledger.md. */
import { parseAddressText } from '../../application/ledger/address.ts';
import { type Denomination, parseAmount } from '../../application/ledger/amount.ts';
import { fromHex } from '../../base/bytes.ts';
import { homePaths } from '../../node/config/home.ts';
import { describeKeyProblem } from '../../storage/key-problems.ts';
import { loadIdentity } from '../../storage/key-store.ts';
import { runtimeFailure, usageFailure } from '../failure.ts';

export function addressOfText(text: string): { readonly text: string; readonly bytes: Uint8Array } {
  const bytes = parseAddressText(text);
  if ('problem' in bytes) throw usageFailure(bytes.problem);
  return { text, bytes };
}

export function unitsOfText(text: string, coin: Denomination): bigint {
  const units = parseAmount(text, coin);
  if (typeof units !== 'bigint') throw usageFailure(units.problem);
  return units;
}

/** An amount that is moved: more than nothing. */
export function amountOfText(text: string, coin: Denomination): bigint {
  const units = unitsOfText(text, coin);
  if (units === 0n) throw usageFailure(`${text} is nothing: give an amount above 0`);
  return units;
}

/** Of another chain, as `/chains` and its own `/parameters` say it. */
export function genesisHashOf(text: string): Uint8Array {
  const hash = /^[0-9a-f]{64}$/.test(text) ? fromHex(text) : undefined;
  if (hash !== undefined) return hash;
  throw usageFailure(
    `--chain ${text}: give the 64 letters of its genesis hash, as the query /chains says them`,
  );
}

/** The validator that is named, else that of the home. */
export function validatorOf(options: { readonly validator?: string; readonly home?: string }): {
  readonly text: string;
  readonly bytes: Uint8Array;
} {
  const { validator, home } = options;
  if (validator === undefined && home === undefined) {
    throw usageFailure('which validator? give --validator ADDRESS, or --home DIR of its node');
  }
  const text = validator ?? nodeIdOf(home ?? '');
  const bytes = /^[0-9a-f]{40}$/.test(text) ? fromHex(text) : undefined;
  if (bytes !== undefined) return { text, bytes };
  throw usageFailure(`--validator ${text}: give its 40 letters, as 'althing show-node-id' says`);
}

function nodeIdOf(home: string): string {
  const result = loadIdentity(homePaths(home).keys);
  if (result.status === 'refused') throw runtimeFailure(describeKeyProblem(result.problem));
  return result.identity.nodeId;
}

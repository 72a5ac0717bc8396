/**
 * The ledger's genesis of networks that are made here: a faucet with coins to give away, and an account for each validator that
 * owns it. Boundary: key files. docs/ledger.md, "A local network".
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { accountAddressOf, addressText } from '../../application/ledger/address.ts';
import { homePaths } from '../../node/config/home.ts';
import { readPassphrase } from '../../node/config/passphrase.ts';
import type { JsonValue } from '../../protocol/chain/canonical-json.ts';
import type { Address } from '../../protocol/chain/types.ts';
import { createAccountKey, loadAccountKey } from '../../storage/account-key.ts';
import { describeKeyProblem } from '../../storage/key-problems.ts';
import { runtimeFailure } from '../failure.ts';

/** In the folder of a network; or of a single home. */
export const FAUCET_FILE = 'faucet.json';
/** Of a home's operator, in its folder of keys. */
const OPERATOR_FILE = 'account.json';

/** @unit units: 10^9 coins of 10^6 units @source chosen: enough to play with, and far below 2^64 */
const FAUCET_UNITS = 1_000_000_000_000_000n;
/** For an operator's fees. @unit units: 1,000 coins */
const OPERATOR_UNITS = 1_000_000_000n;
/** Of stake for one power. @unit units: 100,000 coins @source chosen: nobody takes a network over by a slip */
const STAKE_UNIT = 100_000_000_000n;

export interface Member {
  readonly address: Address;
  /** Where its home is being made. */
  readonly stagedPath: string;
}

/** `app.state` of the genesis; makes the keys that it names. @param faucet the file of the faucet's key */
export function localLedger(members: readonly Member[], faucet: string): JsonValue {
  const operators = members.map(({ address, stagedPath }) => ({
    validator: address,
    operator: accountAt(join(homePaths(stagedPath).keys, OPERATOR_FILE)),
  }));
  return {
    parameters: { stake_unit: STAKE_UNIT.toString(), stake_min: STAKE_UNIT.toString() },
    accounts: [
      { address: accountAt(faucet), balance: FAUCET_UNITS.toString() },
      ...operators.map(({ operator }) => ({ address: operator, balance: OPERATOR_UNITS.toString() })),
    ],
    operators,
  };
}

/** The address of the key in this file, which is made where there is none. */
function accountAt(path: string): string {
  const passphrase = readPassphrase(process.env);
  const key = existsSync(path) ? loadAccountKey(path, passphrase) : createAccountKey(path, passphrase);
  if (key.status === 'refused') throw runtimeFailure(describeKeyProblem(key.problem));
  return addressText(accountAddressOf(key.publicKey));
}

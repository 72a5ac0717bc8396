/**
 * The ledger's genesis of networks that are made here: a faucet with coins to give away, and an account for each validator that
 * owns it. Boundary: key files. docs/ledger.md, "A local network".
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { accountAddressOf, addressText } from '../../application/ledger/address.ts';
import { toHex } from '../../base/bytes.ts';
import { homePaths } from '../../node/config/home.ts';
import { readPassphrase } from '../../node/config/passphrase.ts';
import type { JsonValue } from '../../protocol/chain/canonical-json.ts';
import type { GenesisValidator } from '../../protocol/chain/genesis.ts';
import type { Address } from '../../protocol/chain/types.ts';
import { createAccountKey, loadAccountKey } from '../../storage/account-key.ts';
import { describeKeyProblem } from '../../storage/key-problems.ts';
import { runtimeFailure } from '../failure.ts';
import type { Ordering } from '../leadership.ts';

/** In the folder of a network; or of a single home. */
export const FAUCET_FILE = 'faucet.json';
/** Of a home's operator, in its folder of keys. */
const OPERATOR_FILE = 'account.json';

/** In the folder of several chains: pays for what is carried between them. */
export const RELAYER_FILE = 'relayer.json';

/** @unit units: 10^9 coins of 10^6 units @source chosen: enough to play with, and far below 2^64 */
const FAUCET_UNITS = 1_000_000_000_000_000n;
/** For an operator's fees. @unit units: 1,000 coins */
const OPERATOR_UNITS = 1_000_000_000n;
/** For a relayer's fees. @unit units: 10^6 coins @source chosen: some 10^8 transfers at the least price */
const RELAYER_UNITS = 1_000_000_000_000n;
/** Of stake for one power. @unit units: 100,000 coins @source chosen: nobody takes a network over by a slip */
const STAKE_UNIT = 100_000_000_000n;

export interface Member {
  readonly address: Address;
  /** Where its home is being made. */
  readonly stagedPath: string;
}

/** Another chain of this machine, that is made together with this one. */
export interface NamedChain {
  readonly chainId: string;
  readonly validators: readonly GenesisValidator[];
}

export interface LocalLedgerOptions {
  /** Of the keys of the faucet and, with other chains, of the relayer. */
  readonly folder: string;
  /** Chains that may send coins here: each as many as all chains but this one have. */
  readonly others: readonly NamedChain[];
  /** Left out: plain. */
  readonly ordering: Ordering | undefined;
}

/** `app.state` of the genesis; makes the keys that it names. */
export function localLedger(
  members: readonly Member[],
  { folder, others, ordering }: LocalLedgerOptions,
): JsonValue {
  const operators = members.map(({ address, stagedPath }) => ({
    validator: address,
    operator: accountAt(join(homePaths(stagedPath).keys, OPERATOR_FILE)),
  }));
  return {
    parameters: {
      stake_unit: STAKE_UNIT.toString(),
      stake_min: STAKE_UNIT.toString(),
      ...(ordering === undefined ? {} : { ordering }),
    },
    accounts: [
      { address: accountAt(join(folder, FAUCET_FILE)), balance: FAUCET_UNITS.toString() },
      ...(others.length === 0
        ? []
        : [{ address: accountAt(join(folder, RELAYER_FILE)), balance: RELAYER_UNITS.toString() }]),
      ...operators.map(({ operator }) => ({ address: operator, balance: OPERATOR_UNITS.toString() })),
    ],
    operators,
    ...(others.length === 0 ? {} : { chains: others.map((chain) => namedChain(chain, others)) }),
  };
}

/** LG-35: the genesis hash is left out, since that genesis names this one. */
const namedChain = ({ chainId, validators }: NamedChain, others: readonly NamedChain[]): JsonValue => ({
  chain_id: chainId,
  credit_max: others.reduce((sum, other) => sum + supplyOf(other), 0n).toString(),
  validators: validators.map(({ nodeKey, consensusKey, possessionProof, power }) => ({
    node_key: toHex(nodeKey),
    consensus_key: toHex(consensusKey),
    possession_proof: toHex(possessionProof),
    power: power.toString(),
  })),
});

/** Of a chain that `localLedger` makes beside others. */
const supplyOf = ({ validators }: NamedChain): bigint =>
  FAUCET_UNITS +
  RELAYER_UNITS +
  validators.reduce((sum, { power }) => sum + OPERATOR_UNITS + power * STAKE_UNIT, 0n);

/** The address of the key in this file, which is made where there is none. */
function accountAt(path: string): string {
  const passphrase = readPassphrase(process.env);
  const key = existsSync(path) ? loadAccountKey(path, passphrase) : createAccountKey(path, passphrase);
  if (key.status === 'refused') throw runtimeFailure(describeKeyProblem(key.problem));
  return addressText(accountAddressOf(key.publicKey));
}

/** The built-in applications by the name that a genesis gives (`app.name`). docs/applications.md. */
import type { BlsEngine } from '../crypto/bls/engine.ts';
import { type GenesisDocument, genesisHash } from '../protocol/chain/genesis.ts';
import type { ChainDomain } from '../protocol/chain/types.ts';
import type { Application, InitChainRequest } from '../protocol/ports/application.ts';
import type { BuiltInName, ServableName } from './built-in-names.ts';
import { diceRules } from './dice/rules.ts';
import { kvRules } from './kv/rules.ts';
import { ledgerRules } from './ledger/rules.ts';
import { stateApplication } from './state/application.ts';
import { firstPairs } from './state/first-pairs.ts';
import type { StateRules } from './state/rules.ts';

/** What rules may need of the node. */
export interface RulesParts {
  readonly bls: BlsEngine;
  readonly domain: ChainDomain;
  /** The genesis's blocks carry VRF proofs (CS-17). */
  readonly vrf: boolean;
}

/** … and its shell of the genesis. */
export interface BuiltInParts extends RulesParts {
  readonly validatorChangePercent: number;
}

const SERVABLE: { readonly [Name in ServableName]: (parts: Pick<RulesParts, 'bls'>) => StateRules } = {
  kv: ({ bls }) => kvRules((key, proof) => bls.verifyPossession(key, proof)),
  dice: diceRules,
};

const RULES: { readonly [Name in BuiltInName]: (parts: RulesParts) => StateRules } = {
  ...SERVABLE,
  ledger: ledgerRules,
};

/** As `openBuiltIn`, for whatever chain a node then names. */
export const openServable = (name: ServableName, bls: BlsEngine, dir: string | undefined): Application =>
  stateApplication(SERVABLE[name]({ bls }), dir === undefined ? {} : { dir });

/** With its state in `dir`; left out: in memory. @throws when what is there cannot be read */
export function openBuiltIn(
  name: BuiltInName,
  { validatorChangePercent, ...parts }: BuiltInParts,
  dir: string | undefined,
): Application {
  const options = dir === undefined ? {} : { dir };
  return stateApplication(RULES[name](parts), { ...options, validatorChangePercent });
}

/** Why the application cannot begin with this genesis, in words; undefined: it can. */
export function problemOfFirstState(
  name: BuiltInName,
  bls: BlsEngine,
  genesis: GenesisDocument,
): string | undefined {
  const domain = { chainId: genesis.chainId, genesisHash: genesisHash(genesis) };
  const parts = { bls, domain, vrf: genesis.parameters.vrf };
  try {
    firstPairs(RULES[name](parts), beginningOf(genesis));
    return undefined;
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause);
  }
}

/** What an application begins with. */
export const beginningOf = (genesis: GenesisDocument): InitChainRequest => ({
  chainId: genesis.chainId,
  genesisHash: genesisHash(genesis),
  genesisTime: genesis.genesisTime,
  validators: genesis.validators,
  appState: genesis.application.state,
});

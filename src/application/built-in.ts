/** The built-in applications by the name that a genesis gives (`app.name`). docs/applications.md. */
import type { GenesisDocument } from '../protocol/chain/genesis.ts';
import type { Application, InitChainRequest } from '../protocol/ports/application.ts';
import type { BuiltInName } from './built-in-names.ts';
import { kvRules } from './kv/rules.ts';
import type { PossessionCheck } from './kv/validator-updates.ts';
import { stateApplication } from './state/application.ts';
import { firstPairs } from './state/first-pairs.ts';
import type { StateRules } from './state/rules.ts';

/** What rules may need of the node. */
export interface RulesParts {
  readonly provesPossession: PossessionCheck;
}

const RULES: { readonly [Name in BuiltInName]: (parts: RulesParts) => StateRules } = {
  kv: ({ provesPossession }) => kvRules(provesPossession),
};

/** With its state in `dir`. @throws when what is there cannot be read */
export const openBuiltIn = (name: BuiltInName, parts: RulesParts, dir: string): Application =>
  stateApplication(RULES[name](parts), { dir });

/** Why the application cannot begin with this genesis, in words; undefined: it can. */
export function problemOfFirstState(
  name: BuiltInName,
  parts: RulesParts,
  genesis: GenesisDocument,
): string | undefined {
  try {
    firstPairs(RULES[name](parts), beginningOf(genesis));
    return undefined;
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause);
  }
}

/** What an application begins with. */
export const beginningOf = ({
  chainId,
  genesisTime,
  validators,
  application,
}: GenesisDocument): InitChainRequest => ({
  chainId,
  genesisTime,
  validators,
  appState: application.state,
});

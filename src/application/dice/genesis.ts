/** What `app.state` of a genesis document may say to a game of dice. Pure; throws with words for who wrote it. Rule DC-3, docs/dice.md. */
import type { InitChainRequest } from '../../protocol/ports/application.ts';
import type { House } from './table.ts';

type GenesisNames = Pick<InitChainRequest, 'chainId' | 'genesisHash' | 'appState'>;

export interface DiceGenesis {
  readonly house: House;
  /** All chips that there will ever be. */
  readonly chips: number;
}

/** Players whom the house can ever welcome: what the state may grow to. @unit players @source 200 MB of pairs */
const PLAYERS_MAX = 1_000_000;

const NUMBERS = {
  house_chips: { default: 10_000_000, min: 1, max: 1_000_000_000_000 },
  grant_chips: { default: 1_000, min: 1, max: 1_000_000_000 },
  /** @source a person finds a button in half a minute; a chain at rest makes a block a second */
  patience_heights: { default: 30, min: 2, max: 100_000 },
  /** @source half an hour at rest */
  idle_heights: { default: 1_800, min: 10, max: 10_000_000 },
} as const;

type NumberName = keyof typeof NUMBERS;

/** @throws with the path, the value and what to do */
export function readGenesis({ chainId, genesisHash, appState }: GenesisNames): DiceGenesis {
  const given = new Map(Object.entries(objectOf(appState)));
  for (const name of given.keys()) {
    if (!Object.hasOwn(NUMBERS, name))
      throw new Error(`app.state.${name} is unknown to dice: there are ${Object.keys(NUMBERS).join(', ')}`);
  }
  const number = (name: NumberName): number => {
    const { default: unless, min, max } = NUMBERS[name];
    const value: unknown = given.has(name) ? given.get(name) : unless;
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
    throw new Error(
      `app.state.${name} = ${JSON.stringify(value)}: give a whole number from ${min} to ${max}`,
    );
  };
  const chips = number('house_chips');
  const grant = number('grant_chips');
  if (chips < grant || chips > grant * PLAYERS_MAX) {
    throw new Error(
      `app.state: house_chips = ${chips} welcomes ${Math.floor(chips / grant)} players with grant_chips = ${grant} each: ` +
        `choose them so that it is 1 to ${PLAYERS_MAX}`,
    );
  }
  const house = {
    chainId,
    genesisHash,
    grant,
    patienceHeights: number('patience_heights'),
    idleHeights: number('idle_heights'),
  };
  return { house, chips };
}

function objectOf(appState: unknown): object {
  if (appState === undefined || appState === null) return {};
  if (typeof appState === 'object' && !Array.isArray(appState)) return appState;
  throw new Error(`app.state = ${JSON.stringify(appState)?.slice(0, 80)}: dice takes an object, or nothing`);
}

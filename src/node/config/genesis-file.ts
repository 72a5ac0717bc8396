/** Reads and writes the genesis file of a home. The checks are `protocol/chain/genesis.ts`. Boundary: the disk. */
import { readFileSync } from 'node:fs';
import {
  type GenesisDocument,
  type GenesisProblem,
  genesisToJson,
  type PossessionVerifier,
  parseGenesis,
} from '../../protocol/chain/genesis.ts';
import type { Digest } from '../../protocol/chain/types.ts';
import type { ConfigProblem } from './load.ts';

export type GenesisResult =
  | { readonly status: 'loaded'; readonly genesis: GenesisDocument; readonly hash: Digest }
  | { readonly status: 'refused'; readonly problems: readonly ConfigProblem[] };

/** @unit bytes @source a thousand validators and a megabyte of application state */
const GENESIS_BYTES_MAX = 16 * 1_048_576;

/** The checked genesis of a file, or every problem with its path in the document. */
export function loadGenesis(path: string, bls: PossessionVerifier): GenesisResult {
  const refused = (message: string): GenesisResult => ({
    status: 'refused',
    problems: [{ where: path, message }],
  });
  let json: unknown;
  try {
    const text = readFileSync(path, 'utf8');
    if (text.length > GENESIS_BYTES_MAX) return refused(`is larger than ${GENESIS_BYTES_MAX} bytes`);
    json = JSON.parse(text);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    return refused(
      cause instanceof SyntaxError
        ? `is not JSON: ${message}`
        : `cannot be read: ${message}; \`althing init\` or \`althing testnet\` makes one`,
    );
  }
  const ruling = parseGenesis(json, bls);
  if (ruling.status === 'valid') return { status: 'loaded', genesis: ruling.genesis, hash: ruling.hash };
  return { status: 'refused', problems: ruling.problems.map((problem) => located(path, problem)) };
}

/** The text of a genesis file. */
export const genesisText = (genesis: GenesisDocument): string =>
  `${JSON.stringify(genesisToJson(genesis), undefined, 2)}\n`;

function located(path: string, { path: key, value, message }: GenesisProblem): ConfigProblem {
  return { where: path, message: `${key === '' ? 'the document' : key} = ${value}: ${message}` };
}

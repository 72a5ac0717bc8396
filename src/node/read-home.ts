/** What a home says before its node runs: genesis, keys, the clock against the genesis. Boundary; throws StartRefused. */
import { existsSync } from 'node:fs';
import type { BlsEngine } from '../crypto/bls/engine.ts';
import type { GenesisDocument } from '../protocol/chain/genesis.ts';
import type { Digest } from '../protocol/chain/types.ts';
import { describeKeyProblem, loadKeys, type NodeKeys } from '../storage/key-store.ts';
import { ensureAdminToken } from './config/admin-token.ts';
import { loadGenesis } from './config/genesis-file.ts';
import { homePaths } from './config/home.ts';
import { readPassphrase } from './config/passphrase.ts';
import { rememberedPossessions } from './config/possessions.ts';
import type { Config } from './config/schema.ts';
import { StartRefused } from './config/start-refused.ts';

export interface Home {
  readonly genesis: GenesisDocument;
  readonly genesisHash: Digest;
  readonly keys: NodeKeys;
  readonly adminToken: string;
}

export function readHome(home: string, bls: BlsEngine): Home {
  const paths = homePaths(home);
  if (!existsSync(paths.genesisFile))
    throw refusal(paths.genesisFile, 'there is no genesis; run `althing init` first');
  const possessions = rememberedPossessions(bls, paths.possessions);
  const genesis = loadGenesis(paths.genesisFile, possessions);
  if (genesis.status === 'refused') throw new StartRefused('config', genesis.problems);
  possessions.save(paths.possessions);
  const passphrase = readPassphrase(process.env);
  const keys = loadKeys(paths.keys, { engine: bls, ...(passphrase === undefined ? {} : { passphrase }) });
  if (keys.status === 'refused') throw refusal(paths.keys, describeKeyProblem(keys.problem));
  return {
    genesis: genesis.genesis,
    genesisHash: genesis.hash,
    keys: keys.keys,
    adminToken: ensureAdminToken(paths.adminTokenFile),
  };
}

/**
 * Before the genesis every block would be late: no start, rather than a validator that cannot vote. A clock that is
 * behind by less than what adjusted time makes up may start.
 */
export function requireClockAfter(
  { genesisTime, parameters }: GenesisDocument,
  where: string,
  { source, panicThresholdMs }: Config['time'],
): void {
  const now = Date.now();
  const behindMax = source === 'system' ? parameters.timePrecision : panicThresholdMs;
  if (now + behindMax >= genesisTime) return;
  const [clock, genesis] = [now, genesisTime].map((time) => new Date(time).toISOString());
  throw refusal(
    where,
    `the chain begins at ${genesis}, and this machine's clock shows ${clock}: wait, or set the clock`,
  );
}

export const refusal = (where: string, message: string): StartRefused =>
  new StartRefused('config', [{ where, message }]);

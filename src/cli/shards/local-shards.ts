/** Several chains on this machine that know each other, made at the first start and found again at the next. Boundary: the disk. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { loadBlsEngine } from '../../crypto/bls/select.ts';
import { loadGenesis } from '../../node/config/genesis-file.ts';
import { homePaths } from '../../node/config/home.ts';
import { loadConfig } from '../../node/config/load.ts';
import { rememberedPossessions } from '../../node/config/possessions.ts';
import { configFailure, usageFailure } from '../failure.ts';
import { createNetworks, randomChainId } from '../homes.ts';
import { localHome, openLocalHomes } from '../local-network/homes.ts';
import {
  BASE_PORT_DEFAULT,
  peerAddressOf,
  requireFreePorts,
  rpcAddressOf,
  STRIDE,
} from '../local-network/ports.ts';

/** One of several chains. */
export interface LocalShard {
  readonly chainId: string;
  /** `http://127.0.0.1:26657`, one a validator. */
  readonly endpoints: readonly string[];
  readonly homes: readonly string[];
}

export interface LocalShardsRequest {
  readonly directory: string;
  /** As asked on the command line. */
  readonly shards: number | undefined;
  readonly validators: number | undefined;
  readonly basePort: number | undefined;
}

const SHARDS_DEFAULT = 2;
const VALIDATORS_DEFAULT = 4;

const shardFolder = (directory: string, shard: number): string => join(directory, `shard-${shard}`);

/** The chains in `directory`, made anew where there are none. */
export async function openLocalShards(request: LocalShardsRequest): Promise<readonly LocalShard[]> {
  const { directory, shards = SHARDS_DEFAULT, validators = VALIDATORS_DEFAULT } = request;
  if (existsSync(shardFolder(directory, 0))) return reopen(request);
  const basePort = request.basePort ?? BASE_PORT_DEFAULT;
  await requireFreePorts(basePort, shards * validators);
  const family = randomChainId();
  const plans = Array.from({ length: shards }, (_, shard) => ({
    homes: Array.from({ length: validators }, (_, index) => ({
      path: localHome(shardFolder(directory, shard), index),
      moniker: `shard${shard}-node${index}`,
      peerAddress: peerAddressOf(basePort, shard * validators + index),
      rpcAddress: rpcAddressOf(basePort, shard * validators + index),
    })),
    chain: {
      ...{ chainId: `${family}-${shard}`, folder: directory },
      application: { kind: 'built-in', name: 'ledger' } as const,
    },
  }));
  await createNetworks(plans);
  return readLocalShards(directory);
}

async function reopen({
  directory,
  shards,
  validators,
  basePort,
}: LocalShardsRequest): Promise<readonly LocalShard[]> {
  const found = await readLocalShards(directory);
  if (shards !== undefined && shards !== found.length)
    throw usageFailure(
      `--shards ${shards}: there are ${found.length} in ${directory}; leave the flag away, or choose another --data`,
    );
  const each = found[0]?.homes.length ?? VALIDATORS_DEFAULT;
  for (const [shard] of found.entries()) {
    await openLocalHomes({
      directory: shardFolder(directory, shard),
      validators,
      basePort: basePort === undefined ? undefined : basePort + STRIDE * each * shard,
      application: undefined,
      requirePorts: requireFreePorts,
    });
  }
  return basePort === undefined ? found : readLocalShards(directory);
}

/** @throws in words where there are none */
export async function readLocalShards(directory: string): Promise<readonly LocalShard[]> {
  const { engine } = await loadBlsEngine();
  const found: LocalShard[] = [];
  while (existsSync(shardFolder(directory, found.length))) {
    const folder = shardFolder(directory, found.length);
    const { genesisFile, possessions } = homePaths(localHome(folder, 0));
    const loaded = loadGenesis(genesisFile, rememberedPossessions(engine, possessions));
    if (loaded.status === 'refused') throw configFailure(loaded.problems);
    const { chainId, validators } = loaded.genesis;
    const homes = validators.map((_, index) => localHome(folder, index));
    found.push({ chainId, homes, endpoints: homes.map(endpointOf) });
  }
  if (found.length > 0) return found;
  throw usageFailure(
    `${directory} has no shards: make them with 'althing shards start', or give another --data`,
  );
}

function endpointOf(home: string): string {
  const result = loadConfig(home, process.env, []);
  if (result.status === 'refused') throw configFailure(result.problems);
  return `http://${result.loaded.config.rpc.listen}`;
}

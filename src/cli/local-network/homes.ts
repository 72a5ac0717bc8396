/** The homes of a local network: made at the first start, found again at the next. Boundary: the disk. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BUILT_IN_DEFAULT, type BuiltInName } from '../../application/built-in-names.ts';
import { loadBlsEngine } from '../../crypto/bls/select.ts';
import { loadGenesis } from '../../node/config/genesis-file.ts';
import { homePaths } from '../../node/config/home.ts';
import { resolveConfig } from '../../node/config/load.ts';
import { rememberedPossessions } from '../../node/config/possessions.ts';
import { renderToml } from '../../node/config/render.ts';
import { lockFolder } from '../../storage/folder-lock.ts';
import { storeHolder } from '../../storage/open.ts';
import { configFailure, messageOf, runtimeFailure, usageFailure } from '../failure.ts';
import { makeFolder } from '../folders.ts';
import { createNetwork } from '../homes.ts';
import {
  BASE_PORT_DEFAULT,
  basePortOf,
  isRpcOrigin,
  neighboursOf,
  peerAddressOf,
  rpcAddressOf,
} from './ports.ts';

export interface LocalHomes {
  readonly chainId: string;
  readonly homes: readonly string[];
  readonly basePort: number;
  /** What the chain runs, by its genesis. */
  readonly application: string;
}

export interface LocalHomesRequest {
  readonly directory: string;
  /** As asked on the command line. */
  readonly validators: number | undefined;
  readonly basePort: number | undefined;
  readonly application: BuiltInName | undefined;
  /** Throws where one of the ports cannot be had. Asked before a home is made or moved: what is refused leaves everything as it was. */
  readonly requirePorts?: (basePort: number, validators: number) => Promise<void>;
}

const VALIDATORS_DEFAULT = 4;

/** Home of validator `index`. */
export const localHome = (directory: string, index: number): string => join(directory, `node${index}`);

/**
 * Keeps every other network from running on these homes, before anything of them is touched. Gives the release.
 * A validator of theirs that runs by itself (`start --home`) is found by its store.
 */
export function holdNetwork(directory: string): () => void {
  makeFolder(directory);
  const lock = locked(directory);
  if (lock.status === 'held') return lock.release;
  throw usageFailure(
    `the network in ${directory} runs already (${lock.by}): stop it first, or choose another --data`,
  );
}

function locked(directory: string): ReturnType<typeof lockFolder> {
  try {
    return lockFolder(directory);
  } catch (cause) {
    throw runtimeFailure(`${directory} cannot be locked (${messageOf(cause)}): give another --data`);
  }
}

/** The network in `directory`, made anew where there is none. Moves its ports when asked to. */
export async function openLocalHomes(request: LocalHomesRequest): Promise<LocalHomes> {
  const { directory, validators = VALIDATORS_DEFAULT, basePort = BASE_PORT_DEFAULT } = request;
  if (existsSync(localHome(directory, 0))) return reopen(request);
  await request.requirePorts?.(basePort, validators);
  const homes = Array.from({ length: validators }, (_, index) => ({
    path: localHome(directory, index),
    moniker: `node${index}`,
    peerAddress: peerAddressOf(basePort, index),
    rpcAddress: rpcAddressOf(basePort, index),
    neighbours: neighboursOf(basePort, index, validators),
  }));
  const { application: name } = request;
  const { chainId } = await createNetwork(homes, {
    folder: directory,
    application: name === undefined ? undefined : { kind: 'built-in', name },
  });
  return { chainId, homes: homes.map(({ path }) => path), basePort, application: name ?? BUILT_IN_DEFAULT };
}

async function reopen({
  directory,
  validators,
  basePort,
  application,
  requirePorts,
}: LocalHomesRequest): Promise<LocalHomes> {
  const { engine } = await loadBlsEngine();
  const { genesisFile, possessions } = homePaths(localHome(directory, 0));
  const genesis = loadGenesis(genesisFile, rememberedPossessions(engine, possessions));
  if (genesis.status === 'refused') throw configFailure(genesis.problems);
  const count = genesis.genesis.validators.length;
  if (validators !== undefined && validators !== count) {
    throw usageFailure(
      `--validators ${validators}: the network in ${directory} has ${count}; leave the flag away, or choose another --data`,
    );
  }
  const { name } = genesis.genesis.application;
  if (application !== undefined && application !== name) {
    throw usageFailure(
      `--application ${application}: the network in ${directory} runs "${name}" by its genesis; leave the flag away, or choose another --data`,
    );
  }
  const homes = Array.from({ length: count }, (_, index) => localHome(directory, index));
  const missing = homes.find((home) => !existsSync(home));
  if (missing !== undefined)
    throw usageFailure(`${missing} is missing: the network in ${directory} is incomplete`);
  for (const home of homes) {
    const holder = storeHolder(homePaths(home).data);
    if (holder !== undefined)
      throw usageFailure(`the validator of ${home} runs already (${holder}): stop it first`);
  }
  const held = heldBasePort(homes[0] ?? '');
  await requirePorts?.(basePort ?? held, count);
  if (basePort !== undefined && basePort !== held) for (const home of homes) moveHome(home, held, basePort);
  return { chainId: genesis.genesis.chainId, homes, basePort: basePort ?? held, application: name };
}

const heldBasePort = (home: string): number =>
  basePortOf(configuredIn(homePaths(home).configFile).config.p2p.listen);

/** What the file alone says, whatever the environment does. */
function configuredIn(path: string) {
  const file = { path, text: readFileSync(path, 'utf8') };
  const result = resolveConfig({ file, environment: {}, overrides: [] });
  if (result.status === 'refused') throw configFailure(result.problems);
  return result.loaded;
}

/** Rewrites the addresses of a home's configuration; every other value stays. */
function moveHome(home: string, from: number, to: number): void {
  const path = homePaths(home).configFile;
  const move = (address: string): string => {
    const colon = address.lastIndexOf(':') + 1;
    return address.slice(0, colon) + String(Number(address.slice(colon)) + to - from);
  };
  const moved = configuredIn(path).settings.map(({ section, key, value }) => {
    const name = `${section}.${key}`;
    if (name === 'p2p.peers' && typeof value === 'object') return [name, value.map(move)] as const;
    if ((name === 'rpc.other_nodes' || name === 'rpc.allowed_origins') && typeof value === 'object') {
      // What its operator added stays.
      return [name, value.map((origin) => (isRpcOrigin(origin, from) ? move(origin) : origin))] as const;
    }
    const isAddress =
      (name === 'p2p.listen' || name === 'rpc.listen') && typeof value === 'string' && value !== '';
    return [name, isAddress ? move(value) : value] as const;
  });
  writeFileSync(path, renderToml(new Map(moved)));
}

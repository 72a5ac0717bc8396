/** What a home says before its node runs: genesis, keys, who of the validators it is, the clock against the genesis. Boundary; throws StartRefused. */
import { existsSync } from 'node:fs';
import { problemOfFirstState } from '../application/built-in.ts';
import type { BlsEngine } from '../crypto/bls/engine.ts';
import type { GenesisDocument } from '../protocol/chain/genesis.ts';
import { parseAddress } from '../protocol/chain/parse.ts';
import type { Address, Digest } from '../protocol/chain/types.ts';
import { isValidator, validatorSet } from '../protocol/chain/validator-set.ts';
import { type EpochContext, firstEpoch } from '../protocol/consensus/epoch.ts';
import { describeKeyProblem } from '../storage/key-problems.ts';
import { loadKeys, type NodeKeys } from '../storage/key-store.ts';
import { parseApplicationName } from './application-name.ts';
import type { ApplicationPlace, OwnApplication } from './application-place.ts';
import { ensureAdminToken } from './config/admin-token.ts';
import { loadGenesis } from './config/genesis-file.ts';
import { type HomePaths, homePaths } from './config/home.ts';
import { readPassphrase } from './config/passphrase.ts';
import { rememberedPossessions } from './config/possessions.ts';
import type { Config } from './config/schema.ts';
import { StartRefused } from './config/start-refused.ts';

/** Whose node it is, and of which chain. */
export interface Member extends Home {
  readonly paths: HomePaths;
  readonly epoch: EpochContext;
  readonly self: Address;
  readonly application: ApplicationPlace;
}

/** A home whose validator may start by its genesis, its configuration and this machine's clock. */
export function readMember(
  home: string,
  config: Config,
  bls: BlsEngine,
  own: OwnApplication | undefined,
): Member {
  const paths = homePaths(home);
  const read = readHome(home, bls);
  const { genesis, genesisHash, keys } = read;
  const set = validatorSet(genesis.validators);
  if ('code' in set) throw refusal(paths.genesisFile, JSON.stringify(set.code));
  const epoch = firstEpoch({ genesisHash, chainId: genesis.chainId }, set, genesis.parameters);
  const { nodeId } = keys.identity;
  const self = parseAddress(nodeId);
  if (self === 'malformed') throw refusal(paths.keys, `"${nodeId}" is no node id of 40 hexadecimal digits`);
  requireMode(config, { id: nodeId, isValidator: isValidator(set, self), genesis, paths });
  const application = placeOf(
    { genesis, where: paths.genesisFile, address: config.application.address, own },
    bls,
  );
  requireServers(config);
  requireOneApplication(config);
  requireClockAfter(genesis, paths.genesisFile, config.time);
  return { ...read, paths, epoch, self, application };
}

interface Home {
  readonly genesis: GenesisDocument;
  readonly genesisHash: Digest;
  readonly keys: NodeKeys;
  readonly adminToken: string;
}

function readHome(home: string, bls: BlsEngine): Home {
  const paths = homePaths(home);
  if (!existsSync(paths.genesisFile))
    throw refusal(paths.genesisFile, 'there is no genesis; run `althing init` first');
  const possessions = rememberedPossessions(bls, paths.possessions);
  const genesis = loadGenesis(paths.genesisFile, possessions);
  if (genesis.status === 'refused') throw new StartRefused('config', genesis.problems);
  possessions.save(paths.possessions);
  const passphrase = readPassphrase(process.env);
  const keys = loadKeys(paths.keys, { engine: bls, ...(passphrase === undefined ? {} : { passphrase }) });
  if (keys.status === 'refused') throw refusal('keys', describeKeyProblem(keys.problem));
  return {
    genesis: genesis.genesis,
    genesisHash: genesis.hash,
    keys: keys.keys,
    adminToken: ensureAdminToken(paths.adminTokenFile),
  };
}

/**
 * CS-19: wrong keys, or the same keys in a second home, are found out here. What the node is from then on the set of each epoch
 * says, not this.
 */
function requireMode(
  { node: { mode }, p2p: { peers } }: Config,
  {
    id,
    isValidator,
    genesis,
    paths,
  }: { readonly id: string; readonly isValidator: boolean } & Pick<Member, 'genesis' | 'paths'>,
): void {
  if (mode === 'validator' && !isValidator) {
    throw refusal(
      paths.keys,
      `node ${id} is no validator in the genesis of ${genesis.chainId}: use the keys of one, or set node.mode = "full" ` +
        'for a node that follows the chain and has no vote',
    );
  }
  if (mode === 'validator') return;
  if (isValidator) {
    throw refusal(
      'node.mode',
      `is "full", and the keys in ${paths.keys} are those of validator ${id} of ${genesis.chainId}: set it to "validator" ` +
        "if this home is that validator's only one, or make a home with keys of its own: `althing init --full`",
    );
  }
  if (peers.length === 0) {
    throw refusal(
      'p2p.peers',
      'is empty, and a full node has the chain from others alone: name one or more as "id@host:port" ' +
        '(`althing show-node-id --home DIR` on theirs)',
    );
  }
}

interface ApplicationFacts {
  readonly genesis: GenesisDocument;
  /** Of the genesis. */
  readonly where: string;
  /** Of the configuration: "" for none. */
  readonly address: string;
  /** Of the program that starts the node. */
  readonly own: OwnApplication | undefined;
}

/** Found out before the first block: later, each block would fail. */
function placeOf({ genesis, where, address, own }: ApplicationFacts, bls: BlsEngine): ApplicationPlace {
  const { name } = genesis.application;
  if (own !== undefined) {
    requireOwn(own, { name, where, address });
    return { kind: 'own', own };
  }
  // The genesis's name may be any: whatever listens there must call itself so.
  if (address !== '') return { kind: 'remote', address };
  const parsed = parseApplicationName(name);
  if (parsed.status === 'unknown') {
    throw refusal(
      where,
      `app.name: ${parsed.message}; for one of your own set application.address to where it listens, ` +
        'or start the node from your program with it (docs/applications.md)',
    );
  }
  const problem = problemOfFirstState(parsed.name, bls, genesis);
  if (problem !== undefined) throw refusal(where, problem);
  return { kind: 'built-in', name: parsed.name };
}

/** Two applications of one chain are a fork that nobody intends. */
function requireOwn(
  own: OwnApplication,
  { name, where, address }: { readonly name: string; readonly where: string; readonly address: string },
): void {
  if (own.name !== name) {
    throw refusal(
      where,
      `app.name is ${JSON.stringify(name)}, and the node was started with the application ${JSON.stringify(own.name)}: ` +
        "start it with the chain's, or on the home of another chain",
    );
  }
  if (address !== '') {
    throw refusal(
      'application.address',
      `is "${address}", and the node was started with the application "${own.name}" in its own process: ` +
        'leave one of the two away',
    );
  }
}

/**
 * Before the genesis every block would be late: no start, rather than a validator that cannot vote. A clock that is
 * behind by less than what adjusted time makes up may start.
 */
function requireClockAfter(
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

/** A node that believes NTP alone and asks nobody would never propose. */
function requireServers({ time: { source, servers } }: Config): void {
  if (source === 'ntp' && servers.length === 0)
    throw refusal(
      'time.servers',
      'time.source = "ntp" needs NTP servers: name four or more, or use "hybrid"',
    );
}

/** A join by a snapshot makes an application in a folder beside the running one; of another process there is one alone. */
function requireOneApplication({ application: { address }, sync: { join } }: Config): void {
  if (address !== '' && join === 'snapshot')
    throw refusal(
      'sync.join',
      `"snapshot" needs a built-in application, and application.address is "${address}": use "blocks", ` +
        'the node then fetches all blocks and gives them to the application',
    );
}

export const refusal = (where: string, message: string): StartRefused =>
  new StartRefused('config', [{ where, message }]);

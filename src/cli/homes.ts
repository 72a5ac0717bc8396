/**
 * Makes homes: keys, configuration, genesis, operator token. All of a network's homes appear together or not at
 * all, and nothing that exists is written over. Boundary: disk, randomness, the wall clock.
 */
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { problemOfFirstState } from '../application/built-in.ts';
import { BUILT_IN_DEFAULT, hasPage } from '../application/built-in-names.ts';
import { wallTime } from '../base/units.ts';
import type { BlsEngine } from '../crypto/bls/engine.ts';
import { loadBlsEngine } from '../crypto/bls/select.ts';
import { ensureAdminToken } from '../node/config/admin-token.ts';
import { genesisText } from '../node/config/genesis-file.ts';
import { homePaths } from '../node/config/home.ts';
import { readPassphrase } from '../node/config/passphrase.ts';
import { rememberedPossessions } from '../node/config/possessions.ts';
import { renderToml } from '../node/config/render.ts';
import type { RawValue } from '../node/config/setting.ts';
import {
  DEFAULT_CHAIN_PARAMETERS,
  type GenesisDocument,
  type GenesisValidator,
  parseGenesis,
} from '../protocol/chain/genesis.ts';
import { addressOf } from '../protocol/chain/validator-set.ts';
import type { LeadershipParameters } from '../protocol/consensus/leader.ts';
import { describeKeyProblem } from '../storage/key-problems.ts';
import { createKeys, type NodeIdentity } from '../storage/key-store.ts';
import { configFailure, messageOf, runtimeFailure, usageFailure } from './failure.ts';
import { makeFolder } from './folders.ts';
import type { NamedChain } from './ledger/local-genesis.ts';
import type { NewApplication } from './new-application.ts';

export interface NewHome {
  readonly path: string;
  readonly moniker: string;
  readonly peerAddress: string;
  readonly rpcAddress: string;
  /** RPC addresses of nodes to whose RPC its pages go on, and of nodes whose pages come to its own; left out where there are no pages. */
  readonly neighbours?: Neighbours;
}

/** What a home's node is in its chain (CS-19). */
type Mode = 'validator' | 'full';

export interface Neighbours {
  readonly after: readonly string[];
  readonly before: readonly string[];
}

export interface CreatedNetwork {
  readonly chainId: string;
  readonly homes: readonly CreatedHome[];
}

interface CreatedHome {
  readonly path: string;
  readonly moniker: string;
  readonly id: string;
  readonly mode: Mode;
}

export interface NewChain {
  /** Left out: a random one. */
  readonly chainId?: string | undefined;
  /** Left out: kv. */
  readonly application?: NewApplication | undefined;
  /** Left out: turns, without reputation and VRF. */
  readonly leadership?: LeadershipParameters | undefined;
  /** The folder that gets the key of the ledger's faucet; the first home by default. */
  readonly folder?: string;
  /** Nodes that follow it without a vote. */
  readonly full?: readonly NewHome[];
}

/** Homes of the validators of a new chain, then those of its full nodes; each gets all other validators as peers. */
export async function createNetwork(
  homes: readonly NewHome[],
  chain: NewChain = {},
): Promise<CreatedNetwork> {
  const [made] = await createNetworks([{ homes, chain }]);
  if (made === undefined) throw new Error('one network was asked for');
  return made;
}

/** One of several chains that are made together. */
export interface NetworkPlan {
  readonly homes: readonly NewHome[];
  readonly chain: NewChain;
}

/** As `createNetwork`; ledgers that are made together name each other (docs/sharding.md). All of their homes appear, or none. */
export async function createNetworks(plans: readonly NetworkPlan[]): Promise<readonly CreatedNetwork[]> {
  const homesOf = ({ homes, chain }: NetworkPlan): readonly NewHome[] => [...homes, ...(chain.full ?? [])];
  return stage(plans.flatMap(homesOf), async (staged, engine) => {
    const rest = [...staged];
    const drafts = plans.map((plan): Draft => {
      const nodes = rest
        .splice(0, homesOf(plan).length)
        .map((home) => ({ home, identity: newKeys(home.stagedPath, engine) }));
      const members = nodes.slice(0, plan.homes.length);
      const chainId = plan.chain.chainId ?? randomChainId();
      const validators = members.map(({ home, identity }) => validatorOf(home.moniker, identity));
      return { chain: plan.chain, chainId, nodes, members, validators };
    });
    const made: CreatedNetwork[] = [];
    for (const draft of drafts) {
      const others = drafts.filter((other) => other !== draft);
      made.push(await createChain(draft, others, engine));
    }
    return made;
  });
}

interface Draft {
  readonly chain: NewChain;
  readonly chainId: string;
  readonly nodes: readonly DraftNode[];
  /** Of the nodes, the validators. */
  readonly members: readonly DraftNode[];
  readonly validators: readonly GenesisValidator[];
}

interface DraftNode {
  readonly home: StagedHome;
  readonly identity: NodeIdentity;
}

async function createChain(
  { chain, chainId, nodes, members, validators }: Draft,
  others: readonly NamedChain[],
  engine: BlsEngine,
): Promise<CreatedNetwork> {
  const { application = DEFAULT_APPLICATION, leadership, folder } = chain;
  const possessions = rememberedPossessions(engine);
  for (const { identity } of members) possessions.admit(identity.consensusKey, identity.possession);
  const genesis = genesisOf(
    chainId,
    validators,
    { name: application.name, state: await stateOf(application, members, others, folder) },
    leadership,
  );
  const ruling = parseGenesis(JSON.parse(genesisText(genesis)), possessions);
  if (ruling.status === 'invalid') {
    throw usageFailure(
      ruling.problems.map(({ path, value, message }) => `${path} = ${value}: ${message}`).join('\n'),
    );
  }
  if (application.kind === 'built-in') {
    const problem = problemOfFirstState(application.name, engine, ruling.genesis);
    if (problem !== undefined) throw usageFailure(problem);
  }
  const created = nodes.map((node, index): CreatedHome => {
    const { home, identity } = node;
    const mode: Mode = index < members.length ? 'validator' : 'full';
    const peers = members
      .filter((other) => other !== node)
      .map((other) => `${other.identity.nodeId}@${other.home.peerAddress}`);
    const neighbours = hasPage(application.name) ? home.neighbours : undefined;
    const applicationAddress = application.kind === 'own' ? application.addresses[index] : undefined;
    writeHome(home, { mode, peers, genesis: genesisText(genesis), neighbours, applicationAddress });
    possessions.save(homePaths(home.stagedPath).possessions);
    return { path: home.path, moniker: home.moniker, id: identity.nodeId, mode };
  });
  return { chainId, homes: created };
}

const DEFAULT_APPLICATION: NewApplication = { kind: 'built-in', name: BUILT_IN_DEFAULT };

/** A genesis document that is there already, and where it is from. */
export interface ExistingGenesis {
  readonly text: string;
  readonly source: string;
}

export interface JoiningNode {
  readonly mode: Mode;
  readonly peers: readonly string[];
  /** "", or left out: the built-in one that the genesis names, or one that comes with the program. */
  readonly applicationAddress?: string | undefined;
}

/** A home with keys of its own for the chain of an existing genesis document. */
export async function createHome(
  home: NewHome,
  { text: existingGenesis, source }: ExistingGenesis,
  { mode, peers, applicationAddress }: JoiningNode,
): Promise<CreatedNetwork> {
  return stage([home], async ([staged], engine) => {
    const ruling = parseGenesis(parseJson(existingGenesis, source), engine);
    if (ruling.status === 'invalid') {
      throw configFailure(
        ruling.problems.map(({ path, value, message }) => ({
          where: source,
          message: `${path} = ${value}: ${message}`,
        })),
      );
    }
    if (staged === undefined) return { chainId: ruling.genesis.chainId, homes: [] };
    const { nodeId } = newKeys(staged.stagedPath, engine);
    writeHome(staged, { mode, peers, genesis: existingGenesis, neighbours: undefined, applicationAddress });
    return {
      chainId: ruling.genesis.chainId,
      homes: [{ path: home.path, moniker: home.moniker, id: nodeId, mode }],
    };
  });
}

interface StagedHome extends NewHome {
  readonly stagedPath: string;
}

async function stage<Made>(
  homes: readonly NewHome[],
  fill: (staged: readonly StagedHome[], engine: BlsEngine) => Promise<Made>,
): Promise<Made> {
  for (const { path } of homes) requireRoom(path);
  const suffix = `.new-${randomBytes(4).toString('hex')}`;
  // An empty directory that is there may be a mount point: nothing can be renamed onto it, only into it.
  const staged = homes.map((home) => ({
    ...home,
    stagedPath: existsSync(home.path) ? join(home.path, suffix) : `${home.path}${suffix}`,
  }));
  try {
    const { engine } = await loadBlsEngine();
    for (const { stagedPath, path } of staged) makeFolder(stagedPath, path);
    const created = await fill(staged, engine);
    for (const { path, stagedPath } of staged) settle(stagedPath, path);
    return created;
  } catch (cause) {
    for (const { stagedPath } of staged) rmSync(stagedPath, { recursive: true, force: true });
    if (cause instanceof Error && 'code' in cause && 'syscall' in cause)
      throw runtimeFailure(messageOf(cause));
    throw cause;
  }
}

/** Refuses a place where no home can be made. */
function requireRoom(path: string): void {
  const found = entryAt(path);
  if (found === undefined) return;
  if (found.isSymbolicLink() && !existsSync(path)) {
    throw usageFailure(
      `${path} is a link to ${readlinkSync(path)}, which is not there: make that directory, or remove the link`,
    );
  }
  if (!statSync(path).isDirectory()) {
    throw usageFailure(`${path} is a file, and a home is a directory: choose another, or remove it`);
  }
  if (readdirSync(path).length > 0) {
    throw usageFailure(
      `${path} exists already and is not written over: choose another directory, or remove it`,
    );
  }
}

function entryAt(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (cause) {
    throw usageFailure(`${path} cannot be a home (${messageOf(cause)}): choose another directory`);
  }
}

function settle(stagedPath: string, path: string): void {
  if (dirname(stagedPath) !== path) {
    renameSync(stagedPath, path);
    return;
  }
  for (const entry of readdirSync(stagedPath)) renameSync(join(stagedPath, entry), join(path, entry));
  rmdirSync(stagedPath);
}

function newKeys(path: string, engine: BlsEngine): NodeIdentity {
  const passphrase = readPassphrase(process.env);
  const result = createKeys(homePaths(path).keys, {
    engine,
    ...(passphrase === undefined ? {} : { passphrase }),
  });
  if (result.status === 'refused') throw runtimeFailure(describeKeyProblem(result.problem));
  return result.identity;
}

interface HomeContents {
  readonly mode: Mode;
  readonly peers: readonly string[];
  readonly genesis: string;
  readonly neighbours: Neighbours | undefined;
  readonly applicationAddress: string | undefined;
}

/** SY-15: whoever always follows the tip has each block of one peer, else all of them would give it each three times. */
const FOLLOWING: ReadonlyMap<string, RawValue> = new Map([['sync.redundant_peers', 1]]);

function writeHome(
  { stagedPath, moniker, peerAddress, rpcAddress }: StagedHome,
  { mode, peers, genesis, neighbours, applicationAddress = '' }: HomeContents,
): void {
  const paths = homePaths(stagedPath);
  const values = new Map<string, RawValue>([
    ['node.moniker', moniker],
    ['node.mode', mode],
    ['p2p.listen', peerAddress],
    ['p2p.peers', peers],
    ['rpc.listen', rpcAddress],
    ['rpc.other_nodes', (neighbours?.after ?? []).map((address) => `http://${address}`)],
    ['rpc.allowed_origins', (neighbours?.before ?? []).flatMap(originsOf)],
    ['application.address', applicationAddress],
  ]);
  mkdirSync(join(stagedPath, 'config'), { recursive: true });
  mkdirSync(paths.data, { recursive: true, mode: 0o700 });
  writeFileSync(paths.configFile, renderToml(values));
  writeFileSync(paths.syncConfigFile, renderToml(mode === 'full' ? FOLLOWING : new Map(), 'sync.toml'));
  writeFileSync(paths.genesisFile, genesis);
  ensureAdminToken(paths.adminTokenFile);
}

/** Before the first block. */
async function stateOf(
  application: NewApplication,
  members: readonly DraftNode[],
  others: readonly NamedChain[],
  folder = members[0]?.home.stagedPath ?? '',
): Promise<GenesisDocument['application']['state']> {
  if (application.kind === 'own' || application.name !== 'ledger') return {};
  const { localLedger } = await import('./ledger/local-genesis.ts');
  const { ordering } = application;
  return localLedger(
    members.map(({ home, identity }) => ({
      address: addressOf(identity.nodeKey),
      stagedPath: home.stagedPath,
    })),
    { folder, others, ordering },
  );
}

/** As people write the address of a page on this machine. */
const originsOf = (address: string): readonly string[] => [
  `http://${address}`,
  `http://${address.replace(/^127\.0\.0\.1:/, 'localhost:')}`,
];

const genesisOf = (
  chainId: string,
  validators: readonly GenesisValidator[],
  application: GenesisDocument['application'],
  leadership: LeadershipParameters | undefined,
): GenesisDocument => ({
  chainId,
  genesisTime: wallTime(Date.now()),
  validators,
  parameters: { ...DEFAULT_CHAIN_PARAMETERS, ...leadership },
  application,
});

const validatorOf = (
  name: string,
  { nodeKey, consensusKey, possession }: NodeIdentity,
): GenesisValidator => ({
  address: addressOf(nodeKey),
  nodeKey,
  consensusKey,
  possessionProof: possession,
  power: 1n,
  name,
});

export const randomChainId = (): string => `althing-${randomBytes(3).toString('hex')}`;

function parseJson(text: string, source: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw configFailure([{ where: source, message: `is not JSON: ${messageOf(cause)}` }]);
  }
}

/**
 * Starts one node out of its home: reads what is there, opens the store, builds the tree, and says when and why it ended.
 * Boundary; composes and decides nothing. What the user can mend is thrown as `StartRefused`.
 */
import { type Clock, child, createSystem, realClock, seededRandom } from '../actors/runtime/index.ts';
import { type WallTime, wallTime } from '../base/units.ts';
import type { BlsEngine } from '../crypto/bls/engine.ts';
import { loadBlsEngine } from '../crypto/bls/select.ts';
import { ECVRF } from '../crypto/vrf.ts';
import { type NodeLog, openLog } from '../observe/log.ts';
import { measureLoopLag } from '../observe/loop-lag.ts';
import { createMetrics } from '../observe/metrics.ts';
import { GENESIS_HEIGHT } from '../protocol/chain/ordinals.ts';
import { isValidator } from '../protocol/chain/validator-set.ts';
import type { EpochContext } from '../protocol/consensus/epoch.ts';
import { type RunningRpcServer, startRpcServer } from '../rpc/http-server.ts';
import type { NodePort, NodeStatus } from '../rpc/node-port.ts';
import { forgetReplaced } from '../storage/chain-swap.ts';
import { consensusSecretOf, type NodeKeys } from '../storage/key-store.ts';
import { openStore } from '../storage/open.ts';
import type { Store } from '../storage/store.ts';
import type { LinksOrder } from '../transport/disturbance.ts';
import { LZ4 } from '../transport/lz4/select.ts';
import { ALARM_EVENTS, alarmLogic } from './alarm.ts';
import type { OwnApplication } from './application-place.ts';
import { bridgeConfigOf } from './config/bridge-config.ts';
import { mempoolConfigOf, timeoutConfigOf } from './config/consensus-config.ts';
import type { Config } from './config/schema.ts';
import { StartRefused } from './config/start-refused.ts';
import { syncConfigOf } from './config/sync-config.ts';
import { keepDivergence } from './divergence-keeper.ts';
import { Ending, type NodeEnd } from './ending.ts';
import { epochLog } from './epoch-log.ts';
import { GATEWAY_EVENTS, Gateway } from './gateway.ts';
import { NodeInspector } from './inspector.ts';
import { endpointsOf, nodeNetwork, peerAddress, peersOf } from './node-network.ts';
import { createNodePort } from './node-port.ts';
import { offenceLog } from './offence-log.ts';
import { applicationPages } from './pages.ts';
import { type Member, readMember } from './read-home.ts';
import { type JournalLog, recordingOf } from './recorded-node.ts';
import { keeping } from './storage-cells.ts';
import { presentEpoch, validatorsOf } from './stored-epochs.ts';
import { SyncWatch } from './sync-watch.ts';
import { takeChain } from './take-chain.ts';
import { nodeClocks } from './time-cells.ts';
import { nodeTree } from './tree.ts';
import { VERSION } from './version.ts';
import { epochOf } from './views.ts';

export type { NodeEnd } from './ending.ts';

/** A node that is listening, its RPC too. */
export interface RunningNode {
  readonly port: NodePort;
  /** Where viewers connect, with this start's token; undefined: the inspector is off. */
  readonly inspectorUrl: () => string | undefined;
  /** What the page of a local network does to this node's links. */
  readonly disturb: (order: LinksOrder) => void;
  /** Settles once, after everything is closed; never rejects. */
  readonly ended: Promise<NodeEnd>;
  /** Stops proposing, drains, syncs, closes. Idempotent. */
  stop(): Promise<void>;
}

export interface StartOptions {
  /** In place of a built-in one or one in a process of its own. */
  readonly application?: OwnApplication;
}

/** Starts the node of `home`; resolves when it listens. Throws StartRefused, or the system's own error. */
export async function startNode(
  home: string,
  config: Config,
  { application }: StartOptions = {},
): Promise<RunningNode> {
  const { engine: bls, fallbackReason } = await loadBlsEngine();
  const member = readMember(home, config, bls, application);
  const log = openLog({ ...config.log, moniker: config.node.moniker });
  for (const reason of [fallbackReason, LZ4.fallbackReason]) {
    if (reason !== undefined) log.of('node').warn(reason);
  }
  const node = startCells(member, config, bls, log);
  if (!isValidator(node.present().set, member.self)) {
    log.of('node').info(`full node ${member.self}: it follows the chain, serves it, and has no vote`);
  }
  const { root, network, ending } = node;
  const lag = measureLoopLag();
  let rpc: RunningRpcServer | undefined;
  const port = portOf(node, member, config, lag.read, () => rpc?.address ?? config.rpc.listen);
  node.inspector.lookAt({
    ...{ system: node.system, port, store: node.store },
    journal: () => node.recording?.status(),
  });
  const metrics = createMetrics(port, node.system, () => node.recording?.status());
  const unwatch = new SyncWatch(log.of('sync'), () => performance.now()).start(port.sync);
  const ended = ending.asked.then(async (reason): Promise<NodeEnd> => {
    await rpc?.close();
    unwatch();
    metrics.stop();
    lag.stop();
    await withinTime(node.system.stop(), config.runtime.shutdownTimeoutMs);
    await withinTime(node.recording?.close() ?? Promise.resolve(), config.runtime.shutdownTimeoutMs);
    ending.fork.close();
    node.store.close();
    log.flush();
    return ending.reasonAfter(reason);
  });
  try {
    await Promise.race([root.started(), ended.then((reason) => Promise.reject(new Error(detailOf(reason))))]);
    if (config.rpc.listen !== '') {
      rpc = await startRpcServer({
        ...config.rpc,
        port,
        requestTimeout: config.rpc.requestTimeoutMs,
        commitTimeout: config.rpc.commitTimeoutMs,
        adminToken: member.adminToken,
        loopLag: lag.read,
        loopLagMax: config.runtime.loopLagMsMax,
        metrics: metrics.text,
        pages: applicationPages(member.genesis.application.name, {
          genesisHash: member.epoch.domain.genesisHash,
          otherNodes: config.rpc.otherNodes,
        }),
        onCall: metrics.observeCall,
        onEarly: metrics.observeEarlyCall,
      });
    }
    forgetReplaced(member.paths);
    log.of('node').info(listeningWords(port.status()));
  } catch (failure) {
    ending.stop();
    await ended;
    throw network.notListening() ?? failure;
  }
  return {
    port,
    inspectorUrl: () => node.inspector.url,
    disturb: (order) => network.disturb(order),
    ended,
    async stop() {
      ending.stop();
      await ended;
    },
  };
}

/** The store is opened, on the chain that the home goes on with, and everything that reads and writes it runs. */
function startCells(member: Member, config: Config, bls: BlsEngine, log: NodeLog) {
  const { paths, genesis, epoch, self, keys, application } = member;
  const syncConfig = syncConfigOf(config);
  const found = takeChain(paths, epoch.domain, syncConfig, log.of('sync'));
  const store = openStore(paths.data, epoch.domain, {
    segmentBytes: config.storage.segmentBytes,
    validator: self,
    witnessDir: paths.keys,
  });
  if ('status' in store) throw new StartRefused('store', [{ where: store.path, message: store.detail }]);
  const clock = realClock();
  const clocks = nodeClocks(clock, log.of('time'));
  const wall = (): WallTime => clocks.adjusted.read();
  const gateway = new Gateway();
  const offences = offenceLog(log.of('consensus'), self);
  gateway.listen((event) => void (event.type === 'results.persisted' && offences(event)));
  const { system, recording } = recordedSystem(member, config, { clock, wall, log: log.of('journal') });
  const atStart = presentEpoch(store, epoch);
  const present = (): EpochContext => epochOf(system) ?? atStart;
  const network = nodeNetwork(config, keys.nodeSecret, clock, present);
  const logger = log.of('runtime');
  system.deadLetters.listen(({ reason, to, message }) =>
    logger.debug({ reason, to, type: message.type }, 'dead letter'),
  );
  const ending = new Ending({ places: paths, found, wall, log: log.of('sync') });
  const mempool = mempoolConfigOf(config, genesis);
  const kept = keeping({
    ...{ paths, config, genesis, application, epoch, mempool, store, log },
    bls,
    setFor: (wanted) => validatorsOf(store, epoch, wanted),
    deviceFailed: (detail) => ending.ask({ kind: 'failed', detail }),
  });
  const urlFile = paths.inspectorUrlFile;
  const inspector = new NodeInspector({ config: config.inspector, urlFile, log: log.of('inspector') });
  const { parameters } = genesis;
  const tree = nodeTree({
    ...{ epoch, present, bls, vrf: ECVRF, mempool },
    signer: {
      address: self,
      sign: (message, key) => signatureBy(keys, bls, message, key),
      prove: (input) => ECVRF.prove(keys.nodeSecret, input),
    },
    genesisTime: genesis.genesisTime,
    limits: { batchesMax: parameters.blockBatchesMax, bytesMax: parameters.blockBytesMax },
    timeliness: { precisionMs: parameters.timePrecision, messageDelayMs: parameters.messageDelay },
    timeouts: timeoutConfigOf(config),
    time: config.time,
    sync: syncConfig,
    bridge: bridgeConfigOf(config),
    bridgeQueueSize: config.bridge.maxQueueSize,
    get fork() {
      return ending.fork.proved;
    },
    clocks: clocks.cells,
    network: network.cells,
    ...kept.cells,
    deduplicationHeights: parameters.deduplicationHeights,
    get joins() {
      return config.sync.join === 'snapshot' && isEmpty(store);
    },
    evidenceAge: { ageHeights: parameters.evidenceAgeHeights, ageMax: parameters.evidenceAge },
    surface: [
      child('rpc', gateway.logic(), { publicEvents: GATEWAY_EVENTS, mailbox: { capacity: 65_536 } }),
      child('alarm', alarmOf(member, { ending, log, wall, atStart }), { publicEvents: ALARM_EVENTS }),
      ...inspector.cells(),
    ],
  });
  const root = system.start(recording?.root(tree, system) ?? tree);
  void root.ended().then((reason) => ending.ask({ kind: 'failed', detail: JSON.stringify(reason) }));
  return {
    ...{ system, present, root, store, network, gateway, clock, clocks, kept, mempool, syncConfig, ending },
    ...{ recording, inspector },
  };
}

/** The system of cells, recorded unless the configuration says otherwise (RP-3). */
function recordedSystem(
  member: Member,
  config: Config,
  { clock, wall, log }: { readonly clock: Clock; readonly wall: () => WallTime; readonly log: JournalLog },
) {
  const seed = `${member.self}/${Date.now()}`;
  const recording = recordingOf(member, config, { log, startedAt: clock.wall(), seed });
  const system = createSystem({
    ...{ name: config.node.moniker, clock, wall, random: seededRandom(seed) },
    ...(recording === undefined ? {} : { journal: recording.journal, outside: recording.outside }),
  });
  return { system, recording };
}

/** What is told to the operator, and what ends the node. */
const alarmOf = (
  { paths, self, keys }: Member,
  {
    ending,
    log,
    wall,
    atStart,
  }: {
    readonly ending: Ending;
    readonly log: NodeLog;
    readonly wall: () => WallTime;
    readonly atStart: EpochContext;
  },
) =>
  alarmLogic({
    log: log.of('sync'),
    violated: (message) => ending.fork.violated(message),
    diverged: (divergence) =>
      keepDivergence({ dir: paths.divergences, wall, log: log.of('bridge') }, divergence),
    epochBegan: epochLog({
      log: log.of('consensus'),
      self,
      hasKey: (key) => consensusSecretOf(keys, key) !== undefined,
      epoch: atStart,
    }),
    resynced: (height) => void setTimeout(() => ending.ask({ kind: 'resynced', height }), RESYNCED_NOTICE_MS),
  });

type StartedCells = ReturnType<typeof startCells>;

function portOf(
  { system, present, store, network, gateway, clock, clocks, kept, mempool, syncConfig }: StartedCells,
  { self, keys, genesis, epoch }: Member,
  config: Config,
  loopLagMs: () => number,
  rpcAddress: () => string,
): NodePort {
  const startedAt = wallTime(Date.now());
  return createNodePort({
    ...{ system, store, gateway },
    applicationInfo: kept.applicationInfo,
    card: {
      ...{ self, genesis, epoch, mempool },
      nodeKey: keys.identity.nodeKey,
      moniker: config.node.moniker,
      version: VERSION,
      genesisTime: genesis.genesisTime,
    },
    surroundings: {
      ...{ rpcAddress, startedAt, loopLagMs },
      peerAddress: () => peerAddress(config, network),
      peers: () => peersOf(network, present().set),
      operationsTurnedAway: network.operationsTurnedAway,
      dialed: [...endpointsOf(config.p2p.peers).keys()],
      time: { clock, adjusted: clocks.adjusted, source: config.time.source },
      sync: syncConfig,
      loopLagMsMax: config.runtime.loopLagMsMax,
      executionFailure: kept.executionFailure,
      hasKey: (key) => consensusSecretOf(keys, key) !== undefined,
    },
  });
}

/** By the key that the epoch's set names; undefined where this node has not got it (CS-16). */
function signatureBy(
  keys: NodeKeys,
  bls: BlsEngine,
  message: Uint8Array,
  consensusKey: Uint8Array,
): Uint8Array | undefined {
  const secret = consensusSecretOf(keys, consensusKey);
  return secret === undefined ? undefined : bls.sign(secret, message);
}

/** What the operator sees of a start that went well. */
const listeningWords = ({ chainId, committed, peerAddress, rpcAddress }: NodeStatus): string =>
  `listens at ${peerAddress}, ${rpcAddress === '' ? 'no RPC' : `RPC http://${rpcAddress}`}; chain ${chainId}, height ${committed.height}`;

/** Whoever asks each second hears that the new chain is whole before the node ends for it. @unit ms @source three such questions */
const RESYNCED_NOTICE_MS = 3_000;

/** Nothing was ever committed there. */
function isEmpty(store: Store): boolean {
  const tip = store.tip();
  return tip.status === 'found' && tip.value.height === GENESIS_HEIGHT;
}

/** Resolves when `work` does, or after `ms`: a shutdown ends (RT-17). */
async function withinTime(work: Promise<void>, ms: number): Promise<void> {
  const limit = Promise.withResolvers<void>();
  const timer = setTimeout(limit.resolve, ms);
  await Promise.race([work, limit.promise]);
  clearTimeout(timer);
}

function detailOf(end: NodeEnd): string {
  if (end.kind === 'stopped') return 'the node was stopped while it started';
  return end.kind === 'resynced' ? 'the chain was replaced while the node started' : end.detail;
}

/**
 * Starts one node out of its home: reads what is there, opens the store, builds the tree, and says when and why it ended.
 * Boundary; composes and decides nothing. What the user can mend is thrown as `StartRefused`.
 */
import { rmSync } from 'node:fs';
import { ADDRESSES, CONNECTIVITY_LISTENERS, routeOf } from '../actors/addresses.ts';
import { child, createSystem, realClock, seededRandom } from '../actors/runtime/index.ts';
import { EXECUTOR_EVENTS, executorLogic } from '../application/executor.ts';
import { kv } from '../application/kv/kv.ts';
import {
  SNAPSHOT_KEEPER_EVENTS,
  type SnapshotReport,
  snapshotKeeperLogic,
} from '../application/snapshot-keeper.ts';
import { SNAPSHOT_RESTORER_EVENTS, snapshotRestorerLogic } from '../application/snapshot-restorer.ts';
import { wallTime } from '../base/units.ts';
import type { BlsEngine } from '../crypto/bls/engine.ts';
import { loadBlsEngine } from '../crypto/bls/select.ts';
import { type NodeLog, openLog } from '../observe/log.ts';
import { measureLoopLag } from '../observe/loop-lag.ts';
import { createMetrics } from '../observe/metrics.ts';
import type { GenesisDocument } from '../protocol/chain/genesis.ts';
import { GENESIS_HEIGHT } from '../protocol/chain/ordinals.ts';
import { parseAddress } from '../protocol/chain/parse.ts';
import type { Address, Height, ValidatorSet } from '../protocol/chain/types.ts';
import { powerOf, validatorSet } from '../protocol/chain/validator-set.ts';
import { firstEpoch } from '../protocol/consensus/epoch.ts';
import type { TimeoutConfig } from '../protocol/consensus/timeouts.ts';
import { DEFAULT_MEMPOOL_CONFIG, type MempoolConfig } from '../protocol/mempool/config.ts';
import type { Application } from '../protocol/ports/application.ts';
import { DIAL_BACKOFF } from '../protocol/transport/backoff.ts';
import type { Endpoint } from '../protocol/transport/messages.ts';
import { type RunningRpcServer, startRpcServer } from '../rpc/http-server.ts';
import type { NodePort, PeerStatus } from '../rpc/node-port.ts';
import { forgetReplaced } from '../storage/chain-swap.ts';
import { openStore } from '../storage/open.ts';
import { sideFolder } from '../storage/side-disk.ts';
import { SIDE_STORE_EVENTS, sideStoreLogic } from '../storage/side-store.ts';
import { STORAGE_EVENTS, storageLogic } from '../storage/storage-actor.ts';
import type { Store } from '../storage/store.ts';
import { createNetwork, type Network } from '../transport/network.ts';
import { ALARM_EVENTS, alarmLogic } from './alarm.ts';
import { homePaths } from './config/home.ts';
import type { Config } from './config/schema.ts';
import { StartRefused } from './config/start-refused.ts';
import { syncConfigOf } from './config/sync-config.ts';
import { ExecutionWatch } from './execution-watch.ts';
import { GATEWAY_EVENTS, Gateway } from './gateway.ts';
import { createNodePort } from './node-port.ts';
import { readHome, refusal, requireClockAfter } from './read-home.ts';
import { StorageWatch } from './storage-watch.ts';
import { SyncWatch } from './sync-watch.ts';
import { takeChain } from './take-chain.ts';
import { nodeClocks } from './time-cells.ts';
import { nodeTree } from './tree.ts';
import { VERSION } from './version.ts';

/** Why a node ended. */
export type NodeEnd =
  | { readonly kind: 'stopped' }
  | { readonly kind: 'failed'; readonly detail: string }
  | { readonly kind: 'store-corrupt'; readonly detail: string }
  | { readonly kind: 'safety-violation'; readonly detail: string }
  /** A new chain is whole beside the old one: the next start of this home goes on with it (SY-9). */
  | { readonly kind: 'resynced'; readonly height: Height };

/** A node that is listening, its RPC too. */
export interface RunningNode {
  readonly port: NodePort;
  /** Settles once, after everything is closed; never rejects. */
  readonly ended: Promise<NodeEnd>;
  /** Stops proposing, drains, syncs, closes. Idempotent. */
  stop(): Promise<void>;
}

/** Starts the node of `home`; resolves when it listens. Throws StartRefused, or the system's own error. */
export async function startNode(home: string, config: Config): Promise<RunningNode> {
  const { engine: bls } = await loadBlsEngine();
  const paths = homePaths(home);
  const { genesis, genesisHash, keys, adminToken } = readHome(home, bls);
  const domain = { genesisHash, chainId: genesis.chainId };
  const ruling = validatorSet(genesis.validators);
  if ('code' in ruling) throw refusal(paths.genesisFile, JSON.stringify(ruling.code));
  const epoch = firstEpoch(domain, ruling);
  const self = parseAddress(keys.identity.nodeId);
  if (self === 'malformed' || powerOf(epoch.set, self) === 0n) {
    throw refusal(
      paths.keys,
      `validator ${keys.identity.nodeId} is not in the genesis of ${genesis.chainId}`,
    );
  }
  requireServers(config);
  requireClockAfter(genesis, paths.genesisFile, config.time);
  const log = openLog({ ...config.log, moniker: config.node.moniker });
  const syncConfig = syncConfigOf(config);
  const forked = takeChain(paths, domain, syncConfig, log.of('sync'));
  const opened = openStore(paths.data, domain, {
    segmentBytes: config.storage.segmentBytes,
    validator: self,
    witnessDir: paths.keys,
  });
  if ('status' in opened) throw new StartRefused('store', [{ where: opened.path, message: opened.detail }]);
  const joins = config.sync.join === 'snapshot' && isEmpty(opened);
  let application: Application | undefined;
  const openApplication = (): Application => {
    application = builtInApplication(genesis, paths.applicationData, bls.verifyPossession);
    return application;
  };
  const gateway = new Gateway();
  const execution = new ExecutionWatch(log.of('application'), () => performance.now());
  const clock = realClock();
  const clocks = nodeClocks(clock, log.of('time'));
  const peers = endpointsOf(config.p2p.peers);
  const network = createNetwork({
    address: 'node/network',
    secret: keys.nodeSecret,
    chain: domain,
    validators: epoch.set.validators.map(({ address }) => address),
    endpoints: peers,
    listen: endpointOf(config.p2p.listen),
    advertise: endpointOf(config.p2p.externalAddress || config.p2p.listen),
    moniker: config.node.moniker,
    epoch: () => epoch.epoch,
    route: routeOf,
    connectivity: CONNECTIVITY_LISTENERS,
    clock,
    backoff: { ...DIAL_BACKOFF, min: config.p2p.dialBackoffMsMin, max: config.p2p.dialBackoffMsMax },
    insecure: config.p2p.plaintextOnLoopback,
  });
  const system = createSystem({
    name: config.node.moniker,
    clock,
    wall: () => clocks.adjusted.read(),
    random: seededRandom(`${self}/${Date.now()}`),
  });
  const end = Promise.withResolvers<NodeEnd>();
  const storage = new StorageWatch(
    log.of('storage'),
    () => performance.now(),
    (detail) => end.resolve({ kind: 'failed', detail }),
  );
  const logger = log.of('runtime');
  system.deadLetters.listen(({ reason, to, message }) =>
    logger.debug({ reason, to, type: message.type }, 'dead letter'),
  );

  const mempool = mempoolConfig(config, genesis);
  const root = system.start(
    nodeTree({
      epoch,
      signer: { address: self, sign: (message) => bls.sign(keys.consensusSecret, message) },
      bls,
      genesisTime: genesis.genesisTime,
      limits: { batchesMax: genesis.parameters.blockBatchesMax, bytesMax: genesis.parameters.blockBytesMax },
      timeliness: {
        precisionMs: genesis.parameters.timePrecision,
        messageDelayMs: genesis.parameters.messageDelay,
      },
      timeouts: timeoutConfig(config),
      mempool,
      time: config.time,
      sync: syncConfig,
      fork: forked,
      clocks: clocks.cells,
      sideStore: child(
        'side-store',
        sideStoreLogic({
          disk: sideFolder({
            identity: domain,
            dir: paths.resyncData,
            data: paths.data,
            segmentBytes: config.storage.segmentBytes,
          }),
          onFailure: ({ code, detail }) => log.of('sync').warn({ code }, detail),
        }),
        { publicEvents: SIDE_STORE_EVENTS },
      ),
      snapshotRestorer: child(
        'snapshot-restorer',
        snapshotRestorerLogic({
          openApplication: () => {
            rmSync(paths.resyncApplicationData, { recursive: true, force: true });
            return builtInApplication(genesis, paths.resyncApplicationData, bls.verifyPossession);
          },
        }),
        { publicEvents: SNAPSHOT_RESTORER_EVENTS },
      ),
      deduplicationHeights: genesis.parameters.deduplicationHeights,
      joins,
      storage: child(
        'storage',
        storageLogic({
          store: opened,
          routerAddress: ADDRESSES.router,
          onFailure: (failure) => storage.report(failure),
        }),
        { publicEvents: STORAGE_EVENTS, mailbox: { capacity: 65_536 } },
      ),
      network: network.cells,
      executor: child(
        'executor',
        executorLogic({
          openApplication,
          genesis: {
            chainId: genesis.chainId,
            genesisTime: genesis.genesisTime,
            validators: genesis.validators,
            appState: genesis.application.state,
          },
          limits: mempool,
          deduplicationHeights: genesis.parameters.deduplicationHeights,
          storage: ADDRESSES.storage,
          mempool: ADDRESSES.mempool,
          listeners: [ADDRESSES.roundManager, ADDRESSES.mempool, ADDRESSES.rpc],
          report: (report) => execution.report(report),
          snapshots: {
            keeper: ADDRESSES.snapshotKeeper,
            intervalHeights: config.sync.snapshotIntervalHeights,
          },
        }),
        { publicEvents: EXECUTOR_EVENTS, mailbox: { capacity: 16_384 } },
      ),
      snapshotKeeper: child(
        'snapshot-keeper',
        snapshotKeeperLogic({
          dir: paths.snapshots,
          executor: ADDRESSES.executor,
          storage: ADDRESSES.storage,
          report: (report) => reportSnapshot(log.of('snapshots'), report),
        }),
        { publicEvents: SNAPSHOT_KEEPER_EVENTS },
      ),
      surface: [
        child('rpc', gateway.logic(), { publicEvents: GATEWAY_EVENTS, mailbox: { capacity: 65_536 } }),
        child(
          'alarm',
          alarmLogic({
            home,
            isForked: forked !== undefined,
            wall: () => clocks.adjusted.read(),
            log: log.of('sync'),
            violated: (detail) => end.resolve({ kind: 'safety-violation', detail }),
            resynced: (height) =>
              void setTimeout(() => end.resolve({ kind: 'resynced', height }), RESYNCED_NOTICE_MS),
          }),
          { publicEvents: ALARM_EVENTS },
        ),
      ],
    }),
  );
  void root.ended().then((reason) => end.resolve({ kind: 'failed', detail: JSON.stringify(reason) }));

  const lag = measureLoopLag();
  const startedAt = wallTime(Date.now());
  let rpc: RunningRpcServer | undefined;
  const port = createNodePort(
    system,
    opened,
    () => application?.info(),
    gateway,
    {
      self,
      nodeKey: keys.identity.nodeKey,
      moniker: config.node.moniker,
      version: VERSION,
      genesisTime: genesis.genesisTime,
      genesis,
      epoch,
      mempool,
    },
    {
      peerAddress: () => peerAddress(config, network),
      rpcAddress: () => rpc?.address ?? config.rpc.listen,
      startedAt,
      peers: () => peersOf(network, epoch.set),
      time: { clock, adjusted: clocks.adjusted, source: config.time.source },
      sync: syncConfig,
      loopLagMs: lag.read,
      loopLagMsMax: config.runtime.loopLagMsMax,
      executionFailure: () => execution.failure,
    },
  );
  const metrics = createMetrics(port, system);
  const unwatch = new SyncWatch(log.of('sync'), () => performance.now()).start(port.sync);
  const close = async (): Promise<void> => {
    await rpc?.close();
    unwatch();
    metrics.stop();
    lag.stop();
    await withinTime(system.stop(), config.runtime.shutdownTimeoutMs);
    opened.close();
    log.flush();
  };
  const ended = end.promise.then(async (reason) => {
    await close();
    return reason;
  });
  try {
    await Promise.race([root.started(), ended.then((reason) => Promise.reject(new Error(detailOf(reason))))]);
    if (config.rpc.listen !== '') {
      rpc = await startRpcServer({
        ...config.rpc,
        port,
        requestTimeout: config.rpc.requestTimeoutMs,
        commitTimeout: config.rpc.commitTimeoutMs,
        adminToken,
        loopLag: lag.read,
        loopLagMax: config.runtime.loopLagMsMax,
        metrics: metrics.text,
        onCall: metrics.observeCall,
      });
    }
    forgetReplaced(paths);
  } catch (failure) {
    end.resolve({ kind: 'stopped' });
    await ended;
    throw network.notListening() ?? failure;
  }
  return {
    port,
    ended,
    async stop() {
      end.resolve({ kind: 'stopped' });
      await ended;
    },
  };
}

/** Whoever asks each second hears that the new chain is whole before the node ends for it. @unit ms @source three such questions */
const RESYNCED_NOTICE_MS = 3_000;

/** Nothing was ever committed there. */
function isEmpty(store: Store): boolean {
  const tip = store.tip();
  return tip.status === 'found' && tip.value.height === GENESIS_HEIGHT;
}

function reportSnapshot(log: Pick<ReturnType<NodeLog['of']>, 'info' | 'warn'>, report: SnapshotReport): void {
  const { status, ...facts } = report;
  if (status === 'kept') log.info(facts, 'a snapshot of the application is kept');
  else log.warn(facts, `a snapshot is ${status}`);
}

/** A node that believes NTP alone and asks nobody would never propose. */
function requireServers({ time: { source, servers } }: Config): void {
  if (source === 'ntp' && servers.length === 0)
    throw refusal(
      'time.servers',
      'time.source = "ntp" needs NTP servers: name four or more, or use "hybrid"',
    );
}

function builtInApplication(
  genesis: GenesisDocument,
  dir: string,
  provesPossession: BlsEngine['verifyPossession'],
): Application {
  const { name } = genesis.application;
  if (name !== 'kv') throw refusal('genesis app.name', `no application "${name}" is built in; there is "kv"`);
  try {
    return kv({ dir, provesPossession });
  } catch (cause) {
    throw new Error(`${dir}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

function mempoolConfig({ mempool }: Config, { parameters }: GenesisDocument): MempoolConfig {
  return {
    ...DEFAULT_MEMPOOL_CONFIG,
    batchBytesMax: parameters.batchBytesMax,
    transactionBytesMax: parameters.transactionBytesMax,
    batchTtlHeights: parameters.batchTtlHeights,
    sealBytes: Math.min(mempool.sealBytes, parameters.batchBytesMax),
    sealInterval: mempool.sealIntervalMs,
    pendingBytesMax: mempool.pendingBytesMax,
    pendingCountMax: mempool.pendingCountMax,
    authorBytesMax: Math.max(DEFAULT_MEMPOOL_CONFIG.authorBytesMax, mempool.pendingBytesMax),
    clientRate: {
      ratePerSecond: mempool.clientTransactionsPerSecond,
      burst: mempool.clientTransactionsBurst,
    },
  };
}

function timeoutConfig({ consensus }: Config): TimeoutConfig {
  return {
    roundTimeoutMsMin: consensus.roundTimeoutMsMin,
    roundTimeoutMsMax: consensus.roundTimeoutMsMax,
    roundTimeoutMsInitial: consensus.roundTimeoutMsInitial,
    growth: consensus.roundTimeoutGrowth,
    grace: consensus.roundTimeoutGrace,
    proposeShare: consensus.proposeShare,
    viewChangeShare: consensus.viewChangeShare,
    emptyBlockIntervalMs: consensus.emptyBlockIntervalMs,
  };
}

/** `id@host:port` entries, as the configuration has checked them. */
function endpointsOf(entries: readonly string[]): ReadonlyMap<Address, Endpoint> {
  const endpoints = new Map<Address, Endpoint>();
  for (const entry of entries) {
    const [id = '', place = ''] = entry.split('@');
    const address = parseAddress(id);
    if (address === 'malformed')
      throw refusal('p2p.peers', `"${entry}" has no node id of 40 hexadecimal digits`);
    endpoints.set(address, endpointOf(place));
  }
  return endpoints;
}

/** `host:port` or `[::1]:port`. */
function endpointOf(place: string): Endpoint {
  const colon = place.lastIndexOf(':');
  return { host: place.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(place.slice(colon + 1)) };
}

function peerAddress({ p2p }: Config, network: Network): string {
  if (p2p.externalAddress !== '') return p2p.externalAddress;
  const { host, port } = endpointOf(p2p.listen);
  return `${host}:${network.listening()?.port ?? port}`;
}

function peersOf(network: Network, set: ValidatorSet): readonly PeerStatus[] {
  return network.connections().map((connection) => ({
    id: connection.id,
    moniker: connection.moniker,
    address: connection.remote,
    outbound: connection.outbound,
    connectedAt: connection.connectedAt,
    bytesSent: connection.bytesSent,
    bytesReceived: connection.received.bytes,
    power: powerOf(set, connection.id),
  }));
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

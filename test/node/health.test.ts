import { describe, expect, it } from 'vitest';
import {
  type CellSpec,
  child,
  createSystem,
  seededRandom,
  supervisor,
  virtualClock,
} from '../../src/actors/runtime/index.ts';
import { millis, monotonic, wallTime } from '../../src/base/units.ts';
import { initialBridge } from '../../src/machines/bridge/bridge.setup.ts';
import { blockSyncMachine } from '../../src/machines/sync/block-sync.machine.ts';
import { BLOCK_SYNC_EVENTS } from '../../src/machines/sync/block-sync.setup.ts';
import { networkSyncMachine } from '../../src/machines/sync/network-sync.machine.ts';
import { NETWORK_SYNC_EVENTS } from '../../src/machines/sync/network-sync.setup.ts';
import { stateSyncMachine } from '../../src/machines/sync/state-sync.machine.ts';
import { STATE_SYNC_EVENTS } from '../../src/machines/sync/state-sync.setup.ts';
import { timeCoordinatorMachine } from '../../src/machines/time/time-coordinator.machine.ts';
import { ExecutionWatch } from '../../src/node/execution-watch.ts';
import { Gateway } from '../../src/node/gateway.ts';
import {
  EXECUTED_BEHIND_MAX,
  type HealthFacts,
  isCatchingUp,
  reasonsAgainst,
} from '../../src/node/health.ts';
import { createNodePort } from '../../src/node/node-port.ts';
import { BRIDGE_DEFAULTS } from '../../src/protocol/bridge/config.ts';
import { DEFAULT_MEMPOOL_CONFIG } from '../../src/protocol/mempool/config.ts';
import { SYNC_DEFAULTS } from '../../src/protocol/sync/config.ts';
import { TIME_DEFAULTS } from '../../src/protocol/time/config.ts';
import { memoryDisk } from '../../src/storage/memory-store.ts';
import { AdjustedClock } from '../../src/time/adjusted-clock.ts';
import { chainOf, height, world } from '../protocol/consensus/fixture.ts';
import { MemoryNode } from '../rpc/memory-node.ts';

const { epoch } = world();
const idle = {
  mempool: 'mempool',
  executor: 'executor',
  networkSync: 'network-sync',
  storage: 'storage',
  router: 'router',
  alarm: 'alarm',
  roundManager: 'round-manager',
  listeners: [],
};
const WELL_BRIDGE: HealthFacts['bridge'] = {
  reach: 'connected',
  context: initialBridge(
    {
      ...{
        config: BRIDGE_DEFAULTS,
        validators: epoch.set,
        batchTtlHeights: 10,
        deduplicationHeights: 10,
        ...idle,
      },
      self: world().addressAt(0),
    },
    monotonic(0),
  ),
};

const WELL: HealthFacts = {
  sync: { kind: 'InSync' },
  fetching: false,
  executionFailure: undefined,
  committedHeight: height(1_000),
  executedHeight: height(1_000 - EXECUTED_BEHIND_MAX),
  isValidator: true,
  missingKey: undefined,
  refusedBy: [],
  reachablePower: 27n,
  quorumPower: 27n,
  recovered: true,
  mayPropose: true,
  bridge: WELL_BRIDGE,
  loopLagMs: 500,
  loopLagMsMax: 500,
};
const late = height(1_000 - EXECUTED_BEHIND_MAX - 1);

describe('a node that is no validator is ready (CS-19)', () => {
  const FOLLOWING: HealthFacts = { ...WELL, isValidator: false, reachablePower: 1n, mayPropose: false };

  it('with one validator in reach: it needs no quorum, and no time to propose by', () => {
    expect(reasonsAgainst(FOLLOWING)).toEqual([]);
  });

  it('not without one, and says which peers refuse it, and what to compare', () => {
    const peer = world().addressAt(1);
    const alone = {
      ...FOLLOWING,
      reachablePower: 0n,
      refusedBy: [{ peer, reason: 'WRONG_GENESIS' as const }],
    };
    expect(reasonsAgainst(alone)).toEqual([
      'no validator is connected: there is nobody to tell the height of the chain, or to hand operations to',
      `no connection to ${peer}: WRONG_GENESIS; compare config/genesis.json with theirs`,
    ]);
  });
});

describe('a node is ready', () => {
  it('when nothing is against it, up to each bound', () => {
    expect([reasonsAgainst(WELL), isCatchingUp(WELL)]).toEqual([[], false]);
  });

  it.each<[Partial<HealthFacts>, string]>([
    [{ reachablePower: 26n }, 'reachable validators have power 26, a quorum needs 27'],
    [{ fetching: true }, 'blocks are being fetched from peers'],
    [{ sync: { kind: 'MediumGap', gap: 6 } }, '6 blocks behind the network'],
    [{ sync: { kind: 'LargeGap', gap: 1_001 } }, '1001 blocks behind the network'],
    [{ sync: { kind: 'Critical', reason: 'Fork detected!' } }, 'sync needs its operator: Fork detected!'],
    [{ recovered: false }, 'consensus has not recovered from the store'],
    [{ mayPropose: false }, 'no adjusted time: this node does not propose'],
    [{ executionFailure: 'APPLICATION_FAILED: kv.db' }, 'blocks are not executed: APPLICATION_FAILED: kv.db'],
    [{ executedHeight: late }, `the application is at height ${late}, the chain at 1000`],
    [{ loopLagMs: 501 }, 'the event loop stalled for 501 ms'],
  ])('but not with %o', (fact, reason) => {
    expect(reasonsAgainst({ ...WELL, ...fact })).toEqual([reason]);
  });

  it('but not while nothing is committed: it says that it is stalled, and not that it is cut off (BR-10)', () => {
    const partition = { cause: 'stalled', failedRounds: 7, since: monotonic(0) } as const;
    const bridge: HealthFacts['bridge'] = WELL_BRIDGE && {
      reach: 'partitioned',
      context: { ...WELL_BRIDGE.context, partition },
    };
    expect(reasonsAgainst({ ...WELL, bridge })).toEqual([
      'stalled: 7 rounds failed since the newest commit; see `althing rounds`',
    ]);
  });

  it('at a tip that moves, and while the question is open: the quorum tells whether anybody is there', () => {
    expect(reasonsAgainst({ ...WELL, sync: { kind: 'SmallGap', gap: 5 } })).toEqual([]);
    expect(reasonsAgainst({ ...WELL, sync: { kind: 'Unknown', reason: 'joining' } })).toEqual([]);
    expect(reasonsAgainst({ ...WELL, sync: undefined })).toEqual([]);
  });

  it('catching up for its readers on a fork, and far behind with nobody to fetch from (SY-5)', () => {
    expect(isCatchingUp({ ...WELL, sync: { kind: 'Critical', reason: 'Fork detected!' } })).toBe(true);
    for (const sync of [
      { kind: 'SmallGap', gap: 5 },
      { kind: 'Unknown', reason: 'joining' },
    ] as const)
      expect(isCatchingUp({ ...WELL, sync })).toBe(false);
  });

  it('in sync only where the application is: not far behind, not behind for good, not while it fetches', () => {
    expect(isCatchingUp({ ...WELL, fetching: true })).toBe(true);
    expect(isCatchingUp({ ...WELL, executedHeight: late })).toBe(true);
    expect(isCatchingUp({ ...WELL, executionFailure: 'gone' })).toBe(true);
    expect(isCatchingUp({ ...WELL, executionFailure: 'gone', executedHeight: height(1_000) })).toBe(false);
  });
});

describe("the node's port", () => {
  it('reads each of them off its owner', () => {
    const place = world([1n, 1n, 1n, 1n]);
    const { qcs } = chainOf(place, [1, 2, 3]);
    const [self, other] = place.validators.map(({ address }) => address);
    const target = qcs[2];
    if (self === undefined || other === undefined || target === undefined)
      throw new Error('a world has them');
    const clock = virtualClock();
    const system = createSystem({ name: 'node', clock, random: seededRandom(1) });
    const { epoch, bls } = place;
    const common = { epoch, self, bls, config: SYNC_DEFAULTS, storage: 'x', router: 'y', roundManager: 'z' };
    const [stateSync, networkSync] = ['node/sync/state-sync', 'node/sync/network-sync'];
    const sync = supervisor({
      children: [
        child('state-sync', stateSyncMachine, {
          input: { ...common, networkSync, epochKeeper: 'k' },
          publicEvents: STATE_SYNC_EVENTS,
        }),
        child('block-sync', blockSyncMachine, {
          input: { ...common, stateSync, networkSync },
          publicEvents: BLOCK_SYNC_EVENTS,
        }),
        child('network-sync', networkSyncMachine, {
          input: {
            ...common,
            stateSync,
            heightSync: 'h',
            blockSync: 'b',
            chainSync: 'c',
            safety: 's',
            alarm: 'a',
            operator: 'o',
            listeners: [],
          },
          publicEvents: NETWORK_SYNC_EVENTS,
        }),
      ],
    });
    const time = child('time-coordinator', timeCoordinatorMachine, {
      input: {
        config: { ...TIME_DEFAULTS, source: 'system' },
        validators: place.epoch.set,
        self,
        clock: 'c',
        ntpClient: 'n',
        router: 'y',
        listeners: [],
        paced: [],
      },
      publicEvents: ['clock.looked'],
    });
    const part = (id: string, cell: CellSpec) => child(id, supervisor({ children: [cell] }));
    system.start(child('node', supervisor({ children: [child('sync', sync), part('time', time)] })));
    clock.settle();
    let failure: string | undefined;
    let loopLagMs = 0;
    const genesis = new MemoryNode().genesis();
    const port = createNodePort({
      system,
      store: memoryDisk(place.epoch.domain).open(),
      applicationInfo: () => undefined,
      gateway: new Gateway(),
      card: {
        self,
        nodeKey: new Uint8Array(32),
        moniker: 'm',
        version: '0',
        genesisTime: wallTime(0),
        genesis,
        epoch: place.epoch,
        mempool: DEFAULT_MEMPOOL_CONFIG,
      },
      surroundings: {
        peerAddress: () => '',
        rpcAddress: () => '',
        startedAt: wallTime(0),
        peers: () => [],
        operationsTurnedAway: () => 0,
        dialed: [],
        time: { clock, adjusted: new AdjustedClock(clock), source: 'peers' },
        sync: SYNC_DEFAULTS,
        loopLagMs: () => loopLagMs,
        loopLagMsMax: 100,
        executionFailure: () => failure,
        hasKey: () => true,
      },
    });
    const before = [
      'reachable validators have power 1, a quorum needs 3',
      'consensus has not recovered from the store',
      'no adjusted time: this node does not propose',
      'no operations are taken: the bridge is down',
    ];
    expect([port.health().reasons, port.status().syncing]).toEqual([before, false]);
    const wanted = { type: 'blocks.wanted', target, committedHeight: height(0), holders: [other] };
    expect(port.sync()).toMatchObject({
      activity: 'starting',
      status: { kind: 'Unknown' },
      height: 0,
      peers: [],
    });
    const genesisId = epoch.rootQC.blockId;
    const executed = { height: height(0), appHash: '' };
    const tip = { type: 'tip.found', tag: 1, base: height(0), height: height(0), id: genesisId, executed };
    system.ref('node/sync/block-sync').tell(tip);
    system.ref('node/sync/block-sync').tell(wanted);
    system.ref(stateSync).tell({ type: 'reputations.found', tag: 1, reputations: [] });
    system.ref(stateSync).tell({ type: 'peer.connected', peer: other });
    const [systemTime, adjustedTime] = [wallTime(7_000), wallTime(7_000)];
    const looked = { type: 'clock.looked', at: clock.now(), systemTime, adjustedTime, isAdjusted: false };
    expect(port.time()).toMatchObject({ state: 'starting', source: 'peers', ledBy: undefined });
    system.ref('node/time/time-coordinator').tell(looked);
    clock.advance(millis(1_000));
    expect(port.time()).toMatchObject({
      state: 'synchronised',
      ledBy: 'system',
      updates: expect.any(Number),
    });
    expect(port.time().peers.map(({ id }) => id)).not.toContain(self);
    expect(port.sync().peers).toMatchObject([{ id: other, power: 1n, claim: undefined, isTrusted: false }]);
    expect(port.adjustedTime()).toBe(clock.wall());
    failure = 'STORAGE_FAILED: full';
    loopLagMs = 101;
    expect([port.health().reasons, port.status().syncing]).toEqual([
      [
        before[0],
        'blocks are being fetched from peers',
        before[1],
        'blocks are not executed: STORAGE_FAILED: full',
        before[3],
        'the event loop stalled for 101 ms',
      ],
      true,
    ]);
  });
});

describe('the watch of execution', () => {
  function watched() {
    const lines: [string, unknown, string?][] = [];
    let now = 0;
    const line = (level: string) => (fields: unknown, text?: string) => {
      lines.push(text === undefined ? [level, fields] : [level, fields, text]);
    };
    const log = { info: line('info'), warn: line('warn'), error: line('error') };
    const watch = new ExecutionWatch(log, () => now);
    return {
      lines,
      watch,
      pass: (ms: number) => {
        now += ms;
      },
    };
  }

  it('logs every failure, keeps the newest, and says when it is over', () => {
    const { lines, watch } = watched();
    watch.report({ status: 'running' });
    expect([watch.failure, lines]).toEqual([undefined, []]);
    watch.report({ status: 'failed', code: 'APPLICATION_FAILED', detail: 'a' });
    watch.report({ status: 'failed', code: 'BATCH_MISSING', detail: 'b' });
    expect(watch.failure).toBe('BATCH_MISSING: b');
    watch.report({ status: 'running' });
    expect(watch.failure).toBeUndefined();
    expect(lines).toEqual([
      ['error', { code: 'APPLICATION_FAILED', detail: 'a' }, 'execution failed, and is tried again'],
      ['error', { code: 'BATCH_MISSING', detail: 'b' }, 'execution failed, and is tried again'],
      ['info', 'execution goes on'],
    ]);
  });

  it('tells a silence after five seconds, and no more when it is over; a failure is told before it', () => {
    const { watch, pass } = watched();
    watch.wait('finalizeBlock of height 7');
    pass(4_999);
    expect(watch.failure).toBeUndefined();
    pass(2_001);
    expect(watch.failure).toBe('the application has not answered for 7 s (finalizeBlock of height 7)');
    watch.report({ status: 'failed', code: 'APPLICATION_FAILED', detail: 'gone' });
    expect(watch.failure).toBe('APPLICATION_FAILED: gone');
    watch.report({ status: 'running' });
    watch.wait(undefined);
    expect(watch.failure).toBeUndefined();
  });

  it('logs unanswered checks and queries at most once a second, with their number', () => {
    const { lines, watch, pass } = watched();
    for (let index = 0; index < 100; index += 1) watch.report({ status: 'unanswered', detail: 'late' });
    pass(1_000);
    watch.report({ status: 'unanswered', detail: 'late' });
    expect(watch.failure).toBeUndefined();
    expect(lines.map(([level, fields]) => [level, fields])).toEqual([
      ['warn', { detail: 'late', count: 1 }],
      ['warn', { detail: 'late', count: 100 }],
    ]);
  });
});

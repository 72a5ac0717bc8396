import { describe, expect, it } from 'vitest';
import {
  type CellSpec,
  child,
  createSystem,
  handler,
  seededRandom,
  virtualClock,
} from '../../src/actors/runtime/index.ts';
import { millis } from '../../src/base/units.ts';
import type { BridgeContext } from '../../src/machines/bridge/bridge.live.ts';
import { nodeTree } from '../../src/node/tree.ts';
import { BRIDGE_DEFAULTS } from '../../src/protocol/bridge/config.ts';
import { TIMELINESS_DEFAULTS } from '../../src/protocol/consensus/timeliness.ts';
import { TIMEOUT_DEFAULTS } from '../../src/protocol/consensus/timeouts.ts';
import { DEFAULT_MEMPOOL_CONFIG } from '../../src/protocol/mempool/config.ts';
import { SYNC_DEFAULTS } from '../../src/protocol/sync/config.ts';
import { TIME_DEFAULTS } from '../../src/protocol/time/config.ts';
import { GENESIS_TIME, world } from '../protocol/consensus/fixture.ts';

const idle = (id: string): CellSpec =>
  child(id, handler<undefined, never>({ init: () => undefined, receive: () => undefined }));

const specOf = (tree: CellSpec, path: string): CellSpec | undefined =>
  path.split('/').reduce<CellSpec | undefined>((at, id) => {
    return at !== undefined && 'specs' in at.logic ? at.logic.specs.get(id) : undefined;
  }, tree);

/** What a supervisor gives a cell each time that it starts it. */
function inputOf(tree: CellSpec, path: string): unknown {
  const { input } = specOf(tree, path) ?? {};
  return typeof input === 'object' && input !== null ? { ...input } : input;
}

const place = world();

const parts = (bridgeQueueSize: number) => ({
  ...{
    epoch: place.epoch,
    present: () => place.epoch,
    bls: place.bls,
    vrf: place.vrf,
    signer: place.signer(0),
    genesisTime: GENESIS_TIME,
  },
  limits: { batchesMax: 1, bytesMax: 1 },
  timeliness: TIMELINESS_DEFAULTS,
  timeouts: TIMEOUT_DEFAULTS,
  mempool: DEFAULT_MEMPOOL_CONFIG,
  time: TIME_DEFAULTS,
  sync: SYNC_DEFAULTS,
  ...{ bridge: BRIDGE_DEFAULTS, bridgeQueueSize },
  ...{ storage: idle('storage'), executor: idle('executor'), sideStore: idle('side-store') },
  ...{ clocks: [], network: [], surface: [], deduplicationHeights: 1 },
  evidenceAge: { ageHeights: 100, ageMax: millis(1_000) },
});

describe("a node's tree", () => {
  it('lets the bridge hear who comes and goes while its mailbox is full: it is cut off when it is, and no longer (BR-3, BR-10)', () => {
    const bridge = specOf(nodeTree(parts(4)), 'consensus-bridge');
    if (bridge === undefined) throw new Error('the tree has no bridge');
    const clock = virtualClock();
    const system = createSystem({ name: 'flooded', clock, random: seededRandom(1) });
    const ref = system.start(bridge);
    clock.settle();
    const context = (): BridgeContext => {
      const snapshot = ref.info()?.snapshot;
      if (typeof snapshot !== 'object' || snapshot === null || !('context' in snapshot))
        throw new Error('the bridge is not there');
      return snapshot.context as BridgeContext;
    };
    const flood = (): void => {
      const message = { type: 'operations.submitted', replyTo: 'x', tag: 1, client: 'x', transactions: [] };
      let outcome = ref.tell(message);
      while (outcome === 'accepted') outcome = ref.tell(message);
      expect(outcome).toBe('full');
    };
    const peers = [1, 2, 3].map((index) => place.addressAt(index));
    flood();
    for (const peer of peers) expect(ref.tell({ type: 'peer.connected', peer })).toBe('accepted');
    for (const peer of peers)
      expect(ref.tell({ type: 'breaker.changed', peer, state: 'open' })).toBe('accepted');
    clock.settle();
    expect([...context().connected]).toEqual(peers);
    expect([...context().breakers.values()]).toEqual(['open', 'open', 'open']);
    flood();
    for (const peer of peers) expect(ref.tell({ type: 'peer.disconnected', peer })).toBe('accepted');
    clock.settle();
    expect(context().partition?.cause).toBe('unreachable');
  });

  it('gives a cell that starts anew the fork that was proved meanwhile: it signs nothing (SY-5)', () => {
    let fork: { readonly detail: string } | undefined;
    const tree = nodeTree({
      ...parts(1),
      get fork() {
        return fork;
      },
    });
    const cells = ['consensus/safety', 'sync/network-sync'] as const;
    const [safety, networkSync] = cells.map((path) => inputOf(tree, path));
    expect(safety).toMatchObject({ isForked: false });
    expect(networkSync).toHaveProperty('fork', undefined);
    fork = { detail: 'height 7: two proofs' };
    const [safetyAnew, networkSyncAnew] = cells.map((path) => inputOf(tree, path));
    expect(safetyAnew).toMatchObject({ isForked: true });
    expect(networkSyncAnew).toMatchObject({ fork });
  });

  it('gives a cell that starts anew the validators of the present epoch (CS-16)', () => {
    let present = place.epoch;
    const tree = nodeTree({ ...parts(1), present: () => present });
    const cells = ['time/time-coordinator', 'consensus/mempool', 'consensus-bridge'] as const;
    const sets = () => [...cells, 'consensus/evidence-pool'].map((path) => inputOf(tree, path));
    const of = (epoch: typeof present) => [
      ...cells.map(() => expect.objectContaining({ validators: epoch.set })),
      expect.objectContaining({ rules: expect.objectContaining({ epoch }) }),
    ];
    expect(sets()).toEqual(of(place.epoch));
    present = world([5n, 1n, 1n]).epoch;
    expect(sets()).toEqual(of(present));
  });
});

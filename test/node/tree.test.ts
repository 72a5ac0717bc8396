import { describe, expect, it } from 'vitest';
import { type CellSpec, child, handler } from '../../src/actors/runtime/index.ts';
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

/** What a supervisor gives a cell each time that it starts it. */
function inputOf(tree: CellSpec, path: string): unknown {
  const spec = path.split('/').reduce<CellSpec | undefined>((at, id) => {
    return at !== undefined && 'specs' in at.logic ? at.logic.specs.get(id) : undefined;
  }, tree);
  const { input } = spec ?? {};
  return typeof input === 'object' && input !== null ? { ...input } : input;
}

describe("a node's tree", () => {
  it('gives a cell that starts anew the fork that was proved meanwhile: it signs nothing (SY-5)', () => {
    const { epoch, bls, signer } = world();
    let fork: { readonly detail: string } | undefined;
    const tree = nodeTree({
      ...{ epoch, bls, signer: signer(0), genesisTime: GENESIS_TIME },
      limits: { batchesMax: 1, bytesMax: 1 },
      timeliness: TIMELINESS_DEFAULTS,
      timeouts: TIMEOUT_DEFAULTS,
      mempool: DEFAULT_MEMPOOL_CONFIG,
      time: TIME_DEFAULTS,
      sync: SYNC_DEFAULTS,
      ...{ bridge: BRIDGE_DEFAULTS, bridgeQueueSize: 1 },
      get fork() {
        return fork;
      },
      ...{ storage: idle('storage'), executor: idle('executor'), sideStore: idle('side-store') },
      ...{ clocks: [], network: [], surface: [], deduplicationHeights: 1 },
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
});

/** What a node says of sync, for tests of what stands on its port: in sync at height 12345, with three peers. */
import { millis } from '../../src/base/units.ts';
import type { GenesisDocument } from '../../src/protocol/chain/genesis.ts';
import { parseHeight } from '../../src/protocol/chain/parse.ts';
import type { Height } from '../../src/protocol/chain/types.ts';
import type { SyncPeer, SyncProgressReport, SyncReport } from '../../src/rpc/sync-port.ts';

export function heightOf(value: number): Height {
  const height = parseHeight(value);
  if (height === 'malformed') throw new Error(`${value} is no height`);
  return height;
}

export const progressOf = (facts: Partial<SyncProgressReport> = {}): SyncProgressReport => ({
  tier: 2,
  from: heightOf(2_345),
  at: heightOf(8_645),
  to: heightOf(12_345),
  blocksPerSecond: 5_120.4,
  remaining: millis(722.6),
  elapsed: millis(1_230.5),
  peers: [],
  snapshot: undefined,
  ...facts,
});

/** The first has proved its claim, the second not, the third has not answered. */
export function syncReport({ validators }: Pick<GenesisDocument, 'validators'>): SyncReport {
  const peers = validators.slice(1).map(
    ({ address, name, power }, index): SyncPeer => ({
      id: address,
      name,
      power,
      claim:
        index === 2
          ? undefined
          : { base: heightOf(1), height: heightOf(12_345 + index), isProved: index === 0 },
      claimAge: index === 2 ? undefined : millis(1_500.25),
      latency: index === 2 ? undefined : millis(1.5004),
      failures: index === 2 ? 3 : 0,
      score: index === 2 ? 0.2 : 0.875,
      consistentUptime: millis(index === 0 ? 6 * 3_600_000 : 90_000),
      isTrusted: index === 0,
      removedFor: index === 2 ? millis(20_000) : undefined,
    }),
  );
  return {
    activity: 'resting',
    status: { kind: 'InSync' },
    health: '✅ In Sync: Height 12345 (consensus: 12345)',
    height: heightOf(12_345),
    consensusHeight: heightOf(12_345),
    proved: heightOf(12_345),
    supported: heightOf(12_340),
    exact: undefined,
    progress: undefined,
    resync: undefined,
    peers,
    alerts: [],
    alertCounts: new Map([['NoSyncPeers', 2]]),
    lastCheckAge: millis(3_200.0004),
    lastError: undefined,
    errorCounts: new Map([['Timeout', 4]]),
    durations: { 1: millis(12.5), 2: millis(820), 3: undefined },
    validation: millis(7.25),
    counts: {
      checks: 9,
      catchUps: 2,
      resyncs: 0,
      forks: 0,
      blocksFetched: 1_000,
      blocksRejected: 128,
      batchesRetried: 3,
      bytesFetched: 2_048_000,
    },
  };
}

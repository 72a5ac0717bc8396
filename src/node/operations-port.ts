/**
 * The part of a node's port that is about operations: handed in by way of the bridge (BR-1), followed to their end, and shown while
 * they are pending. Boundary: gateway, store, the cells' snapshots.
 */
import type { BridgeReport, PacingReport } from '../rpc/bridge-port.ts';
import type { NodePort } from '../rpc/node-port.ts';
import { bridgeReport, refusalOfSubmissions } from './bridge-report.ts';
import { found } from './chain-port.ts';
import { Followers } from './followers.ts';
import type { PortHost } from './node-port.ts';
import { pacingReport } from './pacing-report.ts';
import { bridgeOf, mempoolOf, treeOf, viewChangeOf } from './views.ts';

type OperationsPort = Pick<
  NodePort,
  'submit' | 'refusalOfSubmissions' | 'follow' | 'followers' | 'waitCommitted' | 'pending' | 'bridge'
>;

export function operationsPort(host: PortHost): OperationsPort {
  const { system, store, gateway } = host;
  const followers = followersOf(host);
  return {
    submit: (transactions, client) => gateway.submit(transactions, client),
    refusalOfSubmissions: () => refusalOfSubmissions(bridgeOf(system)),
    follow: (operations, client, wait, signal) => followers.follow(operations, client, wait, signal),
    followers: () => followers.report,
    async waitCommitted(hash, timeout) {
      const later = gateway.waitFor(hash, timeout);
      const known = found(store.transaction(hash));
      if (known === undefined) return later;
      const { index, result } = known.executed;
      return { status: 'committed', height: known.height, index, result };
    },
    pending(limit) {
      const mempool = mempoolOf(system)?.mempool;
      return {
        total: mempool?.pending.size ?? 0,
        totalBytes: mempool?.pendingBytes ?? 0,
        transactions: (mempool?.open ?? []).slice(0, limit).map(({ bytes }) => bytes),
      };
    },
    bridge: (limit) => bridge(host, limit),
  };
}

function followersOf({ store, gateway, card, executedAtStart }: PortHost): Followers {
  const { batchTtlHeights, deduplicationHeights } = card.genesis.parameters;
  const followers = new Followers({
    find: (hash, within) => found(store.transaction(hash, within)),
    hasResults: (height) => found(store.execution(height)) !== undefined,
    executed: executedAtStart.height,
    // A batch is named at most so long before its expiry, and a copy of it was executed at most so long before that.
    reach: batchTtlHeights + deduplicationHeights,
  });
  gateway.listen((event) => {
    if (event.type === 'results.persisted') followers.take(event);
  });
  return followers;
}

function bridge(host: PortHost, limit: number): BridgeReport | undefined {
  const { system, surroundings, names } = host;
  const view = bridgeOf(system);
  if (view === undefined) return undefined;
  const turnedAway = surroundings.operationsTurnedAway();
  const mempool = mempoolOf(system)?.mempool;
  const beside = { pacing: pacing(host), turnedAway, names, mempool, live: treeOf(system) };
  return bridgeReport(view, beside, surroundings.time.clock.now(), limit);
}

function pacing({ system }: PortHost): PacingReport | undefined {
  const [views, mempool] = [viewChangeOf(system), mempoolOf(system)?.mempool];
  if (views === undefined || mempool === undefined) return undefined;
  return pacingReport({ ...mempool, pacemaker: views.live?.pacemaker, timeouts: views.timeouts });
}

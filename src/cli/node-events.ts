/**
 * What a running node tells whoever started it, one object each: JSON lines of `start --json`, and the messages
 * of a local network's validators to their parent. Gateway: the parent checks them by these schemas. Pure.
 */
import { z } from 'zod';
import type { NodeEvent, NodePort } from '../rpc/node-port.ts';
import { rfc3339 } from '../rpc/shapes.ts';
import { snapshotJson } from '../rpc/sync-shape.ts';
import { SYNC_PROGRESS } from './shapes.ts';

const READY = z.object({
  type: z.literal('ready'),
  id: z.string(),
  moniker: z.string(),
  peer_address: z.string(),
  rpc_address: z.string(),
  inspector_url: z.string().optional(),
  pid: z.number(),
});

const BLOCK = z.object({
  type: z.literal('block'),
  height: z.number(),
  round: z.number(),
  id: z.string(),
  time: z.string(),
  proposer: z.string(),
  transactions: z.number(),
});

const VIEW_CHANGE = z.object({
  type: z.literal('view-change'),
  epoch: z.number(),
  round: z.number(),
  leader: z.string(),
  reason: z.string(),
  duration_ms: z.number(),
});

/** Between parent and child, in `progress`: the members of `althing_sync` that make a bar (SY-11). */
const CATCHING_UP = SYNC_PROGRESS.omit({ elapsed_ms: true, peers: true });

/** Between parent and child only: what the display shows beside blocks. */
const PROGRESS = z.object({
  type: z.literal('progress'),
  height: z.number(),
  round: z.number(),
  peers: z.number(),
  syncing: z.boolean(),
  catching_up: CATCHING_UP.optional(),
});

const STOPPED = z.object({ type: z.literal('stopped'), reason: z.string() });

/** A local network's parent to its validator: what becomes of its links. */
export const LINKS_ORDER = z.object({
  type: z.literal('links'),
  /** Ids of nodes. */
  cut: z.array(z.string()).max(512),
  delay_ms: z.number().min(0).max(60_000),
});
export type LinksOrderEvent = z.infer<typeof LINKS_ORDER>;

export const RUNNER_EVENT = z.discriminatedUnion('type', [READY, BLOCK, VIEW_CHANGE, PROGRESS, STOPPED]);
export type RunnerEvent = z.infer<typeof RUNNER_EVENT>;

/** A node's event as it is told. */
export function runnerEvent(event: NodeEvent): RunnerEvent {
  if (event.type === 'view-change.completed') {
    const { epoch, round, leader, reason, duration } = event.viewChange;
    return { type: 'view-change', epoch, round, leader, reason, duration_ms: Math.round(duration) };
  }
  return {
    type: 'block',
    height: event.block.height,
    round: event.round,
    id: event.block.id,
    time: rfc3339(event.block.time),
    proposer: event.proposer,
    transactions: event.transactionCount,
  };
}

/** The node's identity and addresses, once it listens. */
export function readyEvent(
  status: {
    readonly nodeId: string;
    readonly moniker: string;
    readonly peerAddress: string;
    readonly rpcAddress: string;
  },
  inspectorUrl?: string,
): RunnerEvent {
  return {
    type: 'ready',
    id: status.nodeId,
    moniker: status.moniker,
    peer_address: status.peerAddress,
    rpc_address: status.rpcAddress,
    ...(inspectorUrl === undefined ? {} : { inspector_url: inspectorUrl }),
    pid: process.pid,
  };
}

/** How far the node is, for a display. */
export function progressEvent(port: Pick<NodePort, 'status' | 'peers' | 'sync'>): RunnerEvent {
  const { committed, round, syncing } = port.status();
  const { progress } = port.sync();
  return {
    type: 'progress',
    height: committed.height,
    round,
    peers: port.peers().length,
    syncing,
    ...(progress === undefined
      ? {}
      : {
          catching_up: {
            tier: progress.tier,
            from: String(progress.from),
            at: String(progress.at),
            to: String(progress.to),
            blocks_per_second: progress.blocksPerSecond,
            remaining_ms: progress.remaining ?? null,
            snapshot: snapshotJson(progress.snapshot),
          },
        }),
  };
}

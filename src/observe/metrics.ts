/**
 * The numbers of `/metrics`: CometBFT's names where it has the same thing, `althing_…` otherwise, all present
 * from the start. Read from the node's port and its cells at each scrape; only durations and counts are kept
 * here. Boundary.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { DEAD_LETTER_REASONS, type System } from '../actors/runtime/index.ts';
import type { ViewChangeReason } from '../protocol/consensus/types.ts';
import type { Misbehavior } from '../protocol/ports/application.ts';
import type { JournalStatus } from '../record/journal-writer.ts';
import type { FinishedCall } from '../rpc/calls.ts';
import type { NodeEvent, NodePort } from '../rpc/node-port.ts';
import { EARLY_CALLS, type EarlyCall } from '../rpc/retry-after.ts';
import { registerBridge } from './bridge-metrics.ts';
import { registerJournal } from './journal-metrics.ts';
import { registerSync } from './sync-metrics.ts';
import { registerTime } from './time-metrics.ts';

export interface NodeMetrics {
  /** Prometheus text of all metrics. */
  readonly text: () => Promise<string>;
  readonly observeCall: (call: FinishedCall) => void;
  readonly observeEarlyCall: (what: EarlyCall) => void;
  /** Lets go of the node. */
  readonly stop: () => void;
}

/** @unit s @source from a local network's block to a stalled one */
const BLOCK_INTERVAL_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** @unit s @source from a lookup to the wait of broadcast_tx_commit */
const CALL_BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30];

const OFFENCES: readonly Misbehavior['type'][] = ['DUPLICATE_VOTE', 'HIDDEN_QC'];
const REASONS: readonly ViewChangeReason[] = [
  'LeaderTimeout',
  'InvalidProposal',
  'NoProgressInView',
  'ConflictingProposals',
  'ExplicitRequest',
];

/** Starts counting the events of `port`; with the node's `system` also what its cells restarted and lost. */
export function createMetrics(
  port: NodePort,
  system?: Pick<System, 'restarts' | 'deadLetters'>,
  journal: () => JournalStatus | undefined = () => undefined,
): NodeMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  registerGauges(registry, port);
  registerTime(registry, port);
  registerBridge(registry, port);
  registerSync(registry, port);
  registerJournal(registry, journal);
  if (system !== undefined) registerCells(registry, system);
  const observeEvent = eventMetrics(registry);
  const observeCall = callMetrics(registry);
  const observeEarlyCall = earlyCallMetrics(registry);
  const unsubscribe = port.subscribe(observeEvent);
  return { text: () => registry.metrics(), observeCall, observeEarlyCall, stop: unsubscribe };
}

function registerGauges(registry: Registry, port: NodePort): void {
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  };
  gauge(
    'cometbft_consensus_height',
    'Height of the newest committed block',
    () => port.status().committed.height,
  );
  gauge('cometbft_consensus_rounds', 'Current round', () => port.status().round);
  gauge('cometbft_consensus_validator_power', 'Power of this validator', () => Number(port.status().power));
  gauge('althing_epoch', 'Present epoch', () => port.status().epoch);
  gauge('cometbft_consensus_validators', 'Validators of the epoch', () => port.status().validators);
  gauge('cometbft_consensus_validators_power', 'Their power together', () =>
    Number(port.status().totalPower),
  );
  gauge('cometbft_p2p_peers', 'Connected peers', () => port.peers().length);
  gauge('cometbft_mempool_size', 'Transactions waiting here', () => port.pending(0).total);
  gauge(
    'cometbft_mempool_size_bytes',
    'Bytes of the transactions waiting here',
    () => port.pending(0).totalBytes,
  );
  gauge('cometbft_blocksync_syncing', '1 while catching up', () => (port.status().syncing ? 1 : 0));
  gauge(
    'althing_executed_height',
    'Height of the newest executed block',
    () => port.status().executed.height,
  );
  gauge('althing_reachable_power', 'Power of the validators connected now', () =>
    Number(port.status().reachablePower),
  );
  gauge('althing_quorum_power', 'Power that a quorum needs', () => Number(port.status().quorumPower));
  gauge(
    'althing_outcomes_waiting_calls',
    'Calls of althing_outcomes that wait',
    () => port.followers().calls,
  );
  gauge(
    'althing_outcomes_waiting_operations',
    'Operations that they wait for',
    () => port.followers().operations,
  );
  new Counter({
    name: 'althing_outcomes_crowded_total',
    help: 'Calls of althing_outcomes that found no place to wait',
    registers: [registry],
    collect() {
      this.reset();
      this.inc(port.followers().crowded);
    },
  });
  gauge('althing_ready', '1 when /readyz answers 200', () => (port.health().reasons.length === 0 ? 1 : 0));
}

/** The system counts; a scrape copies. Labels are bounded: the specifications of the tree, the reasons (RT-8). */
function registerCells(registry: Registry, system: Pick<System, 'restarts' | 'deadLetters'>): void {
  const registers = [registry];
  new Counter({
    name: 'althing_cell_restarts_total',
    help: 'Restarts by supervisors; a child on request goes by its template',
    labelNames: ['cell'] as const,
    registers,
    collect() {
      this.reset();
      for (const [cell, restarts] of system.restarts()) this.inc({ cell }, restarts);
    },
  });
  new Counter({
    name: 'althing_dead_letters_total',
    help: 'Messages that no cell processed, by reason',
    labelNames: ['reason'] as const,
    registers,
    collect() {
      this.reset();
      const counts = system.deadLetters.counts();
      for (const reason of DEAD_LETTER_REASONS) this.inc({ reason }, counts.get(reason) ?? 0);
    },
  });
}

function eventMetrics(registry: Registry): (event: NodeEvent) => void {
  const registers = [registry];
  const transactions = new Counter({
    name: 'cometbft_consensus_total_txs',
    help: 'Transactions in blocks committed since the start',
    registers,
  });
  const blocks = new Counter({
    name: 'althing_blocks_committed_total',
    help: 'Blocks committed since the start',
    registers,
  });
  const interval = new Histogram({
    name: 'cometbft_consensus_block_interval_seconds',
    help: 'Between the times of two committed blocks',
    buckets: BLOCK_INTERVAL_BUCKETS,
    registers,
  });
  const viewChanges = new Counter({
    name: 'althing_view_changes_total',
    help: 'Rounds left without a certificate',
    labelNames: ['reason'] as const,
    registers,
  });
  for (const reason of REASONS) viewChanges.inc({ reason }, 0);
  const offences = new Counter({
    name: 'althing_offences_total',
    help: 'Offences of validators that committed blocks prove, since the start',
    labelNames: ['type'] as const,
    registers,
  });
  for (const type of OFFENCES) offences.inc({ type }, 0);
  let previousTime: number | undefined;
  return (event) => {
    if (event.type === 'view-change.completed') {
      viewChanges.inc({ reason: event.viewChange.reason });
      return;
    }
    blocks.inc();
    transactions.inc(event.transactionCount);
    for (const { type } of event.misbehavior) offences.inc({ type });
    if (previousTime !== undefined) interval.observe((event.block.time - previousTime) / 1_000);
    previousTime = event.block.time;
  };
}

function callMetrics(registry: Registry): (call: FinishedCall) => void {
  const registers = [registry];
  const calls = new Counter({
    name: 'althing_rpc_calls_total',
    help: 'Finished RPC calls; code 0 is success',
    labelNames: ['method', 'code'] as const,
    registers,
  });
  const seconds = new Histogram({
    name: 'althing_rpc_call_seconds',
    help: 'From the read request to the answer',
    buckets: CALL_BUCKETS,
    registers,
  });
  calls.inc({ method: 'status', code: '0' }, 0);
  return ({ method, code, duration }) => {
    calls.inc({ method, code: String(code) });
    seconds.observe(duration / 1_000);
  };
}

function earlyCallMetrics(registry: Registry): (what: EarlyCall) => void {
  const early = new Counter({
    name: 'althing_rpc_early_calls_total',
    help: 'Calls refused before the time that an earlier refusal named: held until then, or their connection closed',
    labelNames: ['what'] as const,
    registers: [registry],
  });
  for (const what of EARLY_CALLS) early.inc({ what }, 0);
  return (what) => early.inc({ what });
}

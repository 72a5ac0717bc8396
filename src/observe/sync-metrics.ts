/**
 * The numbers of sync in `/metrics`: `althing_sync_…`, seconds as Prometheus wants them, all present from the start. What is not
 * known yet is NaN. Labels are bounded: peers by PEERS_MAX, the others by their lists. Boundary. Rule SY-13, docs/operator-guide.md.
 */
import { Counter, Gauge, type Registry } from 'prom-client';
import { SYNC_ALERT_NAMES } from '../protocol/sync/alerts.ts';
import type { NodePort } from '../rpc/node-port.ts';
import {
  SYNC_ACTIVITIES,
  SYNC_ERRORS,
  SYNC_STATUSES,
  SYNC_TIERS,
  type SyncCounts,
  type SyncPeer,
  type SyncReport,
} from '../rpc/sync-port.ts';

/** Peers with series of their own, those of most power first. @unit peers @source twice the validators of a large set */
export const PEERS_MAX = 256;
const MS_PER_SECOND = 1_000;

type Readings = readonly (readonly [label: string, reading: number])[];
type Port = Pick<NodePort, 'sync'>;

export function registerSync(registry: Registry, port: Port): void {
  registerHeights(registry, port);
  registerTimings(registry, port);
  registerPeers(registry, port);
  registerCounts(registry, port);
}

function registerHeights(registry: Registry, port: Port): void {
  const { gauge, gauges } = gaugesOf(registry, port);
  gauge('height', 'Height of the newest block that is durable here', ({ height }) => height);
  gauge('consensus_height', 'The highest height known of the network', ({ consensusHeight }) =>
    orUnknown(consensusHeight),
  );
  gauge('proved_height', 'The highest height that a commit proof is held for', ({ proved }) =>
    orUnknown(proved),
  );
  gauge('gap', 'Blocks behind the network', ({ height, consensusHeight }) =>
    consensusHeight === undefined ? Number.NaN : Math.max(0, consensusHeight - height),
  );
  gauges('status', 'status', '1 for the status of this node', ({ status }) =>
    SYNC_STATUSES.map((each) => [each, Number(each === status.kind)]),
  );
  gauges('activity', 'activity', '1 for what sync is doing', ({ activity }) =>
    SYNC_ACTIVITIES.map((each) => [each, Number(each === activity)]),
  );
  gauges('alert', 'alert', '1 while the alert stands', ({ alerts }) =>
    SYNC_ALERT_NAMES.map((each) => [each, Number(alerts.some(({ alert }) => alert === each))]),
  );
  gauge('blocks_per_second', 'Blocks applied, moving average; 0 at rest', ({ progress }) =>
    progress === undefined ? 0 : progress.blocksPerSecond,
  );
  gauge('blocks_remaining', 'Blocks to the target; 0 at rest', ({ progress }) =>
    progress === undefined ? 0 : progress.to - progress.at,
  );
}

function registerTimings(registry: Registry, port: Port): void {
  const { gauge, gauges } = gaugesOf(registry, port);
  gauges('tier_seconds', 'tier', 'What the newest run of a tier took', ({ durations }) =>
    SYNC_TIERS.map((tier) => [String(tier), seconds(durations[tier])]),
  );
  gauge('validation_seconds', "From the newest batch's arrival to its durable commit", ({ validation }) =>
    seconds(validation),
  );
  gauge('last_check_age_seconds', 'Since the newest check of the heights', ({ lastCheckAge }) =>
    seconds(lastCheckAge),
  );
}

function registerPeers(registry: Registry, port: Port): void {
  const { gauges } = gaugesOf(registry, port);
  const peers = (name: string, help: string, read: (peer: SyncPeer) => number): void =>
    gauges(`peer_${name}`, 'peer', help, (report) =>
      report.peers
        .toSorted((one, other) => Number(other.power - one.power))
        .slice(0, PEERS_MAX)
        .map((peer) => [peer.id, read(peer)]),
    );
  peers('height', 'What a peer says that it has', ({ claim }) => orUnknown(claim?.height));
  peers('latency_seconds', "Moving average of a peer's time to an answer", ({ latency }) => seconds(latency));
  peers('failures', 'Questions in a row that a peer left unanswered', ({ failures }) => failures);
  peers('score', 'How well a peer has answered, 0 to 1', ({ score }) => score);
  peers('trusted', '1 when a peer has been consistent for tier3_trust_hours', ({ isTrusted }) =>
    Number(isTrusted),
  );
}

const COUNTS: readonly { readonly name: string; readonly help: string; readonly of: keyof SyncCounts }[] = [
  { name: 'checks', help: 'Checks of the heights (tier 1)', of: 'checks' },
  { name: 'catch_ups', help: 'Runs of tier 2', of: 'catchUps' },
  { name: 'resyncs', help: 'Downloads of the whole chain (tier 3)', of: 'resyncs' },
  { name: 'forks_detected', help: 'Forks that were found', of: 'forks' },
  { name: 'blocks_fetched', help: 'Blocks that came and were verified', of: 'blocksFetched' },
  { name: 'blocks_rejected', help: 'Blocks that came and were refused', of: 'blocksRejected' },
  { name: 'batches_retried', help: 'Batches of blocks that were asked for again', of: 'batchesRetried' },
  { name: 'fetched_bytes', help: 'Bytes of the blocks and batches that came', of: 'bytesFetched' },
];

/** The cells count; a scrape copies. A cell that starts anew counts anew, as a counter may. */
function registerCounts(registry: Registry, port: Port): void {
  for (const { name, help, of } of COUNTS) {
    new Counter({
      name: `althing_sync_${name}_total`,
      help,
      registers: [registry],
      collect() {
        this.reset();
        this.inc(port.sync().counts[of]);
      },
    });
  }
  const labelled = <Label extends string>(
    name: string,
    label: string,
    help: string,
    values: readonly Label[],
    read: (report: SyncReport) => ReadonlyMap<Label, number>,
  ): void => {
    new Counter({
      name: `althing_sync_${name}_total`,
      help,
      labelNames: [label],
      registers: [registry],
      collect() {
        this.reset();
        const counts = read(port.sync());
        for (const value of values) this.inc({ [label]: value }, counts.get(value) ?? 0);
      },
    });
  };
  labelled(
    'alerts',
    'alert',
    'How often an alert was raised',
    SYNC_ALERT_NAMES,
    (report) => report.alertCounts,
  );
  labelled('errors', 'code', 'Checks and runs that failed', SYNC_ERRORS, (report) => report.errorCounts);
}

function gaugesOf(registry: Registry, port: Port) {
  const gauge = (name: string, help: string, read: (report: SyncReport) => number): void => {
    new Gauge({
      name: `althing_sync_${name}`,
      help,
      registers: [registry],
      collect() {
        this.set(read(port.sync()));
      },
    });
  };
  const gauges = (
    name: string,
    label: string,
    help: string,
    read: (report: SyncReport) => Readings,
  ): void => {
    new Gauge({
      name: `althing_sync_${name}`,
      help,
      labelNames: [label],
      registers: [registry],
      collect() {
        this.reset();
        for (const [value, reading] of read(port.sync())) this.set({ [label]: value }, reading);
      },
    });
  };
  return { gauge, gauges };
}

const orUnknown = (height: number | undefined): number => height ?? Number.NaN;
const seconds = (ms: number | undefined): number => (ms === undefined ? Number.NaN : ms / MS_PER_SECOND);

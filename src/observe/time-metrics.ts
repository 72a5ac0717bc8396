/**
 * The numbers of time in `/metrics`: `althing_time_…`, seconds as Prometheus wants them, all present from the start. What
 * is not known yet is NaN, an unknown error +Inf. Labels are bounded: validators, configured servers. Boundary.
 */
import { Counter, Gauge, type Registry } from 'prom-client';
import { TIME_ALERTS, type TimeSource, type TimeUpdate } from '../protocol/time/types.ts';
import type { NodePort } from '../rpc/node-port.ts';
import { TIME_STATES, type TimeReport } from '../rpc/time-port.ts';

const SOURCES: readonly TimeSource[] = ['system', 'ntp', 'peers', 'hybrid'];
const OUTCOMES: readonly TimeUpdate['outcome'][] = ['slewed', 'stepped'];
const MS_PER_SECOND = 1_000;

type Label = string | undefined;
type Readings = readonly (readonly [Label, number])[];

export function registerTime(registry: Registry, port: Pick<NodePort, 'time'>): void {
  const gauges = (name: string, label: Label, help: string, read: (report: TimeReport) => Readings): void => {
    new Gauge({
      name: `althing_time_${name}`,
      help,
      labelNames: label === undefined ? [] : [label],
      registers: [registry],
      collect() {
        this.reset();
        for (const [value, reading] of read(port.time())) this.set(labelled(label, value), reading);
      },
    });
  };
  const gauge = (name: string, help: string, read: (report: TimeReport) => number): void =>
    gauges(name, undefined, help, (report) => [[undefined, read(report)]]);

  gauge('system_offset_seconds', 'System clock minus adjusted time', ({ systemOffset }) =>
    seconds(systemOffset),
  );
  gauge('error_bound_seconds', 'Adjusted time is at most so wrong; +Inf before the first update', (report) =>
    report.error === undefined ? Number.POSITIVE_INFINITY : seconds(report.error),
  );
  gauge('rate_ppm', 'How much faster than the oscillator adjusted time runs', ({ ratePpm }) => ratePpm);
  gauge('slew_left_seconds', 'To be made up of the last correction', ({ slewLeft }) => seconds(slewLeft));
  gauge('may_propose', '1 while there is adjusted time to propose by', ({ mayPropose }) =>
    Number(mayPropose),
  );
  gauges('state', 'state', '1 for the state of the time-coordinator', ({ state }) =>
    TIME_STATES.map((each) => [each, Number(each === state)]),
  );
  gauges('alert', 'alert', '1 while the alert stands', ({ alerts }) =>
    TIME_ALERTS.map((each) => [each, Number(alerts.some(({ alert }) => alert === each))]),
  );
  gauges('peer_offset_seconds', 'peer', "A validator's clock minus adjusted time", ({ peers }) =>
    peers.map(({ id, offset }) => [id, seconds(offset)]),
  );
  gauges('peer_round_trip_seconds', 'peer', 'The quickest exchange of the newest poll', ({ peers }) =>
    peers.map(({ id, roundTripTime }) => [id, seconds(roundTripTime)]),
  );
  gauges('peer_reliability', 'peer', 'How much its answers count, 0 to 1', ({ peers }) =>
    peers.map(({ id, reliabilityScore }) => [id, reliabilityScore]),
  );
  gauges('ntp_offset_seconds', 'server', "An NTP server's clock minus adjusted time", ({ servers }) =>
    servers.map(({ server, offset }) => [server, seconds(offset)]),
  );
  gauges('ntp_selected', 'server', '1 while the server leads, with others', ({ servers }) =>
    servers.map(({ server, status }) => [server, Number(status === 'selected')]),
  );
  registerCounts(registry, port);
}

function registerCounts(registry: Registry, port: Pick<NodePort, 'time'>): void {
  new Counter({
    name: 'althing_time_alerts_total',
    help: 'How often an alert was raised',
    labelNames: ['alert'] as const,
    registers: [registry],
    collect() {
      this.reset();
      const { alertCounts } = port.time();
      for (const alert of TIME_ALERTS) this.inc({ alert }, alertCounts.get(alert) ?? 0);
    },
  });
  countUpdates(
    registry,
    port,
    'updates_total',
    'Updates of adjusted time, by who led',
    'source',
    SOURCES,
    'by',
  );
  countUpdates(
    registry,
    port,
    'corrections_total',
    'Updates of adjusted time, by how they were made',
    'outcome',
    OUTCOMES,
    'outcome',
  );
}

/** Counted off the node's history at each scrape: what leaves it between two scrapes is not counted. */
function countUpdates(
  registry: Registry,
  port: Pick<NodePort, 'time'>,
  name: string,
  help: string,
  label: string,
  values: readonly string[],
  member: 'by' | 'outcome',
): void {
  let newest: TimeUpdate | undefined;
  const counter = new Counter({
    name: `althing_time_${name}`,
    help,
    labelNames: [label],
    registers: [registry],
    collect() {
      const { history } = port.time();
      // -1: a history that begins anew, with its cell.
      const known = newest === undefined ? -1 : history.indexOf(newest);
      for (const update of history.slice(known + 1)) this.inc({ [label]: update[member] });
      newest = history.at(-1);
    },
  });
  for (const value of values) counter.inc({ [label]: value }, 0);
}

const labelled = (label: Label, value: Label): Record<string, string> =>
  label === undefined || value === undefined ? {} : { [label]: value };

const seconds = (ms: number | undefined): number => (ms === undefined ? Number.NaN : ms / MS_PER_SECOND);

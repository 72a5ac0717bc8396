/**
 * The numbers of the bridge in `/metrics`: `althing_bridge_…`, all present from the start. What is not known is NaN. Labels are
 * bounded by their lists. Boundary. Rule BR-9, docs/operator-guide.md.
 */
import { Counter, Gauge, type Registry } from 'prom-client';
import { BRIDGE_COUNTS, type BridgeReport, REACH_STATES } from '../rpc/bridge-port.ts';
import type { NodePort } from '../rpc/node-port.ts';

export function registerBridge(registry: Registry, port: Pick<NodePort, 'bridge'>): void {
  const registers = [registry];
  const gauge = (name: string, help: string, read: (report: BridgeReport) => number): void => {
    new Gauge({
      ...{ name: `althing_bridge_${name}`, help, registers },
      collect() {
        const report = port.bridge(0);
        this.set(report === undefined ? Number.NaN : read(report));
      },
    });
  };
  gauge('pending_operations', 'Operations of this node that have not ended', ({ pending }) => pending);
  gauge('overdue_operations', 'Of them, those older than the consensus timeout', ({ overdue }) => overdue);
  gauge('healthy', '1 while operations are taken', ({ healthy }) => Number(healthy));
  gauge(
    'divergences',
    'Others whose state differs from this node’s',
    ({ divergences }) => divergences.length,
  );
  gauge('open_breakers', 'Peers whose circuit breaker is not closed', ({ breakers }) =>
    breakers.reduce((sum, { state }) => sum + Number(state !== 'closed'), 0),
  );
  new Gauge({
    ...{ name: 'althing_bridge_reach', help: '1 for the state of the reach', registers },
    labelNames: ['state'],
    collect() {
      const reach = port.bridge(0)?.reach;
      for (const state of REACH_STATES) this.set({ state }, Number(state === reach));
    },
  });
  new Counter({
    ...{ name: 'althing_bridge_total', help: 'What the bridge counts, since its cell started', registers },
    labelNames: ['what'],
    collect() {
      const counts = port.bridge(0)?.counts;
      this.reset();
      for (const what of BRIDGE_COUNTS) this.inc({ what }, counts?.[what] ?? 0);
    },
  });
}

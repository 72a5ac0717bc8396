/** View 7: how each node is: ready or why not, clock, rounds, sync, event loop, links; now as a table, and over the last minutes as lines. */
import { type ReactNode, useMemo } from 'react';
import './health.css';
import '../families.css';
import type { NodeCard, NodeHealth } from '../../../../src/observe/feed/feed.ts';
import { isRemote } from '../../feed/store.ts';
import { usePage, usePageStore } from '../../feed/use-page.ts';
import { duration, nodeName, nodeOfId } from '../words.ts';
import { HealthTable } from './health-table.tsx';
import { Plot } from './plot.tsx';
import {
  clockHigh,
  clockLow,
  clockOffset,
  columnsOf,
  loopLag,
  type Pick,
  qcDelay,
  roundDuration,
} from './series.ts';
import { clockWords, openBreakers, signed } from './sync-words.ts';

export function HealthView(): ReactNode {
  const store = usePageStore();
  const nodes = usePage(({ shown }) => shown.nodes);
  const health = usePage(({ shown }) => shown.health);
  const chosen = usePage(({ selection }) => selection.node) ?? 0;
  const names = useMemo(() => nodes.map((_, node) => nodeName(nodes, node)), [nodes]);
  const own = health.get(chosen);
  if (health.size === 0)
    return (
      <p className="empty">No node has told how it is yet; each does so twice a second while it runs.</p>
    );
  return (
    <section className="health">
      <HealthTable
        nodes={nodes}
        health={health}
        chosen={chosen}
        onChoose={(node) => store.select({ node })}
      />
      <div className="health-plots">
        {PLOTS.map((plot) => (
          <HealthPlot key={plot.title} {...plot} names={names} chosen={chosen} />
        ))}
      </div>
      {own === undefined ? null : <OneNode health={own} name={names[chosen] ?? ''} />}
    </section>
  );
}

interface PlotCard {
  readonly title: string;
  readonly says: string;
  readonly pick: Pick;
  readonly hasBand?: boolean;
  /** Of the machine, not of the cells. */
  readonly isOutside?: boolean;
}

const PLOTS: readonly PlotCard[] = [
  {
    title: 'Clock offset',
    says: 'against adjusted time; the band is the chosen node’s error',
    pick: clockOffset,
    hasBand: true,
    isOutside: true,
  },
  { title: 'Round duration', says: 'from one round to the next', pick: roundDuration },
  { title: 'QC delay', says: 'from a node’s vote to the certificate of its round', pick: qcDelay },
  { title: 'Event-loop lag', says: 'how late a timer is, 99th percentile', pick: loopLag, isOutside: true },
];

function HealthPlot({
  pick,
  hasBand = false,
  isOutside = false,
  names,
  chosen,
  ...card
}: PlotCard & { readonly names: readonly string[]; readonly chosen: number }): ReactNode {
  const healths = usePage(({ shown }) => shown.healths);
  const isPlayed = usePage(({ hello }) => isRemote(hello?.run));
  const nothing =
    isPlayed && isOutside ? 'a journal does not hold it' : 'no round ended since somebody looks';
  const columns = useMemo(() => {
    const now = healths.chunks.at(-1)?.at(-1)?.at ?? 0;
    const band = hasBand ? { node: chosen, high: clockHigh, low: clockLow } : undefined;
    return columnsOf(healths, names.length, now, pick, band);
  }, [healths, names, pick, chosen, hasBand]);
  return (
    <Plot {...card} columns={columns} names={names} chosen={chosen} hasBand={hasBand} nothing={nothing} />
  );
}

/** What has no place in a line of the table. */
function OneNode({ health, name }: { readonly health: NodeHealth; readonly name: string }): ReactNode {
  const nodes = usePage(({ shown }) => shown.nodes);
  const open = openBreakers(health);
  return (
    <div className="health-one">
      <section>
        <h2>{name}: clock sources</h2>
        <p className="is-muted">
          {health.clock.state}, {clockWords(health.clock)}
        </p>
        {health.clock.sources.length === 0 ? (
          <p className="is-muted">No source: this machine’s clock alone.</p>
        ) : (
          <table>
            <thead>
              <tr>
                <th scope="col">source</th>
                <th scope="col">offset</th>
                <th scope="col">error</th>
                <th scope="col">used</th>
              </tr>
            </thead>
            <tbody>
              {health.clock.sources.map((source) => (
                <tr key={source.name} className={source.isUsed ? '' : 'is-muted'}>
                  <td>{sourceName(nodes, source.name)}</td>
                  <td>{signed(source.offsetMs)}</td>
                  <td>± {duration(source.errorMs)}</td>
                  <td>{source.isUsed ? 'yes' : 'no'}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </section>
      <section>
        <h2>Links</h2>
        <p>
          {health.reach}; {health.peers} {health.peers === 1 ? 'peer' : 'peers'}
        </p>
        {open.length === 0 ? (
          <p className="is-muted">Every circuit breaker is closed: operations go to every validator.</p>
        ) : (
          <ul>
            {open.map(({ peer, state }) => (
              <li key={peer} className="is-warn">
                {nodeName(nodes, nodeOfId(nodes, peer) ?? peer)}: breaker {state}
              </li>
            ))}
          </ul>
        )}
        {health.reasons.map((reason) => (
          <p key={reason} className="is-bad">
            {reason}
          </p>
        ))}
      </section>
    </div>
  );
}

/** Another node, or a time server, whose name is told whole. */
function sourceName(nodes: readonly NodeCard[], name: string): string {
  const node = nodeOfId(nodes, name);
  return node === undefined ? name : nodeName(nodes, node);
}

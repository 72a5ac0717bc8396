import { describe, expect, it } from 'vitest';
import { millis } from '../../../src/base/units.ts';
import { nodeLens } from '../../../src/node/feed/lens.ts';
import { Collector } from '../../../src/observe/feed/collector.ts';
import type { Delta, StepKind, WireEvent } from '../../../src/observe/feed/feed.ts';
import { Cluster } from '../../../src/simulation/cluster.ts';

const LINKS = { delayMin: millis(3), delayMean: millis(2), drop: 0, duplicate: 0, reorder: false };

function cluster(): Cluster {
  return new Cluster({ seed: 'feed', carry: 'codec', faults: LINKS });
}

/** Looks at all nodes that run now. */
function look(net: Cluster): readonly Collector[] {
  return net.nodes.map((_, node) => {
    const system = net.node(node).process?.system;
    if (system === undefined) throw new Error(`node ${node} does not run`);
    const wireMax = { deciding: 4_096, bulk: 4_096 };
    const collector = new Collector({ system, node, wireMax, lens: () => nodeLens({ system }) });
    collector.attach();
    return collector;
  });
}

function run(net: Cluster, collectors: readonly Collector[], ms: number): readonly Delta[] {
  const deltas: Delta[] = [];
  for (let done = 0; done < ms; done += 50) {
    net.advance(50);
    deltas.push(...collectors.map((collector) => collector.collect()));
  }
  return deltas;
}

const stepsOf = (deltas: readonly Delta[], kind: StepKind) =>
  deltas.flatMap(({ steps = [] }) => steps).filter((step) => step.kind === kind);
const wireOf = (deltas: readonly Delta[]): readonly WireEvent[] => deltas.flatMap(({ wire = [] }) => wire);

describe('a node in the feed', () => {
  it('tells each height as proposed once, and as voted, certified, committed and executed by the nodes (IN-1)', () => {
    const net = cluster();
    const deltas = run(net, look(net), 3_000);
    const heights = Math.min(...net.nodes.map(({ height }) => height)) - 1;
    expect(heights).toBeGreaterThan(2);
    const at = (kind: StepKind, height: number): number =>
      stepsOf(deltas, kind).filter((step) => step.height === height).length;
    for (let height = 1; height <= heights; height += 1) {
      expect([at('proposed', height), at('committed', height), at('executed', height)]).toEqual([1, 4, 4]);
      expect(at('voted', height)).toBeGreaterThanOrEqual(3);
      expect(at('qcFormed', height)).toBeGreaterThanOrEqual(1);
    }
    expect(stepsOf(deltas, 'locked').length).toBeGreaterThanOrEqual(3 * (heights - 1));
  });

  it('tells every message under one id where it leaves and where it arrives, the sender first (IN-1)', () => {
    const net = cluster();
    const deltas = run(net, look(net), 1_000);
    net.advance(100);
    const indexOf = new Map<string, number>(net.nodes.map(({ address, index }) => [address, index]));
    const wire = wireOf(deltas);
    const isBefore = (sent: WireEvent, received: WireEvent): boolean =>
      sent.direction === 'sent' &&
      sent.id === received.id &&
      indexOf.get(String(sent.peer)) === received.node &&
      indexOf.get(String(received.peer)) === sent.node &&
      sent.at < received.at;
    const received = wire.filter(({ direction }) => direction === 'received');
    expect(received.length).toBeGreaterThan(100);
    expect(new Set(received.map(({ kind }) => kind))).toContain('Proposal');
    // What left before anybody looked arrives without its beginning.
    const late = received.filter(({ at }) => at > (wire[0]?.at ?? 0) + 50);
    expect(late.filter((one) => !wire.some((sent) => isBefore(sent, one)))).toEqual([]);
    expect(wire.filter(({ direction, bytes }) => direction === 'sent' && bytes === undefined)).toEqual([]);
  });

  it('tells who gave a round up, who made the certificate of it, and what a node enters that was cut off (CS-6, CS-7)', () => {
    const net = cluster();
    net.advance(500);
    const collectors = look(net);
    const cut = 1;
    net.partition(net.nodes.map(({ index }) => index).filter((index) => index !== cut));
    const deltas = run(net, collectors, 15_000);
    expect(stepsOf(deltas, 'timedOut').length).toBeGreaterThan(2);
    expect(stepsOf(deltas, 'tcFormed')[0]).toMatchObject({ cell: 'node/consensus/view-change' });
    net.heal();
    const after = run(net, collectors, 5_000);
    const entered = stepsOf(after, 'roundEntered').filter(({ node }) => node === cut);
    expect(entered.length).toBeGreaterThan(0);
  });

  it('tells what a peer sent in vain, with the code that it is charged for (TP-6)', () => {
    const net = cluster();
    net.advance(500);
    const collectors = look(net);
    const highQC = net.view(0)?.pacemaker.highQC;
    if (highQC === undefined) throw new Error('node 0 has no view');
    const { signers: _, ...statement } = highQC;
    const [liar, victim] = [1, 2];
    const vote = { ...statement, validator: net.node(3).address, signature: new Uint8Array(96) };
    net.inject(liar, victim, { kind: 'Vote', vote });
    const wire = wireOf(run(net, collectors, 100));
    expect(wire.filter(({ refused }) => refused !== undefined)).toMatchObject([
      { kind: 'Vote', direction: 'received', node: victim, refused: { code: 'VOTE_NOT_OF_SENDER' } },
    ]);
  });

  it('tells chain and health of a node off its system alone (IN-1)', () => {
    const net = cluster();
    const collectors = look(net);
    const seen = run(net, collectors, 2_000);
    const [moment] = collectors.map((collector) => collector.moment());
    const [chain] = moment?.chains ?? [];
    expect(chain?.committed.height).toBe(net.node(0).height);
    expect(chain?.blocks.map(({ height }) => height)).toEqual(
      (chain?.blocks ?? []).map((_, index) => (chain?.blocks[0]?.height ?? 0) + index),
    );
    expect(chain?.blocks.filter(({ status }) => status === 'executed').length).toBeGreaterThan(2);
    expect(chain?.blocks.at(-1)?.status).toMatch(/certified|proposed/);
    expect(chain?.executed).toMatchObject({ height: net.node(0).height });
    const health = moment?.health[0];
    expect(health).toMatchObject({ isReady: true, reasons: [], peers: 3, reach: 'connected' });
    // Of the last rounds that were lived through, not of those that had work.
    const entered = stepsOf(seen, 'roundEntered').filter(({ node }) => node === 0);
    const [before, last] = [entered.at(-2)?.at ?? 0, entered.at(-1)?.at ?? 0];
    expect(health?.round.durationMs).toBe(last - before);
    expect(health?.round.qcDelayMs).toBeGreaterThan(0);
    expect(health?.round.qcDelayMs).toBeLessThanOrEqual(last - before);
  });

  it('tells no clock and no loop that it does not know, and its pace at each read (IN-1)', () => {
    const net = cluster();
    const [collector] = look(net);
    net.advance(500);
    const [one, two] = [collector?.moment().health[0], collector?.moment().health[0]];
    expect([one?.clock.offsetMs, one?.loopLagMs]).toEqual([undefined, undefined]);
    expect(one?.turnsPerSecond).toBeGreaterThan(0);
    expect(two?.turnsPerSecond).toBe(one?.turnsPerSecond);
  });
});

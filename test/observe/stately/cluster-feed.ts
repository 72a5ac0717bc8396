/** The feed of a simulated cluster: what a collector tells of each of its nodes, merged. For tests of the relay. */
import type { CellInfo } from '../../../src/actors/runtime/index.ts';
import { millis } from '../../../src/base/units.ts';
import { nodeLens } from '../../../src/node/feed/lens.ts';
import { Collector } from '../../../src/observe/feed/collector.ts';
import type { Delta, Hello, Moment, NodeCard, ViewerMessage } from '../../../src/observe/feed/feed.ts';
import type { FeedSource } from '../../../src/observe/feed/source.ts';
import { Cluster } from '../../../src/simulation/cluster.ts';

export class ClusterFeed {
  readonly cluster: Cluster;
  readonly #collectors: readonly Collector[];

  /** The cluster has run for a second. */
  constructor(validators: number, seed = 7) {
    this.cluster = new Cluster({ seed, validators, timeouts: { emptyBlockIntervalMs: millis(100) } });
    this.#collectors = this.cluster.nodes.flatMap(({ process }, node) => {
      if (process === undefined) return [];
      const { system } = process;
      const collector = new Collector({ system, node, lens: () => nodeLens({ system }) });
      collector.attach();
      return [collector];
    });
    this.cluster.advance(1_000);
  }

  hello(): Hello {
    return {
      ...{ type: 'hello', version: 1, run: { kind: 'live', title: 'test' }, controls: [] },
      charts: Object.assign({}, ...this.#collectors.map((collector) => collector.charts())),
      nodes: this.cluster.nodes.map((node, index) => cardOf(node.address, `validator-${index}`)),
    };
  }

  /** All that there is. */
  moment(): Moment {
    const cells = this.#collectors.flatMap((collector) => collector.moment().cells);
    return { type: 'moment', at: this.#at, cells, chains: [], health: [], wire: [], steps: [] };
  }

  /** What changed since the one before. */
  delta(): Delta {
    const deltas = this.#collectors.map((collector) => collector.collect());
    return {
      ...{ type: 'delta', at: this.#at, turns: 0 },
      cells: deltas.flatMap(({ cells = [] }) => cells),
      gone: deltas.flatMap(({ gone = [] }) => gone),
      details: deltas.flatMap(({ details = [] }) => details),
      charts: Object.assign({}, ...deltas.map(({ charts = {} }) => charts)),
      dropped: deltas.reduce((sum, { dropped }) => sum + dropped, 0),
    };
  }

  watch({ cells }: Extract<ViewerMessage, { type: 'watch' }>): void {
    for (const [node, collector] of this.#collectors.entries())
      collector.watch(cells.filter((cell) => cell.node === node).map(({ address }) => address));
  }

  infos(): readonly { readonly node: number; readonly info: CellInfo }[] {
    return this.cluster.nodes.flatMap(({ process }, node) =>
      [...(process?.system.cells() ?? [])].map((info) => ({ node, info })),
    );
  }

  get #at(): number {
    return this.cluster.clock.now();
  }
}

/** A cluster's feed, for viewers of a server: its time goes on when a test says so. */
export class ClusterSource implements FeedSource {
  readonly feed = new ClusterFeed(4);
  /** What viewers said that they watch. */
  watched = 0;
  readonly #takers = new Set<Parameters<FeedSource['subscribe']>[0]>();

  subscribe(take: Parameters<FeedSource['subscribe']>[0]) {
    this.#takers.add(take);
    take(this.feed.hello());
    take(this.feed.moment());
    return {
      watch: (cells: Parameters<ReturnType<FeedSource['subscribe']>['watch']>[0]) => {
        this.watched = cells.length;
        this.feed.watch({ type: 'watch', cells });
      },
      end: () => void this.#takers.delete(take),
    };
  }

  ask() {
    return Promise.reject(new Error('nobody asks'));
  }

  tick(): void {
    this.feed.cluster.advance(50);
    const delta = this.feed.delta();
    for (const take of this.#takers) take(delta);
  }
}

const cardOf = (id: string, moniker: string): NodeCard => ({
  ...{ id, moniker, chainId: 'test', genesisHash: '00', version: '0', power: '1', isUp: true },
});

/** The made-up cells of a load: the tree of a node for each validator, with mailboxes that fill and empty. Deterministic. */
import type {
  CellDetail,
  CellRow,
  Chart,
  ChartState,
  DeadLetterRow,
  NodeIndex,
  StepEvent,
  TransitionRow,
} from '../../src/observe/feed/feed.ts';
import type { LoadOptions } from './load.ts';
import { idOf } from './load-chain.ts';

/** Address, kind, and the chart's id where it has one. Parents first, as ARCHITECTURE.md draws them. */
const TREE: readonly (readonly [string, CellRow['kind'], string?])[] = [
  ['node', 'supervisor', 'supervisor'],
  ['node/storage', 'boundary'],
  ['node/network', 'supervisor', 'supervisor'],
  ['node/network/peer', 'supervisor', 'supervisor'],
  ['node/network/router', 'machine', 'router'],
  ['node/network/listener', 'boundary'],
  ['node/time', 'supervisor', 'supervisor'],
  ['node/time/clock', 'boundary'],
  ['node/time/ntp-client', 'boundary'],
  ['node/time/time-coordinator', 'machine', 'time-coordinator'],
  ['node/application', 'supervisor', 'supervisor'],
  ['node/application/snapshot-keeper', 'boundary'],
  ['node/application/executor', 'boundary'],
  ['node/consensus', 'supervisor', 'supervisor'],
  ['node/consensus/safety', 'machine', 'safety'],
  ['node/consensus/view-change', 'machine', 'view-change'],
  ['node/consensus/round-manager', 'machine', 'round-manager'],
  ['node/consensus/mempool', 'machine', 'mempool'],
  ['node/consensus/evidence-pool', 'machine', 'evidence-pool'],
  ['node/consensus/epoch-keeper', 'machine', 'epoch-keeper'],
  ['node/sync', 'supervisor', 'supervisor'],
  ['node/sync/side-store', 'boundary'],
  ['node/sync/snapshot-restorer', 'boundary'],
  ['node/sync/chain-server', 'machine', 'chain-server'],
  ['node/sync/herald', 'machine', 'herald'],
  ['node/sync/state-sync', 'machine', 'state-sync'],
  ['node/sync/height-sync', 'machine', 'height-sync'],
  ['node/sync/block-sync', 'machine', 'block-sync'],
  ['node/sync/chain-sync', 'machine', 'chain-sync'],
  ['node/sync/network-sync', 'machine', 'network-sync'],
  ['node/sync/sync-coordinator', 'machine', 'sync-coordinator'],
  ['node/consensus-bridge', 'machine', 'bridge'],
  ['node/surface', 'supervisor', 'supervisor'],
  ['node/surface/rpc', 'boundary'],
  ['node/surface/alarm', 'boundary'],
];

const EVENTS: Readonly<Record<string, string>> = {
  safety: 'vote.asked',
  'view-change': 'vote.received',
  'round-manager': 'proposal.received',
  mempool: 'batch.received',
};

export class CellLoad {
  readonly #options: LoadOptions;
  readonly #random: () => number;
  readonly #rows = new Map<string, CellRow>();
  readonly #charts = new Map<string, Chart>();
  /** Paths of leaves by chart, for states that change. */
  readonly #leaves = new Map<string, readonly (readonly string[])[]>();
  #letters: DeadLetterRow[] = [];
  #turn = 0;

  constructor(options: LoadOptions, random: () => number) {
    this.#options = options;
    this.#random = random;
    for (const chart of options.charts) {
      this.#charts.set(chart.id, chart);
      this.#leaves.set(chart.hash, chart.root.states.map(innermost));
    }
    const each =
      options.cells === undefined ? Number.POSITIVE_INFINITY : Math.ceil(options.cells / options.nodes);
    for (let node = 0; node < options.nodes; node += 1) {
      for (const row of this.#treeOf(node).slice(0, each)) {
        if (options.cells === undefined || this.#rows.size < options.cells) this.#put(row);
      }
    }
  }

  rows(): readonly CellRow[] {
    return [...this.#rows.values()];
  }

  /** Where the turns went. */
  advance(
    at: number,
    turns: number,
    steps: readonly StepEvent[],
  ): { readonly changed: readonly CellRow[]; readonly gone: { node: NodeIndex; address: string }[] } {
    const cells = this.rows();
    const changed: CellRow[] = [];
    const weights = cells.map(({ address }) => weightOf(address));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    for (const [place, row] of cells.entries()) {
      const share = (turns * (weights[place] ?? 0)) / sum;
      const count = Math.floor(share + this.#random());
      if (count > 0) changed.push(this.#put(this.#worked(row, at, count)));
    }
    for (const { kind, node } of steps) {
      if (kind !== 'restarted') continue;
      for (const row of this.rows()) {
        if (row.node === node && row.address.startsWith('node/consensus/'))
          changed.push(this.#put({ ...row, restarts: row.restarts + 1, incarnation: row.incarnation + 1 }));
      }
      this.#letters.push({
        node,
        at,
        reason: 'poison',
        to: 'node/consensus/mempool',
        message: 'batch.received',
      });
    }
    return { changed, gone: [] };
  }

  deadLetters(): readonly DeadLetterRow[] {
    const letters = this.#letters;
    this.#letters = [];
    return letters;
  }

  detail(node: NodeIndex, address: string, at: number): readonly CellDetail[] {
    const row = this.#rows.get(`${node}/${address}`);
    if (row === undefined) return [];
    return [
      {
        node,
        address,
        view: {
          epoch: 1,
          round: Math.floor(at / 250) % 10_000,
          lastVotedRound: Math.floor(at / 250) % 10_000,
          lockedRound: (Math.floor(at / 250) % 10_000) - 1,
          highQc: { round: 41, block: `${'9f'.repeat(16)}…`, signers: [0, 1, 3] },
          validators: [0, 1, 2, 3].map((index) => ({ id: idOf(index), power: '10' })),
        },
        timers: [
          { key: 'round', dueInMs: 180 + this.#random() * 800 },
          { key: 'poll', dueInMs: 5_000 + this.#random() * 800 },
        ],
        transitions: row.kind === 'machine' ? [this.#transition(row, at)] : [],
      },
    ];
  }

  #transition(row: CellRow, at: number): TransitionRow {
    const chart =
      row.chart === undefined ? undefined : this.#options.charts.find(({ hash }) => hash === row.chart);
    const active = chart === undefined ? undefined : pathTo(chart.root, row.states?.[0] ?? '').at(-1);
    const options = (active?.transitions ?? []).filter(({ on }) => on !== '');
    const taken = options[Math.floor(this.#random() * options.length)];
    this.#turn += 1;
    const refused =
      this.#turn % 9 === 0
        ? { refused: { code: 'ROUND_ALREADY_VOTED', detail: 'round 41, last voted round 41' } }
        : {};
    return {
      at,
      turn: this.#turn,
      event: taken?.on ?? 'facts.changed',
      from: 'node/consensus/round-manager',
      taken:
        taken === undefined || active === undefined
          ? []
          : [{ source: active.id, target: taken.target, on: taken.on, index: taken.index }],
      guards: options
        .filter(({ guard }) => guard !== undefined)
        .map(({ on, guard }) => ({ transition: on, guard: guard ?? '', held: this.#random() > 0.4 })),
      ...refused,
      effects: ['tell node/storage', 'startTimer round'],
    };
  }

  #worked(row: CellRow, at: number, count: number): CellRow {
    const isBusy = weightOf(row.address) > 3;
    const queued = Math.max(0, Math.round(row.queued + (this.#random() - 0.52) * (isBusy ? 12 : 1)));
    const leaves = this.#leaves.get(row.chart ?? '') ?? [];
    const moved = this.#random() < 0.3 ? leaves[Math.floor(this.#random() * leaves.length)] : undefined;
    this.#turn += count;
    return {
      ...row,
      ...(moved === undefined ? {} : { states: moved }),
      accepted: row.accepted + count,
      processed: row.processed + count,
      queued,
      waitP99: (isBusy ? 4 : 0.3) * (0.5 + this.#random()),
      last: {
        at,
        turn: this.#turn,
        event: EVENTS[nameOf(row.address)] ?? 'facts.changed',
        from: 'node/network/router',
      },
    };
  }

  #treeOf(node: NodeIndex): readonly CellRow[] {
    const peers = Array.from({ length: this.#options.nodes }, (_, peer) => peer).filter(
      (peer) => peer !== node,
    );
    const links = peers.map((peer) => [`node/network/peer/${idOf(peer)}`, 'machine', 'peer'] as const);
    return [...TREE, ...links].map(([address, kind, chart]) => this.#born(node, address, kind, chart));
  }

  #born(node: NodeIndex, address: string, kind: CellRow['kind'], chartId: string | undefined): CellRow {
    const chart = chartId === undefined ? undefined : this.#charts.get(chartId);
    const states = chart === undefined ? undefined : this.#leaves.get(chart.hash)?.[0];
    const parent = address.includes('/') ? { parent: address.slice(0, address.lastIndexOf('/')) } : {};
    return {
      node,
      address,
      ...parent,
      kind,
      status: 'running',
      ...(chart === undefined ? {} : { chart: chart.hash }),
      ...(states === undefined ? {} : { states }),
      incarnation: 1,
      restarts: 0,
      accepted: 0,
      processed: 0,
      queued: 0,
      postponed: 0,
      capacity: 4_096,
      lost: address.endsWith('mempool') ? { poison: 1 } : {},
    };
  }

  #put(row: CellRow): CellRow {
    this.#rows.set(`${row.node}/${row.address}`, row);
    return row;
  }
}

const nameOf = (address: string): string => address.slice(address.lastIndexOf('/') + 1);

/** How much of the work a cell has. */
function weightOf(address: string): number {
  if (/round-manager|mempool|storage|router$/.test(address)) return 12;
  if (/safety|view-change|executor|peer\//.test(address)) return 6;
  return /consensus|clock|rpc/.test(address) ? 1.5 : 0.1;
}

function innermost(state: ChartState): readonly string[] {
  if (state.type === 'parallel') return state.states.flatMap(innermost);
  const first =
    state.states.find(({ id, key }) => id === state.initial || key === state.initial) ?? state.states[0];
  return first === undefined ? [state.id] : innermost(first);
}

function pathTo(state: ChartState, id: string): readonly ChartState[] {
  if (state.id === id) return [state];
  for (const inner of state.states) {
    const path = pathTo(inner, id);
    if (path.length > 0) return [state, ...path];
  }
  return [];
}

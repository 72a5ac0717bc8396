/**
 * Several nodes' feeds as one: what `npm start` shows of its validators. A node that is gone stays in the list, and is told anew when it is
 * back. Each viewer has connections of its own: without one, no node computes anything. Boundary: timers, sockets. Rule IN-1, docs/inspector.md.
 */
import type { CellAddress } from '../../actors/runtime/index.ts';
import { mergeDeltas } from './backlog.ts';
import {
  type Chart,
  type ChartHash,
  type Control,
  type Delta,
  FEED_VERSION,
  type Hello,
  type Moment,
  type NodeCard,
  type NodeIndex,
  type Question,
} from './feed.ts';
import { FeedLink } from './link.ts';
import { type FeedSource, type FeedUpdate, type Outcome, refusedWith, type WatchedCell } from './source.ts';

export interface MergedParts {
  readonly title: string;
  /** All of them, running or not. */
  readonly cards: readonly NodeCard[];
  /** Absent: viewers may only look. */
  readonly control?: {
    readonly kinds: readonly Control['kind'][];
    readonly order: (control: Control) => Promise<Outcome>;
  };
}

/** @unit ms @source IN-1: 20 Hz */
const TICK_MS = 50;
/** Whoever has not answered by then is shown when it does. @unit ms @source a node answers within some ms; one that compiles, later */
const OPENING_MS_MAX = 1_500;

/** A node that runs, and whose feed was lost. @unit ms */
const RETRY_MS = 1_000;

interface Place {
  card: NodeCard;
  url: string | undefined;
}

export class MergedSource implements FeedSource {
  readonly #parts: MergedParts;
  readonly #places: readonly Place[];
  readonly #viewers = new Set<MergedViewer>();
  readonly #charts = new Map<ChartHash, Chart>();
  readonly order?: (control: Control) => Promise<Outcome>;

  constructor(parts: MergedParts) {
    this.#parts = parts;
    this.#places = parts.cards.map((card) => ({ card: { ...card, isUp: false }, url: undefined }));
    if (parts.control !== undefined) this.order = parts.control.order;
  }

  /** A node runs and feeds at `url`, or has gone. */
  set(node: NodeIndex, url: string | undefined, id?: string): void {
    const place = this.#places[node];
    if (place === undefined || place.url === url) return;
    place.url = url;
    place.card = { ...place.card, isUp: url !== undefined, ...(id === undefined ? {} : { id }) };
    for (const viewer of this.#viewers) viewer.changed(node);
  }

  subscribe(take: (update: FeedUpdate) => void, _ended: (detail: string) => void) {
    const viewer = new MergedViewer(this, take);
    this.#viewers.add(viewer);
    viewer.open();
    return {
      watch: (cells: readonly WatchedCell[]): void => viewer.watch(cells),
      end: (): void => {
        this.#viewers.delete(viewer);
        viewer.close();
      },
    };
  }

  async ask(question: Question): Promise<Outcome> {
    const remote = this.remote(question.node);
    return remote === undefined ? this.notUp(question.node) : remote.ask({ ...question, node: 0 });
  }

  /** A connection to the node, of whoever looks. */
  remote(node: NodeIndex): FeedLink | undefined {
    for (const viewer of this.#viewers) {
      const remote = viewer.remote(node);
      if (remote !== undefined) return remote;
    }
    return undefined;
  }

  notUp(node: NodeIndex): Outcome {
    const place = this.#places[node];
    if (place === undefined)
      return refusedWith('NO_SUCH_NODE', `there is no node ${node}: give 0 to ${this.#places.length - 1}`);
    const { moniker } = place.card;
    return place.url === undefined
      ? refusedWith('NOT_UP', `${moniker} does not run`)
      : refusedWith('NOT_NOW', `${moniker} is being connected: try again`);
  }

  // ── For its viewers ────────────────────────────────────────────────────────────────────────────────────────────────

  get places(): readonly Place[] {
    return this.#places;
  }

  hello(): Hello {
    return {
      type: 'hello',
      version: FEED_VERSION,
      run: { kind: 'live', title: this.#parts.title },
      nodes: this.#places.map(({ card }) => card),
      charts: Object.fromEntries(this.#charts),
      controls: this.#parts.control?.kinds ?? [],
    };
  }

  /** What a node says of itself. */
  greeted(node: NodeIndex, { nodes: [card], charts }: Hello): void {
    const place = this.#places[node];
    if (place !== undefined && card !== undefined) place.card = { ...card, isUp: true };
    this.noteCharts(charts);
  }

  /** Bounded by the charts of the program. */
  noteCharts(charts: Readonly<Record<ChartHash, Chart>> = {}): void {
    for (const [hash, chart] of Object.entries(charts)) this.#charts.set(hash, chart);
  }

  indexOf(id: string): NodeIndex | undefined {
    const index = this.#places.findIndex(({ card }) => card.id === id);
    return index < 0 ? undefined : index;
  }
}

interface Connected {
  readonly remote: FeedLink;
  /** Undefined until its first moment. */
  cells: Set<CellAddress> | undefined;
}

/** One viewer's connections to all nodes. */
class MergedViewer {
  readonly #source: MergedSource;
  readonly #take: (update: FeedUpdate) => void;
  readonly #nodes = new Map<NodeIndex, Connected>();
  #first: Moment[] | undefined = [];
  #opening: NodeJS.Timeout | undefined;
  #ticking: NodeJS.Timeout | undefined;
  #pending: Delta | undefined;
  #watched: readonly WatchedCell[] = [];
  /** One for each node at the most. */
  readonly #retries = new Set<NodeJS.Timeout>();

  constructor(source: MergedSource, take: (update: FeedUpdate) => void) {
    this.#source = source;
    this.#take = take;
  }

  open(): void {
    for (const node of this.#source.places.keys()) this.#connect(node);
    this.#opening = setTimeout(() => this.#begin(), OPENING_MS_MAX);
    this.#ticking = setInterval(() => this.#flush(), TICK_MS);
    if (this.#nodes.size === 0) this.#begin();
  }

  close(): void {
    clearTimeout(this.#opening);
    clearInterval(this.#ticking);
    for (const again of this.#retries) clearTimeout(again);
    for (const { remote } of this.#nodes.values()) remote.close();
    this.#nodes.clear();
  }

  remote(node: NodeIndex): FeedLink | undefined {
    const found = this.#nodes.get(node);
    return found?.cells === undefined ? undefined : found.remote;
  }

  watch(cells: readonly WatchedCell[]): void {
    this.#watched = cells;
    for (const [node, { remote }] of this.#nodes) remote.watch(this.#watchedOf(node));
  }

  /** A node has come or gone, or lives at another address. */
  changed(node: NodeIndex): void {
    this.#disconnect(node);
    this.#connect(node);
    if (this.#first === undefined) this.#take(this.#source.hello());
  }

  /** As the node has them: to itself it is the first. */
  #watchedOf(node: NodeIndex): readonly WatchedCell[] {
    return this.#watched.filter((one) => one.node === node).map(({ address }) => ({ node: 0, address }));
  }

  #connect(node: NodeIndex): void {
    const url = this.#source.places[node]?.url;
    if (url === undefined) return;
    const remote = new FeedLink(new URL(url), {
      take: (update) => this.#hear(node, update),
      // Whether its process is gone, its parent says; until then its rows stay as they are.
      ended: () => this.#lost(node, url),
    });
    this.#nodes.set(node, { remote, cells: undefined });
    const watched = this.#watchedOf(node);
    if (watched.length > 0) remote.watch(watched);
  }

  #lost(node: NodeIndex, url: string): void {
    this.#nodes.delete(node);
    const again = setTimeout(() => {
      this.#retries.delete(again);
      if (this.#source.places[node]?.url === url && !this.#nodes.has(node)) this.#connect(node);
    }, RETRY_MS);
    this.#retries.add(again);
  }

  #disconnect(node: NodeIndex): void {
    const connected = this.#nodes.get(node);
    this.#nodes.delete(node);
    connected?.remote.close();
    const gone = [...(connected?.cells ?? this.#lastCells.get(node) ?? [])];
    this.#lastCells.delete(node);
    if (gone.length > 0) this.#tellGone(node, gone);
  }

  /** A feed that was lost did not tell which cells ended meanwhile. */
  #goneSince(node: NodeIndex, cells: Set<CellAddress>): void {
    const gone = [...(this.#lastCells.get(node) ?? [])].filter((address) => !cells.has(address));
    this.#lastCells.set(node, cells);
    if (gone.length > 0) this.#tellGone(node, gone);
  }

  #tellGone(node: NodeIndex, addresses: readonly CellAddress[]): void {
    const gone = addresses.map((address) => ({ node, address }));
    this.#add({ type: 'delta', at: this.#at, gone, turns: 0, dropped: 0 });
  }

  /** Of nodes whose connection ended before their process was known to be gone. */
  readonly #lastCells = new Map<NodeIndex, ReadonlySet<CellAddress>>();
  #at = 0;

  #hear(node: NodeIndex, update: FeedUpdate): void {
    const connected = this.#nodes.get(node);
    if (connected === undefined) return;
    switch (update.type) {
      case 'hello':
        this.#source.greeted(node, update);
        return;
      case 'moment':
        connected.cells = new Set(update.cells.map(({ address }) => address));
        this.#goneSince(node, connected.cells);
        this.#meet(momentOf(update, node, (id) => this.#source.indexOf(id)));
        return;
      case 'delta': {
        for (const { address } of update.cells ?? []) connected.cells?.add(address);
        for (const { address } of update.gone ?? []) connected.cells?.delete(address);
        this.#source.noteCharts(update.charts);
        this.#add(deltaOf(update, node, (id) => this.#source.indexOf(id)));
        return;
      }
      default:
    }
  }

  /** A node's first moment: a part of the common one, or, later, what has changed. */
  #meet(moment: Moment): void {
    if (this.#first === undefined) {
      this.#take(this.#source.hello());
      const { type: _, ...rows } = moment;
      this.#add({ type: 'delta', ...rows, turns: 0, dropped: 0 });
      return;
    }
    this.#first.push(moment);
    const isWhole = [...this.#nodes.values()].every(({ cells }) => cells !== undefined);
    if (isWhole) this.#begin();
  }

  #begin(): void {
    const moments = this.#first;
    if (moments === undefined) return;
    this.#first = undefined;
    clearTimeout(this.#opening);
    this.#take(this.#source.hello());
    this.#take(joinMoments(moments));
    this.#at = Math.max(0, ...moments.map(({ at }) => at));
  }

  #add(delta: Delta): void {
    this.#pending = this.#pending === undefined ? delta : mergeDeltas(this.#pending, delta);
    this.#at = Math.max(this.#at, delta.at);
  }

  #flush(): void {
    const pending = this.#pending;
    if (pending === undefined || this.#first !== undefined) return;
    this.#pending = undefined;
    this.#take({ ...pending, at: this.#at });
  }
}

type IndexOf = (id: string) => NodeIndex | undefined;

const at = <Row extends object>(rows: readonly Row[], node: NodeIndex): readonly Row[] =>
  rows.map((row) => ({ ...row, node }));

const wireAt = (wire: Moment['wire'], node: NodeIndex, indexOf: IndexOf): Moment['wire'] =>
  wire.map((event) => {
    const { peer } = event;
    return { ...event, node, peer: typeof peer === 'string' ? (indexOf(peer) ?? peer) : peer };
  });

function momentOf(
  { cells, chains, health, wire, steps, ...rest }: Moment,
  node: NodeIndex,
  indexOf: IndexOf,
): Moment {
  return {
    ...rest,
    cells: at(cells, node),
    chains: at(chains, node),
    health: at(health, node),
    wire: wireAt(wire, node, indexOf),
    steps: at(steps, node),
  };
}

function deltaOf(
  { cells, gone, chains, health, wire, steps, details, deadLetters, ...rest }: Delta,
  node: NodeIndex,
  indexOf: IndexOf,
): Delta {
  return {
    ...rest,
    ...(cells === undefined ? {} : { cells: at(cells, node) }),
    ...(gone === undefined ? {} : { gone: at(gone, node) }),
    ...(chains === undefined ? {} : { chains: at(chains, node) }),
    ...(health === undefined ? {} : { health: at(health, node) }),
    ...(wire === undefined ? {} : { wire: wireAt(wire, node, indexOf) }),
    ...(steps === undefined ? {} : { steps: at(steps, node) }),
    ...(details === undefined ? {} : { details: at(details, node) }),
    ...(deadLetters === undefined ? {} : { deadLetters: at(deadLetters, node) }),
  };
}

const joinMoments = (moments: readonly Moment[]): Moment => ({
  type: 'moment',
  at: Math.max(0, ...moments.map((moment) => moment.at)),
  cells: moments.flatMap(({ cells }) => cells),
  chains: moments.flatMap(({ chains }) => chains),
  health: moments.flatMap(({ health }) => health),
  wire: moments.flatMap(({ wire }) => wire).sort((left, right) => left.at - right.at),
  steps: moments.flatMap(({ steps }) => steps).sort((left, right) => left.at - right.at),
});

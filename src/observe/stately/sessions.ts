/**
 * Which sessions Stately's inspector is to show, out of what the feed says: one for each cell, named by its address. Holds each cell's
 * newest row, so that a viewer who comes late is told all. Pure but for its own state. Rule IN-3, docs/inspector.md.
 */
import { ADDRESSES } from '../../actors/addresses.ts';
import type {
  CellDetail,
  CellRow,
  Chart,
  ChartHash,
  Delta,
  FeedMessage,
  Hello,
  Moment,
  NodeCard,
  NodeIndex,
  TransitionRow,
} from '../feed/feed.ts';
import { definitionOf } from './definition.ts';
import { LIFE_CHART, lifeStates } from './life.ts';
import type { EventView } from './messages.ts';

/** One cell, as the feed told it last. */
export interface Session {
  readonly id: string;
  readonly rootId: string;
  readonly parentId?: string;
  readonly row: CellRow;
  readonly chart: Chart;
  /** In it, what is active. */
  readonly states: readonly string[];
  readonly definition: string;
  /** @unit ms since 1970 */
  readonly since: number;
  /** @unit ms since 1970 */
  readonly at: number;
  /** Of a watched cell. */
  readonly detail?: CellDetail;
}

export interface SessionEvent {
  readonly session: Session;
  readonly sourceId?: string;
  /** @unit ms since 1970 */
  readonly at: number;
  readonly event: EventView;
}

/** What one message of the feed has changed, parents before children. */
export interface SessionChanges {
  /** New ones, and those whose registration says something else now. */
  readonly registered: readonly Session[];
  readonly changed: readonly Session[];
  readonly ended: readonly Session[];
  readonly events: readonly SessionEvent[];
  /** Events that the feed left out. */
  readonly dropped: number;
}

export interface SessionOptions {
  /** Shows these cells and what is below them alone, with those above; empty: all. Addresses, or ids of sessions. */
  readonly only: readonly string[];
}

export interface WatchedCell {
  readonly node: NodeIndex;
  readonly address: string;
}

/** Cells beyond are not shown, and counted. @unit cells @source 16 nodes × 240 cells */
export const SESSIONS_MAX = 4_096;
/** Charts beyond are not kept: their cells show how they live alone. @unit charts @source ten times those of a node */
const CHARTS_MAX = 256;
/** @unit cells @source the feed's own bound of `watch` */
export const WATCHED_MAX = 16;

/** Whose contexts are asked for when nobody names cells: all nodes' first ones before any node's second. */
const WATCHED_FIRST: readonly string[] = [
  ADDRESSES.roundManager,
  ADDRESSES.viewChange,
  ADDRESSES.safety,
  ADDRESSES.mempool,
  ADDRESSES.networkSync,
  ADDRESSES.timeCoordinator,
  ADDRESSES.bridge,
  ADDRESSES.router,
  ADDRESSES.evidencePool,
  ADDRESSES.epochKeeper,
];

export class Sessions {
  readonly #only: readonly string[];
  readonly #sessions = new Map<string, Session>();
  readonly #charts = new Map<ChartHash, { readonly chart: Chart; readonly definition: string }>();
  readonly #life = { chart: LIFE_CHART, definition: definitionOf(LIFE_CHART) };
  /** What the ids of a node's sessions begin with. */
  #prefixes: readonly string[] = [];
  /** Ids of the sessions whose details the feed tells. */
  #watched: ReadonlySet<string> = new Set();
  #leftOut = 0;

  constructor({ only }: SessionOptions) {
    this.#only = only;
  }

  /** Parents before children. */
  get all(): Iterable<Session> {
    return this.#sessions.values();
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Cells of the newest moment that found no room (SESSIONS_MAX). */
  get leftOut(): number {
    return this.#leftOut;
  }

  get(id: string): Session | undefined {
    return this.#sessions.get(id);
  }

  take(message: FeedMessage): SessionChanges {
    if (message.type === 'hello') return this.#takeHello(message);
    if (message.type === 'moment') return this.#takeMoment(message);
    return message.type === 'delta' ? this.#takeDelta(message) : NO_CHANGES;
  }

  /** Whose details the feed shall tell from now on, at most WATCHED_MAX; undefined: those that it was told to. */
  rewatch(): readonly WatchedCell[] | undefined {
    const chosen = this.#toWatch();
    const ids = new Set(chosen.map(({ id }) => id));
    if (ids.size === this.#watched.size && ids.isSubsetOf(this.#watched)) return undefined;
    for (const id of this.#watched) if (!ids.has(id)) this.#forgetDetail(id);
    this.#watched = ids;
    return chosen.map(({ row: { node, address } }) => ({ node, address }));
  }

  #toWatch(): readonly Session[] {
    const known = [...this.#sessions.values()];
    const chosen =
      this.#only.length > 0
        ? known.filter(({ row }) => row.kind !== 'boundary' && this.#isAsked(row))
        : WATCHED_FIRST.flatMap((address) => known.filter(({ row }) => row.address === address));
    return chosen.slice(0, WATCHED_MAX);
  }

  #forgetDetail(id: string): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    const { detail: _, ...rest } = session;
    this.#sessions.set(id, rest);
  }

  #takeHello({ nodes, charts }: Hello): SessionChanges {
    this.#learn(charts);
    // A connection begins: nothing is watched on it.
    for (const id of this.#watched) this.#forgetDetail(id);
    this.#watched = new Set();
    const prefixes = prefixesOf(nodes);
    const isNamedAnew = this.#prefixes.some((prefix, node) => prefixes[node] !== prefix);
    this.#prefixes = prefixes;
    if (!isNamedAnew) return NO_CHANGES;
    const before = [...this.#sessions.values()];
    this.#sessions.clear();
    const registered = before
      .filter(({ row }) => prefixes[row.node] !== undefined)
      .map(({ row, at }) => this.#put(row, at))
      .flatMap(({ session }) => session ?? []);
    return { ...NO_CHANGES, registered, ended: before };
  }

  #takeMoment({ cells, at }: Moment): SessionChanges {
    const present = new Set(cells.map((row) => this.#idOf(row)));
    const ended = [...this.#sessions.values()].filter(({ id }) => !present.has(id));
    for (const { id } of ended) this.#sessions.delete(id);
    const { registered, changed } = this.#putAll(cells, at);
    this.#leftOut = cells.filter((row) => this.#isShown(row)).length - registered.length - changed.length;
    return { ...NO_CHANGES, registered, changed, ended };
  }

  #takeDelta(delta: Delta): SessionChanges {
    this.#learn(delta.charts ?? {});
    const { at, cells = [], details = [], gone = [] } = delta;
    const rows = this.#putAll(cells, at);
    const told = this.#takeDetails(details, at);
    // Of a watched cell each step is told by its detail, in this delta or the next.
    const last = rows.events.filter(({ session }) => !this.#watched.has(session.id));
    const ended = gone.flatMap(({ node, address }) => this.#end(node, address));
    return {
      registered: rows.registered,
      changed: [...rows.changed, ...told.changed],
      ended,
      events: [...told.events, ...last].sort((left, right) => left.at - right.at),
      dropped: delta.dropped,
    };
  }

  #learn(charts: Readonly<Record<ChartHash, Chart>>): void {
    for (const [hash, chart] of Object.entries(charts)) {
      if (this.#charts.has(hash) || this.#charts.size >= CHARTS_MAX) continue;
      this.#charts.set(hash, { chart, definition: definitionOf(chart) });
    }
  }

  #putAll(rows: readonly CellRow[], at: number): Pick<SessionChanges, 'registered' | 'changed' | 'events'> {
    const registered: Session[] = [];
    const changed: Session[] = [];
    const events: SessionEvent[] = [];
    for (const row of rows.toSorted(byPlace)) {
      if (!this.#isShown(row)) continue;
      const { session, before } = this.#put(row, at);
      if (session === undefined) continue;
      (isRegisteredAs(before, session) ? changed : registered).push(session);
      if (row.last === undefined || isSameStep(before?.row, row)) continue;
      const { event, turn, from } = row.last;
      events.push(this.#event(session, row.last.at, { type: event, turn }, from));
    }
    return { registered, changed, events };
  }

  #put(row: CellRow, at: number): { readonly session?: Session; readonly before?: Session } {
    const id = this.#idOf(row);
    const before = this.#sessions.get(id);
    if (before === undefined && this.#sessions.size >= SESSIONS_MAX) return {};
    const parentId =
      row.parent === undefined ? undefined : this.#idOf({ node: row.node, address: row.parent });
    const known = row.chart === undefined ? undefined : this.#charts.get(row.chart);
    const session: Session = {
      id,
      rootId: (parentId === undefined ? undefined : this.#sessions.get(parentId)?.rootId) ?? id,
      ...(parentId === undefined ? {} : { parentId }),
      row,
      ...(known ?? this.#life),
      states: known === undefined ? lifeStates(row.status) : (row.states ?? []),
      since: before?.row.incarnation === row.incarnation ? before.since : at,
      at,
      ...(before?.detail === undefined ? {} : { detail: before.detail }),
    };
    this.#sessions.set(id, session);
    return before === undefined ? { session } : { session, before };
  }

  #takeDetails(details: readonly CellDetail[], at: number): Pick<SessionChanges, 'changed' | 'events'> {
    const changed: Session[] = [];
    const events: SessionEvent[] = [];
    for (const detail of details) {
      const before = this.#sessions.get(this.#idOf(detail));
      if (before === undefined || !this.#watched.has(before.id)) continue;
      const session = { ...before, at, detail };
      this.#sessions.set(session.id, session);
      changed.push(session);
      for (const step of detail.transitions)
        events.push(this.#event(session, step.at, eventOf(step), step.from));
    }
    return { changed, events };
  }

  #end(node: NodeIndex, address: string): readonly Session[] {
    const id = this.#idOf({ node, address });
    const session = this.#sessions.get(id);
    this.#sessions.delete(id);
    return session === undefined ? [] : [session];
  }

  #event(session: Session, at: number, event: EventView, from: string | undefined): SessionEvent {
    if (from === undefined) return { session, at, event };
    // What stands after '#' tells the lives of a sender apart.
    const [address = from] = from.split('#');
    const sourceId = this.#idOf({ node: session.row.node, address });
    return this.#sessions.has(sourceId) ? { session, sourceId, at, event } : { session, at, event };
  }

  #idOf({ node, address }: WatchedCell): string {
    return `${this.#prefixes[node] ?? `${node}/`}${address}`;
  }

  #isShown(row: CellRow): boolean {
    if (this.#only.length === 0 || this.#isAsked(row)) return true;
    return this.#only.some((place) => this.#isAbove(row, place));
  }

  #isAsked(row: CellRow): boolean {
    return this.#only.some((place) => this.#isBelow(row, place));
  }

  #isBelow(row: CellRow, place: string): boolean {
    return [row.address, this.#idOf(row)].some((own) => own === place || own.startsWith(`${place}/`));
  }

  #isAbove(row: CellRow, place: string): boolean {
    return [row.address, this.#idOf(row)].some((own) => place.startsWith(`${own}/`));
  }
}

const NO_CHANGES: SessionChanges = { registered: [], changed: [], ended: [], events: [], dropped: 0 };

/** As the tree of each node: an address comes before those below it. */
const byPlace = (left: CellRow, right: CellRow): number =>
  left.node - right.node || (left.address < right.address ? -1 : 1);

/** Of one node its addresses alone; of several each after its node's name. */
function prefixesOf(nodes: readonly NodeCard[]): readonly string[] {
  if (nodes.length < 2) return nodes.map(() => '');
  return nodes.map(({ moniker, id }) => {
    const isAlone = nodes.filter((other) => other.moniker === moniker).length === 1;
    return `${isAlone && moniker !== '' ? moniker : `${moniker}-${id.slice(0, 8)}`}/`;
  });
}

const isRegisteredAs = (before: Session | undefined, session: Session): boolean =>
  before?.definition === session.definition && before.since === session.since;

const isSameStep = (before: CellRow | undefined, row: CellRow): boolean =>
  before?.incarnation === row.incarnation && before.last?.turn === row.last?.turn;

const eventOf = ({ event, turn, refused, effects }: TransitionRow): EventView => ({
  type: event,
  turn,
  ...(refused === undefined ? {} : { refused }),
  ...(effects.length === 0 ? {} : { effects }),
});

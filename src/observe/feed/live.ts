/** A node that runs, as a source: collected twenty times a second while somebody looks, and not at all without. Boundary: timers. IN-1, IN-4. */
import type { Collector } from './collector.ts';
import { type Control, type Delta, FEED_VERSION, type Hello, type NodeCard, type Question } from './feed.ts';
import { type FeedSource, type FeedUpdate, type Outcome, refusedWith, type WatchedCell } from './source.ts';

export interface LiveParts {
  /** Of node 0. */
  readonly collector: Collector;
  readonly title: string;
  readonly card: () => NodeCard;
  readonly ask?: (question: Question) => Promise<Outcome>;
  /** Absent: viewers may only look. */
  readonly control?: {
    readonly kinds: readonly Control['kind'][];
    readonly order: (control: Control) => Promise<Outcome>;
  };
  /** What went wrong while it looked; its viewers are sent away, and what is looked at goes on (IN-4). */
  readonly failed: (failure: unknown) => void;
}

/** @unit ms @source IN-1: 20 Hz */
const TICK_MS = 50;
/** Where nothing changes, time does: a delta at least so often. @unit ticks */
const IDLE_TICKS_MAX = 10;

interface Viewer {
  readonly take: (update: FeedUpdate) => void;
  readonly ended: (detail: string) => void;
  watched: readonly WatchedCell[];
}

export class LiveSource implements FeedSource {
  readonly #parts: LiveParts;
  readonly #viewers = new Set<Viewer>();
  #detach: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #idle = 0;
  readonly order?: (control: Control) => Promise<Outcome>;

  constructor(parts: LiveParts) {
    this.#parts = parts;
    if (parts.control !== undefined) this.order = parts.control.order;
  }

  /** Somebody looks: only then does it cost anything. */
  get isAttached(): boolean {
    return this.#detach !== undefined;
  }

  subscribe(take: (update: FeedUpdate) => void, ended: (detail: string) => void) {
    const viewer: Viewer = { take, ended, watched: [] };
    this.#viewers.add(viewer);
    this.#safely(() => {
      const { collector } = this.#parts;
      if (this.#detach === undefined) {
        this.#detach = collector.attach();
        this.#timer = setInterval(() => this.#safely(() => this.#tick()), TICK_MS);
      }
      take(this.#hello());
      take(collector.moment());
    });
    return {
      watch: (cells: readonly WatchedCell[]): void => {
        viewer.watched = cells;
        this.#safely(() => this.#watch());
      },
      end: (): void => {
        if (!this.#viewers.delete(viewer)) return;
        this.#safely(() => this.#watch());
        if (this.#viewers.size === 0) this.#rest();
      },
    };
  }

  ask(question: Question): Promise<Outcome> {
    const { ask } = this.#parts;
    if (ask !== undefined) return ask(question);
    return Promise.resolve(refusedWith('NOT_ANSWERED', `nobody here answers '${question.kind}'`));
  }

  /** Nobody is told anything any more. */
  close(): void {
    this.#viewers.clear();
    this.#rest();
  }

  /** A defect of what looks must not become one of what is looked at. */
  #safely(work: () => void): void {
    try {
      work();
    } catch (failure) {
      const viewers = [...this.#viewers];
      this.close();
      for (const { ended } of viewers) ended('the inspector failed: the log of the node says how');
      this.#parts.failed(failure);
    }
  }

  #rest(): void {
    clearInterval(this.#timer);
    this.#detach?.();
    this.#detach = undefined;
  }

  #hello(): Hello {
    const { collector, title, card, control } = this.#parts;
    return {
      type: 'hello',
      version: FEED_VERSION,
      run: { kind: 'live', title },
      nodes: [card()],
      charts: collector.charts(),
      controls: control?.kinds ?? [],
    };
  }

  /** The first of each viewer, then the second of each: the collector takes so many, and nobody crowds another out. */
  #watch(): void {
    const wanted = [...this.#viewers].map(({ watched }) => watched);
    const addresses = new Set<string>();
    for (let place = 0; place < Math.max(0, ...wanted.map(({ length }) => length)); place += 1) {
      for (const { address } of wanted.flatMap((cells) => cells[place] ?? [])) addresses.add(address);
    }
    this.#parts.collector.watch(addresses);
  }

  #tick(): void {
    const delta = this.#parts.collector.collect();
    this.#idle = isIdle(delta) ? this.#idle + 1 : 0;
    if (this.#idle % IDLE_TICKS_MAX !== 0) return;
    for (const { take, watched } of this.#viewers) take(withDetailsOf(delta, watched));
  }
}

/** Nothing but the time has changed: the kind, the time, two counts. */
const isIdle = (delta: Delta): boolean =>
  Object.keys(delta).length === 4 && delta.turns === 0 && delta.dropped === 0;

/** A viewer is told the details of what it watches itself. */
export function withDetailsOf(delta: Delta, watched: readonly WatchedCell[]): Delta {
  if (delta.details === undefined) return delta;
  const { details: all, ...rest } = delta;
  const details = all.filter(({ node, address }) =>
    watched.some((one) => one.node === node && one.address === address),
  );
  return details.length === 0 ? rest : { ...rest, details };
}

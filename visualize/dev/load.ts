/**
 * A made-up run that speaks the feed's protocol: n validators that propose, vote and commit in virtual time, with faults, under as much
 * load as is asked for. Pure but for its own state; the same options give the same run. For the page's tests and for work on it.
 */
import {
  type Chart,
  type Delta,
  FEED_VERSION,
  type Hello,
  type Moment,
  type NodeIndex,
  type StepEvent,
  type WireEvent,
} from '../../src/observe/feed/feed.ts';
import { CellLoad } from './load-cells.ts';
import { ChainLoad } from './load-chain.ts';

export interface LoadOptions {
  readonly nodes: number;
  /** Of all cells together. @unit turns/s */
  readonly turnsPerSecond: number;
  /** Messages between nodes beside those of consensus; each is two rows, one where it left and one where it arrived. @unit messages/s */
  readonly batchesPerSecond: number;
  /** Cells of all nodes; absent: whole trees. */
  readonly cells?: number;
  readonly roundMs: number;
  /** Crashes, lost messages, timeouts and refusals now and then. */
  readonly faults: boolean;
  readonly charts: readonly Chart[];
  readonly controls: Hello['controls'];
  readonly seed: number;
}

export const LOAD_DEFAULTS: LoadOptions = {
  nodes: 4,
  turnsPerSecond: 4_000,
  batchesPerSecond: 40,
  roundMs: 250,
  faults: true,
  charts: [],
  controls: ['submit', 'stop', 'kill', 'start', 'partition', 'delay'],
  seed: 7,
};

/** The start of the made-up time. @unit ms since 1970 */
export const LOAD_START = Date.UTC(2026, 0, 15, 9, 30);
/** Rows of a delta at most; the rest is counted as dropped. @unit rows @source as the feed's server bounds them */
const ROWS_MAX = 1_000;

export class LoadRun {
  readonly #options: LoadOptions;
  readonly #cells: CellLoad;
  readonly #chain: ChainLoad;
  readonly #recentWire: WireEvent[] = [];
  readonly #recentSteps: StepEvent[] = [];
  #at = LOAD_START;
  #watched: readonly { readonly node: NodeIndex; readonly address: string }[] = [];

  constructor(options: Partial<LoadOptions> = {}) {
    this.#options = { ...LOAD_DEFAULTS, ...options };
    const random = seeded(this.#options.seed);
    this.#cells = new CellLoad(this.#options, random);
    this.#chain = new ChainLoad(this.#options, random);
  }

  hello(): Hello {
    return {
      type: 'hello',
      version: FEED_VERSION,
      run: { kind: 'live', title: `${this.#options.nodes} validators, made up` },
      nodes: this.#chain.cards(),
      charts: Object.fromEntries(this.#options.charts.map((chart) => [chart.hash, chart])),
      controls: this.#options.controls,
    };
  }

  moment(): Moment {
    return {
      type: 'moment',
      at: this.#at,
      cells: this.#cells.rows(),
      chains: this.#chain.chains(this.#at),
      health: this.#chain.health(this.#at),
      wire: [...this.#recentWire],
      steps: [...this.#recentSteps],
    };
  }

  watch(cells: readonly { readonly node: NodeIndex; readonly address: string }[]): void {
    this.#watched = cells;
  }

  /** The run goes on for so long, and what the feed tells of it. */
  advance(ms: number): Delta {
    const from = this.#at;
    this.#at += ms;
    const { wire, steps } = this.#chain.advance(from, this.#at);
    const turns = Math.round((this.#options.turnsPerSecond * ms) / 1_000);
    const { changed, gone } = this.#cells.advance(this.#at, turns, steps);
    remember(this.#recentWire, wire);
    remember(this.#recentSteps, steps);
    return {
      type: 'delta',
      at: this.#at,
      cells: changed,
      ...(gone.length === 0 ? {} : { gone }),
      chains: this.#chain.chains(this.#at),
      ...(Math.floor(from / 500) === Math.floor(this.#at / 500)
        ? {}
        : { health: this.#chain.health(this.#at) }),
      wire: wire.slice(0, ROWS_MAX),
      steps: steps.slice(0, ROWS_MAX),
      details: this.#watched.flatMap(({ node, address }) => this.#cells.detail(node, address, this.#at)),
      deadLetters: this.#cells.deadLetters(),
      turns,
      dropped: Math.max(0, wire.length - ROWS_MAX) + Math.max(0, steps.length - ROWS_MAX),
    };
  }
}

function remember<Row>(held: Row[], rows: readonly Row[]): void {
  held.push(...rows);
  held.splice(0, Math.max(0, held.length - 2_000));
}

/** Numbers from 0 to 1, the same for a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

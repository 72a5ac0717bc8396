/**
 * One system as rows of the feed: what changed since the last collection, and all of it on demand. In a turn it only marks and keeps
 * references; rows are made when they are collected. It reads no clock but the system's, so that a replayed system gives the same.
 * Attached while somebody looks; without that nothing is computed. Rules IN-1, IN-4, docs/inspector.md.
 */
import {
  type CellAddress,
  type CellInfo,
  type Chart,
  type ChartHash,
  chartOf,
  type DeadLetter,
  type Delivered,
  type ExitReason,
  type System,
  type Transition,
} from '../../actors/runtime/index.ts';
import { RingBuffer } from '../../base/ring-buffer.ts';
import type {
  CellDetail,
  CellRow,
  DeadLetterRow,
  Delta,
  Moment,
  NodeIndex,
  StepEvent,
  WireEvent,
} from './feed.ts';
import type { Lens, Seen } from './lens.ts';
import {
  cellRow,
  deadLetterRow,
  fingerprint,
  type LastStep,
  lastOf,
  timerRows,
  transitionRow,
  wordsOfEnd,
} from './rows.ts';
import { toView } from './view.ts';
import { Waits } from './waits.ts';

export interface CollectorParts {
  readonly system: System;
  /** Makes what reads the system's own matter; called at each attachment. */
  readonly lens: () => Lens;
  /** Default: 0. */
  readonly node?: NodeIndex;
  /** Messages of each sort in one delta; default: what a live viewer can take in. @unit rows */
  readonly wireMax?: { readonly deciding: number; readonly bulk: number };
}

/** Messages of each sort in one delta; those beyond are counted as dropped. @unit rows @source a round of 100 validators; what a diagram can show of the rest */
const WIRE_MAX = { deciding: 256, bulk: 48 } as const;
/** The oldest beyond are counted as dropped. @unit rows */
const STEPS_MAX = 512;
const DEAD_LETTERS_MAX = 64;
/** Steps of one watched cell in one delta; the oldest beyond are counted as dropped. @unit steps @source the contract */
const TRANSITIONS_MAX = 64;
/** What a `Moment` tells of the past. @unit rows */
const RECENT_WIRE_MAX = 2_048;
const RECENT_STEPS_MAX = 512;
/** Cells that are watched at once. @unit cells @source sixteen viewers with one each, or one with the contract's sixteen */
const WATCHED_MAX = 64;
/** Collections between two looks at all cells, at the chain and at the health. @unit collections */
const SWEEP_EVERY = 20;
const CHAIN_EVERY = 4;
const HEALTH_EVERY = 10;
/** A view costs more than all else of a collection. @unit collections */
const DETAILS_EVERY = 2;

interface Watched {
  /** The snapshot before the next step. */
  before: unknown;
  readonly steps: RingBuffer<{ readonly transition: Transition; readonly before: unknown }>;
  /** It is to be told even without a step. */
  isNew: boolean;
}

/** What is kept while somebody looks. */
interface Looking {
  readonly lens: Lens;
  readonly detach: () => void;
}

export class Collector {
  readonly #system: System;
  readonly #makeLens: () => Lens;
  readonly #node: NodeIndex;
  readonly #wireMax: { readonly deciding: number; readonly bulk: number };
  #looking: Looking | undefined;
  readonly #dirty = new Set<CellAddress>();
  /** Bounded by the cells: those that are gone are forgotten at the next sweep. */
  readonly #last = new Map<CellAddress, Transition | LastStep>();
  readonly #waits = new Map<CellAddress, Waits>();
  readonly #told = new Map<CellAddress, number>();
  readonly #watched = new Map<CellAddress, Watched>();
  readonly #charts = new Map<ChartHash, Chart>();
  #newCharts: Chart[] = [];
  #wire: WireEvent[] = [];
  /** Since the last collection, those that were dropped too. */
  #wireCounts = { deciding: 0, bulk: 0 };
  /** What the lens threw. */
  #failure: Error | undefined;
  #steps: StepEvent[] = [];
  #deadLetters: DeadLetterRow[] = [];
  readonly #recentWire = new RingBuffer<WireEvent>();
  readonly #recentSteps = new RingBuffer<StepEvent>();
  #dropped = 0;
  #collections = 0;
  #turns = 0;

  constructor({ system, lens, node = 0, wireMax = WIRE_MAX }: CollectorParts) {
    this.#wireMax = wireMax;
    this.#system = system;
    this.#makeLens = lens;
    this.#node = node;
  }

  /** Begins to look; the result ends it. */
  attach(): () => void {
    if (this.#looking !== undefined) throw new Error('a collector is attached once at a time');
    const system = this.#system;
    const lens = this.#makeLens();
    const ends = [
      system.inspect({
        transition: (transition) => this.#noteStep(lens, transition),
        wantsMicrosteps: (address) => this.#watched.has(address),
        waited: (address, ms) => this.#noteWait(address, ms),
        delivery: (delivered) => this.#noteDelivery(delivered),
        cellStarted: (info) => this.#noteStart(info),
        cellEnded: (address, _, reason) => this.#noteEnd(address, reason),
      }),
      system.deadLetters.listen((letter) => this.#noteDeadLetter(letter)),
    ];
    const detach = (): void => {
      for (const end of ends) end();
    };
    this.#looking = { lens, detach };
    this.#turns = system.instant().turn;
    return () => this.#detach();
  }

  /** Definitions of all charts that cells have had so far. */
  charts(): Readonly<Record<ChartHash, Chart>> {
    for (const info of this.#system.cells()) this.#noteChart(info);
    return Object.fromEntries(this.#charts);
  }

  /** Whose details are collected from now on; those above WATCHED_MAX are not. */
  watch(addresses: Iterable<CellAddress>): void {
    const wanted = new Set([...addresses].slice(0, WATCHED_MAX));
    for (const address of this.#watched.keys()) if (!wanted.has(address)) this.#watched.delete(address);
    for (const address of wanted) {
      const before = this.#system.ref(address).info()?.snapshot;
      const known = this.#watched.get(address);
      if (known === undefined) this.#watched.set(address, { before, steps: new RingBuffer(), isNew: true });
      else known.isNew = true;
    }
  }

  /** All that there is now; what was collected lately of messages and steps. */
  moment(): Moment {
    const lens = this.#looking?.lens ?? this.#makeLens();
    const node = this.#node;
    const infos = this.#system.cells();
    // Whoever is told of a cell first is told when it is gone.
    for (const info of infos)
      if (!this.#told.has(info.address)) this.#told.set(info.address, fingerprint(info));
    const [chain, health] = [lens.chain(false), lens.health()];
    return {
      type: 'moment',
      at: this.#system.instant().wall,
      cells: infos.map((info) => this.#row(info, undefined)),
      chains: chain === undefined ? [] : [{ node, ...chain }],
      health: health === undefined ? [] : [{ node, ...health }],
      wire: [...this.#recentWire],
      steps: [...this.#recentSteps],
    };
  }

  /** What has changed since the last collection. */
  collect(): Delta {
    const { lens } = this.#looking ?? {};
    const { wall: at, turn, now } = this.#system.instant();
    this.#collections += 1;
    if (this.#failure !== undefined) throw this.#failure;
    this.#dropped += cutTo(this.#steps, STEPS_MAX);
    const swept = this.#collections % SWEEP_EVERY === 0 ? this.#sweep() : [];
    const { cells, gone } = this.#collectCells(swept);
    const chain = this.#collections % CHAIN_EVERY === 0 ? lens?.chain(true) : undefined;
    const health = this.#collections % HEALTH_EVERY === 0 ? lens?.health() : undefined;
    const details = this.#collections % DETAILS_EVERY === 0 ? this.#collectDetails(now) : [];
    const node = this.#node;
    const delta: Delta = {
      type: 'delta',
      at,
      ...(cells.length === 0 ? {} : { cells }),
      ...(gone.length === 0 ? {} : { gone: gone.map((address) => ({ node, address })) }),
      ...(chain === undefined ? {} : { chains: [{ node, ...chain }] }),
      ...(health === undefined ? {} : { health: [{ node, ...health }] }),
      ...(this.#wire.length === 0 ? {} : { wire: this.#wire }),
      ...(this.#steps.length === 0 ? {} : { steps: this.#steps }),
      ...(details.length === 0 ? {} : { details }),
      ...(this.#newCharts.length === 0
        ? {}
        : { charts: Object.fromEntries(this.#newCharts.map((chart) => [chart.hash, chart])) }),
      ...(this.#deadLetters.length === 0 ? {} : { deadLetters: this.#deadLetters }),
      turns: turn - this.#turns,
      dropped: this.#dropped,
    };
    for (const event of this.#wire) keep(this.#recentWire, event, RECENT_WIRE_MAX);
    for (const event of this.#steps) keep(this.#recentSteps, event, RECENT_STEPS_MAX);
    this.#forgetCollected(turn);
    return delta;
  }

  #forgetCollected(turn: number): void {
    this.#wire = [];
    this.#wireCounts = { deciding: 0, bulk: 0 };
    this.#steps = [];
    this.#deadLetters = [];
    this.#newCharts = [];
    this.#dropped = 0;
    this.#turns = turn;
  }

  #detach(): void {
    this.#looking?.detach();
    this.#looking?.lens.end?.();
    this.#looking = undefined;
    this.#forgetCollected(0);
    this.#failure = undefined;
    for (const held of [this.#dirty, this.#last, this.#waits, this.#told, this.#watched]) held.clear();
    for (const held of [this.#recentWire, this.#recentSteps]) while (held.shift() !== undefined);
  }

  // ── Inside turns ───────────────────────────────────────────────────────────────────────────────────────────────────

  #noteStep(lens: Lens, transition: Transition): void {
    const { address } = transition;
    this.#dirty.add(address);
    this.#last.set(address, transition);
    this.#readStep(lens, transition);
    const watched = this.#watched.get(address);
    if (watched === undefined) return;
    watched.steps.push({ transition, before: watched.before });
    watched.before = transition.snapshot;
    if (watched.steps.length <= TRANSITIONS_MAX) return;
    watched.steps.shift();
    this.#dropped += 1;
  }

  /** A defect of the lens must not crash the cell in whose turn it shows: it is told at the next collection. */
  #readStep(lens: Lens, transition: Transition): void {
    if (this.#failure !== undefined) return;
    try {
      lens.read(transition, this.#seen);
    } catch (failure) {
      this.#failure = failure instanceof Error ? failure : new Error(String(failure));
    }
  }

  #noteWait(address: CellAddress, ms: number): void {
    let waits = this.#waits.get(address);
    if (waits === undefined) {
      waits = new Waits();
      this.#waits.set(address, waits);
    }
    waits.add(ms);
  }

  #noteDelivery({ address, from, message: { type: event } }: Delivered): void {
    this.#dirty.add(address);
    const { wall: at, turn } = this.#system.instant();
    this.#last.set(address, { at, turn, event, ...(from === undefined ? {} : { from }) });
  }

  #noteStart(info: CellInfo): void {
    this.#dirty.add(info.address);
    this.#noteChart(info);
    if (info.restarts > 0) this.#addStep('restarted', info.address, `incarnation ${info.incarnation}`);
  }

  #noteEnd(address: CellAddress, reason: ExitReason): void {
    this.#dirty.add(address);
    const isOrderly = reason.kind === 'normal' || reason.kind === 'shutdown';
    if (!isOrderly) this.#addStep('crashed', address, wordsOfEnd(reason));
  }

  #noteDeadLetter(letter: DeadLetter): void {
    if (this.#deadLetters.length === DEAD_LETTERS_MAX) {
      this.#deadLetters.shift();
      this.#dropped += 1;
    }
    this.#dirty.add(letter.to);
    this.#deadLetters.push(deadLetterRow(this.#node, this.#system.instant().wall, letter));
  }

  #addStep(kind: StepEvent['kind'], cell: CellAddress, detail: string): void {
    const { wall: at, turn } = this.#system.instant();
    this.#seen.step({ at, turn, kind, cell, detail });
  }

  #noteChart({ machine }: Pick<CellInfo, 'machine'>): void {
    if (machine === undefined) return;
    const chart = chartOf(machine);
    if (this.#charts.has(chart.hash)) return;
    this.#charts.set(chart.hash, chart);
    this.#newCharts.push(chart);
  }

  // ── At a collection ────────────────────────────────────────────────────────────────────────────────────────────────

  readonly #seen: Seen = {
    hasRoomFor: (sort) => {
      this.#wireCounts[sort] += 1;
      if (this.#wireCounts[sort] <= this.#wireMax[sort]) return true;
      this.#dropped += 1;
      return false;
    },
    wire: (event) => void this.#wire.push({ node: this.#node, ...event }),
    step: (event) => {
      this.#steps.push({ node: this.#node, ...event });
      if (this.#steps.length >= 2 * STEPS_MAX) this.#dropped += cutTo(this.#steps, STEPS_MAX);
    },
  };

  /** What changed without a step: a mailbox that fills, a cell that waits for its restart. */
  #sweep(): readonly CellInfo[] {
    const all = this.#system.cells();
    const addresses = new Set(all.map(({ address }) => address));
    for (const held of [this.#last, this.#waits]) {
      for (const address of held.keys()) if (!addresses.has(address)) held.delete(address);
    }
    for (const address of this.#told.keys()) if (!addresses.has(address)) this.#dirty.add(address);
    return all.filter((info) => this.#told.get(info.address) !== fingerprint(info));
  }

  #collectCells(swept: readonly CellInfo[]): { readonly cells: CellRow[]; readonly gone: CellAddress[] } {
    const infos = new Map(swept.map((info) => [info.address, info]));
    const gone: CellAddress[] = [];
    for (const address of this.#dirty) {
      const info = infos.get(address) ?? this.#system.ref(address).info();
      if (info !== undefined) infos.set(address, info);
      else if (this.#told.delete(address)) gone.push(address);
    }
    this.#dirty.clear();
    const cells = [...infos.values()].map((info) => {
      this.#told.set(info.address, fingerprint(info));
      return this.#row(info, this.#waits.get(info.address)?.takeP99());
    });
    return { cells, gone };
  }

  #row(info: CellInfo, waitP99: number | undefined): CellRow {
    this.#noteChart(info);
    return cellRow({ node: this.#node, info, last: lastOf(this.#last.get(info.address)), waitP99 });
  }

  #collectDetails(now: number): readonly CellDetail[] {
    const details: CellDetail[] = [];
    for (const [address, watched] of this.#watched) {
      if (!watched.isNew && watched.steps.length === 0) continue;
      const info = this.#system.ref(address).info();
      const transitions = [...watched.steps].map(({ transition, before }) =>
        transitionRow(transition, info, before),
      );
      while (watched.steps.shift() !== undefined);
      watched.isNew = false;
      const timers = info === undefined ? [] : timerRows(info, now);
      details.push({ node: this.#node, address, view: this.#view(info), timers, transitions });
    }
    return details;
  }

  #view(info: CellInfo | undefined): unknown {
    const snapshot = info?.snapshot;
    if (info === undefined || typeof snapshot !== 'object' || snapshot === null || !('context' in snapshot))
      return null;
    const { context } = snapshot;
    if (typeof context !== 'object' || context === null) return toView(context);
    return toView(this.#looking?.lens.worthALook?.(info.address, context) ?? context);
  }
}

/** Takes the oldest away; says how many. */
function cutTo(rows: unknown[], most: number): number {
  const over = rows.length - most;
  if (over > 0) rows.splice(0, over);
  return Math.max(0, over);
}

function keep<Row>(ring: RingBuffer<Row>, row: Row, most: number): void {
  ring.push(row);
  if (ring.length > most) ring.shift();
}

/** The state that the parts of one system share, and the ready queue. Deterministic given its inputs. Rules RT-7, RT-14, RT-15. */
import type { RandomStream } from '../../base/random.ts';
import { RingBuffer } from '../../base/ring-buffer.ts';
import { type Monotonic, monotonic, type WallTime, wallTime } from '../../base/units.ts';
import { CellScope } from '../../machines/vocabulary/scope.ts';
import type { Turn } from '../../machines/vocabulary/turn.ts';
import type { CellAddress, ExitReason } from '../../protocol/supervision/effect.ts';
import type { Ask } from './asks.ts';
import type { Cell } from './cell.ts';
import type { Clock } from './clock.ts';
import { DeadLetters } from './dead-letters.ts';
import type { Inspector } from './inspector.ts';
import type { InputStamp, Journal, JournalEntry } from './journal.ts';
import type { Outside } from './outside.ts';

type Writable<Fields> = { -readonly [Name in keyof Fields]: Fields[Name] };

export interface CoreOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly draws: RandomStream;
  readonly wall: () => WallTime;
  readonly journal: Journal | undefined;
  readonly outside: Outside | undefined;
  /** Boundary actors run, or only stand in for those that a journal speaks for. */
  readonly boundaries: 'run' | 'silent';
}

/** The shared state. Only the files of this folder touch it. */
export class Core {
  readonly options: CoreOptions;
  readonly clock: Clock;
  readonly journal: Journal | undefined;
  readonly cells = new Map<CellAddress, Cell>();
  readonly roots = new Set<Cell>();
  /** How roots ended; bounded by the roots that the host names. */
  readonly rootEnds = new Map<CellAddress, ExitReason>();
  readonly ready = new RingBuffer<Cell>();
  readonly asks = new Map<CellAddress, Ask>();
  readonly deadLetters = new DeadLetters();
  /** Restarts of supervised cells, by `pathOf`. */
  readonly restarts = new Map<string, number>();
  readonly inspectors = new Set<Inspector>();
  /** Those of them that see every step: while there are none, no step is described. */
  stepInspectors: readonly Inspector[] = [];
  /** Those that are told how long messages wait: while there are none, no message is stamped. */
  waitInspectors: readonly Inspector[] = [];
  readonly turn: Writable<Turn>;
  readonly scope: CellScope;
  /** Work of boundary actors that must not run inside a pure turn. */
  readonly later = new RingBuffer<() => void>();
  /** Turns of pure cells that have ended. */
  turns = 0;
  seq = 0;
  incarnations = 0;
  askCount = 0;
  /** A pure cell's turn is running. */
  inTurn = false;
  /** Totals of cells that are gone. */
  readonly gone = { accepted: 0, processed: 0, lost: 0 };
  /** Set by a replay: the stamp of the entry being replayed, in place of the clock. */
  replayed: InputStamp | undefined;
  wake: () => void = () => undefined;

  constructor(options: CoreOptions) {
    this.options = options;
    this.clock = options.clock;
    this.journal = options.journal;
    this.turn = {
      now: monotonic(0),
      wall: wallTime(0),
      address: '',
      sender: undefined,
      draw: () => this.#draw(),
    };
    this.scope = new CellScope(this.turn);
    const { journal, outside } = options;
    if (journal !== undefined && options.boundaries === 'run') {
      // Whoever calls between turns is no pure cell: a replay does not call there.
      const record = (name: string, value: unknown): void => {
        if (this.inTurn) journal.record({ kind: 'result', turn: this.turns, name, value });
      };
      outside?.connect({ record });
    }
  }

  addInspector(inspector: Inspector): void {
    this.inspectors.add(inspector);
    this.#noteInspectors();
  }

  removeInspector(inspector: Inspector): void {
    this.inspectors.delete(inspector);
    this.#noteInspectors();
  }

  #noteInspectors(): void {
    this.stepInspectors = [...this.inspectors].filter(({ transition }) => transition !== undefined);
    this.waitInspectors = [...this.inspectors].filter(({ waited }) => waited !== undefined);
    this.scope.inspectMicrosteps(false);
  }

  /** Before a step of a cell, while there are inspectors of steps. */
  prepareInspection(address: CellAddress): void {
    const isWanted = this.stepInspectors.some(
      (inspector) => inspector.wantsMicrosteps === undefined || inspector.wantsMicrosteps(address),
    );
    this.scope.inspectMicrosteps(isWanted);
  }

  /** Takes an input: time moves to it, and only here (RT-14). */
  takeInput(): void {
    this.seq += 1;
    if (this.replayed === undefined) {
      this.turn.now = this.clock.now();
      this.turn.wall = this.options.wall();
    } else {
      this.turn.now = this.replayed.now;
      this.turn.wall = this.replayed.wall;
    }
  }

  /** The stamp of the input just taken. */
  stamp(): InputStamp {
    return { seq: this.seq, turn: this.turns, now: this.turn.now, wall: this.turn.wall };
  }

  record(entry: JournalEntry): void {
    this.journal?.record(entry);
  }

  /** The time that pure cells see. */
  get now(): Monotonic {
    return this.turn.now;
  }

  /** Puts a cell that has something to do at the end of the ready queue, once. */
  schedule(cell: Cell): void {
    if (cell.scheduled) return;
    cell.scheduled = true;
    this.ready.push(cell);
  }

  #draw(): number {
    const value = this.options.draws.next();
    this.journal?.record({ kind: 'draw', turn: this.turns, value });
    return value;
  }
}

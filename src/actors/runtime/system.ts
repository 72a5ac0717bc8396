/** One system of cells: its roots, its clock, its queue. The public face of the runtime. Rules RT-14 to RT-17, docs/runtime.md. */
import { invariant } from '../../base/invariant.ts';
import type { Random } from '../../base/random.ts';
import type { Millis, Monotonic, WallTime } from '../../base/units.ts';
import {
  type CellAddress,
  type ExitReason,
  type Lane,
  type Message,
  SHUTDOWN,
} from '../../protocol/supervision/effect.ts';
import { failAllAsks } from './asks.ts';
import type { TellOutcome } from './boundary.ts';
import { askCell, readyAt } from './boundary-run.ts';
import { hooksOf } from './cell.ts';
import type { Clock, Runner } from './clock.ts';
import { Core } from './core.ts';
import type { DeadLetter, DeadLetterReason } from './dead-letters.ts';
import { OUTSIDE, tellFromOutside } from './deliver.ts';
import { describeCell } from './describe.ts';
import type { CellInfo, Inspector } from './inspector.ts';
import type { Journal } from './journal.ts';
import { captureKeyframe, type Keyframe, restoreKeyframe } from './keyframe.ts';
import { openCell, stopWithDeadline } from './lifecycle.ts';
import type { Outside } from './outside.ts';
import type { CellSpec } from './spec.ts';
import { runTurn } from './turn.ts';

export interface SystemOptions {
  /** For readers: which node this is. */
  readonly name: string;
  /** `realClock()`, or a `virtualClock()` that several systems may share. */
  readonly clock: Clock;
  /** `seededRandom(seed)`: what charts draw from. */
  readonly random: Random;
  readonly journal?: Journal;
  /** What was wrapped by it is written down with the rest. */
  readonly outside?: Outside;
  /** Watches from the first step on; more can come by `inspect`. */
  readonly inspector?: Inspector;
  readonly onDeadLetter?: (letter: DeadLetter) => void;
  /** What charts see as wall time, adjusted perhaps; default the clock's. */
  readonly wall?: () => WallTime;
}

/** A name for a cell, good across its restarts. */
export interface CellRef {
  readonly address: CellAddress;
  /** Sends from outside: always exactly one outcome. */
  tell(message: Message, lane?: Lane): TellOutcome;
  /** Sends and waits for the answer; rejects with AskRefused, AskLate or AskDead. */
  ask(message: Message, options: { readonly timeout: Millis }): Promise<Message>;
  /** Resolves when the mailbox has room. */
  ready(): Promise<void>;
  /** Resolves when the cell runs, for a supervisor with all its children; rejects with StartFailed. */
  started(): Promise<void>;
  /** Resolves when the cell has ended for good. */
  ended(): Promise<ExitReason>;
  /** What there is to see of it, or undefined when nothing has that address. */
  info(): CellInfo | undefined;
}

/** A root did not start; `reason` says why. */
export class StartFailed extends Error {
  override readonly name = 'StartFailed';
  readonly reason: ExitReason;
  constructor(address: CellAddress, reason: ExitReason) {
    super(`${address} did not start: ${JSON.stringify(reason)}`);
    this.reason = reason;
  }
}

export interface System {
  readonly name: string;
  /** Starts a root cell: `start(child('node', supervisor({ … })))`. */
  start(spec: CellSpec): CellRef;
  ref(address: CellAddress): CellRef;
  /** Stops all roots, in reverse, each within its shutdown time; resolves when all cells are gone (RT-17). */
  stop(): Promise<void>;
  /** All cells, in the order in which they were first started. */
  cells(): readonly CellInfo[];
  /** Adds an observer; the result takes it away. */
  inspect(inspector: Inspector): () => void;
  /** The whole system between two turns, as data. */
  keyframe(): Keyframe;
  readonly deadLetters: {
    counts(): ReadonlyMap<DeadLetterReason, number>;
    recent(): readonly DeadLetter[];
    listen(listener: (letter: DeadLetter) => void): () => void;
  };
  counters(): SystemCounters;
  /** At little cost, inside a turn too. */
  instant(): Instant;
  /**
   * How often each child of a supervisor was started again, 0 included, by its address; children on request and spawned
   * ones go by their template or kind, so that there are no more paths than specifications.
   */
  restarts(): ReadonlyMap<string, number>;
}

export interface SystemCounters {
  /** Turns of pure cells. */
  readonly turns: number;
  readonly inputs: number;
  /** Messages that entered a mailbox, of cells that are gone too. */
  readonly accepted: number;
  readonly processed: number;
  readonly queued: number;
  readonly postponed: number;
  readonly lost: number;
  readonly cells: number;
  /** The time that charts see. @unit ms */
  readonly now: Monotonic;
}

/** Where a system is in its run: what a step sees that runs now. */
export interface Instant {
  /** Turns of pure cells that have ended. */
  readonly turn: number;
  readonly now: Monotonic;
  readonly wall: WallTime;
}

/** An empty system. It runs as its clock does. */
export function createSystem(options: SystemOptions): System {
  return openSystem(createCore(options, 'run'), options);
}

/**
 * A system that goes on from a keyframe: charts and timers as they were, boundary actors opened anew.
 * The clock must go on from the keyframe's time: see `clockFrom`.
 */
export function restoreSystem(
  options: SystemOptions,
  roots: readonly CellSpec[],
  keyframe: Keyframe,
): System {
  options.random.restore('cells', keyframe.draws);
  const core = createCore(options, 'run');
  const system = openSystem(core, options);
  restoreKeyframe(core, keyframe, new Map(roots.map((spec) => [spec.id, spec])));
  core.wake();
  return system;
}

/** The shared state of a new system. */
export function createCore(options: SystemOptions, boundaries: 'run' | 'silent'): Core {
  const { clock, random, journal, outside, wall } = options;
  return new Core({
    name: options.name,
    clock,
    draws: random.stream('cells'),
    wall: wall ?? (() => clock.wall()),
    journal,
    outside,
    boundaries,
  });
}

/** The public face of a core. */
export function openSystem(core: Core, options: SystemOptions): System {
  const runner: Runner = { run: (turnsMax) => runTurns(core, turnsMax) };
  const detach = core.clock.attach(runner);
  core.wake = () => {
    if (!core.inTurn) core.clock.wake(runner);
  };
  core.takeInput();
  if (options.onDeadLetter !== undefined) core.deadLetters.listen(options.onDeadLetter);
  const inspect = (inspector: Inspector): (() => void) => {
    core.addInspector(inspector);
    return () => core.removeInspector(inspector);
  };
  if (options.inspector !== undefined) inspect(options.inspector);
  return {
    name: core.options.name,
    start: (spec) => startRoot(core, spec),
    ref: (address) => makeRef(core, address),
    async stop() {
      await stopRoots(core);
      failAllAsks(core);
      detach();
    },
    cells: () => [...core.cells.values()].map(describeCell),
    inspect,
    keyframe: () => captureKeyframe(core),
    deadLetters: core.deadLetters,
    counters: () => countAll(core),
    instant: () => ({ turn: core.turns, now: core.now, wall: core.turn.wall }),
    restarts: () => core.restarts,
  };
}

/** Runs turns until none is left or `turnsMax` have run; true when some are left. */
export function runTurns(core: Core, turnsMax: number): boolean {
  const { ready, later } = core;
  runLater(core);
  for (let turns = 0; turns < turnsMax; turns += 1) {
    const cell = ready.shift();
    if (cell === undefined) break;
    runTurn(core, cell);
    if (later.length > 0) runLater(core);
  }
  return ready.length > 0 || later.length > 0;
}

function runLater(core: Core): void {
  for (let work = core.later.shift(); work !== undefined; work = core.later.shift()) work();
}

function startRoot(core: Core, spec: CellSpec): CellRef {
  invariant(!core.cells.has(spec.id), 'a root has an address of its own', { id: spec.id });
  core.takeInput();
  if (core.journal !== undefined) core.record({ ...core.stamp(), kind: 'open', address: spec.id });
  openCell(core, undefined, spec);
  core.wake();
  return makeRef(core, spec.id);
}

async function stopRoots(core: Core): Promise<void> {
  const ends = [...core.roots].reverse().map(
    (root) =>
      new Promise<void>((resolve) => {
        hooksOf(root).ended.push(() => resolve());
        core.takeInput();
        if (core.journal !== undefined)
          core.record({ ...core.stamp(), kind: 'close', address: root.address });
        stopWithDeadline(core, root, SHUTDOWN);
      }),
  );
  core.wake();
  await Promise.all(ends);
}

function makeRef(core: Core, address: CellAddress): CellRef {
  return {
    address,
    tell: (message, lane = 'user') => tellFromOutside(core, address, message, lane, OUTSIDE, 0),
    ask: (message, { timeout }) => askCell(core, address, message, timeout),
    ready: () => readyAt(core, address, OUTSIDE, () => false),
    started: () =>
      new Promise((resolve, reject) => {
        const cell = core.cells.get(address);
        if (cell === undefined) reject(new StartFailed(address, endOf(core, address)));
        else if (cell.status === 'running') resolve();
        else {
          hooksOf(cell).started.push((failure) => {
            if (failure === undefined) resolve();
            else reject(new StartFailed(address, failure));
          });
        }
      }),
    ended: () =>
      new Promise((resolve) => {
        const cell = core.cells.get(address);
        if (cell === undefined) resolve(endOf(core, address));
        else hooksOf(cell).ended.push(resolve);
      }),
    info() {
      const cell = core.cells.get(address);
      return cell === undefined ? undefined : describeCell(cell);
    },
  };
}

const endOf = (core: Core, address: CellAddress): ExitReason =>
  core.rootEnds.get(address) ?? { kind: 'no_such_cell' };

function countAll(core: Core): SystemCounters {
  const sum = { ...core.gone, queued: 0, postponed: 0 };
  for (const cell of core.cells.values()) {
    sum.accepted += cell.accepted;
    sum.processed += cell.processed;
    sum.queued += cell.mailbox.queued;
    sum.postponed += cell.mailbox.postponed;
    for (const count of cell.lost?.values() ?? []) sum.lost += count;
  }
  return { ...sum, turns: core.turns, inputs: core.seq, cells: core.cells.size, now: core.now };
}

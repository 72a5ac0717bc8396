/**
 * A whole system between two turns, as data: to seek in a replay, and to go on from where another process stopped.
 * State timeouts and named timers keep their deadlines. Deterministic. Rules RT-12, RT-15, RP-1.
 */
import type { Snapshot } from 'xstate';
import { invariant } from '../../base/invariant.ts';
import type { RandomState } from '../../base/random.ts';
import { type Monotonic, monotonic, type WallTime } from '../../base/units.ts';
import type { CellAddress, ExitReason, Message } from '../../protocol/supervision/effect.ts';
import type { Cell } from './cell.ts';
import type { Clock } from './clock.ts';
import type { Core } from './core.ts';
import type { DeadLetterReason } from './dead-letters.ts';
import { spawnLogic, spawnSpec, specOfChild } from './effects.ts';
import type { CellStatus } from './inspector.ts';
import { addCell, armKill } from './lifecycle.ts';
import { type Envelope, NOT_STAMPED } from './mailbox.ts';
import type { CellSpec } from './spec.ts';
import { armAt } from './timers.ts';
import { watchCell } from './watch.ts';

export interface TimerRecord {
  readonly key: string;
  readonly due: Monotonic;
  readonly message: Message;
  readonly states?: readonly string[];
  /** Its message is in the mailbox. */
  readonly isQueued: boolean;
  /** Order of arming among all timers, for equal deadlines (RT-14). */
  readonly sequence: number;
}

export type EnvelopeRecord = Omit<Envelope, 'timer' | 'queuedAt'> & { readonly timerKey?: string };

export interface CellRecord {
  readonly address: CellAddress;
  readonly parent?: CellAddress;
  readonly id: string;
  readonly template?: string;
  readonly spawnKind?: string;
  readonly status: CellStatus;
  readonly incarnation: number;
  readonly restarts: number;
  readonly opening: boolean;
  readonly stopReason?: ExitReason;
  readonly stopDelivered: boolean;
  readonly endReason?: ExitReason;
  readonly killDue?: Monotonic;
  readonly overflowed: boolean;
  /** Absent: its specification's. */
  readonly input?: unknown;
  readonly output: unknown;
  /** XState's persisted snapshot of a chart, or a reducer's snapshot. */
  readonly snapshot?: Snapshot<unknown>;
  readonly timers: readonly TimerRecord[];
  readonly queued: readonly EnvelopeRecord[];
  readonly postponed: readonly EnvelopeRecord[];
  readonly watching: readonly CellAddress[];
  readonly openAsks: readonly CellAddress[];
  readonly counts: {
    readonly accepted: number;
    readonly processed: number;
    readonly refused: number;
    readonly lost: readonly (readonly [DeadLetterReason, number])[];
  };
}

export interface Keyframe {
  readonly turn: number;
  readonly seq: number;
  readonly now: Monotonic;
  readonly wall: WallTime;
  readonly incarnations: number;
  readonly raises: number;
  readonly asks: readonly { readonly address: CellAddress; readonly to: CellAddress }[];
  readonly askCount: number;
  readonly draws: RandomState;
  /** Parents before their children. */
  readonly cells: readonly CellRecord[];
  readonly ready: readonly CellAddress[];
}

/** Takes a keyframe; only between turns. Contexts are the charts' own objects: do not change them. */
export function captureKeyframe(core: Core): Keyframe {
  invariant(!core.inTurn, 'a keyframe is taken between turns');
  return {
    turn: core.turns,
    seq: core.seq,
    now: core.turn.now,
    wall: core.turn.wall,
    incarnations: core.incarnations,
    raises: core.scope.raises,
    asks: [...core.asks].map(([address, { to }]) => ({ address, to })),
    askCount: core.askCount,
    draws: core.options.draws.state(),
    cells: [...core.cells.values()].map((cell) => captureCell(core, cell)),
    ready: [...core.ready].map(({ address }) => address),
  };
}

function captureCell(core: Core, cell: Cell): CellRecord {
  const { logic, snapshot, reduced, stopReason, endReason, killTimer, template, spawnKind, parent } = cell;
  const isChart = logic.kind === 'machine' || logic.kind === 'supervisor';
  const persisted = isChart && snapshot !== undefined ? core.scope.persist(logic.machine, snapshot) : reduced;
  const { queued, postponed } = cell.mailbox.contents();
  return {
    address: cell.address,
    id: cell.spec.id,
    status: cell.status,
    incarnation: cell.incarnation,
    restarts: cell.restarts,
    opening: cell.opening,
    stopDelivered: cell.stopDelivered,
    overflowed: cell.overflowed,
    output: cell.output,
    timers: [...(cell.timers?.values() ?? [])].map(
      ({ key, due, message, states, clockTimer, queued: letter }) => ({
        key,
        due: monotonic(due),
        message,
        isQueued: letter !== undefined,
        sequence: clockTimer?.sequence ?? 0,
        ...(states === undefined ? {} : { states }),
      }),
    ),
    queued: queued.map(toRecord),
    postponed: postponed.map(toRecord),
    watching: [...(cell.watching ?? [])].map(({ address }) => address),
    openAsks: [...(cell.openAsks ?? [])],
    counts: {
      accepted: cell.accepted,
      processed: cell.processed,
      refused: cell.refused,
      lost: [...(cell.lost ?? [])],
    },
    // That of a specification may hold what is read anew at each start.
    ...(cell.input === cell.spec.input ? {} : { input: cell.input }),
    ...(parent === undefined ? {} : { parent: parent.address }),
    ...(template === undefined ? {} : { template }),
    ...(spawnKind === undefined ? {} : { spawnKind }),
    ...(stopReason === undefined ? {} : { stopReason }),
    ...(endReason === undefined ? {} : { endReason }),
    ...(killTimer === undefined ? {} : { killDue: monotonic(killTimer.due) }),
    ...(persisted === undefined ? {} : { snapshot: persisted }),
  };
}

function toRecord({ timer, queuedAt: _, ...rest }: Envelope): EnvelopeRecord {
  return timer === undefined ? rest : { ...rest, timerKey: timer.key };
}

/** Puts a keyframe into a new, empty core. Boundary actors that run are opened anew. */
export function restoreKeyframe(core: Core, keyframe: Keyframe, roots: ReadonlyMap<string, CellSpec>): void {
  invariant(core.cells.size === 0, 'a keyframe is restored into an empty system');
  core.turns = keyframe.turn;
  core.seq = keyframe.seq;
  core.turn.now = keyframe.now;
  core.turn.wall = keyframe.wall;
  core.incarnations = keyframe.incarnations;
  core.scope.raises = keyframe.raises;
  core.askCount = keyframe.askCount;
  for (const { address, to } of keyframe.asks) {
    const quiet = (): void => undefined;
    core.asks.set(address, { to, resolve: quiet, reject: quiet, timer: undefined, handledBy: undefined });
  }
  for (const record of keyframe.cells) restoreCell(core, record, roots);
  restoreTimers(core, keyframe);
  for (const record of keyframe.cells) {
    const watcher = core.cells.get(record.address);
    if (watcher !== undefined) for (const address of record.watching) watchCell(core, watcher, address);
  }
  for (const address of keyframe.ready) {
    const cell = core.cells.get(address);
    if (cell !== undefined) core.schedule(cell);
  }
  if (core.options.boundaries === 'run') reopenBoundaries(core);
}

function restoreCell(core: Core, record: CellRecord, roots: ReadonlyMap<string, CellSpec>): void {
  const parent = record.parent === undefined ? undefined : core.cells.get(record.parent);
  const cell = addCell(core, record.address, parent, specOf(record, parent, roots));
  cell.template = record.template;
  cell.spawnKind = record.spawnKind;
  cell.status = record.status;
  cell.incarnation = record.incarnation;
  cell.restarts = record.restarts;
  cell.opening = record.opening;
  cell.stopReason = record.stopReason;
  cell.stopDelivered = record.stopDelivered;
  cell.endReason = record.endReason;
  cell.overflowed = record.overflowed;
  if ('input' in record) cell.input = record.input;
  cell.output = record.output;
  cell.accepted = record.counts.accepted;
  cell.processed = record.counts.processed;
  cell.refused = record.counts.refused;
  if (record.counts.lost.length > 0) cell.lost = new Map(record.counts.lost);
  const { logic } = cell;
  const { snapshot } = record;
  if (snapshot !== undefined && (logic.kind === 'machine' || logic.kind === 'supervisor')) {
    cell.snapshot = core.scope.restore(logic.machine, snapshot);
  } else cell.reduced = snapshot;
  // A timer that has fired has its message in the mailbox, and is not armed again.
  for (const { key, message, states } of record.timers.filter(({ isQueued }) => isQueued)) {
    armAt(core, cell, key, Number.MAX_SAFE_INTEGER, message, states);
  }
  const revive = ({ timerKey, ...rest }: EnvelopeRecord): Envelope => {
    const timer = timerKey === undefined ? undefined : cell.timers?.get(timerKey);
    const envelope: Envelope = { ...rest, timer, queuedAt: NOT_STAMPED };
    if (timer !== undefined) timer.queued = envelope;
    return envelope;
  };
  cell.mailbox.load({ queued: record.queued.map(revive), postponed: record.postponed.map(revive) });
  for (const address of record.openAsks) {
    cell.openAsks ??= new Set();
    cell.openAsks.add(address);
    const ask = core.asks.get(address);
    if (ask !== undefined) ask.handledBy = cell;
  }
  if (record.killDue !== undefined && core.options.boundaries === 'run') armKill(core, cell, record.killDue);
}

// RT-12: each keeps its deadline; equal deadlines keep their order.
function restoreTimers(core: Core, { cells }: Keyframe): void {
  const armed = cells.flatMap(({ address, timers }) =>
    timers.filter(({ isQueued }) => !isQueued).map((timer) => ({ address, timer })),
  );
  armed.sort((left, right) => left.timer.sequence - right.timer.sequence);
  for (const { address, timer } of armed) {
    const cell = core.cells.get(address);
    if (cell !== undefined) armAt(core, cell, timer.key, timer.due, timer.message, timer.states);
  }
}

function specOf(
  record: CellRecord,
  parent: Cell | undefined,
  roots: ReadonlyMap<string, CellSpec>,
): CellSpec {
  if (parent === undefined) {
    const spec = roots.get(record.id);
    if (spec === undefined)
      throw new Error(`the keyframe holds the root '${record.id}', which is not among the roots given`);
    return spec;
  }
  if (record.spawnKind === undefined) return specOfChild(parent, record.id, record.template);
  return { ...spawnSpec(spawnLogic(parent, record.spawnKind)), id: record.id };
}

// What a boundary actor held (sockets, files) is gone with its process; it starts as after a restart.
function reopenBoundaries(core: Core): void {
  for (const cell of core.cells.values()) {
    if (cell.isPure || !cell.isLive) continue;
    core.incarnations += 1;
    cell.incarnation = core.incarnations;
    cell.status = 'starting';
    cell.opening = true;
    core.schedule(cell);
  }
}

/** The same clock, set so that it shows `now` at this moment: for going on from a keyframe of another process. */
export function clockFrom(clock: Clock, now: Monotonic): Clock {
  const shift = now - clock.now();
  return {
    ...clock,
    now: () => monotonic(clock.now() + shift),
    scheduleAt: (due, fire) => clock.scheduleAt(due - shift, fire),
  };
}

/**
 * How cells begin and end. An end waits for the cell's children; a kill does not wait for anything.
 * Rules RT-3, RT-6, RT-10, RT-17, docs/runtime.md.
 */
import { invariant } from '../../base/invariant.ts';
import {
  type CellAddress,
  type ExitReason,
  KILLED,
  type Message,
  SHUTDOWN,
} from '../../protocol/supervision/effect.ts';
import { failOwed } from './asks.ts';
import { Cell } from './cell.ts';
import type { Core } from './core.ts';
import { deliver, lose } from './deliver.ts';
import { describeCell } from './describe.ts';
import { prepareLogic } from './logic.ts';
import { NOT_STAMPED } from './mailbox.ts';
import type { CellSpec } from './spec.ts';
import { cancelAllTimers, KILL_KEY } from './timers.ts';
import { dropWatches, notifyWatchers } from './watch.ts';

/** The address of a child. */
export const addressBelow = (parent: Cell | undefined, id: string): CellAddress =>
  parent === undefined ? id : `${parent.address}/${id}`;

/** A new cell, or the one that waits there for its restart; its first turn is scheduled (RT-6). */
export function openCell(core: Core, parent: Cell | undefined, spec: CellSpec): Cell {
  const address = addressBelow(parent, spec.id);
  const cell = core.cells.get(address) ?? addCell(core, address, parent, spec);
  invariant(cell.parent === parent && !cell.isLive, 'one parent owns an address', { address });
  core.incarnations += 1;
  cell.incarnation = core.incarnations;
  cell.restarts += 1;
  cell.status = 'starting';
  cell.opening = true;
  cell.stopReason = undefined;
  cell.stopDelivered = false;
  cell.endReason = undefined;
  cell.overflowed = false;
  cell.output = undefined;
  core.schedule(cell);
  return cell;
}

/** A cell that does not run yet. */
export function addCell(core: Core, address: CellAddress, parent: Cell | undefined, spec: CellSpec): Cell {
  const cell = new Cell(address, spec, prepareLogic(spec.logic), parent);
  core.cells.set(address, cell);
  if (parent === undefined) {
    core.roots.add(cell);
  } else {
    parent.children ??= new Map();
    parent.children.set(address, cell);
  }
  return cell;
}

/** The cell runs: whoever waits for that hears it. */
export function markStarted(core: Core, cell: Cell): void {
  if (cell.status !== 'starting') return;
  cell.status = 'running';
  for (const inspector of core.inspectors) inspector.cellStarted?.(describeCell(cell));
  noteToSupervisor(core, cell, { type: 'child.started', id: cell.spec.id });
  const waiting = cell.hooks?.started.splice(0) ?? [];
  for (const tell of waiting) tell(undefined);
  if (!cell.mailbox.isEmpty || cell.stopReason !== undefined || cell.overflowed) core.schedule(cell);
}

/** Asks a cell to end; its next turn does it. */
export function requestStop(core: Core, cell: Cell, reason: ExitReason): void {
  if (!cell.isLive || cell.stopReason !== undefined) return;
  cell.stopReason = reason;
  const { boundary } = cell;
  if (boundary !== undefined) core.later.push(() => boundary.abort());
  core.schedule(cell);
}

/** Asks a cell to end, and kills it when its shutdown time is over. */
export function stopWithDeadline(core: Core, cell: Cell, reason: ExitReason): void {
  const { shutdown } = cell.spec;
  if (shutdown === 'brutal_kill') {
    killCell(core, cell);
    return;
  }
  requestStop(core, cell, reason);
  if (shutdown === 'infinity' || cell.killTimer !== undefined || core.options.boundaries === 'silent') return;
  armKill(core, cell, core.now + shutdown);
}

/** Kills a cell at `due`, unless it has ended by then. */
export function armKill(core: Core, cell: Cell, due: number): void {
  const { incarnation } = cell;
  const clockTimer = core.clock.scheduleAt(due, () => {
    core.takeInput();
    if (core.journal !== undefined) {
      core.record({ ...core.stamp(), kind: 'timer', address: cell.address, key: KILL_KEY });
    }
    cell.killTimer = undefined;
    killCell(core, cell);
    core.wake();
  });
  const message: Message = { type: 'cell.kill' };
  cell.killTimer = {
    key: KILL_KEY,
    cell,
    incarnation,
    due,
    message,
    clockTimer,
    queued: undefined,
    states: undefined,
  };
}

/** A cell ends for `reason`, after its children (RT-3). */
export function endCell(core: Core, cell: Cell, reason: ExitReason): void {
  if (!cell.isLive) return;
  cell.status = 'ending';
  cell.endReason = reason;
  cell.opening = false;
  cancelAllTimers(core, cell);
  dropWatches(cell);
  detachBoundary(core, cell);
  for (const child of [...(cell.children?.values() ?? [])].reverse()) {
    if (child.status === 'down') removeCell(core, child);
    else stopWithDeadline(core, child, SHUTDOWN);
  }
  if (hasNoChildren(cell)) finishCell(core, cell);
}

/** A cell and all below it end now (RT-3): completions that come later are ignored. */
export function killCell(core: Core, cell: Cell): void {
  if (cell.status === 'down' || cell.status === 'gone') return;
  cell.status = 'ending';
  cell.endReason = KILLED;
  cell.opening = false;
  cancelAllTimers(core, cell);
  dropWatches(cell);
  detachBoundary(core, cell);
  if (hasNoChildren(cell)) {
    finishCell(core, cell);
    return;
  }
  // The last of them to go finishes this one.
  for (const child of [...(cell.children?.values() ?? [])].reverse()) {
    if (child.status === 'down') removeCell(core, child);
    else killCell(core, child);
  }
  if (cell.endReason !== undefined && hasNoChildren(cell)) finishCell(core, cell);
}

function finishCell(core: Core, cell: Cell): void {
  const reason = cell.endReason;
  if (cell.status !== 'ending' || reason === undefined) return;
  cell.status = 'down';
  if (cell.killTimer?.clockTimer !== undefined) core.clock.cancel(cell.killTimer.clockTimer);
  cell.killTimer = undefined;
  cell.mailbox.restorePostponed();
  notifyWatchers(core, cell, reason);
  failOwed(core, cell);
  for (const inspector of core.inspectors) inspector.cellEnded?.(cell.address, cell.incarnation, reason);
  const hooks = cell.hooks;
  for (const tell of hooks?.started.splice(0) ?? []) tell(reason);
  const { parent } = cell;
  if (parent?.isSupervisor === true && parent.isLive) {
    noteToSupervisor(core, cell, { type: 'child.exited', id: cell.spec.id, reason });
    return;
  }
  removeCell(core, cell);
}

/** A cell is forgotten: what its mailbox holds is lost, and its address is free. */
export function removeCell(core: Core, cell: Cell): void {
  if (cell.status !== 'down') return;
  cell.status = 'gone';
  for (const envelope of cell.mailbox.removeWhere(() => true)) lose(core, cell, envelope, 'terminated');
  core.cells.delete(cell.address);
  core.gone.accepted += cell.accepted;
  core.gone.processed += cell.processed;
  for (const count of cell.lost?.values() ?? []) core.gone.lost += count;
  const hooks = cell.hooks;
  cell.hooks = undefined;
  for (const tell of hooks?.ended ?? []) tell(cell.endReason ?? SHUTDOWN);
  for (const { resolve } of hooks?.ready ?? []) resolve();
  const { parent } = cell;
  if (parent === undefined) {
    core.roots.delete(cell);
    core.rootEnds.set(cell.address, cell.endReason ?? SHUTDOWN);
    return;
  }
  parent.children?.delete(cell.address);
  if (parent.status === 'ending' && hasNoChildren(parent)) finishCell(core, parent);
}

/** The runtime's word to the supervisor above a cell, if there is one. */
function noteToSupervisor(core: Core, cell: Cell, message: Message): void {
  const { parent } = cell;
  if (parent?.isSupervisor !== true || !parent.isLive) return;
  deliver(core, parent, {
    message,
    from: cell.address,
    fromIncarnation: cell.incarnation,
    forIncarnation: parent.incarnation,
    timer: undefined,
    lane: 'supervision',
    queuedAt: NOT_STAMPED,
  });
}

// Aborting runs listeners of the actor, so it waits until no pure turn is running.
function detachBoundary(core: Core, cell: Cell): void {
  const { boundary } = cell;
  if (boundary === undefined) return;
  cell.boundary = undefined;
  boundary.detached = true;
  core.later.push(() => boundary.abort());
}

const hasNoChildren = (cell: Cell): boolean => cell.children === undefined || cell.children.size === 0;

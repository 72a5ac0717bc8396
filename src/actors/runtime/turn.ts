/**
 * One turn of one cell: it takes one message, its logic steps, and only then do the effects take place.
 * Rules RT-6, RT-7, RT-11, RT-13, docs/runtime.md.
 */
import type { AnyMachineSnapshot, AnyStateMachine, Snapshot } from 'xstate';
import { atomicStates, type CellEffect, isSameState } from '../../machines/vocabulary/scope.ts';
import { crash, type ExitReason, type Message, NORMAL } from '../../protocol/supervision/effect.ts';
import { isAskAddress, oweAnswer } from './asks.ts';
import { announceRoom, describeError, endBoundary, openBoundary } from './boundary-run.ts';
import type { Cell } from './cell.ts';
import type { Core } from './core.ts';
import { lose } from './deliver.ts';
import { boundedDigestOf } from './digest.ts';
import { applyEffects, assertPossible } from './effects.ts';
import { endCell, markStarted } from './lifecycle.ts';
import { type Envelope, NOT_STAMPED } from './mailbox.ts';
import { endStateTimers, forgetTimer } from './timers.ts';

const INIT: Message = { type: 'xstate.init' };
const NO_EFFECTS: readonly CellEffect[] = [];

/** Gives a cell its turn. */
export function runTurn(core: Core, cell: Cell): void {
  cell.scheduled = false;
  if (!cell.isPure) {
    runBoundaryTurn(core, cell);
    return;
  }
  if (!cell.isActive && !cell.opening) return;
  core.inTurn = true;
  try {
    if (cell.opening) open(core, cell);
    else if (cell.overflowed) endCell(core, cell, { kind: 'overflow' });
    else if (cell.stopReason !== undefined && !cell.stopDelivered) stop(core, cell, cell.stopReason);
    else handleNext(core, cell);
  } finally {
    core.inTurn = false;
    core.turns += 1;
  }
  if (cell.isActive && (!cell.mailbox.isEmpty || (cell.stopReason !== undefined && !cell.stopDelivered))) {
    core.schedule(cell);
  }
}

function open(core: Core, cell: Cell): void {
  cell.opening = false;
  if (cell.stopReason !== undefined) {
    endCell(core, cell, cell.stopReason);
    return;
  }
  const { logic } = cell;
  enter(core, cell, undefined);
  try {
    if (logic.kind === 'reducer') cell.reduced = core.scope.startReducer(logic.logic, cell.input);
    else if (logic.kind === 'machine') cell.snapshot = core.scope.start(logic.machine, cell.input);
    else if (logic.kind === 'supervisor') {
      const own = cell.spec.logic;
      cell.snapshot = core.scope.start(logic.machine, 'supervisor' in own ? own.supervisor : undefined);
    }
    assertPossible(core, cell, core.scope.effects);
  } catch (error) {
    endCell(core, cell, crash(describeError(error)));
    return;
  }
  const { effects } = core.scope;
  if (!cell.isSupervisor) markStarted(core, cell);
  finish(core, cell, undefined, INIT, effects);
}

function stop(core: Core, cell: Cell, reason: ExitReason): void {
  cell.stopDelivered = true;
  const { logic } = cell;
  if ((logic.kind !== 'machine' && logic.kind !== 'supervisor') || !logic.handlesStop) {
    endCell(core, cell, reason);
    return;
  }
  const asked: Message = { type: 'cell.stop', reason };
  stepMachine(core, cell, logic.machine, undefined, asked);
}

function handleNext(core: Core, cell: Cell): void {
  const envelope = cell.mailbox.next();
  if (envelope === undefined) return;
  announceRoom(cell);
  if (core.waitInspectors.length > 0) tellWait(core, cell, envelope);
  if (envelope.forIncarnation !== 0 && envelope.forIncarnation !== cell.incarnation) {
    lose(core, cell, envelope, 'stale');
    return;
  }
  if (envelope.timer !== undefined) forgetTimer(cell, envelope.timer);
  const { logic } = cell;
  if (logic.kind === 'reducer') {
    const { reduced } = cell;
    if (reduced !== undefined) stepReducer(core, cell, reduced, envelope);
  } else if (logic.kind !== 'boundary') stepMachine(core, cell, logic.machine, envelope, envelope.message);
}

function stepMachine(
  core: Core,
  cell: Cell,
  machine: AnyStateMachine,
  envelope: Envelope | undefined,
  message: Message,
): void {
  const { snapshot } = cell;
  if (snapshot === undefined) return;
  enter(core, cell, envelope);
  let next: AnyMachineSnapshot;
  const { scope } = core;
  try {
    next = scope.step(machine, snapshot, message);
    if (scope.effects.length > 0) assertPossible(core, cell, scope.effects);
  } catch (error) {
    if (envelope !== undefined) lose(core, cell, envelope, 'poison');
    endCell(core, cell, crash(describeError(error)));
    return;
  }
  if (scope.wasUnhandled(snapshot, next)) {
    leaveUnhandled(core, cell, envelope, message);
    return;
  }
  cell.snapshot = next;
  const { effects } = scope;
  const moved = !isSameState(snapshot, next);
  if (moved && cell.stateBound > 0) endStateTimers(core, cell, atomicStates(next));
  finish(core, cell, envelope, message, effects);
  // After the effects, so that a message postponed in the very step that moves comes again too (RT-13).
  if (moved && cell.mailbox.postponed > 0) cell.mailbox.restorePostponed();
}

// RT-8: the present state has no enabled transition for it. A stop that is not handled ends the cell as it would any other.
function leaveUnhandled(core: Core, cell: Cell, envelope: Envelope | undefined, message: Message): void {
  if (core.journal !== undefined) recordDigest(core, cell, []);
  if (core.stepInspectors.length > 0) inspect(core, cell, envelope, message, []);
  if (envelope !== undefined) lose(core, cell, envelope, 'unhandled');
  else endCell(core, cell, cell.stopReason ?? NORMAL);
}

function stepReducer(core: Core, cell: Cell, state: Snapshot<unknown>, envelope: Envelope): void {
  const { logic } = cell;
  if (logic.kind !== 'reducer') return;
  enter(core, cell, envelope);
  try {
    cell.reduced = core.scope.reduce(logic.logic, state, envelope.message);
  } catch (error) {
    lose(core, cell, envelope, 'poison');
    endCell(core, cell, crash(describeError(error)));
    return;
  }
  finish(core, cell, envelope, envelope.message, []);
}

function enter(core: Core, cell: Cell, envelope: Envelope | undefined): void {
  core.turn.address = cell.address;
  core.turn.sender = envelope?.from;
  if (core.stepInspectors.length > 0) core.prepareInspection(cell.address);
}

// The state is committed: the message counts as processed, and the effects take place.
function finish(
  core: Core,
  cell: Cell,
  envelope: Envelope | undefined,
  message: Message,
  effects: readonly CellEffect[],
): void {
  const postponed = effects.length > 0 && effects.some(({ kind }) => kind === 'postpone');
  if (envelope !== undefined && !postponed) cell.processed += 1;
  if (core.journal !== undefined) recordDigest(core, cell, effects);
  if (core.stepInspectors.length > 0) inspect(core, cell, envelope, message, effects);
  const { from } = envelope ?? {};
  if (from !== undefined && !postponed && isAskAddress(from)) oweAnswer(core, cell, from);
  if (effects.length > 0) applyEffects(core, cell, envelope, effects);
  const snapshot = cell.snapshot ?? cell.reduced;
  if (snapshot === undefined || snapshot.status === 'active' || !cell.isLive) return;
  cell.output = snapshot.output;
  endCell(core, cell, snapshot.status === 'error' ? crash(describeError(snapshot.error)) : NORMAL);
}

function runBoundaryTurn(core: Core, cell: Cell): void {
  const { logic } = cell;
  if (logic.kind !== 'boundary') return;
  if (core.options.boundaries === 'silent') {
    swallow(cell);
    return;
  }
  if (cell.opening) {
    cell.opening = false;
    if (cell.stopReason === undefined) openBoundary(core, cell, logic.boundary);
    else endBoundary(core, cell, cell.stopReason);
    return;
  }
  const { boundary } = cell;
  if (cell.status !== 'running' || boundary === undefined) return;
  if (cell.overflowed) {
    endBoundary(core, cell, { kind: 'overflow' });
    return;
  }
  if (cell.stopReason !== undefined) {
    if (cell.stopDelivered) return;
    cell.stopDelivered = true;
    boundary.close();
    return;
  }
  if (!boundary.isIdle()) return;
  const envelope = cell.mailbox.next();
  if (envelope === undefined) return;
  announceRoom(cell);
  if (core.waitInspectors.length > 0) tellWait(core, cell, envelope);
  if (envelope.forIncarnation !== 0 && envelope.forIncarnation !== cell.incarnation) {
    lose(core, cell, envelope, 'stale');
  } else {
    if (envelope.timer !== undefined) forgetTimer(cell, envelope.timer);
    cell.processed += 1;
    for (const inspector of core.inspectors) {
      inspector.delivery?.({
        address: cell.address,
        from: envelope.from,
        message: envelope.message,
        now: core.now,
      });
    }
    boundary.give(envelope);
  }
  if (!cell.mailbox.isEmpty) core.schedule(cell);
}

// In a replay the journal says what boundary actors did; what they were told is only counted.
function swallow(cell: Cell): void {
  cell.opening = false;
  while (cell.mailbox.next() !== undefined) cell.processed += 1;
}

function recordDigest(core: Core, cell: Cell, effects: readonly CellEffect[]): void {
  const every = core.journal?.digestEvery ?? 0;
  if (every === 0 || core.turns % every !== 0) return;
  const digest = boundedDigestOf([cell.address, cell.snapshot?.value, contextOf(cell), effects]);
  core.record({ kind: 'digest', turn: core.turns, address: cell.address, digest });
}

function contextOf(cell: Cell): unknown {
  const { snapshot, reduced } = cell;
  if (snapshot !== undefined) return snapshot.context;
  return reduced !== undefined && 'context' in reduced ? reduced.context : undefined;
}

// What came before anybody wanted it has no stamp.
function tellWait(core: Core, cell: Cell, { queuedAt }: Envelope): void {
  if (queuedAt === NOT_STAMPED) return;
  const waitMs = core.clock.now() - queuedAt;
  for (const inspector of core.waitInspectors) inspector.waited?.(cell.address, waitMs);
}

function inspect(
  core: Core,
  cell: Cell,
  envelope: Envelope | undefined,
  event: Message,
  effects: readonly CellEffect[],
): void {
  const transition = {
    address: cell.address,
    incarnation: cell.incarnation,
    turn: core.turns,
    now: core.now,
    wall: core.turn.wall,
    from: envelope?.from,
    event,
    snapshot: cell.snapshot ?? cell.reduced,
    microsteps: core.scope.takeMicrosteps(),
    // The scope fills an empty list again in the next step, and an inspector may keep this one.
    effects: effects.length === 0 ? NO_EFFECTS : effects,
  };
  for (const inspector of core.stepInspectors) inspector.transition?.(transition);
}

/** From a sender to a mailbox, or to the dead letters: every message meets exactly one fate. Rules RT-7, RT-8, RT-9, RT-16. */
import { invariant, unreachable } from '../../base/invariant.ts';
import type { CellAddress, Lane, Message } from '../../protocol/supervision/effect.ts';
import { AskDead, AskRefused, answerAsk, failAsk, isAskAddress } from './asks.ts';
import type { TellOutcome } from './boundary.ts';
import type { Cell } from './cell.ts';
import type { Core } from './core.ts';
import type { DeadLetterReason } from './dead-letters.ts';
import { isReserved } from './logic.ts';
import { type Envelope, NOT_STAMPED } from './mailbox.ts';

/** The sender of messages that no actor sent. */
export const OUTSIDE: CellAddress = '@outside';

/** A message from a pure cell: no input, since it follows from one. */
export function tellFromCell(core: Core, sender: Cell, to: CellAddress, message: Message, lane: Lane): void {
  send(core, to, message, lane, sender.address, sender.incarnation, 0);
}

/** An answer to whoever sent `question`; only the incarnation that sent it may have it (RT-6). */
export function replyFromCell(core: Core, sender: Cell, question: Envelope, message: Message): void {
  const { from, fromIncarnation } = question;
  if (from === undefined || from === OUTSIDE) {
    refuse(core, from ?? '@nobody', message, sender.address, 'no_such_cell');
    return;
  }
  send(core, from, message, 'user', sender.address, sender.incarnation, fromIncarnation);
}

/** A message from the outside or a boundary actor: an input. */
export function tellFromOutside(
  core: Core,
  to: CellAddress,
  message: Message,
  lane: Lane,
  from: CellAddress,
  fromIncarnation: number,
): TellOutcome {
  invariant(!core.inTurn, 'a chart tells by actions, not through a ref', { to, type: message.type });
  const cell = core.cells.get(to);
  // What only boundary actors hear is not journaled, so it must not move the time that charts see (RT-15).
  if (cell?.isPure !== false && !isAskAddress(to)) {
    core.takeInput();
    if (core.journal !== undefined) {
      core.record({ ...core.stamp(), kind: 'message', from, to, lane, message });
    }
  }
  const outcome = admitFromOutside(core, cell, to, message, lane, from, fromIncarnation);
  core.wake();
  return outcome;
}

function admitFromOutside(
  core: Core,
  cell: Cell | undefined,
  to: CellAddress,
  message: Message,
  lane: Lane,
  from: CellAddress,
  fromIncarnation: number,
): TellOutcome {
  if (cell === undefined) return send(core, to, message, lane, from, fromIncarnation, 0);
  const { type } = message;
  const { publicEvents } = cell;
  if (publicEvents === undefined ? isReserved(type) : !publicEvents.has(type)) {
    const reason = isReserved(type) ? 'event_reserved' : 'event_not_public';
    return refuse(core, to, message, from, reason, cell);
  }
  return deliver(core, cell, {
    message,
    from,
    fromIncarnation,
    forIncarnation: 0,
    timer: undefined,
    lane: cell.controlEvents?.has(type) === true ? 'control' : lane,
    queuedAt: NOT_STAMPED,
  });
}

function send(
  core: Core,
  to: CellAddress,
  message: Message,
  lane: Lane,
  from: CellAddress,
  fromIncarnation: number,
  forIncarnation: number,
): TellOutcome {
  const cell = core.cells.get(to);
  if (cell === undefined) {
    if (!isAskAddress(to)) return refuse(core, to, message, from, 'no_such_cell');
    return answerAsk(core, to, message) ? 'accepted' : refuse(core, to, message, from, 'late_reply');
  }
  const isUrgent = cell.controlEvents?.has(message.type) === true;
  return deliver(core, cell, {
    message,
    from,
    fromIncarnation,
    forIncarnation,
    timer: undefined,
    lane: isUrgent ? 'control' : lane,
    queuedAt: NOT_STAMPED,
  });
}

/** Puts a message in a mailbox, by its overflow policy. */
export function deliver(core: Core, cell: Cell, envelope: Envelope): TellOutcome {
  if (core.waitInspectors.length > 0) envelope.queuedAt = core.clock.now();
  const admission = cell.mailbox.admit(envelope);
  switch (admission) {
    case 'admitted':
      cell.accepted += 1;
      if (cell.isActive) core.schedule(cell);
      return 'accepted';
    case 'full':
      return overflow(core, cell, envelope);
    case 'control_full':
    case 'sender_quota':
      return refuse(core, cell.address, envelope.message, envelope.from, admission, cell);
    default:
      return unreachable(admission);
  }
}

function overflow(core: Core, cell: Cell, envelope: Envelope): TellOutcome {
  const { message, from } = envelope;
  switch (cell.mailbox.options.overflow) {
    case 'drop_newest':
      return refuse(core, cell.address, message, from, 'dropped_newest', cell);
    case 'reject':
      return refuse(core, cell.address, message, from, 'mailbox_full', cell);
    case 'stop_actor':
      // The end itself is the cell's own next turn: nothing ends in the middle of another's.
      cell.overflowed = true;
      core.schedule(cell);
      return refuse(core, cell.address, message, from, 'overflow_stop', cell);
    case 'drop_oldest': {
      const oldest = cell.mailbox.dropOldest();
      if (oldest !== undefined) lose(core, cell, oldest, 'dropped_oldest');
      return cell.mailbox.admit(envelope) === 'admitted'
        ? acceptLate(core, cell)
        : refuse(core, cell.address, message, from, 'dropped_newest', cell);
    }
  }
}

function acceptLate(core: Core, cell: Cell): TellOutcome {
  cell.accepted += 1;
  if (cell.isActive) core.schedule(cell);
  return 'accepted';
}

/** A message that never entered a mailbox. */
export function refuse(
  core: Core,
  to: CellAddress,
  message: Message,
  from: CellAddress | undefined,
  reason: DeadLetterReason,
  cell?: Cell,
): TellOutcome {
  if (cell !== undefined) cell.refused += 1;
  core.deadLetters.add({ reason, to, from, message });
  if (from !== undefined && isAskAddress(from)) {
    failAsk(core, from, (address) =>
      reason === 'no_such_cell'
        ? new AskDead(address, `nothing runs at ${address}: check the address, or start it`)
        : new AskRefused(address, `${address} did not let '${message.type}' in (${reason})`),
    );
  }
  if (reason === 'no_such_cell' || reason === 'late_reply') return 'dead';
  // Under `reject` whoever is above its share is pushed back like anybody before a full mailbox, and nobody else is (RT-7).
  const isPushedBack = reason === 'sender_quota' && cell?.mailbox.options.overflow === 'reject';
  return reason === 'mailbox_full' || isPushedBack ? 'full' : 'dropped';
}

/** A message that was accepted and is lost (RT-8). */
export function lose(core: Core, cell: Cell, envelope: Envelope, reason: DeadLetterReason): void {
  cell.lost ??= new Map();
  cell.lost.set(reason, (cell.lost.get(reason) ?? 0) + 1);
  const { from, message } = envelope;
  const letter = { reason, to: cell.address, from, message };
  const state = reason === 'unhandled' ? cell.snapshot?.value : undefined;
  core.deadLetters.add(state === undefined ? letter : { ...letter, state });
  if (from !== undefined && isAskAddress(from)) {
    const { type } = message;
    failAsk(core, from, (to) =>
      reason === 'unhandled'
        ? new AskRefused(to, `${to} does not handle '${type}' in its present state (unhandled)`)
        : new AskDead(to, `${to} lost '${type}' (${reason})`),
    );
  }
}

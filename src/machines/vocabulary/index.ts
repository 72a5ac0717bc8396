/** The words a chart is written in, beside XState's own: effects as typed actions, time, draws, and typing helpers. */

export {
  type CellAddress,
  type CellDown,
  type CellStop,
  crash,
  type Effect,
  type ExitReason,
  isOrderlyExit,
  KILLED,
  type Lane,
  type Message,
  NORMAL,
  SHUTDOWN,
  telling,
} from '../../protocol/supervision/effect.ts';
export {
  cancelTimer,
  type Decision,
  exit,
  type Letter,
  perform,
  postpone,
  reply,
  type StepArgs,
  spawn,
  startTimer,
  step,
  stop,
  tell,
  tellEach,
  unwatch,
  watch,
} from './actions.ts';
export { type Kind, kind } from './kind.ts';
export { type Circumstances, type Probe, probe } from './probe.ts';
export type { CellEffect, Microstep, StateTimerEffect } from './scope.ts';
export { addressOf, draw, now, senderOf, type Turn, turnOf, wallNow } from './turn.ts';
export { type ChartTypes, declare, type EventOf, type Narrowed, on, types } from './typing.ts';

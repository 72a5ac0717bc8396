/** `althing/runtime`: supervised statecharts with bounded mailboxes, death watch, virtual time, record and replay. */
export { type Random, type RandomStream, seededRandom } from '../../base/random.ts';
export { type Millis, type Monotonic, millis, monotonic, type WallTime, wallTime } from '../../base/units.ts';
export * from '../../machines/vocabulary/index.ts';
export type {
  AutoShutdown,
  Backoff,
  RestartType,
  Shutdown,
  Strategy,
} from '../../protocol/supervision/child.ts';
export type { ChildAnswer, ChildStart, ChildStop } from '../../protocol/supervision/requests.ts';
export { AskDead, AskError, AskLate, AskRefused } from './asks.ts';
export {
  type BlueprintLogic,
  type CellBlueprint,
  chartsOf,
  functionMark,
  type PureFunctions,
  type Rebuilt,
  type Recordable,
  rebuilt,
  recordable,
  revive,
} from './blueprint.ts';
export {
  type BoundaryContext,
  type BoundaryFunctionContext,
  type BoundaryLogic,
  boundary,
  type Delivery,
  type HandlerContext,
  type HandlerDefinition,
  handler,
  type Inbox,
  type TellOutcome,
} from './boundary.ts';
export { type Chart, type ChartHash, type ChartState, type ChartTransition, chartOf } from './chart.ts';
export {
  type Clock,
  type ClockTimer,
  type Runner,
  realClock,
} from './clock.ts';
export { DEAD_LETTER_REASONS, type DeadLetter, type DeadLetterReason } from './dead-letters.ts';
export { canonicalText, digestOf } from './digest.ts';
export type {
  CellCounters,
  CellInfo,
  CellKind,
  CellStatus,
  Delivered,
  Inspector,
  Transition,
} from './inspector.ts';
export {
  type InputStamp,
  type Journal,
  type JournalEntry,
  type MemoryJournal,
  memoryJournal,
} from './journal.ts';
export { type CellRecord, clockFrom, type Keyframe } from './keyframe.ts';
export type { MailboxOptions, Overflow } from './mailbox.ts';
export { Outside, type OutsideLink } from './outside.ts';
export { type Divergence, type Replay, type ReplayOptions, replay } from './replay.ts';
export {
  type CellLogic,
  type CellSpec,
  type ChildOptions,
  child,
  type SupervisorLogic,
  type SupervisorOptions,
  supervisor,
} from './spec.ts';
export {
  type CellRef,
  createSystem,
  type Instant,
  restoreSystem,
  StartFailed,
  type System,
  type SystemCounters,
  type SystemOptions,
} from './system.ts';
export { type VirtualClock, virtualClock } from './virtual-clock.ts';

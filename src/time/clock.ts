/**
 * The boundary actor before the clocks: shows them to the time-coordinator again and again, and sets adjusted time.
 * Deterministic given its clocks. Rules TM-1, TM-6, TM-7, docs/protocol/time.md.
 */
import { type BoundaryLogic, declare, type HandlerContext, handler } from '../actors/runtime/index.ts';
import { type Monotonic, monotonic, type WallTime } from '../base/units.ts';
import type { ClockLooked, ClockRequest } from '../protocol/ports/time.ts';
import type { AdjustedClock } from './adjusted-clock.ts';

export type AlertsChanged = Extract<ClockRequest, { type: 'alerts.changed' }>;

export interface ClockOptions {
  readonly adjusted: Pick<AdjustedClock, 'read' | 'discipline' | 'isAdjusted'>;
  /** The system clock, unadjusted. */
  readonly wall: () => WallTime;
  /** For the node's log. */
  readonly report: (change: AlertsChanged) => void;
}

type ClockMessage = ClockRequest | { readonly type: 'look.due' };

/** What the cell lets in (RT-16). */
export const CLOCK_EVENTS = declare<ClockRequest>()(
  'clock.watchRequested',
  'clock.disciplined',
  'alerts.changed',
);

interface ClockState {
  watch: Extract<ClockRequest, { type: 'clock.watchRequested' }> | undefined;
}

/** Logic of the cell `node/time/clock`. Its watch ends with it: whoever watches asks again after a restart. */
export function clockLogic(options: ClockOptions): BoundaryLogic<undefined> {
  return handler<ClockState, ClockMessage>({
    init: () => ({ watch: undefined }),
    receive(message, context) {
      switch (message.type) {
        case 'clock.watchRequested':
          context.state.watch = message;
          return look(options, context);
        case 'look.due':
          return look(options, context);
        case 'clock.disciplined':
          return options.adjusted.discipline(message.discipline, message.isFirst);
        case 'alerts.changed':
          return options.report(message);
      }
    },
  });
}

function look({ adjusted, wall }: ClockOptions, context: HandlerContext<ClockState, undefined>): void {
  const { watch } = context.state;
  if (watch === undefined) return;
  const looked: ClockLooked = {
    type: 'clock.looked',
    ...readTogether(
      () => context.now(),
      () => ({ systemTime: wall(), adjustedTime: adjusted.read(), isAdjusted: adjusted.isAdjusted }),
    ),
  };
  context.tell(watch.replyTo, looked);
  context.startTimer('look', watch.intervalMs, { type: 'look.due' });
}

/** The clocks are read within this, or read again. @unit ms @source far above a reading, far below the step of TM-1 */
const READING_MS_MAX = 1;
/** A machine that is busy all the time is not waited for. @unit readings @source chosen */
const READINGS_MAX = 4;

/** A process held up between two readings must not look like a clock that was set (TM-1): the shortest of some counts. */
function readTogether<Walls>(
  now: () => Monotonic,
  readWalls: () => Walls,
): Walls & { readonly at: Monotonic } {
  let best = readOnce(now, readWalls);
  for (let reading = 1; reading < READINGS_MAX && best.took > READING_MS_MAX; reading += 1) {
    const next = readOnce(now, readWalls);
    if (next.took < best.took) best = next;
  }
  return { at: monotonic(best.before + best.took / 2), ...best.walls };
}

function readOnce<Walls>(now: () => Monotonic, readWalls: () => Walls) {
  const before = now();
  const walls = readWalls();
  return { before, walls, took: now() - before };
}

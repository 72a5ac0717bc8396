/**
 * The words of the supervisor's chart: events, guards, actions. Pure; every decision is in protocol/supervision.
 * Rules RT-1 to RT-5, RT-17, docs/runtime.md.
 */
import { setup } from 'xstate';
import type { CellStop, ExitReason } from '../../protocol/supervision/effect.ts';
import type { ChildStart, ChildStop } from '../../protocol/supervision/requests.ts';
import { requestStart, requestStop } from '../../protocol/supervision/requests.ts';
import * as rosters from '../../protocol/supervision/roster.ts';
import { supervise } from '../vocabulary/actions.ts';
import { exit, on, postpone, types } from '../vocabulary/index.ts';

/** runtime → supervisor: the child's cell runs. */
export interface ChildStarted {
  readonly type: 'child.started';
  readonly id: string;
}

/** runtime → supervisor: the child's cell has ended, or failed to start. */
export interface ChildExited {
  readonly type: 'child.exited';
  readonly id: string;
  readonly reason: ExitReason;
}

/** supervisor → itself, after a backoff. */
export interface RestartDue {
  readonly type: 'restart.due';
  readonly id: string;
}

export type SupervisorRequest = ChildStart | ChildStop;
export type SupervisorEvent = SupervisorRequest | ChildStarted | ChildExited | RestartDue | CellStop;

export interface SupervisorContext {
  readonly roster: rosters.Roster;
}

export const supervisorSetup = setup({
  types: types<SupervisorContext, SupervisorEvent, rosters.RosterInput>(),
  actions: {
    beginTask: supervise(({ context }) => adopt(rosters.beginTask(context.roster))),
    recordStarted: supervise(
      on('child.started', ({ context, event, now }) =>
        keep(rosters.noteStarted(context.roster, event.id, now)),
      ),
    ),
    recordStopped: supervise(({ context }) => adopt(rosters.noteStopped(context.roster))),
    decideStartFailure: supervise(
      on('child.exited', ({ context, event, now, draw }) =>
        adopt(rosters.noteStartFailed(context.roster, event.id, event.reason, { now, draw: draw() })),
      ),
    ),
    decideExit: supervise(
      on('child.exited', ({ context, event, now, draw }) =>
        adopt(rosters.noteExited(context.roster, event.id, event.reason, { now, draw: draw() })),
      ),
    ),
    deferExit: supervise(
      on('child.exited', ({ context, event }) =>
        adopt(rosters.deferExit(context.roster, event.id, event.reason)),
      ),
    ),
    decideRestart: supervise(
      on('restart.due', ({ context, event }) => keep(rosters.noteRestartDue(context.roster, event.id))),
    ),
    deferRestart: supervise(
      on('restart.due', ({ context, event }) => keep(rosters.deferDue(context.roster, event.id))),
    ),
    decideDeferred: supervise(({ context, now, draw }) =>
      adopt(rosters.decideDeferred(context.roster, { now, draw: draw() })),
    ),
    decideStartRequest: supervise(
      on('child.start', ({ context, event, sender }) => answer(requestStart(context.roster, event), sender)),
    ),
    decideStopRequest: supervise(
      on('child.stop', ({ context, event, sender }) => answer(requestStop(context.roster, event), sender)),
    ),
    killCurrent: supervise(({ context }) => {
      const task = rosters.currentTask(context.roster);
      return { effects: task === undefined ? [] : [{ kind: 'killChild', id: task.id }] };
    }),
    planTheEnd: supervise(
      on('cell.stop', ({ context, event }) => adopt(rosters.endAll(context.roster, event.reason))),
    ),
    announceStarted: supervise(({ context }) => ({
      context: { roster: { ...context.roster, booted: true } },
      effects: context.roster.booted ? [] : [{ kind: 'announceStarted' }],
    })),
    postpone: postpone(),
    leave: exit(({ context }) => context.roster.ending ?? { kind: 'shutdown' }),
  },
  guards: {
    planIsStart: ({ context }) => rosters.currentTask(context.roster)?.do === 'start',
    planIsStop: ({ context }) => rosters.currentTask(context.roster)?.do === 'stop',
    isEnding: ({ context }) => context.roster.ending !== undefined,
    somethingWasDeferred: ({ context }) => context.roster.deferred.length > 0,
    isCurrentChild: ({ context, event }) =>
      'id' in event && rosters.currentTask(context.roster)?.id === event.id,
  },
  delays: {
    shutdownTime: ({ context }) => {
      const task = rosters.currentTask(context.roster);
      const shutdown =
        task === undefined ? undefined : rosters.findChild(context.roster, task.id)?.spec.shutdown;
      return typeof shutdown === 'number' ? shutdown : FOREVER_MS;
    },
  },
});

/** How long `infinity` is. @unit ms @source about 285,000 years */
const FOREVER_MS = Number.MAX_SAFE_INTEGER;

const keep = (roster: rosters.Roster) => ({ context: { roster } });
const adopt = ({ roster, effects }: rosters.RosterDecision) => ({ context: { roster }, effects });

function answer(decision: ReturnType<typeof requestStart>, sender: string | undefined) {
  const { roster, effects, answer: message } = decision;
  const isAsk = sender?.startsWith('@ask/') === true;
  const reply = { kind: 'reply', message } as const;
  return { context: { roster }, effects: isAsk ? [...effects, reply] : effects };
}

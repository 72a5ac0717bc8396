/**
 * What a supervisor knows of its children, and every decision it takes: each function gives the next roster and effects.
 * Pure and total. The chart (machines/supervisor) only sequences the plan. Rules RT-1 to RT-5; source: OTP's supervisor.erl.
 */
import { emptyMap, getIn, type PersistentMap, removeIn, setIn, valuesOf } from '../../base/persistent-map.ts';
import type { Millis, Monotonic } from '../../base/units.ts';
import type { AutoShutdown, ChildSpec, Strategy, SupervisionEffect } from './child.ts';
import { type Effect, type ExitReason, SHUTDOWN } from './effect.ts';
import { countIncident } from './intensity.ts';
import { backoffDelay, concernedBy, deservesRestart, nextAttempt } from './restart.ts';

/** `waiting` children start again when their restart is due; `idle` ones only when their group does, or on request. */
export type ChildStatus = 'idle' | 'starting' | 'running' | 'stopping' | 'waiting';

export interface ChildRecord {
  readonly spec: ChildSpec;
  /** Its place in the start order. */
  readonly order: number;
  readonly status: ChildStatus;
  /** When it last started, until that start is answered by a failed one. */
  readonly startedAt: Monotonic | undefined;
  /** Restarts in a row without health in between. */
  readonly attempt: number;
  /** Set for a child that was started on request, from a template. */
  readonly template?: string;
  readonly input?: unknown;
}

/** One thing to do, awaited before the next (RT-3); `after` says what becomes of a child that is stopped. */
export type Task =
  | { readonly do: 'start'; readonly id: string }
  | { readonly do: 'stop'; readonly id: string; readonly after: 'wait' | 'rest' | 'forget' };

/** What came while the plan was being worked off, and is decided when it is done. */
export type Deferred =
  | { readonly kind: 'exited'; readonly id: string; readonly reason: ExitReason }
  | { readonly kind: 'due'; readonly id: string };

export interface Roster {
  readonly strategy: Strategy;
  readonly intensity: number;
  readonly period: Millis;
  readonly autoShutdown: AutoShutdown;
  readonly templates: readonly ChildSpec[];
  /** By id; thousands of children cost no more each than a few. In start order: `childrenOf`. */
  readonly children: PersistentMap<ChildRecord>;
  readonly nextOrder: number;
  readonly restarts: readonly Monotonic[];
  /** Children whose own restart is to come. Every waiting child is one, or belongs to the group of one. */
  readonly pending: readonly string[];
  readonly plan: readonly Task[];
  /** Bounded by two for each child: one end, one due restart. */
  readonly deferred: readonly Deferred[];
  /** Why this supervisor is ending, once it is. */
  readonly ending: ExitReason | undefined;
  /** False until all children of the specification have started once. */
  readonly booted: boolean;
}

export interface RosterDecision {
  readonly roster: Roster;
  readonly effects: readonly (Effect | SupervisionEffect)[];
}

/** The moment and the luck of a decision. */
export interface Chance {
  readonly now: Monotonic;
  /** In [0, 1). */
  readonly draw: number;
}

/** A supervisor's specification, without the logic of its children. */
export interface RosterInput {
  readonly strategy: Strategy;
  readonly intensity: number;
  readonly period: Millis;
  readonly autoShutdown: AutoShutdown;
  readonly children: readonly ChildSpec[];
  readonly templates: readonly ChildSpec[];
}

/** A roster that plans to start every child in order. */
export function openRoster({ children, ...flags }: RosterInput): Roster {
  return {
    ...flags,
    children: children.reduce(
      (map, spec, order) =>
        setIn(map, spec.id, { spec, order, status: 'idle', attempt: 0, startedAt: undefined }),
      emptyMap<ChildRecord>(),
    ),
    nextOrder: children.length,
    restarts: [],
    pending: [],
    plan: children.map(({ id }) => ({ do: 'start', id })),
    deferred: [],
    ending: undefined,
    booted: false,
  };
}

/** The child with that id. */
export const findChild = (roster: Roster, id: string): ChildRecord | undefined => getIn(roster.children, id);

/** All children in start order. */
export const childrenOf = (roster: Roster): readonly ChildRecord[] =>
  valuesOf(roster.children).sort((left, right) => left.order - right.order);

/** The task being worked on. */
export const currentTask = (roster: Roster): Task | undefined => roster.plan[0];

/** Begins the task at the head of the plan: marks the child and asks the runtime. */
export function beginTask(roster: Roster): RosterDecision {
  const task = currentTask(roster);
  const child = task === undefined ? undefined : findChild(roster, task.id);
  if (task === undefined || child === undefined) return quiet(finishTask(roster));
  const { id, shutdown } = child.spec;
  if (task.do === 'start') {
    const start: SupervisionEffect =
      child.template === undefined
        ? { kind: 'startChild', id }
        : { kind: 'startChild', id, template: child.template, input: child.input };
    return { roster: mark(roster, id, { status: 'starting' }), effects: [start] };
  }
  const stop: SupervisionEffect =
    shutdown === 'brutal_kill' ? { kind: 'killChild', id } : { kind: 'stopChild', id, reason: SHUTDOWN };
  return { roster: mark(roster, id, { status: 'stopping' }), effects: [stop] };
}

/** The child of the current start task has started. */
export function noteStarted(roster: Roster, id: string, now: Monotonic): Roster {
  return finishTask(mark(roster, id, { status: 'running', startedAt: now }));
}

/** The child of the current stop task has ended. */
export function noteStopped(roster: Roster): RosterDecision {
  const task = currentTask(roster);
  return task === undefined || task.do === 'start' ? quiet(roster) : settle(finishTask(roster), task);
}

/** A child that was being started has ended instead. */
export function noteStartFailed(
  roster: Roster,
  id: string,
  reason: ExitReason,
  chance: Chance,
): RosterDecision {
  const child = findChild(roster, id);
  if (child === undefined) return quiet(finishTask(roster));
  const isFirstStart = child.template !== undefined && child.startedAt === undefined && child.attempt === 0;
  const failed = finishTask(mark(roster, id, { status: 'idle', startedAt: undefined }));
  // OTP: a supervisor whose children do not all start does not start; it stops those that did.
  if (!failed.booted) {
    const error = describeExit(reason);
    return endAll(failed, { kind: 'escalated', child: id, error }, [{ kind: 'removeChild', id }]);
  }
  if (isFirstStart) return { roster: without(failed, id), effects: [{ kind: 'removeChild', id }] };
  // RT-1: a failed restart counts again; what the plan still held waits with it.
  const held = failed.plan.map((task) => task.id);
  const rest = held.reduce<Roster>((next, other) => mark(next, other, { status: 'waiting' }), {
    ...failed,
    plan: [],
  });
  return scheduleRestart(rest, id, reason, chance);
}

/** A child ended by itself while no plan was being worked off. */
export function noteExited(roster: Roster, id: string, reason: ExitReason, chance: Chance): RosterDecision {
  const child = findChild(roster, id);
  if (child === undefined || child.status === 'idle' || child.status === 'waiting') return quiet(roster);
  const ended = mark(roster, id, { status: 'idle' });
  if (deservesRestart(child.spec.restart, reason)) return scheduleRestart(ended, id, reason, chance);
  const left = isForgotten(child) || child.template !== undefined ? without(ended, id) : ended;
  const effects: SupervisionEffect[] = [{ kind: 'removeChild', id }];
  return endsWithSignificant(left, child) ? endAll(left, SHUTDOWN, effects) : { roster: left, effects };
}

/** A child ended while a plan is being worked off, and it is not the one that the current task awaits. */
export function deferExit(roster: Roster, id: string, reason: ExitReason): RosterDecision {
  const task = roster.plan.find((planned) => planned.do === 'stop' && planned.id === id);
  if (task?.do === 'stop')
    return settle({ ...roster, plan: roster.plan.filter((other) => other !== task) }, task);
  return quiet({ ...roster, deferred: [...roster.deferred, { kind: 'exited', id, reason }] });
}

/** A restart that came due while a plan is being worked off. */
export const deferDue = (roster: Roster, id: string): Roster => ({
  ...roster,
  deferred: [...roster.deferred, { kind: 'due', id }],
});

/** A restart is due: its group starts, in order. */
export function noteRestartDue(known: Roster, id: string): Roster {
  const roster = withoutPending(known, id);
  if (findChild(roster, id)?.status !== 'waiting') return roster;
  if (roster.strategy === 'one_for_one') return { ...roster, plan: [{ do: 'start', id }] };
  const ids = idsOf(roster);
  const group = concernedBy(roster.strategy, ids, id);
  const before = ids.slice(0, ids.indexOf(id));
  // A later child depends on an earlier one, whose own restart will start this one too.
  if (roster.strategy === 'rest_for_one' && before.some((other) => statusOf(roster, other) === 'waiting')) {
    return roster;
  }
  const starts = group.filter((other) => {
    const status = statusOf(roster, other);
    return status === 'waiting' || status === 'idle';
  });
  return { ...roster, plan: starts.map((other) => ({ do: 'start', id: other })) };
}

/** Decides the oldest thing that was deferred. */
export function decideDeferred(roster: Roster, chance: Chance): RosterDecision {
  const [first, ...deferred] = roster.deferred;
  if (first === undefined) return quiet(roster);
  const rest = { ...roster, deferred };
  return first.kind === 'exited'
    ? noteExited(rest, first.id, first.reason, chance)
    : quiet(noteRestartDue(rest, first.id));
}

/** Stops every child in reverse order and then ends for `reason` (RT-3, RT-4). A stop under way is finished first. */
export function endAll(
  roster: Roster,
  reason: ExitReason,
  before: readonly SupervisionEffect[] = [],
): RosterDecision {
  const head = currentTask(roster);
  const underWay = head?.do === 'stop' && statusOf(roster, head.id) === 'stopping' ? head.id : undefined;
  const isOver = (id: string): boolean =>
    roster.deferred.some((past) => past.kind === 'exited' && past.id === id);
  const children = childrenOf(roster);
  const live = children.filter(
    ({ spec, status }) => (status === 'running' || status === 'starting') && !isOver(spec.id),
  );
  const stops = [...live].reverse().map(({ spec }): Task => ({ do: 'stop', id: spec.id, after: 'rest' }));
  const waiting = children.filter(({ spec, status }) => status === 'waiting' || isOver(spec.id));
  return {
    roster: {
      ...waiting.reduce((next, { spec }) => mark(next, spec.id, { status: 'idle' }), roster),
      plan: underWay === undefined ? stops : [{ do: 'stop', id: underWay, after: 'rest' }, ...stops],
      deferred: [],
      pending: [],
      ending: roster.ending ?? reason,
    },
    effects: [
      ...before,
      ...waiting.map(({ spec }): Effect => ({ kind: 'cancelTimer', key: restartTimer(spec.id) })),
      ...waiting.map(({ spec }): SupervisionEffect => ({ kind: 'removeChild', id: spec.id })),
    ],
  };
}

/** A child that waits for its restart will not be started; those that were stopped because of it are, now (RT-4). */
export function giveUpRestart(roster: Roster, id: string, after: 'rest' | 'forget'): RosterDecision {
  const settled = settle(withoutPending(roster, id), { do: 'stop', id, after });
  const starts = stranded(settled.roster).map((other): Task => ({ do: 'start', id: other }));
  const effects: Effect[] = [{ kind: 'cancelTimer', key: restartTimer(id) }];
  return {
    roster: { ...settled.roster, plan: [...settled.roster.plan, ...starts] },
    effects: [...effects, ...settled.effects],
  };
}

// Children that wait, and that no restart to come will start.
function stranded(roster: Roster): readonly string[] {
  if (roster.strategy === 'one_for_one') return [];
  const ids = idsOf(roster);
  const started = new Set(roster.pending.flatMap((id) => concernedBy(roster.strategy, ids, id)));
  return ids.filter((id) => statusOf(roster, id) === 'waiting' && !started.has(id));
}

/** The name of the timer of a delayed restart. */
export const restartTimer = (id: string): string => `restart/${id}`;

/** An exit as text for a reader. */
export function describeExit(reason: ExitReason): string {
  switch (reason.kind) {
    case 'crash':
      return reason.error;
    case 'escalated':
      return `${reason.child}: ${reason.error}`;
    case 'shutdown':
      return reason.detail === undefined ? 'shutdown' : `shutdown: ${reason.detail}`;
    default:
      return reason.kind;
  }
}

function scheduleRestart(
  roster: Roster,
  id: string,
  reason: ExitReason,
  { now, draw }: Chance,
): RosterDecision {
  const child = findChild(roster, id);
  if (child === undefined) return quiet(roster);
  const { restarts, exceeded } = countIncident(roster.restarts, now, roster.intensity, roster.period);
  const counted = { ...roster, restarts };
  if (exceeded) {
    const detail = `${restarts.length} incidents in ${roster.period} ms, the last of '${id}': ${describeExit(reason)}`;
    return endAll(counted, { kind: 'shutdown', detail }, [{ kind: 'removeChild', id }]);
  }
  const { backoff } = child.spec;
  const attempt = nextAttempt(backoff, child.attempt, child.startedAt, now);
  const delayMs = backoffDelay(backoff, attempt, draw);
  const pending = [...withoutPending(counted, id).pending, id];
  const waiting = mark({ ...counted, pending }, id, { status: 'waiting', attempt: attempt + 1 });
  const grouped = stopGroup(waiting, id);
  if (delayMs === 0) return { ...grouped, roster: deferDue(grouped.roster, id) };
  const message = { type: 'restart.due', id } as const;
  return {
    roster: grouped.roster,
    effects: [...grouped.effects, { kind: 'startTimer', key: restartTimer(id), delayMs, message }],
  };
}

// Plans to stop those whom the failure of `id` concerns; those whose end is known already need no stop.
function stopGroup(roster: Roster, id: string): RosterDecision {
  if (roster.strategy === 'one_for_one') return quiet({ ...roster, plan: [] });
  const others = concernedBy(roster.strategy, idsOf(roster), id)
    .filter((other) => other !== id && statusOf(roster, other) === 'running')
    .reverse();
  const isOver = (other: string): boolean =>
    roster.deferred.some((past) => past.kind === 'exited' && past.id === other);
  const tasks = others.map((other) => {
    const child = findChild(roster, other);
    return {
      do: 'stop',
      id: other,
      after: child !== undefined && isForgotten(child) ? 'forget' : 'wait',
    } as const;
  });
  const plan = tasks.filter((task) => !isOver(task.id));
  let decision = quiet({ ...roster, plan });
  for (const task of tasks.filter((over) => isOver(over.id))) {
    const settled = settle(decision.roster, task);
    decision = { roster: settled.roster, effects: [...decision.effects, ...settled.effects] };
  }
  return decision;
}

function settle(roster: Roster, task: Extract<Task, { readonly do: 'stop' }>): RosterDecision {
  const { id } = task;
  const past = roster.deferred.filter((other) => other.id !== id || other.kind !== 'exited');
  const settled = { ...roster, deferred: past };
  switch (task.after) {
    case 'wait':
      return quiet(mark(settled, id, { status: 'waiting' }));
    case 'rest':
      return { roster: mark(settled, id, { status: 'idle' }), effects: [{ kind: 'removeChild', id }] };
    case 'forget':
      return { roster: without(settled, id), effects: [{ kind: 'removeChild', id }] };
  }
}

const isForgotten = ({ spec }: ChildRecord): boolean => spec.restart === 'temporary';

function endsWithSignificant(roster: Roster, ended: ChildRecord): boolean {
  if (!ended.spec.significant || roster.autoShutdown === 'never') return false;
  if (roster.autoShutdown === 'any_significant') return true;
  return childrenOf(roster).every(({ spec, status }) => !spec.significant || status === 'idle');
}

const quiet = (roster: Roster): RosterDecision => ({ roster, effects: [] });
const idsOf = (roster: Roster): readonly string[] => childrenOf(roster).map(({ spec }) => spec.id);
const statusOf = (roster: Roster, id: string): ChildStatus | undefined => findChild(roster, id)?.status;
const withoutPending = (roster: Roster, id: string): Roster =>
  roster.pending.includes(id)
    ? { ...roster, pending: roster.pending.filter((other) => other !== id) }
    : roster;
const finishTask = (roster: Roster): Roster => ({ ...roster, plan: roster.plan.slice(1) });
const without = (roster: Roster, id: string): Roster => ({
  ...roster,
  children: removeIn(roster.children, id),
});

function mark(roster: Roster, id: string, change: Partial<ChildRecord>): Roster {
  const child = getIn(roster.children, id);
  return child === undefined
    ? roster
    : { ...roster, children: setIn(roster.children, id, { ...child, ...change }) };
}

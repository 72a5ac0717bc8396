/** Cells, steps and letters of a system as rows of the feed. Knows the runtime alone. Pure. Rules IN-1, RT-8, docs/inspector.md. */

import { descriptorOf } from '../../actors/runtime/chart.ts';
import {
  type CellEffect,
  type CellInfo,
  chartOf,
  type DeadLetter,
  type ExitReason,
  type Message,
  type Transition,
} from '../../actors/runtime/index.ts';
import { activeStates, guardsAsked } from '../../machines/vocabulary/looking.ts';
import type {
  At,
  CellDetail,
  CellRow,
  DeadLetterRow,
  NodeIndex,
  RefusalRow,
  TakenRow,
  TransitionRow,
} from './feed.ts';

/** The newest that a cell did. */
export type LastStep = NonNullable<CellRow['last']>;

export function lastOf(last: Transition | LastStep | undefined): LastStep | undefined {
  if (last === undefined || 'at' in last) return last;
  const { wall: at, turn, event, from } = last;
  return { at, turn, event: event.type, ...(from === undefined ? {} : { from }) };
}

export interface CellRowParts {
  readonly node: NodeIndex;
  readonly info: CellInfo;
  readonly last: LastStep | undefined;
  /** @unit ms */
  readonly waitP99: number | undefined;
}

export function cellRow({ node, info, last, waitP99 }: CellRowParts): CellRow {
  const { address, parent, kind, status, machine, incarnation, restarts, capacity, counters } = info;
  const states = activeStates(info.snapshot);
  const { accepted, processed, queued, postponed, lost } = counters;
  return {
    ...{ node, address, kind, status, incarnation, restarts },
    ...(parent === undefined ? {} : { parent }),
    ...(machine === undefined ? {} : { chart: chartOf(machine).hash }),
    ...(states === undefined ? {} : { states }),
    ...{ accepted, processed, queued, postponed, capacity },
    lost: Object.fromEntries(lost),
    ...(waitP99 === undefined ? {} : { waitP99 }),
    ...(last === undefined ? {} : { last }),
  };
}

export const deadLetterRow = (
  node: NodeIndex,
  at: At,
  { reason, to, from, message }: DeadLetter,
): DeadLetterRow => ({
  node,
  at,
  reason,
  to,
  message: message.type,
  ...(from === undefined ? {} : { from }),
});

/** A step of a watched cell; `before` is the snapshot that it began with. */
export function transitionRow(
  transition: Transition,
  info: CellInfo | undefined,
  before: unknown,
): TransitionRow {
  const { wall: at, turn, event, from, effects, microsteps } = transition;
  const taken = microsteps.flatMap(({ transitions }) =>
    transitions.map(
      ({ source, target, on, index }): TakenRow => ({ source, target, on: descriptorOf(on, source), index }),
    ),
  );
  const refused = refusalIn(event, effects);
  return {
    ...{ at, turn, event: event.type, taken },
    ...(from === undefined ? {} : { from }),
    ...(info?.machine === undefined ? {} : { guards: guardRows(info.machine, before, event) }),
    ...(refused === undefined ? {} : { refused }),
    effects: effects.slice(0, EFFECTS_MAX).map(effectWords),
  };
}

/** Of one step. @unit effects @source a broadcast to the largest set that a page shows, and its record */
const EFFECTS_MAX = 64;

function guardRows(
  machine: NonNullable<CellInfo['machine']>,
  before: unknown,
  event: Message,
): NonNullable<TransitionRow['guards']> {
  const chart = chartOf(machine);
  return guardsAsked(machine, before, event).map(({ source, on: eventType, index, held }) => {
    const on = descriptorOf(eventType, source);
    const guard = guardName(chart.root, source, on, index) ?? 'inline';
    return { transition: `${source} ${on} ${index}`, guard, held };
  });
}

function guardName(
  root: ReturnType<typeof chartOf>['root'],
  source: string,
  on: string,
  index: number,
): string | undefined {
  const pending = [root];
  for (let state = pending.pop(); state !== undefined; state = pending.pop()) {
    if (state.id === source)
      return state.transitions.find((one) => one.on === on && one.index === index)?.guard;
    pending.push(...state.states);
  }
  return undefined;
}

/** What was refused in a step, and why: the message itself says so, or one that the step sent. */
export function refusalIn(event: Message, effects: readonly CellEffect[]): RefusalRow | undefined {
  const own = refusalOf(event);
  if (own !== undefined) return own;
  for (const effect of effects) {
    const refusal = effect.kind === 'tell' || effect.kind === 'reply' ? refusalOf(effect.message) : undefined;
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

/** `x.refused`, `x.failed` and `peer.misbehaved` with a code are what cells say of a refusal. */
export function refusalOf(message: Message): RefusalRow | undefined {
  const { type } = message;
  if (!/\.(refused|failed|misbehaved)$/.test(type)) return undefined;
  const inner: unknown = Reflect.get(message, 'refusal');
  const refusal = isRecord(inner) ? inner : message;
  const code = 'code' in refusal && typeof refusal.code === 'string' ? refusal.code : undefined;
  return code === undefined ? undefined : { code, detail: detailOf(refusal) };
}

function detailOf(refusal: object): string {
  if ('detail' in refusal && typeof refusal.detail === 'string') return refusal.detail;
  return Object.entries(refusal)
    .filter(([name]) => name !== 'code' && name !== 'type')
    .map(([name, value]) => `${name}=${isRecord(value) ? '{…}' : String(value)}`)
    .join(', ');
}

const isRecord = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** An effect in a few words: `tell node/network/router network.sendRequested`. */
export function effectWords(effect: CellEffect): string {
  switch (effect.kind) {
    case 'tell':
      return `tell ${effect.to} ${effect.message.type}`;
    case 'reply':
      return `reply ${effect.message.type}`;
    case 'watch':
    case 'unwatch':
      return `${effect.kind} ${effect.address}`;
    case 'spawn':
      return `spawn ${effect.logic} ${effect.id}`;
    case 'stop':
      return `stop ${effect.id}`;
    case 'startTimer':
      return `timer ${effect.key} in ${Math.round(effect.delayMs)} ms`;
    case 'cancelTimer':
      return `cancel timer ${effect.key}`;
    case 'startStateTimer':
      return `timer ${effect.event.type} in ${Math.round(effect.delayMs)} ms`;
    case 'cancelStateTimer':
      return `cancel timer ${effect.id}`;
    case 'exit':
      return `exit ${effect.reason.kind}`;
    case 'emit':
      return `emit ${effect.event.type}`;
    default:
      return effect.kind;
  }
}

/** `named/x` is `x`; `state/xstate.after.pause.breaker.open` is `after pause in breaker.open`. */
function timerName(key: string): string {
  const name = key.replace(/^(named|state)\//, '');
  const after = /^xstate\.after\.([^.]+)\.(.+)$/.exec(name);
  return after === null ? name : `after ${after[1]} in ${after[2]}`;
}

/** Timers of a cell, those due first first. */
export const timerRows = ({ timers }: CellInfo, now: number): CellDetail['timers'] =>
  timers
    .map(({ key, due }) => ({ key: timerName(key), dueInMs: Math.round(due - now) }))
    .sort((left, right) => left.dueInMs - right.dueInMs);

/** Of what a row shows that may change without a step. Two that are equal by chance are told apart a second later. */
export const fingerprint = ({
  incarnation,
  status,
  counters: { accepted, processed, queued, postponed },
}: CellInfo): number =>
  ((((incarnation * 31 + status.length) * 31 + accepted) * 31 + processed) * 31 + queued) * 31 + postponed;

/** Why a cell ended, for readers. */
export function wordsOfEnd(reason: ExitReason): string {
  switch (reason.kind) {
    case 'crash':
      return reason.error;
    case 'escalated':
      return `${reason.child}: ${reason.error}`;
    default:
      return reason.kind;
  }
}

/**
 * Where a replay is to stop, in words: `round > 7 and state sync = stalled`. Parsed into data, asked after each step of a cell. Pure.
 * Rule RP-5, docs/journal.md.
 */
import type { ExitReason, System, Transition } from '../actors/runtime/index.ts';
import { standingOf } from './facts.ts';

type Comparison = '<' | '<=' | '=' | '>=' | '>';

export type Condition =
  | {
      readonly kind: 'number';
      readonly of: 'round' | 'height' | 'epoch' | 'turn';
      readonly is: Comparison;
      readonly than: number;
    }
  /** A step brought a cell whose address ends so into a state whose path ends so. */
  | { readonly kind: 'state'; readonly cell: string; readonly state: string }
  | { readonly kind: 'event'; readonly type: string; readonly cell?: string }
  /** A cell told somebody of a refusal, of this code or any. */
  | { readonly kind: 'refusal'; readonly code?: string }
  | { readonly kind: 'mailbox'; readonly cell: string; readonly percent: number }
  /** A cell has ended by a crash. */
  | { readonly kind: 'crash'; readonly cell?: string };

/** All of them hold at one step. */
export type Breakpoint = readonly Condition[];

/** What happened at one instant: a cell stepped, or ended. */
export interface Moment {
  readonly system: System;
  readonly transition?: Transition;
  readonly ended?: { readonly address: string; readonly reason: ExitReason };
}

export const BREAKPOINT_FORMS = [
  'round > 7, height >= 100, epoch = 2, turn = 5000',
  'state <cell> = <state>',
  'event <type> [at <cell>]',
  'refusal [<CODE>]',
  'mailbox <cell> > <percent>%',
  'crash [<cell>]',
] as const;

const FORMS: readonly (readonly [RegExp, (found: readonly (string | undefined)[]) => Condition])[] = [
  [
    /^(round|height|epoch|turn) *(<=|>=|<|>|=) *([0-9]{1,15})$/,
    ([, of, is, than]) => ({
      kind: 'number',
      // Gateways: the expression lets nothing else through.
      of: of as 'round' | 'height' | 'epoch' | 'turn',
      is: is as Comparison,
      than: Number(than),
    }),
  ],
  [/^state +(\S+) *= *(\S+)$/, ([, cell = '', state = '']) => ({ kind: 'state', cell, state })],
  [
    /^event +(\S+?)(?: +at +(\S+))?$/,
    ([, type = '', cell]) => ({ kind: 'event', type, ...(cell === undefined ? {} : { cell }) }),
  ],
  [/^refusal(?: +(\S+))?$/, ([, code]) => ({ kind: 'refusal', ...(code === undefined ? {} : { code }) })],
  [
    /^mailbox +(\S+) *> *([0-9]{1,3})%$/,
    ([, cell = '', percent]) => ({ kind: 'mailbox', cell, percent: Number(percent) }),
  ],
  [/^crash(?: +(\S+))?$/, ([, cell]) => ({ kind: 'crash', ...(cell === undefined ? {} : { cell }) })],
];

/** The conditions of `text`, or what of it is not understood. */
export function parseBreakpoint(text: string): Breakpoint | { readonly notUnderstood: string } {
  const conditions: Condition[] = [];
  for (const part of text.split(/ +and +/i)) {
    const condition = conditionOf(part.trim());
    if (condition === undefined) return { notUnderstood: part.trim() };
    conditions.push(condition);
  }
  return conditions;
}

function conditionOf(part: string): Condition | undefined {
  for (const [form, make] of FORMS) {
    const found = form.exec(part);
    if (found !== null) return make(found);
  }
  return undefined;
}

/** In words, why it holds at this step; undefined when it does not. */
export function holdsAt(breakpoint: Breakpoint, moment: Moment): string | undefined {
  const words: string[] = [];
  for (const condition of breakpoint) {
    const because = becauseOf(condition, moment);
    if (because === undefined) return undefined;
    words.push(because);
  }
  return words.join(' and ');
}

function becauseOf(condition: Condition, { system, transition, ended }: Moment): string | undefined {
  if (condition.kind === 'crash') {
    if (ended?.reason.kind !== 'crash') return undefined;
    const { cell } = condition;
    return cell === undefined || endsWith(ended.address, cell) ? `${ended.address} crashed` : undefined;
  }
  return transition === undefined ? undefined : becauseOfStep(condition, system, transition);
}

function becauseOfStep(
  condition: Exclude<Condition, { kind: 'crash' }>,
  system: System,
  transition: Transition,
): string | undefined {
  const { address, event } = transition;
  switch (condition.kind) {
    case 'number': {
      const { of, is, than } = condition;
      const value = of === 'turn' ? transition.turn : standingOf(system)[of];
      return compare(value, is, than) ? `${of} is ${value}` : undefined;
    }
    case 'state': {
      if (!endsWith(address, condition.cell)) return undefined;
      const { state } = condition;
      const found = statePaths(transition.snapshot).find((path) => endsWith(path, state, '.'));
      return found === undefined ? undefined : `${address} is in '${found}'`;
    }
    case 'event': {
      const { type, cell } = condition;
      const isIt = event.type === type && (cell === undefined || endsWith(address, cell));
      return isIt ? `${address} took '${type}'` : undefined;
    }
    case 'refusal': {
      const code = refusalsOf(transition).find(
        (one) => condition.code === undefined || one === condition.code,
      );
      return code === undefined ? undefined : `${address} refused: ${code}`;
    }
    case 'mailbox':
      return mailboxOver(system, address, condition.cell, condition.percent);
  }
}

function compare(value: number, is: Comparison, than: number): boolean {
  if (is === '<') return value < than;
  if (is === '<=') return value <= than;
  if (is === '=') return value === than;
  return is === '>=' ? value >= than : value > than;
}

/** The whole, or its last parts. */
const endsWith = (whole: string, part: string, by = '/'): boolean =>
  whole === part || whole.endsWith(`${by}${part}`);

/** Paths of the active states of a chart, innermost ones and those around them. */
export function statePaths(snapshot: unknown): readonly string[] {
  const value =
    typeof snapshot === 'object' && snapshot !== null ? Reflect.get(snapshot, 'value') : undefined;
  return pathsBelow(value, '');
}

function pathsBelow(value: unknown, above: string): readonly string[] {
  if (typeof value === 'string') return [above === '' ? value : `${above}.${value}`];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, below]) => {
    const path = above === '' ? key : `${above}.${key}`;
    return [path, ...pathsBelow(below, path)];
  });
}

/** Codes that a step told others of: a message with a code says why something was not taken. */
export function refusalsOf({ effects }: Pick<Transition, 'effects'>): readonly string[] {
  return effects.flatMap((effect) => {
    if (effect.kind !== 'tell' && effect.kind !== 'reply') return [];
    const code = Reflect.get(effect.message, 'code');
    return typeof code === 'string' ? [code] : [];
  });
}

function mailboxOver(system: System, address: string, cell: string, percent: number): string | undefined {
  if (!endsWith(address, cell)) return undefined;
  const info = system.ref(address).info();
  if (info === undefined) return undefined;
  const share = (100 * (info.counters.queued + info.counters.postponed)) / info.capacity;
  return share > percent ? `the mailbox of ${address} is ${share.toFixed(0)}% full` : undefined;
}

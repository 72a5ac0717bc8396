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

/**
 * A breakpoint on one node, which stops where it begins to hold: who plays on from there is not stopped by what has not changed. What is true
 * for a while (a state, a number, a full mailbox) counts until it is not; what happens (an event, a refusal, a crash) counts once.
 */
export class Watchpoint {
  readonly #breakpoint: Breakpoint;
  /** Why each condition holds now; undefined where it does not. */
  #now: (string | undefined)[] = [];
  #held = false;

  constructor(breakpoint: Breakpoint) {
    this.#breakpoint = breakpoint;
  }

  /** Before playing begins: what holds already stops nobody. */
  arm(system: System): void {
    this.#now = this.#breakpoint.map((condition) => standsAt(condition, system));
    this.#held = this.#breakpoint.length > 0 && this.#now.every((because) => because !== undefined);
  }

  /** In words, why it began to hold at this instant; undefined when it did not. */
  see(moment: Moment): string | undefined {
    if (this.#breakpoint.length === 0) return undefined;
    this.#now = this.#breakpoint.map((condition, index) =>
      concerns(condition, moment) ? becauseOf(condition, moment) : lasting(condition, this.#now[index]),
    );
    const before = this.#held;
    this.#held = this.#now.every((because) => because !== undefined);
    const happened = this.#breakpoint.some((condition) => !isLasting(condition));
    return this.#held && (!before || happened) ? this.#now.join(' and ') : undefined;
  }
}

const isLasting = ({ kind }: Condition): boolean =>
  kind === 'number' || kind === 'state' || kind === 'mailbox';

const lasting = (condition: Condition, because: string | undefined): string | undefined =>
  isLasting(condition) ? because : undefined;

/** Whether what happened can change what a lasting condition says. */
function concerns(condition: Condition, { transition }: Moment): boolean {
  if (condition.kind !== 'state' && condition.kind !== 'mailbox')
    return condition.kind !== 'number' || transition !== undefined;
  return transition !== undefined && endsWith(transition.address, condition.cell);
}

/** Why a lasting condition holds at an instant in which nothing happens. */
function standsAt(condition: Condition, system: System): string | undefined {
  if (condition.kind === 'number') {
    const { of, is, than } = condition;
    const value = of === 'turn' ? system.instant().turn : standingOf(system)[of];
    return compare(value, is, than) ? `${of} is ${value}` : undefined;
  }
  if (condition.kind !== 'state' && condition.kind !== 'mailbox') return undefined;
  for (const { address, snapshot } of system.cells()) {
    if (!endsWith(address, condition.cell)) continue;
    const because =
      condition.kind === 'state'
        ? inState(address, snapshot, condition.state)
        : mailboxOver(system, address, condition.cell, condition.percent);
    if (because !== undefined) return because;
  }
  return undefined;
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
      return inState(address, transition.snapshot, condition.state);
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

function inState(address: string, snapshot: unknown, state: string): string | undefined {
  const found = statePaths(snapshot).find((path) => endsWith(path, state, '.'));
  return found === undefined ? undefined : `${address} is in '${found}'`;
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
  return share > percent
    ? `the mailbox of ${address} is ${share.toFixed(share < 10 ? 1 : 0)}% full`
    : undefined;
}

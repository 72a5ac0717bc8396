/**
 * A statechart as data: what an XState machine declares, by names and without functions, the same in every process. For pictures,
 * the inspector feed and the journal's header. Pure. Rules RP-1, RP-7, IN-1, docs/charts.md.
 */
import { type AnyStateMachine, and, not, or, stateIn } from 'xstate';
import { digestOf } from './digest.ts';

/** Of a chart's definition: equal charts have equal hashes, in every process. */
export type ChartHash = string;

/** A statechart as data, with no function in it. */
export interface Chart {
  readonly hash: ChartHash;
  readonly id: string;
  readonly root: ChartState;
}

export interface ChartState {
  /** Unique in the chart. XState's own: keys from the root on, joined by '.', unless the chart gives the state another. */
  readonly id: string;
  readonly key: string;
  readonly type: 'atomic' | 'compound' | 'parallel' | 'final' | 'history';
  /** Id of the state inside that is entered first. */
  readonly initial?: string;
  /** What is done on the way there. */
  readonly initialActions?: readonly string[];
  /** Of a history state. */
  readonly history?: 'shallow' | 'deep';
  readonly description?: string;
  readonly tags: readonly string[];
  readonly entry: readonly string[];
  readonly exit: readonly string[];
  readonly states: readonly ChartState[];
  readonly transitions: readonly ChartTransition[];
}

export interface ChartTransition {
  /** As `descriptorOf` tells it: the event's type, '' for `always`, `after <name of the delay>`, 'done'. */
  readonly on: string;
  /** Place among the transitions of its state on `on`. */
  readonly index: number;
  /** Ids of states; empty: it stays, and without actions the event is ignored on purpose (RT-8). */
  readonly target: readonly string[];
  /** Names; an inline function is 'inline', one of the vocabulary or of XState has its name there. */
  readonly guard?: string;
  readonly actions: readonly string[];
  readonly reenter: boolean;
  readonly description?: string;
}

/** What a machine declares. Machines that differ in what `provide` gave them alone have the same chart. */
export function chartOf({ config, root, id }: AnyStateMachine): Chart {
  const known = charts.get(config);
  if (known !== undefined) return known;
  const chart = {
    hash: digestOf([id, stateOf(root, Number.POSITIVE_INFINITY)]),
    id,
    root: stateOf(root, PARAM_CHARS_MAX),
  };
  charts.set(config, chart);
  return chart;
}

/**
 * An event's descriptor as XState has it, in a reader's words: `xstate.after.pause.breaker.open` is 'after pause'. `source` is the id
 * of the state whose transition it is.
 */
export function descriptorOf(eventType: string, source: string): string {
  if (!eventType.startsWith('xstate.')) return eventType;
  if (eventType === `xstate.done.state.${source}`) return 'done';
  if (eventType.startsWith(AFTER)) {
    const suffix = `.${source}`;
    const delay = eventType.slice(AFTER.length, eventType.endsWith(suffix) ? -suffix.length : undefined);
    return /^[0-9.]+$/.test(delay) ? `after ${delay} ms` : `after ${delay}`;
  }
  return eventType.slice('xstate.'.length).replace(/^(done|error)\.actor\./, '$1 ');
}

/** How much of a text parameter stands beside a name; the hash takes all of it. @unit characters @source a label's width */
const PARAM_CHARS_MAX = 32;

const AFTER = 'xstate.after.';
const charts = new WeakMap<object, Chart>();

type StateNode = AnyStateMachine['root'];
type Transition = NonNullable<StateNode['always']>[number];

function stateOf(node: StateNode, charsMax: number): ChartState {
  const { id, key, type, description, tags, history, config } = node;
  const names = (actions: unknown): readonly string[] =>
    listOf(actions).map((one) => actionName(one, charsMax));
  const initial = type === 'compound' ? node.initial : undefined;
  const first = initial?.target?.[0];
  const initialActions = names(initial?.actions);
  return {
    id,
    key,
    type,
    ...(first === undefined ? {} : { initial: first.id }),
    ...(initialActions.length === 0 ? {} : { initialActions }),
    ...(history === false ? {} : { history }),
    ...(description === undefined ? {} : { description }),
    tags: [...tags],
    // As written: XState adds the timers of `after` to what it runs.
    entry: names(config.entry),
    exit: names(config.exit),
    states: Object.values(node.states).map((child) => stateOf(child, charsMax)),
    transitions: [...(node.always ?? []), ...[...node.transitions.values()].flat()]
      .map((one) => transitionOf(one, siblingsOf(node, one), charsMax))
      .concat(type === 'history' ? historyDefault(node) : []),
  };
}

/** The transitions of one state for one event. */
const siblingsOf = (node: StateNode, { eventType }: Transition): readonly Transition[] =>
  (eventType === '' ? node.always : node.transitions.get(eventType)) ?? [];

function transitionOf(one: Transition, siblings: readonly Transition[], charsMax: number): ChartTransition {
  const { eventType, source, target, guard, actions, reenter, description } = one;
  return {
    on: descriptorOf(eventType, source.id),
    index: siblings.indexOf(one),
    target: (target ?? []).map(({ id }) => id),
    ...(guard === undefined ? {} : { guard: guardName(guard, charsMax, false) }),
    actions: actions.map((action) => actionName(action, charsMax)),
    reenter,
    ...(description === undefined ? {} : { description }),
  };
}

/** Where a history state leads the first time, as an eventless transition. */
function historyDefault({ config, parent }: StateNode): readonly ChartTransition[] {
  const given: unknown = config.target;
  if (typeof given !== 'string' || parent === undefined) return [];
  const keys = given.replace(/^\./, '').split('.');
  const inside = keys.reduce<StateNode | undefined>((node, key) => node?.states[key], parent);
  const target = given.startsWith('#') ? given.slice(1) : (inside?.id ?? given);
  return [{ on: '', index: 0, target: [target], actions: [], reenter: false }];
}

function actionName(action: unknown, charsMax: number): string {
  if (typeof action === 'string') return action;
  if (!hasType(action)) return 'inline';
  const name = action.type.replace(/^(althing|xstate)\./, '');
  if ('event' in action && hasType(action.event)) return `${name}(${action.event.type})`;
  return name + paramsText(action, charsMax);
}

const [AND, OR, NOT, IN] = [and([]), or([]), not('-'), stateIn('-')].map(checkOf);

function guardName(guard: unknown, charsMax: number, isInside: boolean): string {
  if (typeof guard === 'string') return guard;
  const check = checkOf(guard);
  const parts = partsOf(guard).map((part) => guardName(part, charsMax, true));
  if (check === undefined) return hasType(guard) ? guard.type + paramsText(guard, charsMax) : 'inline';
  if (check === NOT) return `not ${parts.join()}`;
  if (check === IN) return `in ${paramText(readField(guard, 'stateValue'), charsMax)}`;
  if (check !== AND && check !== OR) return 'inline';
  const text = parts.join(check === AND ? ' and ' : ' or ');
  return isInside && parts.length > 1 ? `(${text})` : text;
}

/** What tells XState's combinations of guards apart. */
function checkOf(guard: unknown): unknown {
  return readField(guard, 'check');
}

const partsOf = (guard: unknown): readonly unknown[] => listOf(readField(guard, 'guards'));

function readField(of: unknown, name: string): unknown {
  return typeof of === 'function' ? Object.entries(of).find(([key]) => key === name)?.[1] : undefined;
}

/** The parameters in parentheses; those that a function computes are not known before it runs. */
function paramsText(given: object, charsMax: number): string {
  if (!('params' in given) || given.params === undefined) return '';
  const { params } = given;
  if (typeof params === 'function') return '(…)';
  const values = typeof params === 'object' && params !== null ? Object.values(params) : [params];
  return `(${values.map((value) => paramText(value, charsMax)).join(', ')})`;
}

function paramText(value: unknown, charsMax: number): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? typeof value);
  return text.length <= charsMax ? text : `${text.slice(0, charsMax - 1).trimEnd()}…`;
}

const listOf = (given: unknown): readonly unknown[] =>
  given === undefined ? [] : Array.isArray(given) ? given : [given];

const hasType = (given: unknown): given is { readonly type: string } =>
  (typeof given === 'object' || typeof given === 'function') &&
  given !== null &&
  'type' in given &&
  typeof given.type === 'string';

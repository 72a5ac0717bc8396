/**
 * A chart in the form that Stately's tools and XState's `createMachine` read, and the ids of its active states as a state value.
 * Pure. Rule IN-3, docs/inspector.md.
 */
import type { Chart, ChartState, ChartTransition } from '../feed/feed.ts';
import type { StateValue } from './messages.ts';

/** The text of a machine's configuration: all that the chart declares, with names where functions were. */
export function definitionOf(chart: Chart): string {
  const targets = new Map<string, string>();
  collectTargets(chart.root, `#${escaped(chart.id)}`, targets);
  return JSON.stringify({ id: chart.id, ...stateConfig(chart.root, targets) });
}

/** What is active, from the innermost ids; a region of which none is told is entered where it begins. */
export function stateValueOf({ root }: Chart, states: readonly string[]): StateValue {
  const active = new Set(states);
  return valueWithin(root, active);
}

/** Tags of the active states and of those around them. */
export function tagsOf({ root }: Chart, states: readonly string[]): readonly string[] {
  const active = new Set(states);
  const tags = new Set<string>();
  const visit = (state: ChartState): void => {
    if (!isActive(state, active)) return;
    for (const tag of state.tags) tags.add(tag);
    state.states.forEach(visit);
  };
  visit(root);
  return [...tags];
}

function valueWithin(state: ChartState, active: ReadonlySet<string>): StateValue {
  if (state.type === 'parallel')
    return Object.fromEntries(
      regionsOf(state).map((region) => [region.key, valueWithin(region, active)] as const),
    );
  const inner =
    state.states.find((child) => isActive(child, active)) ??
    state.states.find(({ id }) => id === state.initial);
  if (inner === undefined) return {};
  return inner.states.length === 0 ? inner.key : { [inner.key]: valueWithin(inner, active) };
}

const isActive = (state: ChartState, active: ReadonlySet<string>): boolean =>
  active.has(state.id) || state.states.some((child) => isActive(child, active));

const regionsOf = ({ states }: ChartState): readonly ChartState[] =>
  states.filter(({ type }) => type !== 'history');

/** Every state by its place: XState reads `#<id of the machine>.<key>.<key>` whatever ids the states have. */
function collectTargets(state: ChartState, place: string, targets: Map<string, string>): void {
  targets.set(state.id, place);
  for (const child of state.states) collectTargets(child, `${place}.${escaped(child.key)}`, targets);
}

/** A dot parts keys, unless it is escaped. */
const escaped = (key: string): string => key.replaceAll('.', '\\.');

function stateConfig(state: ChartState, targets: ReadonlyMap<string, string>): object {
  const { type, description, tags, entry, exit, states, history } = state;
  const isSpelledOut = type === 'parallel' || type === 'final' || type === 'history';
  return {
    ...(isSpelledOut ? { type } : {}),
    ...(history === undefined ? {} : { history }),
    ...(description === undefined ? {} : { description }),
    ...initialConfig(state),
    ...(tags.length === 0 ? {} : { tags }),
    ...(entry.length === 0 ? {} : { entry: entry.map(named) }),
    ...(exit.length === 0 ? {} : { exit: exit.map(named) }),
    ...(type === 'history' ? historyTarget(state, targets) : transitionsConfig(state, targets)),
    ...(states.length === 0
      ? {}
      : { states: Object.fromEntries(states.map((child) => [child.key, stateConfig(child, targets)])) }),
  };
}

function initialConfig({ initial, initialActions, states }: ChartState): object {
  const first = states.find(({ id }) => id === initial);
  if (first === undefined) return {};
  return {
    initial:
      initialActions === undefined ? first.key : { target: first.key, actions: initialActions.map(named) },
  };
}

function historyTarget({ transitions }: ChartState, targets: ReadonlyMap<string, string>): object {
  const [target] = transitions.flatMap((transition) => targetsOf(transition, targets));
  return target === undefined ? {} : { target };
}

/** `on`, `always`, `after` and `onDone`, each in the order of the chart. */
function transitionsConfig({ transitions }: ChartState, targets: ReadonlyMap<string, string>): object {
  const on = new Map<string, object[]>();
  const after = new Map<string, object[]>();
  const always: object[] = [];
  const onDone: object[] = [];
  for (const transition of transitions) {
    const config = transitionConfig(transition, targets);
    const delay = /^after (?:([0-9.]+) ms|(.+))$/.exec(transition.on);
    if (transition.on === '') always.push(config);
    else if (transition.on === 'done') onDone.push(config);
    else if (delay === null) add(on, transition.on, config);
    else add(after, delay[1] ?? delay[2] ?? '', config);
  }
  return {
    ...(always.length === 0 ? {} : { always }),
    ...(onDone.length === 0 ? {} : { onDone }),
    ...(on.size === 0 ? {} : { on: Object.fromEntries(on) }),
    ...(after.size === 0 ? {} : { after: Object.fromEntries(after) }),
  };
}

function add(into: Map<string, object[]>, key: string, config: object): void {
  const before = into.get(key);
  if (before === undefined) into.set(key, [config]);
  else before.push(config);
}

function transitionConfig(transition: ChartTransition, targets: ReadonlyMap<string, string>): object {
  const { guard, actions, reenter, description } = transition;
  const target = targetsOf(transition, targets);
  return {
    ...(target.length === 0 ? {} : { target: target.length === 1 ? target[0] : target }),
    ...(guard === undefined ? {} : { guard: named(guard) }),
    ...(actions.length === 0 ? {} : { actions: actions.map(named) }),
    ...(reenter ? { reenter } : {}),
    ...(description === undefined ? {} : { description }),
  };
}

const targetsOf = ({ target }: ChartTransition, targets: ReadonlyMap<string, string>): readonly string[] =>
  target.flatMap((id) => targets.get(id) ?? []);

const named = (type: string): object => ({ type });

/**
 * Which transition a message takes, what it runs, and whether a chart is at rest, read off the chart's own tables: XState
 * answers the same by a search that costs a sixth of a simulated network's time. Undefined wherever a chart has more than these
 * tables say (parallel regions, event patterns, guards made of guards, a guard that throws): XState answers there.
 * test/machines/vocabulary/contract.test.ts holds both against each other. Pure. ADR 0001.
 */
import type { AnyMachineSnapshot, AnyStateMachine } from 'xstate';
import type { Message } from '../../protocol/supervision/effect.ts';

/** A transition as XState keeps it. */
export interface RawTransition {
  readonly eventType: string;
  readonly actions: readonly (
    | string
    | { readonly type: string; readonly params?: unknown }
    | ((...given: never[]) => void)
  )[];
  readonly guard?: unknown;
  readonly source: RawNode;
  readonly target?: readonly { readonly id: string }[] | undefined;
}

interface RawNode {
  readonly id: string;
  readonly type: string;
  readonly parent?: RawNode | undefined;
  readonly always?: readonly RawTransition[] | undefined;
  readonly transitions: ReadonlyMap<string, readonly RawTransition[]>;
}

interface GuardArgs {
  readonly context: object;
  readonly event: Message;
}

interface Candidate {
  /** As a selection of one. */
  readonly selection: readonly [RawTransition];
  readonly isEnabled: ((args: GuardArgs) => unknown) | undefined;
}

/** What is known of an atomic state and its ancestors. */
interface Leaf {
  /** From the state itself outwards: whoever is enabled first is taken. */
  readonly chain: readonly RawNode[];
  readonly hasPatterns: boolean;
  readonly candidates: Map<string, readonly Candidate[] | 'not plain'>;
  /** Its eventless transitions; undefined when only XState can tell. */
  readonly always: readonly Candidate[] | undefined;
}

const leaves = new WeakMap<RawNode, Leaf>();
const NONE: readonly RawTransition[] = [];

/** What the message selects: one transition or none. Undefined: ask XState. */
export function select(
  machine: AnyStateMachine,
  snapshot: AnyMachineSnapshot,
  event: Message,
): readonly RawTransition[] | undefined {
  const nodes: readonly RawNode[] = snapshot._nodes;
  const node = nodes.find(isLeaf);
  if (node === undefined) return undefined;
  const leaf = leafOf(machine, node);
  // More states than these are those of a parallel region.
  if (leaf.chain.length !== nodes.length) return undefined;
  const candidates = candidatesFor(machine, leaf, event.type);
  if (candidates === undefined) return undefined;
  const { context } = snapshot;
  try {
    for (const { selection, isEnabled } of candidates) {
      if (isEnabled === undefined || isEnabled({ context, event })) return selection;
    }
  } catch {
    // XState asks again, and says which guard of which state it was.
    return undefined;
  }
  return NONE;
}

/** True when certainly no eventless transition is enabled. */
export function isAtRest(machine: AnyStateMachine, snapshot: AnyMachineSnapshot, event: Message): boolean {
  const nodes: readonly RawNode[] = snapshot._nodes;
  for (const node of nodes) {
    if (!isLeaf(node)) continue;
    const { always } = leafOf(machine, node);
    if (always === undefined) return false;
    if (always.length === 0) continue;
    const { context } = snapshot;
    try {
      for (const { isEnabled } of always) {
        if (isEnabled === undefined || isEnabled({ context, event })) return false;
      }
    } catch {
      return false;
    }
  }
  return true;
}

const isLeaf = ({ type }: RawNode): boolean => type === 'atomic' || type === 'final';

function leafOf(machine: AnyStateMachine, node: RawNode): Leaf {
  const known = leaves.get(node);
  if (known !== undefined) return known;
  const chain: RawNode[] = [];
  for (let one: RawNode | undefined = node; one !== undefined; one = one.parent) chain.push(one);
  const leaf: Leaf = {
    chain,
    hasPatterns: chain.some(({ transitions }) => [...transitions.keys()].some((type) => type.endsWith('*'))),
    candidates: new Map(),
    always: candidatesAmong(
      machine,
      chain.flatMap(({ always }) => always ?? []),
    ),
  };
  leaves.set(node, leaf);
  return leaf;
}

function candidatesFor(machine: AnyStateMachine, leaf: Leaf, type: string): readonly Candidate[] | undefined {
  const { chain, hasPatterns, candidates } = leaf;
  if (hasPatterns) return undefined;
  const known = candidates.get(type);
  if (known !== undefined) return known === 'not plain' ? undefined : known;
  const transitions = chain.flatMap((node) => node.transitions.get(type) ?? []);
  // What no state of the chart names is not kept: a sender must not fill the table with names.
  if (transitions.length === 0) return [];
  const found = candidatesAmong(machine, transitions);
  candidates.set(type, found ?? 'not plain');
  return found;
}

/** Undefined when a guard is not a plain function. */
function candidatesAmong(
  machine: AnyStateMachine,
  transitions: readonly RawTransition[],
): readonly Candidate[] | undefined {
  const candidates: Candidate[] = [];
  for (const transition of transitions) {
    const { guard } = transition;
    const isEnabled = guard === undefined ? undefined : plainGuard(machine, guard);
    if (isEnabled === 'not plain') return undefined;
    candidates.push({ selection: [transition], isEnabled });
  }
  return candidates;
}

function plainGuard(machine: AnyStateMachine, guard: unknown): Candidate['isEnabled'] | 'not plain' {
  if (isPlain(guard)) return (args) => guard(args, undefined);
  const { guards } = machine.implementations;
  if (typeof guard === 'string') {
    // XState takes an empty name for no guard in some places and not in others.
    if (guard === '') return 'not plain';
    const named: unknown = guards[guard];
    return isPlain(named) ? (args) => named(args, undefined) : 'not plain';
  }
  if (typeof guard !== 'object' || guard === null || !('type' in guard)) return 'not plain';
  if (typeof guard.type !== 'string') return 'not plain';
  const named: unknown = guards[guard.type];
  if (!isPlain(named)) return 'not plain';
  const params: unknown = 'params' in guard ? guard.params : undefined;
  if (typeof params === 'function') return (args) => named(args, params.call(guard, { ...args }));
  return (args) => named(args, params);
}

/** What a guard says, a combination of guards too. Throws what the guard throws. */
export function guardOf(
  machine: AnyStateMachine,
  guard: unknown,
  snapshot: AnyMachineSnapshot,
  event: Message,
): boolean {
  const { context } = snapshot;
  const plain = plainGuard(machine, guard);
  if (typeof plain === 'function') return Boolean(plain({ context, event }));
  const named: unknown = typeof guard === 'string' ? machine.implementations.guards[guard] : guard;
  return isCombination(named) && named.check(snapshot, { context, event }, named);
}

interface Combination {
  readonly check: (snapshot: AnyMachineSnapshot, args: GuardArgs, own: Combination) => boolean;
}

const isCombination = (guard: unknown): guard is Combination =>
  typeof guard === 'function' && 'check' in guard && typeof guard.check === 'function';

/** A guard that is no combination of guards, which XState knows by `check`. */
const isPlain = (guard: unknown): guard is (args: GuardArgs, params: unknown) => unknown =>
  typeof guard === 'function' && !('check' in guard);

/** The protocol of XState's builtin actions, which the vocabulary's follow. */
interface ResolvableAction {
  readonly type: string;
  readonly resolve: (
    scope: unknown,
    snapshot: AnyMachineSnapshot,
    args: object,
    params: unknown,
    action: ResolvableAction,
    extra: object,
  ) => readonly [AnyMachineSnapshot, unknown, unknown];
}

interface DirectAction {
  readonly action: ResolvableAction;
  /** As the chart gives them: a value, or a function of the step. */
  readonly params: unknown;
}

const directActions = new WeakMap<RawTransition, readonly DirectAction[] | 'none'>();

/** The actions of a transition that stays, if each only assigns or adds effects; looked up once. */
export function directActionsOf(
  machine: AnyStateMachine,
  transition: RawTransition,
): readonly DirectAction[] | undefined {
  const known = directActions.get(transition);
  if (known !== undefined) return known === 'none' ? undefined : known;
  const found =
    transition.target === undefined ? transition.actions.map(directActionIn(machine)) : [undefined];
  const direct = found.filter((action) => action !== undefined);
  directActions.set(transition, direct.length === found.length ? direct : 'none');
  return direct.length === found.length ? direct : undefined;
}

const directActionIn =
  (machine: AnyStateMachine) =>
  (action: RawTransition['actions'][number]): DirectAction | undefined => {
    const resolved =
      typeof action === 'function'
        ? action
        : machine.implementations.actions[typeof action === 'string' ? action : action.type];
    if (!isResolvable(resolved) || 'execute' in resolved) return undefined;
    if (resolved.type !== 'xstate.assign' && !resolved.type.startsWith('althing.')) return undefined;
    return { action: resolved, params: typeof action === 'object' ? action.params : undefined };
  };

const isResolvable = (action: unknown): action is ResolvableAction =>
  typeof action === 'function' && 'resolve' in action && 'type' in action;

/**
 * Which transition a message takes, and whether a chart is at rest, read off the chart's own tables: XState answers the
 * same by a search that costs a sixth of a simulated network's time. Undefined wherever a chart has more than these
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
  readonly candidates: Map<string, readonly Candidate[] | undefined>;
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
  const node = onlyLeaf(snapshot);
  if (node === undefined) return undefined;
  const leaf = leafOf(machine, node);
  // A parallel region without an atomic state has transitions all the same.
  if (leaf.chain.length !== snapshot._nodes.length) return undefined;
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

function onlyLeaf({ _nodes }: AnyMachineSnapshot): RawNode | undefined {
  const nodes: readonly RawNode[] = _nodes;
  let leaf: RawNode | undefined;
  for (const node of nodes) {
    if (!isLeaf(node)) continue;
    if (leaf !== undefined) return undefined;
    leaf = node;
  }
  return leaf;
}

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
  if (known !== undefined || candidates.has(type)) return known;
  const transitions = chain.flatMap((node) => node.transitions.get(type) ?? []);
  // What no state of the chart names is not kept: a sender must not fill the table with names.
  if (transitions.length === 0) return [];
  const found = candidatesAmong(machine, transitions);
  candidates.set(type, found);
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
  // XState takes an empty name for no guard in some places and not in others.
  if (guard === '') return 'not plain';
  if (typeof guard === 'string') {
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

/** A guard that is no combination of guards, which XState knows by `check`. */
const isPlain = (guard: unknown): guard is (args: GuardArgs, params: unknown) => unknown =>
  typeof guard === 'function' && !('check' in guard);

/**
 * Which states and transitions of every chart the runs have reached, and which they have not: the lists come from the
 * charts themselves. Watching costs, so it is asked for. Deterministic. Rule SM-7.
 */
import { type AnyStateMachine, StateMachine } from 'xstate';
import type { System, Transition } from '../actors/runtime/index.ts';

/** How far one chart was seen. */
export interface ChartCoverage {
  readonly states: Reached;
  readonly transitions: Reached;
}

export interface Reached {
  readonly reached: number;
  readonly all: number;
  readonly missing: readonly string[];
}

type StateNode = AnyStateMachine['root'];

interface Chart {
  readonly states: ReadonlySet<string>;
  readonly transitions: ReadonlySet<string>;
  readonly reached: Set<string>;
}

export class Coverage {
  readonly #charts = new Map<string, Chart>();
  readonly #byMachine = new WeakMap<object, Chart>();

  /** Watches a system from now on. */
  watch(system: System): void {
    system.inspect({ transition: (transition) => this.#note(transition) });
  }

  /** By the name of the chart, in order. Charts that no cell ran are not there. */
  report(): Readonly<Record<string, ChartCoverage>> {
    const entries = [...this.#charts].sort(([left], [right]) => (left < right ? -1 : 1));
    return Object.fromEntries(
      entries.map(([name, { states, transitions, reached }]) => [
        name,
        { states: against(states, reached), transitions: against(transitions, reached) },
      ]),
    );
  }

  #note({ snapshot, microsteps }: Transition): void {
    const machine = machineOf(snapshot);
    if (machine === undefined) return;
    const { reached } = this.#chartOf(machine);
    for (const { transitions } of microsteps) {
      for (const { source, target, on, index } of transitions) {
        reached.add(transitionName(source, on, index));
        for (const id of target) reached.add(id);
      }
    }
    for (const { id } of nodesOf(snapshot)) reached.add(id);
  }

  #chartOf(machine: AnyStateMachine): Chart {
    const known = this.#byMachine.get(machine);
    if (known !== undefined) return known;
    const chart = this.#charts.get(machine.id) ?? chartOf(machine);
    this.#charts.set(machine.id, chart);
    this.#byMachine.set(machine, chart);
    return chart;
  }
}

/** Several reports of the same charts as one: reached in any. */
export function mergeCoverage(
  reports: readonly Readonly<Record<string, ChartCoverage>>[],
): Readonly<Record<string, ChartCoverage>> {
  const names = [...new Set(reports.flatMap((report) => Object.keys(report)))].sort();
  return Object.fromEntries(
    names.map((name) => {
      const [first, ...others] = reports.flatMap((report) => report[name] ?? []);
      const merged = others.reduce(
        (sum, one) => ({
          states: mergeReached(sum.states, one.states),
          transitions: mergeReached(sum.transitions, one.transitions),
        }),
        first ?? NOTHING,
      );
      return [name, merged];
    }),
  );
}

const NOTHING: ChartCoverage = {
  states: { reached: 0, all: 0, missing: [] },
  transitions: { reached: 0, all: 0, missing: [] },
};

function mergeReached(left: Reached, right: Reached): Reached {
  const missing = left.missing.filter((name) => right.missing.includes(name));
  return { reached: left.all - missing.length, all: left.all, missing };
}

function against(all: ReadonlySet<string>, reached: ReadonlySet<string>): Reached {
  const missing = [...all].filter((name) => !reached.has(name)).sort();
  return { reached: all.size - missing.length, all: all.size, missing };
}

function chartOf(machine: AnyStateMachine): Chart {
  const states = new Set<string>();
  const transitions = new Set<string>();
  const pending: StateNode[] = [machine.root];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    states.add(node.id);
    for (const [type, candidates] of node.transitions) {
      for (const index of candidates.keys()) transitions.add(transitionName(node.id, type, index));
    }
    for (const index of (node.always ?? []).keys()) transitions.add(transitionName(node.id, '', index));
    pending.push(...Object.values(node.states));
  }
  return { states, transitions, reached: new Set() };
}

const transitionName = (source: string, on: string, index: number): string =>
  `${source} on ${on === '' ? 'always' : on} [${index}]`;

/** XState keeps the chart and the active states in a snapshot; the runtime shows it as it is. */
function machineOf(snapshot: unknown): AnyStateMachine | undefined {
  if (typeof snapshot !== 'object' || snapshot === null || !('machine' in snapshot)) return undefined;
  return snapshot.machine instanceof StateMachine ? snapshot.machine : undefined;
}

function nodesOf(snapshot: unknown): readonly { readonly id: string }[] {
  if (typeof snapshot !== 'object' || snapshot === null || !('_nodes' in snapshot)) return [];
  const { _nodes: nodes } = snapshot;
  return Array.isArray(nodes) ? nodes : [];
}

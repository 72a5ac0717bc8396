/**
 * The scope in which XState's `logic.transition` runs as a step function; with selection.ts what touches its internals.
 * Pure towards the world: effects are gathered as data and handed to the caller. XState is pinned at 5.33.3;
 * test/machines/vocabulary/contract.test.ts holds this against XState's own actors. Rules RT-11, RT-12, ADR 0001.
 */
import type {
  AnyActorLogic,
  AnyActorScope,
  AnyEventObject,
  AnyMachineSnapshot,
  AnyStateMachine,
  EventFrom,
  Snapshot,
  SnapshotFrom,
} from 'xstate';
import type { SupervisionEffect } from '../../protocol/supervision/child.ts';
import type { CellAddress, Effect, Message } from '../../protocol/supervision/effect.ts';
import { directActionsOf, isAtRest, type RawTransition, select } from './selection.ts';
import { TURN, type Turn } from './turn.ts';

/** A state timeout of `after` or of a delayed `raise`; it ends with its state (RT-12). */
export type StateTimerEffect =
  | {
      readonly kind: 'startStateTimer';
      readonly id: string;
      readonly delayMs: number;
      readonly event: Message;
      /** True for `after`, which XState itself cancels at exit; false for `raise`, which the runtime ends. */
      readonly cancelledByChart: boolean;
    }
  | { readonly kind: 'cancelStateTimer'; readonly id: string };

/** Everything that a step can ask for. */
export type CellEffect =
  | Effect
  | StateTimerEffect
  | SupervisionEffect
  | { readonly kind: 'emit'; readonly event: Message };

/** One microstep, for the inspector. */
export interface Microstep {
  readonly event: Message;
  readonly value: unknown;
  readonly transitions: readonly TakenTransition[];
}

export interface TakenTransition {
  /** Ids of states. */
  readonly source: string;
  readonly target: readonly string[];
  /** The event's descriptor in the chart, `''` for `always`, and the place among the source's transitions for it. */
  readonly on: string;
  readonly index: number;
}

/** `self` in a chart's arguments: it has an address, and cannot be sent to. */
class CellSelf {
  readonly system: CellSystem;
  constructor(system: CellSystem) {
    this.system = system;
  }
  get id(): CellAddress {
    return this.system[TURN].address;
  }
  get sessionId(): CellAddress {
    return this.system[TURN].address;
  }
  get _parent(): never {
    throw new Error('sendParent is not for cells: tell the address of the parent');
  }
  send(): never {
    throw new Error('self.send is not for cells: use raise, or tell(address, message)');
  }
}

/** `system` in a chart's arguments: it carries the turn. */
class CellSystem {
  [TURN]: Turn;
  microsteps: Microstep[] | undefined;
  /** A transition was selected since this was last set to false. */
  tookTransition = false;
  constructor(turn: Turn) {
    this[TURN] = turn;
  }
  _bookId(): never {
    throw new Error(
      "invoke, spawnChild and assign's spawn are not for cells: use spawn(kind, { id }) of the vocabulary, whose child is supervised",
    );
  }
  _sendInspectionEvent(event: {
    readonly type: string;
    readonly event: Message;
    readonly snapshot: AnyMachineSnapshot;
    readonly _transitions: readonly RawTransition[];
  }): void {
    if (event._transitions.length > 0) this.tookTransition = true;
    if (this.microsteps === undefined) return;
    this.microsteps.push({
      event: event.event,
      value: event.snapshot.value,
      transitions: event._transitions.map((taken) => ({
        source: taken.source.id,
        target: (taken.target ?? []).map(({ id }) => id),
        on: taken.eventType,
        index: siblingsOf(taken).indexOf(taken),
      })),
    });
  }
}

/** The transitions of one state for one event. */
const siblingsOf = ({ source, eventType }: RawTransition): readonly RawTransition[] =>
  (eventType === '' ? source.always : source.transitions.get(eventType)) ?? [];

/** What XState has selected already for the step that it is about to take. */
let selection:
  | {
      readonly snapshot: AnyMachineSnapshot;
      readonly event: Message;
      readonly transitions: readonly RawTransition[];
    }
  | undefined;

const prepared = new WeakSet<AnyStateMachine>();
const NO_QUEUE = Object.freeze({});

interface RawAction {
  readonly type: string;
  readonly info: unknown;
  readonly params: unknown;
  readonly exec: ((info: unknown, params: unknown) => void) | undefined;
}

/** Gathers the effects of one step at a time. One scope serves all cells of a system, since steps never nest. */
export class CellScope {
  readonly system: CellSystem;
  readonly self: CellSelf;
  readonly id = '';
  readonly sessionId = '';
  effects: CellEffect[] = [];
  #custom: RawAction[] | undefined;
  /** Delayed raises without an id so far: their names. */
  raises = 0;

  constructor(turn: Turn) {
    this.system = new CellSystem(turn);
    this.self = new CellSelf(this.system);
  }

  // XState replaces this field during a microstep and restores it, so it is a field and not a method.
  actionExecutor: (action: RawAction) => void = (raw) => this.#gather(raw);
  readonly logger = (): void => undefined;
  readonly defer = (): void => undefined;
  readonly emit = (): void => undefined;
  readonly stopChild = (): void => undefined;

  /** Gathers microsteps of the following steps, or stops doing so. */
  inspectMicrosteps(on: boolean): void {
    this.system.microsteps = on ? [] : undefined;
  }

  /** The microsteps of the last step, if they are gathered. */
  takeMicrosteps(): readonly Microstep[] {
    const { microsteps } = this.system;
    if (microsteps === undefined) return [];
    this.system.microsteps = [];
    return microsteps;
  }

  /** The first snapshot, and its effects in `this.effects`. Throws what the chart throws (RT-11). */
  start(machine: AnyStateMachine, input: unknown): AnyMachineSnapshot {
    this.#clear();
    try {
      const first: AnyMachineSnapshot = machine.getInitialSnapshot(asActorScope(this), input);
      if (first.status === 'error') throw first.error;
      if (this.#custom !== undefined) this.#runCustom();
      return first;
    } catch (error) {
      this.#clear();
      throw error;
    }
  }

  /** The next snapshot, and its effects in `this.effects`. Throws what the chart throws (RT-11). */
  step(machine: AnyStateMachine, snapshot: AnyMachineSnapshot, event: Message): AnyMachineSnapshot {
    if (this.effects.length > 0) this.effects = [];
    this.system.tookTransition = false;
    try {
      const next = this.#stepWithin(machine, snapshot, event) ?? this.#stepAnyhow(machine, snapshot, event);
      if (this.#custom !== undefined) this.#runCustom();
      return next;
    } catch (error) {
      this.#clear();
      throw error;
    }
  }

  /**
   * The step that most messages cause, without XState's search for states to leave and enter: one transition without a
   * target, whose actions assign or act. What `always` makes of it is XState's again. Undefined for any other step; its
   * selection is then kept for XState, so that guards run once.
   */
  #stepWithin(
    machine: AnyStateMachine,
    snapshot: AnyMachineSnapshot,
    event: Message,
  ): AnyMachineSnapshot | undefined {
    if (!prepared.has(machine) || this.system.microsteps !== undefined) return undefined;
    if (snapshot.status !== 'active' || event.type === '*' || event.type.startsWith('xstate.'))
      return undefined;
    const transitions =
      select(machine, snapshot, event) ??
      (machine.getTransitionData(snapshot, asEvent(event)) as readonly RawTransition[]);
    const [transition] = transitions;
    if (transition === undefined) return this.#settled(machine, snapshot, event);
    const actions = transitions.length === 1 ? directActionsOf(machine, transition) : undefined;
    if (actions === undefined) {
      selection = { snapshot, event, transitions };
      return undefined;
    }
    this.system.tookTransition = true;
    let next: AnyMachineSnapshot = snapshot;
    for (const { action, params } of actions) {
      const { context } = next;
      const args = { context, event, self: this.self, system: this.system };
      const given = typeof params === 'function' ? params({ context, event }) : params;
      [next] = action.resolve(this, next, args, given, action, NO_QUEUE);
    }
    return this.#settled(machine, next, event);
  }

  /** What `always` makes of a step that stays: the same macrostep goes on, with nothing left to select for the event. */
  #settled(machine: AnyStateMachine, snapshot: AnyMachineSnapshot, event: Message): AnyMachineSnapshot {
    if (isAtRest(machine, snapshot, event)) return snapshot;
    selection = { snapshot, event, transitions: [] };
    return this.#stepAnyhow(machine, snapshot, event);
  }

  #stepAnyhow(machine: AnyStateMachine, snapshot: AnyMachineSnapshot, event: Message): AnyMachineSnapshot {
    try {
      return machine.transition(snapshot, asEvent(event), asActorScope(this));
    } finally {
      selection = undefined;
    }
  }

  /**
   * True when no transition was enabled in the step from `before` to `after`, the last one: not even one without
   * actions, a wildcard or a forbidden transition (RT-8). XState tells which it selected, so guards run once.
   */
  wasUnhandled(before: AnyMachineSnapshot, after: AnyMachineSnapshot): boolean {
    return before === after && !this.system.tookTransition;
  }

  /** The first state of a reducer. */
  startReducer(logic: AnyActorLogic, input: unknown): Snapshot<unknown> {
    this.#clear();
    const first: Snapshot<unknown> = logic.getInitialSnapshot(asActorScope(this), input);
    return first;
  }

  /** The next state of a reducer. */
  reduce(logic: AnyActorLogic, state: Snapshot<unknown>, event: Message): Snapshot<unknown> {
    this.#clear();
    const next: Snapshot<unknown> = logic.transition(state, asEvent(event), asActorScope(this));
    return next;
  }

  /** A snapshot as data, and back. */
  persist(machine: AnyStateMachine, snapshot: AnyMachineSnapshot): Snapshot<unknown> {
    return machine.getPersistedSnapshot(snapshot);
  }

  restore(machine: AnyStateMachine, persisted: Snapshot<unknown>): AnyMachineSnapshot {
    return machine.restoreSnapshot(persisted, asActorScope(this));
  }

  #clear(): void {
    this.effects = [];
    this.#custom = undefined;
  }

  // Plain functions among a chart's actions run last, so that a throw in the chart has run none of them.
  #runCustom(): void {
    const custom = this.#custom ?? [];
    this.#custom = undefined;
    for (const { exec, info, params } of custom) exec?.(info, params);
  }

  #gather(raw: RawAction): void {
    const { params } = raw;
    switch (raw.type) {
      case 'xstate.raise': {
        if (!isDelayed(params)) return;
        const { id, event, delay } = params;
        this.raises += id === undefined ? 1 : 0;
        this.effects.push({
          kind: 'startStateTimer',
          id: id ?? `raise.${this.raises}`,
          delayMs: delay,
          event,
          cancelledByChart: event.type.startsWith('xstate.after.'),
        });
        return;
      }
      case 'xstate.cancel':
        this.effects.push({ kind: 'cancelStateTimer', id: readSendId(params) });
        return;
      case 'xstate.emit':
        if (hasEvent(params)) this.effects.push({ kind: 'emit', event: params.event });
        return;
      case 'xstate.stopChild':
        return;
      case 'xstate.sendTo':
        throw new Error('sendTo, sendParent and forwardTo are not for cells: use tell(address, message)');
      default:
        this.#custom ??= [];
        this.#custom.push(raw);
    }
  }
}

interface DelayedRaise {
  readonly event: Message;
  readonly id: string | undefined;
  readonly delay: number;
}

function isDelayed(params: unknown): params is DelayedRaise {
  return hasEvent(params) && 'delay' in params && typeof params.delay === 'number';
}

function hasEvent(params: unknown): params is { readonly event: Message } {
  return typeof params === 'object' && params !== null && 'event' in params;
}

function readSendId(params: unknown): string {
  return typeof params === 'object' && params !== null && 'sendId' in params ? String(params.sendId) : '';
}

// XState types its scope by its own Actor; at run time it uses only the fields above.
const asActorScope = (scope: CellScope): AnyActorScope => scope as unknown as AnyActorScope;
const asEvent = (event: Message): AnyEventObject => event;

/** A machine's own snapshot type, for a snapshot that the machine has made. */
export const asSnapshotOf = <Machine extends AnyStateMachine>(
  snapshot: AnyMachineSnapshot,
): SnapshotFrom<Machine> => snapshot as SnapshotFrom<Machine>;

/** A machine's own event type, for an event that the machine has made. */
export const asEventOf = <Machine extends AnyStateMachine>(event: Message): EventFrom<Machine> =>
  event as EventFrom<Machine>;

/** Microsteps of one step after which it is a cycle. @unit microsteps @source far above any chart's longest step */
const MICROSTEPS_MAX = 10_000;

/** Makes a chart fit for cells: a cycle of transitions throws and does not hang. Throws when it uses `invoke`. */
export function prepareChart(machine: AnyStateMachine): void {
  if (prepared.has(machine)) return;
  const { options } = machine;
  if (options.maxIterations === undefined || options.maxIterations > MICROSTEPS_MAX) {
    machine.options = { ...options, maxIterations: MICROSTEPS_MAX };
  }
  const pending = [machine.root];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (node.invoke.length > 0) {
      throw new Error(
        `chart '${machine.id}' invokes '${String(node.invoke[0]?.src)}' in state '${node.id}': use an entry action spawn(kind, { id }) and an exit action stop(id)`,
      );
    }
    pending.push(...Object.values(node.states));
  }
  prepared.add(machine);
  const searched = machine.getTransitionData.bind(machine);
  machine.getTransitionData = (snapshot, event) => {
    if (selection?.snapshot !== snapshot || selection.event !== event) return searched(snapshot, event);
    const { transitions } = selection;
    selection = undefined;
    return transitions as ReturnType<typeof searched>;
  };
}

/** True when both snapshots are in the same states, whatever their contexts. */
export function isSameState(left: AnyMachineSnapshot, right: AnyMachineSnapshot): boolean {
  const before = left._nodes;
  const after = right._nodes;
  return before === after || (before.length === after.length && after.every((node) => before.includes(node)));
}

/** Ids of the atomic states that a snapshot is in. */
export function atomicStates(snapshot: AnyMachineSnapshot): readonly string[] {
  return snapshot._nodes.filter(({ type }) => type === 'atomic' || type === 'final').map(({ id }) => id);
}

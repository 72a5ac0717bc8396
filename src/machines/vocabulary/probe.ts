/**
 * Steps a chart without a system, for tests of machines: an event in, the next snapshot and its effects out.
 * Pure: time, sender and draws are what the caller says. docs/runtime.md.
 */
import type { AnyStateMachine, EventFrom, InputFrom, SnapshotFrom } from 'xstate';
import { type Monotonic, monotonic, type WallTime, wallTime } from '../../base/units.ts';
import type { CellAddress } from '../../protocol/supervision/effect.ts';
import {
  asEventOf,
  asSnapshotOf,
  type CellEffect,
  CellScope,
  type Microstep,
  prepareChart,
} from './scope.ts';

/** What a step sees of the world; the rest is as before. */
export interface Circumstances {
  readonly now?: Monotonic;
  readonly wall?: WallTime;
  readonly sender?: CellAddress;
  /** Draws in order; afterwards 0.5. */
  readonly draws?: readonly number[];
}

/** A chart that is stepped by hand. A step that throws changes nothing (RT-11). */
export interface Probe<Machine extends AnyStateMachine> {
  readonly snapshot: SnapshotFrom<Machine>;
  /** Of the last step. */
  readonly effects: readonly CellEffect[];
  readonly microsteps: readonly Microstep[];
  /** Steps with a message; gives its effects. */
  send(event: EventFrom<Machine>, circumstances?: Circumstances): readonly CellEffect[];
  /** Steps with the event of an `after` that is armed now: its only one, or the one of that delay. */
  elapse(delayMs?: number, circumstances?: Circumstances): readonly CellEffect[];
}

/** Starts a chart for a test: `probe(machine, { input, address: 'node/peer' })`. */
export function probe<Machine extends AnyStateMachine>(
  machine: Machine,
  start: Circumstances & { readonly input?: InputFrom<Machine>; readonly address?: CellAddress } = {},
): Probe<Machine> {
  let draws: readonly number[] = [];
  const turn = {
    now: monotonic(0),
    wall: wallTime(0),
    address: start.address ?? 'probe',
    sender: start.sender,
    draw(): number {
      const [first = 0.5, ...rest] = draws;
      draws = rest;
      return first;
    },
  };
  prepareChart(machine);
  const scope = new CellScope(turn);
  scope.inspectMicrosteps(true);
  const timers = new Map<string, { readonly delayMs: number; readonly event: EventFrom<Machine> }>();
  const enter = ({ now, wall, sender, draws: given }: Circumstances): void => {
    turn.now = now ?? turn.now;
    turn.wall = wall ?? turn.wall;
    turn.sender = sender;
    draws = given ?? [];
  };
  const note = (effects: readonly CellEffect[]): readonly CellEffect[] => {
    for (const effect of effects) {
      if (effect.kind === 'cancelStateTimer') timers.delete(effect.id);
      if (effect.kind === 'startStateTimer') {
        timers.set(effect.id, { delayMs: effect.delayMs, event: asEventOf<Machine>(effect.event) });
      }
    }
    return effects;
  };
  enter(start);
  let snapshot = scope.start(machine, start.input);
  let effects = note(scope.effects);
  let microsteps = scope.takeMicrosteps();
  const send = (event: EventFrom<Machine>, circumstances: Circumstances = {}): readonly CellEffect[] => {
    enter(circumstances);
    snapshot = scope.step(machine, snapshot, event);
    effects = note(scope.effects);
    microsteps = scope.takeMicrosteps();
    return effects;
  };
  return {
    get snapshot() {
      return asSnapshotOf<Machine>(snapshot);
    },
    get effects() {
      return effects;
    },
    get microsteps() {
      return microsteps;
    },
    send,
    elapse(delayMs, circumstances) {
      const [id, { event }] = armedOne(timers, delayMs);
      timers.delete(id);
      return send(event, circumstances);
    },
  };
}

/** The only timer, or the only one of that delay. */
function armedOne<Timer extends { readonly delayMs: number }>(
  timers: ReadonlyMap<string, Timer>,
  delayMs: number | undefined,
): readonly [string, Timer] {
  const armed = [...timers].filter(([, timer]) => delayMs === undefined || timer.delayMs === delayMs);
  const [first] = armed;
  if (first !== undefined && armed.length === 1) return first;
  const shown = [...timers].map(([id, timer]) => `${id} (${timer.delayMs} ms)`).join(', ');
  throw new Error(`${armed.length} state timers match ${String(delayMs)}; armed are: ${shown || 'none'}`);
}

/**
 * What a chart may know of the world during one step: the time, and draws from the system's seeded random.
 * Both change only when an input is taken, so a replay gives the same. Rules RT-14, RT-15, docs/runtime.md.
 */
import type { AnyActorScope } from 'xstate';
import type { Monotonic, WallTime } from '../../base/units.ts';
import type { CellAddress } from '../../protocol/supervision/effect.ts';

/** The step that is running. Its fields are read only while it runs. */
export interface Turn {
  /** Monotonic time of the input that this step follows from. @unit ms */
  readonly now: Monotonic;
  /** Wall time of the same input. @unit ms */
  readonly wall: WallTime;
  /** The cell's own address. */
  readonly address: CellAddress;
  /** Who sent the message being handled: a cell, `@ask/<n>`, `@outside`, or undefined for timers and starts. */
  readonly sender: CellAddress | undefined;
  /** The next draw of this cell's stream, uniform in [0, 1). */
  readonly draw: () => number;
}

/** Where a scope keeps its turn. */
export const TURN: unique symbol = Symbol('althing.turn');

/** XState's name for `system` in an action's arguments. */
export type AnyActorSystem = AnyActorScope['system'];

interface HasSystem {
  readonly system: AnyActorSystem;
}

interface HasSelf {
  readonly self: { readonly system: AnyActorSystem };
}

/** The turn of an action's arguments, or of a `context` function's. Throws outside a cell. */
export function turnOf(args: HasSystem | HasSelf): Turn {
  const system: unknown = 'system' in args ? args.system : args.self.system;
  const turn = readTurn(system);
  if (turn === undefined) {
    throw new Error(
      'No turn: this chart runs in XState itself. Start it with createSystem() of althing/runtime',
    );
  }
  return turn;
}

/** Monotonic time of this step. @unit ms */
export const now = (args: HasSystem | HasSelf): Monotonic => turnOf(args).now;

/** Wall time of this step. @unit ms */
export const wallNow = (args: HasSystem | HasSelf): WallTime => turnOf(args).wall;

/** A draw from the cell's seeded stream, uniform in [0, 1). */
export const draw = (args: HasSystem | HasSelf): number => turnOf(args).draw();

/** Who sent the message of this step. */
export const senderOf = (args: HasSystem | HasSelf): CellAddress | undefined => turnOf(args).sender;

/** The cell's own address. */
export const addressOf = (args: HasSystem | HasSelf): CellAddress => turnOf(args).address;

/** The turn that a system object carries, if it is one of ours. */
export function readTurn(system: unknown): Turn | undefined {
  return carriesTurn(system) ? system[TURN] : undefined;
}

function carriesTurn(system: unknown): system is { readonly [TURN]: Turn } {
  return typeof system === 'object' && system !== null && TURN in system;
}

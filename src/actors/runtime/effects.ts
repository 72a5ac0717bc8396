/** Carries out what a committed step asks for, in order. Deterministic. Rules RT-6, RT-10 to RT-13. */
import { atomicStates, type CellEffect } from '../../machines/vocabulary/scope.ts';
import type { ExitReason } from '../../protocol/supervision/effect.ts';
import type { Cell } from './cell.ts';
import type { Core } from './core.ts';
import { lose, replyFromCell, tellFromCell } from './deliver.ts';
import { pathOf } from './describe.ts';
import {
  addressBelow,
  endCell,
  killCell,
  markStarted,
  openCell,
  removeCell,
  requestStop,
  stopWithDeadline,
} from './lifecycle.ts';
import { prepareLogic } from './logic.ts';
import { type Envelope, MAILBOX_DEFAULTS } from './mailbox.ts';
import { type CellLogic, type CellSpec, child } from './spec.ts';
import { cancelTimer, namedKey, startTimer, stateKey } from './timers.ts';
import { unwatchCell, watchCell } from './watch.ts';

/** Throws when a step asks for what cannot be, so that the whole step is undone (RT-11). */
export function assertPossible(core: Core, cell: Cell, effects: readonly CellEffect[]): void {
  let taken: Set<string> | undefined;
  for (const effect of effects) {
    if (effect.kind !== 'spawn') continue;
    prepareLogic(spawnLogic(cell, effect.logic));
    const address = addressBelow(cell, effect.id);
    if (core.cells.has(address) || taken?.has(address) === true) {
      throw new Error(
        `spawn('${effect.logic}'): the address ${address} is in use; stop that cell first and wait for its cell.down`,
      );
    }
    taken ??= new Set();
    taken.add(address);
  }
}

/** Applies effects in order; an `exit` among them comes last. */
export function applyEffects(
  core: Core,
  cell: Cell,
  envelope: Envelope | undefined,
  effects: readonly CellEffect[],
): void {
  let exit: { readonly reason: ExitReason; readonly output?: unknown } | undefined;
  for (const effect of effects) {
    switch (effect.kind) {
      case 'tell':
        if (effect.ifUp === true && !core.cells.has(effect.to)) break;
        tellFromCell(core, cell, effect.to, effect.message, effect.lane ?? 'user');
        break;
      case 'reply':
        if (envelope !== undefined) replyFromCell(core, cell, envelope, effect.message);
        break;
      case 'watch':
        watchCell(core, cell, effect.address);
        break;
      case 'unwatch':
        unwatchCell(core, cell, effect.address);
        break;
      case 'spawn':
        spawnChild(core, cell, effect.logic, effect.id, effect.input);
        break;
      case 'stop':
        stopSpawned(core, cell, effect.id);
        break;
      case 'startTimer':
        startTimer(core, cell, namedKey(effect.key), effect.delayMs, effect.message);
        break;
      case 'cancelTimer':
        cancelTimer(core, cell, namedKey(effect.key));
        break;
      case 'startStateTimer':
        startStateTimer(core, cell, effect);
        break;
      case 'cancelStateTimer':
        cancelTimer(core, cell, stateKey(effect.id));
        break;
      case 'postpone':
        if (envelope !== undefined) postpone(core, cell, envelope);
        break;
      case 'exit':
        exit = effect;
        break;
      case 'emit':
        break;
      default:
        applySupervision(core, cell, effect);
    }
  }
  if (exit === undefined) return;
  cell.output = exit.output;
  endCell(core, cell, exit.reason);
}

function postpone(core: Core, cell: Cell, envelope: Envelope): void {
  if (!cell.mailbox.postpone(envelope)) lose(core, cell, envelope, 'postpone_full');
}

function startStateTimer(
  core: Core,
  cell: Cell,
  effect: Extract<CellEffect, { readonly kind: 'startStateTimer' }>,
): void {
  const { snapshot } = cell;
  const states = effect.cancelledByChart || snapshot === undefined ? undefined : atomicStates(snapshot);
  startTimer(core, cell, stateKey(effect.id), effect.delayMs, effect.event, states);
}

function spawnChild(core: Core, cell: Cell, kind: string, id: string, input: unknown): void {
  const spawned = openCell(core, cell, { ...spawnSpec(spawnLogic(cell, kind)), id });
  spawned.input = input;
  spawned.spawnKind = kind;
  watchCell(core, cell, spawned.address);
}

/** The specification that children of a kind share: a spawned cell is never restarted, its parent decides. */
export function spawnSpec(logic: CellLogic): CellSpec {
  const known = spawnSpecs.get(logic);
  if (known !== undefined) return known;
  const fresh: CellSpec = { ...child('spawned', logic, { restart: 'temporary' }), mailbox: MAILBOX_DEFAULTS };
  spawnSpecs.set(logic, fresh);
  return fresh;
}
const spawnSpecs = new WeakMap<object, CellSpec>();

export function spawnLogic(cell: Cell, kind: string): CellLogic {
  const { logic } = cell;
  const found = logic.kind === 'machine' ? logic.machine.implementations.actors[kind] : undefined;
  if (found === undefined || typeof found === 'string') {
    throw new Error(`spawn('${kind}'): no such kind in setup({ actors }) of the chart at ${cell.address}`);
  }
  return 'src' in found ? found.src : found;
}

function stopSpawned(core: Core, cell: Cell, id: string): void {
  const spawned = core.cells.get(addressBelow(cell, id));
  if (spawned !== undefined && spawned.parent === cell) {
    stopWithDeadline(core, spawned, { kind: 'shutdown' });
  }
}

type OfSupervisor = Extract<
  CellEffect,
  { readonly kind: 'startChild' | 'stopChild' | 'killChild' | 'removeChild' | 'announceStarted' }
>;

function applySupervision(core: Core, cell: Cell, effect: OfSupervisor): void {
  if (effect.kind === 'announceStarted') {
    markStarted(core, cell);
    return;
  }
  if (effect.kind === 'startChild') {
    const spec = specOfChild(cell, effect.id, effect.template);
    const opened = openCell(core, cell, spec);
    opened.template = effect.template;
    if (effect.template !== undefined && effect.input !== undefined) opened.input = effect.input;
    const path = pathOf(opened);
    core.restarts.set(path, (core.restarts.get(path) ?? 0) + (opened.restarts > 0 ? 1 : 0));
    return;
  }
  const target = core.cells.get(addressBelow(cell, effect.id));
  if (target === undefined || target.parent !== cell) return;
  switch (effect.kind) {
    case 'stopChild':
      requestStop(core, target, effect.reason);
      break;
    case 'killChild':
      killCell(core, target);
      break;
    case 'removeChild':
      removeCell(core, target);
      break;
  }
}

export function specOfChild(cell: Cell, id: string, template: string | undefined): CellSpec {
  const { logic } = cell.spec;
  const specs = 'supervisor' in logic ? logic : undefined;
  const spec = template === undefined ? specs?.specs.get(id) : specs?.templates.get(template);
  if (spec === undefined) throw new Error(`${cell.address} has no specification for its child '${id}'`);
  return template === undefined ? spec : { ...spec, id };
}

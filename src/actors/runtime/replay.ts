/**
 * Feeds a journal to the same cells, without the boundary actors that wrote it: same snapshots, effects, dead letters.
 * Deterministic. Dead letters of boundary actors' own mailboxes are not repeated. Rule RT-15, docs/runtime.md.
 */
import type { Random } from '../../base/random.ts';
import { SHUTDOWN } from '../../protocol/supervision/effect.ts';
import { closeAsk } from './asks.ts';
import type { Core } from './core.ts';
import type { DeadLetter } from './dead-letters.ts';
import { tellFromOutside } from './deliver.ts';
import type { Inspector } from './inspector.ts';
import type { Journal, JournalEntry } from './journal.ts';
import { type Keyframe, restoreKeyframe } from './keyframe.ts';
import { endCell, killCell, markStarted, openCell, stopWithDeadline } from './lifecycle.ts';
import type { Outside } from './outside.ts';
import type { CellSpec } from './spec.ts';
import { createCore, openSystem, runTurns, type System } from './system.ts';
import { fireTimer, KILL_KEY } from './timers.ts';
import { virtualClock } from './virtual-clock.ts';

export interface ReplayOptions {
  readonly name: string;
  /** Of the seed of the recorded run. */
  readonly random: Random;
  /** What the recorded run started, by `system.start`. */
  readonly roots: readonly CellSpec[];
  /** As the recorded journal's, so that digests can be compared. */
  readonly digestEvery: number;
  /** What wraps the functions in the inputs of `roots`: the journal has their results. */
  readonly outside?: Outside;
  /** Where to begin, in place of the beginning; feed it the entries that came after. */
  readonly from?: Keyframe;
  readonly inspector?: Inspector;
  readonly onDeadLetter?: (letter: DeadLetter) => void;
}

/** The first place where the replay is not the recorded run. */
export interface Divergence {
  readonly turn: number;
  readonly expected: JournalEntry | 'more turns' | 'nothing';
  readonly got: JournalEntry | 'nothing';
}

export interface Replay {
  readonly system: System;
  /** Takes the next entry. Entries must come in the order of the journal. What came before an input runs when that is fed. */
  feed(entry: JournalEntry): void;
  /** Runs pure turns until so many have ended, or none is left. */
  runTo(turn: number): void;
  /** Turns of pure cells that have ended. */
  turn(): number;
  divergence(): Divergence | undefined;
}

/** What turns themselves write: a replay makes it anew, or is given it. */
type TurnEntry = JournalEntry & { readonly kind: 'digest' | 'draw' | 'result' };

/** A system that repeats a recorded run. */
export function replay(options: ReplayOptions): Replay {
  /** Of turns that have not run yet, in order. */
  const awaited: TurnEntry[] = [];
  let next = 0;
  let divergence: Divergence | undefined;
  const diverged = (turn: number, expected: Divergence['expected'], got: Divergence['got']): void => {
    divergence ??= { turn, expected, got };
  };
  /** The recorded entry at the place of one that a turn makes now. */
  const recorded = (made: TurnEntry): TurnEntry | undefined => {
    const expected = awaited[next];
    if (expected === undefined || !isSameCheck(expected, made)) {
      diverged(made.turn, expected ?? 'nothing', made);
      return undefined;
    }
    next += 1;
    if (next === awaited.length) {
      awaited.length = 0;
      next = 0;
    }
    return expected;
  };
  const { digestEvery, inspector, onDeadLetter, outside } = options;
  const journal: Journal = {
    digestEvery,
    record(entry) {
      if (divergence === undefined && (entry.kind === 'digest' || entry.kind === 'draw')) recorded(entry);
    },
  };
  const systemOptions = {
    name: options.name,
    clock: virtualClock(),
    random: options.random,
    journal,
    ...(outside === undefined ? {} : { outside }),
    ...(inspector === undefined ? {} : { inspector }),
    ...(onDeadLetter === undefined ? {} : { onDeadLetter }),
  };
  const { from } = options;
  if (from !== undefined) options.random.restore('cells', from.draws);
  const core = createCore(systemOptions, 'silent');
  const system = openSystem(core, systemOptions);
  outside?.connect({
    recall(name) {
      // Whoever looks at a cell between turns is no pure cell either: nothing was recorded for it.
      if (!core.inTurn) return undefined;
      const found = recorded({ kind: 'result', turn: core.turns, name, value: undefined });
      if (found?.kind !== 'result') throw new Error(`the journal has no result of ${name} here`);
      return found.value;
    },
  });
  const roots = new Map(options.roots.map((spec) => [spec.id, spec]));
  if (from !== undefined) restoreKeyframe(core, from, roots);

  function runTo(turn: number): void {
    while (core.turns < turn) {
      const before = core.turns;
      const isLeft = runTurns(core, 1);
      if (core.turns === before && !isLeft) break;
    }
    const left = awaited[next];
    if (left !== undefined && left.turn < Math.min(turn, core.turns)) diverged(left.turn, left, 'nothing');
  }

  return {
    system,
    runTo,
    turn: () => core.turns,
    divergence: () => divergence,
    feed(entry) {
      if (entry.kind === 'digest' || entry.kind === 'draw' || entry.kind === 'result') {
        awaited.push(entry);
        return;
      }
      runTo(entry.turn);
      if (core.turns !== entry.turn) {
        diverged(core.turns, 'more turns', entry);
        return;
      }
      core.replayed = entry;
      applyEntry(core, entry, roots);
    },
  };
}

type InputEntry = Exclude<JournalEntry, TurnEntry>;

function applyEntry(core: Core, entry: InputEntry, roots: ReadonlyMap<string, CellSpec>): void {
  if (entry.kind === 'message') {
    const { from, to, message, lane } = entry;
    if (from.startsWith('@ask/')) {
      const quiet = (): void => undefined;
      core.asks.set(from, { to, resolve: quiet, reject: quiet, timer: undefined, handledBy: undefined });
    }
    tellFromOutside(core, to, message, lane, from, core.cells.get(from)?.incarnation ?? 0);
    return;
  }
  const cell = core.cells.get(entry.address);
  if (entry.kind === 'timer' && entry.key !== KILL_KEY) {
    const timer = cell?.timers?.get(entry.key);
    if (timer !== undefined) fireTimer(core, timer);
    return;
  }
  core.takeInput();
  if (entry.kind === 'stale') {
    core.deadLetters.add({ reason: 'stale', to: entry.address, from: entry.from, message: entry.message });
    return;
  }
  if (entry.kind === 'lapsed') {
    closeAsk(core, entry.address);
    return;
  }
  if (entry.kind === 'open') {
    const spec = roots.get(entry.address);
    if (spec === undefined)
      throw new Error(`the journal starts '${entry.address}', which is not among the roots given`);
    openCell(core, undefined, spec);
    return;
  }
  if (cell === undefined) return;
  if (entry.kind === 'timer') killCell(core, cell);
  else if (entry.kind === 'started') markStarted(core, cell);
  else if (entry.kind === 'ended') endCell(core, cell, entry.reason);
  else stopWithDeadline(core, cell, SHUTDOWN);
}

/** A result is what the journal says that it is; digests and draws are made anew and have to be the same. */
function isSameCheck(expected: TurnEntry, made: TurnEntry): boolean {
  if (expected.turn !== made.turn) return false;
  switch (expected.kind) {
    case 'digest':
      return made.kind === 'digest' && made.digest === expected.digest && made.address === expected.address;
    case 'draw':
      return made.kind === 'draw' && made.value === expected.value;
    case 'result':
      return made.kind === 'result' && made.name === expected.name;
  }
}

/** Charts and systems that the runtime's tests share. */
import { setup } from 'xstate';
import {
  type CellSpec,
  createSystem,
  type DeadLetter,
  type ExitReason,
  type Inspector,
  type Message,
  memoryJournal,
  on,
  perform,
  type System,
  seededRandom,
  step,
  types,
  type VirtualClock,
  virtualClock,
} from '../../../src/actors/runtime/index.ts';
import type { Effect } from '../../../src/protocol/supervision/effect.ts';

/** Does what it is told: the tests decide each step by the message. */
export type PuppetEvent =
  | { readonly type: 'note'; readonly value: number }
  | { readonly type: 'do'; readonly effects: readonly Effect[] }
  | { readonly type: 'go'; readonly to: 'left' | 'right' }
  | { readonly type: 'later'; readonly value: number }
  | { readonly type: 'throw' }
  | { readonly type: 'do then throw'; readonly effects: readonly Effect[] };

export interface PuppetContext {
  /** Values of notes, in the order of handling. */
  readonly notes: readonly number[];
  /** Types of other messages that came. */
  readonly others: readonly Message[];
  /** When the last note came. */
  readonly at: number;
}

const idle = setup({ types: types<{ readonly born: number }, { readonly type: 'never' }>() }).createMachine({
  id: 'idle',
  context: { born: 1 },
});

/** Postpones `later` in `left`, handles it in `right`. */
export const puppet = setup({
  types: types<PuppetContext, PuppetEvent>(),
  actors: { idle },
  actions: {
    note: step(({ context, event, now }) =>
      'value' in event ? { context: { notes: [...context.notes, event.value], at: now } } : {},
    ),
    obey: perform(({ event }) => ('effects' in event ? event.effects : [])),
    postpone: perform([{ kind: 'postpone' }]),
    fail: () => {
      throw new Error('told to throw');
    },
    keep: step(({ context, event }) => ({ context: { others: [...context.others, event] } })),
  },
}).createMachine({
  id: 'puppet',
  context: { notes: [], others: [], at: 0 },
  initial: 'left',
  on: {
    note: { actions: 'note' },
    do: { actions: 'obey' },
    throw: { actions: ['note', 'fail'] },
    'do then throw': { actions: ['obey', 'note', 'fail'] },
    go: [{ guard: on('go', ({ event }) => event.to === 'left'), target: '.left' }, { target: '.right' }],
    '*': { actions: 'keep' },
  },
  states: {
    left: { on: { later: { actions: 'postpone' } } },
    right: { on: { later: { actions: 'note' } } },
  },
});

/** A system under a virtual clock, with all that it does on record. */
export interface Rig {
  readonly clock: VirtualClock;
  readonly system: System;
  readonly dead: readonly DeadLetter[];
  /** `+address` for a start, `-address reason` for an end. */
  readonly log: string[];
  readonly journal: ReturnType<typeof memoryJournal>;
}

export function rig(spec: CellSpec, { seed = 'rig', name = 'rig' } = {}): Rig {
  const clock = virtualClock();
  const dead: DeadLetter[] = [];
  const log: string[] = [];
  const journal = memoryJournal({ digestEvery: 1 });
  const inspector: Inspector = {
    cellStarted: ({ address }) => void log.push(`+${address}`),
    cellEnded: (address, _incarnation, reason) => void log.push(`-${address} ${reason.kind}`),
  };
  const system = createSystem({
    name,
    clock,
    random: seededRandom(seed),
    journal,
    inspector,
    onDeadLetter: (letter) => void dead.push(letter),
  });
  system.start(spec);
  clock.settle();
  return { clock, system, dead, log, journal };
}

/** The puppet's context at an address. */
export function contextAt(system: System, address: string): PuppetContext {
  const snapshot = system.ref(address).info()?.snapshot;
  if (!isPuppetSnapshot(snapshot)) throw new Error(`no puppet runs at ${address}`);
  return snapshot.context;
}

function isPuppetSnapshot(value: unknown): value is { readonly context: PuppetContext } {
  return typeof value === 'object' && value !== null && 'context' in value;
}

/** Makes the puppet at `address` end for `reason`. */
export function endPuppet(system: System, address: string, reason: ExitReason): void {
  system.ref(address).tell({ type: 'do', effects: [{ kind: 'exit', reason }] });
}

/** A small system with a journal of its own, for tests: two charts that pass numbers to each other, and a boundary actor that feeds them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AnyStateMachine, setup } from 'xstate';
import {
  type CellSpec,
  child,
  createSystem,
  digestOf,
  millis,
  type System,
  seededRandom,
  step,
  supervisor,
  types,
  type VirtualClock,
  virtualClock,
  wallTime,
} from '../../../src/actors/runtime/index.ts';
import { Recording } from '../../../src/node/recording.ts';
import type { JournalEvent, JournalLimits } from '../../../src/record/journal-writer.ts';
import { JOURNAL_VERSION } from '../../../src/record/opening.ts';
import { RunReader } from '../../../src/record/run-reader.ts';
import type { Writing } from '../../../src/record/segment-file.ts';
import type { Player, ReplayedBy } from '../../../src/replay/player.ts';
import { partsOf, verifyPart } from '../../../src/replay/verify.ts';

interface Seen {
  readonly sum: number;
  readonly luck: number;
  readonly last: Uint8Array;
}

/** Adds a number up, draws, and hands what is left of it to another. */
const adder = setup({
  types: types<Seen, { readonly type: 'add'; readonly left: number; readonly bytes?: Uint8Array }>(),
  actions: {
    add: step(({ context, event: { left, bytes }, address, draw }) => ({
      context: { sum: context.sum + left, luck: draw(), last: bytes ?? context.last },
      effects:
        left === 0
          ? [{ kind: 'startTimer', key: 'rest', delayMs: 5, message: { type: 'add', left: -1 } }]
          : left < 0
            ? []
            : [
                {
                  kind: 'tell',
                  to: address === 'top/a' ? 'top/b' : 'top/a',
                  message: { type: 'add', left: left - 1 },
                },
              ],
    })),
  },
}).createMachine({
  id: 'adder',
  context: { sum: 0, luck: 0, last: new Uint8Array() },
  on: { add: { actions: 'add' } },
});

export const SMALL_CHARTS: ReadonlyMap<string, AnyStateMachine> = new Map([[adder.id, adder]]);

const tree = (): CellSpec =>
  child(
    'top',
    supervisor({
      ...{ strategy: 'one_for_one', intensity: 3, period: millis(1_000) },
      children: [child('a', adder), child('b', adder)],
    }),
  );

export const UNBOUNDED: JournalLimits = {
  segmentBytes: Number.POSITIVE_INFINITY,
  segmentAge: Number.POSITIVE_INFINITY,
  bytesMax: Number.POSITIVE_INFINITY,
  ageMax: Number.POSITIVE_INFINITY,
  waitingBytesMax: Number.POSITIVE_INFINITY,
  freeBytesMin: 0,
};

export interface SmallOptions {
  readonly dir: string;
  readonly run?: string;
  readonly limits?: Partial<JournalLimits>;
  readonly writing?: Writing;
  readonly digestEvery?: number;
  /** What the clock on the wall shows. Default: that of the virtual clock. @unit ms since 1970 */
  readonly wall?: () => number;
}

export class SmallRun {
  readonly recording: Recording;
  readonly events: JournalEvent[] = [];
  readonly clock: VirtualClock = virtualClock({ startWallMs: 1.7e12 });
  readonly system: System;
  readonly dir: string;
  readonly runDir: string;

  constructor({ dir, run = 'run', limits, writing = 'background', digestEvery = 3, wall }: SmallOptions) {
    this.dir = dir;
    this.runDir = join(dir, run);
    this.recording = new Recording({
      dir,
      limits: { ...UNBOUNDED, ...limits },
      writing,
      report: (event) => this.events.push(event),
      opening: {
        version: JOURNAL_VERSION,
        run,
        program: { version: '0', digest: '0' },
        node: { id: 'n', moniker: 'small' },
        chain: { id: 'c', genesisHash: 'g' },
        startedAt: 1.7e12,
        seed: 'small',
        digestEvery,
        source: { kind: 'node' },
      },
    });
    const { journal, outside } = this.recording;
    this.system = createSystem({
      ...{ name: 'small', clock: this.clock, random: seededRandom('small'), journal, outside },
      ...(wall === undefined ? {} : { wall: () => wallTime(wall()) }),
    });
    this.system.start(this.recording.root(tree(), this.system));
    this.clock.settle();
  }

  /** So many inputs with so many bytes each; each is followed by `left` turns, and time passes. */
  feed(inputs: number, bytes = 0, left = 3): void {
    for (let input = 0; input < inputs; input += 1) {
      this.system
        .ref('top/a')
        .tell({ type: 'add', left, ...(bytes === 0 ? {} : { bytes: new Uint8Array(bytes).fill(input) }) });
      this.clock.advance(2);
    }
  }

  get status() {
    const status = this.recording.status();
    if (status === undefined) throw new Error('a recording that has begun has a status');
    return status;
  }

  get kinds(): readonly string[] {
    return this.events.map(({ kind }) => kind);
  }

  close(): Promise<void> {
    return this.recording.close();
  }
}

/** All of a run, in its parts, as `althing replay --verify` does it. */
export function verifyRun(dir: string, by: ReplayedBy) {
  const run = new RunReader(dir);
  const { flaws, stretches } = run;
  const parts = partsOf(run).map((part) => verifyPart(run, part, by));
  run.close();
  return {
    stretches,
    divergence: parts.find(({ divergence }) => divergence !== undefined)?.divergence,
    flaws: [...flaws, ...parts.flatMap((part) => part.flaws)],
    turns: parts.reduce((sum, { turns }) => sum + turns, 0),
  };
}

/** All that a system holds: cells, contexts, timers, counters. Of the numbers of timers only their order counts. */
export function stateOf(system: System): string {
  const keyframe = system.keyframe();
  const order = keyframe.cells
    .flatMap(({ timers }) => timers.map(({ sequence }) => sequence))
    .sort((left, right) => left - right);
  const cells = keyframe.cells.map((cell) => ({
    ...cell,
    timers: cell.timers.map((timer) => ({ ...timer, sequence: order.indexOf(timer.sequence) })),
  }));
  return digestOf({ ...keyframe, cells });
}

/** What a player shows at an instant. */
export const standOf = (player: Player): string =>
  `${player.turn} ${player.seq} ${player.at} ${stateOf(player.system)}`;

/** A folder for one test, and how it goes away. */
export function testFolder(): { readonly dir: string; readonly remove: () => void } {
  const dir = mkdtempSync(join(tmpdir(), 'althing-journal-'));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

/** Waits for what comes from the disk. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`within 10 s there was no ${what}`);
    await sleep(5);
  }
}

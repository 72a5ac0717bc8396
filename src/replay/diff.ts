/**
 * The first place where two recorded runs part, shown with what the cells were before and after. Repeats of one life are compared input by input;
 * different nodes, or lives of their own draws, by what they committed. Deterministic; reads the disk through `RunReader`. Rule RP-6, docs/journal.md.
 */
import type { JournalEntry, Transition } from '../actors/runtime/index.ts';
import { isDamage } from '../record/check-run.ts';
import { entriesOf, isFlaw, type JournalFlaw, RunReader } from '../record/run-reader.ts';
import { statePaths } from './breakpoint.ts';
import { type ChainDifference, chainDifference } from './chain-diff.ts';
import { NotReplayable } from './charts.ts';
import { type Parting, partingOf } from './entry-diff.ts';
import { Player, type ReplayedBy } from './player.ts';

export type RunDifference =
  | { readonly kind: 'equal'; readonly left: string; readonly right: string; readonly entries: number }
  | { readonly kind: 'only'; readonly in: 'left' | 'right'; readonly dir: string }
  /** Equal up to where one of them is damaged; nobody knows what came then. */
  | ({ readonly kind: 'damaged'; readonly left: string; readonly right: string } & {
      readonly entries: number;
      readonly flaws: readonly JournalFlaw[];
    })
  | ({ readonly kind: 'inputs'; readonly left: string; readonly right: string } & InputDifference)
  | ({ readonly left: string; readonly right: string } & {
      readonly kind: 'chains';
      readonly chains: ChainDifference;
    });

export interface InputDifference {
  readonly parting: Parting;
  /** What is to blame: in one run, and not in the other. */
  readonly side: 'left' | 'right';
  readonly entry: JournalEntry;
  /** The cell that it reached, and what became of it there; undefined where no cell took it. */
  readonly step: Step | undefined;
  /** The same cell in the other run, at that time. */
  readonly other: readonly string[];
}

export interface Step {
  readonly cell: string;
  readonly turn: number;
  readonly before: readonly string[];
  readonly after: readonly string[];
  readonly effects: readonly string[];
}

/** @unit turns @source more stand before a cell only when its mailbox is full */
const STEPS_MAX = 20_000;

/** @param lefts runs @param rights runs of the same nodes, or one of another @throws RunUnreadable, ChartsDiffer */
export function differencesOf(
  lefts: readonly string[],
  rights: readonly string[],
  by: ReplayedBy,
): readonly RunDifference[] {
  const [ours, theirs] = [lefts.map((dir) => new RunReader(dir)), rights.map((dir) => new RunReader(dir))];
  try {
    const repeats = pairsOf(ours, theirs);
    if (repeats.some(([one, other]) => one !== undefined && other !== undefined))
      return repeats.map(([one, other]) => repeatDifference(one, other, by));
    const [left, right] = [ours.at(-1), theirs.at(-1)];
    if (left === undefined || right === undefined) return [];
    const chains = chainDifference(ours, theirs, by);
    return [{ kind: 'chains', left: left.dir, right: right.dir, chains }];
  } finally {
    for (const run of [...ours, ...theirs]) run.close();
  }
}

/** The earliest of them; undefined when all are equal. */
export function firstOf(differences: readonly RunDifference[]): RunDifference | undefined {
  const whenOf = (difference: RunDifference): number => {
    if (difference.kind !== 'inputs') return Number.POSITIVE_INFINITY;
    const { entry } = difference;
    return 'wall' in entry ? entry.wall : 0;
  };
  return differences
    .filter((one) => one.kind !== 'equal' && !(one.kind === 'chains' && one.chains.kind === 'same'))
    .toSorted((one, other) => whenOf(one) - whenOf(other))[0];
}

/** A life goes by its node and what its draws come from: equal ones begin equal. */
const lifeOf = ({ opening: { node, seed } }: RunReader): string => `${node.id}/${seed}`;

function pairsOf(
  lefts: readonly RunReader[],
  rights: readonly RunReader[],
): readonly (readonly [RunReader | undefined, RunReader | undefined])[] {
  const theirs = new Map(rights.map((run) => [lifeOf(run), run]));
  const ours = new Set(lefts.map(lifeOf));
  return [
    ...lefts.map((run) => [run, theirs.get(lifeOf(run))] as const),
    ...rights.filter((run) => !ours.has(lifeOf(run))).map((run) => [undefined, run] as const),
  ];
}

function repeatDifference(
  left: RunReader | undefined,
  right: RunReader | undefined,
  by: ReplayedBy,
): RunDifference {
  if (left === undefined || right === undefined) {
    const side = left === undefined ? 'right' : 'left';
    return { kind: 'only', in: side, dir: (left ?? right)?.dir ?? '' };
  }
  if (left.opening.redacted !== right.opening.redacted)
    throw new NotReplayable(
      `of ${left.dir} and ${right.dir} one is redacted: compare it with a redacted copy of the other`,
    );
  const [ours, theirs] = [new Entries(left), new Entries(right)];
  const parting = partingOf(ours, theirs);
  const dirs = { left: left.dir, right: right.dir };
  const entries = parting?.same ?? ours.count;
  const flaws = [ours, theirs].flatMap(({ count, flaw }) =>
    flaw !== undefined && count === entries ? [flaw] : [],
  );
  if (flaws.length > 0) return { kind: 'damaged', ...dirs, entries, flaws };
  if (parting === undefined) return { kind: 'equal', ...dirs, entries };
  const side = parting.alone?.in ?? (parting.left === undefined ? 'right' : 'left');
  const entry = parting.alone?.entry ?? parting.left ?? parting.right;
  if (entry === undefined) return { kind: 'equal', ...dirs, entries };
  const [has, hasNot] = side === 'left' ? [left, right] : [right, left];
  // What is redacted is compared, and not played (RP-8).
  const isPlayed = has.opening.redacted !== true && hasNot.opening.redacted !== true;
  const step = isPlayed ? stepOf(has, entry, by) : undefined;
  const cell = step?.cell ?? ('to' in entry ? entry.to : undefined);
  const other =
    !isPlayed || cell === undefined || !('wall' in entry) ? [] : statesAt(hasNot, cell, entry.wall, by);
  return { kind: 'inputs', ...dirs, parting, side, entry, step, other };
}

/** All of a run, up to where it is damaged. */
class Entries implements Iterable<JournalEntry> {
  readonly #run: RunReader;
  /** Read so far. */
  count = 0;
  /** What ended it before its end. */
  flaw: JournalFlaw | undefined;

  constructor(run: RunReader) {
    this.#run = run;
  }

  *[Symbol.iterator](): Iterator<JournalEntry> {
    const damage = this.#run.flaws.find(isDamage);
    for (const [index, { entries }] of this.#run.stretches.entries()) {
      // What stands behind damage would be compared with what stood in its place.
      if (index > 0 && damage !== undefined) break;
      for (const block of entries) {
        const read = entriesOf(block);
        if (isFlaw(read)) {
          this.flaw = read;
          return;
        }
        for (const entry of read) {
          this.count += 1;
          yield entry;
        }
      }
    }
    this.flaw = damage;
  }
}

/** The step by which a cell took an input. */
function stepOf(run: RunReader, entry: JournalEntry, by: ReplayedBy): Step | undefined {
  let taken: Transition | undefined;
  const [cell, type] =
    entry.kind === 'message'
      ? [entry.to, entry.message.type]
      : entry.kind === 'timer'
        ? [entry.address, undefined]
        : [];
  if (cell === undefined) return undefined;
  let isFed = false;
  const player: Player = new Player(run, {
    ...by,
    inspector: {
      transition: (transition) => {
        if (!isFed || taken !== undefined || transition.address !== cell) return;
        if (type === undefined || transition.event.type === type) taken = transition;
      },
    },
  });
  player.seek(entry.turn);
  let before = statesOf(player, cell);
  isFed = true;
  for (let step = 0; step < STEPS_MAX && taken === undefined; step += 1) {
    before = statesOf(player, cell);
    if (!player.step()) break;
  }
  if (taken === undefined) return undefined;
  const { turn, snapshot, effects } = taken;
  const told = effects.map((effect) =>
    effect.kind === 'tell' ? `tells ${effect.to} ${effect.message.type}` : effect.kind,
  );
  return { cell, turn, before, after: statePaths(snapshot), effects: told };
}

function statesAt(run: RunReader, cell: string, at: number, by: ReplayedBy): readonly string[] {
  const player = new Player(run, by);
  player.seekTime(at);
  return statesOf(player, cell);
}

const statesOf = (player: Player, cell: string): readonly string[] =>
  statePaths(player.system.ref(cell).info()?.snapshot);

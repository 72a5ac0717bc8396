/** `althing diff`: the first place where two recorded runs part, side by side. Boundary: disk. Rule RP-6, docs/journal.md. */
import { basename, dirname } from 'node:path';
import { canonicalText, type JournalEntry } from '../../actors/runtime/index.ts';
import { RunUnreadable } from '../../record/run-reader.ts';
import type { Commit } from '../../replay/chain-diff.ts';
import { NotReplayable } from '../../replay/charts.ts';
import { differencesOf, firstOf, type InputDifference, type RunDifference } from '../../replay/diff.ts';
import { REPLAYED_BY } from '../../replay/replayed-by.ts';
import { type Sending, type Trail, trailOf } from '../../replay/sender.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { runtimeFailure } from '../failure.ts';
import { createOutput } from '../output.ts';
import { runsAt, unreadable } from './locate.ts';
import { flawLine } from './verify-log.ts';

/** @returns the exit code: 1 when they differ, 4 when all that can be read is equal, and not all can */
export function diffRuns(left: string, right: string, json: boolean): number {
  const [lefts, rights] = [runsAt(left), runsAt(right)];
  const { first, differences, trail } = compared(lefts, rights);
  const equal = differences.filter(({ kind }) => kind === 'equal').length;
  createOutput(json).data({ first: first ?? null, trail: trail ?? null, differences }, [
    `left   ${left}: ${runsText(lefts.length)}`,
    `right  ${right}: ${runsText(rights.length)}`,
    ...(equal > 0 ? [`${runsText(equal)} of ${differences.length} equal to the last entry`] : []),
    ...(first === undefined ? equalLines(differences) : linesOf(first)),
    ...(trail === undefined ? [] : trailLines(first, trail)),
  ]);
  if (first?.kind === 'damaged') return EXIT_CODES.corruptStore;
  return first === undefined ? EXIT_CODES.ok : EXIT_CODES.runtime;
}

const runsText = (count: number): string => `${count} run${count === 1 ? '' : 's'}`;

interface Compared {
  readonly first: RunDifference | undefined;
  readonly differences: readonly RunDifference[];
  /** Of a message that is the first difference. */
  readonly trail?: Trail | undefined;
}

function compared(lefts: readonly string[], rights: readonly string[]): Compared {
  try {
    const differences = differencesOf(lefts, rights, REPLAYED_BY);
    const first = firstOf(differences);
    if (first?.kind !== 'inputs') return { first, differences };
    const { side, entry } = first;
    const [there, other] = side === 'left' ? [lefts, rights] : [rights, lefts];
    return { first, differences, trail: trailOf({ entry, run: first[side] }, there, other, REPLAYED_BY) };
  } catch (error) {
    if (error instanceof NotReplayable) throw runtimeFailure(error.message);
    if (error instanceof RunUnreadable) throw unreadable(error);
    throw error;
  }
}

/** Where what one run has alone came from, and whether it was sent in the other. */
function trailLines(first: RunDifference | undefined, { there, other, sender }: Trail): readonly string[] {
  if (first?.kind !== 'inputs') return [];
  const otherSide = first.side === 'left' ? 'right' : 'left';
  if (there === 'no journal') return [`its sender's journal is not here: ${sender}`];
  if (there === 'not sent') return ['its sender did not send it'];
  const line = (side: string, { dir, turn, at, cell }: Sending): string =>
    `  ${side.padEnd(6)} ${lifeText(dir)}, turn ${turn}, ${new Date(at).toISOString()}, by ${cell}`;
  const answer = (): string => {
    if (other === 'no journal') return `  ${otherSide.padEnd(6)} its journal is not here`;
    if (other !== 'not sent') return `${line(otherSide, other)}: it was on its way`;
    return `  ${otherSide.padEnd(6)} not sent until then: look at ${lifeText(there.dir)}, turn ${there.turn}`;
  };
  return ['it was sent', line(first.side, there), answer()];
}

function equalLines(differences: readonly RunDifference[]): readonly string[] {
  const [only] = differences;
  if (only?.kind !== 'chains' || only.chains.kind !== 'same') return ['no difference'];
  const { from, to } = only.chains;
  return [`no difference: the same block at each height that both committed, ${from} to ${to}`];
}

function linesOf(difference: RunDifference): readonly string[] {
  switch (difference.kind) {
    case 'equal':
      return [];
    case 'only':
      return [`${lifeText(difference.dir)} is on the ${difference.in} alone`];
    case 'damaged':
      return [
        `${lifeText(difference.left)} is equal for ${difference.entries} entries, up to where it is damaged`,
        ...difference.flaws.map(flawLine),
      ];
    case 'chains': {
      const { chains } = difference;
      if (chains.kind === 'same') return [];
      if (chains.kind === 'apart') return ['they committed nothing at the same height'];
      return [
        `first difference at height ${chains.left.height}`,
        ...commitLines('left', chains.left),
        ...commitLines('right', chains.right),
      ];
    }
    case 'inputs':
      return inputLines(lifeText(difference.left), difference);
  }
}

/** `node1/life001` */
const lifeText = (dir: string): string => `${basename(dirname(dir))}/${basename(dir)}`;

const commitLines = (side: string, commit: Commit): readonly string[] => [
  `  ${side.padEnd(6)} committed ${commit.block}`,
  `         ${commit.cell}, turn ${commit.turn}, ${new Date(commit.at).toISOString()}`,
  `         by ${commit.event.type} from ${commit.from ?? 'itself'}: ${commit.before.join(', ')} → ${commit.after.join(', ')}`,
];

function inputLines(life: string, { parting, side, entry, step, other }: InputDifference): readonly string[] {
  const otherSide = side === 'left' ? 'right' : 'left';
  const lines = [
    `first difference: ${life}, after ${parting.same} equal entries`,
    parting.alone === undefined
      ? 'what came is told otherwise, or at another time'
      : `${side} has what ${otherSide} has not:`,
    ...entryLines(entry),
  ];
  if (step !== undefined) {
    const { cell, turn, before, after, effects } = step;
    lines.push(
      `  at ${cell}, turn ${turn}`,
      `    ${side.padEnd(6)} ${before.join(', ') || '–'} → ${after.join(', ') || '–'}${effects.length === 0 ? '' : `; ${effects.join(', ')}`}`,
      `    ${otherSide.padEnd(6)} ${other.join(', ') || '–'}`,
    );
  }
  const next = side === 'left' ? parting.right : parting.left;
  return [
    ...lines,
    `${otherSide} goes on with${next === undefined ? ' nothing' : ':'}`,
    ...(next === undefined ? [] : entryLines(next)),
  ];
}

/** @unit characters */
const VALUE_MAX = 300;
/** @unit lines @source a vote has twelve */
const FIELDS_MAX = 40;

/** `message.vote.round: 2`, a field a line. */
function fieldLines(value: object, before: string): readonly string[] {
  const lines = Object.entries(value).flatMap(([name, field]): readonly string[] => {
    const isPlain = typeof field === 'object' && field !== null && field.constructor === Object;
    return isPlain
      ? fieldLines(field, `${before}${name}.`)
      : [`${before}${name}: ${canonicalText(field).slice(0, VALUE_MAX)}`];
  });
  return lines.slice(0, FIELDS_MAX);
}

function entryLines(entry: JournalEntry): readonly string[] {
  const when = 'wall' in entry ? `, seq ${entry.seq}, ${new Date(entry.wall).toISOString()}` : '';
  const place = `turn ${entry.turn}${when}`;
  switch (entry.kind) {
    case 'message': {
      const { type, ...fields } = entry.message;
      return [
        `  message ${type}, ${place}`,
        `    from ${entry.from}`,
        `    to   ${entry.to}`,
        ...fieldLines(fields, '    '),
      ];
    }
    case 'timer':
      return [`  timer ${entry.key} of ${entry.address}, ${place}`];
    case 'draw':
      return [`  draw ${entry.value}, ${place}`];
    case 'result':
      return [`  result of ${entry.name}, ${place}: ${canonicalText(entry.value).slice(0, VALUE_MAX)}`];
    case 'digest':
      return [`  digest ${entry.digest} of ${entry.address}, ${place}`];
    default:
      return [`  ${entry.kind} ${entry.address}, ${place}`];
  }
}

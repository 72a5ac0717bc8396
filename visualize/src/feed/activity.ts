/** What a run did over time, coarsely: turns a second, and the moments worth a look. For the time bar of a live run. Pure; bounded. */
import type {
  At,
  Delta,
  Mark,
  NodeCard,
  NodeIndex,
  StepEvent,
  StepKind,
} from '../../../src/observe/feed/feed.ts';

export interface Activity {
  /** One for each second in which something was told, oldest first. */
  readonly seconds: readonly Second[];
  readonly marks: readonly TimeMark[];
}

export interface Second {
  readonly at: At;
  readonly turns: number;
}

export interface TimeMark {
  readonly at: At;
  readonly node?: NodeIndex;
  readonly kind: Mark['kind'] | 'timeout' | 'epoch';
  readonly detail: string;
}

/** @unit seconds @source twice the history that can be scrubbed */
const SECONDS_MAX = 1_200;
/** @unit marks @source a time bar is about so many pixels wide */
const MARKS_MAX = 600;

export const noActivity: Activity = { seconds: [], marks: [] };

export function after(activity: Activity, { at, turns, steps }: Delta): Activity {
  const second = Math.floor(at / 1_000) * 1_000;
  const { seconds } = activity;
  const last = seconds.at(-1);
  const next =
    last !== undefined && last.at >= second
      ? seconds.with(-1, { at: last.at, turns: last.turns + turns })
      : [...seconds.slice(-(SECONDS_MAX - 1)), { at: second, turns }];
  const marks = (steps ?? []).flatMap(markOf);
  return {
    seconds: next,
    marks: marks.length === 0 ? activity.marks : [...activity.marks, ...marks].slice(-MARKS_MAX),
  };
}

/** Of a run that is played: in any order and again, so that turns are not counted, and a mark is made once. */
export function marked(activity: Activity, { steps }: Delta): Activity {
  const known = new Set(activity.marks.map(labelOf));
  const marks = (steps ?? []).flatMap(markOf).filter((mark) => !known.has(labelOf(mark)));
  return marks.length === 0
    ? activity
    : { ...activity, marks: [...activity.marks, ...marks].slice(-MARKS_MAX) };
}

const labelOf = ({ at, node, kind }: TimeMark): string => `${at}/${node ?? ''}/${kind}`;

/** A node's process that went or came is worth a mark too: a hello tells it. */
export function greeted(
  activity: Activity,
  at: At,
  before: readonly NodeCard[],
  nodes: readonly NodeCard[],
): Activity {
  const marks = nodes.flatMap(({ id, isUp, moniker }, node): readonly TimeMark[] => {
    const earlier = before.find((card) => card.id === id);
    if (earlier === undefined || earlier.isUp === isUp) return [];
    return [
      isUp
        ? { at, node, kind: 'start', detail: `${moniker} is up again` }
        : { at, node, kind: 'fault', detail: `${moniker} went down` },
    ];
  });
  return marks.length === 0
    ? activity
    : { ...activity, marks: [...activity.marks, ...marks].slice(-MARKS_MAX) };
}

const MARKED: Partial<Record<StepKind, readonly [TimeMark['kind'], string]>> = {
  violated: ['failure', 'an invariant was violated'],
  crashed: ['fault', 'a cell crashed'],
  restarted: ['fault', 'restarted'],
  tcFormed: ['timeout', 'a round timed out'],
  epochBegan: ['epoch', 'an epoch began'],
};

function markOf({ kind, at, node, detail, round, epoch }: StepEvent): readonly TimeMark[] {
  const marked = MARKED[kind];
  if (marked === undefined) return [];
  const [mark, words] = marked;
  const operand =
    kind === 'tcFormed' ? ` (${round ?? '?'})` : kind === 'epochBegan' ? ` (${epoch ?? '?'})` : '';
  return [{ at, node, kind: mark, detail: `${words}${operand}${detail === undefined ? '' : `: ${detail}`}` }];
}

/** Runs in which one node must catch up with hundreds of blocks, or hears of a fork. Deterministic. Rules SM-8, SY-1 to SY-9. */
import { millis } from '../../base/units.ts';
import type { SyncConfig } from '../../protocol/sync/config.ts';
import { CALM } from '../../transport/hub.ts';
import type { Violation } from '../checkers/index.ts';
import {
  FORK_ENDS_SIGNING,
  FORK_PROVED,
  FORK_SEEN,
  OPERATOR_ONLY,
  QUESTIONS_BOUNDED,
  WINDOW_BOUNDED,
} from '../checkers/sync.ts';
import { between } from '../draws.ts';
import type { RunPlan, TimedAct } from '../plan.ts';

export const SYNC_TRIALS = ['behind', 'behind-and-a-liar', 'far-behind', 'fork'] as const;
export type SyncTrial = (typeof SYNC_TRIALS)[number];

type Draws = Parameters<typeof between>[0];

/** When the late node comes, and when the faults end. @unit ms */
const LATE_MS = 4_500;
const FAR_MS = 15_000;
const REST_MS = 2_500;
/** So long the late node hears the liar alone. @unit ms */
const ALONE_MS = 1_200;
/** Checks come so soon that a run need not wait for them. */
const SHORT: Partial<SyncConfig> = {
  checkInterval: millis(2_000),
  peerQueryTimeout: millis(1_000),
  tier1Timeout: millis(6_000),
  fetchAttempts: 2,
};
/** When the halves of a fork hear of each other, and how long they have. @unit ms */
const HEAL_MS = 3_000;
const FORKED_MS = 15_000;

/** A network of two times f + 1 instances whose halves commit a chain each: more than f run twice. */
const HALVES = [
  [0, 1, 2],
  [3, 4, 5],
] as const;

export function syncTrial(name: SyncTrial, plan: RunPlan, draws: Draws): RunPlan {
  const fast = { links: CALM, timeouts: { emptyBlockIntervalMs: millis(25) }, sync: SHORT };
  const late = draws.below(4);
  const liar = (late + 1 + draws.below(3)) % 4;
  // Who is not there leads no round, so that the chain stays fast.
  const [first = 0, ...others] = [0, 1, 2, 3].filter((node) => node !== late);
  const after = (at: number): Partial<RunPlan> => ({
    leaders: [first, ...others],
    lateStarts: [{ node: late, at }],
    acts: loads(draws, [0, 1, 2, 3], at),
    durationMs: at + REST_MS,
  });
  switch (name) {
    case 'behind':
      return { ...plan, ...fast, ...after(LATE_MS) };
    case 'behind-and-a-liar':
      return {
        ...plan,
        ...fast,
        ...after(LATE_MS),
        acts: [...loads(draws, [0, 1, 2, 3], LATE_MS), ...alone(late, liar)],
        liars: [{ validator: liar, lies: ['lie-sync'], rate: 1 }],
      };
    case 'far-behind':
      return { ...plan, ...fast, ...after(FAR_MS), sync: { ...SHORT, tier2MaxGap: 16 } };
    case 'fork': {
      const acts: readonly TimedAct[] = [
        { at: 0, act: { kind: 'partition', groups: HALVES } },
        { at: 500, act: { kind: 'load', node: 2, transactions: 1, bytes: 64 } },
        { at: 500, act: { kind: 'load', node: 3, transactions: 1, bytes: 64 } },
        { at: HEAL_MS, act: { kind: 'heal' } },
      ];
      return {
        ...plan,
        ...fast,
        twins: [0, 1],
        leaders: [0, 1],
        acts,
        durationMs: FORKED_MS,
        ending: { kind: 'stop' },
      };
    }
  }
}

/** Whoever comes late hears the liar alone at first, and the others after that. */
const alone = (late: number, liar: number): readonly TimedAct[] => [
  ...[0, 1, 2, 3]
    .filter((node) => node !== late && node !== liar)
    .map((from): TimedAct => ({ at: LATE_MS, act: { kind: 'cut', from, to: late } })),
  { at: LATE_MS + ALONE_MS, act: { kind: 'heal' } },
];

/** What a trial is for: in a fork, which more than f Byzantine make, that there is one is no finding. */
export const findingsOf = (name: string, violations: readonly Violation[]): readonly Violation[] =>
  name === 'fork' ? violations.filter(({ claim }) => OF_FORKS.has(claim)) : violations;

const OF_FORKS: ReadonlySet<string> = new Set([
  FORK_ENDS_SIGNING,
  FORK_PROVED,
  FORK_SEEN,
  OPERATOR_ONLY,
  QUESTIONS_BOUNDED,
  WINDOW_BOUNDED,
]);

/** Blocks with batches now and then. */
function loads(draws: Draws, nodes: readonly number[], until: number): readonly TimedAct[] {
  const acts: TimedAct[] = [];
  for (let at = 200; at < until; at += between(draws, 200, 900)) {
    const node = nodes[draws.below(nodes.length)] ?? 0;
    acts.push({ at, act: { kind: 'load', node, transactions: 2, bytes: 64 } });
  }
  return acts;
}

/**
 * What happens in a run of the swarm: the seed decides which kinds of act happen at all, how often each, and its details.
 * Deterministic. Rule SM-2.
 */
import type { RandomStream } from '../actors/runtime/index.ts';
import type { SyncFault } from '../storage/memory-store.ts';
import { between, drawLinks, pick, shuffled } from './draws.ts';
import { type Act, FILLABLE_CELLS, KILLABLE_CELLS, type TimedAct } from './plan.ts';

export interface ActScope {
  readonly nodes: number;
  readonly validators: number;
  /** @unit ms */
  readonly durationMs: number;
  /** Pauses between acts are so many times as long. @unit ratio */
  readonly pace: number;
  /** The one node whose clock may be set far off: more would stop the chain by right. */
  readonly badClock: number | undefined;
}

type Draw = (draws: RandomStream, scope: ActScope) => readonly Act[];

interface Source {
  /** How often it happens beside the others, when the seed has it at all. */
  readonly weight: number;
  readonly draw: Draw;
}

const node = (draws: RandomStream, { nodes }: ActScope): number => draws.below(nodes);
const SYNC_FAULTS: readonly SyncFault[] = ['IO', 'FULL', 'IO_AFTER_WRITE'];

/** Everything of SM-2 that can happen at a time. */
const SOURCES: readonly Source[] = [
  { weight: 4, draw: (draws, scope) => [{ kind: 'crash', node: node(draws, scope) }] },
  { weight: 6, draw: (draws, scope) => [{ kind: 'restart', node: node(draws, scope) }] },
  {
    weight: 2,
    draw: (draws, scope) => [{ kind: 'pause', node: node(draws, scope), ms: between(draws, 10, 6_000) }],
  },
  { weight: 4, draw: (draws, scope) => drawPartition(draws, scope) },
  { weight: 5, draw: () => [{ kind: 'heal' }] },
  {
    weight: 3,
    draw: (draws, scope) => [{ kind: 'clog', ...direction(draws, scope), ms: between(draws, 1, 5_000) }],
  },
  { weight: 1, draw: (draws) => [{ kind: 'links', faults: drawLinks(draws) }] },
  {
    weight: 2,
    draw: (draws, scope) => [{ kind: 'links', faults: drawLinks(draws), direction: direction(draws, scope) }],
  },
  {
    weight: 2,
    draw: (draws, scope) => [
      {
        kind: 'disk',
        node: node(draws, scope),
        fault: pick(draws, SYNC_FAULTS),
        times: between(draws, 1, 5),
      },
    ],
  },
  {
    weight: 2,
    draw: (draws, scope) => [
      {
        kind: 'disk-slow',
        node: node(draws, scope),
        syncMs: between(draws, 1, 400),
        ms: between(draws, 100, 5_000),
      },
    ],
  },
  {
    weight: 1,
    draw: (draws, scope) => [
      { kind: 'disk-bit-flip', node: node(draws, scope), times: between(draws, 1, 3) },
    ],
  },
  { weight: 1, draw: (draws, scope) => [drawClockStep(draws, scope)] },
  {
    weight: 1,
    draw: (draws, scope) => [
      { kind: 'application-crash', node: node(draws, scope), times: between(draws, 1, 3) },
    ],
  },
  {
    weight: 0.3,
    draw: (draws, scope) => [
      {
        kind: 'mailbox-overflow',
        node: node(draws, scope),
        cell: pick(draws, FILLABLE_CELLS),
        messages: between(draws, 500, 6_000),
      },
    ],
  },
  {
    weight: 1,
    draw: (draws, scope) => [
      { kind: 'kill-cell', node: node(draws, scope), cell: pick(draws, KILLABLE_CELLS) },
    ],
  },
  { weight: 1, draw: (draws, scope) => [{ kind: 'order-view-change', node: node(draws, scope) }] },
  {
    weight: 1,
    draw: (draws, scope) => [
      {
        kind: 'load',
        node: node(draws, scope),
        transactions: between(draws, 1, 100),
        bytes: between(draws, 30, 2_000),
      },
    ],
  },
];

/** Share of the kinds that a seed leaves out. @source chosen: the swarm needs runs without each */
const LEFT_OUT = 0.4;

/** Acts in order of time. */
export function drawActs(draws: RandomStream, scope: ActScope): readonly TimedAct[] {
  const sources = SOURCES.map(({ weight, draw }) => {
    const isIn = draws.next() >= LEFT_OUT;
    const share = draws.next();
    return { draw, weight: isIn ? weight * share : 0 };
  });
  const total = sources.reduce((sum, { weight }) => sum + weight, 0);
  const pauseMean = between(draws, 100, 2_000) * scope.pace;
  const submitsMax = draws.below(5);
  const acts: TimedAct[] = [];
  let submitted = 0;
  for (let at = 0; ; ) {
    at += 1 + Math.round(Math.min(10, -Math.log(1 - draws.next())) * pauseMean);
    if (at >= scope.durationMs) return acts;
    const source = choose(sources, draws.next() * total);
    for (const act of source?.draw(draws, scope) ?? []) acts.push({ at, act });
    for (let count = draws.below(submitsMax + 1); count > 0; count -= 1) {
      submitted += 1;
      const transaction = `key${submitted}=value${submitted}`;
      acts.push({ at, act: { kind: 'submit', node: node(draws, scope), transaction } });
    }
  }
}

function choose(sources: readonly Source[], place: number): Source | undefined {
  let rest = place;
  return sources.find(({ weight }) => {
    rest -= weight;
    return rest < 0;
  });
}

function direction(draws: RandomStream, { nodes }: ActScope): { readonly from: number; readonly to: number } {
  const from = draws.below(nodes);
  const step = nodes > 1 ? 1 + draws.below(nodes - 1) : 0;
  return { from, to: (from + step) % nodes };
}

/** One of all kinds: one alone, halves, a bridge between halves, one-way cuts, the leader alone. */
function drawPartition(draws: RandomStream, scope: ActScope): readonly Act[] {
  const all = Array.from({ length: scope.nodes }, (_, index) => index);
  const one = node(draws, scope);
  const others = all.filter((index) => index !== one);
  const cutAt = draws.below(scope.nodes + 1);
  const mixed = shuffled(draws, all);
  const [left, right] = [mixed.slice(0, cutAt), mixed.slice(cutAt)];
  switch (draws.below(6)) {
    case 0:
      return [{ kind: 'partition', groups: [others, [one]] }];
    case 1:
      return [{ kind: 'partition', groups: [left, right] }];
    case 2:
      return [
        {
          kind: 'partition',
          groups: [
            [...left, one],
            [...right, one],
          ],
        },
      ];
    case 3:
      return [{ kind: 'cut', ...direction(draws, scope) }];
    case 4:
      // One hears nobody, or nobody hears it.
      return draws.next() < 0.5
        ? others.map((from) => ({ kind: 'cut', from, to: one }))
        : others.map((to) => ({ kind: 'cut', from: one, to }));
    default:
      return [{ kind: 'isolate-leader' }];
  }
}

function drawClockStep(draws: RandomStream, scope: ActScope): Act {
  const { badClock } = scope;
  const far = draws.next() < 0.5;
  const sign = draws.next() < 0.5 ? -1 : 1;
  return far && badClock !== undefined
    ? { kind: 'clock-step', node: badClock, ms: sign * between(draws, 1_000, 3_600_000) }
    : { kind: 'clock-step', node: node(draws, scope), ms: sign * between(draws, 1, 50) };
}

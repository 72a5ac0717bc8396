/**
 * Nodes that fall far behind: a chain that is fast, somebody who comes late or is away for long, settings of sync so short that
 * its loop and its watchdog count within a run, liars that come and go. Deterministic. Rules SM-2, SY-8, SY-11.
 */
import type { RandomStream } from '../actors/runtime/index.ts';
import { millis } from '../base/units.ts';
import type { SyncConfig } from '../protocol/sync/config.ts';
import { between, pick, shuffled } from './draws.ts';
import type { RunPlan, TimedAct } from './plan.ts';

export type Behind = Pick<RunPlan, 'lateStarts' | 'leaders' | 'acts' | 'timeouts' | 'sync'>;

export interface BehindScope {
  /** Validators of the first epoch. */
  readonly members: number;
  readonly nodes: number;
  readonly liars: readonly number[];
  /** @unit ms */
  readonly durationMs: number;
}

/** Pause between blocks that nobody sent transactions for. @unit ms @source chosen: hundreds of blocks in a run */
const BLOCK_MS = { min: 25, max: 150 } as const;
/** One liar in so many comes and goes while it is asked for blocks. @unit liars */
const COMES_AND_GOES_ONE_IN = 3;

export function drawBehind(draws: RandomStream, { members, nodes, liars, durationMs }: BehindScope): Behind {
  const all = Array.from({ length: nodes }, (_, node) => node);
  const [late] = shuffled(
    draws,
    all.filter((node) => !liars.includes(node)),
  );
  // Who is away leads no round, so that the chain goes on as fast as without it.
  const [first, ...others] = all.filter((node) => node < members && node !== late);
  const back = Math.round(durationMs * (0.3 + 0.5 * draws.next()));
  const isNew = draws.below(2) === 0;
  const away: readonly TimedAct[] =
    late === undefined || isNew
      ? []
      : [
          { at: Math.round(back * 0.3 * draws.next()), act: { kind: 'crash', node: late } },
          { at: back, act: { kind: 'restart', node: late } },
        ];
  const goes = liars.filter(() => draws.below(COMES_AND_GOES_ONE_IN) === 0);
  return {
    lateStarts: late !== undefined && isNew ? [{ node: late, at: back }] : [],
    acts: [...away, ...goes.flatMap((node) => comesAndGoes(draws, node, back))].sort(
      (left, right) => left.at - right.at,
    ),
    ...(first === undefined || draws.below(4) === 0 ? {} : { leaders: [first, ...others] }),
    timeouts: { emptyBlockIntervalMs: millis(between(draws, BLOCK_MS.min, BLOCK_MS.max)) },
    ...(draws.below(3) === 0 ? {} : { sync: drawSync(draws) }),
  };
}

/** Away in the middle of what it was asked for. */
function comesAndGoes(draws: RandomStream, node: number, from: number): readonly TimedAct[] {
  const acts: TimedAct[] = [];
  let at = from;
  for (let times = 1 + draws.below(8); times > 0; times -= 1) {
    at += between(draws, 1, 300);
    acts.push({ at, act: { kind: 'crash', node } });
    at += between(draws, 1, 500);
    acts.push({ at, act: { kind: 'restart', node } });
  }
  return acts;
}

/** The usual relations of the settings hold: see `config/sync.toml`. */
function drawSync(draws: RandomStream): Partial<SyncConfig> {
  const query = between(draws, 500, 3_000);
  const fetch = between(draws, 500, 10_000);
  return {
    tier1Timeout: millis(query * between(draws, 1, 10)),
    tier1MaxGap: between(draws, 1, 10),
    tier2TimeoutPerBlock: millis(between(draws, 100, Math.min(fetch, 10_000))),
    tier2MaxRetries: between(draws, 1, 5),
    tier2MaxGap: pick(draws, [16, 130, 256, 1_000]),
    checkInterval: millis(between(draws, 1_000, 10_000)),
    peerQueryTimeout: millis(query),
    blockFetchTimeout: millis(fetch),
    peerCacheTtl: millis(between(draws, query, 60_000)),
    redundantPeers: between(draws, 1, 4),
    genesisPeers: between(draws, 1, 5),
    fetchAttempts: between(draws, 1, 4),
  };
}

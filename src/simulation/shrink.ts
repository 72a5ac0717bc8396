/**
 * Makes a failing plan small: only its beginning, fewer acts (delta debugging, Zeller & Hildebrandt 2002), then nobody who
 * lies, runs twice, comes late or has a wrong clock unless it must be, calm links, a shorter time. Every step keeps the
 * failure. Rule SM-6.
 */
import { CALM } from '../transport/hub.ts';
import { nodesOf } from './acts.ts';
import type { Act, EpochsPlan, NtpServerPlan, RunPlan, TimedAct, TimePlan } from './plan.ts';
import type { RunReport } from './run.ts';
import { weakCore } from './scenario.ts';

export interface ShrinkOptions {
  /** True when a plan still fails as the first one did: see `failsLike`. */
  readonly fails: (plan: RunPlan) => boolean;
  /** Runs at most; what is smallest by then is the result. Default 400. */
  readonly runsMax?: number;
  /** Asked before each run: true ends it with what is smallest by then. A plan that fails late may take long. */
  readonly isTimeUp?: () => boolean;
  /** Told of each smaller plan. */
  readonly progress?: (plan: RunPlan, runs: number) => void;
}

export interface Shrunk {
  readonly plan: RunPlan;
  /** Plans that were tried. */
  readonly runs: number;
  /** False: the bound on runs or on time ended it. */
  readonly isMinimal: boolean;
}

const RUNS_MAX = 400;

/** The smallest plan found that still fails. The given plan is taken to fail. */
export function shrink(plan: RunPlan, options: ShrinkOptions): Shrunk {
  const search = new Search(plan, options);
  for (let size = -1; size !== search.changes && !search.isOver; ) {
    size = search.changes;
    search.tryEach(firstHalf);
    search.dropActs();
    for (const simpler of SIMPLER) search.tryEach(simpler);
  }
  return { plan: search.best, runs: search.runs, isMinimal: !search.isOver };
}

/** A predicate for `shrink`: a run violates the claim that the first run violated first. */
export function failsLike(first: RunReport, run: (plan: RunPlan) => RunReport): (plan: RunPlan) => boolean {
  const wanted = first.violations[0]?.claim;
  return (plan) => run(plan).violations.some(({ claim }) => claim === wanted);
}

class Search {
  best: RunPlan;
  runs = 0;
  /** Times that a smaller plan was found. */
  changes = 0;
  #isTimeUp = false;
  readonly #options: ShrinkOptions;

  constructor(plan: RunPlan, options: ShrinkOptions) {
    this.best = plan;
    this.#options = options;
  }

  get isOver(): boolean {
    const { runsMax = RUNS_MAX, isTimeUp } = this.#options;
    this.#isTimeUp ||= isTimeUp?.() ?? false;
    return this.runs >= runsMax || this.#isTimeUp;
  }

  /** Takes the candidate when it still fails, and not for the reason that nobody could have committed. */
  try(candidate: RunPlan): boolean {
    if (this.isOver || weakCore(candidate).length > 0) return false;
    this.runs += 1;
    if (!this.#options.fails(candidate)) return false;
    this.best = candidate;
    this.changes += 1;
    this.#options.progress?.(candidate, this.runs);
    return true;
  }

  /** Drops ever smaller pieces of the acts while the rest still fails. */
  dropActs(): void {
    let pieces = 2;
    while (this.best.acts.length > 0 && !this.isOver) {
      const { acts } = this.best;
      const length = Math.max(1, Math.ceil(acts.length / pieces));
      const starts = Array.from({ length: Math.ceil(acts.length / length) }, (_, index) => index * length);
      // From the end: what comes after the failure goes first.
      const dropped = starts
        .reverse()
        .some((start) =>
          this.try({ ...this.best, acts: [...acts.slice(0, start), ...acts.slice(start + length)] }),
        );
      if (dropped) pieces = Math.max(2, pieces - 1);
      else if (length === 1) return;
      else pieces = Math.min(acts.length, pieces * 2);
    }
  }

  /** Tries each simplification, over and over while one of them helps. */
  tryEach(simplify: (plan: RunPlan) => readonly RunPlan[]): void {
    for (let helped = true; helped && !this.isOver; ) {
      helped = simplify(this.best).some((candidate) => this.try(candidate));
    }
  }
}

/** Simplifications, most welcome first. Each gives candidates that are simpler than the plan, or none. */
const SIMPLER: readonly ((plan: RunPlan) => readonly RunPlan[])[] = [
  (plan) => without(plan.liars).map((liars) => ({ ...plan, liars })),
  (plan) =>
    plan.liars.flatMap((liar, index) =>
      liar.lies.length === 1
        ? []
        : liar.lies.map((lie) => ({ ...plan, liars: plan.liars.with(index, { ...liar, lies: [lie] }) })),
    ),
  (plan) => (plan.twins.length === 0 ? [] : [withoutLastTwin(plan)]),
  (plan) => without(plan.clocks).map((clocks) => ({ ...plan, clocks })),
  ({ time, ...plan }) => (time === undefined ? [] : [plan]),
  ({ sync, ...plan }) => (sync === undefined ? [] : [plan]),
  (plan) => simplerServers(plan).map((time) => ({ ...plan, time })),
  (plan) => without(plan.lateStarts).map((lateStarts) => ({ ...plan, lateStarts })),
  ({ epochs, ...plan }) => (epochs === undefined ? [] : simplerEpochs({ ...plan, epochs })),
  ({ powers, ...plan }) => (powers === undefined ? [] : [plan]),
  ({ rounds, ...plan }) => (rounds === undefined ? [] : [plan, { ...plan, rounds: rounds.slice(0, -1) }]),
  (plan) => (plan.carry === 'reference' ? [] : [{ ...plan, carry: 'reference' }]),
  (plan) => (plan.signatures === 'keyed-hash' ? [] : [{ ...plan, signatures: 'keyed-hash' }]),
  (plan) => (isCalm(plan) ? [] : [{ ...plan, links: CALM }, ...calmer(plan)]),
  shorter,
  (plan) =>
    plan.acts.flatMap(({ at, act }, index) =>
      milder(act).map((mild) => ({ ...plan, acts: plan.acts.with(index, { at, act: mild }) })),
    ),
];

/** The node of the greatest number is gone, and what was done to it. */
function withoutLastTwin(plan: RunPlan): RunPlan {
  const gone = plan.validators + plan.twins.length - 1;
  const stays = ({ node }: { readonly node: number }): boolean => node !== gone;
  const acts = plan.acts.flatMap(({ at, act }): readonly TimedAct[] => {
    if (act.kind !== 'partition') return nodesOf(act).includes(gone) ? [] : [{ at, act }];
    return [
      { at, act: { ...act, groups: act.groups.map((group) => group.filter((node) => node !== gone)) } },
    ];
  });
  return {
    ...plan,
    twins: plan.twins.slice(0, -1),
    lateStarts: plan.lateStarts.filter(stays),
    clocks: plan.clocks.filter(stays),
    acts,
  };
}

const isCalm = ({ links }: RunPlan): boolean =>
  Object.entries(CALM).every(([name, value]) =>
    Object.entries(links).some(([key, is]) => key === name && is === value),
  ) && links.copies === undefined;

/** One trait of the links calmed. */
function calmer(plan: RunPlan): readonly RunPlan[] {
  const { copies, ...links } = plan.links;
  return [
    ...(links.drop > 0 ? [{ ...plan, links: { ...plan.links, drop: 0 } }] : []),
    ...(links.duplicate > 0 ? [{ ...plan, links: { ...links, duplicate: 0 } }] : []),
    ...(links.reorder ? [{ ...plan, links: { ...plan.links, reorder: false } }] : []),
    ...(links.delayMean > 0 ? [{ ...plan, links: { ...plan.links, delayMean: CALM.delayMean } }] : []),
    ...(links.delayMin > 1 ? [{ ...plan, links: { ...plan.links, delayMin: CALM.delayMin } }] : []),
  ];
}

/** All validators vote from the start to the end; or no epoch ends by its length. */
const simplerEpochs = ({
  epochs,
  ...plan
}: RunPlan & { readonly epochs: EpochsPlan }): readonly RunPlan[] => [
  plan,
  ...(epochs.length === 0 ? [] : [{ ...plan, epochs: { ...epochs, length: 0 } }]),
  ...(epochs.members === plan.validators
    ? []
    : [{ ...plan, epochs: { ...epochs, members: plan.validators } }]),
];

/** One NTP server less, or one trait of one. */
function simplerServers({ time }: RunPlan): readonly TimePlan[] {
  if (time === undefined) return [];
  const { servers } = time;
  const calmed = servers.flatMap((server, index) =>
    simplerServer(server).map((simpler) => servers.with(index, simpler)),
  );
  return [...without(servers), ...calmed].map((some) => ({ ...time, servers: some }));
}

function simplerServer(server: NtpServerPlan): readonly NtpServerPlan[] {
  const { wrongFrom, isUnsynchronised, silentFrom, silentUntil, ...rest } = server;
  const all = {
    ...(wrongFrom === undefined ? {} : { wrongFrom }),
    ...(isUnsynchronised === undefined ? {} : { isUnsynchronised }),
    ...(silentFrom === undefined ? {} : { silentFrom }),
    ...(silentUntil === undefined ? {} : { silentUntil }),
  };
  return Object.keys(all).map((trait) => ({
    ...rest,
    ...Object.fromEntries(Object.entries(all).filter(([name]) => name !== trait)),
  }));
}

/** All lists with one item less. */
const without = <Item>(items: readonly Item[]): readonly (readonly Item[])[] =>
  items.map((_, index) => items.toSpliced(index, 1));

/** The beginning alone, in half of the time: all further runs take less, too. */
function firstHalf(plan: RunPlan): readonly RunPlan[] {
  const durationMs = Math.floor(plan.durationMs / 2);
  if (durationMs < 1_000) return [];
  const acts = plan.acts.filter(({ at }) => at <= durationMs);
  return [{ ...plan, acts, durationMs }];
}

/** The faults end right after the last act, or in half of the time from there, or a little earlier. */
function shorter(plan: RunPlan): readonly RunPlan[] {
  const last = plan.acts.at(-1)?.at ?? 0;
  const rest = plan.durationMs - last;
  const ends = rest < 100 ? [] : [0, rest / 2, rest * 0.9].map((tail) => last + Math.floor(tail));
  return [...ends.map((durationMs) => ({ ...plan, durationMs })), ...sooner(plan)];
}

/** What comes from one act on, sooner: half of the pause before it is gone. */
function sooner(plan: RunPlan): readonly RunPlan[] {
  const { acts, durationMs } = plan;
  return acts.flatMap(({ at }, index) => {
    const gap = Math.floor((at - (acts[index - 1]?.at ?? 0)) / 2);
    if (gap < 500) return [];
    const moved = acts.map((timed, place) => (place < index ? timed : { ...timed, at: timed.at - gap }));
    return [{ ...plan, acts: moved, durationMs: durationMs - gap }];
  });
}

/** The same act with less of it. */
function milder(act: Act): readonly Act[] {
  if ('times' in act && act.times > 1) return [{ ...act, times: 1 }];
  if (act.kind === 'load' && act.transactions > 1) return [{ ...act, transactions: 1, bytes: 30 }];
  if (act.kind === 'mailbox-overflow' && act.messages > 1) {
    return [{ ...act, messages: Math.floor(act.messages / 2) }];
  }
  if ((act.kind === 'pause' || act.kind === 'clog' || act.kind === 'disk-slow') && act.ms > 100) {
    return [{ ...act, ms: Math.floor(act.ms / 2) }];
  }
  return [];
}

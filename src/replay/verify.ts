/**
 * Plays a run and compares each digest, draw and result with the recorded one, and the cells with each keyframe of the journal. A run is verified in
 * parts, from keyframe to keyframe, so that several processors can do it. Deterministic but for the time that it takes. Rule RP-4.
 */
import { canonicalText } from '../actors/runtime/index.ts';
import type { JournalFlaw, PlacedKeyframe, RunReader } from '../record/run-reader.ts';
import { Player, type ReplayedBy } from './player.ts';

/** From one keyframe of a run to the next, or to its end: plain data. */
export interface VerificationPart {
  readonly dir: string;
  readonly stretch: number;
  /** Place among the stretch's keyframes, its first included; 0 in the run's first segment is the empty system. */
  readonly keyframe: number;
}

export interface PartVerified {
  readonly turns: number;
  /** Messages that cells processed. */
  readonly messages: number;
  readonly divergence?: DivergenceTold;
  /** What a part's own blocks have; the run's are known from its heads. */
  readonly flaws: readonly JournalFlaw[];
}

/** In words, for readers. */
export interface DivergenceTold {
  readonly turn: number;
  readonly expected: string;
  readonly got: string;
}

export function partsOf(run: RunReader): readonly VerificationPart[] {
  return run.stretches.flatMap(({ keyframes }, stretch) =>
    [0, ...keyframes.keys().map((place) => place + 1)].map((keyframe) => ({
      dir: run.dir,
      stretch,
      keyframe,
    })),
  );
}

/** @param run of the part @throws ChartsDiffer; Error naming what this program has not got */
export function verifyPart(
  run: RunReader,
  { stretch, keyframe }: VerificationPart,
  options: ReplayedBy,
): PartVerified {
  const present = run.stretches[stretch];
  const starts: readonly (PlacedKeyframe | undefined)[] = [present?.keyframe, ...(present?.keyframes ?? [])];
  const player = new Player(run, options);
  const [own, ...later] = starts.slice(keyframe);
  // Whoever plays up to a keyframe that cannot be read names it, and plays on.
  if (keyframe > 0 && own !== undefined && !player.isUsable(own)) return { turns: 0, messages: 0, flaws: [] };
  player.begin(stretch, keyframe);
  const before = player.system.counters();
  const next = later.find((one) => one !== undefined && player.isUsable(one));
  const difference = next === undefined ? undefined : player.playTo(next);
  if (next === undefined) player.finishStretch();
  const after = player.system.counters();
  const divergence = divergenceOf(player, difference);
  return {
    turns: after.turns - before.turns,
    messages: after.processed - before.processed,
    ...(divergence === undefined ? {} : { divergence }),
    flaws: player.flaws(),
  };
}

function divergenceOf(player: Player, difference: string | undefined): DivergenceTold | undefined {
  const found = player.divergence();
  if (found !== undefined) {
    const { turn, expected, got } = found;
    return { turn, expected: wordsOf(expected), got: wordsOf(got) };
  }
  if (difference === undefined) return undefined;
  return { turn: player.turn, expected: 'the keyframe of the journal', got: difference };
}

/** @unit characters */
const WORDS_MAX = 400;
const wordsOf = (value: unknown): string =>
  typeof value === 'string' ? value : canonicalText(value).slice(0, WORDS_MAX);

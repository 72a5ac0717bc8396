/** Where a replay may begin: the empty system, a keyframe of the journal, or one that was kept on the way. Rule RP-4. */
import type { Keyframe } from '../actors/runtime/index.ts';
import { type JournalFlaw, keyframeOf, type PlacedKeyframe, type Stretch } from '../record/run-reader.ts';
import type { Waypoint } from './waypoints.ts';

export interface Start extends Omit<Waypoint, 'keyframe' | 'way'> {
  /** Absent for the beginning, and for what was kept on the way. */
  readonly block?: PlacedKeyframe;
  readonly keyframe: ((functionOf: (name: string) => unknown) => Keyframe | JournalFlaw) | undefined;
}

/** @param stretch its place in the run */
export function startOf(stretch: number, keyframe: PlacedKeyframe): Start {
  const { turn, at } = keyframe.head;
  return {
    ...{ turn, at, seq: 0, cursor: { stretch, block: keyframe.first, entry: 0 }, block: keyframe },
    keyframe: (functionOf) => keyframeOf(keyframe, functionOf),
  };
}

/** All of a stretch, in order. */
export const keyframesOf = ({ keyframe, keyframes }: Stretch): readonly PlacedKeyframe[] =>
  keyframe === undefined ? keyframes : [keyframe, ...keyframes];

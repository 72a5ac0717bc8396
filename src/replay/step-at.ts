/** One step of a recorded run, made again. Moves the lane that it is read from. Rule RP-4. */
import type { Transition } from '../actors/runtime/index.ts';
import type { Lane } from './lane.ts';

export interface StepFound {
  readonly step: Transition;
  /** Where the journal has what came with it, or next after it. */
  readonly place: { readonly path: string; readonly offset: number } | undefined;
}

/** @param at ms since 1970, of the turn: says which life of the node's */
export function stepAt(
  lane: Lane,
  { at, turn }: { readonly at: number; readonly turn: number },
): StepFound | undefined {
  lane.seekTime(at);
  lane.player.seek(turn);
  let step: Transition | undefined;
  const detach = lane.system.inspect({
    transition: (transition) => {
      if (transition.turn === turn) step = transition;
    },
  });
  const place = lane.player.next();
  lane.player.advance(turn + 1);
  detach();
  return step === undefined ? undefined : { step, place };
}

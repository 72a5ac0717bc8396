/**
 * Validators that come, go, come back, have another power or another key while everything else goes wrong: one at a time, several
 * in a block, in blocks that follow each other. Whoever lies or runs twice never has a third of the power, whichever of the
 * changes take effect, in whatever order. Deterministic. Rules SM-2, CS-16.
 */
import type { RandomStream } from '../actors/runtime/index.ts';
import { between, pick } from './draws.ts';
import { type Act, type EpochsPlan, KEYS_EACH, type TimedAct } from './plan.ts';

type Change = Extract<Act, { kind: 'change-validator' }>;

export interface EpochsScope {
  /** In the set of the genesis: the first ones. */
  readonly members: number;
  readonly validators: number;
  readonly nodes: number;
  /** That lie or run twice. */
  readonly faulty: readonly number[];
  /** Changed powers go up to there; those of the faulty stay 1. */
  readonly powerMax: number;
  /** @unit ms */
  readonly durationMs: number;
}

/** Changes that come together. @unit changes @source chosen */
const TOGETHER_MAX = 4;
/** Heights in an epoch, where it ends by its length. @unit heights @source chosen: several in a run, some of three or four blocks */
const LENGTH = { min: 3, max: 40 } as const;

/** So many more nodes than members, at most. @unit validators @source chosen: each costs its share of the run */
export const STRANGERS_MAX = 3;

/** An epoch at rest lasts so long: who is behind goes through three to seven in a second. @unit ms @source measured, seeds 101439, 111970 */
const EPOCH_MS_MIN = 500;

export const drawEpochs = (draws: RandomStream, members: number): EpochsPlan => ({
  members,
  length: draws.next() < 0.6 ? 0 : between(draws, LENGTH.min, LENGTH.max),
  changePercent: draws.next() < 0.7 ? 100 : 33,
});

/** Not so short that who is behind never comes level. @param blockMs between blocks without work. @unit ms */
export const followable = (epochs: EpochsPlan, blockMs: number): EpochsPlan =>
  epochs.length === 0
    ? epochs
    : { ...epochs, length: Math.max(epochs.length, Math.ceil(EPOCH_MS_MIN / blockMs)) };

/** Changes in order of time. */
export function drawChanges(draws: RandomStream, scope: EpochsScope): readonly TimedAct[] {
  const { members, nodes, durationMs } = scope;
  // As it would be if every change took effect: drawn from it, a change mostly makes sense.
  const set = new Map(Array.from({ length: members }, (_, validator) => [validator, { power: 1, key: 0 }]));
  const acts: TimedAct[] = [];
  for (let bursts = between(draws, 1, 6); bursts > 0; bursts -= 1) {
    let at = draws.below(Math.round(durationMs * 0.9));
    const apart = pick(draws, [0, 0, 50, 500]);
    for (let changes = between(draws, 1, TOGETHER_MAX); changes > 0; changes -= 1) {
      const change = drawChange(draws, scope, set);
      acts.push({ at, act: { ...change, node: draws.below(nodes) } });
      at = Math.min(durationMs, at + draws.below(apart + 1));
    }
  }
  return acts.sort((left, right) => left.at - right.at);
}

/** Honest members that never leave: with more than twice the power of the faulty, and at least one. */
function anchorsOf({ members, faulty }: EpochsScope): readonly number[] {
  const honest = Array.from({ length: members }, (_, validator) => validator).filter(
    (validator) => !faulty.includes(validator),
  );
  return honest.slice(0, 2 * faulty.length + 1);
}

function drawChange(
  draws: RandomStream,
  scope: EpochsScope,
  set: Map<number, { power: number; key: number }>,
): Omit<Change, 'node'> {
  const { validators, faulty, powerMax } = scope;
  const validator = draws.below(validators);
  const known = set.get(validator);
  const mayLeave = known !== undefined && !anchorsOf(scope).includes(validator);
  const key = known?.key ?? 0;
  const wanted = draws.below(4);
  if (mayLeave && wanted < 2) {
    set.delete(validator);
    return { kind: 'change-validator', validator, power: 0, key };
  }
  const power = faulty.includes(validator) ? 1 : between(draws, 1, powerMax);
  // Whoever lies signs by its first key.
  const other = faulty.includes(validator) ? key : draws.below(KEYS_EACH);
  const next = {
    power: wanted === 3 && known !== undefined ? known.power : power,
    key: wanted === 2 ? key : other,
  };
  set.set(validator, next);
  return { kind: 'change-validator', validator, ...next };
}

/**
 * An operation that a node without a vote handed over, and which has no end yet: whom it was handed to, who says that he has it, and when one
 * more is to get it, so that a validator that takes it and lies low keeps it from no block. A value. Pure. Rule BR-8, docs/protocol/bridge.md.
 */
import { type Millis, type Monotonic, millis } from '../../base/units.ts';
import type { Address, Height, ValidatorSet } from '../chain/types.ts';
import { powerOf } from '../chain/validator-set.ts';

export interface Handing {
  /** Whom it was handed to, the newest last, each once. Bounded by the set: who has left it is dropped with the next. */
  readonly to: readonly Address[];
  /** How often. */
  readonly times: number;
  /** Of them, and this node itself, those that say that they have it. */
  readonly takenBy: readonly Address[];
  /** The newest time, and the height that was committed here then. */
  readonly since: Monotonic;
  readonly height: Height;
}

/**
 * An operation that was handed over waits so long for its end, and twice as long after each further time.
 * @source a healthy commit takes some seconds, behind a leader that hangs too; and as `consensus_timeout_ms`: who is overdue goes to one more
 */
export const HAND_AGAIN_MS = millis(30_000);
/** The longest such wait. @source chosen: eight times the first, so that what waits behind a queue that is long for all is not sent round in it */
export const HAND_AGAIN_MS_MAX = millis(8 * HAND_AGAIN_MS);
/** And so many blocks are committed meanwhile. @unit heights @source the one under way, the one that names it, and two on top that commit it */
export const HAND_AGAIN_HEIGHTS = 4;
/** Between two messages with what is handed over again. @source half of the operations that a validator takes of one guest (TP-5): the rest is what clients bring */
export const HAND_AGAIN_PAUSE_MS = millis(2_000);
/** Of all that is kept to be handed over again; what finds no room is not. @unit bytes @source chosen: 10,000 operations of 6.7 KB */
export const KEPT_BYTES_MAX = 64 * 1024 * 1024;

const waitAfter = ({ times }: Handing): Millis =>
  millis(Math.min(HAND_AGAIN_MS_MAX, HAND_AGAIN_MS * 2 ** Math.max(0, times - 1)));

export interface HandingFacts {
  readonly now: Monotonic;
  readonly committedHeight: Height;
  readonly validators: ValidatorSet;
}

/** Its wait is over, blocks were committed meanwhile, and not even one who has it needs to be honest: their power is below J(W). */
export function isDue(handing: Handing, { now, committedHeight, validators }: HandingFacts): boolean {
  if (now - handing.since < waitAfter(handing)) return false;
  if (committedHeight - handing.height < HAND_AGAIN_HEIGHTS) return false;
  const power = handing.takenBy.reduce((sum, address) => sum + powerOf(validators, address), 0n);
  return power < validators.honestPower;
}

/** Who gets it next: nobody who says that he has it; of the others who never had it, then who had it longest ago. @param able in turn */
export function nextFor({ to, takenBy }: Handing, able: readonly Address[]): Address | undefined {
  const [next] = able
    .filter((peer) => !takenBy.includes(peer))
    .sort((one, other) => to.indexOf(one) - to.indexOf(other));
  return next;
}

export function handedTo(
  { to, times, takenBy }: Handing,
  peer: Address,
  { now: since, committedHeight: height, validators }: HandingFacts,
): Handing {
  const others = to.filter((one) => one !== peer && powerOf(validators, one) > 0n);
  return { to: [...others, peer], times: times + 1, takenBy, since, height };
}

export const takenBy = (handing: Handing, by: Address): Handing => ({
  ...handing,
  takenBy: [...handing.takenBy.filter((one) => one !== by), by],
});

/** Its client submitted it again, and it was handed over anew. */
export function merged(before: Handing | undefined, now: Handing | undefined): Handing | undefined {
  if (before === undefined || now === undefined) return now ?? before;
  return {
    ...now,
    to: [...before.to.filter((one) => !now.to.includes(one)), ...now.to],
    times: before.times + now.times,
    takenBy: [...before.takenBy.filter((one) => !now.takenBy.includes(one)), ...now.takenBy],
  };
}

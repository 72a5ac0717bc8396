/** How far a quorum is, by what peers' answers about time took. Pure. Rules CS-11, BR-11, docs/protocol/time.md. */
import { type Millis, type Monotonic, millis } from '../../base/units.ts';
import type { Address, ValidatorSet } from '../chain/types.ts';
import { powerOf } from '../chain/validator-set.ts';
import type { PeerTimeInfo } from './types.ts';

/**
 * Round trip to the slowest validator of the nearest quorum, this node among it; undefined while too few have answered
 * since `from`. Liars of less than a third cannot raise it above the farthest honest validator's.
 */
export function quorumRoundTrip(
  validators: ValidatorSet,
  self: Address,
  peers: readonly Pick<PeerTimeInfo, 'peerId' | 'roundTripTime' | 'lastUpdate'>[],
  from: Monotonic,
): Millis | undefined {
  const measured = peers
    .flatMap(({ peerId, roundTripTime, lastUpdate }) =>
      roundTripTime === undefined || lastUpdate === undefined || lastUpdate < from
        ? []
        : [{ power: powerOf(validators, peerId), roundTripTime }],
    )
    .sort((left, right) => left.roundTripTime - right.roundTripTime);
  let power = powerOf(validators, self);
  if (power >= validators.quorumPower) return millis(0);
  for (const one of measured) {
    power += one.power;
    if (power >= validators.quorumPower) return one.roundTripTime;
  }
  return undefined;
}

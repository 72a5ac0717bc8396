/** What an application is told of the evidence in a block: the same on every node. Pure. CS-14, docs/applications.md. */
import { invariant } from '../../base/invariant.ts';
import { minHeight, previousHeight } from '../chain/ordinals.ts';
import type { Epoch, Evidence, Header, ValidatorSet } from '../chain/types.ts';
import { powerOf } from '../chain/validator-set.ts';
import type { Misbehavior } from '../ports/application.ts';
import { accusedOf, epochOf, heightOf } from './evidence.ts';

const TYPES: Readonly<Record<Evidence['kind'], Misbehavior['type']>> = {
  DoubleVote: 'DUPLICATE_VOTE',
  QcHiding: 'HIDDEN_QC',
};

/** In the order of the block. @throws InvariantViolation when the set is not known that judged it */
export const misbehaviorIn = (
  { header, evidence }: { readonly header: Header; readonly evidence: readonly Evidence[] },
  setFor: (epoch: Epoch) => ValidatorSet | undefined,
): readonly Misbehavior[] =>
  evidence.map((one) => {
    const address = accusedOf(one);
    const set = setFor(epochOf(one));
    invariant(set !== undefined, 'a committed block carries evidence of an epoch that is known', {
      height: header.height,
      epoch: epochOf(one),
    });
    return {
      type: TYPES[one.kind],
      validator: { address, power: powerOf(set, address) },
      height: minHeight(heightOf(one), previousHeight(header.height)),
      time: header.time,
      totalVotingPower: set.totalPower,
    };
  });

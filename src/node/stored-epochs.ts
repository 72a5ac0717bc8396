/** The epochs that a store holds: how it was left, and who decided in each. Boundary: the store. Rule CS-16. */
import { previousEpoch } from '../protocol/chain/ordinals.ts';
import type { Epoch, ValidatorSet } from '../protocol/chain/types.ts';
import { type EpochContext, epochNow } from '../protocol/consensus/epoch.ts';
import type { StoreReader } from '../storage/store.ts';

/** The epoch in which the store was left; of one that cannot be read, the first: its cells say so. */
export function presentEpoch(store: Pick<StoreReader, 'recover'>, first: EpochContext): EpochContext {
  const recovered = store.recover();
  return recovered.status === 'found' ? epochNow(first, recovered.value) : first;
}

/** The validators of an epoch that this store has entered; undefined for any other. */
export function validatorsOf(
  store: Pick<StoreReader, 'changes'>,
  first: EpochContext,
  epoch: Epoch,
): ValidatorSet | undefined {
  const before = previousEpoch(epoch);
  if (before === undefined) return first.set;
  const found = store.changes(before, 1);
  const [change] = found.status === 'found' ? found.value : [];
  return change?.proof.next.epoch === epoch ? change.proof.next.validators : undefined;
}

/**
 * When an epoch ends and what the next one is: by changes of the validators that took effect, or by its length. Pure and total.
 * Rules CS-15, CS-16, docs/protocol/consensus.md.
 */
import { toHex } from '../../base/bytes.ts';
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import { epochHashOf, NO_NEXT_EPOCH } from '../chain/canonical.ts';
import { nextHeight } from '../chain/ordinals.ts';
import type {
  Block,
  Digest,
  EpochDescriptor,
  ExecutedState,
  Height,
  QuorumCertificate,
  Validator,
  ValidatorSet,
} from '../chain/types.ts';
import { addressOf, type ValidatorSetProblem, validatorSet } from '../chain/validator-set.ts';
import type { ValidatorUpdate } from '../ports/application.ts';
import type { UpdatesAt } from '../ports/storage.ts';
import { VALIDATORS_MAX } from '../transport/limits.ts';
import { type BlockTree, blocksTo, endsEpoch } from './block-tree.ts';
import type { EpochContext } from './epoch.ts';
import { type EpochStanding, nextDescriptor, standingAfter } from './standing.ts';

/** Why no validators can follow: every node of the chain finds the same, and halts (CS-16). */
export type EpochEndProblem =
  | ValidatorSetProblem
  | { readonly code: 'VALIDATORS_TOO_MANY'; readonly validators: number; readonly limit: number }
  | { readonly code: 'POSSESSION_NOT_PROVEN'; readonly nodeKey: Uint8Array };

/**
 * The validators after `updates`, in their order: power 0 takes a node key out, any other puts it in or changes it. A
 * consensus key that its owner did not have before comes with a proof of possession, once.
 */
export function setAfter(
  set: ValidatorSet,
  updates: readonly ValidatorUpdate[],
  bls: Pick<BlsEngine, 'verifyPossession'>,
): ValidatorSet | EpochEndProblem {
  const proven = new Set(set.validators.map(keysOf));
  for (const update of updates) {
    const { nodeKey, consensusKey, possessionProof, power } = update;
    if (power === 0n || proven.has(keysOf(update))) continue;
    if (!bls.verifyPossession(consensusKey, possessionProof))
      return { code: 'POSSESSION_NOT_PROVEN', nodeKey };
    proven.add(keysOf(update));
  }
  const after = applied(set, updates);
  if ('code' in after || after.validators.length <= VALIDATORS_MAX) return after;
  return { code: 'VALIDATORS_TOO_MANY', validators: after.validators.length, limit: VALIDATORS_MAX };
}

const keysOf = ({ nodeKey, consensusKey }: Pick<ValidatorUpdate, 'nodeKey' | 'consensusKey'>): string =>
  `${toHex(nodeKey)} ${toHex(consensusKey)}`;

/** As `setAfter`, of updates whose keys were proven before. */
function applied(set: ValidatorSet, updates: readonly ValidatorUpdate[]): ValidatorSet | ValidatorSetProblem {
  const validators = new Map<string, Validator>(set.validators.map((one) => [one.address, one]));
  for (const { nodeKey, consensusKey, power } of updates) {
    const address = addressOf(nodeKey);
    if (power === 0n) validators.delete(address);
    else validators.set(address, { address, nodeKey, consensusKey, power });
  }
  return validatorSet([...validators.values()]);
}

/** What is to take effect where a block states this much as executed. */
const dueAt = (updates: readonly UpdatesAt[], executed: Height): readonly ValidatorUpdate[] =>
  updates.filter(({ height }) => height <= executed).flatMap((at) => at.updates);

/** Whether a block of this height that states `executed` ends its epoch, where none below it did. */
export function isEpochDue(
  { rootQC, epochLength }: EpochContext,
  updates: readonly UpdatesAt[],
  { height, executed }: { readonly height: Height; readonly executed: Height },
): boolean {
  const isLong = epochLength > 0 && height - rootQC.height >= epochLength;
  return isLong || updates.some((at) => at.height <= executed);
}

/** The epoch after the one that a block which states `executed` ends. */
export function descriptorAfter(
  epoch: EpochContext,
  standing: EpochStanding,
  updates: readonly UpdatesAt[],
  executed: Height,
): EpochDescriptor | ValidatorSetProblem {
  const validators = applied(epoch.set, dueAt(updates, executed));
  return 'code' in validators ? validators : nextDescriptor(epoch, standing, validators);
}

/** With these blocks of the epoch, oldest first; without the one that ends it, which names what came of those below (CS-17). */
export const standingWith = (
  epoch: EpochContext,
  standing: EpochStanding,
  blocks: readonly Block[],
): EpochStanding =>
  blocks
    .filter(({ header }) => !endsEpoch(header))
    .reduce(
      (sum, { header, qc }) => standingAfter(epoch, sum, { ...header, parentRound: qc.round }),
      standing,
    );

/**
 * What a block on `qc` that states `executed` has to name as the hash of the next epoch: its own epoch's, as long as that goes
 * on; the next one's in the block that ends it, and none above that. Undefined while the
 * parent or the execution is unknown, or where no epoch can follow.
 */
export function nextHashOn(
  tree: BlockTree,
  epoch: EpochContext,
  qc: QuorumCertificate,
  executed: ExecutedState,
): Digest | undefined {
  const { root, blocks, updates, executedHeight } = tree;
  const parent = qc.blockId === root.id ? undefined : blocks.get(qc.blockId)?.block.header;
  const parentHash = qc.blockId === root.id ? root.nextHash : parent?.nextValidatorsHash;
  if (parentHash !== epoch.hash) return parentHash === undefined ? undefined : NO_NEXT_EPOCH;
  // What the parent states too has ended no epoch. Of anything newer this node must know what it asked for.
  const isNews = executed.height > (parent ?? root).executed.height;
  if (isNews && executed.height > executedHeight) return undefined;
  const height = nextHeight(qc.height);
  if (!isEpochDue(epoch, updates, { height, executed: executed.height })) return epoch.hash;
  const below = blocksTo(tree, qc.blockId);
  if (tree.standing === undefined || below === undefined) return undefined;
  const standing = standingWith(
    epoch,
    tree.standing,
    below.map(({ block }) => block),
  );
  const next = descriptorAfter(epoch, standing, updates, executed.height);
  return 'code' in next ? undefined : epochHashOf(next);
}

/** In words, with every operand. */
export function describeProblem(problem: EpochEndProblem): string {
  const operands = Object.entries(problem).filter(([name]) => name !== 'code');
  const said = operands.map(
    ([name, value]) => `${name} ${value instanceof Uint8Array ? toHex(value) : value}`,
  );
  return [problem.code, ...said].join(', ');
}

import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { sha256 } from '../../../src/crypto/hash.ts';
import { digestOf, epochHashOf, NO_NEXT_EPOCH } from '../../../src/protocol/chain/canonical.ts';
import type { ExecutedState, ValidatorSet } from '../../../src/protocol/chain/types.ts';
import { addressOf, validatorOf } from '../../../src/protocol/chain/validator-set.ts';
import {
  type BlockTree,
  genesisRoot,
  insertBlock,
  noteExecuted,
  plantTree,
} from '../../../src/protocol/consensus/block-tree.ts';
import {
  describeProblem,
  descriptorAfter,
  type EpochEndProblem,
  isEpochDue,
  nextHashOn,
  setAfter,
} from '../../../src/protocol/consensus/epoch-end.ts';
import { rootStanding } from '../../../src/protocol/consensus/standing.ts';
import type { ValidatorUpdate } from '../../../src/protocol/ports/application.ts';
import { VALIDATORS_MAX } from '../../../src/protocol/transport/limits.ts';
import { endingIn, updateOf, worldIn } from './epoch-fixture.ts';
import {
  chainOf,
  GENESIS_APP_HASH,
  GENESIS_EXECUTED,
  GENESIS_TIME,
  height,
  idOf,
  present,
  qcOf,
  world,
} from './fixture.ts';

const place = world();
const { epoch, bls } = place;
const root = epoch.rootQC;
const standing = rootStanding(epoch);
const NO_PROOF = new Uint8Array(0);

/** Somebody of whom nobody has heard, with the proof of its key. */
function stranger(name: string, power = 1n): ValidatorUpdate {
  const secret = present(bls.generateSecret(sha256(utf8(`secret ${name}`))), 'secret');
  return {
    nodeKey: sha256(utf8(`node ${name}`)),
    consensusKey: present(bls.publicKeyOf(secret), 'key'),
    possessionProof: present(bls.provePossession(secret), 'proof'),
    power,
  };
}

const whole = (set: ValidatorSet | EpochEndProblem): ValidatorSet => {
  if ('code' in set) throw new Error(set.code);
  return set;
};
const codeOf = (set: ValidatorSet | EpochEndProblem): string => ('code' in set ? set.code : 'a set');

describe('the validators after updates (CS-16)', () => {
  it('come, go and change their power, by node key', () => {
    const set = whole(
      setAfter(epoch.set, [stranger('new', 5n), updateOf(place, 0, 0n), updateOf(place, 1, 7n)], bls),
    );
    expect(set.validators).toHaveLength(4);
    expect(validatorOf(set, addressOf(stranger('new').nodeKey))?.power).toBe(5n);
    expect(validatorOf(set, place.addressAt(0))).toBeUndefined();
    expect(validatorOf(set, place.addressAt(1))?.power).toBe(7n);
    expect(set.totalPower).toBe(5n + 7n + 1n + 1n);
  });

  it('take the later of two updates of one node key', () => {
    const twice = [updateOf(place, 0, 9n), updateOf(place, 0, 3n)];
    expect(validatorOf(whole(setAfter(epoch.set, twice, bls)), place.addressAt(0))?.power).toBe(3n);
    expect(whole(setAfter(epoch.set, [stranger('new'), stranger('new', 0n)], bls)).hash).toBe(epoch.set.hash);
  });

  it('rotate a consensus key only with a proof of its possession', () => {
    const { consensusKey, possessionProof } = stranger('rotated');
    const rotated = { ...updateOf(place, 2, 1n), consensusKey, possessionProof };
    const set = whole(setAfter(epoch.set, [rotated], bls));
    expect(validatorOf(set, place.addressAt(2))?.consensusKey).toEqual(consensusKey);
    const unproven = { ...rotated, possessionProof: NO_PROOF };
    expect(setAfter(epoch.set, [unproven], bls)).toEqual({
      code: 'POSSESSION_NOT_PROVEN',
      nodeKey: rotated.nodeKey,
    });
    const stolen = { ...rotated, possessionProof: stranger('other').possessionProof };
    expect(codeOf(setAfter(epoch.set, [stolen], bls))).toBe('POSSESSION_NOT_PROVEN');
  });

  it('need a proof once: a key that an update before has proven is known, as one of the set is', () => {
    const later = { ...stranger('new', 8n), possessionProof: NO_PROOF };
    expect(codeOf(setAfter(epoch.set, [stranger('new'), later], bls))).toBe('a set');
    expect(codeOf(setAfter(epoch.set, [later], bls))).toBe('POSSESSION_NOT_PROVEN');
    // The same key in another's hand is not proven by that.
    const other = { ...later, nodeKey: sha256(utf8('another node')) };
    expect(codeOf(setAfter(epoch.set, [stranger('new'), other], bls))).toBe('POSSESSION_NOT_PROVEN');
  });

  it('are no set that consensus cannot run with, and the problem says which', () => {
    const none = place.validators.map((_, index) => updateOf(place, index, 0n));
    expect(setAfter(epoch.set, none, bls)).toEqual({ code: 'VALIDATORS_EMPTY' });
    const shared = { ...stranger('new'), consensusKey: present(place.validators[0], 'one').consensusKey };
    const sure = { ...bls, verifyPossession: () => true };
    const problem = setAfter(epoch.set, [shared], sure);
    expect(codeOf(problem)).toBe('VALIDATOR_DUPLICATE');
    if ('code' in problem) expect(describeProblem(problem)).toContain(place.addressAt(0));
    expect(codeOf(setAfter(epoch.set, [stranger('new', 2n ** 60n)], bls))).toBe('VALIDATORS_POWER_TOO_LARGE');
    const many = Array.from({ length: VALIDATORS_MAX }, (_, index) => stranger(`${index}`));
    expect(setAfter(epoch.set, many, sure)).toEqual({
      code: 'VALIDATORS_TOO_MANY',
      validators: VALIDATORS_MAX + 4,
      limit: VALIDATORS_MAX,
    });
    expect(codeOf(setAfter(epoch.set, many.slice(4), sure))).toBe('a set');
  });
});

describe('when an epoch ends (CS-16)', () => {
  const asked = [{ height: height(3), updates: [updateOf(place, 0, 2n)] }];

  it('is where a block states as executed what asked for other validators, not before', () => {
    expect(isEpochDue(epoch, [], { height: height(900), executed: height(899) })).toBe(false);
    expect(isEpochDue(epoch, asked, { height: height(5), executed: height(2) })).toBe(false);
    expect(isEpochDue(epoch, asked, { height: height(5), executed: height(3) })).toBe(true);
  });

  it('is after its length too, counted from the block that opened it', () => {
    const short = { ...epoch, epochLength: 10 };
    const due = (at: number) => isEpochDue(short, [], { height: height(at), executed: height(0) });
    expect([9, 10, 11].map(due)).toEqual([false, true, true]);
    const later = { ...short, rootQC: { ...root, height: height(10) } };
    const dueLater = (at: number) => isEpochDue(later, [], { height: height(at), executed: height(0) });
    expect([19, 20].map(dueLater)).toEqual([false, true]);
  });

  it('only what it states is in the next set, and the next has another seed', () => {
    const more = [...asked, { height: height(4), updates: [updateOf(place, 1, 9n)] }];
    const next = descriptorAfter(epoch, standing, more, height(3));
    if ('code' in next) throw new Error(next.code);
    expect(next.epoch).toBe(1);
    expect(next.validators.validators.map(({ power }) => power)).toEqual([2n, 1n, 1n, 1n]);
    expect(next.seed).not.toBe(epoch.descriptor.seed);
    expect(epochHashOf(next)).not.toBe(epoch.hash);
    const none = place.validators.map((_, index) => updateOf(place, index, 0n));
    expect(descriptorAfter(epoch, standing, [{ height: height(1), updates: none }], height(1))).toEqual({
      code: 'VALIDATORS_EMPTY',
    });
  });
});

describe('what a block has to name as the hash of the next epoch (CS-16)', () => {
  const executedAt = (at: number): ExecutedState => ({
    height: height(at),
    appHash: digestOf(utf8(`${at}`)),
  });
  const planted = plantTree(genesisRoot(epoch, { time: GENESIS_TIME, appHash: GENESIS_APP_HASH }), root, {
    ...{ updates: [], executedHeight: height(0), standing },
  });
  const asking = noteExecuted(planted, root.blockId, executedAt(1), [updateOf(place, 0, 2n)]);
  const inserted = (tree: BlockTree, ...given: Parameters<typeof insertBlock>[1]['block'][]): BlockTree =>
    given.reduce((grown, block) => insertBlock(grown, { id: idOf(place, block), block }, true).tree, tree);

  it('is that of its own, as long as it goes on', () => {
    expect(nextHashOn(planted, epoch, root, GENESIS_EXECUTED)).toBe(epoch.hash);
    expect(nextHashOn(asking, epoch, root, GENESIS_EXECUTED)).toBe(epoch.hash);
  });

  it('is that of the next in the block that ends it, and none in every block above', () => {
    const next = descriptorAfter(epoch, standing, asking.updates, height(1));
    if ('code' in next) throw new Error(next.code);
    expect(nextHashOn(asking, epoch, root, executedAt(1))).toBe(epochHashOf(next));
    const { blocks, qcs } = endingIn(place, [1, 3, 5], {
      end: 0,
      executed: executedAt(1),
      updates: asking.updates,
    });
    const grown = inserted(asking, ...blocks);
    for (const qc of qcs) expect(nextHashOn(grown, epoch, qc, executedAt(1))).toBe(NO_NEXT_EPOCH);
  });

  it('is not known while the parent or the execution is unknown', () => {
    expect(nextHashOn(planted, epoch, root, executedAt(1))).toBeUndefined();
    const { qcs } = chainOf(place, [1]);
    expect(nextHashOn(asking, epoch, present(qcs[0], 'QC'), executedAt(1))).toBeUndefined();
  });

  it('needs no execution where the block states what its parent states: that has ended no epoch', () => {
    const { blocks } = chainOf(place, [1], () => ({ executed: executedAt(7) }));
    const [block] = blocks;
    if (block === undefined) throw new Error('a block');
    const grown = inserted(planted, block);
    expect(nextHashOn(grown, epoch, qcOf(place, block), executedAt(7))).toBe(epoch.hash);
    expect(nextHashOn(grown, epoch, qcOf(place, block), executedAt(8))).toBeUndefined();
  });

  it('is not known where no epoch can follow: nobody votes, every node has halted', () => {
    const none = place.validators.map((_, index) => updateOf(place, index, 0n));
    const doomed = noteExecuted(planted, root.blockId, executedAt(1), none);
    expect(nextHashOn(doomed, epoch, root, executedAt(1))).toBeUndefined();
  });

  it('begins anew after the epoch: what has taken effect ends no second one', () => {
    const ending = endingIn(place, [1, 2], { end: 0, executed: executedAt(1), updates: asking.updates });
    const after = worldIn(place, ending.change).epoch;
    expect(after.settledHeight).toBe(1);
    expect(after.rootQC).toMatchObject({ epoch: 1, round: 0, height: 1, signature: NO_PROOF });
    expect(after.set.validators.map(({ power }) => power)).toEqual([2n, 1n, 1n, 1n]);
  });
});

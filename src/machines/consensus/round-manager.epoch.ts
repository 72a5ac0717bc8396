/**
 * How round-manager ends an epoch: its last block is committed and durable, the next epoch is known, by this node's own
 * executions or by a proof; then storage writes both in one. Pure. Rule CS-16, docs/protocol/consensus.md; the rules are in
 * protocol/consensus/epoch-end.ts.
 */
import { epochHashOf, linkIdOf } from '../../protocol/chain/canonical.ts';
import type {
  Address,
  Block,
  Epoch,
  EpochChange,
  EpochDescriptor,
  HeaderLink,
  QuorumCertificate,
} from '../../protocol/chain/types.ts';
import { certifyBlock, insertProven, type TreeBlock } from '../../protocol/consensus/block-tree.ts';
import { endingOf } from '../../protocol/consensus/commit-rule.ts';
import { descriptorAfter } from '../../protocol/consensus/epoch-end.ts';
import { verifyCertificates } from '../../protocol/consensus/verified.ts';
import type { EpochBegan, EpochMet } from '../../protocol/ports/consensus.ts';
import { announcing, type Effect, telling } from '../../protocol/supervision/effect.ts';
import {
  type Clock,
  type LiveTree,
  type RoundManagerContext,
  type RoundManagerInput,
  type Stepped,
  still,
  toStorage,
} from './round-manager.live.ts';

/** What is proven of the epoch's end stands in the tree: once the last block came, all that is above it up to its proof. */
export function withSuffix({ setting }: RoundManagerInput, live: LiveTree): LiveTree {
  const { proven, tree } = live;
  if (proven === undefined || tree.root.endsEpoch) return live;
  const { domain } = setting.epoch;
  const { qc, proof } = proven;
  const [, ...above] = proof.last.path;
  let parent: QuorumCertificate = qc;
  const nodes = above.map((link): TreeBlock => {
    const id = linkIdOf(domain, link);
    const block: Block = { header: link.header, qc: parent };
    parent = unsigned(link, id);
    return { id, block };
  });
  const certified = [qc, proof.last.certificate].reduce(certifyBlock, insertProven(tree, nodes));
  return certified === tree ? live : { ...live, tree: certified };
}

/** What a certificate of the block would state; the chain of ids below a verified one proves it. */
const unsigned = (
  { header: { epoch, round, height, parentId }, parentRound }: HeaderLink,
  blockId: QuorumCertificate['blockId'],
): QuorumCertificate => ({
  ...{ epoch, round, height, blockId, parentId, parentRound },
  signers: new Uint8Array(0),
  signature: new Uint8Array(0),
});

/** CS-16: storage is asked once, when nothing that was decided waits for the disk. */
export function endEpoch(context: RoundManagerContext, live: LiveTree, { address: replyTo }: Clock): Stepped {
  const { tree, committing, endTag, commitTag } = live;
  if (!tree.root.endsEpoch || committing.length > 0 || endTag !== undefined) return still(live);
  const change = changeOf(context, live);
  if (change === undefined) return still(live);
  const tag = commitTag + 1;
  return {
    live: { ...live, commitTag: tag, endTag: tag },
    effects: [toStorage(context, { type: 'epoch.endRequested', replyTo, tag, change })],
  };
}

/** As it was proven, or as this node's own executions have it: they must come to what the last block names. */
function changeOf({ setting: { epoch, bls } }: RoundManagerContext, live: LiveTree): EpochChange | undefined {
  const { tree, proven, ending, last, verified } = live;
  const { root } = tree;
  if (proven !== undefined && proven.qc.blockId === root.id) return proven;
  if (last === undefined || tree.executedHeight < root.executed.height) return undefined;
  const path = ending ?? endingOf(tree, last);
  const next = nextOf(epoch, tree);
  if (path === undefined || next === undefined || epochHashOf(next) !== root.nextHash) return undefined;
  // Of a block that was fetched the child's word stands here, and its bytes are whatever the sender liked (CS-12). Others would
  // blame this node for them; they tell their own.
  const isSound = verifyCertificates(epoch, bls, verified, { qc: last.qc }).refusals.length === 0;
  return isSound ? { qc: last.qc, proof: { last: path, next } } : undefined;
}

function nextOf(
  epoch: EpochBegan['epoch'],
  { updates, standing, root }: LiveTree['tree'],
): EpochDescriptor | undefined {
  if (standing === undefined) return undefined;
  const next = descriptorAfter(epoch, standing, updates, root.executed.height);
  return 'code' in next ? undefined : next;
}

/** All who judge by the validator set. A cell that is not up begins with the present one. */
export const tellEpoch = ({ epochListeners }: RoundManagerInput, epoch: EpochBegan['epoch']): Effect[] => {
  const began: EpochBegan = { type: 'epoch.began', epoch };
  return epochListeners.map((to) => announcing(to, began));
};

/** Who speaks in another epoch is not to blame: it is told how its own ended, or asked how this node's did. */
export function metEpoch({ epochKeeper }: RoundManagerInput, from: Address, epoch: Epoch): Effect {
  const met: EpochMet = { type: 'epoch.met', from, epoch };
  return telling(epochKeeper, met);
}

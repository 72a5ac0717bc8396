/**
 * Where a download begins, what the side store is planted on, how it goes on from each epoch to the next, and what the blocks say
 * of a snapshot. Pure. Rules SY-9, SY-10, CS-16, EX-2; ST-11, docs/storage.md.
 */
import { FIRST_EPOCH, GENESIS_HEIGHT, heightMinus, nextHeight } from '../../protocol/chain/ordinals.ts';
import type { EpochChange } from '../../protocol/chain/types.ts';
import { type EpochContext, epochAfter } from '../../protocol/consensus/epoch.ts';
import type { SideStoreRequest } from '../../protocol/ports/sync.ts';
import { type Effect, telling } from '../../protocol/supervision/effect.ts';
import {
  beginDownload,
  beginDownloadAbove,
  type Download,
  isWritten,
} from '../../protocol/sync/chain-download.ts';
import type { ReadyBlock } from '../../protocol/sync/chain-front.ts';
import { endOf, epochAbove, partOf } from '../../protocol/sync/epoch-walk.ts';
import { certificationOf } from '../../protocol/sync/snapshot.ts';
import type { ProvedTip } from '../../protocol/sync/types.ts';
import type { ChainSyncContext, Joining } from './chain-sync.live.ts';

/**
 * SY-10: from as far below the snapshot as the next block's duplicates are told by (EX-2); the chain stands on the block below these.
 * @returns the epoch of the first block that is written, and below which the first one is that is asked for
 */
function startOf({ walk, joining, deduplicationHeights }: ChainSyncContext) {
  const at = joining?.candidate?.manifest.height ?? GENESIS_HEIGHT;
  const below = heightMinus(at, deduplicationHeights + 1);
  const epoch = below === GENESIS_HEIGHT ? walk.first : epochAbove(walk, nextHeight(below));
  return { below, epoch };
}

/** How epochs ended that the side store will hold no block of. */
export const epochsPassed = (context: ChainSyncContext): readonly EpochChange[] =>
  context.walk.changes.slice(0, startOf(context).epoch.epoch - FIRST_EPOCH);

/** What is downloaded of one epoch, the first of them. */
export function firstPart(context: ChainSyncContext, target: ProvedTip) {
  const { below, epoch } = startOf(context);
  const part = partOf(context.walk, epoch.epoch, target);
  // What an epoch stands on is known, and is not asked for.
  const isRoot = below === GENESIS_HEIGHT || nextHeight(below) === epoch.rootQC.height;
  return isRoot
    ? wholeEpoch(epoch, part)
    : { epoch, download: beginDownloadAbove(part, { height: below }), ended: undefined };
}

/** Undefined: all of it is written. */
export function nextPart({ walk, epoch: before, target, download }: ChainSyncContext) {
  const ended = endOf(walk, before.epoch);
  const isLast = target === undefined || target.proof.epoch <= before.epoch;
  if (isLast || ended === undefined || download === undefined || !isWritten(download)) return undefined;
  const epoch = epochAfter(walk.first, ended);
  const next = wholeEpoch(epoch, partOf(walk, epoch.epoch, target), ended);
  return { ...next, download: { ...next.download, batchesLeft: download.batchesLeft } };
}

const wholeEpoch = (epoch: EpochContext, part: ProvedTip, ended?: EpochChange) => ({
  ...{ epoch, ended },
  download: beginDownload(part, epoch.rootQC),
});

/** ST-11: what the chain stands on, before the first blocks are written. A failure has the tag of the blocks. */
export function planting(
  { sideStore, isPlanted }: ChainSyncContext,
  { durable }: Download,
  root: ReadyBlock | undefined,
  to: { readonly replyTo: string; readonly tag: number },
): readonly Effect[] {
  const height = root?.certified.block.header.height ?? durable.height;
  const id = root?.id ?? durable.id;
  if (isPlanted || id === undefined || height === GENESIS_HEIGHT) return [];
  const message: SideStoreRequest = { type: 'side.plantRequested', ...to, height, id };
  return [telling(sideStore, message)];
}

/** SY-10: what these blocks say of the state after the snapshot's height. */
export function certifiedBy(
  { joining }: ChainSyncContext,
  blocks: readonly ReadyBlock[],
): Joining | undefined {
  if (joining?.candidate === undefined) return joining;
  const { height } = joining.candidate.manifest;
  const certification =
    joining.certification.status === 'not yet'
      ? certificationOf(
          height,
          blocks.map(({ certified }) => certified),
        )
      : joining.certification;
  const at = blocks.find(({ certified }) => certified.block.header.height === height);
  return { ...joining, certification, blockId: joining.blockId ?? at?.id };
}

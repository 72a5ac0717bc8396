/**
 * Where a download begins, what the side store is planted on, and what the blocks say of a snapshot: all of it for a join by
 * one. Pure. Rules SY-10, EX-2; ST-11, docs/storage.md.
 */
import { GENESIS_HEIGHT, heightMinus } from '../../protocol/chain/ordinals.ts';
import type { SideStoreRequest } from '../../protocol/ports/sync.ts';
import { type Effect, telling } from '../../protocol/supervision/effect.ts';
import { beginDownload, beginDownloadAbove, type Download } from '../../protocol/sync/chain-download.ts';
import type { ReadyBlock } from '../../protocol/sync/chain-front.ts';
import { certificationOf } from '../../protocol/sync/snapshot.ts';
import type { ProvedTip } from '../../protocol/sync/types.ts';
import type { ChainSyncContext, Joining } from './chain-sync.live.ts';

/** SY-10: from as far below the snapshot as the next block's duplicates are told by (EX-2), and one below. */
export function downloadOf(
  { epoch, joining, deduplicationHeights }: ChainSyncContext,
  target: ProvedTip,
): Download {
  const at = joining?.candidate?.manifest.height ?? GENESIS_HEIGHT;
  const root = heightMinus(at, deduplicationHeights + 1);
  return root === GENESIS_HEIGHT
    ? beginDownload(target, epoch.rootQC)
    : beginDownloadAbove(target, { height: root });
}

/** ST-11: what the chain stands on, before the first blocks are written. A failure has the tag of the blocks. */
export function planting(
  { sideStore }: ChainSyncContext,
  root: ReadyBlock | undefined,
  to: { readonly replyTo: string; readonly tag: number },
): readonly Effect[] {
  if (root === undefined) return [];
  const { id, certified } = root;
  const { height } = certified.block.header;
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

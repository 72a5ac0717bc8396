/**
 * The snapshots that one simulated node keeps, in memory, and what gives them: as snapshot-keeper does on a disk. They outlive
 * its processes. Deterministic. Rules SM-1, SY-10.
 */
import { declare, handler } from '../actors/runtime/index.ts';
import { SNAPSHOTS_KEPT } from '../application/snapshot-folder.ts';
import { digestOf } from '../protocol/chain/canonical.ts';
import type { ExecutedState } from '../protocol/chain/types.ts';
import type {
  SnapshotKeeperReply,
  SnapshotKeeperRequest,
  SnapshotNews,
  SnapshotOrder,
} from '../protocol/ports/snapshots.ts';
import type { SnapshotManifest } from '../protocol/sync/messages.ts';

export interface KeptSnapshot {
  readonly manifest: SnapshotManifest;
  readonly chunks: readonly Uint8Array[];
}

export const SHELF_EVENTS = declare<SnapshotNews | SnapshotKeeperRequest>()(
  'snapshot.taken',
  'snapshotChunk.read',
  'snapshot.read',
  'snapshot.lost',
  'manifest.requested',
  'chunk.requested',
);

export class SnapshotShelf {
  /** By rising height. */
  kept: readonly KeptSnapshot[] = [];
  #draft:
    | { readonly executed: ExecutedState; readonly format: number; readonly chunks: Uint8Array[] }
    | undefined;

  /** Of the cell `snapshot-keeper`. */
  logic(executor: string) {
    return handler<undefined, SnapshotNews | SnapshotKeeperRequest>({
      init: () => undefined,
      receive: (message, context) => {
        if (message.type === 'manifest.requested' || message.type === 'chunk.requested') {
          context.tell(message.replyTo, this.#answer(message));
          return;
        }
        if (this.#take(message)) {
          const order: SnapshotOrder = { type: 'snapshotChunk.wanted', height: heightOf(message) };
          context.tell(executor, order);
        }
      },
    });
  }

  /** Whether a further chunk is wanted. */
  #take(news: SnapshotNews): boolean {
    const draft = this.#draft;
    if (news.type === 'snapshot.taken') {
      this.#draft = { executed: news.executed, format: news.format, chunks: [] };
      return true;
    }
    if (draft === undefined || news.height !== draft.executed.height) return false;
    if (news.type === 'snapshotChunk.read') {
      draft.chunks.push(news.bytes);
      return true;
    }
    this.#draft = undefined;
    if (news.type === 'snapshot.read') this.kept = [...this.kept, keptOf(draft)].slice(-SNAPSHOTS_KEPT);
    return false;
  }

  #answer(request: SnapshotKeeperRequest): SnapshotKeeperReply {
    const { tag } = request;
    if (request.type === 'manifest.requested') {
      const manifest = this.kept.at(-1)?.manifest;
      return { type: 'manifest.found', tag, ...(manifest === undefined ? {} : { manifest }) };
    }
    const { height, format, chunk } = request;
    const found = this.kept.find(({ manifest }) => manifest.height === height && manifest.format === format);
    const bytes = found?.chunks[chunk];
    return { type: 'chunk.found', tag, ...(bytes === undefined ? {} : { bytes }) };
  }
}

const heightOf = (news: SnapshotNews) =>
  news.type === 'snapshot.taken' ? news.executed.height : news.height;

function keptOf(draft: {
  readonly executed: ExecutedState;
  readonly format: number;
  readonly chunks: readonly Uint8Array[];
}): KeptSnapshot {
  const { executed, format, chunks } = draft;
  const bytes = chunks.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const manifest = { height: executed.height, format, bytes, chunks: chunks.map((chunk) => digestOf(chunk)) };
  return { manifest, chunks };
}

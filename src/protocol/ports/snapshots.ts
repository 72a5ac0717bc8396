/**
 * What the snapshot-keeper (the boundary actor that keeps the application's snapshots on disk) and its neighbours say:
 * the executor takes snapshots, the chain-server gives them to peers. Messages only. Rule SY-10, docs/applications.md.
 */
import type { ExecutedState, Height } from '../chain/types.ts';
import type { SnapshotManifest } from '../sync/messages.ts';

interface Request {
  readonly replyTo: string;
  readonly tag: number;
}

/** executor → snapshot-keeper. One snapshot at a time; a chunk for each that was wanted. */
export type SnapshotNews =
  /** The state after a height is being kept apart: its chunks may be asked for. */
  | { readonly type: 'snapshot.taken'; readonly executed: ExecutedState; readonly format: number }
  | { readonly type: 'snapshotChunk.read'; readonly height: Height; readonly bytes: Uint8Array }
  /** There are no more chunks. */
  | { readonly type: 'snapshot.read'; readonly height: Height }
  /** The application failed, or ended: the rest will not come. */
  | { readonly type: 'snapshot.lost'; readonly height: Height; readonly detail: string };

/** snapshot-keeper → executor. */
export type SnapshotOrder =
  | { readonly type: 'snapshotChunk.wanted'; readonly height: Height }
  /** The rest is not wanted; without a height: of no snapshot. */
  | { readonly type: 'snapshot.released'; readonly height?: Height };

/** chain-server → snapshot-keeper. */
export type SnapshotKeeperRequest =
  | ({ readonly type: 'manifest.requested' } & Request)
  | ({
      readonly type: 'chunk.requested';
      readonly height: Height;
      readonly format: number;
      /** From 0. */
      readonly chunk: number;
    } & Request);

/** snapshot-keeper → chain-server: exactly one for each request. */
export type SnapshotKeeperReply =
  /** The newest that is kept. */
  | { readonly type: 'manifest.found'; readonly tag: number; readonly manifest?: SnapshotManifest }
  /** `bytes` is absent where it is not kept, or no more. */
  | { readonly type: 'chunk.found'; readonly tag: number; readonly bytes?: Uint8Array };

/** chain-sync → snapshot-restorer: an application is made out of a snapshot, beside the running one. */
export type RestoreRequest =
  | ({ readonly type: 'restore.beginRequested'; readonly height: Height; readonly format: number } & Request)
  /** The next chunk, in order; one at a time. */
  | ({ readonly type: 'restore.chunkRequested'; readonly bytes: Uint8Array } & Request)
  | ({ readonly type: 'restore.endRequested' } & Request)
  | ({ readonly type: 'restore.abandonRequested' } & Request);

/** snapshot-restorer → chain-sync: exactly one for each request, but for those of an attempt that another one ended. */
export type RestoreReply =
  | { readonly type: 'restore.begun'; readonly tag: number }
  /** The application wants the next one. */
  | { readonly type: 'restore.took'; readonly tag: number }
  /** Where the restored application stands, by its own account; it is closed. */
  | { readonly type: 'restore.ended'; readonly tag: number; readonly executed: ExecutedState }
  | { readonly type: 'restore.abandoned'; readonly tag: number }
  | { readonly type: 'restore.failed'; readonly tag: number; readonly detail: string };

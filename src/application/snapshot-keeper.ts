/**
 * The boundary actor that keeps the application's snapshots: takes their chunks from the executor, one at a time, onto the
 * disk, waits until a header certifies the state's hash, and gives manifests and chunks to whoever asks. What goes wrong
 * costs the snapshot and nothing else. Rule SY-10, docs/applications.md.
 */
import { type BoundaryContext, type BoundaryLogic, handler } from '../actors/runtime/index.ts';
import { type Millis, millis } from '../base/units.ts';
import { declare } from '../machines/vocabulary/index.ts';
import { nextHeight } from '../protocol/chain/ordinals.ts';
import type { ExecutedState, Height } from '../protocol/chain/types.ts';
import type {
  SnapshotKeeperReply,
  SnapshotKeeperRequest,
  SnapshotNews,
  SnapshotOrder,
} from '../protocol/ports/snapshots.ts';
import type { StorageReply, StorageRequest } from '../protocol/ports/storage.ts';
import type { CellAddress } from '../protocol/supervision/effect.ts';
import { certificationOf } from '../protocol/sync/snapshot.ts';
import { messageOf } from './calls.ts';
import {
  beginDraft,
  chunkProblem,
  type OpenFile,
  type SnapshotDraft,
  SnapshotFolder,
} from './snapshot-folder.ts';

export interface SnapshotKeeperOptions {
  /** `<home>/data/snapshots`; made when it is not there. */
  readonly dir: string;
  readonly executor: CellAddress;
  readonly storage: CellAddress;
  /** Between two looks for the certifying header. */
  readonly lookEvery?: Millis;
  /** For the node's log. Must not throw. */
  readonly report?: (report: SnapshotReport) => void;
  /** Opens files for writing; left out, those of the file system. */
  readonly openFile?: OpenFile;
}

export type SnapshotReport =
  | { readonly status: 'kept'; readonly height: Height; readonly bytes: number; readonly chunks: number }
  | { readonly status: 'given up'; readonly height: Height; readonly detail: string }
  /** Found at the start, or when it was read. */
  | { readonly status: 'deleted'; readonly name: string; readonly detail: string }
  /** The folder cannot be used: none are given out, and a new one tries again. */
  | { readonly status: 'unusable'; readonly detail: string };

type FromStorage = Extract<StorageReply, { readonly type: 'blocks.found' | 'storage.failed' }>;
export type SnapshotKeeperMessage =
  | SnapshotNews
  | SnapshotKeeperRequest
  | FromStorage
  | { readonly type: 'look.due' };

/** What the cell lets in (RT-16). */
export const SNAPSHOT_KEEPER_EVENTS = declare<SnapshotKeeperMessage>()(
  'snapshot.taken',
  'snapshotChunk.read',
  'snapshot.read',
  'snapshot.lost',
  'manifest.requested',
  'chunk.requested',
  'blocks.found',
  'storage.failed',
  'look.due',
);

/** The header that certifies a height is one of the next few, unless rounds fail. @unit blocks */
const LOOK_BLOCKS = 32;
/** @unit bytes */
const LOOK_BYTES = 1_048_576;
const LOOK_EVERY = millis(2_000);

/** Logic of the cell `node/application/snapshot-keeper`. It starts once it knows what is on the disk. */
export function snapshotKeeperLogic(options: SnapshotKeeperOptions): BoundaryLogic<undefined> {
  return handler<SnapshotKeeper, SnapshotKeeperMessage>({
    init: async (context) => {
      const folder = new SnapshotFolder(options.dir, options.openFile);
      try {
        for (const { name, detail } of await folder.open()) {
          options.report?.({ status: 'deleted', name, detail });
        }
      } catch (error) {
        options.report?.({ status: 'unusable', detail: messageOf(error) });
      }
      // Whatever an earlier life of this cell was reading.
      const release: SnapshotOrder = { type: 'snapshot.released' };
      context.tell(options.executor, release);
      return new SnapshotKeeper(options, context, folder);
    },
    receive: (message, { state }) => state.receive(message),
  });
}

class SnapshotKeeper {
  readonly #options: SnapshotKeeperOptions;
  readonly #context: BoundaryContext<undefined>;
  readonly #folder: SnapshotFolder;
  #draft: SnapshotDraft | undefined;
  /** Of the question to storage that is open; its snapshot has all its chunks. */
  #look: number | undefined;
  #tag = 0;

  constructor(options: SnapshotKeeperOptions, context: BoundaryContext<undefined>, folder: SnapshotFolder) {
    this.#options = options;
    this.#context = context;
    this.#folder = folder;
  }

  receive(message: SnapshotKeeperMessage): Promise<void> | void {
    switch (message.type) {
      case 'manifest.requested': {
        const manifest = this.#folder.newest;
        return this.#reply(message.replyTo, {
          type: 'manifest.found',
          tag: message.tag,
          ...(manifest === undefined ? {} : { manifest }),
        });
      }
      case 'chunk.requested':
        return this.#serve(message);
      case 'snapshot.taken':
        return this.#begin(message.executed, message.format);
      case 'look.due':
        return this.#lookForHeader();
      case 'blocks.found':
      case 'storage.failed':
        return this.#judge(message);
      default:
        // Of a snapshot that was given up: the executor has been told. Or of one that is whole.
        if (message.height !== this.#draft?.executed.height || this.#look !== undefined) return;
        return this.#goOn(this.#draft, message);
    }
  }

  /** The executor has one at a time: what is half done will not be finished. */
  async #begin(executed: ExecutedState, format: number): Promise<void> {
    if (this.#draft !== undefined) await this.#giveUp(this.#draft, 'a newer one was taken');
    const draft = beginDraft(executed, format);
    if (executed.height <= (this.#folder.newest?.height ?? 0)) {
      this.#order({ type: 'snapshot.released', height: executed.height });
      return;
    }
    await this.#attempt(draft, async () => {
      await this.#folder.begin(draft);
      this.#draft = draft;
      this.#order({ type: 'snapshotChunk.wanted', height: executed.height });
    });
  }

  #goOn(draft: SnapshotDraft, message: Exclude<SnapshotNews, { type: 'snapshot.taken' }>): Promise<void> {
    const { height } = message;
    switch (message.type) {
      case 'snapshotChunk.read': {
        const { bytes } = message;
        const problem = chunkProblem(draft, bytes);
        if (problem !== undefined) return this.#giveUp(draft, problem);
        return this.#attempt(draft, async () => {
          this.#draft = await this.#folder.append(draft, bytes);
          this.#order({ type: 'snapshotChunk.wanted', height });
        });
      }
      case 'snapshot.read': {
        if (draft.chunks.length === 0) return this.#giveUp(draft, 'the application gave no chunk');
        this.#look = 0;
        this.#lookForHeader();
        return Promise.resolve();
      }
      case 'snapshot.lost':
        return this.#giveUp(draft, message.detail);
    }
  }

  /** A peer that joins by this snapshot needs a header with the hash of this very height. */
  #lookForHeader(): void {
    if (this.#draft === undefined || this.#look === undefined) return;
    this.#tag += 1;
    this.#look = this.#tag;
    const request: StorageRequest = {
      type: 'blocks.requested',
      from: nextHeight(this.#draft.executed.height),
      limit: LOOK_BLOCKS,
      bytesMax: LOOK_BYTES,
      replyTo: this.#context.self,
      tag: this.#tag,
    };
    this.#context.tell(this.#options.storage, request);
    // Also when storage does not answer.
    this.#context.startTimer('look', this.#options.lookEvery ?? LOOK_EVERY, { type: 'look.due' });
  }

  #judge(message: FromStorage): Promise<void> | void {
    const draft = this.#draft;
    if (draft === undefined || message.tag !== this.#look || message.type === 'storage.failed') return;
    const { height, appHash } = draft.executed;
    const found = certificationOf(height, message.blocks);
    if (found.status === 'not yet') return;
    if (found.status === 'never certified') {
      return this.#giveUp(draft, `no header states the hash of this height: block ${found.by} is beyond it`);
    }
    if (found.appHash !== appHash) {
      const detail = `its hash is ${appHash}, certified by block ${found.by} is ${found.appHash}`;
      return this.#giveUp(draft, detail);
    }
    return this.#attempt(draft, async () => {
      const { bytes, chunks } = await this.#folder.finish(draft);
      this.#end();
      this.#options.report?.({ status: 'kept', height, bytes, chunks: chunks.length });
    });
  }

  #end(): void {
    this.#draft = undefined;
    this.#look = undefined;
    this.#context.cancelTimer('look');
  }

  async #serve({ replyTo, tag, height, format, chunk }: ChunkRequested): Promise<void> {
    const found = await this.#folder.read(height, format, chunk);
    if (found === 'damaged') {
      const detail = `chunk ${chunk} is not what was written`;
      this.#options.report?.({ status: 'deleted', name: String(height), detail });
    }
    const bytes = typeof found === 'string' ? {} : { bytes: found };
    this.#reply(replyTo, { type: 'chunk.found', tag, ...bytes });
  }

  async #attempt(draft: SnapshotDraft, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      await this.#giveUp(draft, messageOf(error));
    }
  }

  /** A full disk must not stay full because of us. What cannot be deleted now is deleted at the next start. */
  async #giveUp({ executed: { height } }: SnapshotDraft, detail: string): Promise<void> {
    this.#end();
    this.#order({ type: 'snapshot.released', height });
    await this.#folder.discard(height).catch(() => {});
    this.#options.report?.({ status: 'given up', height, detail });
  }

  #order(order: SnapshotOrder): void {
    this.#context.tell(this.#options.executor, order);
  }

  #reply(to: string, reply: SnapshotKeeperReply): void {
    this.#context.tell(to, reply);
  }
}

type ChunkRequested = Extract<SnapshotKeeperRequest, { readonly type: 'chunk.requested' }>;

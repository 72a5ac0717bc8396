/**
 * Snapshots as files: `<dir>/<height>/` with a manifest and a file for each chunk. A snapshot is written under another
 * name and renamed when all of it is durable, so what has the right name is whole. Touches the disk, without blocking.
 * Rule SY-10, docs/applications.md.
 */
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { utf8 } from '../base/bytes.ts';
import { sha256Hex } from '../crypto/hash.ts';
import { type Malformed, parseCount, parseDigest, parseHeight } from '../protocol/chain/parse.ts';
import type { Digest, ExecutedState, Height } from '../protocol/chain/types.ts';
import {
  SNAPSHOT_CHUNK_BYTES_MAX,
  SNAPSHOT_CHUNKS_MAX,
  type SnapshotManifest,
} from '../protocol/sync/messages.ts';

/** Snapshots that are kept. @unit snapshots @source a newcomer that began with the one before the newest can finish it */
export const SNAPSHOTS_KEPT = 2;

const MANIFEST_FILE = 'manifest';
const PARTIAL_SUFFIX = '.partial';
const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;

/** Opens a file for writing; a test may put a device in its place. */
export type OpenFile = (path: string) => Promise<FileHandle>;

/** A folder that is left out, and why. */
export interface DroppedSnapshot {
  readonly name: string;
  readonly detail: string;
}

/** A snapshot that is being written. One at a time. */
export interface SnapshotDraft {
  readonly executed: ExecutedState;
  readonly format: number;
  readonly bytes: number;
  readonly chunks: readonly Digest[];
}

export const beginDraft = (executed: ExecutedState, format: number): SnapshotDraft => ({
  executed,
  format,
  bytes: 0,
  chunks: [],
});

export class SnapshotFolder {
  readonly #dir: string;
  readonly #openFile: OpenFile;
  /** By rising height. */
  #kept: readonly SnapshotManifest[] = [];

  constructor(dir: string, openFile: OpenFile = (path) => open(path, 'w', FILE_MODE)) {
    this.#dir = dir;
    this.#openFile = openFile;
  }

  get newest(): SnapshotManifest | undefined {
    return this.#kept.at(-1);
  }

  /** Finds what is whole and deletes the rest. Rejects when the folder cannot be read. */
  async open(): Promise<readonly DroppedSnapshot[]> {
    await mkdir(this.#dir, { recursive: true, mode: FOLDER_MODE });
    const kept: SnapshotManifest[] = [];
    const dropped: DroppedSnapshot[] = [];
    for (const name of (await readdir(this.#dir)).sort()) {
      const manifest = await this.#manifestOf(name);
      if (typeof manifest === 'object') kept.push(manifest);
      else {
        await this.#remove(name);
        dropped.push({ name, detail: manifest });
      }
    }
    this.#kept = kept.sort((left, right) => left.height - right.height);
    await this.#prune();
    return dropped;
  }

  /** Room for a new one; what another left behind is deleted. */
  async begin({ executed }: SnapshotDraft): Promise<void> {
    await this.discard(executed.height);
    await mkdir(join(this.#dir, partialOf(executed.height)), { mode: FOLDER_MODE });
  }

  /** Durable when it resolves, but only `finish` makes it a snapshot. */
  async append(draft: SnapshotDraft, chunk: Uint8Array): Promise<SnapshotDraft> {
    const path = join(this.#dir, partialOf(draft.executed.height), chunkFile(draft.chunks.length));
    await this.#write(path, chunk);
    const bytes = draft.bytes + chunk.byteLength;
    return { ...draft, bytes, chunks: [...draft.chunks, digestOf(chunk)] };
  }

  /** It takes its name, and the oldest beyond SNAPSHOTS_KEPT are deleted. */
  async finish({ executed, format, bytes, chunks }: SnapshotDraft): Promise<SnapshotManifest> {
    const { height, appHash } = executed;
    const manifest: SnapshotManifest = { height, format, bytes, chunks };
    const partial = join(this.#dir, partialOf(height));
    const body = JSON.stringify({ ...manifest, appHash });
    await this.#write(join(partial, MANIFEST_FILE), utf8(`${sha256Hex(utf8(body))}\n${body}\n`));
    await syncFolder(partial);
    await this.#remove(String(height));
    await rename(partial, join(this.#dir, String(height)));
    await syncFolder(this.#dir);
    const others = this.#kept.filter((kept) => kept.height !== height);
    this.#kept = [...others, manifest].sort((left, right) => left.height - right.height);
    // What cannot be deleted now is found at the next start.
    await this.#prune().catch(() => {});
    return manifest;
  }

  /** Deletes what was written of a snapshot that will not be finished. */
  discard(height: Height): Promise<void> {
    return this.#remove(partialOf(height));
  }

  /** The chunk, checked; 'absent' when it is not kept. A damaged one takes its snapshot with it. */
  async read(height: Height, format: number, chunk: number): Promise<Uint8Array | 'absent' | 'damaged'> {
    const manifest = this.#kept.find((kept) => kept.height === height && kept.format === format);
    const digest = manifest?.chunks[chunk];
    if (digest === undefined) return 'absent';
    const bytes = await readFile(join(this.#dir, String(height), chunkFile(chunk))).catch(() => undefined);
    if (bytes !== undefined && digestOf(bytes) === digest) return bytes;
    this.#kept = this.#kept.filter((kept) => kept.height !== height);
    await this.#remove(String(height));
    return 'damaged';
  }

  async #manifestOf(name: string): Promise<SnapshotManifest | string> {
    if (name.endsWith(PARTIAL_SUFFIX)) return 'it was not finished';
    const text = await readFile(join(this.#dir, name, MANIFEST_FILE), 'utf8').catch(() => undefined);
    if (text === undefined) return 'it has no manifest';
    const [digest, body = ''] = text.split('\n');
    if (sha256Hex(utf8(body)) !== digest) return 'its manifest is damaged';
    const manifest = parseManifest(body);
    return manifest === 'malformed' || String(manifest.height) !== name
      ? 'its manifest is damaged'
      : manifest;
  }

  async #prune(): Promise<void> {
    const surplus = this.#kept.slice(0, Math.max(0, this.#kept.length - SNAPSHOTS_KEPT));
    this.#kept = this.#kept.slice(surplus.length);
    for (const { height } of surplus) await this.#remove(String(height));
  }

  async #write(path: string, bytes: Uint8Array): Promise<void> {
    const file = await this.#openFile(path);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  #remove(name: string): Promise<void> {
    return rm(join(this.#dir, name), { recursive: true, force: true });
  }
}

function parseManifest(body: string): SnapshotManifest | Malformed {
  const raw: unknown = JSON.parse(body);
  if (typeof raw !== 'object' || raw === null) return 'malformed';
  const field = (name: string): unknown => new Map<string, unknown>(Object.entries(raw)).get(name);
  const height = parseHeight(field('height'));
  const format = parseCount(field('format'));
  const bytes = parseCount(field('bytes'));
  const list = field('chunks');
  if (height === 'malformed' || format === 'malformed' || bytes === 'malformed') return 'malformed';
  if (!Array.isArray(list) || list.length === 0 || list.length > SNAPSHOT_CHUNKS_MAX) return 'malformed';
  const chunks: Digest[] = [];
  for (const each of list) {
    const chunk = parseDigest(each);
    if (chunk === 'malformed') return 'malformed';
    chunks.push(chunk);
  }
  return { height, format, bytes, chunks };
}

/** What the protocol can carry; a sentence when it is more. */
export function chunkProblem({ chunks }: SnapshotDraft, chunk: Uint8Array): string | undefined {
  if (chunk.byteLength === 0 || chunk.byteLength > SNAPSHOT_CHUNK_BYTES_MAX) {
    return `the application gave a chunk of ${chunk.byteLength} bytes, allowed are 1 to ${SNAPSHOT_CHUNK_BYTES_MAX}`;
  }
  if (chunks.length < SNAPSHOT_CHUNKS_MAX) return undefined;
  return `the state is larger than ${SNAPSHOT_CHUNKS_MAX} chunks, the most that can be sent`;
}

function digestOf(bytes: Uint8Array): Digest {
  const digest = parseDigest(sha256Hex(bytes));
  if (digest === 'malformed') throw new Error('SHA-256 has 64 letters');
  return digest;
}

async function syncFolder(dir: string): Promise<void> {
  const folder = await open(dir, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

const partialOf = (height: Height): string => `${height}${PARTIAL_SUFFIX}`;
/** `000007` */
const chunkFile = (chunk: number): string => String(chunk).padStart(6, '0');

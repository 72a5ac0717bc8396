/**
 * Joining by a snapshot: which of those that peers offer, which chunk is asked of whom, and what proves it in the end.
 * Chunks are proven by the manifest's hashes, the manifest by the application hash of a certified header. Pure.
 * Rule SY-10, docs/protocol/sync.md.
 */
import { compareBytes, utf8 } from '../../base/bytes.ts';
import { sha256Hex } from '../../crypto/hash.ts';
import type { Address, CertifiedBlock, Digest, ExecutedState, Height, ValidatorSet } from '../chain/types.ts';
import { SNAPSHOT_CHUNK_BYTES_MAX, SNAPSHOT_CHUNKS_MAX, type SnapshotManifest } from './messages.ts';
import { OPEN_PER_PEER_MAX } from './questions.ts';

/** Chunks asked for and not yet written, at the most. @unit chunks @source 8 MiB of memory */
export const SNAPSHOT_WINDOW_CHUNKS = 8;
/** Chunks asked of one peer at once. @unit chunks @source more than state-sync asks would be refused */
const CHUNKS_AT_PEER_MAX = OPEN_PER_PEER_MAX.GetSnapshotChunk;
/** Questions in a row that a peer leaves unanswered before it is asked no more. @unit questions */
const SILENCES_MAX = 3;

export interface SnapshotOffer {
  readonly peer: Address;
  readonly manifest: SnapshotManifest;
}

export type ManifestProblem =
  | { readonly code: 'SNAPSHOT_HEIGHT_ZERO' }
  | { readonly code: 'SNAPSHOT_CHUNKS'; readonly chunks: number; readonly max: number }
  /** So many chunks cannot have so many bytes. */
  | { readonly code: 'SNAPSHOT_BYTES'; readonly bytes: number; readonly chunks: number }
  /** No fault of the peer: this node takes none so large. */
  | { readonly code: 'SNAPSHOT_TOO_LARGE'; readonly bytes: number; readonly max: number };

/** Why a manifest is not used. @param bytesMax unit bytes */
export function manifestProblem(
  { height, bytes, chunks }: SnapshotManifest,
  bytesMax: number,
): ManifestProblem | undefined {
  if (height === 0) return { code: 'SNAPSHOT_HEIGHT_ZERO' };
  if (chunks.length === 0 || chunks.length > SNAPSHOT_CHUNKS_MAX) {
    return { code: 'SNAPSHOT_CHUNKS', chunks: chunks.length, max: SNAPSHOT_CHUNKS_MAX };
  }
  if (bytes < chunks.length || bytes > chunks.length * SNAPSHOT_CHUNK_BYTES_MAX) {
    return { code: 'SNAPSHOT_BYTES', bytes, chunks: chunks.length };
  }
  return bytes > bytesMax ? { code: 'SNAPSHOT_TOO_LARGE', bytes, max: bytesMax } : undefined;
}

/** One snapshot and those who offer it. */
export interface SnapshotCandidate {
  readonly manifest: SnapshotManifest;
  /** Names the manifest: what turned out false is not tried again, whoever offers it. */
  readonly id: string;
  /** In order of address. */
  readonly holders: readonly Address[];
  /** An honest validator is among the holders: their power reaches J(W). */
  readonly vouched: boolean;
}

/**
 * What may be tried, the best first: vouched for, then of those who disappointed least, then the highest, then the power that
 * offers it.
 */
export function snapshotCandidates(
  offers: readonly SnapshotOffer[],
  facts: {
    readonly validators: ValidatorSet;
    /** @unit bytes */
    readonly bytesMax: number;
    /** Ids that turned out false. */
    readonly refused: ReadonlySet<string>;
    /** How often a snapshot that a peer offered could not be used: the best of its holders counts. Default: never. */
    readonly disappointments?: ReadonlyMap<Address, number>;
    /** Below it a snapshot saves nothing. */
    readonly above: Height;
  },
): readonly SnapshotCandidate[] {
  const found = new Map<string, { readonly manifest: SnapshotManifest; readonly holders: Set<Address> }>();
  for (const { peer, manifest } of offers) {
    if (manifestProblem(manifest, facts.bytesMax) !== undefined || manifest.height <= facts.above) continue;
    const id = manifestId(manifest);
    if (facts.refused.has(id)) continue;
    const known = found.get(id) ?? { manifest, holders: new Set<Address>() };
    known.holders.add(peer);
    found.set(id, known);
  }
  return [...found]
    .map(([id, { manifest, holders }]) => {
      const power = powerOf(holders, facts.validators);
      const disappointments = Math.min(...[...holders].map((peer) => facts.disappointments?.get(peer) ?? 0));
      return { manifest, id, holders: [...holders].sort(), power, disappointments };
    })
    .map((candidate) => ({ ...candidate, vouched: candidate.power >= facts.validators.honestPower }))
    .sort(byMerit)
    .map(({ manifest, id, holders, vouched }) => ({ manifest, id, holders, vouched }));
}

interface Holder {
  readonly peer: Address;
  /** In a row. */
  readonly silences: number;
  /** Times that all waited for its chunk: only those with the fewest are asked. */
  readonly hurries: number;
  /** Chunks that it gave. */
  readonly given: number;
}

/** Chunks in order: those below `written` are done with; `arrived` wait for one before them. Immutable. */
export interface SnapshotDownload {
  readonly candidate: SnapshotCandidate;
  readonly holders: readonly Holder[];
  readonly open: readonly ChunkAsk[];
  readonly arrived: ReadonlyMap<number, Uint8Array>;
  /** Handed on to be written: the next one is the chunk of this number. */
  readonly handed: number;
  readonly written: number;
  /** @unit bytes of those handed on */
  readonly bytes: number;
}

export interface ChunkAsk {
  readonly peer: Address;
  readonly chunk: number;
}

export const beginSnapshotDownload = (candidate: SnapshotCandidate): SnapshotDownload => ({
  candidate,
  holders: candidate.holders.map((peer) => ({ peer, silences: 0, hurries: 0, given: 0 })),
  open: [],
  arrived: new Map(),
  handed: 0,
  written: 0,
  bytes: 0,
});

/** What is to be asked now; it counts as open. Each goes to the holder with the least to do. */
export function askForChunks(download: SnapshotDownload): {
  readonly download: SnapshotDownload;
  readonly asks: readonly ChunkAsk[];
} {
  const { candidate, written, handed, arrived } = download;
  const end = Math.min(candidate.manifest.chunks.length, written + SNAPSHOT_WINDOW_CHUNKS);
  const open = [...download.open];
  const asks: ChunkAsk[] = [];
  const quick = quickest(download.holders);
  for (let chunk = handed; chunk < end; chunk += 1) {
    if (arrived.has(chunk) || open.some((ask) => ask.chunk === chunk)) continue;
    const peer = idlest(quick, open);
    if (peer === undefined) break;
    const ask = { peer, chunk };
    open.push(ask);
    asks.push(ask);
  }
  return { download: { ...download, open }, asks };
}

/** The lowest chunk is waited for too long: one more peer is asked for it, and the first one less from now on. */
export function hurryChunk(download: SnapshotDownload): {
  readonly download: SnapshotDownload;
  readonly asks: readonly ChunkAsk[];
} {
  const { handed: chunk, open } = download;
  const late = open.filter((ask) => ask.chunk === chunk).map(({ peer }) => peer);
  if (late.length === 0) return { download, asks: [] };
  const holders = download.holders.map((holder) =>
    late.includes(holder.peer) ? { ...holder, hurries: holder.hurries + 1 } : holder,
  );
  const peer = idlest(
    holders.filter((holder) => !late.includes(holder.peer)),
    open,
  );
  const asks = peer === undefined ? [] : [{ peer, chunk }];
  return { download: { ...download, holders, open: [...open, ...asks] }, asks };
}

/** What a peer's answer was worth. A fault names who is to blame. */
export type ChunkVerdict =
  | { readonly status: 'good' }
  /** Nobody asked this peer for it, any more. */
  | { readonly status: 'unasked' }
  | { readonly status: 'differs'; readonly code: 'SNAPSHOT_CHUNK_DIFFERS' }
  /** The chunks are as the manifest says, but not so long: all who offered it lied. */
  | {
      readonly status: 'manifest false';
      readonly code: 'SNAPSHOT_FALSE';
      readonly blamed: readonly Address[];
    };

export interface ChunkTaken {
  readonly download: SnapshotDownload;
  readonly verdict: ChunkVerdict;
  /** To be written now, in order. */
  readonly ready: readonly Uint8Array[];
}

/** A chunk that came. One that differs from the manifest ends the sender's part in this download. */
export function takeChunk(
  download: SnapshotDownload,
  { peer, chunk }: ChunkAsk,
  bytes: Uint8Array,
): ChunkTaken {
  if (!isOpen(download, { peer, chunk })) return { download, verdict: { status: 'unasked' }, ready: [] };
  const closed = closeAsk(download, { peer, chunk });
  const { chunks } = download.candidate.manifest;
  const impossible = bytes.byteLength === 0 || bytes.byteLength > SNAPSHOT_CHUNK_BYTES_MAX;
  if (impossible || sha256Hex(bytes) !== chunks[chunk]) {
    const verdict = { status: 'differs', code: 'SNAPSHOT_CHUNK_DIFFERS' } as const;
    return { download: without(closed, peer), verdict, ready: [] };
  }
  // Of two who were asked for it, the second one: it helped no less.
  if (chunk < closed.handed || closed.arrived.has(chunk))
    return { download: closed, verdict: { status: 'good' }, ready: [] };
  const arrived = new Map(closed.arrived).set(chunk, bytes);
  const ready: Uint8Array[] = [];
  let { handed } = closed;
  for (let next = arrived.get(handed); next !== undefined; next = arrived.get(handed)) {
    ready.push(next);
    arrived.delete(handed);
    handed += 1;
  }
  const taken: SnapshotDownload = {
    ...closed,
    holders: closed.holders.map((holder) =>
      holder.peer === peer ? { ...holder, silences: 0, given: holder.given + 1 } : holder,
    ),
    arrived,
    handed,
    bytes: ready.reduce((sum, { byteLength }) => sum + byteLength, closed.bytes),
  };
  if (!hasRightLength(taken)) {
    const blamed = download.candidate.holders;
    return {
      download: taken,
      verdict: { status: 'manifest false', code: 'SNAPSHOT_FALSE', blamed },
      ready: [],
    };
  }
  return { download: taken, verdict: { status: 'good' }, ready };
}

/** No answer in time, or the peer keeps the chunk no more; `unasked`: its rate was reached, no fault of its own. */
export function missChunk(
  download: SnapshotDownload,
  ask: ChunkAsk,
  why: 'silent' | 'gone' | 'unasked',
): SnapshotDownload {
  if (!isOpen(download, ask)) return download;
  const closed = closeAsk(download, ask);
  if (why === 'unasked') return closed;
  const holder = closed.holders.find(({ peer }) => peer === ask.peer);
  if (holder === undefined) return closed;
  if (why === 'gone' || holder.silences + 1 >= SILENCES_MAX) return without(closed, ask.peer);
  const next = { ...holder, silences: holder.silences + 1 };
  return { ...closed, holders: closed.holders.map((each) => (each === holder ? next : each)) };
}

/** The peer is not connected any more. */
export const loseHolder = (download: SnapshotDownload, peer: Address): SnapshotDownload =>
  without({ ...download, open: download.open.filter((ask) => ask.peer !== peer) }, peer);

/** Chunks that were handed on are written: room for more. */
export const noteWritten = (download: SnapshotDownload, count: number): SnapshotDownload => ({
  ...download,
  written: Math.min(download.handed, download.written + count),
});

/** `exhausted`: nobody is left to ask. */
export function downloadStatus(download: SnapshotDownload): 'downloading' | 'complete' | 'exhausted' {
  if (download.written === download.candidate.manifest.chunks.length) return 'complete';
  const needsPeer = download.handed + download.arrived.size < download.candidate.manifest.chunks.length;
  return needsPeer && download.holders.length === 0 ? 'exhausted' : 'downloading';
}

export type Certification =
  /** The header of `by` says that the state after the height has this hash. */
  | { readonly status: 'certified'; readonly appHash: Digest; readonly by: Height }
  /** The headers pass over this height: a round before it failed (CS-9). */
  | { readonly status: 'never certified'; readonly by: Height }
  /** No header has come so far yet. */
  | { readonly status: 'not yet' };

/** What verified committed blocks, by rising height, say of the state after `height`. */
export function certificationOf(height: Height, blocks: readonly CertifiedBlock[]): Certification {
  for (const { block } of blocks) {
    const { executed, height: by } = block.header;
    if (executed.height === height) return { status: 'certified', appHash: executed.appHash, by };
    if (executed.height > height) return { status: 'never certified', by };
  }
  return { status: 'not yet' };
}

/** SY-10: the restored application must be where the certified header says. */
export const isRestored = (restored: ExecutedState, certified: ExecutedState): boolean =>
  restored.height === certified.height && restored.appHash === certified.appHash;

/**
 * The first block that a node asks for which begins with the state after `height`: the next block's duplicates are told by the
 * D blocks before it (EX-2), and the one below these says what its own certificate states. @param deduplicationHeights D of the genesis
 */
export const firstBlockNeeded = (height: Height, deduplicationHeights: number): number =>
  Math.max(1, height - deduplicationHeights);

function manifestId({ height, format, bytes, chunks }: SnapshotManifest): string {
  return sha256Hex(utf8([height, format, bytes, ...chunks].join(' ')));
}

function powerOf(peers: ReadonlySet<Address>, { validators }: ValidatorSet): bigint {
  let power = 0n;
  for (const validator of validators) if (peers.has(validator.address)) power += validator.power;
  return power;
}

type Ranked = SnapshotCandidate & { readonly power: bigint; readonly disappointments: number };

function byMerit(left: Ranked, right: Ranked): number {
  if (left.vouched !== right.vouched) return left.vouched ? -1 : 1;
  if (left.disappointments !== right.disappointments) return left.disappointments - right.disappointments;
  if (left.manifest.height !== right.manifest.height) return right.manifest.height - left.manifest.height;
  if (left.power !== right.power) return left.power > right.power ? -1 : 1;
  return compareBytes(utf8(left.id), utf8(right.id));
}

function quickest(holders: readonly Holder[]): readonly Holder[] {
  const fewest = Math.min(...holders.map(({ hurries }) => hurries));
  return holders.filter(({ hurries }) => hurries === fewest);
}

function idlest(holders: readonly Holder[], open: readonly ChunkAsk[]): Address | undefined {
  let best: { readonly holder: Holder; readonly busy: number } | undefined;
  for (const holder of holders) {
    const busy = open.filter(({ peer }) => peer === holder.peer).length;
    if (busy >= CHUNKS_AT_PEER_MAX) continue;
    if (best === undefined || isIdler({ holder, busy }, best)) best = { holder, busy };
  }
  return best?.holder.peer;
}

function isIdler(
  left: { readonly holder: Holder; readonly busy: number },
  right: { readonly holder: Holder; readonly busy: number },
): boolean {
  if (left.holder.silences !== right.holder.silences) return left.holder.silences < right.holder.silences;
  if (left.busy !== right.busy) return left.busy < right.busy;
  return left.holder.given < right.holder.given;
}

const isOpen = ({ open }: SnapshotDownload, { peer, chunk }: ChunkAsk): boolean =>
  open.some((ask) => ask.peer === peer && ask.chunk === chunk);

const closeAsk = (download: SnapshotDownload, { peer, chunk }: ChunkAsk): SnapshotDownload => ({
  ...download,
  open: download.open.filter((ask) => ask.peer !== peer || ask.chunk !== chunk),
});

const without = (download: SnapshotDownload, peer: Address): SnapshotDownload => ({
  ...download,
  holders: download.holders.filter((holder) => holder.peer !== peer),
});

/** Never beyond what the manifest says, and all of it at the end. */
function hasRightLength({ candidate, handed, bytes }: SnapshotDownload): boolean {
  const { manifest } = candidate;
  return handed === manifest.chunks.length ? bytes === manifest.bytes : bytes < manifest.bytes;
}

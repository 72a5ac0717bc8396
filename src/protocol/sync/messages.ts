/**
 * What nodes say to each other to catch up. Questions carry a number that their answer repeats. Types only.
 * Rules SY-3, SY-4, SY-8, SY-10, docs/protocol/sync.md.
 */
import type {
  BlockId,
  CertifiedBlock,
  CommitProof,
  Digest,
  EncodedChange,
  Epoch,
  Height,
} from '../chain/types.ts';

/** "How far are you?" */
export interface GetBlockHeightMessage {
  readonly kind: 'GetBlockHeight';
  readonly requestId: number;
}

/** The oldest and the newest committed block that the sender serves. `proof` commits the newest; absent at height 0. */
export interface BlockHeightMessage {
  readonly kind: 'BlockHeight';
  readonly requestId: number;
  readonly base: Height;
  readonly height: Height;
  readonly tipId: BlockId;
  readonly proof?: CommitProof;
}

export interface GetGenesisHashMessage {
  readonly kind: 'GetGenesisHash';
  readonly requestId: number;
}

export interface GenesisHashMessage {
  readonly kind: 'GenesisHash';
  readonly requestId: number;
  readonly genesisHash: Digest;
}

/** "Which block did you commit at this height?" */
export interface GetBlockHashMessage {
  readonly kind: 'GetBlockHash';
  readonly requestId: number;
  readonly height: Height;
}

/** `id` is absent where the sender holds no committed block at the height. */
export interface BlockHashMessage {
  readonly kind: 'BlockHash';
  readonly requestId: number;
  readonly height: Height;
  readonly id?: BlockId;
}

/** Asks for certified committed blocks from a height, oldest first. */
export interface GetBlocksMessage {
  readonly kind: 'GetBlocks';
  readonly requestId: number;
  readonly from: Height;
  /** 1 to 256 */
  readonly limit: number;
  /** The bytes of the batches that they name are wanted too. */
  readonly withBatches: boolean;
}

/** Asks for an uncommitted block and up to `ancestors` of its ancestors. */
export interface GetBlockMessage {
  readonly kind: 'GetBlock';
  readonly requestId: number;
  readonly id: BlockId;
  /** 0 to 64 */
  readonly ancestors: number;
}

/**
 * Answer to GetBlocks and GetBlock: oldest first, each block's parent before it, capped in bytes. By height, the certificate of
 * the newest holds; those before it, and all by id, are proven by the chain of ids, their signatures by nothing. Without blocks,
 * at a height that reaches what was asked for: held, and not to be given now.
 */
export interface BlocksMessage {
  readonly kind: 'Blocks';
  readonly requestId: number;
  readonly blocks: readonly CertifiedBlock[];
  /** Batches that the blocks name, in the order in which they name them, as many as fit. */
  readonly batches: readonly Uint8Array[];
  /** The sender's committed height. */
  readonly height: Height;
}

/** Asks for the description of the whole chain that the receiver serves (tier 3). */
export interface GetChainMessage {
  readonly kind: 'GetChain';
  readonly requestId: number;
}

export interface ChainCheckpoint {
  readonly height: Height;
  readonly id: BlockId;
}

/** As BlockHeight, and ids of committed blocks over the whole of it, by rising height, the tip last. */
export interface ChainMessage {
  readonly kind: 'Chain';
  readonly requestId: number;
  readonly base: Height;
  readonly proof?: CommitProof;
  /** At most CHECKPOINTS_MAX. */
  readonly checkpoints: readonly ChainCheckpoint[];
}

/** Asks for the newest snapshot of the application that the receiver keeps. */
export interface GetSnapshotMessage {
  readonly kind: 'GetSnapshot';
  readonly requestId: number;
}

/** An application's state after a height, as it is sent. */
export interface SnapshotManifest {
  readonly height: Height;
  /** The application's own number for how the bytes are to be read. */
  readonly format: number;
  /** @unit bytes of all chunks together */
  readonly bytes: number;
  /** SHA-256 of each chunk, in order. */
  readonly chunks: readonly Digest[];
}

/** `manifest` is absent where the sender keeps none. */
export interface SnapshotMessage {
  readonly kind: 'Snapshot';
  readonly requestId: number;
  readonly manifest?: SnapshotManifest;
}

export interface GetSnapshotChunkMessage {
  readonly kind: 'GetSnapshotChunk';
  readonly requestId: number;
  readonly height: Height;
  readonly format: number;
  /** From 0. */
  readonly chunk: number;
}

/** `bytes` is absent where the sender keeps it no more. */
export interface SnapshotChunkMessage {
  readonly kind: 'SnapshotChunk';
  readonly requestId: number;
  readonly bytes?: Uint8Array;
}

/** Asks how epochs ended, from this one on (CS-16). */
export interface GetEpochsMessage {
  readonly kind: 'GetEpochs';
  readonly requestId: number;
  readonly from: Epoch;
  /** 1 to EPOCHS_ASKED_MAX */
  readonly limit: number;
}

/** By rising epoch, gapless, as many as fit; none where the sender knows of no end. */
export interface EpochsMessage {
  readonly kind: 'Epochs';
  readonly requestId: number;
  readonly changes: readonly EncodedChange[];
}

/** What is asked of the chain-server. */
export type SyncQuestion =
  | GetBlockHeightMessage
  | GetGenesisHashMessage
  | GetBlockHashMessage
  | GetBlocksMessage
  | GetBlockMessage
  | GetChainMessage
  | GetSnapshotMessage
  | GetSnapshotChunkMessage
  | GetEpochsMessage;

/** What comes back to state-sync. */
export type SyncAnswer =
  | BlockHeightMessage
  | GenesisHashMessage
  | BlockHashMessage
  | BlocksMessage
  | ChainMessage
  | SnapshotMessage
  | SnapshotChunkMessage
  | EpochsMessage;

export type SyncMessage = SyncQuestion | SyncAnswer;

/** All of them. */
export const SYNC_KINDS = [
  'GetBlocks',
  'GetBlock',
  'Blocks',
  'GetBlockHeight',
  'BlockHeight',
  'GetGenesisHash',
  'GenesisHash',
  'GetBlockHash',
  'BlockHash',
  'GetChain',
  'Chain',
  'GetSnapshot',
  'Snapshot',
  'GetSnapshotChunk',
  'SnapshotChunk',
  'GetEpochs',
  'Epochs',
] as const satisfies readonly SyncMessage['kind'][];

/** Checkpoints in one Chain message. @unit checkpoints @source 128 × 48 bytes fit a small frame */
export const CHECKPOINTS_MAX = 128;
/** Chunks of one snapshot. @unit chunks @source 4,096 × 1 MiB */
export const SNAPSHOT_CHUNKS_MAX = 4_096;
/** @unit bytes @source half a frame of the kind SnapshotChunk */
export const SNAPSHOT_CHUNK_BYTES_MAX = 1_048_576;
/** Ends of epochs in one answer. @unit epochs @source chosen: what is verified in one turn, two certificates each */
export const EPOCHS_ASKED_MAX = 16;
/** Of their encodings in one answer, unless the first alone is longer. @unit bytes @source half a frame of the kind Epochs */
export const EPOCHS_BYTES_MAX = 1_048_576;

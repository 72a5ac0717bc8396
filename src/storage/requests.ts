/** Requests of the port as writes and reads of a store, and outcomes as replies. Pure but for the store's reads. */
import type { CertifiedBlock, CommitProof, Height } from '../protocol/chain/types.ts';
import type { CommittedBlock, StorageReply, StorageRequest } from '../protocol/ports/storage.ts';
import type { Read, StoreReader, StoreWrite, WriteOutcome } from './store.ts';

const READS = [
  'recovery.requested',
  'batches.requested',
  'batches.uncommittedRequested',
  'blocks.requested',
  'block.requested',
  'chainEvidence.requested',
  'tip.requested',
  'blockIds.requested',
  'reputations.requested',
  'epochs.requested',
] as const;

export type ReadRequest = Extract<StorageRequest, { type: (typeof READS)[number] }>;
export type WriteRequest = Exclude<StorageRequest, ReadRequest>;

/** Blocks of one answer, whatever is asked. @unit blocks @source GetBlocks, protocol/consensus/types.ts */
const BLOCKS_MAX = 256;
/** Ancestors of one answer, whatever is asked. @unit blocks @source GetBlock, protocol/consensus/types.ts */
const ANCESTORS_MAX = 64;

/** Heights of one answer, whatever is asked. @unit heights @source SyncStorageRequest, protocol/ports/sync.ts */
const BLOCK_IDS_MAX = 256;

export const isRead = (request: StorageRequest): request is ReadRequest =>
  READS.some((type) => type === request.type);

export function writeOf(request: WriteRequest): StoreWrite {
  switch (request.type) {
    case 'record.persistRequested': {
      const { record, expectedVersion, block } = request;
      return { kind: 'record', record, expectedVersion, ...(block === undefined ? {} : { block }) };
    }
    case 'blocks.certified':
      return { kind: 'certified', blocks: request.blocks };
    case 'blocks.commitRequested':
      return {
        ...{ kind: 'commit', blocks: request.blocks },
        ...(request.standing === undefined ? {} : { standing: request.standing }),
      };
    case 'batches.persistRequested':
      return { kind: 'batches', batches: request.batches };
    case 'batches.released':
      return { kind: 'pruneBatches', digests: request.digests };
    case 'reputations.persistRequested':
      return { kind: 'reputations', reputations: request.reputations };
    case 'execution.persistRequested': {
      const { blockId, executed, transactions, events, validatorUpdates } = request;
      return { kind: 'execution', blockId, executed, transactions, events, validatorUpdates };
    }
    case 'epoch.endRequested':
      return { kind: 'epoch', change: request.change };
  }
}

/** Undefined where nobody waits. */
export function replyOfWrite(
  request: WriteRequest,
  outcome: Extract<WriteOutcome, { status: 'staged' }>,
): StorageReply | undefined {
  switch (request.type) {
    case 'record.persistRequested':
      return { type: 'record.persisted', tag: request.tag, version: outcome.version };
    case 'blocks.commitRequested':
      return { type: 'blocks.committed', tag: request.tag, height: outcome.height };
    case 'batches.persistRequested':
      return {
        type: 'batches.persisted',
        tag: request.tag,
        digests: request.batches.map(({ digest }) => digest),
      };
    case 'execution.persistRequested':
      return { type: 'execution.persisted', tag: request.tag, executed: request.executed };
    case 'epoch.endRequested':
      return { type: 'epoch.ended', tag: request.tag, epoch: request.change.qc.epoch };
    case 'blocks.certified':
    case 'batches.released':
    case 'reputations.persistRequested':
      return undefined;
  }
}

export function answerRead(store: StoreReader, request: ReadRequest): Read<StorageReply> {
  const { tag } = request;
  switch (request.type) {
    case 'recovery.requested':
      return map(store.recover(), (recovered) => ({ type: 'recovery.found', tag, recovered }));
    case 'batches.requested':
      return map(store.batches(request.digests), (found) => ({ type: 'batches.found', tag, ...found }));
    case 'batches.uncommittedRequested':
      return withHeight(
        store,
        store.uncommittedBatches(request.bytesMax, request.after),
        (found, height) => ({
          type: 'batches.uncommittedFound',
          tag,
          ...found,
          height,
        }),
      );
    case 'blocks.requested': {
      const limit = Math.min(request.limit, BLOCKS_MAX);
      return map(store.blocksFrom(request.from, limit, request.bytesMax), ({ blocks, height }) => {
        const newest = blocks.at(-1);
        return {
          type: 'blocks.found',
          tag,
          blocks: blocks.map(certifiedOf),
          height,
          ...(newest === undefined
            ? {}
            : { commitProof: newest.commitProof, commitProofs: proofsOf(blocks) }),
        };
      });
    }
    case 'block.requested': {
      const found = store.blockWithAncestors(request.id, Math.min(request.ancestors, ANCESTORS_MAX));
      return withHeight(store, found, (blocks, height) => ({ type: 'blocks.found', tag, blocks, height }));
    }
    case 'chainEvidence.requested': {
      const { heights, stride } = request;
      return map(store.chainEvidence(heights, stride), (found) => ({
        type: 'chainEvidence.found',
        tag,
        ...found,
      }));
    }
    case 'tip.requested':
      return map(store.tip(), (tip) => ({ type: 'tip.found', tag, ...tip }));
    case 'blockIds.requested':
      return map(store.blockIds(request.heights.slice(0, BLOCK_IDS_MAX)), (ids) => ({
        type: 'blockIds.found',
        tag,
        ids,
      }));
    case 'epochs.requested':
      return map(store.changes(request.from, request.limit), (changes) => ({
        type: 'epochs.found',
        tag,
        changes,
      }));
    case 'reputations.requested':
      return map(store.reputations(), (reputations) => ({ type: 'reputations.found', tag, reputations }));
  }
}

/** Neighbours that one certificate committed are read each with a copy of it. */
const proofsOf = (blocks: readonly CommittedBlock[]): readonly CommitProof[] =>
  blocks
    .map(({ commitProof }) => commitProof)
    .filter(({ blockId }, index, all) => blockId !== all[index - 1]?.blockId);

const certifiedOf = ({ block, qc }: CertifiedBlock): CertifiedBlock => ({ block, qc });

function map<Value>(read: Read<Value>, reply: (value: Value) => StorageReply): Read<StorageReply> {
  return read.status === 'found' ? { status: 'found', value: reply(read.value) } : read;
}

function withHeight<Value>(
  store: StoreReader,
  read: Read<Value>,
  reply: (value: Value, height: Height) => StorageReply,
): Read<StorageReply> {
  const latest = store.latest();
  if (latest.status === 'failed') return latest;
  return map(read, (value) => reply(value, latest.value.committed));
}

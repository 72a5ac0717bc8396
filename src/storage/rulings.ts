/**
 * What a store refuses, whoever asks: the last line of defence below the cells' own rules. Pure and total.
 * Rules ST-2 (the record never falls), ST-4 (commits join), ST-5 (executions join), ST-11 (a chain that begins above
 * genesis), docs/storage.md; CS-3, CS-6, CS-16.
 */

import { sameStatement, statementOf } from '../protocol/chain/canonical.ts';
import { GENESIS_HEIGHT, nextHeight } from '../protocol/chain/ordinals.ts';
import type { BlockId, Digest, Epoch, ExecutedState, Height } from '../protocol/chain/types.ts';
import { settledBy } from '../protocol/consensus/epoch.ts';
import type { SafetyRecord } from '../protocol/consensus/types.ts';
import type { CommittedBlock } from '../protocol/ports/storage.ts';
import { recordAfter } from './epochs.ts';
import type { StoreWrite, WriteRefused } from './store.ts';

/** The newest committed block; the genesis block at height 0 before any. */
export interface Tip {
  readonly height: Height;
  readonly id: BlockId;
}

/** What a group of writes has come to, before it is durable. */
export interface StoreFacts {
  readonly recordVersion: number;
  readonly record: SafetyRecord;
  readonly tip: Tip;
  readonly executed: ExecutedState;
  readonly genesisId: BlockId;
  /** The present epoch, and the block that opened it. */
  readonly epoch: Epoch;
  readonly rootId: BlockId;
  readonly rootHeight: Height;
  /** What blocks up to here asked of the validators has taken effect. */
  readonly settledHeight: Height;
}

/** Undefined where the height is not stored. */
export interface StoredChain {
  committedIdAt(height: Height): BlockId | undefined;
  executionAt(height: Height): { readonly blockId: BlockId; readonly appHash: Digest } | undefined;
}

type RecordWrite = Extract<StoreWrite, { kind: 'record' }>;
type ExecutionWrite = Extract<StoreWrite, { kind: 'execution' }>;
type PlantWrite = Extract<StoreWrite, { kind: 'plant' }>;
type EpochWrite = Extract<StoreWrite, { kind: 'epoch' | 'passed' }>;
type RestoredWrite = Extract<StoreWrite, { kind: 'restored' }>;

export type Ruling =
  | WriteRefused
  /** It is stored already: nothing is to be written. */
  | { readonly status: 'known' }
  /** To be written; from then on `facts` hold. */
  | {
      readonly status: 'taken';
      readonly facts: StoreFacts;
      /** Of a commit, the blocks that are new. */
      readonly fresh: readonly CommittedBlock[];
    };

/** Judges a write by what the writes before it have come to. */
export function ruleOn(facts: StoreFacts, chain: StoredChain, write: StoreWrite): Ruling {
  const taken = (change: Partial<StoreFacts>, fresh: readonly CommittedBlock[] = []): Ruling => ({
    status: 'taken',
    facts: { ...facts, ...change },
    fresh,
  });
  switch (write.kind) {
    case 'record': {
      const { record } = write;
      return ruleOnRecord(facts, write) ?? taken({ record, recordVersion: facts.recordVersion + 1 });
    }
    case 'commit': {
      const fresh = ruleOnCommit(facts, chain, write.blocks);
      if ('status' in fresh) return fresh;
      const newest = fresh.at(-1);
      const tip = newest === undefined ? facts.tip : { height: newest.block.header.height, id: newest.id };
      return taken({ tip }, fresh);
    }
    case 'execution': {
      const ruling = ruleOnExecution(facts, chain, write);
      if (ruling === 'known') return { status: 'known' };
      return ruling === 'fresh' ? taken({ executed: write.executed }) : ruling;
    }
    case 'plant':
      return ruleOnPlant(facts, write) ?? taken({ tip: { height: write.height, id: write.id } });
    case 'restored':
      return ruleOnRestored(facts, chain, write) ?? taken({ executed: write.executed });
    case 'epoch':
    case 'passed': {
      const ruling = ruleOnEpoch(facts, write);
      if (ruling !== 'fresh') return ruling === 'known' ? { status: 'known' } : ruling;
      const { qc, proof } = write.change;
      const settledHeight = settledBy(write.change);
      const root = { rootId: qc.blockId, rootHeight: qc.height };
      const entered = { epoch: proof.next.epoch, ...root, settledHeight };
      if (write.kind === 'passed') return taken(entered);
      // A record that outlived a reset of the chain forgets nothing (ST-9).
      if (facts.record.epoch >= proof.next.epoch) return taken(entered);
      const record = recordAfter(write.change);
      return taken({ ...entered, record, recordVersion: facts.recordVersion + 1 });
    }
    case 'certified':
    case 'batches':
    case 'pruneBatches':
    case 'reputations':
      return { status: 'taken', facts, fresh: [] };
  }
}

/** Undefined: it may be written, and its version is `recordVersion + 1`. */
function ruleOnRecord(facts: StoreFacts, write: RecordWrite): WriteRefused | undefined {
  const { recordVersion } = facts;
  if (write.expectedVersion !== recordVersion) {
    return conflict(`the record is at version ${recordVersion}, expected was ${write.expectedVersion}`);
  }
  const fall = whatFalls(facts.record, write.record);
  return fall === undefined ? undefined : conflict(`the record would fall: ${fall}`);
}

/** The blocks of a commit that are new, or why it is refused as a whole. */
function ruleOnCommit(
  facts: StoreFacts,
  chain: StoredChain,
  blocks: readonly CommittedBlock[],
): readonly CommittedBlock[] | WriteRefused {
  const fresh: CommittedBlock[] = [];
  let tip = facts.tip;
  if (tip.height < facts.rootHeight)
    return conflict(`epoch ${facts.epoch} stands on height ${facts.rootHeight}; nothing is planted there`);
  for (const committed of blocks) {
    const { height, parentId } = committed.block.header;
    const { id } = committed;
    if (!sameStatement(committed.qc, statementOf(committed.block, id))) {
      return fork(`block ${id} at height ${height} has a certificate that states another block`);
    }
    if (height <= tip.height) {
      const known = fresh.find((block) => block.block.header.height === height)?.id;
      const stored = known ?? (height === GENESIS_HEIGHT ? facts.genesisId : chain.committedIdAt(height));
      if (stored !== undefined && stored !== id) {
        return fork(`height ${height} is committed as ${stored}, asked to commit ${id}`);
      }
      continue;
    }
    if (height !== nextHeight(tip.height)) {
      return conflict(`committed is height ${tip.height}; a block at ${height} would leave a gap`);
    }
    if (parentId !== tip.id) {
      return fork(`block ${id} at height ${height} has parent ${parentId}; committed there is ${tip.id}`);
    }
    fresh.push(committed);
    tip = { height, id };
  }
  return fresh;
}

/** `known`: the same outcome is stored already, as after a replay by the application (ST-5). */
function ruleOnExecution(
  facts: StoreFacts,
  chain: StoredChain,
  { blockId, executed }: ExecutionWrite,
): 'fresh' | 'known' | WriteRefused {
  const { height, appHash } = executed;
  const stored = chain.executionAt(height);
  if (stored !== undefined) {
    if (stored.blockId === blockId && stored.appHash === appHash) return 'known';
    return conflict(
      `height ${height} was executed before with app hash ${stored.appHash} of block ${stored.blockId}; ` +
        `now the application gives ${appHash} of block ${blockId}: it is not deterministic, or another one`,
    );
  }
  const expected = height === GENESIS_HEIGHT ? facts.genesisId : chain.committedIdAt(height);
  if (expected !== blockId) {
    return conflict(
      `execution of block ${blockId} at height ${height}; committed there is ${expected ?? 'nothing'}`,
    );
  }
  const atGenesis = height === GENESIS_HEIGHT && facts.executed.height === GENESIS_HEIGHT;
  if (!atGenesis && height !== nextHeight(facts.executed.height)) {
    return conflict(`executed is height ${facts.executed.height}; height ${height} would leave a gap`);
  }
  return 'fresh';
}

/** ST-12: the present epoch ends with the newest committed block. */
function ruleOnEpoch(
  { epoch, tip, rootId, executed }: StoreFacts,
  { kind, change: { qc, proof } }: EpochWrite,
): 'fresh' | 'known' | WriteRefused {
  const next = proof.next.epoch;
  if (qc.epoch + 1 !== next) return conflict(`epoch ${qc.epoch} does not lead to epoch ${next}`);
  if (next < epoch) return 'known';
  if (next === epoch) {
    return rootId === qc.blockId
      ? 'known'
      : fork(`epoch ${qc.epoch} ended with block ${rootId}, asked to end it with ${qc.blockId}`);
  }
  if (qc.epoch !== epoch) return conflict(`the epoch is ${epoch}; epoch ${qc.epoch} cannot end yet`);
  // ST-11: of what lies below the plant the ends of the epochs are kept, and no block.
  const isEmpty = tip.height === GENESIS_HEIGHT && executed.height === GENESIS_HEIGHT;
  return qc.blockId === tip.id || (kind === 'passed' && isEmpty)
    ? 'fresh'
    : conflict(`the newest committed block is ${tip.id}; epoch ${epoch} was to end with ${qc.blockId}`);
}

/** Undefined: the next block to commit stands on this one (ST-11). */
function ruleOnPlant(
  { tip, executed, epoch, rootId, rootHeight }: StoreFacts,
  { height, id }: PlantWrite,
): WriteRefused | undefined {
  if (height === GENESIS_HEIGHT) return conflict('a chain that begins at genesis is not planted');
  if (height < rootHeight || (height === rootHeight && id !== rootId)) {
    const root = `epoch ${epoch} stands on block ${rootId} at height ${rootHeight}`;
    return conflict(`${root}; block ${id} at height ${height} is below it, or another`);
  }
  if (tip.height === GENESIS_HEIGHT && executed.height === GENESIS_HEIGHT) return undefined;
  return conflict(`a chain is planted in an empty store; this one has committed height ${tip.height}`);
}

/** Undefined: nothing was executed here, and the state is that after a block which is committed here (ST-11). */
function ruleOnRestored(
  facts: StoreFacts,
  chain: StoredChain,
  { blockId, executed }: RestoredWrite,
): WriteRefused | undefined {
  if (facts.executed.height !== GENESIS_HEIGHT) {
    return conflict(`height ${facts.executed.height} is executed; a snapshot is for a new chain`);
  }
  const committed = executed.height === GENESIS_HEIGHT ? undefined : chain.committedIdAt(executed.height);
  if (committed === blockId) return undefined;
  return conflict(
    `the state after block ${blockId} at height ${executed.height}; committed there is ${committed ?? 'nothing'}`,
  );
}

// Within an epoch nothing that was signed may be forgotten; a later epoch starts anew (CS-16).
function whatFalls(old: SafetyRecord, next: SafetyRecord): string | undefined {
  if (next.epoch > old.epoch) return undefined;
  if (next.epoch < old.epoch) return `epoch ${old.epoch} → ${next.epoch}`;
  const rounds = [
    ['lastVotedRound', old.lastVotedRound, next.lastVotedRound],
    ['lockedRound', old.lockedRound, next.lockedRound],
    ['highQC.round', old.highQC.round, next.highQC.round],
  ] as const;
  for (const [name, before, after] of rounds) if (after < before) return `${name} ${before} → ${after}`;
  return voteContradiction(old, next) ?? timeoutContradiction(old, next);
}

// CS-3: a vote other than the stored one is in a round above all that was signed.
function voteContradiction(
  old: SafetyRecord,
  { lastVote, lastVotedRound }: SafetyRecord,
): string | undefined {
  if (lastVote === undefined) {
    return old.lastVote === undefined ? undefined : `lastVote of round ${old.lastVote.round} → none`;
  }
  if (lastVote.round > lastVotedRound) {
    return `lastVote is of round ${lastVote.round}, above lastVotedRound ${lastVotedRound}`;
  }
  if (old.lastVote !== undefined && sameStatement(old.lastVote, lastVote)) return undefined;
  return lastVote.round > old.lastVotedRound
    ? undefined
    : `a vote for ${lastVote.blockId} in round ${lastVote.round}, where lastVotedRound is ${old.lastVotedRound}`;
}

// CS-6: a timeout is signed over its round and the round of its high QC; a second one of a round must say the same.
function timeoutContradiction(
  old: SafetyRecord,
  { lastTimeout, lastVotedRound }: SafetyRecord,
): string | undefined {
  if (lastTimeout === undefined) {
    return old.lastTimeout === undefined ? undefined : `lastTimeout of round ${old.lastTimeout.round} → none`;
  }
  if (lastTimeout.round > lastVotedRound) {
    return `lastTimeout is of round ${lastTimeout.round}, above lastVotedRound ${lastVotedRound}`;
  }
  if (old.lastTimeout === undefined) return undefined;
  if (lastTimeout.round < old.lastTimeout.round) {
    return `lastTimeout of round ${old.lastTimeout.round} → ${lastTimeout.round}`;
  }
  const [before, after] = [old.lastTimeout.highQC.round, lastTimeout.highQC.round];
  return lastTimeout.round === old.lastTimeout.round && before !== after
    ? `lastTimeout of round ${lastTimeout.round} with high QC ${before} → ${after}`
    : undefined;
}

const conflict = (detail: string): WriteRefused => ({ status: 'refused', code: 'VERSION_CONFLICT', detail });
const fork = (detail: string): WriteRefused => ({ status: 'refused', code: 'FORK', detail });

/**
 * What the store of a node that does not run says of its epochs: how each ended, and that each block's commit proof verifies
 * under the set of its own epoch, which a light client has learned from the one before. Boundary: disk. CS-16.
 */
import type { BlsEngine } from '../../../src/crypto/bls/engine.ts';
import { homePaths } from '../../../src/node/config/home.ts';
import { nextHeight } from '../../../src/protocol/chain/ordinals.ts';
import { signersOf } from '../../../src/protocol/chain/signers.ts';
import type { Address, CommitProof, Height } from '../../../src/protocol/chain/types.ts';
import { verifySignedQC } from '../../../src/protocol/consensus/certificates.ts';
import { type EpochContext, epochAfter } from '../../../src/protocol/consensus/epoch.ts';
import { verifyEpochProof } from '../../../src/protocol/light/epochs.ts';
import { openStore } from '../../../src/storage/open.ts';
import type { Read, Store } from '../../../src/storage/store.ts';

export interface AuditedEpoch {
  readonly context: EpochContext;
  /** Committed in it, each with a proof that its own validators signed. */
  readonly blocks: number;
  /** Commit proofs of it that each validator has signed. */
  readonly signed: ReadonlyMap<Address, number>;
  /** Of its newest block. */
  readonly proof: CommitProof | undefined;
}

/** Of the store in `home`, from the first epoch on. @throws where anything does not verify */
export function auditEpochs(home: string, first: EpochContext, bls: BlsEngine): readonly AuditedEpoch[] {
  const store = openStore(homePaths(home).data, first.domain);
  if ('status' in store) throw new Error(store.detail);
  try {
    const contexts = contextsOf(store, first, bls);
    return contexts.map((context) => audited(store, contexts, context, bls));
  } finally {
    store.close();
  }
}

function contextsOf(store: Store, first: EpochContext, bls: BlsEngine): readonly EpochContext[] {
  const contexts = [first];
  for (;;) {
    const context = contexts.at(-1) ?? first;
    const [change] = found(store.changes(context.epoch, 1));
    if (change === undefined) return contexts;
    const trusted = { domain: first.domain, descriptor: context.descriptor };
    const verdict = verifyEpochProof(trusted, bls, change.proof);
    if (verdict.status === 'refused') throw new Error(JSON.stringify(verdict.refusal));
    contexts.push(epochAfter(context, change));
  }
}

function audited(
  store: Store,
  contexts: readonly EpochContext[],
  context: EpochContext,
  bls: BlsEngine,
): AuditedEpoch {
  const signed = new Map<Address, number>();
  const { committed } = found(store.latest());
  const last = contexts[context.epoch + 1]?.rootQC.height ?? committed;
  let blocks = 0;
  let proof: CommitProof | undefined;
  for (let height: Height = nextHeight(context.rootQC.height); height <= last; height = nextHeight(height)) {
    const block = found(store.blockAt(height));
    if (block === undefined) throw new Error(`no block at height ${height}`);
    const { commitProof } = block;
    const verdict = verifySignedQC(context, bls, commitProof);
    if (block.block.header.epoch !== context.epoch || verdict !== 'valid')
      throw new Error(`height ${height}: ${JSON.stringify(verdict)}`);
    const named = signersOf(context.set, commitProof.signers);
    if (named === 'malformed') throw new Error(`height ${height}: a bitmap of another set`);
    for (const { address } of named) signed.set(address, (signed.get(address) ?? 0) + 1);
    blocks += 1;
    proof = commitProof;
  }
  return { context, blocks, signed, proof };
}

function found<Value>(read: Read<Value>): Value {
  if (read.status === 'found') return read.value;
  throw new Error(read.detail);
}

/**
 * A node's port over a small chain with true signatures, whose second epoch goes on: what light clients are tested against.
 * What it answers can be changed, as a liar would.
 */
import { PairState } from '../../../src/application/state/state.ts';
import { utf8 } from '../../../src/base/bytes.ts';
import type { BlsEngine } from '../../../src/crypto/bls/engine.ts';
import { batchDigestOf, encodeBatch } from '../../../src/protocol/chain/batch.ts';
import { digestOf } from '../../../src/protocol/chain/canonical.ts';
import type { Digest, EpochProof, Height, ProvenHeader } from '../../../src/protocol/chain/types.ts';
import { encodeStateProof } from '../../../src/protocol/light/encoding.ts';
import type { TransactionProof } from '../../../src/protocol/light/types.ts';
import type { IndexedTransaction, NodeStatus, QueryAnswer, QueryAsked } from '../../../src/rpc/node-port.ts';
import type { EpochProofs } from '../../../src/rpc/proofs-port.ts';
import { chainOf, epochNumber, height, type World, world } from '../../protocol/consensus/fixture.ts';
import { endingChain, nextOf, proofOf, type SmallChain, worldAfter } from '../../protocol/light/fixture.ts';
import { MemoryNode } from '../../rpc/memory-node.ts';

/** The first epoch ends with block 2. */
const FIRST_ROUNDS = [1, 2, 3];
const END = 2;
/** Rounds of the second epoch, whose first block has height 3; round 3 failed. */
const SECOND_ROUNDS = [1, 2, 4, 5, 6];
const TRANSACTION = utf8('ada=1');

export interface LightChain {
  readonly place: World;
  readonly second: World;
  readonly epochProof: EpochProof;
  readonly first: SmallChain;
  readonly later: SmallChain;
  readonly state: PairState;
  readonly batch: Uint8Array;
}

/** @param word tells one fork from another */
export function lightChain(bls: BlsEngine, word = 'true'): LightChain {
  const place = world([1n, 1n, 1n, 1n], 'light', bls);
  const others = world([2n, 1n, 1n], 'others', bls);
  const next = nextOf(place, others);
  const first = endingChain(place, FIRST_ROUNDS, END - 1, next);
  const epochProof = { last: proofOf(first, END - 1, END), next };
  const second = worldAfter(others, place, epochProof);
  const state = new PairState({ name: 'kv', version: '1' }, [
    ['ada', '1'],
    ['word', word],
  ]);
  const appHash = state.appHash([]);
  const author = place.addressAt(0);
  const batch = encodeBatch({ author, sequence: 1, expiresAtHeight: height(9), transactions: [TRANSACTION] });
  const later = chainOf(second, SECOND_ROUNDS, (index) => ({
    executed: { height: height(END + Math.max(0, index - 1)), appHash },
    batches: index === 0 ? [{ digest: batchDigestOf(batch), count: 1, bytes: batch.byteLength }] : [],
  }));
  return { place, second, epochProof, first, later, state, batch };
}

export const TRANSACTION_ID = digestOf(TRANSACTION);

export const trustedPointOf = ({ place, second }: LightChain) => ({
  ...place.epoch.domain,
  ...{ epoch: 1, epochHash: second.epoch.hash, time: 0 },
});

export class LightNode extends MemoryNode {
  readonly chain: LightChain;
  /** What it says instead. */
  lies: {
    readonly header?: (proof: ProvenHeader) => ProvenHeader;
    readonly epochs?: readonly EpochProof[];
    readonly value?: string;
    readonly proof?: Uint8Array;
    readonly transaction?: Partial<TransactionProof>;
  } = {};
  /** Of the newest state; without it that of the newest header's `executed`. */
  pairHeight = END + 2;

  constructor(chain: LightChain) {
    super();
    this.chain = chain;
  }

  override status(): NodeStatus {
    const status = super.status();
    // Blocks 3, 5 and 6: block 4 has no child in the next round, and 7 none at all.
    const committed = { ...status.committed, height: height(END + SECOND_ROUNDS.length - 1) };
    return { ...status, earliest: { ...status.earliest, height: height(1) }, committed };
  }

  override async provenHeader(at: Height): Promise<ProvenHeader | undefined> {
    const { first, later } = this.chain;
    const proof =
      at <= END
        ? proofOf(first, at - 1, at)
        : proofOf(later, at - END - 1, at === END + 2 ? at - END + 1 : at - END);
    return this.lies.header?.(proof) ?? proof;
  }

  override async epochProofs(from = epochNumber(0)): Promise<EpochProofs> {
    const proofs = this.lies.epochs ?? (from === 0 ? [this.chain.epochProof] : []);
    return { current: epochNumber(1), proofs };
  }

  override async query({ data }: QueryAsked): Promise<QueryAnswer> {
    const name = Buffer.from(data).toString('latin1');
    const value = this.lies.value ?? this.chain.state.get(name);
    const bytes = this.lies.proof ?? encodeStateProof(this.chain.state.prove(name, []));
    const said = { code: 0, log: '', codespace: 'kv', key: data, height: height(this.pairHeight) };
    const proof = { isPresent: value !== undefined, bytes };
    return { status: 'answered', result: { ...said, value: utf8(value ?? ''), proof } };
  }

  override async transaction(hash: Digest): Promise<IndexedTransaction | undefined> {
    const result = {
      code: 0,
      data: utf8(''),
      log: '',
      codespace: '',
      gasWanted: 0n,
      gasUsed: 0n,
      events: [],
    };
    const executed = { hash, index: 0, bytes: TRANSACTION, result };
    return hash === TRANSACTION_ID ? { height: height(END + 1), executed } : undefined;
  }

  override async transactionProof(): Promise<TransactionProof | undefined> {
    return { batch: 0, bytes: this.chain.batch, index: 0, ...this.lies.transaction };
  }
}

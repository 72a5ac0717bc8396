/** A node's port before the rules of a ledger, of a real genesis file; each transaction is a block, unless it is withheld. For tests. */

import { ledgerRules } from '../../src/application/ledger/rules.ts';
import type { StateRules } from '../../src/application/state/rules.ts';
import { wallTime } from '../../src/base/units.ts';
import { loadBlsEngine } from '../../src/crypto/bls/select.ts';
import { digestOf } from '../../src/protocol/chain/canonical.ts';
import { parseGenesis } from '../../src/protocol/chain/genesis.ts';
import { parseOperation } from '../../src/protocol/chain/operation.ts';
import type { Address, Digest, ExecutedState } from '../../src/protocol/chain/types.ts';
import type { Admission } from '../../src/protocol/ports/mempool.ts';
import type { TransactionResult } from '../../src/protocol/ports/storage.ts';
import type {
  Followed,
  FollowedOperation,
  NodeStatus,
  OperationStanding,
  QueryAnswer,
  QueryAsked,
} from '../../src/rpc/node-port.ts';
import { executeBlock, type LedgerChain, MemoryState } from '../application/ledger/chain-of-ledger.ts';
import { height, present } from '../protocol/consensus/fixture.ts';
import { MemoryNode } from '../rpc/memory-node.ts';

/** From block to block. @unit ms */
const BLOCK_MS = 1_000;

export class LedgerNode extends MemoryNode {
  readonly #rules: StateRules;
  readonly #state: MemoryState;
  readonly #proposer: Address;
  readonly #done = new Map<Digest, { readonly at: number; readonly result: TransactionResult }>();
  #height = 0;
  /** What is admitted while this is an array gets into no block. */
  withheld: Uint8Array[] | undefined;

  private constructor(rules: StateRules, state: MemoryState, proposer: Address) {
    super();
    this.#rules = rules;
    this.#state = state;
    this.#proposer = proposer;
  }

  static async of(genesisText: string): Promise<LedgerNode> {
    const { engine } = await loadBlsEngine();
    const ruling = parseGenesis(JSON.parse(genesisText), engine);
    if (ruling.status === 'invalid') throw new Error(JSON.stringify(ruling.problems));
    const { genesis, hash } = ruling;
    const rules = ledgerRules({ domain: { chainId: genesis.chainId, genesisHash: hash }, bls: engine });
    const state = new MemoryState();
    state.begin(rules, {
      chainId: genesis.chainId,
      genesisHash: hash,
      genesisTime: genesis.genesisTime,
      validators: genesis.validators,
      appState: genesis.application.state,
    });
    return new LedgerNode(rules, state, present(genesis.validators[0], 'a validator').address);
  }

  /** A ledger of the tests of rules, which has its state in common with others over it. */
  static over({ rules, state, place }: LedgerChain): LedgerNode {
    return new LedgerNode(rules, state, place.addressAt(0));
  }

  override async submit(transactions: readonly Uint8Array[]): Promise<readonly Admission[]> {
    return transactions.map((transaction) => {
      const hash = digestOf(transaction);
      const payload = parseOperation(transaction)?.payload ?? transaction;
      const { code, log } = this.#rules.check(payload, this.#state, height(this.#height));
      if (code !== 0) return { status: 'refused', hash, code: 'CHECK_FAILED', log, applicationCode: code };
      if (this.withheld === undefined) this.#execute(hash, payload);
      else this.withheld.push(transaction);
      return { status: 'admitted', hash };
    });
  }

  /** One that somebody else put into a block. */
  execute(transaction: Uint8Array): void {
    this.#execute(digestOf(transaction), parseOperation(transaction)?.payload ?? transaction);
  }

  idle(blocks: number): void {
    this.#height += blocks;
  }

  /** Blocks that carry nothing, executed. */
  pass(blocks: number): void {
    for (let left = blocks; left > 0; left -= 1) this.#block([]);
  }

  #execute(hash: Digest, payload: Uint8Array): void {
    const [result] = this.#block([payload]);
    this.#done.set(hash, { at: this.#height, result: present(result, 'a result') });
  }

  #block(transactions: readonly Uint8Array[]): readonly TransactionResult[] {
    this.#height += 1;
    const at = this.#height;
    const time = wallTime(at * BLOCK_MS);
    const context = {
      height: height(at),
      time,
      proposer: this.#proposer,
      randomness: digestOf(Uint8Array.of(at)),
    };
    return executeBlock(this.#rules, this.#state, context, transactions).results;
  }

  override status(): NodeStatus {
    const status = super.status();
    return { ...status, committed: { ...status.committed, height: height(this.#height) } };
  }

  override executed(): ExecutedState {
    return { ...super.executed(), height: height(this.#height) };
  }

  override async follow(operations: readonly FollowedOperation[]): Promise<Followed> {
    const standings = operations.map(({ id, expiresAtHeight }): OperationStanding => {
      const done = this.#done.get(id);
      if (done === undefined) return { status: this.#height > expiresAtHeight ? 'expired' : 'pending' };
      return { status: 'committed', height: height(done.at), index: 0, result: done.result };
    });
    // It keeps no call waiting: whoever follows one that is withheld is to ask less often.
    const isCrowded = standings.some(({ status }) => status === 'pending');
    return { height: height(this.#height), standings, isCrowded };
  }

  override async query({ path, data }: QueryAsked): Promise<QueryAnswer> {
    const result = this.#rules.query(path, data, this.#state);
    return {
      status: 'answered',
      result: { ...result, codespace: 'ledger', key: data, height: height(this.#height) },
    };
  }
}

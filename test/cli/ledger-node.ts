/** A node's port before the rules of a ledger, of a real genesis file; each transaction is a block. For tests. */

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
import type { Followed, FollowedOperation, OperationStanding, QueryAnswer } from '../../src/rpc/node-port.ts';
import { executeBlock, MemoryState } from '../application/ledger/chain-of-ledger.ts';
import { height, present } from '../protocol/consensus/fixture.ts';
import { MemoryNode } from '../rpc/memory-node.ts';

export class LedgerNode extends MemoryNode {
  readonly #rules: StateRules;
  readonly #state: MemoryState;
  readonly #proposer: Address;
  readonly #done = new Map<Digest, { readonly at: number; readonly result: TransactionResult }>();

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

  override async submit(transactions: readonly Uint8Array[]): Promise<readonly Admission[]> {
    return transactions.map((transaction) => {
      const hash = digestOf(transaction);
      const payload = parseOperation(transaction)?.payload ?? transaction;
      const { code, log } = this.#rules.check(payload, this.#state, height(this.#done.size));
      if (code !== 0) return { status: 'refused', hash, code: 'CHECK_FAILED', log, applicationCode: code };
      const at = this.#done.size + 1;
      const context = { height: height(at), time: wallTime(at), proposer: this.#proposer };
      const [result] = executeBlock(this.#rules, this.#state, context, [payload]);
      this.#done.set(hash, { at, result: present(result, 'a result') });
      return { status: 'admitted', hash };
    });
  }

  override executed(): ExecutedState {
    return { ...super.executed(), height: height(this.#done.size) };
  }

  override async follow(operations: readonly FollowedOperation[]): Promise<Followed> {
    const standings = operations.map(({ id }): OperationStanding => {
      const done = this.#done.get(id);
      if (done === undefined) return { status: 'pending' };
      return { status: 'committed', height: height(done.at), index: 0, result: done.result };
    });
    return { height: height(this.#done.size), standings, isCrowded: false };
  }

  override async query(path: string, data: Uint8Array): Promise<QueryAnswer> {
    const result = this.#rules.query(path, data, this.#state);
    return {
      status: 'answered',
      result: { ...result, codespace: 'ledger', key: data, height: height(this.#done.size) },
    };
  }
}

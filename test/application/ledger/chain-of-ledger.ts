/**
 * A ledger on a state in memory that undoes what failed, with four validators of the consensus tests and accounts whose
 * keys are known. For tests.
 */

import { totalsOf } from '../../../src/application/ledger/accounts.ts';
import { accountAddressOf, addressText } from '../../../src/application/ledger/address.ts';
import { netReceivedOf } from '../../../src/application/ledger/chains.ts';
import { bytesOf } from '../../../src/application/ledger/pairs.ts';
import { parametersOf } from '../../../src/application/ledger/parameters.ts';
import { ledgerRules } from '../../../src/application/ledger/rules.ts';
import { queueOf, sealOf } from '../../../src/application/ledger/sealed/records.ts';
import {
  encodeTransaction,
  type Payload,
  type SigningDomain,
  signedPart,
  type UnsignedTransaction,
} from '../../../src/application/ledger/transaction.ts';
import { unbondingSum, validatorRecordOf } from '../../../src/application/ledger/validator-record.ts';
import type { BlockContext, StateRules, StateWriter } from '../../../src/application/state/rules.ts';
import { toHex, utf8 } from '../../../src/base/bytes.ts';
import { wallTime } from '../../../src/base/units.ts';
import { ed25519PublicKeyOf, ed25519Sign } from '../../../src/crypto/ed25519.ts';
import { sha256 } from '../../../src/crypto/hash.ts';
import { digestOf } from '../../../src/protocol/chain/canonical.ts';
import { digestBytes, POWER_LIMIT } from '../../../src/protocol/chain/parse.ts';
import type { Address, Digest } from '../../../src/protocol/chain/types.ts';
import { addressOf } from '../../../src/protocol/chain/validator-set.ts';
import type {
  CheckResult,
  InitChainRequest,
  Misbehavior,
  ValidatorUpdate,
} from '../../../src/protocol/ports/application.ts';
import type { ApplicationEvent, TransactionResult } from '../../../src/protocol/ports/storage.ts';
import { height, present, type World, world } from '../../protocol/consensus/fixture.ts';

export interface Key {
  readonly secret: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly address: Uint8Array;
  readonly text: string;
}

/** An account of its own for each name. */
export function keyOf(name: string): Key {
  const secret = sha256(utf8(`ledger test key ${name}`));
  const publicKey = present(ed25519PublicKeyOf(secret), 'a public key');
  const address = accountAddressOf(publicKey);
  return { secret, publicKey, address, text: addressText(address) };
}

/** Whose coins move. */
export const [ada, bob] = [keyOf('ada'), keyOf('bob')];

/** Undoes to a mark; beyond that as little as the interface asks. */
export class MemoryState implements StateWriter {
  readonly pairs = new Map<string, string>();
  readonly validators = new Map<string, ValidatorUpdate>();
  #undo: (() => void)[] = [];

  get(key: string): string | undefined {
    return this.pairs.get(key);
  }

  set(key: string, value: string): void {
    this.#remember(this.pairs, key);
    this.pairs.set(key, value);
  }

  delete(key: string): void {
    this.#remember(this.pairs, key);
    this.pairs.delete(key);
  }

  setValidator(update: ValidatorUpdate): string | undefined {
    const key = toHex(update.nodeKey);
    let total = update.power;
    for (const [name, { power }] of this.validators) if (name !== key) total += power;
    if (total === 0n) return 'the last validator cannot leave';
    if (total >= POWER_LIMIT) return `the total power would be ${total}, at most 2^60 - 1`;
    this.#remember(this.validators, key);
    if (update.power === 0n) this.validators.delete(key);
    else this.validators.set(key, update);
    return undefined;
  }

  begin(rules: StateRules, request: InitChainRequest): void {
    for (const [key, value] of rules.begin(request)) this.pairs.set(key, value);
    for (const update of request.validators) this.validators.set(toHex(update.nodeKey), update);
  }

  mark(): void {
    this.#undo = [];
  }

  undo(): void {
    for (const step of this.#undo.toReversed()) step();
    this.#undo = [];
  }

  #remember<Value>(map: Map<string, Value>, key: string): void {
    const before = map.get(key);
    this.#undo.push(before === undefined ? () => map.delete(key) : () => map.set(key, before));
  }
}

/** A block as the shell around the rules executes it. */
export function executeBlock(
  rules: StateRules,
  state: MemoryState,
  block: BlockContext,
  transactions: readonly Uint8Array[],
  misbehavior: readonly Misbehavior[] = [],
): { readonly results: TransactionResult[]; readonly events: readonly ApplicationEvent[] } {
  state.mark();
  const first = rules.beginBlock?.(state, block, misbehavior) ?? [];
  const results = transactions.map((transaction) => {
    state.mark();
    const result = rules.execute(transaction, state, block);
    if (result.code !== 0) {
      state.undo();
      rules.settleFailed?.(transaction, state, block);
    }
    return result;
  });
  const last = rules.endBlock?.(state, block) ?? [];
  return { results, events: [...first, ...last] };
}

interface Accusation {
  readonly type?: Misbehavior['type'];
  readonly height?: number;
}

export interface ChainOptions {
  readonly parameters?: Readonly<Record<string, string | number>>;
  readonly balances?: Readonly<Record<string, bigint>>;
  readonly powers?: readonly bigint[];
  /** Validators of another chain, to be the same network. */
  readonly place?: World;
  /** `chains` of the genesis. */
  readonly chains?: readonly object[];
}

/** @unit heights */
const LIFETIME_HEIGHTS = 100;
/** Small heights and coins of 1,000 units, so that a test can count on its fingers. */
const TEST_PARAMETERS = {
  decimals: 3,
  stake_unit: '1000',
  stake_min: '2000',
  unbonding_heights: 20,
  evidence_heights: 20,
  slash_basis_points: 1000,
  fee_price_min: '10',
  fee_price_max: '1000000',
  block_work_target: 4,
  validators_max: 6,
};

export const OPERATORS = ['op0', 'op1', 'op2', 'op3'].map(keyOf);

export function genesisRequest(place: World, options: ChainOptions = {}): InitChainRequest {
  const { balances = { ada: 1_000_000n, bob: 500_000n, op0: 100_000n }, parameters = {} } = options;
  return {
    chainId: place.epoch.domain.chainId,
    genesisHash: place.epoch.domain.genesisHash,
    genesisTime: wallTime(0),
    validators: place.validators.map(({ nodeKey, consensusKey, power }) => ({
      nodeKey,
      consensusKey,
      power,
      possessionProof: new Uint8Array(),
    })),
    appState: {
      parameters: { ...TEST_PARAMETERS, ...parameters },
      accounts: Object.entries(balances).map(([name, balance]) => ({
        address: keyOf(name).text,
        balance: balance.toString(),
      })),
      operators: place.validators.map(({ address }, index) => ({
        validator: address,
        operator: present(OPERATORS[index % OPERATORS.length], 'an operator').text,
      })),
      ...(options.chains === undefined ? {} : { chains: options.chains }),
    },
  };
}

/** Blocks on a ledger; after each one all coins must be accounted for (LG-6). */
export class LedgerChain {
  readonly place: World;
  readonly rules: StateRules;
  readonly state = new MemoryState();
  readonly domain: SigningDomain;
  height = 0;
  time = 0;
  /** From block to block. @unit ms */
  blockMs = 1;
  /** Of the newest block, not of its transactions. */
  events: readonly ApplicationEvent[] = [];
  /** What the VRF of a block's proposer gives. */
  randomnessOf: (height: number) => Digest = (at) => digestOf(utf8(`randomness of ${at}`));

  constructor(options: ChainOptions = {}) {
    this.place = options.place ?? world(options.powers ?? [5n, 5n, 5n, 5n]);
    const { domain } = this.place.epoch;
    this.domain = { genesisHash: digestBytes(domain.genesisHash), chainId: domain.chainId };
    this.rules = ledgerRules({ domain, bls: this.place.bls });
    const request = genesisRequest(this.place, options);
    this.state.begin(this.rules, request);
    this.assertSupply();
  }

  sign(
    key: Key,
    payload: Payload,
    given: Partial<Omit<UnsignedTransaction, 'payload'>> = {},
    domain = this.domain,
  ): Uint8Array {
    const rest = { publicKey: key.publicKey, ...this.turn(key), feeMax: 2_000n, tip: 0n, ...given };
    const signature = new Uint8Array(64);
    const unsigned = encodeTransaction({ ...rest, payload, signature });
    // As `signTransaction`, with the fast engine: thousands of them are signed here.
    signature.set(present(ed25519Sign(key.secret, signedPart(unsigned, domain)), 'a signature'));
    unsigned.set(signature, unsigned.length - signature.length);
    return unsigned;
  }

  block(
    transactions: readonly Uint8Array[],
    proposer: Address = this.place.addressAt(0),
    misbehavior: readonly Misbehavior[] = [],
  ): TransactionResult[] {
    return this.#execute(transactions, proposer, misbehavior).results;
  }

  /** What consensus would say of validator `index` in the next block. */
  offence(index: number, given: Accusation = {}): Misbehavior {
    return {
      type: given.type ?? 'DUPLICATE_VOTE',
      validator: { address: this.place.addressAt(index), power: 5n },
      height: height(given.height ?? this.height),
      time: wallTime(this.height + 1),
      totalVotingPower: 20n,
    };
  }

  /** Events of a block that proves an offence, and has no transactions. */
  accuse(index: number, given: Accusation = {}): readonly ApplicationEvent[] {
    return this.#execute([], this.place.addressAt(0), [this.offence(index, given)]).events;
  }

  /** … that proves one of each kind. */
  accuseBoth(index: number): readonly ApplicationEvent[] {
    const both = [this.offence(index), this.offence(index, { type: 'HIDDEN_QC' })];
    return this.#execute([], this.place.addressAt(0), both).events;
  }

  /** Of no validator here. */
  get strangerAddress(): Address {
    return addressOf(keyOf('a stranger').publicKey);
  }

  #execute(transactions: readonly Uint8Array[], proposer: Address, misbehavior: readonly Misbehavior[]) {
    this.height += 1;
    this.time += this.blockMs;
    const randomness = this.randomnessOf(this.height);
    const context = { height: height(this.height), time: wallTime(this.time), proposer, randomness };
    const executed = executeBlock(this.rules, this.state, context, transactions, misbehavior);
    this.events = executed.events;
    this.assertSupply();
    return executed;
  }

  /** As the mempool asks, after the newest block. */
  check(transaction: Uint8Array): CheckResult {
    return this.rules.check(transaction, this.state, height(this.height));
  }

  /** One transaction in a block of its own. */
  run(
    key: Key,
    payload: Payload,
    given: Partial<Omit<UnsignedTransaction, 'payload'>> = {},
  ): TransactionResult {
    return present(this.block([this.sign(key, payload, given)])[0], 'a result');
  }

  idle(blocks: number): void {
    for (let count = 0; count < blocks; count += 1) this.block([]);
  }

  ask(path: string, data = ''): Record<string, unknown> {
    const { code, log, value } = this.rules.query(path, utf8(data), this.state);
    return code === 0 ? JSON.parse(new TextDecoder().decode(value)) : { code, log };
  }

  balance(key: Key): bigint {
    return BigInt(String(this.ask('/account', key.text)['balance']));
  }

  nonce(key: Key): bigint {
    return BigInt(String(this.ask('/account', key.text)['nonce']));
  }

  /** What the account's next transaction is signed with. */
  turn(key: Key): Pick<UnsignedTransaction, 'nonce' | 'lastHeight'> {
    return { nonce: this.nonce(key), lastHeight: BigInt(this.height + LIFETIME_HEIGHTS) };
  }

  /** Counts every coin anew, from the records themselves. */
  assertSupply(): void {
    const { stakeUnit } = parametersOf(this.state);
    let [balances, staked, unbonding, deposits] = [0n, 0n, 0n, 0n];
    for (const [key, value] of this.state.pairs) {
      const seal = key.startsWith('Ss') ? sealOf(this.state, bytesOf(key.slice(2))) : undefined;
      if (seal !== undefined && 'deposit' in seal) deposits += seal.deposit;
      if (key.startsWith('a')) balances += Buffer.from(value, 'latin1').readBigUInt64BE(8);
      if (!key.startsWith('v')) continue;
      const record = present(validatorRecordOf(this.state, bytesOf(key.slice(1))), 'a record');
      staked += record.stake;
      unbonding += unbondingSum(record);
      const power = this.state.validators.get(toHex(record.nodeKey))?.power ?? 0n;
      const worth = record.jailedAt === 0n ? record.stake / stakeUnit : 0n;
      if (power !== worth) throw new Error(`power ${power} for a stake of ${record.stake} (LG-9)`);
    }
    const totals = totalsOf(this.state);
    const counted = balances + staked + unbonding + deposits + totals.burned;
    const all = totals.genesis + netReceivedOf(this.state);
    if (deposits !== queueOf(this.state).deposits) throw new Error(`${deposits} units of deposits (LG-22)`);
    if (counted !== all || staked !== totals.staked || unbonding !== totals.unbonding) {
      throw new Error(
        `${balances} + ${staked} + ${unbonding} + ${deposits} + ${totals.burned} units are not ${all} (LG-6)`,
      );
    }
  }
}

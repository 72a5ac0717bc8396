/**
 * A game on the real rules with a chain of one: for tests. State is pairs in memory; a transaction whose code is not 0 leaves
 * what it costs and nothing else, as the shell around rules has it.
 */

import { commitmentOf } from '../../../src/application/dice/fairness.ts';
import { type Action, signedTransaction } from '../../../src/application/dice/operation.ts';
import { diceRules } from '../../../src/application/dice/rules.ts';
import type { LobbyView, PlayerView, TableView } from '../../../src/application/dice/views.ts';
import type { StateWriter } from '../../../src/application/state/rules.ts';
import { toHex, utf8 } from '../../../src/base/bytes.ts';
import { type WallTime, wallTime } from '../../../src/base/units.ts';
import { ed25519PublicKeyOf, ed25519Sign } from '../../../src/crypto/ed25519.ts';
import { digestOf } from '../../../src/protocol/chain/canonical.ts';
import { parseAddress, parseHeight } from '../../../src/protocol/chain/parse.ts';
import type { ApplicationEvent, TransactionResult } from '../../../src/protocol/ports/storage.ts';

const CHAIN_ID = 'dice-test';
export const GENESIS_HASH = digestOf(utf8(CHAIN_ID));
const PROPOSER = known(parseAddress('ab'.repeat(20)));

export class MemoryState implements StateWriter {
  readonly validators = new Map();
  pairs = new Map<string, string>();

  get(key: string): string | undefined {
    return this.pairs.get(key);
  }

  set(key: string, value: string): void {
    for (const text of [key, value]) {
      for (const letter of text) if (letter.charCodeAt(0) > 255) throw new Error(`${text} is not latin1`);
    }
    this.pairs.set(key, value);
  }

  delete(key: string): void {
    this.pairs.delete(key);
  }

  setValidator(): string {
    return 'dice has no validators';
  }
}

export class Game {
  readonly state = new MemoryState();
  readonly #rules = diceRules();
  /** Of the block that is being made. */
  height = 1;

  constructor(appState: unknown = {}) {
    const genesis = {
      ...{ chainId: CHAIN_ID, genesisHash: GENESIS_HASH, genesisTime: wallTime(0), validators: [], appState },
    };
    for (const [key, value] of this.#rules.begin(genesis)) this.state.set(key, value);
  }

  check(transaction: Uint8Array) {
    return this.#rules.check(transaction, this.state, known(parseHeight(this.height - 1)));
  }

  /** In the block that is being made. */
  execute(transaction: Uint8Array): TransactionResult {
    const before = new Map(this.state.pairs);
    const result = this.#rules.execute(transaction, this.state, this.#block());
    if (result.code !== 0) {
      this.state.pairs = before;
      this.#rules.settleFailed?.(transaction, this.state, this.#block());
    }
    return result;
  }

  /** Ends the block; the next one begins. */
  endBlock(): readonly ApplicationEvent[] {
    const events = this.#rules.endBlock?.(this.state, this.#block()) ?? [];
    this.height += 1;
    return events;
  }

  pass(blocks: number): void {
    for (let block = 0; block < blocks; block += 1) this.endBlock();
  }

  query(path: string, data = '') {
    return this.#rules.query(path, new TextEncoder().encode(data), this.state);
  }

  lobby(): LobbyView {
    return this.#json('/tables');
  }

  table(id = 1): NonNullable<TableView> {
    const view: TableView = this.#json('/table', String(id));
    if (view === null) throw new Error(`there is no table ${id}`);
    return view;
  }

  player(key: string): NonNullable<PlayerView> {
    const view: PlayerView = this.#json('/player', key);
    if (view === null) throw new Error(`there is no player ${key}`);
    return view;
  }

  /** Everywhere: in the house, with players, on tables and in pots. */
  chips(keys: readonly string[]): number {
    const lobby = this.lobby();
    const held = keys.map((key) => this.#json<PlayerView>('/player', key)?.chips ?? 0);
    const laid = lobby.tables.map(({ id }) => {
      const { pot, seats } = this.table(id).table;
      return pot + seats.reduce((sum, { stake }) => sum + stake, 0);
    });
    return [lobby.house.chips, ...held, ...laid].reduce((sum, chips) => sum + chips, 0);
  }

  #json<View>(path: string, data = ''): View {
    return JSON.parse(new TextDecoder().decode(this.query(path, data).value));
  }

  #block() {
    const time: WallTime = wallTime(1_000 * this.height);
    return { height: known(parseHeight(this.height)), time, proposer: PROPOSER, randomness: GENESIS_HASH };
  }
}

/** A player with a key of its own, who knows the game's state. */
export class Gambler {
  readonly #game: Game;
  readonly #seed: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly key: string;

  constructor(game: Game, seed: number) {
    this.#game = game;
    this.#seed = new Uint8Array(32).fill(seed);
    this.publicKey = ed25519PublicKeyOf(this.#seed) ?? new Uint8Array();
    this.key = toHex(this.publicKey);
  }

  sign(
    action: Action,
    given: { nonce?: number; lastHeight?: number; genesisHash?: string } = {},
  ): Uint8Array {
    const { nonce = this.nonce(), lastHeight = this.#game.height + 100, genesisHash = GENESIS_HASH } = given;
    return signedTransaction({ player: this.publicKey, nonce, lastHeight, action }, genesisHash, (message) =>
      known(ed25519Sign(this.#seed, message)),
    );
  }

  do(action: Action): TransactionResult {
    return this.#game.execute(this.sign(action));
  }

  /** @throws with the refusal's words */
  must(action: Action): this {
    const { code, log } = this.do(action);
    if (code !== 0) throw new Error(`${action.kind}: ${log}`);
    return this;
  }

  register(name: string): this {
    return this.must({ kind: 'register', name });
  }

  /** The secret of a round is its number and the player's seed. */
  secret(round: number): Uint8Array {
    return new Uint8Array(32).fill(round).fill(this.#seed[0] ?? 0, 16);
  }

  commit(table = 1): TransactionResult {
    const { round } = this.#game.table(table).table;
    return this.do({ kind: 'commit', table, round, commitment: this.commitment(table, round) });
  }

  commitment(table: number, round: number): Uint8Array {
    return commitmentOf({ genesisHash: GENESIS_HASH, table, round }, this.publicKey, this.secret(round));
  }

  reveal(table = 1): TransactionResult {
    const { round } = this.#game.table(table).table;
    return this.do({ kind: 'reveal', table, round, secret: this.secret(round) });
  }

  chips(): number {
    return this.#game.player(this.key).chips;
  }

  nonce(): number {
    const view = JSON.parse(new TextDecoder().decode(this.#game.query('/player', this.key).value));
    return view?.nonce ?? 0;
  }
}

function known<Value>(value: Value | 'malformed' | undefined): Value {
  if (value === undefined || value === 'malformed') throw new Error('the test gave a malformed value');
  return value;
}

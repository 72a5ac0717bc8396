/**
 * What the page knows and does: it asks for what changed, sends one operation after the other, and reveals by itself. Everything
 * that is shown is in `Model`. Boundary: clock and network.
 */
import { commitmentOf } from '../fairness.ts';
import type { Action } from '../operation.ts';
import type { LobbyView, PlayerView, TableView } from '../views.ts';
import type { Identity } from './identity.ts';
import type { Network, Outcome } from './network.ts';
import { readLobby, readPlayer, readTable, readTables } from './reading.ts';

export interface LogEntry {
  readonly id: number;
  readonly what: string;
  /** Missing as long as it is under way. */
  readonly outcome?: Outcome;
  /** @unit ms */
  readonly took: number;
}

export interface Model {
  readonly height: number;
  /** Undefined until a node has answered. */
  readonly lobby: LobbyView | undefined;
  readonly player: PlayerView;
  /** The table that is looked at; 0: the list of all. */
  readonly shown: number;
  readonly table: TableView;
  /** The newest first. */
  readonly log: readonly LogEntry[];
  /** No node answers. */
  readonly isAlone: boolean;
  /** Kind of the operation that is under way. */
  readonly busy: Action['kind'] | undefined;
}

/** @unit entries @source older ones help nobody */
const LOG_MAX = 50;
/** Operations that wait for the one before; further presses are not taken. @unit operations */
const QUEUE_MAX = 4;
/** Heights within which an operation must be executed. @unit heights @source twice the patience that a genesis has by default */
const LIFETIME_HEIGHTS = 60;
/** How long an older answer of a node that lags is passed over. @unit ms */
const LAG_MS_MAX = 5_000;

/** @unit ms @source a block at rest and its answer */
const REVEAL_AGAIN_MS = 2_000;

export class Session {
  readonly #identity: Identity;
  readonly #network: Network;
  readonly #changed: () => void;
  #model: Model = {
    ...{ height: 0, lobby: undefined, player: null, shown: 0, table: null },
    ...{ log: [], isAlone: false, busy: undefined },
  };
  #tail: Promise<void> = Promise.resolve();
  #queued = 0;
  #nonce = 0;
  /** Of the newest own operation: older states know an older nonce. */
  #nonceHeight = 0;
  #entries = 0;
  /** Table and round whose secret was sent. */
  #revealed = '';
  #newestAt = 0;
  /** A table that was left is not shown again by itself. */
  #seatedAt = 0;

  constructor(identity: Identity, network: Network, changed: () => void) {
    this.#identity = identity;
    this.#network = network;
    this.#changed = changed;
  }

  get model(): Model {
    return this.#model;
  }

  /** Looks at another table; 0: at the list. */
  async show(table: number): Promise<void> {
    this.#set({ shown: table, table: null });
    await this.#readTable();
  }

  /** One look at the chain. Never rejects. */
  async poll(): Promise<void> {
    try {
      await this.#look();
      if (this.#model.isAlone) this.#set({ isAlone: false });
    } catch {
      this.#set({ isAlone: true });
    }
    this.#revealIfDue();
  }

  /** Sends after what was sent before. Resolves when its end is known. */
  act(action: Action, what: string): Promise<void> {
    if (this.#queued >= QUEUE_MAX) return Promise.resolve();
    this.#queued += 1;
    const id = this.#note(what);
    const startedAt = performance.now();
    const end = (outcome: Outcome): void => {
      const took = performance.now() - startedAt;
      this.#queued -= 1;
      const log = this.#model.log.map((entry) => (entry.id === id ? { ...entry, outcome, took } : entry));
      this.#set({ log, busy: undefined });
    };
    const failed = (failure: unknown): Outcome => ({ status: 'rejected', code: 0, log: String(failure) });
    this.#tail = this.#tail
      .then(() => this.#send(action))
      .catch(failed)
      .then(end)
      .then(() => this.poll());
    return this.#tail;
  }

  /** DC-5: commits to the secret of this round; the reveal follows by itself. */
  roll(): Promise<void> {
    const { table, lobby } = this.#model;
    if (table === null || lobby === undefined) return Promise.resolve();
    const { id, round } = table.table;
    const name = { chainId: lobby.house.chainId, table: id, round };
    const commitment = commitmentOf(name, this.#identity.publicKey, this.#identity.secretOf(name));
    return this.act({ kind: 'commit', table: id, round, commitment }, `Roll in round ${round}`);
  }

  async #look(): Promise<void> {
    const seen = this.#model.lobby?.version;
    const { height, value } = await this.#network.query('/tables', seen === undefined ? '' : String(seen));
    const now = performance.now();
    if (height < this.#model.height && now - this.#newestAt < LAG_MS_MAX) return;
    this.#newestAt = now;
    const { version } = readTables(value);
    if (version === seen) {
      if (height !== this.#model.height) this.#set({ height });
      return;
    }
    const lobby = readLobby(value);
    const told = await this.#network.query('/player', this.#identity.key);
    const player = readPlayer(told.value);
    if (told.height >= this.#nonceHeight) this.#nonce = player?.nonce ?? 0;
    const seated = player?.table ?? 0;
    const shown = seated !== 0 && seated !== this.#seatedAt ? seated : this.#model.shown;
    this.#seatedAt = seated;
    const table = shown === 0 ? null : readTable((await this.#network.query('/table', String(shown))).value);
    this.#set({ height, lobby, player, shown, table });
  }

  async #readTable(): Promise<void> {
    const { shown } = this.#model;
    if (shown === 0) return;
    try {
      const table = readTable((await this.#network.query('/table', String(shown))).value);
      if (this.#model.shown === shown) this.#set({ table });
    } catch {
      this.#set({ isAlone: true });
    }
  }

  #revealIfDue(): void {
    const { table, lobby, busy } = this.#model;
    if (table === null || lobby === undefined || busy !== undefined) return;
    const { id, round, phase, seats } = table.table;
    const part = seats.find(({ key }) => key === this.#identity.key)?.part.kind;
    const where = `${id}/${round}`;
    if (phase.kind !== 'revealing' || part !== 'committed' || this.#revealed === where) return;
    this.#revealed = where;
    const secret = this.#identity.secretOf({ chainId: lobby.house.chainId, table: id, round });
    const sent = this.act({ kind: 'reveal', table: id, round, secret }, `Show the dice of round ${round}`);
    void sent.then(() => {
      // What did not get through is tried again as long as there is time.
      setTimeout(() => {
        if (this.#revealed === where) this.#revealed = '';
      }, REVEAL_AGAIN_MS);
    });
  }

  async #send(action: Action): Promise<Outcome> {
    this.#set({ busy: action.kind });
    const chainId = this.#model.lobby?.house.chainId ?? '';
    const lastHeight = this.#model.height + LIFETIME_HEIGHTS;
    const transaction = this.#identity.transaction({ nonce: this.#nonce, lastHeight, action }, chainId);
    const outcome = await this.#network.submit(transaction, lastHeight);
    if (outcome.status === 'committed' && outcome.code === 0) {
      this.#nonce += 1;
      this.#nonceHeight = outcome.height;
    }
    return outcome;
  }

  #note(what: string): number {
    this.#entries += 1;
    const entry: LogEntry = { id: this.#entries, what, took: 0 };
    this.#set({ log: [entry, ...this.#model.log].slice(0, LOG_MAX) });
    return entry.id;
  }

  #set(change: Partial<Model>): void {
    this.#model = { ...this.#model, ...change };
    this.#changed();
  }
}

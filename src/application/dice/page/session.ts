/**
 * What the page knows and does: it asks for what changed, sends one operation after the other, and reveals by itself. Everything
 * that is shown is in `Model`, and is one node's word; what is signed is what several say. Boundary: clock and network.
 */
import { bytesToHex } from '@noble/hashes/utils.js';
import type { Outcome } from '../../../client/index.ts';
import { commitmentOf } from '../fairness.ts';
import type { Action } from '../operation.ts';
import type { LobbyView, PlayerView, TableView } from '../views.ts';
import type { Identity } from './identity.ts';
import type { Network } from './network.ts';
import { type Standing, standingOf } from './opening.ts';
import { readPlayer, readTable, readTables } from './reading.ts';

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
  /** When the height rose last, by the page's clock. @unit ms */
  readonly heightAt: number;
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
  /** Too few nodes say the same, and the page waits with what it would sign. */
  readonly isUnsure: boolean;
  /** The node in use says that all have committed, and the others say otherwise. */
  readonly isContradicted: boolean;
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
/** Between two questions to all nodes whether it is time to reveal; the node in use may bring one forward. @unit ms */
const OPENING_MS = 500;
/** A node may be ahead of the others for a moment, or behind: the player hears of it after so many. @unit questions to all nodes */
const DOUBTS_MIN = 3;
/** After a reveal was sent, before it is sent again. @unit ms @source two blocks at rest */
const REVEAL_AGAIN_MS = 2_000;
/** Tries of an operation that a node refuses: one that lags refuses what others take, and so does one that lies. @unit tries */
const TRIES_MAX = 3;
/** @unit ms @source what a lagging node needs */
const TRY_AGAIN_MS = 400;
/** How long the nodes have to say alike which nonce is next. @unit ms @source three blocks at rest */
const NONCE_MS_MAX = 3_000;
/** @unit ms */
const NONCE_AGAIN_MS = 150;

export class Session {
  readonly #identity: Identity;
  readonly #network: Network;
  /** In hexadecimal; what the page signs for, whatever a node says. */
  readonly #genesisHash: string;
  readonly #changed: () => void;
  #model: Model = {
    ...{ height: 0, heightAt: performance.now(), lobby: undefined, player: null, shown: 0, table: null },
    ...{ log: [], isAlone: false, isUnsure: false, isContradicted: false, busy: undefined },
  };
  #tail: Promise<void> = Promise.resolve();
  #queued = 0;
  /** Of the newest own operation: older states know an older nonce. */
  #executedHeight = 0;
  #entries = 0;
  /** Where this player sits, until several nodes deny it: the one in use may hide it. 0: nowhere. */
  #seat = 0;
  #isInRound = false;
  /** Questions in a row in which the others knew nothing of what the node in use says. */
  #doubts = 0;
  /** Questions in a row to which too few gave the same answer. */
  #silences = 0;
  #isOpening = false;
  #openingAt = 0;
  #newestAt = 0;
  /** A table that was left is not shown again by itself. */
  #seatedAt = 0;

  constructor(identity: Identity, network: Network, genesisHash: string, changed: () => void) {
    this.#identity = identity;
    this.#network = network;
    this.#genesisHash = genesisHash;
    this.#changed = changed;
  }

  get model(): Model {
    return this.#model;
  }

  /** A round is played at this player's table, and may wait for this page. */
  get isInRound(): boolean {
    return this.#isInRound;
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
    void this.#openIfDue();
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
    const failed = (failure: unknown): Outcome => ({
      ...{ status: 'rejected', code: 'NOT_SENT' },
      reason: failure instanceof Error ? failure.message : String(failure),
    });
    this.#tail = this.#tail
      .then(() => this.#send(action))
      .catch(failed)
      .then(end)
      .then(() => this.poll());
    return this.#tail;
  }

  /** DC-5: commits to the secret of this round; the reveal follows by itself. */
  roll(): Promise<void> {
    const { table } = this.#model;
    if (table === null) return Promise.resolve();
    const { id, round } = table.table;
    this.#isInRound = true;
    const action = { kind: 'commit', table: id, round, commitment: this.#commitmentOf(id, round) } as const;
    return this.act(action, `Roll in round ${round}`);
  }

  #commitmentOf(table: number, round: number): Uint8Array {
    const name = { genesisHash: this.#genesisHash, table, round };
    return commitmentOf(name, this.#identity.publicKey, this.#identity.secretOf(name));
  }

  async #look(): Promise<void> {
    const known = this.#model.lobby;
    const seen = known === undefined ? '' : String(known.version);
    const told = await this.#network.query('/tables', seen, (value) => readTables(value, this.#genesisHash));
    const { height } = told;
    const now = performance.now();
    if (height < this.#model.height && now - this.#newestAt < LAG_MS_MAX) return;
    this.#newestAt = now;
    const heightAt = height > this.#model.height ? now : this.#model.heightAt;
    if (told.view.version === known?.version) {
      if (height !== this.#model.height) this.#set({ height, heightAt });
      return;
    }
    if (!('house' in told.view)) throw new Error('the node names a version that nobody asked for');
    const { view: player } = await this.#network.query('/player', this.#identity.key, readPlayer);
    const seated = player?.table ?? 0;
    const shown = seated !== 0 && seated !== this.#seatedAt ? seated : this.#model.shown;
    this.#seatedAt = seated;
    const table = shown === 0 ? null : (await this.#network.query('/table', String(shown), readTable)).view;
    const wasRevealing = this.#model.table?.table.phase.kind === 'revealing';
    if (table?.table.phase.kind === 'revealing' && !wasRevealing) this.#openingAt = 0;
    this.#set({ height, heightAt, lobby: told.view, player, shown, table });
  }

  async #readTable(): Promise<void> {
    const { shown } = this.#model;
    if (shown === 0) return;
    try {
      const { view } = await this.#network.query('/table', String(shown), readTable);
      if (this.#model.shown === shown) this.#set({ table: view });
    } catch {
      this.#set({ isAlone: true });
    }
  }

  /** DC-6: reveals as soon as several nodes say alike that all have committed, and again until they say that it is done. */
  async #openIfDue(): Promise<void> {
    if (this.#seat === 0) this.#seat = this.#model.player?.table ?? 0;
    const table = this.#seat;
    if (table === 0 || this.#isOpening || this.#queued > 0) return;
    if (performance.now() < this.#openingAt) return;
    this.#isOpening = true;
    let pauseMs = OPENING_MS;
    try {
      const standing = await this.#network.agreed('/table', String(table), (value) =>
        standingOf(readTable(value), this.#identity.key),
      );
      this.#compare(standing);
      if (standing?.kind === 'gone') this.#seat = 0;
      // Another secret than ours opens nothing.
      if (standing?.kind !== 'revealing' || standing.mine === undefined) return;
      const { round } = standing;
      if (standing.mine !== bytesToHex(this.#commitmentOf(table, round))) return;
      const secret = this.#identity.secretOf({ genesisHash: this.#genesisHash, table, round });
      pauseMs = REVEAL_AGAIN_MS;
      await this.act({ kind: 'reveal', table, round, secret }, `Show the dice of round ${round}`);
    } finally {
      this.#isOpening = false;
      this.#openingAt = performance.now() + pauseMs;
    }
  }

  /** What several nodes say, with what the node in use has shown. */
  #compare(standing: Standing | undefined): void {
    this.#hear(standing !== undefined);
    const isShown = this.#model.table?.table.phase.kind === 'revealing';
    const isDenied = standing?.kind === 'open' || standing?.kind === 'committing';
    this.#doubts = isShown && isDenied ? this.#doubts + 1 : 0;
    this.#set({ isContradicted: this.#doubts >= DOUBTS_MIN });
    this.#isInRound = standing?.kind === 'committing' || standing?.kind === 'revealing';
  }

  async #send(action: Action): Promise<Outcome> {
    this.#set({ busy: action.kind });
    for (let tries = 1; ; tries += 1) {
      const nonce = await this.#nonce();
      const lastHeight = this.#network.height + LIFETIME_HEIGHTS;
      const transaction = this.#identity.transaction({ nonce, lastHeight, action }, this.#genesisHash);
      const outcome = await this.#network.submit(transaction, lastHeight);
      if (outcome.status === 'committed')
        this.#executedHeight = Math.max(this.#executedHeight, outcome.height);
      if (outcome.status !== 'rejected' || tries >= TRIES_MAX) return outcome;
      await pause(TRY_AGAIN_MS);
    }
  }

  /** DC-2, as several nodes say it that have executed this player's newest operation. @throws in words for the player */
  async #nonce(): Promise<number> {
    const until = performance.now() + NONCE_MS_MAX;
    for (;;) {
      // At last without the height: the one who told it may have lied.
      const isLate = performance.now() >= until;
      const least = isLate ? 0 : this.#executedHeight;
      const fact = await this.#network.agreed('/player', this.#identity.key, (value, height) =>
        height < least ? undefined : { nonce: readPlayer(value)?.nonce ?? 0 },
      );
      this.#hear(fact !== undefined);
      if (fact !== undefined) return fact.nonce;
      const { needed, endpoints } = this.#network;
      if (isLate) throw new Error(`not sent: no ${needed} of ${endpoints.length} nodes say the same`);
      await pause(NONCE_AGAIN_MS);
    }
  }

  #hear(isAgreed: boolean): void {
    this.#silences = isAgreed ? 0 : this.#silences + 1;
    const isUnsure = this.#silences >= DOUBTS_MIN;
    if (isUnsure !== this.#model.isUnsure) this.#set({ isUnsure });
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

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

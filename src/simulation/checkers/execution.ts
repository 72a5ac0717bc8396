/**
 * What was executed: equal states at equal heights, no transaction twice, and none that its author was told is expired.
 * Mutable memory. Rules SM-4, EX-2, MP-7.
 */
import type { Digest } from '../../protocol/chain/types.ts';
import { type BlockResults, DUPLICATE_CODE, NODE_CODESPACE } from '../../protocol/ports/execution.ts';
import type { CommittedBlock } from '../../protocol/ports/storage.ts';
import type { Report } from './claim.ts';

export const EQUAL_STATES = 'executed state is equal at equal height';
export const STATED_STATE = 'a committed block states the state that was executed';
export const ONCE = 'no transaction executes twice';
export const DUPLICATE = 'a transaction is a duplicate only of one that was executed';
export const EXPIRED_NEVER = 'expired means never';
export const NOTHING_LOST = 'no admitted transaction is lost';
export const IN_ORDER = 'a block is told as executed once, in order of height';

interface Outcome {
  readonly appHash: Digest;
  readonly by: string;
}

/** An admitted transaction without an end, and who admitted it. */
export interface Unsettled {
  readonly hash: Digest;
  readonly by: string;
}

export class Execution {
  readonly #report: Report;
  readonly #appHashes = new Map<number, Outcome>();
  readonly #executed = new Map<Digest, number>();
  readonly #duplicates = new Map<Digest, string>();
  readonly #expired = new Map<Digest, string>();
  /** How often, and the last that admitted it. */
  readonly #admitted = new Map<Digest, { readonly times: number; readonly by: string }>();
  /** Newest height that each honest instance told of; a restart may begin anywhere above. */
  readonly #newest = new Map<string, number>();

  constructor(report: Report) {
    this.#report = report;
  }

  /** @param isFaulty several instances may go by one name */
  executed(by: string, { executed, transactions }: BlockResults, isFaulty: boolean): void {
    const { height, appHash } = executed;
    this.#state(EQUAL_STATES, height, appHash, by);
    const last = this.#newest.get(by);
    if (!isFaulty && last !== undefined && height <= last) {
      this.#report(IN_ORDER, `${by} told height ${height} after ${last}`);
    }
    this.#newest.set(by, height);
    const here = new Set<Digest>();
    for (const { hash, result } of transactions) {
      this.#admitted.delete(hash);
      if (result.codespace === NODE_CODESPACE) {
        if (result.code !== DUPLICATE_CODE) continue;
        this.#duplicates.set(hash, `${hash} at ${height} (${by})`);
        continue;
      }
      const at = this.#executed.get(hash);
      if (here.has(hash) || (at !== undefined && at !== height)) {
        this.#report(ONCE, `${hash} at ${at ?? height} and ${height} (${by})`);
      }
      here.add(hash);
      this.#executed.set(hash, height);
      const told = this.#expired.get(hash);
      if (told !== undefined) this.#report(EXPIRED_NEVER, `${hash} executed at ${height}; ${told}`);
    }
  }

  /** Its header says what was executed below. */
  committed(by: string, { block }: CommittedBlock): void {
    const { height, executed } = block.header;
    if (executed.height > 0) {
      this.#state(STATED_STATE, executed.height, executed.appHash, `${by} (header of height ${height})`);
    }
  }

  /** When all that was executed has been told. */
  finish(): void {
    for (const [hash, detail] of this.#duplicates)
      if (!this.#executed.has(hash)) this.#report(DUPLICATE, detail);
  }

  /** A submitter was told that this will be committed or expire. */
  admitted(by: string, hash: Digest): void {
    if (this.#executed.has(hash)) return;
    this.#admitted.set(hash, { times: (this.#admitted.get(hash)?.times ?? 0) + 1, by });
  }

  /** What was admitted, and neither told as executed by anybody nor as expired yet. */
  unsettled(): readonly Unsettled[] {
    return [...this.#admitted].map(([hash, { by }]) => ({ hash, by }));
  }

  /** A submitter was told that these will never be committed. */
  expired(by: string, hashes: readonly Digest[], height: number): void {
    for (const hash of hashes) {
      const times = this.#admitted.get(hash)?.times ?? 0;
      this.#admitted.delete(hash);
      // Somebody else was given it too, or it was given again.
      if (times > 1) continue;
      const at = this.#executed.get(hash);
      const told = `told as expired by ${by} at height ${height}`;
      if (at !== undefined) this.#report(EXPIRED_NEVER, `${hash} executed at ${at}; ${told}`);
      this.#expired.set(hash, told);
    }
  }

  /** A process that begins goes on from what is durable: it may have executed more than it told. */
  started(by: string): void {
    this.#newest.delete(by);
  }

  #state(claim: string, height: number, appHash: Digest, by: string): void {
    const before = this.#appHashes.get(height);
    if (before === undefined) this.#appHashes.set(height, { appHash, by });
    else if (before.appHash !== appHash) {
      this.#report(claim, `height ${height}: ${before.by} ${before.appHash}, ${by} ${appHash}`);
    }
  }
}

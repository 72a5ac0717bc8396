/**
 * What must never happen, checked on every message and every commit of a simulated run. Pure but for its memory.
 * Rule SM-4: agreement, no two statements of one kind in a round, consecutive rounds, one execution, equal states.
 */
import type { Address, BlockId, Digest, Height, Vote } from '../protocol/chain/types.ts';
import type { PeerMessage, ViewChangeMessage } from '../protocol/consensus/types.ts';
import type { BlockExecuted } from '../protocol/ports/execution.ts';
import type { CommittedBlock } from '../protocol/ports/storage.ts';

/** A claim that a run broke, with what is needed to see it. */
export interface Violation {
  readonly claim: string;
  readonly detail: string;
}

interface Committed {
  readonly id: BlockId;
  readonly by: Address;
}

export class SafetyChecker {
  readonly violations: Violation[] = [];
  readonly #committed = new Map<Height, Committed>();
  readonly #appHashes = new Map<Height, { readonly appHash: Digest; readonly by: Address }>();
  readonly #votes = new Map<string, Vote>();
  readonly #timeouts = new Map<string, ViewChangeMessage>();
  readonly #executedTransactions = new Map<Digest, Height>();
  /** Validators that may lie. */
  readonly #byzantine: ReadonlySet<Address>;

  constructor(byzantine: ReadonlySet<Address> = new Set()) {
    this.#byzantine = byzantine;
  }

  get committedHeight(): number {
    return this.#committed.size === 0 ? 0 : Math.max(...this.#committed.keys());
  }

  /** A message that left `from`. */
  sent(from: Address, message: PeerMessage): void {
    if (this.#byzantine.has(from)) return;
    if (message.kind === 'Vote' && message.vote.validator === from) this.#vote(message.vote);
    if (message.kind === 'Proposal' && message.vote.validator === from) this.#vote(message.vote);
    if (message.kind === 'ViewChange' && message.validator === from) this.#timeout(message);
  }

  /** Blocks that became durable as committed at `by`. */
  committed(by: Address, blocks: readonly CommittedBlock[]): void {
    for (const { id, block, commitProof } of blocks) {
      const { height } = block.header;
      const before = this.#committed.get(height);
      if (before === undefined) this.#committed.set(height, { id, by });
      else if (before.id !== id) {
        this.#report(
          'no two commits differ at a height',
          `height ${height}: ${before.by} ${before.id}, ${by} ${id}`,
        );
      }
      if (commitProof.round !== commitProof.parentRound + 1) {
        const { round, parentRound } = commitProof;
        this.#report(
          'each commit has consecutive rounds',
          `height ${height} at ${by}: ${parentRound} → ${round}`,
        );
      }
    }
  }

  executed(by: Address, { executed, transactions }: BlockExecuted): void {
    const { height, appHash } = executed;
    const before = this.#appHashes.get(height);
    if (before === undefined) this.#appHashes.set(height, { appHash, by });
    else if (before.appHash !== appHash) {
      this.#report(
        'executed state is equal at equal height',
        `height ${height}: ${before.by} ${before.appHash}, ${by} ${appHash}`,
      );
    }
    for (const { hash, result } of transactions) {
      if (result.codespace === 'althing') continue;
      const at = this.#executedTransactions.get(hash);
      if (at !== undefined && at !== height) {
        this.#report('no transaction executes twice', `${hash} at ${at} and ${height} (${by})`);
      }
      this.#executedTransactions.set(hash, height);
    }
  }

  /** A node itself saw two commits at a height. */
  alarmed(by: Address, detail: string): void {
    this.#report('no node sees safety broken', `${by}: ${detail}`);
  }

  #vote(vote: Vote): void {
    const key = `${vote.validator}/${vote.epoch}/${vote.round}`;
    const before = this.#votes.get(key);
    if (before !== undefined && before.blockId !== vote.blockId) {
      this.#report('no two votes in a round', `${key}: ${before.blockId} and ${vote.blockId}`);
    }
    this.#votes.set(key, vote);
    const gaveUp = this.#timeouts.get(key);
    if (before === undefined && gaveUp !== undefined) {
      this.#report('no vote in a round after its timeout', key);
    }
  }

  #timeout(message: ViewChangeMessage): void {
    const key = `${message.validator}/${message.epoch}/${message.round}`;
    const before = this.#timeouts.get(key);
    if (before !== undefined && before.highQC.round !== message.highQC.round) {
      this.#report(
        'no two timeouts in a round',
        `${key}: high QC ${before.highQC.round} and ${message.highQC.round}`,
      );
    }
    this.#timeouts.set(key, message);
  }

  #report(claim: string, detail: string): void {
    this.violations.push({ claim, detail });
  }
}

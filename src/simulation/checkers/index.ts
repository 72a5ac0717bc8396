/**
 * What must never happen in a simulated run, checked at every message, commit and execution, and once at its end. Each
 * claim is a module beside this one. Mutable memory; deterministic. Rules SM-4, SM-5; docs/simulation/checkers.md.
 */
import type { Address, Digest, QuorumCertificate, TimeoutCertificate } from '../../protocol/chain/types.ts';
import type { PeerMessage } from '../../protocol/consensus/types.ts';
import type { BlockResults } from '../../protocol/ports/execution.ts';
import type { Admission } from '../../protocol/ports/mempool.ts';
import type { CommittedBlock } from '../../protocol/ports/storage.ts';
import { Agreement, ONE_CHAIN } from './agreement.ts';
import type { Report, Violation } from './claim.ts';
import { Execution, type Unsettled } from './execution.ts';
import { Livelock } from './livelock.ts';
import { CONSECUTIVE, epochIn, type ProofSetting, Proofs } from './proofs.ts';
import { Statements } from './statements.ts';

export type { Violation } from './claim.ts';
export { NOTHING_LOST } from './execution.ts';
export { NodeChecker } from './nodes.ts';

/** Told at most so often for each claim: a broken run breaks one claim thousands of times. */
const DETAILS_PER_CLAIM_MAX = 8;

/** What is judged by messages, commits and executions alone, of whatever runs them. */
export class SafetyChecker {
  readonly violations: Violation[] = [];
  readonly #counts = new Map<string, number>();
  readonly #faulty: ReadonlySet<Address>;
  readonly #setting: ProofSetting | undefined;
  readonly #agreement: Agreement;
  readonly #proofs: Proofs | undefined;
  readonly #statements: Statements;
  readonly #execution: Execution;
  readonly #livelock: Livelock;
  #newest: PeerMessage | undefined;

  /**
   * @param faulty validators that lie or run twice: what they say proves nothing
   * @param setting with it, every certificate that an honest validator commits on or passes on is judged too
   */
  constructor(faulty: ReadonlySet<Address> = new Set(), setting?: ProofSetting) {
    this.#faulty = faulty;
    this.#setting = setting;
    this.#agreement = new Agreement(this.report);
    this.#proofs = setting === undefined ? undefined : new Proofs(setting, this.report);
    this.#statements = new Statements(this.report, faulty);
    this.#execution = new Execution(this.report);
    this.#livelock = new Livelock(this.report);
  }

  get committedHeight(): number {
    return this.#agreement.committedHeight;
  }

  /** Two honest nodes have committed different blocks. */
  get isForked(): boolean {
    return this.#counts.has(ONE_CHAIN);
  }

  readonly report: Report = (claim, detail) => {
    const count = (this.#counts.get(claim) ?? 0) + 1;
    this.#counts.set(claim, count);
    if (count <= DETAILS_PER_CLAIM_MAX) this.violations.push({ claim, detail });
  };

  /** A message that left `from` for `to`, as its own code made it; once for each receiver. */
  sent(from: Address, message: PeerMessage, to: Address): void {
    if (this.#faulty.has(from)) return;
    this.#signed(from, message, to);
    if (message === this.#newest) return;
    this.#newest = message;
    switch (message.kind) {
      case 'Proposal':
        if (message.vote.validator === from) this.#statements.proposal(message.vote);
        this.#certificates(from, { qc: message.block.qc, tc: message.tc });
        return;
      case 'QC':
        this.#certificates(from, { qc: message.qc });
        return;
      case 'NewView':
        this.#certificates(from, { tc: message.tc });
        return;
      case 'ViewChange':
        this.#certificates(from, { qc: message.highQC, tc: message.lastTC });
        return;
      case 'Blocks':
        // SY-8: those within were not verified by whoever fetched them; the newest vouches for all.
        for (const { qc } of message.blocks.slice(-1)) this.#certificates(from, { qc });
    }
  }

  /** Blocks that are durable as committed at `by`, and executed. */
  committed(by: Address, blocks: readonly CommittedBlock[]): void {
    for (const committed of blocks) {
      const { block, commitProof } = committed;
      this.#agreement.committed(by, committed);
      this.#execution.committed(by, committed);
      this.#livelock.committed(block.header);
      if (this.#proofs !== undefined) this.#proofs.commit(by, block.header.height, commitProof);
      else if (commitProof.round !== commitProof.parentRound + 1) {
        const { round, parentRound } = commitProof;
        this.report(CONSECUTIVE, `height ${block.header.height} at ${by}: ${parentRound} → ${round}`);
      }
    }
  }

  executed(by: Address, block: BlockResults): void {
    this.#agreement.executed(by, block.executed.height, block.blockId);
    this.#execution.executed(by, block, this.#faulty.has(by));
  }

  admitted(by: Address, admissions: readonly Admission[]): void {
    if (this.#faulty.has(by)) return;
    for (const { status, hash } of admissions) if (status === 'admitted') this.#execution.admitted(by, hash);
  }

  /** Admitted transactions without an end yet: in a network that commits there must be none for long. */
  unsettled(): readonly Unsettled[] {
    return this.#execution.unsettled();
  }

  /** Transactions that were told as expired. */
  expired(by: Address, hashes: readonly Digest[], height: number): void {
    if (!this.#faulty.has(by)) this.#execution.expired(by, hashes, height);
  }

  /** When nothing more will happen. */
  finish(): void {
    this.#execution.finish();
  }

  /** A process of `by` began. */
  started(by: Address): void {
    this.#execution.started(by);
  }

  roundFailed(by: Address, round: number, epoch = 0): void {
    this.#livelock.roundFailed(by, { epoch, round });
  }

  /** A node itself saw two commits at a height. */
  alarmed(by: Address, detail: string): void {
    this.report('no node sees safety broken', `${by}: ${detail}`);
  }

  #signed(from: Address, message: PeerMessage, to: Address): void {
    if (message.kind === 'ViewChange') {
      if (message.validator === from) this.#statements.timeout(message, to);
    } else if (message.kind === 'Vote' || message.kind === 'Proposal') {
      if (message.vote.validator === from) this.#statements.vote(message.vote, to);
    }
  }

  #certificates(
    from: Address,
    { qc, tc }: { readonly qc?: QuorumCertificate; readonly tc?: TimeoutCertificate | undefined },
  ): void {
    const setting = this.#setting;
    if (setting === undefined) return;
    if (qc !== undefined) {
      this.#proofs?.qc(from, qc);
      const epoch = epochIn(setting, qc.epoch);
      if (epoch !== undefined) this.#statements.qc(epoch, qc);
    }
    const epoch = tc === undefined ? undefined : epochIn(setting, tc.epoch);
    if (tc !== undefined && epoch !== undefined) {
      this.#proofs?.tc(from, tc);
      this.#statements.qc(epoch, tc.highQC);
      this.#statements.tc(epoch, tc);
    }
  }
}

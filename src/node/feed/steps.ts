/**
 * What a node did that people reason about, read off the steps of its cells: rounds, votes and why not, certificates, commits,
 * executions, epochs, sync. Keeps what it compares with, and nothing else. Deterministic. Rules IN-1, CS-2 to CS-7, SY-4, docs/inspector.md.
 */
import { ADDRESSES } from '../../actors/addresses.ts';
import type { CellAddress, System, Transition } from '../../actors/runtime/index.ts';
import type { RefusalRow, StepEvent } from '../../observe/feed/feed.ts';
import type { Seen } from '../../observe/feed/lens.ts';
import type { SafetyRecord } from '../../protocol/consensus/types.ts';
import type { RoundEntered } from '../../protocol/ports/consensus.ts';
import type { CommittedBlock } from '../../protocol/ports/storage.ts';
import { epochOf, networkSyncOf, safetyOf } from '../views.ts';
import type { RoundTimes } from './round-times.ts';
import { epochIn, recordIn, refusalInRound, syncStateIn } from './snapshots.ts';
import { type Told, tellsOf, toldOf } from './told.ts';

const ROUNDS = `${ADDRESSES.roundManager}/round/`;
const CELLS: ReadonlySet<CellAddress> = new Set([
  ADDRESSES.safety,
  ADDRESSES.viewChange,
  ADDRESSES.roundManager,
  ADDRESSES.networkSync,
]);

/** Inside the turn: whether it may be a step of consensus or of sync. */
export const mayStep = (address: CellAddress): boolean => CELLS.has(address) || address.startsWith(ROUNDS);

/** Rounds whose refusal was told. @unit rounds @source more than round-manager keeps */
const REFUSALS_MAX = 32;

const isSyncing = (state: string): boolean => state === 'catchingUp' || state === 'resyncing';

type Step = Omit<StepEvent, 'node' | 'at' | 'turn' | 'cell'>;

export class StepReader {
  #record: SafetyRecord | undefined;
  #epoch: number | undefined;
  #sync: string;
  #timedOut = '';
  #voted = '';
  readonly #refusals = new Map<CellAddress, RefusalRow>();

  /** Told of each commit. */
  readonly #committed: (blocks: readonly CommittedBlock[]) => void;
  /** Told of each step. */
  readonly #rounds: RoundTimes;

  constructor(system: System, committed: (blocks: readonly CommittedBlock[]) => void, rounds: RoundTimes) {
    this.#committed = committed;
    this.#rounds = rounds;
    this.#record = safetyOf(system)?.record;
    this.#epoch = epochOf(system)?.epoch;
    this.#sync = networkSyncOf(system)?.state ?? '';
  }

  read(transition: Transition, seen: Seen): void {
    const { address: cell, wall: at, turn } = transition;
    const step = (made: Step): void => {
      this.#rounds.take(made, at);
      seen.step({ at, turn, cell, ...made });
    };
    switch (cell) {
      case ADDRESSES.safety:
        this.#readSafety(transition, step);
        return;
      case ADDRESSES.viewChange:
        readViewChange(transition, step);
        return;
      case ADDRESSES.roundManager:
        this.#readRoundManager(transition, step);
        return;
      case ADDRESSES.networkSync:
        this.#readSync(transition, step);
        return;
      default:
        if (cell.startsWith(ROUNDS)) this.#readRound(transition, step);
    }
  }

  #readSafety({ event, effects, snapshot }: Transition, step: (made: Step) => void): void {
    const asked = toldOf(event);
    if (asked?.type === 'safety.violated') step({ kind: 'violated', detail: asked.detail });
    for (const { told } of tellsOf(effects)) this.#readAnswer(told, step);
    const record = recordIn(snapshot);
    if (record === undefined) return;
    const before = this.#record;
    this.#record = record;
    if (before === undefined || before.epoch !== record.epoch || record.lockedRound <= before.lockedRound)
      return;
    const { epoch, lockedRound: round, lastVote } = record;
    const isParent = lastVote?.parentRound === round;
    step({ kind: 'locked', epoch, round, ...(isParent ? { block: lastVote.parentId } : {}) });
  }

  /** Sent again, as it is to a peer that comes, it is no step. */
  #readAnswer(told: Told, step: (made: Step) => void): void {
    switch (told.type) {
      case 'vote.cast': {
        const { epoch, round, height, blockId: block } = told.vote;
        const label = `${epoch}/${round}`;
        if (label !== this.#voted) step({ kind: 'voted', epoch, round, height, block });
        this.#voted = label;
        return;
      }
      case 'proposal.sent': {
        const { epoch, round, height, blockId: block } = told.proposal.vote;
        const label = `${epoch}/${round}`;
        if (label === this.#voted) return;
        step({ kind: 'proposed', epoch, round, height, block });
        step({ kind: 'voted', epoch, round, height, block });
        this.#voted = label;
        return;
      }
      case 'timeout.sent': {
        const { epoch, round, reason: detail } = told.message;
        const label = `${epoch}/${round}`;
        if (label !== this.#timedOut) step({ kind: 'timedOut', epoch, round, detail });
        this.#timedOut = label;
        return;
      }
      default:
    }
  }

  #readRoundManager({ event, effects, snapshot }: Transition, step: (made: Step) => void): void {
    const heard = toldOf(event);
    if (heard?.type === 'block.executed') {
      const { executed, round, blockId: block, transactions } = heard;
      const count = transactions.length;
      const detail = count === 1 ? '1 transaction' : `${count} transactions`;
      step({ kind: 'executed', round, height: executed.height, block, detail });
    }
    for (const { to, told } of tellsOf(effects)) {
      if (told.type === 'qc.formed') {
        const { epoch, round, height, blockId: block } = told.qc;
        step({ kind: 'qcFormed', epoch, round, height, block });
      }
      if (told.type !== 'blocks.committed' || to !== ADDRESSES.executor) continue;
      this.#committed(told.blocks);
      for (const {
        id: block,
        block: { header },
      } of told.blocks) {
        const { epoch, round, height } = header;
        step({ kind: 'committed', epoch, round, height, block });
      }
    }
    const epoch = epochIn(snapshot);
    if (epoch !== undefined && this.#epoch !== undefined && epoch > this.#epoch)
      step({ kind: 'epochBegan', epoch });
    this.#epoch = epoch ?? this.#epoch;
  }

  /** Whoever refused, the round keeps why: safety by its record, the round by the proposal itself (CS-3). */
  #readRound({ address, snapshot }: Transition, step: (made: Step) => void): void {
    const found = refusalInRound(snapshot);
    if (found === undefined) return;
    const { refusal, ...label } = found;
    if (this.#refusals.get(address) === refusal) return;
    this.#refusals.delete(address);
    this.#refusals.set(address, refusal);
    const [oldest] = this.#refusals.keys();
    if (this.#refusals.size > REFUSALS_MAX && oldest !== undefined) this.#refusals.delete(oldest);
    step({ kind: 'refusedToVote', ...label, refused: { code: refusal.code, detail: refusal.detail } });
  }

  #readSync({ snapshot }: Transition, step: (made: Step) => void): void {
    const state = syncStateIn(snapshot);
    if (state === undefined || state === this.#sync) return;
    const [before, after] = [isSyncing(this.#sync), isSyncing(state)];
    if (before && !after) step({ kind: 'syncEnded', detail: state });
    if (!before && after) step({ kind: 'syncBegan', detail: state });
    this.#sync = state;
  }
}

function readViewChange({ event, effects }: Transition, step: (made: Step) => void): void {
  const heard = toldOf(event);
  const timeout =
    heard?.type === 'message.received' && heard.message.kind === 'ViewChange'
      ? heard.message.round
      : undefined;
  for (const { told } of tellsOf(effects)) {
    if (told.type !== 'round.entered') continue;
    const { epoch, round, entry } = told;
    // A certificate that came ready-made is of an earlier round than the timeout that brought it.
    if (entry.by === 'tc' && entry.tc.round === timeout)
      step({ kind: 'tcFormed', epoch, round: entry.tc.round });
    step({
      ...{ kind: 'roundEntered', epoch, round, detail: enteredWords(told) },
      ...{ leader: String(told.leader), by: entry.by },
    });
  }
}

const enteredWords = ({ entry, leader }: RoundEntered): string =>
  entry.by === 'qc'
    ? `by the QC of round ${entry.qc.round}, leader ${leader}`
    : `by the TC of round ${entry.tc.round}, leader ${leader}`;

/**
 * Parts of the evidence-pool chart: owner of the evidence that no committed block carries yet. It verifies what was found here
 * or came from peers, spreads it, gives it to leaders and judges what they propose. Pure. Rules CS-14, BR-7,
 * docs/protocol/consensus.md; the decisions are in protocol/consensus/evidence-pool.ts.
 */
import { setup } from 'xstate';
import { type Millis, millis } from '../../base/units.ts';
import {
  type Deduplicator,
  type DeduplicatorLimits,
  EMPTY_DEDUPLICATOR,
  see,
} from '../../protocol/bridge/deduplicator.ts';
import { evidenceIdOf } from '../../protocol/chain/canonical.ts';
import { GENESIS_HEIGHT } from '../../protocol/chain/ordinals.ts';
import type { Address, Evidence } from '../../protocol/chain/types.ts';
import { isValidator } from '../../protocol/chain/validator-set.ts';
import {
  admitEvidence,
  type EvidencePool,
  type EvidenceRules,
  isWaited,
  judgeEvidence,
  type Moment,
  recoveredPool,
  selectEvidence,
  strideOf,
  takeCommitted,
  withoutOld,
} from '../../protocol/consensus/evidence-pool.ts';
import type { EvidenceMessage } from '../../protocol/consensus/types.ts';
import type {
  EpochBegan,
  EvidenceAnswer,
  EvidenceFound,
  EvidenceQuestion,
  EvidenceWaits,
} from '../../protocol/ports/consensus.ts';
import type { ExecutionRequest } from '../../protocol/ports/execution.ts';
import type { ConnectivityEvent, PeerMessageReceived } from '../../protocol/ports/network.ts';
import type { StorageReply, StorageRequest } from '../../protocol/ports/storage.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';
import { type Decision, declare, on, postpone, step, types } from '../vocabulary/index.ts';

export interface EvidencePoolInput {
  readonly rules: EvidenceRules;
  readonly self: Address;
  readonly deduplication: DeduplicatorLimits;
  readonly storage: CellAddress;
  readonly router: CellAddress;
  readonly roundManager: CellAddress;
}

/** What was not taken, and why. */
interface Dropped {
  /** Seen of late, or of an offence that is known, too old, or of another epoch. */
  readonly useless: number;
  /** It proved nothing; its sender was told on. */
  readonly refused: number;
}

export interface EvidencePoolContext extends EvidencePoolInput {
  readonly pool: EvidencePool;
  readonly seen: Deduplicator;
  readonly dropped: Dropped;
  /** What round-manager was told last. */
  readonly waits: boolean;
  readonly tag: number;
}

type EvidencePoolEvent =
  | EvidenceFound
  | EpochBegan
  | EvidenceQuestion
  | PeerMessageReceived<EvidenceMessage>
  | ConnectivityEvent
  | Extract<ExecutionRequest, { type: 'blocks.committed' }>
  | Extract<StorageReply, { type: 'chainEvidence.found' | 'storage.failed' }>;

/** Event types that other cells may send (RT-16). */
export const EVIDENCE_POOL_EVENTS = declare<EvidencePoolEvent>()(
  'evidence.found',
  'epoch.began',
  'evidence.requested',
  'evidence.judgeRequested',
  'message.received',
  'peer.connected',
  'peer.disconnected',
  'blocks.committed',
  'chainEvidence.found',
  'storage.failed',
);

/** Pause before storage is asked again. @unit ms @source chosen */
const STORAGE_RETRY_MS: Millis = millis(500);
/** Told to one peer that comes; the rest it hears from blocks. @unit evidence @source what the gossip lane holds, half of it */
const TOLD_MAX = 32;

export const newEvidencePool = (input: EvidencePoolInput): EvidencePoolContext => ({
  ...input,
  pool: recoveredPool({ base: GENESIS_HEIGHT, blocks: [], moments: [] }),
  seen: EMPTY_DEDUPLICATOR,
  dropped: { useless: 0, refused: 0 },
  waits: false,
  tag: 0,
});

const send = (
  { router }: EvidencePoolContext,
  to: 'all' | readonly Address[],
  evidence: readonly Evidence[],
): Effect[] =>
  evidence.length === 0
    ? []
    : [
        telling(router, {
          type: 'network.sendRequested',
          outgoing: evidence.map((one) => ({ to, message: { kind: 'Evidence', evidence: one } })),
        }),
      ];

/** CS-10: evidence that a block may carry is work; what cannot be proposed from here is none. */
function weighed(
  context: EvidencePoolContext,
  effects: readonly Effect[] = [],
): Decision<EvidencePoolContext> {
  const { pool, rules, roundManager } = context;
  const at: Moment | undefined = pool.tip;
  const waits = pool.pending.size > 0 && (at === undefined || isWaited(pool, rules, at));
  if (waits === context.waits) return { context, effects };
  const message: EvidenceWaits = { type: 'evidence.waits', waits };
  return { context: { ...context, waits }, effects: [...effects, telling(roundManager, message)] };
}

const counted = (context: EvidencePoolContext, why: keyof Dropped): Decision<EvidencePoolContext> => ({
  context: { dropped: { ...context.dropped, [why]: context.dropped[why] + 1 } },
});

/** New evidence, of whomever: it is passed on once. */
function take(
  context: EvidencePoolContext,
  evidence: Evidence,
  from: Address,
): Decision<EvidencePoolContext> {
  const admission = admitEvidence(context.pool, context.rules, evidence);
  if (admission.status === 'useless') return counted(context, 'useless');
  if (admission.status === 'admitted') {
    return weighed({ ...context, pool: admission.pool }, send(context, 'all', [evidence]));
  }
  const { code } = admission.refusal;
  const blame = telling(context.router, { type: 'peer.misbehaved', peer: from, code });
  return { ...counted(context, 'refused'), effects: from === context.self ? [] : [blame] };
}

export const evidencePoolSetup = setup({
  types: types<EvidencePoolContext, EvidencePoolEvent, EvidencePoolInput>(),
  guards: {
    isForThisRequest: ({ context, event }) => 'tag' in event && event.tag === context.tag,
  },
  delays: { storageRetry: STORAGE_RETRY_MS },
  actions: {
    postponeMessage: postpone(),
    requestRecovery: step(({ context, address }) => {
      const tag = context.tag + 1;
      const { ageHeights: heights } = context.rules;
      const stride = strideOf(heights);
      const request: StorageRequest = {
        type: 'chainEvidence.requested',
        replyTo: address,
        tag,
        heights,
        stride,
      };
      return { context: { tag }, effects: [telling(context.storage, request)] };
    }),
    /** What an earlier life of this cell told of waiting evidence is no more. */
    recordRecovery: step(
      on('chainEvidence.found', ({ context, event }) => {
        const message: EvidenceWaits = { type: 'evidence.waits', waits: false };
        return {
          context: { pool: recoveredPool(event), waits: false },
          effects: [telling(context.roundManager, message)],
        };
      }),
    ),
    takeFound: step(
      on('evidence.found', ({ context, event }) => take(context, event.evidence, context.self)),
    ),
    /** BR-7. A node without a voice has no use for it: blocks tell it (CS-19). */
    takeTold: step(
      on('message.received', ({ context, event: { from, message }, now }) => {
        const { epoch } = context.rules;
        if (!isValidator(epoch.set, context.self)) return counted(context, 'useless');
        const { deduplicator, isDuplicate } = see(
          context.seen,
          evidenceIdOf(message.evidence),
          now,
          context.deduplication,
        );
        if (isDuplicate) return counted(context, 'useless');
        const taken = take({ ...context, seen: deduplicator }, message.evidence, from);
        return { ...taken, context: { seen: deduplicator, ...taken.context } };
      }),
    ),
    /** It may have been away, or begun anew: what is pending is kept by those who are there. */
    tellPeer: step(
      on('peer.connected', ({ context, event: { peer } }) => ({
        effects: send(context, [peer], [...context.pool.pending.values()].slice(0, TOLD_MAX)),
      })),
    ),
    /** CS-16: what no block of its own epoch has carried is judged by nobody any more. */
    recordEpoch: step(
      on('epoch.began', ({ context, event: { epoch } }) => {
        if (epoch.epoch <= context.rules.epoch.epoch) return {};
        const rules: EvidenceRules = { ...context.rules, epoch };
        return weighed({ ...context, rules, pool: withoutOld(context.pool, rules) });
      }),
    ),
    recordCommits: step(
      on('blocks.committed', ({ context, event: { blocks } }) => {
        const pool = takeCommitted(context.pool, context.rules, blocks);
        return weighed({ ...context, pool: withoutOld(pool, context.rules) });
      }),
    ),
    selectForBlock: step(
      on('evidence.requested', ({ context, event: { replyTo, tag, at, named } }) => {
        const evidence = selectEvidence(context.pool, context.rules, at, named);
        const answer: EvidenceAnswer = { type: 'evidence.selected', tag, evidence };
        return { effects: [telling(replyTo, answer)] };
      }),
    ),
    judgeBlock: step(
      on('evidence.judgeRequested', ({ context, event: { replyTo, tag, ...carried } }) => {
        const verdict = judgeEvidence(context.pool, context.rules, carried);
        const answer: EvidenceAnswer = { type: 'evidence.judged', tag, verdict };
        return { effects: [telling(replyTo, answer)] };
      }),
    ),
  },
});

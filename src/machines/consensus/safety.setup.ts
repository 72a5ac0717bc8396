/**
 * Parts of the safety chart: the only cell that signs, and the owner of the safety record. Pure.
 * One signature is in flight at a time; what it says leaves with the record that it depends on, in one request
 * to storage. Rules CS-3, CS-6, CS-9, docs/protocol/consensus.md; the rulings are in protocol/consensus/safety.ts.
 */
import { setup } from 'xstate';
import { millis } from '../../base/units.ts';
import type { Address, Epoch, Round } from '../../protocol/chain/types.ts';
import { isValidator } from '../../protocol/chain/validator-set.ts';
import { type EpochContext, epochNow } from '../../protocol/consensus/epoch.ts';
import { describeRefusal, type SafetyRefusal } from '../../protocol/consensus/refusals.ts';
import {
  castVote,
  type NodeSigner,
  type ProofAnswer,
  proveRound,
  signerIn,
  signProposal,
  signTimeout,
} from '../../protocol/consensus/safety.ts';
import type { Outgoing, SafetyRecord } from '../../protocol/consensus/types.ts';
import type {
  EpochBegan,
  ProofRequested,
  ProposalRequested,
  RoundEntry,
  SafetyAnswer,
  SafetyViolated,
  TimeoutRequested,
  VoteRequested,
} from '../../protocol/ports/consensus.ts';
import type { StorageReply, StorageRequest } from '../../protocol/ports/storage.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';
import { declare, on, step, types } from '../vocabulary/index.ts';

export interface SafetyInput {
  /** The first; the present one comes with the record. Who is not among its validators signs nothing (CS-19). */
  readonly epoch: EpochContext;
  readonly signer: NodeSigner;
  readonly storage: CellAddress;
  readonly router: CellAddress;
  /** A fork was proved in an earlier life: nothing is signed (SY-5). */
  readonly isForked?: boolean;
}

/** A signature that waits for its record to be durable, and what its asker is told then. */
interface Pending {
  readonly record: SafetyRecord;
  readonly replyTo: CellAddress;
  readonly answer: SafetyAnswer;
  readonly refusal: SafetyAnswer;
}

export interface SafetyContext extends SafetyInput {
  /** The durable record; undefined until recovered. */
  readonly record?: SafetyRecord;
  readonly version: number;
  readonly tag: number;
  readonly pending: Pending | undefined;
  /** The newest that was made: asked for ahead, it is there when its round opens. */
  readonly proved?: { readonly epoch: Epoch; readonly round: Round; readonly proof: Uint8Array };
}

type SafetyPublicEvent =
  | VoteRequested
  | ProposalRequested
  | TimeoutRequested
  | EpochBegan
  | ProofRequested
  | SafetyViolated
  | Extract<StorageReply, { type: 'recovery.found' | 'record.persisted' | 'storage.failed' }>;

/** Event types that other cells may send (RT-16). */
export const SAFETY_EVENTS = declare<SafetyPublicEvent>()(
  'vote.requested',
  'proposal.requested',
  'timeout.requested',
  'epoch.began',
  'proof.requested',
  'safety.violated',
  'recovery.found',
  'record.persisted',
  'storage.failed',
);

/** Pause before the durable record is read again after a failed write. @unit ms @source chosen */
const RECOVERY_RETRY_MS = millis(500);

interface Stepped {
  readonly context: SafetyContext;
  readonly effects: readonly Effect[];
}

const tcOf = (entry: RoundEntry) => (entry.by === 'tc' ? { tc: entry.tc } : {});

const toStorage = (context: SafetyContext, request: StorageRequest): Effect =>
  telling(context.storage, request);

const toNetwork = (context: SafetyContext, outgoing: readonly Outgoing[]): Effect =>
  telling(context.router, { type: 'network.sendRequested', outgoing });

const refused = (refusal: SafetyRefusal) => ({ code: refusal.code, detail: describeRefusal(refusal) });

const STORAGE_FAILED = { code: 'STORAGE_FAILED', detail: 'the safety record could not be made durable' };

const HALTED = {
  code: 'SAFETY_HALTED',
  detail: 'this validator signs nothing more until it is started again',
};

const NOT_A_VALIDATOR = {
  code: 'NOT_A_VALIDATOR',
  detail: 'this node is not in the validator set: it follows the chain, and signs nothing',
};

/** "Why did it not vote" always has an answer (CS-3). */
function unsignedAnswer(request: SafetyPublicEvent, why: typeof HALTED): Effect[] {
  switch (request.type) {
    case 'vote.requested':
      return [telling(request.replyTo, { type: 'vote.refused', round: request.block.header.round, ...why })];
    case 'proposal.requested':
      return [
        telling(request.replyTo, { type: 'proposal.refused', round: request.block.header.round, ...why }),
      ];
    case 'timeout.requested':
      return [telling(request.replyTo, { type: 'timeout.refused', round: request.round, ...why })];
    case 'proof.requested':
      return request.replyTo === undefined
        ? []
        : [telling(request.replyTo, { type: 'proof.refused', round: request.round, ...why })];
    default:
      return [];
  }
}

/** Record and messages in one request: storage sends only what it has made durable. */
function persistThenSend(
  context: SafetyContext,
  self: CellAddress,
  pending: Pending,
  thenSend: readonly Outgoing[],
  block?: VoteRequested['block'],
): Stepped {
  const tag = context.tag + 1;
  return {
    context: { ...context, tag, pending },
    effects: [
      toStorage(context, {
        type: 'record.persistRequested',
        replyTo: self,
        tag,
        record: pending.record,
        expectedVersion: context.version,
        ...(block === undefined ? {} : { block }),
        thenSend,
      }),
    ],
  };
}

const recorded = (context: SafetyContext): SafetyRecord => {
  if (context.record === undefined) throw new Error('safety ruled before its record was recovered');
  return context.record;
};

const voiceOf = ({ epoch, signer }: SafetyContext) => signerIn(epoch.set, signer);

function ruleOnVote(context: SafetyContext, request: VoteRequested, self: CellAddress): Stepped {
  const { block, entry, replyTo, sendTo } = request;
  const { round } = block.header;
  const answer = castVote(context.epoch.domain, voiceOf(context), recorded(context), {
    block,
    ...tcOf(entry),
  });
  const tell = (reply: SafetyAnswer): Effect => telling(replyTo, reply);
  if (answer.status === 'refused') {
    return { context, effects: [tell({ type: 'vote.refused', round, ...refused(answer.refusal) })] };
  }
  const outgoing: Outgoing[] = [{ to: sendTo, message: { kind: 'Vote', vote: answer.vote } }];
  const reply: SafetyAnswer = { type: 'vote.cast', vote: answer.vote };
  if (answer.status === 'resent') return { context, effects: [toNetwork(context, outgoing), tell(reply)] };
  const refusal: SafetyAnswer = { type: 'vote.refused', round, ...STORAGE_FAILED };
  return persistThenSend(
    context,
    self,
    { record: answer.record, replyTo, answer: reply, refusal },
    outgoing,
    block,
  );
}

function ruleOnProposal(context: SafetyContext, request: ProposalRequested, self: CellAddress): Stepped {
  const { block, entry, replyTo } = request;
  const { round } = block.header;
  const leader: Address = request.leader;
  const answer = signProposal(context.epoch.domain, voiceOf(context), recorded(context), {
    block,
    leader,
    ...tcOf(entry),
  });
  const tell = (reply: SafetyAnswer): Effect => telling(replyTo, reply);
  if (answer.status === 'refused') {
    return { context, effects: [tell({ type: 'proposal.refused', round, ...refused(answer.refusal) })] };
  }
  const outgoing: Outgoing[] = [{ to: 'all', message: answer.proposal }];
  const reply: SafetyAnswer = { type: 'proposal.sent', proposal: answer.proposal };
  if (answer.status === 'resent') return { context, effects: [toNetwork(context, outgoing), tell(reply)] };
  const refusal: SafetyAnswer = { type: 'proposal.refused', round, ...STORAGE_FAILED };
  return persistThenSend(
    context,
    self,
    { record: answer.record, replyTo, answer: reply, refusal },
    outgoing,
    block,
  );
}

function ruleOnTimeout(context: SafetyContext, request: TimeoutRequested, self: CellAddress): Stepped {
  const { replyTo, round } = request;
  const answer = signTimeout(context.epoch.domain, voiceOf(context), recorded(context), request);
  const tell = (reply: SafetyAnswer): Effect => telling(replyTo, reply);
  if (answer.status === 'refused') {
    return { context, effects: [tell({ type: 'timeout.refused', round, ...refused(answer.refusal) })] };
  }
  const outgoing: Outgoing[] = [{ to: 'all', message: answer.message }];
  const reply: SafetyAnswer = { type: 'timeout.sent', message: answer.message };
  if (answer.status === 'resent') {
    // Only the tick moved: nothing new is signed, so nothing new must be durable.
    return {
      context: { ...context, record: answer.record },
      effects: [toNetwork(context, outgoing), tell(reply)],
    };
  }
  const refusal: SafetyAnswer = { type: 'timeout.refused', round, ...STORAGE_FAILED };
  return persistThenSend(context, self, { record: answer.record, replyTo, answer: reply, refusal }, outgoing);
}

function prove(context: SafetyContext, { epoch, round, replyTo }: ProofRequested): Stepped {
  const { proved } = context;
  const isKnown = proved !== undefined && proved.epoch === epoch && proved.round === round;
  const answer: ProofAnswer = isKnown
    ? { status: 'proved', proof: proved.proof }
    : proveRound(context.epoch.domain, voiceOf(context), epoch, round);
  const tell = (reply: SafetyAnswer): Effect[] => (replyTo === undefined ? [] : [telling(replyTo, reply)]);
  if (answer.status === 'refused') {
    return { context, effects: tell({ type: 'proof.refused', round, ...refused(answer.refusal) }) };
  }
  const { proof } = answer;
  return {
    context: { ...context, proved: { epoch, round, proof } },
    effects: tell({ type: 'proof.made', round, proof }),
  };
}

export const safetySetup = setup({
  types: types<SafetyContext, SafetyPublicEvent, SafetyInput>(),
  guards: {
    isNoValidator: ({ context: { epoch, signer } }) => !isValidator(epoch.set, signer.address),
    isNews: ({ context, event }) => event.type === 'epoch.began' && event.epoch.epoch > context.epoch.epoch,
    forkIsProved: ({ context }) => context.isForked === true,
    aSignatureWaits: ({ context }) => context.pending !== undefined,
    isForThisRequest: ({ context, event }) => 'tag' in event && event.tag === context.tag,
    recordIsDamaged: ({ context, event }) =>
      event.type === 'storage.failed' && event.tag === context.tag && event.code === 'CORRUPT',
  },
  delays: { recoveryRetry: RECOVERY_RETRY_MS },
  actions: {
    requestRecovery: step(({ context, ...args }) => {
      const tag = context.tag + 1;
      const request: StorageRequest = { type: 'recovery.requested', replyTo: args.address, tag };
      return { context: { ...context, tag }, effects: [toStorage(context, request)] };
    }),
    recordRecovery: step(
      on('recovery.found', ({ context, event }) => ({
        context: {
          ...context,
          epoch: epochNow(context.epoch, event.recovered),
          record: event.recovered.record,
          version: event.recovered.recordVersion,
        },
        effects: [],
      })),
    ),
    ruleOnVote: step(on('vote.requested', (args) => ruleOnVote(args.context, args.event, args.address))),
    ruleOnProposal: step(
      on('proposal.requested', (args) => ruleOnProposal(args.context, args.event, args.address)),
    ),
    ruleOnTimeout: step(
      on('timeout.requested', (args) => ruleOnTimeout(args.context, args.event, args.address)),
    ),
    proveRound: step(on('proof.requested', ({ context, event }) => prove(context, event))),
    recordDurable: step(
      on('record.persisted', ({ context, event }) => ({
        context: {
          pending: undefined,
          version: event.version,
          ...(context.pending === undefined ? {} : { record: context.pending.record }),
        },
        effects:
          context.pending === undefined ? [] : [telling(context.pending.replyTo, context.pending.answer)],
      })),
    ),
    refuseHalted: step(({ event }) => ({ effects: unsignedAnswer(event, HALTED) })),
    refuseFollower: step(({ event }) => ({ effects: unsignedAnswer(event, NOT_A_VALIDATOR) })),
    /** The write may or may not have reached the disk: the answer is no, and the record is read again. */
    giveUpSignature: step(({ context }) => ({
      context: { pending: undefined },
      effects:
        context.pending === undefined ? [] : [telling(context.pending.replyTo, context.pending.refusal)],
    })),
  },
});

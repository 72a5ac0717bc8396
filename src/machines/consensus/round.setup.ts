/**
 * Parts of the RoundState chart: one short-lived cell for each round. Pure. Holds the proposal until it may be voted for,
 * asks safety for the vote, and as the leader makes the block. Its steps are labels; what may be signed is safety's to
 * say. Rules CS-3, CS-4b, CS-9, CS-10, docs/protocol/consensus.md; decisions in protocol/consensus/{proposal,round-state}.ts.
 */
import { setup } from 'xstate';
import { nextRound } from '../../protocol/chain/ordinals.ts';
import type { RoundInput as RoundHappening, RoundStep } from '../../protocol/consensus/round-state.ts';
import type { EvidenceAnswer, RoundRequest, SafetyAnswer } from '../../protocol/ports/consensus.ts';
import type { MempoolReply } from '../../protocol/ports/mempool.ts';
import { type Decision, on, step, types } from '../vocabulary/index.ts';
import {
  askProof,
  happened,
  inTurn,
  isLive,
  type RoundContext,
  type RoundInput,
  type RoundPrivateEvent,
  repeatTo,
} from './round.live.ts';
import { compose, gathered, open, propose, proved, tellQc } from './round.proposing.ts';
import { examine, factsFor, judge, recordVerdict, refuseBatches, unwant } from './round.voting.ts';

export type { RoundContext, RoundInput, RoundSetting } from './round.live.ts';

type RoundPublicEvent =
  | RoundRequest
  | Extract<SafetyAnswer, { type: `vote.${string}` | `proposal.${string}` | `proof.${string}` }>
  | EvidenceAnswer
  | Extract<MempoolReply, { type: 'payload.selected' | 'batches.held' | 'batches.refused' }>;

const note =
  (happening: RoundHappening) =>
  ({ context }: { readonly context: RoundContext }): Decision<RoundContext> => ({
    context: happened(context, happening),
  });

export const roundSetup = setup({
  types: types<RoundContext, RoundPublicEvent | RoundPrivateEvent, RoundInput>(),
  guards: {
    stepIs: ({ context }, { step: wanted }: { readonly step: RoundStep }) => context.state.step === wanted,
  },
  actions: {
    repeatToPeer: step(
      on('peer.connected', ({ context, event: { peer } }) => ({ effects: repeatTo(context, peer) })),
    ),
    openRound: step(({ context, ...clock }) => open(context, clock)),
    examineProposal: step(
      on('proposal.received', ({ context, event, ...clock }) => examine(context, event, clock)),
    ),
    recordFacts: step(
      on('facts.changed', ({ context, event: { facts }, ...clock }) =>
        inTurn({ context: { facts: factsFor(context, facts) } }, context, (known) =>
          inTurn(compose(known, clock), known, (next) => judge(next, clock)),
        ),
      ),
    ),
    composeNow: step(({ context, ...clock }) => compose(context, clock)),
    judgeAgain: step(({ context, ...clock }) => judge(context, clock)),
    recordBatchesHeld: step(({ context, ...clock }) =>
      context.candidate === undefined
        ? {}
        : judge({ ...context, candidate: { ...context.candidate, batches: 'held' } }, clock),
    ),
    gatherEvidence: step(
      on('evidence.selected', ({ context, event, ...clock }) => gathered(context, event.evidence, clock)),
    ),
    recordVerdict: step(
      on('evidence.judged', ({ context, event, ...clock }) => recordVerdict(context, event, clock)),
    ),
    proposeBlock: step(
      on('payload.selected', ({ context, event, ...clock }) => propose(context, event.batches, clock)),
    ),
    recordProof: step(on('proof.made', ({ context, event, ...clock }) => proved(context, event, clock))),
    tellQcOfSilentLeader: step(({ context }) => ({
      effects: context.candidate === undefined && isLive(context) ? tellQc(context) : [],
    })),
    recordVote: step(
      on('vote.cast', ({ context, event: { vote } }) => ({
        context: happened(context, { type: 'voted', vote }),
        // Votes are on their way: there is time for the proof of the next round, if that is this validator's.
        effects: askProof(context, nextRound(context.entered.round)),
      })),
    ),
    recordProposalSent: step(
      on('proposal.sent', ({ context, event: { proposal } }) => ({
        context: {
          ...happened(context, { type: 'voted', vote: proposal.vote }),
          composition: 'sent',
          proposal,
        },
      })),
    ),
    recordRefusal: step(({ context, event }) =>
      event.type === 'vote.refused' || event.type === 'proposal.refused' || event.type === 'proof.refused'
        ? { context: { ...context, refusal: { code: event.code, detail: event.detail } } }
        : {},
    ),
    recordVoteSeen: step(
      on('vote.seen', ({ context, event: { vote } }) => note({ type: 'voteSeen', vote })({ context })),
    ),
    recordCertified: step(
      on('round.certified', ({ context, event: { qc } }) => note({ type: 'certified', qc })({ context })),
    ),
    recordBatchesRefused: step(on('batches.refused', ({ context, event }) => refuseBatches(context, event))),
    recordGivenUp: step(({ context, address }) => ({
      context: happened(context, { type: 'timedOut' }),
      effects: unwant(context, address),
    })),
    recordCommitted: step(({ context, address }) => ({
      context: happened(context, { type: 'committed' }),
      effects: unwant(context, address),
    })),
    recordAbandoned: step(({ context, address }) => ({
      context: happened(context, { type: 'abandoned' }),
      effects: unwant(context, address),
    })),
  },
});

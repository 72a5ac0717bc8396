/**
 * Where two halves of an offence meet: votes with votes, votes with timeouts, and votes with certificates that name their
 * voter for another block. What proves itself goes to the evidence-pool, which verifies it. Pure. CS-4, CS-14, docs/protocol/consensus.md.
 */
import { sameStatement } from '../../protocol/chain/canonical.ts';
import { signersOf } from '../../protocol/chain/signers.ts';
import type { Address, Evidence, QuorumCertificate, Vote } from '../../protocol/chain/types.ts';
import { verifyVote } from '../../protocol/consensus/certificates.ts';
import { leaderAt } from '../../protocol/consensus/epoch.ts';
import { qcHiding } from '../../protocol/consensus/evidence.ts';
import type { PeerMessage } from '../../protocol/consensus/types.ts';
import { votesIn, votesOf } from '../../protocol/consensus/vote-book.ts';
import type { EvidenceFound, TimeoutSeen } from '../../protocol/ports/consensus.ts';
import { type Effect, telling } from '../../protocol/supervision/effect.ts';
import {
  blamed,
  type LiveTree,
  type RoundManagerContext,
  type RoundManagerInput,
  type Stepped,
  still,
  toViewChange,
} from './round-manager.live.ts';

/** Votes that one certificate contradicts and that are shown; the others are not. @unit votes @source chosen: a flood is no use */
const SHOWN_PER_QC_MAX = 16;

const found = ({ evidencePool }: RoundManagerInput, evidence: Evidence): Effect => {
  const message: EvidenceFound = { type: 'evidence.found', evidence };
  return telling(evidencePool, message);
};

/** CS-14: two verified votes of one round; and a leader that signed two blocks of its round has lost the round at once. */
export function offenceSeen(
  context: RoundManagerContext,
  evidence: Extract<Evidence, { kind: 'DoubleVote' }>,
): readonly Effect[] {
  const { epoch, round, validator } = evidence.first;
  const condemned: Effect[] =
    leaderAt(context.setting.epoch, round) === validator
      ? [toViewChange(context, { type: 'proposal.condemned', epoch, round, reason: 'ConflictingProposals' })]
      : [];
  return [...condemned, ...blamed(context, validator, 'DOUBLE_VOTE'), found(context, evidence)];
}

/** CS-14: a verified timeout, and what is held of its sender's votes. The newest timeout stays, for votes that come after it. */
export function watchTimeout(
  context: RoundManagerContext,
  live: LiveTree,
  { timeout, lastVote }: TimeoutSeen,
): Stepped {
  const { validator } = timeout;
  const before = live.timeouts.get(validator);
  const timeouts =
    before !== undefined && before.round >= timeout.round
      ? live.timeouts
      : new Map(live.timeouts).set(validator, timeout);
  const newest = live.newestVotes.get(validator);
  const votes = [
    ...(lastVote === undefined ? [] : [lastVote]),
    ...votesOf(live.votes, validator),
    ...(newest === undefined ? [] : [newest]),
  ];
  const hidden = votes.flatMap((vote) => qcHiding(vote, timeout) ?? []);
  return { live: { ...live, timeouts }, effects: hidden.map((evidence) => found(context, evidence)) };
}

/** CS-14: a vote that came after its sender's timeout, or was held back until then. */
export function watchVote(context: RoundManagerContext, live: LiveTree, vote: Vote): readonly Effect[] {
  const timeout = live.timeouts.get(vote.validator);
  const hiding = timeout === undefined ? undefined : qcHiding(vote, timeout);
  return hiding === undefined ? [] : [found(context, hiding)];
}

/** Of the votes that the book forgets, each validator's newest: a timeout of a later round may still contradict it. */
export function withNewestVotes(live: LiveTree, forgotten: readonly Vote[]): ReadonlyMap<Address, Vote> {
  if (forgotten.length === 0) return live.newestVotes;
  const newest = new Map(live.newestVotes);
  for (const vote of forgotten) {
    const before = newest.get(vote.validator);
    if (before === undefined || before.round < vote.round) newest.set(vote.validator, vote);
  }
  return newest;
}

/**
 * CS-14: whoever signed this certificate and gave this node another vote of its round voted twice; the other half is with
 * whoever collected the certificate. So the vote is shown to all. Its voter is blamed here too, or it could have each of its
 * votes shown by everybody, round after round, above the rate that is allowed to whoever shows them.
 */
export function showContradicted(
  context: RoundManagerContext,
  live: LiveTree,
  qc: QuorumCertificate,
): readonly Effect[] {
  const { epoch, bls, self, router } = context.setting;
  const held = votesIn(live.votes, qc.round);
  const signers = held.size === 0 ? [] : signersOf(epoch.set, qc.signers);
  if (signers === 'malformed') return [];
  return signers
    .flatMap(({ address }) => held.get(address) ?? [])
    .filter((vote) => !sameStatement(vote, qc) && vote.validator !== self)
    .slice(0, SHOWN_PER_QC_MAX)
    .filter((vote) => verifyVote(epoch, bls, vote) === 'valid')
    .flatMap((vote) => {
      const message: PeerMessage = { kind: 'VoteShown', vote };
      const shown = telling(router, { type: 'network.sendRequested', outgoing: [{ to: 'all', message }] });
      return [shown, ...blamed(context, vote.validator, 'DOUBLE_VOTE')];
    });
}

/** A vote that somebody shows is of use only to whoever holds another of its voter's. */
export function takeShown(live: LiveTree, vote: Vote, count: () => Stepped): Stepped {
  const held = votesIn(live.votes, vote.round).get(vote.validator);
  return held === undefined || sameStatement(held, vote) ? still(live) : count();
}

/**
 * What peers say about rounds, into the rules that take it: as it came, signed anew, and signed anew by whoever may say it.
 * Every rule ends in a value, refuses without a change, and changes nothing that it was given. Rules CS-2 to CS-14.
 */
import { digestOf } from '../../../src/actors/runtime/index.ts';
import { monotonic, wallTime } from '../../../src/base/units.ts';
import { blockIdOf, evidenceIdOf } from '../../../src/protocol/chain/canonical.ts';
import {
  BLOCKS_MAX,
  type BlockTree,
  certifyBlock,
  expectedExecuted,
  genesisRoot,
  insertBlock,
  missingFor,
  parentFacts,
  plantTree,
} from '../../../src/protocol/consensus/block-tree.ts';
import { verifyTC, verifyViewChange } from '../../../src/protocol/consensus/certificates.ts';
import { commitBy, commitReady } from '../../../src/protocol/consensus/commit-rule.ts';
import { leaderAt } from '../../../src/protocol/consensus/epoch.ts';
import { verifyEvidence } from '../../../src/protocol/consensus/evidence.ts';
import { checkCertifiedBlock } from '../../../src/protocol/consensus/fetched.ts';
import {
  adoptCertificates,
  answerToLaggard,
  deadlinesOf,
  startPacemaker,
} from '../../../src/protocol/consensus/pacemaker.ts';
import { checkProposal, judgeProposal } from '../../../src/protocol/consensus/proposal.ts';
import { castVote, emptyRecord, signTimeout } from '../../../src/protocol/consensus/safety.ts';
import { TIMELINESS_DEFAULTS } from '../../../src/protocol/consensus/timeliness.ts';
import { TIMEOUT_DEFAULTS } from '../../../src/protocol/consensus/timeouts.ts';
import type {
  PeerMessage,
  ProposalMessage,
  ViewChangeMessage,
} from '../../../src/protocol/consensus/types.ts';
import { NONE_VERIFIED, verifyCertificates } from '../../../src/protocol/consensus/verified.ts';
import {
  addViewChange,
  EMPTY_VIEW_CHANGE_BOOK,
  forgetViewChangesBelow,
} from '../../../src/protocol/consensus/view-change-book.ts';
import { addVote, EMPTY_VOTE_BOOK, forgetVotesBelow } from '../../../src/protocol/consensus/vote-book.ts';
import { isPeerMessage } from '../../../src/protocol/transport/kinds.ts';
import type { WireMessage } from '../../../src/protocol/transport/messages.ts';
import { decode, encode } from '../../../src/transport/codec/codec.ts';
import {
  blockOn,
  chainOf,
  GENESIS_APP_HASH,
  GENESIS_EXECUTED,
  GENESIS_TIME,
  height,
  proposalOf,
  qcOf,
  round,
  tcOf,
  timeoutBy,
  voteFor,
  world,
} from '../../protocol/consensus/fixture.ts';
import { blocksChanged } from '../forms/chain.ts';
import { MSGPACK } from '../forms/msgpack.ts';
import { claim, type Target } from '../target.ts';
import { words } from './codec.ts';
import { plausible, resigned } from './signing.ts';

const place = world([1n, 1n, 1n, 1n], 'fuzz');
const { epoch, bls, vrf } = place;
const { blocks, qcs } = chainOf(place, [1, 2, 3]);
const [qc2 = epoch.rootQC, qc3 = epoch.rootQC] = [qcs[1], qcs[2]];
const tc4 = tcOf(place, 4, [qc3, qc3, qc2]);
const next = blockOn(place, qc3, 4);
const late = blockOn(place, qc3, 5);
const LIMITS = { batchesMax: 4, bytesMax: 4_096 };

/** What a node in round 4 holds: two votes of it, two timeouts of it, its chain and its record. */
const held = (() => {
  let votes = EMPTY_VOTE_BOOK;
  for (const index of [0, 1]) votes = addVote(votes, epoch, bls, voteFor(place, next, index)).book;
  let timeouts = EMPTY_VIEW_CHANGE_BOOK;
  const at = { currentRound: round(4), self: place.addressAt(3) };
  for (const index of [0, 1]) {
    const message = timeoutBy(place, index, { round: 4, highQC: qc3 });
    timeouts = addViewChange(timeouts, epoch, bls, message, at).book;
  }
  let tree: BlockTree = plantTree(
    genesisRoot(epoch, { time: GENESIS_TIME, appHash: GENESIS_APP_HASH }),
    epoch.rootQC,
  );
  for (const block of blocks) tree = insertBlock(tree, { id: blockIdOf(epoch.domain, block), block }).tree;
  const pacemaker = startPacemaker({
    highQC: qc3,
    committedRound: round(1),
    hasWork: true,
    now: monotonic(0),
  });
  return { votes, timeouts, tree, pacemaker, record: emptyRecord(epoch.rootQC), verified: NONE_VERIFIED };
})();
const heldDigest = digestOf(held);

export const messages = (): readonly PeerMessage[] => [
  proposalOf(place, next),
  proposalOf(place, late, tc4),
  { kind: 'Vote', vote: voteFor(place, next, 2) },
  { kind: 'Vote', vote: voteFor(place, late, 0) },
  { kind: 'QC', qc: qcOf(place, next) },
  { kind: 'QC', qc: epoch.rootQC },
  timeoutBy(place, 2, { round: 4, highQC: qc3, lastVote: voteFor(place, next, 2) }),
  timeoutBy(place, 2, { round: 5, highQC: qc3, lastTC: tc4 }),
  {
    kind: 'NewView',
    epoch: epoch.epoch,
    height: height(4),
    round: round(5),
    leader: place.addressAt(1),
    tc: tc4,
  },
  {
    kind: 'Blocks',
    requestId: 1,
    blocks: blocks.flatMap((block, index) => ({ block, qc: qcs[index] ?? epoch.rootQC })),
    batches: [],
    height: height(2),
  },
];

const framesOf = (all: readonly WireMessage[]): readonly Uint8Array[] =>
  all.flatMap((message) => {
    const encoding = encode(message);
    return encoding.outcome === 'encoded' ? [encoding.frame.bytes] : [];
  });

export const consensus: Target = {
  name: 'consensus',
  what: 'decoded proposals, votes, QCs, timeouts, new views and blocks into the rules, as they came and signed anew',
  covers: ['/src/protocol/consensus/', '/src/protocol/chain/'],
  mutations: [...MSGPACK, blocksChanged],
  dictionary: words(),
  bytesMax: 64 * 1024,
  window: 1_500,
  seeds: () => framesOf(messages()),
  open: async () => ({ run }),
};

function run(bytes: Uint8Array): string {
  const decoding = decode(bytes);
  if (decoding.outcome !== 'decoded') return decoding.outcome;
  const { message } = decoding;
  if (!isPeerMessage(message)) return 'of the link';
  const signed = resigned(place, message);
  const endings = [message, signed, resigned(place, plausible(place, signed))].map(take);
  claim(digestOf(held) === heldDigest, 'a rule changes nothing that it was given');
  return `${message.kind}: ${endings.join(', ')}`;
}

function take(message: PeerMessage): string {
  switch (message.kind) {
    case 'Proposal':
      return takeProposal(message);
    case 'Vote':
      return takeVote(message.vote);
    case 'QC':
      return takeCertificates({ qc: message.qc });
    case 'NewView':
      return `${verdictOf(verifyTC(epoch, bls, message.tc))} ${takeCertificates({ tc: message.tc })}`;
    case 'ViewChange':
      return takeViewChange(message);
    case 'Blocks':
      return takeBlocks(message.blocks);
    default:
      return 'not of a round';
  }
}

const verdictOf = (verdict: 'valid' | { readonly code: string }): string =>
  verdict === 'valid' ? 'valid' : verdict.code;

function takeVote(vote: Parameters<typeof addVote>[3]): string {
  const step = addVote(held.votes, epoch, bls, vote);
  const { outcome } = step;
  if (outcome.status === 'refused') {
    claim(step.book === held.votes, 'a refused vote leaves the book as it is');
    return outcome.refusal.code;
  }
  if (outcome.status === 'conflict') {
    claim(verifyEvidence(epoch, bls, outcome.evidence) === 'valid', 'what accuses a validator proves it');
    evidenceIdOf(outcome.evidence);
  }
  claim(
    addVote(step.book, epoch, bls, vote).outcome.status !== 'certified',
    'the same vote again forms no QC',
  );
  forgetVotesBelow(step.book, vote.round);
  return outcome.status;
}

function takeCertificates(certificates: Parameters<typeof verifyCertificates>[3]): string {
  const outcome = verifyCertificates(epoch, bls, held.verified, certificates);
  if (outcome.qc !== undefined) {
    const tree = certifyBlock(held.tree, outcome.qc);
    missingFor(tree, outcome.qc);
    expectedExecuted(tree, outcome.qc);
    commitBy(tree, outcome.qc);
    commitReady(tree);
  }
  const leader = leaderAt(epoch, held.pacemaker.round);
  const adopted = adoptCertificates(held.pacemaker, outcome, leader, monotonic(10), TIMEOUT_DEFAULTS);
  claim(adopted.pacemaker.round >= held.pacemaker.round, 'the round never falls');
  deadlinesOf(adopted.pacemaker, TIMEOUT_DEFAULTS);
  return outcome.refusals.map(({ code }) => code).join('+') || 'verified';
}

function takeViewChange(message: ViewChangeMessage): string {
  const certificates = takeCertificates({ qc: message.highQC, tc: message.lastTC });
  const verdict = verifyViewChange(epoch, bls, message);
  if (message.lastVote !== undefined) takeVote(message.lastVote);
  answerToLaggard(held.pacemaker, { height: message.height, leader: message.validator });
  if (verdict !== 'valid') return `${certificates} ${verdict.code}`;
  const step = addViewChange(held.timeouts, epoch, bls, message, {
    currentRound: round(4),
    self: place.addressAt(3),
  });
  forgetViewChangesBelow(step.book, message.round);
  if (step.outcome.status === 'refused') return `${certificates} ${step.outcome.refusal.code}`;
  return `${certificates} ${step.outcome.status}`;
}

function takeBlocks(certified: readonly Parameters<typeof checkCertifiedBlock>[3][]): string {
  let { tree, verified } = held;
  const endings = new Set<string>();
  for (const one of certified) {
    const check = checkCertifiedBlock(epoch, bls, verified, one);
    verified = check.verified;
    if (check.status === 'refused') {
      endings.add(check.refusal.code);
      break;
    }
    const insertion = insertBlock(tree, { id: check.blockId, block: one.block }, true);
    endings.add(insertion.status);
    tree = certifyBlock(insertion.tree, one.qc);
    claim(tree.blocks.size <= BLOCKS_MAX, 'the tree is bounded');
  }
  endings.add(commitReady(tree).status);
  return [...endings].join('+');
}

function takeProposal(message: ProposalMessage): string {
  const { block, tc } = message;
  const received = { message, from: block.header.proposer };
  const check = checkProposal(epoch, { bls, vrf }, held.verified, LIMITS, received);
  if (check.status === 'refused') return `${check.refusal.code}${check.condemns ? ' condemned' : ''}`;
  const parent = parentFacts(held.tree, block.qc);
  const verdict = judgeProposal({
    block,
    currentRound: round(4),
    parent,
    executed: GENESIS_EXECUTED,
    batches: { status: 'held' },
    receivedAt: wallTime(GENESIS_TIME + 10),
    now: wallTime(GENESIS_TIME + 10),
    roundsSinceCommit: 1,
    timeliness: TIMELINESS_DEFAULTS,
  });
  const inserted = insertBlock(held.tree, { id: check.blockId, block });
  const answer = castVote(epoch.domain, place.signer(3), held.record, { block, tc });
  if (answer.status === 'signed') {
    const { record } = answer;
    claim(record.lockedRound >= held.record.lockedRound, 'the locked round never falls (CS-3)');
    claim(
      castVote(epoch.domain, place.signer(3), record, { block, tc }).status === 'resent',
      'the same vote is sent again',
    );
    const query = {
      round: block.header.round,
      highQC: block.qc,
      lastTC: tc,
      reason: 'LeaderTimeout',
      height: height(1),
      tick: 0,
    } as const;
    signTimeout(epoch.domain, place.signer(3), record, query);
  }
  const ending = verdict.status === 'refused' ? verdict.refusal.code : verdict.status;
  return `${ending} ${inserted.status} ${answer.status}`;
}

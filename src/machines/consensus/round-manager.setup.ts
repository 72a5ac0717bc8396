/**
 * Parts of the RoundManager chart: owner of the block tree and of the votes, parent of the rounds. Pure.
 * The one place where a block is committed. Rules CS-4, CS-5, CS-10, CS-12, CS-13, docs/protocol/consensus.md; the
 * decisions are in protocol/consensus/{block-tree,vote-book}.ts.
 */
import { setup } from 'xstate';
import { millis, type WallTime } from '../../base/units.ts';
import { blockIdOf } from '../../protocol/chain/canonical.ts';
import { GENESIS_HEIGHT, ROOT_ROUND } from '../../protocol/chain/ordinals.ts';
import { signersOf } from '../../protocol/chain/signers.ts';
import type { Address, Block, BlockId, QuorumCertificate, Round, Vote } from '../../protocol/chain/types.ts';
import {
  type BlockTree,
  certifyBlock,
  commitReady,
  expectedExecuted,
  genesisRoot,
  hasUncommittedPayload,
  insertBlock,
  missingFor,
  namedBatches,
  noteExecuted,
  parentFacts,
  plantTree,
  rootOf,
} from '../../protocol/consensus/block-tree.ts';
import { recoveredHighQC } from '../../protocol/consensus/entry.ts';
import { leaderAt } from '../../protocol/consensus/epoch.ts';
import type { Evidence } from '../../protocol/consensus/evidence.ts';
import { checkCertifiedBlock } from '../../protocol/consensus/fetched.ts';
import type { ProposalMessage, VoteMessage } from '../../protocol/consensus/types.ts';
import {
  NONE_VERIFIED,
  rememberQC,
  rememberTC,
  type VerifiedCertificates,
} from '../../protocol/consensus/verified.ts';
import {
  addVote,
  EMPTY_VOTE_BOOK,
  forgetVotesBelow,
  type VoteBook,
} from '../../protocol/consensus/vote-book.ts';
import type {
  BlocksFetched,
  BlocksWanted,
  CertificatesReceived,
  ChainFacts,
  CommitAdvanced,
  HighQcAdopted,
  ProposalCondemned,
  QcFormed,
  RoundEntered,
  RoundReport,
  RoundRequest,
  RoundTimedOut,
  SafetyViolated,
  VoteFound,
  WorkChanged,
} from '../../protocol/ports/consensus.ts';
import type { BlockExecuted } from '../../protocol/ports/execution.ts';
import type { PeerMessageReceived } from '../../protocol/ports/network.ts';
import type {
  CommittedBlock,
  Recovered,
  StorageReply,
  StorageRequest,
} from '../../protocol/ports/storage.ts';
import {
  type CellAddress,
  type CellDown,
  crash,
  type Effect,
  isOrderlyExit,
  telling,
} from '../../protocol/supervision/effect.ts';
import { type Decision, declare, on, step, types } from '../vocabulary/index.ts';
import { roundMachine } from './round.machine.ts';
import type { RoundInput, RoundSetting } from './round.setup.ts';

/** Rounds whose cells are kept for readers and late certificates; the oldest is stopped. @unit rounds @source chosen */
export const ROUNDS_KEPT_MAX = 16;
/** Proposals of rounds not entered yet, kept of one leader; its oldest makes room (CS-13). @unit proposals */
const WAITING_PER_LEADER_MAX = 2;
/** Votes this far below the current round are forgotten. @unit rounds @source the backup collector may be one behind */
const VOTES_BEHIND_MAX = 2;
/** Offences kept for readers; the oldest makes room. @unit entries */
const EVIDENCE_KEPT_MAX = 32;
/** Pause before a refused commit is written again, or the store is asked again. @unit ms @source chosen */
const STORAGE_RETRY_MS = millis(500);

export interface RoundManagerInput {
  readonly setting: RoundSetting;
  readonly genesisTime: WallTime;
  readonly storage: CellAddress;
  readonly blockSync: CellAddress;
  /** Told of each durable commit: the executor and the mempool. */
  readonly commitListeners: readonly CellAddress[];
  /** Told when safety is broken: it stops the node. */
  readonly alarm: CellAddress;
}

interface Candidate {
  readonly block: Block;
  readonly blockId: BlockId;
}

interface Waiting {
  readonly proposal: ProposalMessage;
  readonly receivedAt: WallTime;
}

/** Everything live; there once recovered. */
export interface LiveTree {
  readonly tree: BlockTree;
  readonly votes: VoteBook;
  readonly verified: VerifiedCertificates;
  readonly highQC: QuorumCertificate;
  readonly entered?: RoundEntered;
  /** Rounds that have a cell, ascending. */
  readonly rounds: readonly Round[];
  /** Authentic blocks of rounds that have a cell, in the tree or waiting for their parent. */
  readonly candidates: ReadonlyMap<Round, Candidate>;
  /** Newest proposals of rounds not entered yet, by leader. */
  readonly waiting: ReadonlyMap<Address, readonly Waiting[]>;
  readonly batchesWait: boolean;
  readonly hasWork: boolean;
  /** Decided commits on their way to the disk, oldest first. */
  readonly committing: readonly { readonly tag: number; readonly blocks: readonly CommittedBlock[] }[];
  readonly evidence: readonly Evidence[];
  /** Target of the last request to block-sync. */
  readonly wanted?: Round;
}

export interface RoundManagerContext extends RoundManagerInput {
  readonly live?: LiveTree;
  readonly tag: number;
}

type RoundManagerPublicEvent =
  | PeerMessageReceived<ProposalMessage | VoteMessage>
  | RoundEntered
  | HighQcAdopted
  | RoundTimedOut
  | VoteFound
  | WorkChanged
  | BlocksFetched
  | BlockExecuted
  | RoundReport
  | Extract<StorageReply, { type: 'recovery.found' | 'blocks.committed' | 'storage.failed' }>;

type RoundManagerPrivateEvent = { readonly type: 'commit.retryDue' } | CellDown;

/** Event types that other cells may send (RT-16). */
export const ROUND_MANAGER_EVENTS = declare<RoundManagerPublicEvent>()(
  'message.received',
  'round.entered',
  'highQc.adopted',
  'round.timedOut',
  'vote.found',
  'work.changed',
  'blocks.fetched',
  'block.executed',
  'proposal.authenticated',
  'recovery.found',
  'blocks.committed',
  'storage.failed',
);

interface Stepped {
  readonly live: LiveTree;
  readonly effects: readonly Effect[];
}

interface Clock {
  readonly wall: WallTime;
  readonly address: CellAddress;
}

const still = (live: LiveTree): Stepped => ({ live, effects: [] });

/** Runs the steps one after the other over the same live part. */
function chained(live: LiveTree, ...steps: readonly ((live: LiveTree) => Stepped)[]): Stepped {
  return steps.reduce<Stepped>((done, next) => {
    const { live: after, effects } = next(done.live);
    return { live: after, effects: [...done.effects, ...effects] };
  }, still(live));
}

type ToViewChange = CertificatesReceived | QcFormed | ProposalCondemned | CommitAdvanced | WorkChanged;

const toViewChange = ({ setting }: RoundManagerInput, message: ToViewChange): Effect =>
  telling(setting.viewChange, message);

const toStorage = ({ storage }: RoundManagerInput, request: StorageRequest): Effect =>
  telling(storage, request);

const blamed = ({ setting }: RoundManagerInput, peer: Address, code: string): Effect[] =>
  peer === setting.self ? [] : [telling(setting.router, { type: 'peer.misbehaved', peer, code })];

/** Id of a round's cell below the manager. */
export const roundCellId = (epoch: number, round: Round): string => `round/${epoch}/${round}`;

/** To a round that has a cell; nothing otherwise. */
function toRound(
  context: RoundManagerInput,
  live: LiveTree,
  clock: Clock,
  round: Round,
  message: RoundRequest,
): Effect[] {
  if (!live.rounds.includes(round)) return [];
  return [telling(`${clock.address}/${roundCellId(context.setting.epoch.epoch, round)}`, message)];
}

/** What the tree says to a round about the parent of its proposal, or of what its leader would propose. */
function factsOf(live: LiveTree, qc: QuorumCertificate): ChainFacts {
  const { tree, hasWork } = live;
  const parent = parentFacts(tree, qc);
  const executed = expectedExecuted(tree, qc);
  return {
    ...(parent === undefined ? {} : { parent: { time: parent.time, height: parent.height } }),
    ...(executed.status === 'known' ? { executed: executed.executed } : {}),
    namedBatches: namedBatches(tree, qc.blockId),
    hasWork,
    committedRound: tree.root.round,
  };
}

function tellFacts(context: RoundManagerInput, live: LiveTree, clock: Clock): Stepped {
  const { entered, candidates } = live;
  if (entered === undefined) return still(live);
  const qc = candidates.get(entered.round)?.block.qc ?? entered.highQC;
  const facts = factsOf(live, qc);
  return { live, effects: toRound(context, live, clock, entered.round, { type: 'facts.changed', facts }) };
}

/** CS-10: batches wait, or an uncommitted block that is not empty wants a child. */
function weighWork(context: RoundManagerInput, live: LiveTree): Stepped {
  // The first block is wanted at once: it shows that the network lives.
  const isFresh = live.tree.root.height === GENESIS_HEIGHT;
  const hasWork = isFresh || live.batchesWait || hasUncommittedPayload(live.tree, live.highQC.blockId);
  if (hasWork === live.hasWork) return still(live);
  return { live: { ...live, hasWork }, effects: [toViewChange(context, { type: 'work.changed', hasWork })] };
}

/** CS-5, CS-12: what the tree now commits goes to the disk; what it lacks is asked for; the round hears of both. */
function settle(context: RoundManagerContext, live: LiveTree, clock: Clock): Stepped {
  return chained(
    live,
    (now) => commit(context, now, clock),
    (now) => fetchMissing(context, now),
    (now) => weighWork(context, now),
    (now) => tellFacts(context, now, clock),
  );
}

function commit(context: RoundManagerContext, live: LiveTree, clock: Clock): Stepped {
  const decided = commitReady(live.tree);
  if (decided.status === 'conflict') {
    const { committed, proof } = decided;
    const detail = `height ${committed.height}: ${committed.id} is committed, a proof commits ${proof.parentId}`;
    const violated: SafetyViolated = { type: 'safety.violated', detail };
    return { live, effects: [telling(context.alarm, violated), telling(context.setting.safety, violated)] };
  }
  if (decided.status !== 'committed') return still(live);
  const { tree, blocks } = decided;
  const tag = (live.committing.at(-1)?.tag ?? 0) + 1;
  const committedRounds = new Set(blocks.map(({ block }) => block.header.round));
  const fates = live.rounds.flatMap((round) => {
    if (committedRounds.has(round)) return toRound(context, live, clock, round, { type: 'round.committed' });
    return round < tree.root.round ? toRound(context, live, clock, round, { type: 'round.abandoned' }) : [];
  });
  return {
    live: { ...live, tree, committing: [...live.committing, { tag, blocks }] },
    effects: [
      toStorage(context, { type: 'blocks.commitRequested', replyTo: clock.address, tag, blocks }),
      ...fates,
    ],
  };
}

/** CS-12: the block of the high QC, or the parent of the round's proposal, is not here. Asked once for each target. */
function fetchMissing(context: RoundManagerContext, live: LiveTree): Stepped {
  const { tree, highQC, entered, candidates } = live;
  const candidate = entered === undefined ? undefined : candidates.get(entered.round);
  const target = [highQC, ...(candidate === undefined ? [] : [candidate.block.qc])].find(
    (qc) => missingFor(tree, qc) !== undefined,
  );
  if (target === undefined || live.wanted === target.round) return still(live);
  const signers = signersOf(context.setting.epoch.set, target.signers);
  const request: BlocksWanted = {
    type: 'blocks.wanted',
    target,
    committedHeight: tree.root.height,
    holders:
      signers === 'malformed'
        ? []
        : signers.map(({ address }) => address).filter((one) => one !== context.setting.self),
  };
  return { live: { ...live, wanted: target.round }, effects: [telling(context.blockSync, request)] };
}

function begin(context: RoundManagerContext, { committed, record, blocks, executed }: Recovered): LiveTree {
  const { epoch } = context.setting;
  // A certified child of consecutive rounds states its grandparent's outcome, and this node agreed when it voted.
  const outcomes = new Map(
    blocks
      .filter(({ qc }) => qc.round === qc.parentRound + 1)
      .map(({ qc, header }) => [qc.parentId, header.executed]),
  );
  if (committed !== undefined && executed.height === committed.block.header.height) {
    outcomes.set(committed.id, executed);
  }
  const planted =
    committed === undefined
      ? plantTree(genesisRoot(epoch, { time: context.genesisTime, appHash: executed.appHash }), epoch.rootQC)
      : plantTree(rootOf(committed), committed.qc, outcomes);
  const grown = blocks.reduce<BlockTree>(
    (tree, block) => insertBlock(tree, { id: blockIdOf(epoch.domain, block), block }, true).tree,
    planted,
  );
  const highQC = recoveredHighQC(record.highQC, committed?.commitProof);
  const tree = certifyBlock(grown, highQC);
  return {
    tree,
    votes: EMPTY_VOTE_BOOK,
    verified: rememberQC(epoch.domain, NONE_VERIFIED, highQC),
    highQC,
    rounds: [],
    candidates: new Map(),
    waiting: new Map(),
    batchesWait: false,
    hasWork: false,
    committing: [],
    evidence: [],
  };
}

/** A verified QC that is higher than all before: its round is certified, its chain may commit. */
function adopt(context: RoundManagerContext, live: LiveTree, qc: QuorumCertificate, clock: Clock): Stepped {
  const known = live.tree.blocks.get(qc.blockId);
  const next: LiveTree = {
    ...live,
    highQC: qc.round > live.highQC.round ? qc : live.highQC,
    tree: certifyBlock(live.tree, qc),
    verified: rememberQC(context.setting.epoch.domain, live.verified, qc),
  };
  return {
    live: next,
    effects: [
      ...(known === undefined
        ? []
        : [toStorage(context, { type: 'blocks.certified', blocks: [{ block: known.block, qc }] })]),
      ...toRound(context, next, clock, qc.round, { type: 'round.certified', qc }),
    ],
  };
}

function enter(context: RoundManagerContext, live: LiveTree, entered: RoundEntered, clock: Clock): Stepped {
  const { setting } = context;
  const { domain, epoch } = setting.epoch;
  const { round, entry, highQC } = entered;
  return chained(
    live,
    (now) => (highQC.round === ROOT_ROUND ? still(now) : adopt(context, now, highQC, clock)),
    (now) => {
      const verified = entry.by === 'tc' ? rememberTC(domain, now.verified, entry.tc) : now.verified;
      const kept = [...now.rounds.filter((one) => one !== round), round].slice(-ROUNDS_KEPT_MAX);
      const dropped = now.rounds.filter((one) => !kept.includes(one));
      const oldest = kept[0] ?? round;
      const next: LiveTree = {
        ...now,
        entered,
        verified,
        rounds: kept,
        votes: forgetVotesBelow(now.votes, (round - VOTES_BEHIND_MAX) as Round),
        candidates: new Map([...now.candidates].filter(([one]) => one >= oldest)),
      };
      const input: RoundInput = {
        setting,
        roundManager: clock.address,
        entered,
        lockedRound: highQC.round,
        facts: factsOf(next, highQC),
        verified,
      };
      const opened: Effect[] = now.rounds.includes(round)
        ? []
        : [{ kind: 'spawn', logic: 'round', id: roundCellId(epoch, round), input }];
      const closed = dropped.map((one): Effect => ({ kind: 'stop', id: roundCellId(epoch, one) }));
      return { live: next, effects: [...closed, ...opened] };
    },
    (now) => deliverWaiting(context, now, clock),
    (now) => settle(context, now, clock),
  );
}

/** Proposals that came before their round was entered; those of rounds gone by are dropped. */
function deliverWaiting(context: RoundManagerContext, live: LiveTree, clock: Clock): Stepped {
  const round = live.entered?.round ?? ROOT_ROUND;
  const due: Effect[] = [];
  const waiting = new Map<Address, readonly Waiting[]>();
  for (const [leader, proposals] of live.waiting) {
    for (const { proposal, receivedAt } of proposals) {
      if (proposal.block.header.round !== round) continue;
      due.push(
        ...toRound(context, live, clock, round, {
          type: 'proposal.received',
          proposal,
          from: leader,
          receivedAt,
        }),
      );
    }
    const later = proposals.filter(({ proposal }) => proposal.block.header.round > round);
    if (later.length > 0) waiting.set(leader, later);
  }
  return { live: { ...live, waiting }, effects: due };
}

/** A proposal comes from its leader only; its certificates go to view-change before anything else (CS-13). */
function receiveProposal(
  context: RoundManagerContext,
  live: LiveTree,
  from: Address,
  proposal: ProposalMessage,
  clock: Clock,
): Stepped {
  const { block, vote, tc } = proposal;
  const { round, epoch } = block.header;
  const { setting } = context;
  if (epoch !== setting.epoch.epoch) return { live, effects: blamed(context, from, 'WRONG_EPOCH') };
  if (leaderAt(setting.epoch, round) !== from || vote.validator !== from || vote.round !== round) {
    return { live, effects: blamed(context, from, 'NOT_THE_LEADER') };
  }
  const certificates = toViewChange(context, {
    type: 'certificates.received',
    from,
    qc: block.qc,
    ...(tc === undefined ? {} : { tc }),
  });
  const counted = countVote(context, live, from, vote, clock);
  const effects = [certificates, ...counted.effects];
  const current = live.entered?.round ?? ROOT_ROUND;
  if (round > current) {
    const before = live.waiting.get(from) ?? [];
    const waiting = new Map(live.waiting).set(
      from,
      [...before, { proposal, receivedAt: clock.wall }].slice(-WAITING_PER_LEADER_MAX),
    );
    return { live: { ...counted.live, waiting }, effects };
  }
  if (round === current) {
    const message: RoundRequest = { type: 'proposal.received', proposal, from, receivedAt: clock.wall };
    return { live: counted.live, effects: [...effects, ...toRound(context, live, clock, round, message)] };
  }
  const late = receiveLate(context, counted.live, block, clock);
  return { live: late.live, effects: [...effects, ...late.effects] };
}

/** A block that came after its QC: it is not voted for, but the chain needs it (CS-12). */
function receiveLate(context: RoundManagerContext, live: LiveTree, block: Block, clock: Clock): Stepped {
  const { epoch, bls } = context.setting;
  const id = blockIdOf(epoch.domain, block);
  const qc = live.tree.certificates.get(id);
  if (qc === undefined || live.tree.blocks.has(id)) return still(live);
  const check = checkCertifiedBlock(epoch, bls, live.verified, { block, qc });
  if (check.status === 'refused') return still({ ...live, verified: check.verified });
  const certified = [{ block, qc }];
  return chained(
    { ...live, verified: check.verified, tree: insertBlock(live.tree, { id, block }, true).tree },
    (now) => ({ live: now, effects: [toStorage(context, { type: 'blocks.certified', blocks: certified })] }),
    (now) => settle(context, insertCandidates(now), clock),
  );
}

function countVote(
  context: RoundManagerContext,
  live: LiveTree,
  from: Address,
  vote: Vote,
  clock: Clock,
): Stepped {
  const { epoch, bls } = context.setting;
  const { book, outcome } = addVote(live.votes, epoch, bls, vote);
  const next: LiveTree = { ...live, votes: book };
  const seen = toRound(context, live, clock, vote.round, { type: 'vote.seen', vote });
  switch (outcome.status) {
    case 'known':
      return still(next);
    case 'counted':
      return { live: next, effects: seen };
    case 'certified': {
      const bad = outcome.offenders.flatMap((one) => blamed(context, one, 'SIGNATURE_INVALID'));
      return {
        live: next,
        effects: [...seen, ...bad, toViewChange(context, { type: 'qc.formed', qc: outcome.qc })],
      };
    }
    case 'spoiled':
      return {
        live: next,
        effects: outcome.offenders.flatMap((one) => blamed(context, one, 'SIGNATURE_INVALID')),
      };
    case 'conflict': {
      // CS-14; and a leader that signed two blocks of its round has lost the round at once.
      const evidence = [...live.evidence, outcome.evidence].slice(-EVIDENCE_KEPT_MAX);
      const condemned: Effect[] =
        leaderAt(epoch, vote.round) === vote.validator
          ? [
              toViewChange(context, {
                type: 'proposal.condemned',
                round: vote.round,
                reason: 'ConflictingProposals',
              }),
            ]
          : [];
      return {
        live: { ...next, evidence },
        effects: [...condemned, ...blamed(context, vote.validator, 'DOUBLE_VOTE')],
      };
    }
    case 'refused':
      return {
        live: next,
        effects:
          outcome.refusal.code === 'ROUND_BELOW_WINDOW' ? [] : blamed(context, from, outcome.refusal.code),
      };
  }
}

/** Candidates whose parent has come stand in the tree now. */
function insertCandidates(live: LiveTree): LiveTree {
  const byRound = [...live.candidates].sort(([left], [right]) => left - right);
  const tree = byRound.reduce(
    (grown, [, { blockId, block }]) => insertBlock(grown, { id: blockId, block }).tree,
    live.tree,
  );
  return { ...live, tree };
}

function takeFetched(
  context: RoundManagerContext,
  live: LiveTree,
  { blocks }: BlocksFetched,
  clock: Clock,
): Stepped {
  const { epoch, self } = context.setting;
  const { wanted: _, ...rest } = live;
  const tree = blocks.reduce((grown, { block, qc }) => {
    const id = blockIdOf(epoch.domain, block);
    return certifyBlock(insertBlock(grown, { id, block }, true).tree, qc);
  }, live.tree);
  const newest = blocks.at(-1);
  const higher = newest !== undefined && newest.qc.round > live.highQC.round;
  return chained(
    { ...rest, tree },
    (now) => ({ live: now, effects: [toStorage(context, { type: 'blocks.certified', blocks })] }),
    (now) => ({
      live: now,
      effects: higher
        ? [toViewChange(context, { type: 'certificates.received', from: self, qc: newest.qc })]
        : [],
    }),
    (now) => settle(context, insertCandidates(now), clock),
  );
}

function recordDurableCommit(context: RoundManagerContext, live: LiveTree, tag: number): Stepped {
  const done = live.committing.filter((one) => one.tag <= tag);
  const blocks = done.flatMap((one) => one.blocks);
  const newest = blocks.at(-1);
  if (newest === undefined) return still(live);
  const { height, round } = newest.block.header;
  return {
    live: { ...live, committing: live.committing.filter((one) => one.tag > tag) },
    effects: [
      ...context.commitListeners.map((listener) => telling(listener, { type: 'blocks.committed', blocks })),
      toViewChange(context, { type: 'commit.advanced', height, round }),
    ],
  };
}

/** A step over the live part; nothing happens before recovery. */
function alive(
  { live }: RoundManagerContext,
  decide: (live: LiveTree) => Stepped,
): Decision<RoundManagerContext> {
  if (live === undefined) return {};
  const stepped = decide(live);
  return { context: { live: stepped.live }, effects: stepped.effects };
}

export const roundManagerSetup = setup({
  types: types<RoundManagerContext, RoundManagerPublicEvent | RoundManagerPrivateEvent, RoundManagerInput>(),
  actors: { round: roundMachine },
  guards: {
    isForThisRequest: ({ context, event }) => 'tag' in event && event.tag === context.tag,
    isAboutACommit: ({ event }) =>
      event.type === 'storage.failed' && event.request === 'blocks.commitRequested',
    endedInOrder: ({ event }) => event.type === 'cell.down' && isOrderlyExit(event.reason),
  },
  delays: { storageRetry: STORAGE_RETRY_MS },
  actions: {
    requestRecovery: step(({ context, address }) => {
      const tag = context.tag + 1;
      return {
        context: { tag },
        effects: [toStorage(context, { type: 'recovery.requested', replyTo: address, tag })],
      };
    }),
    beginWithRecovered: step(
      on('recovery.found', ({ context, event: { recovered }, ...clock }) => {
        const begun = settle(context, begin(context, recovered), clock);
        return { context: { live: begun.live }, effects: begun.effects };
      }),
    ),
    receiveMessage: step(
      on('message.received', ({ context, event: { from, message }, ...clock }) =>
        alive(context, (live) => {
          if (message.kind === 'Proposal') return receiveProposal(context, live, from, message, clock);
          if (message.vote.validator !== from)
            return { live, effects: blamed(context, from, 'VOTE_NOT_OF_SENDER') };
          return countVote(context, live, from, message.vote, clock);
        }),
      ),
    ),
    countFoundVote: step(
      on('vote.found', ({ context, event: { vote }, ...clock }) =>
        alive(context, (live) => countVote(context, live, vote.validator, vote, clock)),
      ),
    ),
    enterRound: step(
      on('round.entered', ({ context, event, ...clock }) =>
        alive(context, (live) => enter(context, live, event, clock)),
      ),
    ),
    adoptHighQc: step(
      on('highQc.adopted', ({ context, event: { qc }, ...clock }) =>
        alive(context, (live) =>
          chained(
            live,
            (now) => adopt(context, now, qc, clock),
            (now) => settle(context, now, clock),
          ),
        ),
      ),
    ),
    recordTimedOut: step(
      on('round.timedOut', ({ context, event: { round }, ...clock }) =>
        alive(context, (live) => ({
          live,
          effects: toRound(context, live, clock, round, { type: 'round.gaveUp' }),
        })),
      ),
    ),
    recordBatchesWait: step(
      on('work.changed', ({ context, event: { hasWork }, ...clock }) =>
        alive(context, (live) =>
          chained(
            { ...live, batchesWait: hasWork },
            (now) => weighWork(context, now),
            (now) => tellFacts(context, now, clock),
          ),
        ),
      ),
    ),
    recordCandidate: step(
      on('proposal.authenticated', ({ context, event: { round, blockId, block }, ...clock }) =>
        alive(context, (live) => {
          const candidates = new Map(live.candidates).set(round, { blockId, block });
          return settle(context, insertCandidates({ ...live, candidates }), clock);
        }),
      ),
    ),
    takeFetched: step(
      on('blocks.fetched', ({ context, event, ...clock }) =>
        alive(context, (live) => takeFetched(context, live, event, clock)),
      ),
    ),
    recordExecuted: step(
      on('block.executed', ({ context, event: { blockId, executed }, ...clock }) =>
        alive(context, (live) =>
          tellFacts(context, { ...live, tree: noteExecuted(live.tree, blockId, executed) }, clock),
        ),
      ),
    ),
    recordDurableCommit: step(
      on('blocks.committed', ({ context, event: { tag } }) =>
        alive(context, (live) => recordDurableCommit(context, live, tag)),
      ),
    ),
    retryCommitLater: step(() => ({
      effects: [
        {
          kind: 'startTimer',
          key: 'commit',
          delayMs: STORAGE_RETRY_MS,
          message: { type: 'commit.retryDue' },
        },
      ],
    })),
    retryCommits: step(({ context, address }) =>
      alive(context, (live) => ({
        live,
        effects: live.committing.map(({ tag, blocks }) =>
          toStorage(context, { type: 'blocks.commitRequested', replyTo: address, tag, blocks }),
        ),
      })),
    ),
    /** A round that crashed broke an invariant of ours: the supervisor decides, with the whole of consensus. */
    crashWithRound: step(({ event }) => ({
      effects:
        event.type === 'cell.down'
          ? [{ kind: 'exit', reason: crash(`${event.address} ended: ${JSON.stringify(event.reason)}`) }]
          : [],
    })),
  },
});

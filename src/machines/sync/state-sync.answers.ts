/**
 * How state-sync takes what peers answer. Only what was asked for is read (TP-6); what comes late is used where it helps. Pure.
 * Rules SY-3 to SY-6, SY-8, docs/protocol/sync.md; claims are judged in protocol/sync/claims.ts.
 */

import { GENESIS_HEIGHT, maxHeight } from '../../protocol/chain/ordinals.ts';
import type { Address, Epoch, Height } from '../../protocol/chain/types.ts';
import type { EpochMet } from '../../protocol/ports/consensus.ts';
import type { StorageReply } from '../../protocol/ports/storage.ts';
import { telling } from '../../protocol/supervision/effect.ts';
import {
  type ClaimRuling,
  forkAmong,
  forkOf,
  ownTip,
  provedTipOf,
  ruleOnChain,
  ruleOnClaim,
  wentBack,
} from '../../protocol/sync/claims.ts';
import type { BlocksMessage, SnapshotManifest, SyncAnswer } from '../../protocol/sync/messages.ts';
import { isAmple } from '../../protocol/sync/patience.ts';
import { timeForAll, withDeclined, withGiven, withLatency } from '../../protocol/sync/peers.ts';
import { type OpenQuestion, received } from '../../protocol/sync/questions.ts';
import { costOf } from '../../protocol/sync/serving.ts';
import { manifestProblem } from '../../protocol/sync/snapshot.ts';
import type { ForkEvidence, PeerClaim } from '../../protocol/sync/types.ts';
import { KINDS } from '../../protocol/transport/kinds.ts';
import {
  askEveryGenesis,
  endQuestion,
  requestBlocksRedundant,
  retryPendingBlocks,
} from './state-sync.asking.ts';
import {
  cancelTimer,
  change,
  count,
  type Reading,
  tellAsker,
  type Work,
  withoutTask,
  withTask,
} from './state-sync.live.ts';
import {
  blame,
  chargeLie,
  distrust,
  recordConnected,
  recordPeer,
  recordState,
  thank,
} from './state-sync.standing.ts';
import { endAwaiting } from './state-sync.tasks.ts';

type AnswerOf<Kind extends SyncAnswer['kind']> = Extract<SyncAnswer, { kind: Kind }>;
type Found<Type extends StorageReply['type']> = Extract<StorageReply, { type: Type }>;

/** What state-sync blames a peer for whose answer is none to the question. */
const BAD_BLOCKS = 'BAD_BLOCKS';
const CLAIM_FALSE = 'CLAIM_FALSE';

/** Answers that one peer may still owe to an earlier life of this cell. @unit answers @source two for blocks, one of each other kind */
const FOREIGN_MAX = 8;

/** What an earlier life asked of a validator is on its way for so long, and is so many answers, at the most. */
function mayBeOwed({ context, clock }: Work, from: Address): boolean {
  const { startedAt, config, peers, foreign } = context;
  if (!peers.has(from) || clock.now - startedAt >= config.blockFetchTimeout) return false;
  return (foreign.get(from) ?? 0) < FOREIGN_MAX;
}

export function takeAnswer(work: Work, from: Address, message: SyncAnswer): void {
  const reception = received(work.context.book, from, message);
  if (reception.status === 'foreign' && mayBeOwed(work, from)) {
    const { foreign } = work.context;
    change(work, { foreign: new Map(foreign).set(from, (foreign.get(from) ?? 0) + 1) });
    count(work, 'foreign');
    return;
  }
  if (reception.status === 'foreign' || reception.status === 'unrequested') {
    count(work, 'unrequested');
    blame(work, from, 'UNREQUESTED');
    return;
  }
  change(work, { book: reception.book });
  if (reception.status === 'outdated') {
    count(work, 'outdated');
    return;
  }
  const { question, status } = reception;
  if (status === 'open') {
    cancelTimer(work, `question/${message.requestId}`);
    // A peer that answers what was asked since it was last gone is there.
    recordConnected(work, from);
    if (message.kind !== 'Blocks' && message.kind !== 'SnapshotChunk')
      recordLatency(work, from, work.clock.now - question.askedAt);
  }
  takeMessage(work, question, message);
  retryPendingBlocks(work);
}

function recordLatency(work: Work, peer: Address, took: number): void {
  const state = work.context.peers.get(peer)?.state;
  if (state !== undefined) recordState(work, withLatency(state, took));
}

/** SY-6: a short answer counts as long as all that was asked for would take at its speed, unless it is ample. */
function recordSpeed(
  work: Work,
  { peer, message: asked, askedAt }: OpenQuestion,
  answer: BlocksMessage,
): void {
  const given = answer.blocks.length;
  const took = work.clock.now - askedAt;
  const record = (counted: number, all: number): void =>
    recordPeer(work, peer, (known) => withGiven(known, timeForAll(took, counted, all)));
  if (asked.kind === 'GetBlock') record(given, asked.ancestors + 1);
  if (asked.kind !== 'GetBlocks') return;
  const wanted = Math.min(asked.limit, answer.height - asked.from + 1);
  const bytes = costOf(answer.blocks, answer.batches);
  record(isAmple(bytes, false) ? wanted : given, wanted);
}

function takeMessage(work: Work, question: OpenQuestion, message: SyncAnswer): void {
  const { peer } = question;
  switch (message.kind) {
    case 'BlockHeight':
      // SY-3, SY-5: compared with what this node has committed at the height, if it has.
      request(work, { kind: 'claim', peer, message });
      return;
    case 'GenesisHash':
      takeGenesis(work, peer, message);
      endQuestion(work, question);
      return;
    case 'BlockHash':
      takeVote(work, question, message);
      endQuestion(work, question);
      return;
    case 'Blocks':
      takeBlocks(work, question, message);
      return;
    case 'Chain':
      takeChain(work, question, message);
      endQuestion(work, question);
      return;
    case 'Snapshot':
      takeSnapshot(work, question, message.manifest);
      endQuestion(work, question);
      return;
    case 'SnapshotChunk':
      takeChunk(work, question, message);
      return;
    case 'Epochs':
      takeEpochs(work, question, message);
      return;
  }
}

/** Storage is asked for what the claim is judged by. */
function request(work: Work, reading: Reading): void {
  const { storage } = work.context;
  const tag = work.context.tag + 1;
  change(work, { tag, readings: new Map(work.context.readings).set(tag, reading) });
  const to = { replyTo: work.clock.address, tag };
  work.effects.push(
    reading.kind === 'claim'
      ? telling(storage, { type: 'blockIds.requested', ...to, heights: [reading.message.height] })
      : telling(storage, {
          ...{ type: 'blocks.requested', ...to, from: reading.tip.height, limit: 2 },
          bytesMax: KINDS.Blocks.bytesMax,
        }),
  );
}

function takeReading(work: Work, tag: number): Reading | undefined {
  const reading = work.context.readings.get(tag);
  const readings = new Map(work.context.readings);
  readings.delete(tag);
  change(work, { readings });
  return reading;
}

export function judgeClaim(work: Work, { tag, ids }: Found<'blockIds.found'>): void {
  const reading = takeReading(work, tag);
  if (reading?.kind !== 'claim') return;
  const { peer, message } = reading;
  const held = ids.find(({ height }) => height === message.height)?.id;
  const { epoch, bls, verified } = work.context;
  const judged = ruleOnClaim(epoch, bls, verified, message, held);
  change(work, { verified: judged.verified });
  if (work.context.peers.get(peer)?.presence === 'connected')
    act(work, peer, message.requestId, judged.ruling);
  endAwaiting(work, peer, 'GetBlockHeight', undefined);
  retryPendingBlocks(work);
}

function act(work: Work, peer: Address, requestId: number, ruling: ClaimRuling): void {
  switch (ruling.status) {
    case 'accepted':
      recordClaim(work, peer, requestId, ruling.claim);
      return;
    case 'false':
      chargeLie(work, peer, ruling.code);
      distrust(work, peer);
      return;
    case 'notUnderstood':
      return;
    case 'fork':
      distrust(work, peer);
      request(work, { kind: 'fork', peer, tip: ruling.tip });
      return;
  }
}

function recordClaim(work: Work, peer: Address, requestId: number, claim: PeerClaim): void {
  const known = work.context.peers.get(peer);
  // An answer that was overtaken by a later one says nothing new.
  if (known === undefined || requestId < known.claimedBy) return;
  const before = known.state.claim;
  const hasGoneBack = before !== undefined && wentBack(before, claim);
  // Of two questions under way at once, the network may have let the second overtake the first: what is known already is newer.
  if (hasGoneBack && requestId <= known.claimedAmong) return;
  const state = { ...known.state, claim, answeredAt: work.clock.now };
  const claimedAmong = work.context.book.requestId;
  const answered = { ...known, state, claimedBy: requestId, claimedAmong };
  change(work, { peers: new Map(work.context.peers).set(peer, answered) });
  if (hasGoneBack) {
    chargeLie(work, peer, 'HEIGHT_WENT_BACK');
    return;
  }
  if (claim.status === 'later') meet(work, peer, claim.epoch);
  if (claim.status === 'proved') thank(work, peer);
  const tip = provedTipOf(claim);
  if (tip === undefined) return;
  const others = [...work.context.peers.values()]
    .map(({ state: other }) => ({ peer: other.peer, claim: other.claim }))
    .filter((other) => other.peer !== peer)
    .sort((left, right) => (left.peer < right.peer ? -1 : 1));
  const evidence = forkAmong(tip, others);
  if (evidence !== undefined) tellFork(work, peer, evidence);
}

/** CS-16: how this node's epoch ended is asked of whoever is in a later one. */
function meet(work: Work, from: Address, epoch: Epoch | undefined): void {
  if (epoch === undefined || epoch <= work.context.epoch.epoch) return;
  const met: EpochMet = { type: 'epoch.met', from, epoch };
  work.effects.push(telling(work.context.epochKeeper, met));
}

/** SY-5: this node's own proof was read. */
export function proveFork(work: Work, { tag, blocks, commitProof }: Found<'blocks.found'>): void {
  const reading = takeReading(work, tag);
  if (reading?.kind !== 'fork') return;
  const { epoch, bls } = work.context;
  const own = ownTip(epoch, bls, blocks, commitProof);
  const evidence = own === undefined ? undefined : forkOf(own, reading.tip);
  if (evidence !== undefined) tellFork(work, reading.peer, evidence);
}

function tellFork(work: Work, from: Address, evidence: ForkEvidence): void {
  count(work, 'forks');
  tellAsker(work, { replyTo: work.context.networkSync }, { type: 'fork.found', evidence, from });
}

/** Storage did not serve: no peer's fault. Who waits for the claim goes on without it. */
export function forgetReading(work: Work, tag: number): void {
  const reading = takeReading(work, tag);
  count(work, 'storageFailures');
  if (reading?.kind === 'claim') endAwaiting(work, reading.peer, 'GetBlockHeight', undefined);
}

/** SY-4: compared with this node's own; the handshake has bound it already. */
function takeGenesis(work: Work, peer: Address, { genesisHash }: AnswerOf<'GenesisHash'>): void {
  const state = work.context.peers.get(peer)?.state;
  if (state !== undefined) recordState(work, { ...state, genesisHash });
  if (genesisHash === work.context.epoch.domain.genesisHash) return;
  chargeLie(work, peer, 'GENESIS_DIFFERS');
  distrust(work, peer);
  askEveryGenesis(work);
}

function takeVote(
  work: Work,
  { peer, task: of, message: asked }: OpenQuestion,
  message: AnswerOf<'BlockHash'>,
): void {
  if (asked.kind !== 'GetBlockHash' || asked.height !== message.height) {
    chargeLie(work, peer, CLAIM_FALSE);
    return;
  }
  const task = of === undefined ? undefined : work.context.tasks.get(of);
  if (of === undefined || task?.kind !== 'hash') return;
  const vote = message.id === undefined ? { peer } : { peer, hash: message.id };
  withTask(work, of, { ...task, votes: [...task.votes, vote] });
}

/** SY-8: handed on as they came; block-sync verifies them and judges who gave them. */
function takeBlocks(work: Work, question: OpenQuestion, message: BlocksMessage): void {
  const { peer, task: id, message: asked, askedAt } = question;
  const { blocks, batches } = message;
  meet(work, peer, blocks[0]?.block.header.epoch);
  if (!isAnswerTo(question, message)) {
    chargeLie(work, peer, BAD_BLOCKS);
    endFetchQuestion(work, question, `${peer} answered with other blocks than it was asked for`);
    return;
  }
  if (blocks.length === 0) {
    // It may honestly have nothing to give now, even of what it has proved that it holds (SY-8).
    if (asked.kind === 'GetBlocks')
      recordPeer(work, peer, (known) => withDeclined(known, work.clock.now - askedAt, work.clock.now));
    endFetchQuestion(work, question, `${peer} holds none of it`);
    return;
  }
  recordSpeed(work, question, { ...message, height: heightOf(work, question, message) });
  const task = id === undefined ? undefined : work.context.tasks.get(id);
  if (id === undefined || task?.kind !== 'fetch') return;
  const height = heightOf(work, question, message);
  const answered = task.answered + 1;
  tellAsker(work, task, { type: 'blocks.answered', tag: task.tag, peer, blocks, batches, height });
  withTask(work, id, { ...task, answered });
  requestBlocksRedundant(work, id);
}

function endFetchQuestion(work: Work, question: OpenQuestion, detail: string): void {
  endQuestion(work, question, { code: 'BlockNotFound', detail });
}

/** Not more than was asked for, and beginning where it was asked. Everything else is block-sync's to judge. */
function isAnswerTo({ message: asked }: OpenQuestion, { blocks }: BlocksMessage): boolean {
  if (asked.kind === 'GetBlock') return blocks.length <= asked.ancestors + 1;
  if (asked.kind !== 'GetBlocks') return false;
  const [first] = blocks;
  return blocks.length <= asked.limit && (first === undefined || first.block.header.height === asked.from);
}

const provedHeight = (work: Work, peer: Address): Height => {
  const claim = work.context.peers.get(peer)?.state.claim;
  return claim?.status === 'proved' ? claim.height : GENESIS_HEIGHT;
};

/** SY-3: its committed height as it says, and not below what it has proved. */
const heightOf = (work: Work, { peer }: OpenQuestion, { height }: BlocksMessage): Height =>
  maxHeight(height, provedHeight(work, peer));

function takeChain(work: Work, { peer, task: id }: OpenQuestion, chain: AnswerOf<'Chain'>): void {
  const { epoch, bls, verified } = work.context;
  const judged = ruleOnChain(epoch, bls, verified, chain);
  change(work, { verified: judged.verified });
  if (judged.ruling === 'notUnderstood') meet(work, peer, chain.proof?.epoch);
  if (judged.ruling === 'false') {
    chargeLie(work, peer, CLAIM_FALSE);
    distrust(work, peer);
    return;
  }
  const task = id === undefined ? undefined : work.context.tasks.get(id);
  if (id === undefined || task?.kind !== 'chains') return;
  // CS-16: of another epoch the asker judges, who comes to know its validators.
  const found = [...task.found, { peer, chain }].sort((left, right) => (left.peer < right.peer ? -1 : 1));
  withTask(work, id, { ...task, found });
}

function takeSnapshot(
  work: Work,
  { peer, task: id }: OpenQuestion,
  manifest: SnapshotManifest | undefined,
): void {
  if (manifest === undefined) return;
  if (manifestProblem(manifest, Number.POSITIVE_INFINITY) !== undefined) {
    chargeLie(work, peer, CLAIM_FALSE);
    return;
  }
  const task = id === undefined ? undefined : work.context.tasks.get(id);
  if (id === undefined || task?.kind !== 'snapshots') return;
  const found = [...task.found, { peer, manifest }].sort((left, right) => (left.peer < right.peer ? -1 : 1));
  withTask(work, id, { ...task, found });
}

function takeChunk(work: Work, question: OpenQuestion, { bytes }: AnswerOf<'SnapshotChunk'>): void {
  const { peer, task: id } = question;
  const task = id === undefined ? undefined : work.context.tasks.get(id);
  if (id === undefined || task?.kind !== 'chunk') return;
  if (bytes === undefined) {
    endFetchQuestion(work, question, `${peer} keeps it no more`);
    return;
  }
  withoutTask(work, id);
  tellAsker(work, task, { type: 'snapshotChunk.answered', tag: task.tag, bytes });
}

/** Handed on as they came: chain-sync verifies them, and judges who gave them. */
function takeEpochs(work: Work, { task: id }: OpenQuestion, { changes }: AnswerOf<'Epochs'>): void {
  const task = id === undefined ? undefined : work.context.tasks.get(id);
  if (id === undefined || task?.kind !== 'epochs') return;
  withoutTask(work, id);
  tellAsker(work, task, { type: 'epochs.answered', tag: task.tag, changes });
}

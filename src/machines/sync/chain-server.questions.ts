/**
 * How the chain-server takes questions: answered at once, read at once, or waiting for their asker's share, then in a queue for
 * a place. Who rests takes no place, who comes later none before the others. Pure. Rules SY-3, SY-4, SY-8 to SY-10, docs/protocol/sync.md.
 */

import { FIRST_EPOCH, previousEpoch } from '../../protocol/chain/ordinals.ts';
import type { Address } from '../../protocol/chain/types.ts';
import type { SnapshotKeeperRequest } from '../../protocol/ports/snapshots.ts';
import type { StorageRequest } from '../../protocol/ports/storage.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';
import type { SyncAnswer, SyncQuestion } from '../../protocol/sync/messages.ts';
import {
  BLOCKS_READ_MAX,
  batchesFor,
  SERVING_RATE,
  sizeOf,
  WAITING_MAX,
  WAITING_PER_PEER_MAX,
} from '../../protocol/sync/serving.ts';
import { oweTokens } from '../../protocol/transport/bucket.ts';
import { KINDS } from '../../protocol/transport/kinds.ts';
import { BLOCKS_MAX } from '../../protocol/transport/limits.ts';
import {
  type ChainServerContext,
  type Clock,
  counted,
  type Decided,
  declined,
  type Reading,
  send,
  shareOf,
  taken,
  type Waiting,
} from './chain-server.live.ts';

/** The keeper may begin anew, and forget whom it owes an answer. @unit ms @source chosen: many reads of a slow disk */
const KEEPER_SILENCE_MS = 10_000;

/** A question is answered at once where nothing need be read, else when storage has answered. */
export function takeQuestion(
  context: ChainServerContext,
  peer: Address,
  question: SyncQuestion,
  clock: Clock,
): Decided {
  const { requestId } = question;
  const atOnce = (message: SyncAnswer): Decided => ({
    context: counted(context, 'answered'),
    effects: [send(context, peer, message)],
  });
  if (question.kind === 'GetGenesisHash') {
    return atOnce({ kind: 'GenesisHash', requestId, genesisHash: context.epoch.domain.genesisHash });
  }
  if (context.snapshotKeeper === undefined) {
    if (question.kind === 'GetSnapshot') return atOnce({ kind: 'Snapshot', requestId });
    if (question.kind === 'GetSnapshotChunk') return atOnce({ kind: 'SnapshotChunk', requestId });
  }
  const reading = readingFor(question);
  const size = sizeOf(question);
  if (hasTooMany(context, peer, size)) {
    const isForBlocks = reading.step === 'blocks';
    return {
      context: counted(context, 'dropped'),
      effects: declined(context, { peer, requestId, isForBlocks }),
    };
  }
  const waiting: Waiting = { ...reading, peer, requestId, size, stage: 'reading' };
  return size === 'small' ? read(context, waiting, clock.address) : queueOrRest(context, waiting, clock);
}

function readingFor(question: Exclude<SyncQuestion, { kind: 'GetGenesisHash' }>): Reading {
  switch (question.kind) {
    case 'GetBlocks':
    case 'GetBlock':
      return { step: 'blocks', question };
    case 'GetBlockHeight':
      return { step: 'tip' };
    case 'GetBlockHash':
      return { step: 'id', height: question.height };
    case 'GetChain':
      return { step: 'chainTip' };
    case 'GetSnapshot':
      return { step: 'manifest' };
    case 'GetSnapshotChunk':
      return { step: 'chunk', question };
    case 'GetEpochs':
      return { step: 'epochs', question };
  }
}

function hasTooMany({ waiting }: ChainServerContext, peer: Address, size: Waiting['size']): boolean {
  if (waiting.size >= WAITING_MAX) return true;
  const own = [...waiting.values()].filter((one) => one.peer === peer && one.size === size);
  return own.length >= WAITING_PER_PEER_MAX[size];
}

/** The time to rest is over. */
export function endRest(context: ChainServerContext, tag: number, clock: Clock): Decided {
  const { asked, rest } = taken(context, tag);
  return asked?.stage === 'resting' ? queueOrRest({ ...context, waiting: rest }, asked, clock) : {};
}

/** SY-6: whoever has had its share rests; the others come into the queue, oldest first. */
function queueOrRest(context: ChainServerContext, waiting: Waiting, { now, address }: Clock): Decided {
  const { rest: delayMs } = oweTokens(shareOf(context, waiting.peer, now), SERVING_RATE, now, 0);
  const tag = context.tag + 1;
  const noted = (stage: Waiting['stage']): ChainServerContext => ({
    ...context,
    tag,
    waiting: new Map(context.waiting).set(tag, { ...waiting, stage }),
  });
  if (delayMs === 0) return readNext(noted('queued'), address);
  const rests = noted('resting');
  return {
    context: waiting.stage === 'resting' ? rests : { ...rests, ...counted(rests, 'rested') },
    effects: [{ kind: 'startTimer', key: `rest/${tag}`, delayMs, message: { type: 'rest.ended', tag } }],
  };
}

/** Who has waited longest in the queue gets the place that is free, if one is. */
function readNext(context: ChainServerContext, replyTo: CellAddress): Decided {
  const large = [...context.waiting].filter(([, { size }]) => size === 'blocks');
  const next = large.find(([, { stage }]) => stage === 'queued');
  const busy = large.filter(([, { stage }]) => stage === 'reading').length;
  if (next === undefined || busy >= BLOCKS_READ_MAX) return { context };
  const [tag, waiting] = next;
  const { rest } = taken(context, tag);
  return read({ ...context, waiting: rest }, { ...waiting, stage: 'reading' }, replyTo);
}

/** What follows an answer: its place goes to the next. */
export function thenNext(context: ChainServerContext, done: Decided, replyTo: CellAddress): Decided {
  const next = readNext({ ...context, ...done.context }, replyTo);
  return { ...next, effects: [...(done.effects ?? []), ...(next.effects ?? [])] };
}

interface ReplyPlace {
  readonly replyTo: CellAddress;
  readonly tag: number;
}

/** Asks for what is read next for the asker, under a tag of its own. */
export function read(context: ChainServerContext, waiting: Waiting, replyTo: CellAddress): Decided {
  const tag = context.tag + 1;
  const next = { ...context, tag, waiting: new Map(context.waiting).set(tag, waiting) };
  const { storage, snapshotKeeper } = context;
  if (waiting.step === 'manifest' || waiting.step === 'chunk') {
    if (snapshotKeeper === undefined) return {};
    const request = keeperRequestFor(waiting, { replyTo, tag });
    return { context: next, effects: [telling(snapshotKeeper, request), awaitingKeeper(tag)] };
  }
  return { context: next, effects: [telling(storage, requestFor(waiting, { replyTo, tag }))] };
}

const awaitingKeeper = (tag: number): Effect => ({
  kind: 'startTimer',
  key: `keeper/${tag}`,
  delayMs: KEEPER_SILENCE_MS,
  message: { type: 'keeper.silent', tag },
});

function keeperRequestFor(
  waiting: Extract<Reading, { step: 'manifest' | 'chunk' }>,
  to: ReplyPlace,
): SnapshotKeeperRequest {
  if (waiting.step === 'manifest') return { type: 'manifest.requested', ...to };
  const { height, format, chunk } = waiting.question;
  return { type: 'chunk.requested', ...to, height, format, chunk };
}

function requestFor(
  waiting: Exclude<Reading, { step: 'manifest' | 'chunk' }>,
  to: ReplyPlace,
): StorageRequest {
  switch (waiting.step) {
    case 'blocks': {
      const { question } = waiting;
      if (question.kind === 'GetBlock') {
        return { type: 'block.requested', ...to, id: question.id, ancestors: question.ancestors };
      }
      const limit = Math.min(question.limit, BLOCKS_MAX);
      return { type: 'blocks.requested', ...to, from: question.from, limit, bytesMax: KINDS.Blocks.bytesMax };
    }
    case 'epoch': {
      const from = previousEpoch(waiting.epoch) ?? FIRST_EPOCH;
      return { type: 'epochs.requested', ...to, from, limit: 1 };
    }
    case 'epochs': {
      const { from, limit } = waiting.question;
      return { type: 'epochs.requested', ...to, from, limit };
    }
    case 'batches':
      return { type: 'batches.requested', ...to, digests: batchesFor(waiting.blocks).digests };
    case 'tip':
    case 'chainTip':
      return { type: 'tip.requested', ...to };
    case 'id':
      return { type: 'blockIds.requested', ...to, heights: [waiting.height] };
    case 'checkpoints':
      return { type: 'blockIds.requested', ...to, heights: waiting.heights };
  }
}

/** Storage, or the keeper, did not serve. Who asked for blocks hears that, and asks another node. */
export function forgetAsker(context: ChainServerContext, tag: number): Decided {
  const { asked, rest } = taken(context, tag);
  if (asked === undefined) return {};
  const isForBlocks = asked.size === 'blocks' && asked.step !== 'chunk' && asked.step !== 'epochs';
  return {
    context: { ...counted(context, 'failed'), waiting: rest },
    effects: declined(context, { ...asked, isForBlocks }),
  };
}

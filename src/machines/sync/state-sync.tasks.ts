/** What those who asked state-sync are told, and when. Pure. Rules SY-1, SY-2, SY-4, docs/protocol/sync.md. */
import { type Millis, type Monotonic, millis } from '../../base/units.ts';
import type { Address } from '../../protocol/chain/types.ts';
import { powerOf } from '../../protocol/chain/validator-set.ts';
import type { StateSyncReply } from '../../protocol/ports/sync.ts';
import { genesisOutcomeOf, hashOutcomeOf } from '../../protocol/sync/hash-votes.ts';
import { connectedOf, isFresh } from '../../protocol/sync/peers.ts';
import type { QuestionKind } from '../../protocol/sync/questions.ts';
import type { PeerState } from '../../protocol/sync/types.ts';
import {
  type StateSyncContext,
  type Task,
  tellAsker,
  type Work,
  withoutTask,
  withTask,
} from './state-sync.live.ts';

const AWAITED: Readonly<Partial<Record<QuestionKind, Task['kind']>>> = {
  GetBlockHeight: 'poll',
  GetGenesisHash: 'genesis',
  GetBlockHash: 'hash',
  GetChain: 'chains',
  GetSnapshot: 'snapshots',
};

/** The peer's answer has come, or will not; `of`: the task whose question it was, if it was one's alone. */
export function endAwaiting(work: Work, peer: Address, kind: QuestionKind, of: number | undefined): void {
  for (const [id, task] of work.context.tasks) {
    if (task.kind !== AWAITED[kind] || (of !== undefined && of !== id)) continue;
    if (!('awaiting' in task) || !task.awaiting.has(peer)) continue;
    const awaiting = new Set(task.awaiting);
    awaiting.delete(peer);
    withTask(work, id, { ...task, awaiting });
    finishIfDone(work, id);
  }
}

export function finishIfDone(work: Work, id: number): void {
  const task = work.context.tasks.get(id);
  if (task === undefined || !('awaiting' in task)) return;
  if (task.awaiting.size === 0 || isDecided(work, task)) finish(work, id);
}

/** SY-4: those who are silent could not make a split any more; liars who say nothing hold no check up. */
function isDecided(work: Work, task: Task): boolean {
  if (task.kind !== 'genesis') return false;
  const { set } = work.context.epoch;
  const silent = [...task.awaiting].reduce((sum, peer) => sum + powerOf(set, peer), 0n);
  if (silent >= set.honestPower) return false;
  const reply = replyFor(work, task);
  return reply.type === 'genesis.verified' && reply.outcome.status === 'unanimous';
}

/** All have answered, or the time is over. */
export function finish(work: Work, id: number): void {
  const task = work.context.tasks.get(id);
  if (task === undefined) return;
  withoutTask(work, id);
  tellAsker(work, task, replyFor(work, task));
}

/** What has come of it by now. */
export function replyFor({ context, clock }: Work, task: Task): StateSyncReply {
  const { epoch, peers } = context;
  const { tag } = task;
  switch (task.kind) {
    case 'poll': {
      const connected = connectedOf(peers).map((state) => believed(context, state, clock.now));
      const answered = connected
        .filter((state) => hasAnswered(state, task, clock.now))
        .map(({ peer }) => peer);
      return { type: 'peers.polled', tag, peers: connected, answered };
    }
    case 'genesis': {
      const known = [...peers.values()].flatMap(({ state: { peer, genesisHash } }) =>
        genesisHash === undefined ? [] : [{ peer, hash: genesisHash }],
      );
      const outcome = genesisOutcomeOf(epoch.set, epoch.domain.genesisHash, task.asked, known);
      return { type: 'genesis.verified', tag, outcome };
    }
    case 'hash': {
      const outcome = hashOutcomeOf(epoch.set, task.id, task.votes, task.connected);
      return { type: 'hash.verified', tag, outcome };
    }
    case 'fetch':
      return { type: 'fetch.failed', tag, error: task.error, tried: task.tried };
    case 'chains':
      return { type: 'chains.answered', tag, chains: task.found };
    case 'snapshots':
      return { type: 'snapshots.answered', tag, snapshots: task.found };
    case 'chunk':
    case 'epochs': {
      const error = { code: 'NoPeersAvailable', detail: `${task.peer} cannot be asked now` } as const;
      return { type: 'fetch.failed', tag, error, tried: [] };
    }
  }
}

/** SY-3: a claim is believed for peerCacheTtl. */
function believed({ config }: StateSyncContext, state: PeerState, now: Monotonic): PeerState {
  if (isFresh(state, config.peerCacheTtl, now)) return state;
  const { claim: _, ...rest } = state;
  return rest;
}

/** In this poll, or lately enough. */
function hasAnswered(
  state: PeerState,
  { since, maxAge }: { readonly since: Monotonic; readonly maxAge: Millis },
  now: Monotonic,
): boolean {
  if (state.claim === undefined || state.answeredAt === undefined) return false;
  return state.answeredAt >= since || isFresh(state, millis(maxAge), now);
}

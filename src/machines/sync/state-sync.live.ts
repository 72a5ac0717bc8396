/**
 * What state-sync knows, and what can be read off it. Pure. Rules SY-1 to SY-6, docs/protocol/sync.md; the rules themselves
 * are in protocol/sync/{peers,reputation,claims,questions,hash-votes}.ts.
 */
import type { Millis, Monotonic, WallTime } from '../../base/units.ts';
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import type { Address, BlockId, Height } from '../../protocol/chain/types.ts';
import type { EpochContext } from '../../protocol/consensus/epoch.ts';
import { NONE_VERIFIED, type VerifiedCertificates } from '../../protocol/consensus/verified.ts';
import type { StateSyncReply, StateSyncRequest } from '../../protocol/ports/sync.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';
import type { SyncConfig } from '../../protocol/sync/config.ts';
import type { HashVote } from '../../protocol/sync/hash-votes.ts';
import type { BlockHeightMessage } from '../../protocol/sync/messages.ts';
import { type KnownPeers, knownAtStart, withSet } from '../../protocol/sync/peers.ts';
import { emptyBook, type QuestionBook } from '../../protocol/sync/questions.ts';
import type { ProvedTip, Reputation, SyncError } from '../../protocol/sync/types.ts';
import type { Decision } from '../vocabulary/index.ts';
import type { EpochAsker } from './epoch.ts';

export interface StateSyncInput extends EpochAsker {
  readonly self: Address;
  readonly bls: BlsEngine;
  readonly config: SyncConfig;
  readonly storage: CellAddress;
  readonly router: CellAddress;
  /** Hears of forks. */
  readonly networkSync: CellAddress;
  /** Hears of peers that are in later epochs. */
  readonly epochKeeper: CellAddress;
}

interface Asker {
  readonly replyTo: CellAddress;
  readonly tag: number;
}

type RequestOf<Type extends StateSyncRequest['type']> = Extract<StateSyncRequest, { type: Type }>;
type ReplyOf<Type extends StateSyncReply['type']> = Extract<StateSyncReply, { type: Type }>;

export type FetchTask = Asker & {
  readonly kind: 'fetch';
  readonly request: RequestOf<'blocks.fetchRequested'>;
  readonly tried: readonly Address[];
  /** Peers that were asked beyond the request, because a gap was hurried. */
  readonly hurried: number;
  readonly answered: number;
  /** Why the newest failure was one. */
  readonly error: SyncError;
};

/** What somebody waits for. `awaiting`: the peers whose answers are still to come. */
export type Task =
  | (Asker & {
      readonly kind: 'poll';
      readonly maxAge: Millis;
      readonly since: Monotonic;
      readonly awaiting: ReadonlySet<Address>;
    })
  | (Asker & {
      readonly kind: 'genesis';
      readonly asked: readonly Address[];
      readonly awaiting: ReadonlySet<Address>;
    })
  | (Asker & {
      readonly kind: 'hash';
      readonly height: Height;
      readonly id: BlockId;
      readonly connected: number;
      readonly votes: readonly HashVote<BlockId>[];
      readonly awaiting: ReadonlySet<Address>;
    })
  | FetchTask
  | (Asker & {
      readonly kind: 'chains';
      readonly found: ReplyOf<'chains.answered'>['chains'];
      readonly awaiting: ReadonlySet<Address>;
    })
  | (Asker & {
      readonly kind: 'snapshots';
      readonly found: ReplyOf<'snapshots.answered'>['snapshots'];
      readonly awaiting: ReadonlySet<Address>;
    })
  /** A question to one peer alone. */
  | (Asker & { readonly kind: 'chunk' | 'epochs'; readonly peer: Address });

/** What storage is asked while a claim is judged. */
export type Reading =
  | {
      readonly kind: 'claim';
      readonly peer: Address;
      readonly message: BlockHeightMessage;
    }
  | { readonly kind: 'fork'; readonly peer: Address; readonly tip: ProvedTip };

export interface StateSyncCounts {
  /** Requests for which there was no place. */
  readonly refused: number;
  readonly timeouts: number;
  readonly unrequested: number;
  /** Answers to an earlier life of this cell. */
  readonly foreign: number;
  /** Answers that came so late that their questions were forgotten. */
  readonly outdated: number;
  readonly lies: number;
  readonly forks: number;
  /** Requests that storage did not serve. */
  readonly storageFailures: number;
}

export interface StateSyncContext extends StateSyncInput {
  readonly startedAt: Monotonic;
  readonly peers: KnownPeers;
  readonly book: QuestionBook;
  /** Answers to an earlier life by peer. Bounded by the validators. */
  readonly foreign: ReadonlyMap<Address, number>;
  /** By their order. At most TASKS_MAX. */
  readonly tasks: ReadonlyMap<number, Task>;
  readonly taskId: number;
  /** By storage tag; bounded by the questions. */
  readonly readings: ReadonlyMap<number, Reading>;
  readonly tag: number;
  readonly verified: VerifiedCertificates;
  /** When the reputations are written next; undefined: nothing has changed. */
  readonly persistAt: Monotonic | undefined;
  readonly persistedAt: Monotonic;
  readonly counts: StateSyncCounts;
}

/** Requests that are being worked on; above it a newer one is refused at once. @unit requests @source the window's batches, and every asker's own */
export const TASKS_MAX = 128;

export type StateSyncPrivateEvent =
  | { readonly type: 'question.expired'; readonly requestId: number }
  | { readonly type: 'task.expired'; readonly task: number }
  | { readonly type: 'asking.due' }
  | { readonly type: 'reputations.due' };

/** What a step sees of the world. */
export interface Clock {
  readonly now: Monotonic;
  readonly wall: WallTime;
  readonly address: CellAddress;
  readonly draw: () => number;
}

/** One step as it is being made: what is known by now, and what is asked for so far. */
export interface Work {
  context: StateSyncContext;
  readonly effects: Effect[];
  readonly clock: Clock;
}

/** Makes one step's decision by some work. */
export function decide(
  context: StateSyncContext,
  clock: Clock,
  ...parts: readonly ((work: Work) => void)[]
): Decision<StateSyncContext> {
  const work: Work = { context, effects: [], clock };
  for (const part of parts) part(work);
  return { context: work.context, effects: work.effects };
}

export function initialStateSync(
  input: StateSyncInput,
  { now, wall }: Pick<Clock, 'now' | 'wall'>,
): StateSyncContext {
  return {
    ...input,
    startedAt: now,
    peers: knownAtStart(input.epoch.set, input.self, [], wall),
    book: emptyBook(now),
    foreign: new Map(),
    tasks: new Map(),
    taskId: 0,
    readings: new Map(),
    tag: 0,
    verified: NONE_VERIFIED,
    persistAt: undefined,
    persistedAt: now,
    counts: {
      refused: 0,
      timeouts: 0,
      unrequested: 0,
      foreign: 0,
      outdated: 0,
      lies: 0,
      forks: 0,
      storageFailures: 0,
    },
  };
}

/** Who was known before this node stopped. */
export function recordKept(work: Work, kept: readonly Reputation[]): void {
  const { epoch, self } = work.context;
  change(work, { peers: knownAtStart(epoch.set, self, kept, work.clock.wall) });
}

/** CS-16: the claims are asked for anew, and judged by the new set. */
export function recordEpoch(work: Work, epoch: EpochContext): void {
  const { peers, self } = work.context;
  change(work, { epoch, peers: withSet(peers, epoch.set, self, work.clock.wall) });
}

export function change(work: Work, changes: Partial<StateSyncContext>): void {
  work.context = { ...work.context, ...changes };
}

export function count(work: Work, name: keyof StateSyncCounts): void {
  const { counts } = work.context;
  change(work, { counts: { ...counts, [name]: counts[name] + 1 } });
}

export function tellAsker(work: Work, { replyTo }: Pick<Asker, 'replyTo'>, reply: StateSyncReply): void {
  work.effects.push(telling(replyTo, reply));
}

export function startTimer(work: Work, key: string, delayMs: number, message: StateSyncPrivateEvent): void {
  work.effects.push({ kind: 'startTimer', key, delayMs, message });
}

export function cancelTimer(work: Work, key: string): void {
  work.effects.push({ kind: 'cancelTimer', key });
}

export function withTask(work: Work, id: number, task: Task): void {
  change(work, { tasks: new Map(work.context.tasks).set(id, task) });
}

export function withoutTask(work: Work, id: number): void {
  const tasks = new Map(work.context.tasks);
  tasks.delete(id);
  change(work, { tasks });
  cancelTimer(work, `task/${id}`);
}

/** Seed 002: blocks are being fetched. */
export const isSyncing = (context: StateSyncContext): boolean => fetchesOf(context).length > 0;

/** Seed 002: blocks that were asked for and have not come. */
export const pendingBlockCount = (context: StateSyncContext): number =>
  fetchesOf(context)
    .map(({ request: { query } }) => (query.by === 'height' ? query.limit : query.ancestors + 1))
    .reduce((sum, blocks) => sum + blocks, 0);

const fetchesOf = ({ tasks }: StateSyncContext): readonly FetchTask[] =>
  [...tasks.values()].filter((task) => task.kind === 'fetch');

/**
 * The boundary actor that makes an application out of a snapshot's chunks, in a folder of its own beside the running one, and
 * says what it has come to. It believes nothing: whoever asks compares the hash with the certified one.
 * Rule SY-10, docs/applications.md.
 */
import { type BoundaryLogic, declare, type HandlerContext, handler } from '../actors/runtime/index.ts';
import type { ExecutedState } from '../protocol/chain/types.ts';
import type { Application } from '../protocol/ports/application.ts';
import type { RestoreReply, RestoreRequest } from '../protocol/ports/snapshots.ts';
import { messageOf } from './calls.ts';

export interface SnapshotRestorerOptions {
  /** A new application, in the folder that the new chain will have. What an earlier attempt left there is gone. */
  readonly openApplication: () => Application | Promise<Application>;
}

type Settled =
  | { readonly type: 'restore.settled'; readonly life: number; readonly executed: ExecutedState }
  | { readonly type: 'restore.broke'; readonly life: number; readonly detail: string };

export const SNAPSHOT_RESTORER_EVENTS = declare<RestoreRequest | Settled>()(
  'restore.beginRequested',
  'restore.chunkRequested',
  'restore.endRequested',
  'restore.abandonRequested',
  'restore.settled',
  'restore.broke',
);

interface Asked {
  readonly replyTo: string;
  readonly tag: number;
}

/** One attempt; `feed` is read by the application at its own pace. */
interface Attempt {
  readonly life: number;
  readonly feed: ChunkFeed;
  /** Who waits for the end. */
  ending: Asked | undefined;
  /** Why it cannot come to a good end any more. */
  broken: string | undefined;
  /** Settles when the application of this attempt is closed. */
  readonly closed: Promise<void>;
}

interface State {
  life: number;
  attempt: Attempt | undefined;
}

type Context = HandlerContext<State, undefined>;

/** Logic of the cell `node/sync/snapshot-restorer`. One attempt at a time; a new one ends the last. */
export function snapshotRestorerLogic(options: SnapshotRestorerOptions): BoundaryLogic<undefined> {
  return handler<State, RestoreRequest | Settled>({
    init: () => ({ life: 0, attempt: undefined }),
    receive: (message, context) => receive(options, message, context),
    terminate: ({ state }) => leave(state),
  });
}

function receive(
  options: SnapshotRestorerOptions,
  message: RestoreRequest | Settled,
  context: Context,
): void | Promise<void> {
  const { state } = context;
  switch (message.type) {
    case 'restore.beginRequested':
      return begin(options, message, context);
    case 'restore.chunkRequested':
      return take(message, context);
    case 'restore.endRequested': {
      const { attempt } = state;
      if (attempt === undefined || attempt.broken !== undefined) return fail(context, message, attempt);
      attempt.ending = message;
      attempt.feed.end();
      return;
    }
    case 'restore.abandonRequested':
      return leave(state).then(() => tell(context, message, { type: 'restore.abandoned', tag: message.tag }));
    case 'restore.settled':
    case 'restore.broke':
      return settle(message, context);
  }
}

/** The last attempt's application is closed before another is opened in its place. */
async function begin(
  { openApplication }: SnapshotRestorerOptions,
  request: Extract<RestoreRequest, { type: 'restore.beginRequested' }>,
  context: Context,
): Promise<void> {
  const { state } = context;
  await leave(state);
  state.life += 1;
  const { life } = state;
  const feed = new ChunkFeed();
  const { height, format } = request;
  const restored = restore(openApplication, { height, format }, feed);
  // A feed that nobody reads any more takes no chunk either.
  const closed = restored.then(
    (executed) => {
      feed.refuse();
      context.tell(context.self, { type: 'restore.settled', life, executed });
    },
    (error: unknown) => {
      feed.refuse();
      context.tell(context.self, { type: 'restore.broke', life, detail: messageOf(error) });
    },
  );
  state.attempt = { life, feed, ending: undefined, broken: undefined, closed };
  tell(context, request, { type: 'restore.begun', tag: request.tag });
}

/** Where the application stands after the last chunk, when it has been closed. */
async function restore(
  openApplication: SnapshotRestorerOptions['openApplication'],
  offer: Parameters<NonNullable<Application['restoreSnapshot']>>[0],
  feed: ChunkFeed,
): Promise<ExecutedState> {
  const application = await openApplication();
  try {
    if (application.restoreSnapshot === undefined) throw new Error('the application restores no snapshots');
    await application.restoreSnapshot(offer, feed);
    return (await application.info()).executed;
  } finally {
    await application.close?.();
  }
}

/** Answered when the application wants the next one: no chunk piles up here. */
async function take(
  request: Extract<RestoreRequest, { type: 'restore.chunkRequested' }>,
  context: Context,
): Promise<void> {
  const { attempt } = context.state;
  const isTaken = attempt !== undefined && (await attempt.feed.push(request.bytes));
  if (isTaken) tell(context, request, { type: 'restore.took', tag: request.tag });
  // Its reason is in the mailbox behind this message.
  else if (attempt !== undefined && attempt.broken === undefined) attempt.ending ??= request;
  else fail(context, request, attempt);
}

function settle(message: Settled, context: Context): void {
  const { attempt } = context.state;
  if (attempt === undefined || attempt.life !== message.life) return;
  const { ending } = attempt;
  if (message.type === 'restore.broke') attempt.broken = message.detail;
  else attempt.broken = 'the application ended before the last chunk';
  if (ending === undefined) return;
  if (message.type === 'restore.broke' || !attempt.feed.isEnded) {
    fail(context, ending, attempt);
    return;
  }
  context.state.attempt = undefined;
  tell(context, ending, { type: 'restore.ended', tag: ending.tag, executed: message.executed });
}

function fail(context: Context, to: Asked, attempt: Attempt | undefined): void {
  const detail = attempt?.broken ?? 'nothing is being restored';
  tell(context, to, { type: 'restore.failed', tag: to.tag, detail });
}

async function leave(state: State): Promise<void> {
  const { attempt } = state;
  state.attempt = undefined;
  attempt?.feed.break();
  await attempt?.closed;
}

const tell = (context: Context, { replyTo }: Asked, reply: RestoreReply): void =>
  void context.tell(replyTo, reply);

/** Chunks that come by message, as the application reads them. One at a time. */
class ChunkFeed implements AsyncIterable<Uint8Array> {
  #chunk: { readonly bytes: Uint8Array; readonly taken: (isTaken: boolean) => void } | undefined;
  #wake: (() => void) | undefined;
  #state: 'open' | 'ended' | 'broken' | 'refused' = 'open';

  get isEnded(): boolean {
    return this.#state === 'ended';
  }

  /** Resolves when the application reads on, or reads no more (false). */
  push(bytes: Uint8Array): Promise<boolean> {
    if (this.#state !== 'open') return Promise.resolve(false);
    return new Promise((taken) => {
      this.#chunk = { bytes, taken };
      this.#wake?.();
    });
  }

  end(): void {
    this.#stop('ended');
  }

  /** The application's reading throws. */
  break(): void {
    this.#stop('broken');
  }

  /** Nobody reads any more. */
  refuse(): void {
    this.#stop('refused');
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    try {
      for (;;) {
        const chunk = this.#chunk;
        if (chunk !== undefined) {
          yield chunk.bytes;
          this.#chunk = undefined;
          chunk.taken(true);
          continue;
        }
        if (this.#state === 'broken') throw new Error('the restoration was given up');
        if (this.#state !== 'open') return;
        const woken = Promise.withResolvers<void>();
        this.#wake = woken.resolve;
        await woken.promise;
      }
    } finally {
      this.refuse();
    }
  }

  #stop(state: 'ended' | 'broken' | 'refused'): void {
    if (this.#state === 'open') this.#state = state;
    if (state !== 'ended') this.#chunk?.taken(false);
    this.#wake?.();
  }
}

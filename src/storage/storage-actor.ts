/**
 * The boundary actor before the store: requests come as messages, writes that wait together become durable together,
 * and what depends on a write is sent only after it. The chart-side contract is protocol/ports/storage.ts.
 * Rules ST-2, ST-3 (order), ST-8 (groups), docs/storage.md.
 */
import { type BoundaryLogic, type HandlerContext, handler } from '../actors/runtime/index.ts';
import { InvariantViolation } from '../base/invariant.ts';
import { declare } from '../machines/vocabulary/index.ts';
import type { NetworkRequest } from '../protocol/ports/network.ts';
import type { StorageReply, StorageRequest } from '../protocol/ports/storage.ts';
import type { CellAddress } from '../protocol/supervision/effect.ts';
import {
  answerRead,
  isRead,
  type ReadRequest,
  replyOfWrite,
  type WriteRequest,
  writeOf,
} from './requests.ts';
import type { DeviceFailure, Store, WriteOutcome } from './store.ts';

export type StorageFailure = Extract<StorageReply, { type: 'storage.failed' }>;

export interface StorageOptions {
  /** Opened and closed by whoever composes the node; it outlives restarts of the actor. */
  readonly store: Store;
  /** Gets `network.sendRequested` once the record that the messages depend on is durable. */
  readonly routerAddress: CellAddress;
  /** How slow the device is, for each group; undefined: all is done at once. Simulator only. */
  readonly device?: () => DeviceDelay | undefined;
  /** Told of every failure, also of requests that nobody waits for. For the log. */
  readonly onFailure?: (failure: StorageFailure) => void;
}

/** @unit ms. A crash in the first loses the group, in the second only its replies. */
export interface DeviceDelay {
  readonly beforeSyncMs: number;
  readonly afterSyncMs: number;
}

/** Writes of one group; above it the group is written without waiting for more. @unit requests @source ADR 0003 */
const GROUP_REQUESTS_MAX = 256;
/** Batch bytes of one group, likewise. @unit bytes @source ADR 0003 */
const GROUP_BYTES_MAX = 16 * 1_048_576;

/** Requests that wait while the device is busy; the next one is answered with `BUSY`. @unit requests @source RT-7 */
const WAITING_MAX = 4_096;

/** What the actor tells itself. */
type StoragePrivate =
  | { readonly type: 'group.due' }
  | { readonly type: 'group.written' }
  | { readonly type: 'group.synced' };

type StorageMessage = StorageRequest | StoragePrivate;
/** What the cell lets in (RT-16): its own messages come from outside too. */
export const STORAGE_EVENTS = declare<StorageMessage>()(
  'recovery.requested',
  'record.persistRequested',
  'blocks.certified',
  'blocks.commitRequested',
  'batches.persistRequested',
  'batches.requested',
  'batches.uncommittedRequested',
  'batches.released',
  'blocks.requested',
  'block.requested',
  'chainEvidence.requested',
  'execution.persistRequested',
  'tip.requested',
  'blockIds.requested',
  'reputations.requested',
  'reputations.persistRequested',
  'epoch.endRequested',
  'epochs.requested',
  'group.due',
  'group.written',
  'group.synced',
);

type Context = HandlerContext<StorageState, undefined>;

interface Written {
  readonly request: WriteRequest;
  readonly outcome: WriteOutcome | DeviceFailure;
}

/** A group whose turn at the (slow) device lasts. */
type Device =
  | { readonly phase: 'idle' }
  | {
      readonly phase: 'writing';
      readonly requests: readonly WriteRequest[];
      readonly afterSyncMs: number;
      readonly staged: ReturnType<Store['stage']>;
    }
  | { readonly phase: 'answering'; readonly written: readonly Written[] };

interface Busy {
  readonly code: 'BUSY';
  readonly detail: string;
}

interface StorageState {
  readonly writes: WriteRequest[];
  readonly reads: ReadRequest[];
  writeBytes: number;
  /** `group.due` is on its way. */
  due: boolean;
  device: Device;
}

/** Logic of the cell `node/storage`. Writes keep their order; reads wait for the writes that came before them. */
export function storageLogic(options: StorageOptions): BoundaryLogic<undefined> {
  return handler<StorageState, StorageMessage>({
    init: () => ({ writes: [], reads: [], writeBytes: 0, due: false, device: { phase: 'idle' } }),
    receive(message, context) {
      switch (message.type) {
        case 'group.due':
          context.state.due = false;
          return flush(options, context);
        case 'group.written':
          return syncSlowGroup(options, context);
        case 'group.synced':
          return answerSlowGroup(options, context);
        default:
          return accept(options, context, message);
      }
    },
    // An orderly stop writes what waits; after a crash nothing of it was promised.
    terminate(context) {
      const { state } = context;
      if (state.device.phase === 'writing') syncSlowGroup(options, context);
      if (state.device.phase === 'answering') answerSlowGroup(options, context);
      if (state.writes.length > 0) writeGroup(options, context, state.writes.splice(0));
    },
  });
}

function accept(options: StorageOptions, context: Context, request: StorageRequest): void {
  const { state } = context;
  if (state.writes.length + state.reads.length >= WAITING_MAX) {
    const detail = `the device is busy and ${WAITING_MAX} requests wait for it already`;
    fail(options, context, request, { code: 'BUSY', detail });
    return;
  }
  if (isRead(request)) state.reads.push(request);
  else {
    state.writes.push(request);
    if (request.type === 'batches.persistRequested') {
      for (const { bytes } of request.batches) state.writeBytes += bytes.byteLength;
    }
  }
  // Behind everything that is in the mailbox already: those requests join the group.
  if (!state.due) state.due = context.tell(context.self, { type: 'group.due' }) === 'accepted';
  const full =
    state.writes.length >= GROUP_REQUESTS_MAX ||
    state.reads.length >= GROUP_REQUESTS_MAX ||
    state.writeBytes >= GROUP_BYTES_MAX;
  if (full || !state.due) flush(options, context);
}

function flush(options: StorageOptions, context: Context): void {
  const { state } = context;
  if (state.device.phase !== 'idle') return;
  const requests = state.writes.splice(0);
  state.writeBytes = 0;
  const delay = requests.length === 0 ? undefined : options.device?.();
  if (delay === undefined) {
    if (requests.length > 0) writeGroup(options, context, requests);
    answerReads(options, context);
    return;
  }
  const staged = options.store.stage(requests.map(writeOf));
  state.device = { phase: 'writing', requests, staged, afterSyncMs: delay.afterSyncMs };
  context.startTimer('device', delay.beforeSyncMs, { type: 'group.written' });
}

function syncSlowGroup({ store }: StorageOptions, context: Context): void {
  const { device } = context.state;
  if (device.phase !== 'writing') return;
  const written = settle(store, device.requests, device.staged);
  context.state.device = { phase: 'answering', written };
  context.startTimer('device', device.afterSyncMs, { type: 'group.synced' });
}

function answerSlowGroup(options: StorageOptions, context: Context): void {
  const { device } = context.state;
  if (device.phase !== 'answering') return;
  context.state.device = { phase: 'idle' };
  announce(options, context, device.written);
  answerReads(options, context);
  if (context.state.writes.length > 0) flush(options, context);
}

function writeGroup(options: StorageOptions, context: Context, requests: readonly WriteRequest[]): void {
  const { store } = options;
  announce(options, context, settle(store, requests, store.stage(requests.map(writeOf))));
}

// A full disk or a damaged row may concern one request only: the others get a transaction of their own.
function settle(
  store: Store,
  requests: readonly WriteRequest[],
  staged: ReturnType<Store['stage']>,
): readonly Written[] {
  const failure = staged.status === 'failed' ? staged : failureOf(store.sync());
  if (failure === undefined && staged.status === 'staged') {
    return requests.flatMap((request, index) => {
      const outcome = staged.outcomes[index];
      return outcome === undefined ? [] : [{ request, outcome }];
    });
  }
  const lost: DeviceFailure = failure ?? { status: 'failed', code: 'IO', detail: 'the group was not staged' };
  if (requests.length === 1 || lost.code === 'IO') {
    return requests.map((request) => ({ request, outcome: lost }));
  }
  return requests.flatMap((request) => settle(store, [request], store.stage([writeOf(request)])));
}

const failureOf = (result: ReturnType<Store['sync']>): DeviceFailure | undefined =>
  result.status === 'failed' ? result : undefined;

/** Everything in `written` is durable or refused: now, and only now, may the rest of the world hear of it. */
function announce(options: StorageOptions, context: Context, written: readonly Written[]): void {
  let fork: string | undefined;
  for (const { request, outcome } of written) {
    if (outcome.status !== 'staged') {
      fail(options, context, request, outcome);
      if (outcome.code === 'FORK') fork ??= outcome.detail;
      continue;
    }
    if (request.type === 'record.persistRequested' && request.thenSend.length > 0) {
      const send: NetworkRequest = { type: 'network.sendRequested', outgoing: request.thenSend };
      context.tell(options.routerAddress, send);
    }
    const reply = replyOfWrite(request, outcome);
    if (reply !== undefined && 'replyTo' in request) context.tell(request.replyTo, reply);
  }
  if (fork !== undefined) throw new InvariantViolation(`two blocks committed at one height: ${fork}`);
}

function answerReads(options: StorageOptions, context: Context): void {
  for (const request of context.state.reads.splice(0)) {
    const answer = answerRead(options.store, request);
    if (answer.status === 'failed') fail(options, context, request, answer);
    else context.tell(request.replyTo, answer.value);
  }
}

function fail(
  { onFailure }: StorageOptions,
  context: Context,
  request: StorageRequest,
  {
    code,
    detail,
  }: Pick<DeviceFailure | Extract<WriteOutcome, { status: 'refused' }>, 'code' | 'detail'> | Busy,
): void {
  const failure: StorageFailure = {
    type: 'storage.failed',
    tag: 'tag' in request ? request.tag : 0,
    request: request.type,
    code: code === 'FORK' ? 'VERSION_CONFLICT' : code,
    detail,
  };
  onFailure?.(failure);
  if ('replyTo' in request) context.tell(request.replyTo, failure);
}

/**
 * The boundary actor before the side store of a full re-sync: a second store beside the running one, which it never
 * touches. Written group by group, checked once more from the disk, then marked whole.
 * Rule SY-9, docs/protocol/sync.md; ST-10, docs/storage.md. The chart-side contract is protocol/ports/sync.ts.
 */
import { type BoundaryLogic, type HandlerContext, handler } from '../actors/runtime/index.ts';
import { declare } from '../machines/vocabulary/index.ts';
import { blockIdOf, digestOf, genesisBlockId } from '../protocol/chain/canonical.ts';
import { FIRST_EPOCH, GENESIS_HEIGHT, nextHeight } from '../protocol/chain/ordinals.ts';
import type { BlockId, Height } from '../protocol/chain/types.ts';
import { type EpochContext, epochAfter } from '../protocol/consensus/epoch.ts';
import { standingWith } from '../protocol/consensus/epoch-end.ts';
import { countsBlocks, type EpochStanding, rootStanding } from '../protocol/consensus/standing.ts';
import type { CommittedBlock } from '../protocol/ports/storage.ts';
import type { SideStoreReply, SideStoreRequest } from '../protocol/ports/sync.ts';
import type { SideDisk } from './side-disk.ts';
import type { DeviceFailure, Store, StoreIdentity, StoreWrite } from './store.ts';

export interface SideStoreOptions {
  readonly disk: SideDisk;
  /** The first: a re-sync that begins at genesis counts its blocks, as round-manager would have (CS-15, CS-17). */
  readonly epoch: EpochContext;
  /** Told of every failure. For the log. */
  readonly onFailure?: (failure: Extract<SideStoreReply, { type: 'side.failed' }>) => void;
}

/** Of one turn of the check before the seal; others have theirs in between. @unit blocks @source about 10 ms */
const CHECKED_BLOCKS_MAX = 64;
/** Likewise. @unit bytes of blocks */
const CHECKED_BYTES_MAX = 4 * 1_048_576;

/** What the actor tells itself. */
interface CheckDue {
  readonly type: 'side.checkDue';
}

export const SIDE_STORE_EVENTS = declare<SideStoreRequest | CheckDue>()(
  'side.openRequested',
  'side.plantRequested',
  'side.passRequested',
  'side.appendRequested',
  'side.restoredRequested',
  'side.sealRequested',
  'side.discardRequested',
  'side.checkDue',
);

type Append = Extract<SideStoreRequest, { type: 'side.appendRequested' }>;
type SealRequest = Extract<SideStoreRequest, { type: 'side.sealRequested' }>;

type Side =
  | { readonly status: 'closed' }
  /** `root`: what the first block stands on. `standing`: of all blocks so far, where they count and none is missing. */
  | {
      readonly status: 'open';
      readonly store: Store;
      readonly root: Reached;
      /** Of the blocks that come. */
      readonly epoch: EpochContext;
      readonly standing?: EpochStanding;
    }
  /** From below to `request.height`; everything up to `height` is as it should be. */
  | {
      readonly status: 'checking';
      readonly store: Store;
      readonly request: SealRequest;
      readonly height: Height;
      readonly id: BlockId;
    };

interface SideState {
  side: Side;
}

type Context = HandlerContext<SideState, undefined>;

/** Logic of the cell `node/sync/side-store`. One attempt at a time; a new one deletes what the last one left. */
export function sideStoreLogic({ disk, epoch, onFailure }: SideStoreOptions): BoundaryLogic<undefined> {
  return handler<SideState, SideStoreRequest | CheckDue>({
    init({ signal }) {
      const state: SideState = { side: { status: 'closed' } };
      // After a crash too: what is left open would go on under a name that the next attempt uses.
      signal.addEventListener('abort', () => close(state));
      return state;
    },
    receive(message, context) {
      const answered = handled({ disk, epoch }, context, message);
      if (answered === undefined) return;
      const { outcome, to } = answered;
      const failed = 'status' in outcome;
      const reply: SideStoreReply = failed
        ? { type: 'side.failed', tag: to.tag, code: outcome.code, detail: adviceOn(outcome) }
        : outcome;
      if (reply.type === 'side.failed') onFailure?.(reply);
      context.tell(to.replyTo, reply);
    },
    terminate: ({ state }) => close(state),
  });
}

interface Asked {
  readonly replyTo: string;
  readonly tag: number;
}

/** Undefined: nobody hears anything yet. */
type Answered = { readonly to: Asked; readonly outcome: SideStoreReply | DeviceFailure } | undefined;

type Parts = Pick<SideStoreOptions, 'disk' | 'epoch'>;

function handled(parts: Parts, context: Context, message: SideStoreRequest | CheckDue): Answered {
  const { disk } = parts;
  switch (message.type) {
    case 'side.openRequested':
      return { to: message, outcome: open(parts, context, message) };
    case 'side.appendRequested':
      return { to: message, outcome: append(context, message) };
    case 'side.passRequested':
      return { to: message, outcome: pass(context, message) };
    case 'side.plantRequested': {
      const { tag, height, id } = message;
      const failure = plant(context, { height, id });
      return { to: message, outcome: failure ?? { type: 'side.planted', tag } };
    }
    case 'side.restoredRequested': {
      const { tag, blockId, executed } = message;
      const outcome = recorded(context, [{ kind: 'restored', blockId, executed }]);
      return { to: message, outcome: outcome ?? { type: 'side.restored', tag } };
    }
    case 'side.sealRequested': {
      const failure = beginCheck(disk, context, message);
      return failure === undefined ? undefined : { to: message, outcome: failure };
    }
    case 'side.checkDue':
      return check(disk, context);
    case 'side.discardRequested':
      close(context.state);
      return {
        to: message,
        outcome: disk.discard() ?? { type: 'side.discarded', tag: message.tag },
      };
  }
}

type OpenRequest = Extract<SideStoreRequest, { type: 'side.openRequested' }>;

function open(
  { disk, epoch }: Parts,
  context: Context,
  { tag, snapshotBytes }: OpenRequest,
): SideStoreReply | DeviceFailure {
  close(context.state);
  const store = disk.create(snapshotBytes);
  if ('status' in store) return store;
  const root = { height: GENESIS_HEIGHT, id: genesisBlockId(disk.identity, FIRST_EPOCH) };
  context.state.side = { status: 'open', store, root, epoch, ...begunWith(epoch) };
  return { type: 'side.opened', tag };
}

/** ST-11. Of what is below the root nothing is seen here: only on the root of its epoch none of its blocks is missing. */
function plant(context: Context, root: Reached): DeviceFailure | undefined {
  const failure = recorded(context, [{ kind: 'plant', ...root }]);
  const { side } = context.state;
  if (failure !== undefined || side.status !== 'open') return failure;
  const { store, epoch } = side;
  const isRoot = epoch.rootQC.blockId === root.id;
  context.state.side = { status: 'open', store, epoch, root, ...(isRoot ? begunWith(epoch) : {}) };
  return undefined;
}

type PassRequest = Extract<SideStoreRequest, { type: 'side.passRequested' }>;

function pass(context: Context, { tag, changes }: PassRequest): SideStoreReply | DeviceFailure {
  const failure = recorded(
    context,
    changes.map((change): StoreWrite => ({ kind: 'passed', change })),
  );
  if (failure !== undefined) return failure;
  const { side } = context.state;
  if (side.status === 'open')
    context.state.side = {
      ...side,
      epoch: changes.reduce((epoch, change) => epochAfter(epoch, change), side.epoch),
    };
  return { type: 'side.passed', tag };
}

/** What an epoch's blocks add up to before the first, where it counts. */
const begunWith = (epoch: EpochContext): { readonly standing?: EpochStanding } =>
  countsBlocks(epoch) ? { standing: rootStanding(epoch) } : {};

/** A group of their own; undefined when it is durable. */
function recorded({ state }: Context, writes: readonly StoreWrite[]): DeviceFailure | undefined {
  if (state.side.status !== 'open') return NOT_OPEN;
  const { store } = state.side;
  const staged = store.stage(writes);
  if (staged.status === 'failed') return staged;
  const synced = store.sync();
  if (synced.status === 'failed') return synced;
  const refused = staged.outcomes.find((outcome) => outcome.status === 'refused');
  return refused === undefined ? undefined : corrupt(refused.detail);
}

function append({ state }: Context, request: Append): SideStoreReply | DeviceFailure {
  if (state.side.status !== 'open') return NOT_OPEN;
  const side = enteredBy(state.side, request);
  const standing = standingOf(side, request);
  if (standing !== undefined && 'status' in standing) return standing;
  const outcome = written(side.store, request, standing);
  if (typeof outcome === 'object') return outcome;
  state.side = { ...side, ...(standing === undefined ? {} : { standing }) };
  return { type: 'side.appended', tag: request.tag, height: outcome };
}

type Open = Extract<Side, { readonly status: 'open' }>;

/** CS-16: with the end of one epoch the next begins. */
function enteredBy({ status, store, root, epoch: before, ...side }: Open, { ended }: Append): Open {
  if (ended === undefined) return { status, store, root, epoch: before, ...side };
  const epoch = epochAfter(before, ended);
  return { status, store, root, epoch, ...begunWith(epoch) };
}

/** With the blocks that are new: what was appended before is counted already. */
function standingOf(
  { store, standing, epoch }: Open,
  { blocks }: Append,
): EpochStanding | DeviceFailure | undefined {
  if (standing === undefined) return undefined;
  const latest = store.latest();
  if (latest.status === 'failed') return latest;
  const fresh = blocks
    .map(({ certified }) => certified.block)
    .filter(({ header }) => header.height > latest.value.committed);
  return standingWith(epoch, standing, fresh);
}

/** How the epoch before ended, and batches, first: blocks that need them are in the same group, and become durable with them. */
function written(
  store: Store,
  { ended, blocks, batches }: Append,
  standing: EpochStanding | undefined,
): Height | DeviceFailure {
  const committed: CommittedBlock[] = blocks.map(({ id, certified, commitProof }) => ({
    id,
    block: certified.block,
    qc: certified.qc,
    commitProof,
  }));
  const staged = store.stage([
    ...(ended === undefined ? [] : [{ kind: 'passed', change: ended } as const]),
    { kind: 'batches', batches },
    { kind: 'commit', blocks: committed, ...(standing === undefined ? {} : { standing }) },
  ]);
  if (staged.status === 'failed') return staged;
  const synced = store.sync();
  if (synced.status === 'failed') return synced;
  const refused = staged.outcomes.find((outcome) => outcome.status === 'refused');
  const outcome = staged.outcomes.at(-1);
  if (refused !== undefined || outcome?.status !== 'staged')
    return corrupt(refused?.detail ?? 'the group was not judged');
  return outcome.height;
}

function beginCheck(disk: SideDisk, context: Context, request: SealRequest): DeviceFailure | undefined {
  if (context.state.side.status !== 'open') return NOT_OPEN;
  const { root } = context.state.side;
  close(context.state);
  const store = disk.reopen();
  if ('status' in store) return store;
  context.state.side = { status: 'checking', store, request, ...root };
  context.tell(context.self, { type: 'side.checkDue' });
  return undefined;
}

/** One piece; the last one leads to the seal. */
function check(disk: SideDisk, context: Context): Answered {
  const { side } = context.state;
  if (side.status !== 'checking') return undefined;
  const { store, request } = side;
  const reached = checkedFrom(disk.identity, store, side);
  if (!('status' in reached) && reached.height > side.height) {
    context.state.side = { ...side, ...reached };
    context.tell(context.self, { type: 'side.checkDue' });
    return undefined;
  }
  close(context.state);
  if ('status' in reached) return { to: request, outcome: reached };
  const { tag, height, id } = request;
  if (reached.height !== height || reached.id !== id) {
    const found = `the disk has block ${reached.id} at height ${reached.height}`;
    return {
      to: request,
      outcome: corrupt(`${found}; block ${id} at height ${height} should be the newest`),
    };
  }
  return { to: request, outcome: disk.seal(height, id) ?? { type: 'side.sealed', tag, height } };
}

interface Reached {
  readonly height: Height;
  readonly id: BlockId;
}

/** Ids, links, proofs of commit and digests, as they come from the disk. */
function checkedFrom(identity: StoreIdentity, store: Store, from: Reached): Reached | DeviceFailure {
  const range = store.blocksFrom(nextHeight(from.height), CHECKED_BLOCKS_MAX, CHECKED_BYTES_MAX);
  if (range.status === 'failed') return range;
  let { height, id }: Reached = from;
  for (const committed of range.value.blocks) {
    const { block, commitProof } = committed;
    const { header } = block;
    const fault =
      header.height !== nextHeight(height)
        ? 'a gap before it'
        : header.parentId !== id
          ? 'another parent'
          : committed.id !== blockIdOf(identity, block)
            ? 'another id'
            : commitProof.round !== commitProof.parentRound + 1 || commitProof.height <= header.height
              ? 'no proof of its commit'
              : undefined;
    if (fault !== undefined) return corrupt(`block ${committed.id} at height ${header.height} has ${fault}`);
    const found = store.batches(header.batches.map(({ digest }) => digest));
    if (found.status === 'failed') return found;
    const wrong = found.value.batches.find(({ digest, bytes }) => digestOf(bytes) !== digest);
    if (wrong !== undefined) return corrupt(`batch ${wrong.digest} has other bytes`);
    [height, id] = [header.height, committed.id];
  }
  return { height, id };
}

function close(state: SideState): void {
  if (state.side.status !== 'closed') state.side.store.close();
  state.side = { status: 'closed' };
}

/** A disk that fills is mended by its operator. */
const adviceOn = ({ code, detail }: DeviceFailure): string =>
  code === 'FULL' && !detail.includes('make room')
    ? `${detail}: make room on that disk, then ask again`
    : detail;

const corrupt = (detail: string): DeviceFailure => ({ status: 'failed', code: 'CORRUPT', detail });

const NOT_OPEN: DeviceFailure = { status: 'failed', code: 'IO', detail: 'no side store is open' };

/**
 * One instance of a Twins run: the production charts of consensus and of block fetching, and around them one boundary
 * cell that answers for storage, mempool, executor and router as the real ones do when nothing is wrong, at once.
 * Deterministic. Rules SM-1, SM-3.
 */
import { type CellSpec, child, type HandlerContext, handler } from '../../actors/runtime/index.ts';
import { utf8 } from '../../base/bytes.ts';
import type { WallTime } from '../../base/units.ts';
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import { ECVRF } from '../../crypto/vrf.ts';
import { roundManagerMachine } from '../../machines/consensus/round-manager.machine.ts';
import { safetyMachine } from '../../machines/consensus/safety.machine.ts';
import { viewChangeMachine } from '../../machines/consensus/view-change.machine.ts';
import { blockSyncMachine } from '../../machines/sync/block-sync.machine.ts';
import { chainServerMachine } from '../../machines/sync/chain-server.machine.ts';
import { stateSyncMachine } from '../../machines/sync/state-sync.machine.ts';
import { blockIdOf, digestOf } from '../../protocol/chain/canonical.ts';
import { GENESIS_HEIGHT } from '../../protocol/chain/ordinals.ts';
import type { Address, Block, BlockId, ExecutedState, Height } from '../../protocol/chain/types.ts';
import type { EpochContext } from '../../protocol/consensus/epoch.ts';
import { emptyRecord, type Signer } from '../../protocol/consensus/safety.ts';
import { TIMELINESS_DEFAULTS } from '../../protocol/consensus/timeliness.ts';
import type { TimeoutConfig } from '../../protocol/consensus/timeouts.ts';
import type { Outgoing, PeerMessage, SafetyRecord } from '../../protocol/consensus/types.ts';
import type { SafetyViolated } from '../../protocol/ports/consensus.ts';
import type { BlockExecuted, BlockResults } from '../../protocol/ports/execution.ts';
import type { MempoolRequest } from '../../protocol/ports/mempool.ts';
import type { NetworkRequest, PeerMessageReceived } from '../../protocol/ports/network.ts';
import type {
  CommittedBlock,
  Recovered,
  StorageReply,
  StorageRequest,
} from '../../protocol/ports/storage.ts';
import type { TimeStatusRequested } from '../../protocol/ports/time.ts';
import { SYNC_DEFAULTS } from '../../protocol/sync/config.ts';
import { ancestry, type HeldBlock } from '../../storage/ancestry.ts';
import { cellFor, replicaAddresses } from './replica-addresses.ts';

/** What becomes of what an instance says and does. */
export interface Surroundings {
  /** A message leaves for a validator's address; never for the instance's own. */
  transmit(to: Address, message: PeerMessage): void;
  committed(block: CommittedBlock): void;
  executed(results: BlockResults): void;
  /** It saw two commits at a height itself. */
  alarmed(detail: string): void;
}

export interface ReplicaOptions {
  /** First part of its cells' addresses. */
  readonly name: string;
  readonly epoch: EpochContext;
  readonly signer: Signer;
  readonly bls: BlsEngine;
  readonly timeouts: TimeoutConfig;
  readonly genesisTime: WallTime;
  readonly surroundings: Surroundings;
}

type GroundMessage =
  | StorageRequest
  | NetworkRequest
  | MempoolRequest
  | SafetyViolated
  | TimeStatusRequested
  | { readonly type: 'round.failed' };

const BLOCK_LIMITS = { batchesMax: 64, bytesMax: 1_048_576 } as const;
/** As long as the chain of a scenario ever gets. @unit blocks */
const ANSWER_BLOCKS_MAX = 64;
const GENESIS_APP_HASH = digestOf(utf8('twins/genesis'));

/** The cells of one instance, each a root of the system, in this order. */
export function replicaCells(options: ReplicaOptions): readonly CellSpec[] {
  const { name, epoch, signer, bls, timeouts, genesisTime } = options;
  const { safety, viewChange, roundManager, stateSync, blockSync, ground } = replicaAddresses(name);
  const self = signer.address;
  const [storage, router, mempool] = [ground, ground, ground];
  return [
    child(`${name}/ground`, groundLogic(options)),
    child(`${name}/safety`, safetyMachine, {
      input: { epoch, signer, storage, router },
    }),
    child(`${name}/view-change`, viewChangeMachine, {
      input: {
        epoch,
        self,
        bls,
        timeouts,
        storage,
        router,
        safety,
        roundManager,
        observers: [ground],
        bridge: ground,
        epochKeeper: ground,
      },
    }),
    child(`${name}/round-manager`, roundManagerMachine, {
      input: {
        setting: {
          epoch,
          self,
          bls,
          vrf: ECVRF,
          limits: BLOCK_LIMITS,
          timeliness: TIMELINESS_DEFAULTS,
          router,
          safety,
          viewChange,
          mempool,
          evidencePool: ground,
        },
        genesisTime,
        storage,
        blockSync,
        commitListeners: [ground, blockSync],
        epochListeners: [`${name}/chain-server`, stateSync, blockSync],
        epochKeeper: ground,
        alarm: ground,
        timeCoordinator: ground,
        networkSync: ground,
        evidencePool: ground,
      },
    }),
    child(`${name}/chain-server`, chainServerMachine, {
      input: { epoch, bls, storage, router, roundManager },
    }),
    child(`${name}/state-sync`, stateSyncMachine, {
      input: {
        ...{ epoch, self, bls, config: SYNC_DEFAULTS, storage, router, roundManager },
        ...{ networkSync: ground, epochKeeper: ground },
      },
    }),
    child(`${name}/block-sync`, blockSyncMachine, {
      input: {
        epoch,
        bls,
        config: SYNC_DEFAULTS,
        storage,
        stateSync,
        roundManager,
        networkSync: ground,
      },
    }),
  ];
}

/** What stands still below the charts: a store that never fails, an application without transactions, a network's end. */
class Ground {
  record: SafetyRecord;
  version = 0;
  executed: ExecutedState = { height: GENESIS_HEIGHT, appHash: GENESIS_APP_HASH };
  readonly held = new Map<BlockId, HeldBlock>();
  readonly committed: CommittedBlock[] = [];

  constructor(epoch: EpochContext) {
    this.record = emptyRecord(epoch.rootQC);
  }

  get height(): Height {
    return this.committed.at(-1)?.block.header.height ?? GENESIS_HEIGHT;
  }

  recovered(): Recovered {
    const committed = this.committed.at(-1);
    return {
      record: this.record,
      recordVersion: this.version,
      ...(committed === undefined ? {} : { committed }),
      blocks: [...this.held.values()]
        .map(({ block }) => block)
        .filter(({ header }) => header.height > this.height)
        .sort((left, right) => left.header.height - right.header.height),
      executed: this.executed,
      updates: [],
    };
  }

  hold(id: BlockId, block: Block): void {
    if (!this.held.has(id)) this.held.set(id, { id, block });
  }
}

type GroundContext = HandlerContext<Ground, undefined>;

function groundLogic(options: ReplicaOptions) {
  return handler<Ground, GroundMessage>({
    init: () => new Ground(options.epoch),
    receive: (message, context) => receive(options, context, message),
  });
}

function receive(options: ReplicaOptions, context: GroundContext, message: GroundMessage): void {
  const { surroundings } = options;
  const { state } = context;
  switch (message.type) {
    case 'network.sendRequested':
      send(options, context, message.outgoing);
      break;
    case 'record.persistRequested':
      persist(options, context, message);
      break;
    case 'blocks.commitRequested':
      commit(context, message, surroundings);
      break;
    case 'blocks.certified':
      for (const one of message.blocks) {
        const id = blockIdOf(options.epoch.domain, one.block);
        state.held.set(id, { id, ...one });
      }
      break;
    case 'recovery.requested':
    case 'block.requested':
    case 'blocks.requested':
    case 'tip.requested':
    case 'blockIds.requested':
    case 'reputations.requested':
    case 'batches.requested':
      context.tell(message.replyTo, found(state, message, options.epoch));
      break;
    case 'payload.requested':
      context.tell(message.replyTo, { type: 'payload.selected', tag: message.tag, batches: [] });
      break;
    case 'time.statusRequested':
      context.tell(message.replyTo, { type: 'time.changed', mayPropose: true });
      break;
    case 'blocks.committed':
      for (const block of message.blocks) execute(options, context, block);
      break;
    case 'safety.violated':
      surroundings.alarmed(message.detail);
      break;
    default:
  }
}

type Question = Extract<
  StorageRequest,
  {
    type:
      | 'recovery.requested'
      | 'block.requested'
      | 'blocks.requested'
      | 'tip.requested'
      | 'blockIds.requested'
      | 'reputations.requested'
      | 'batches.requested';
  }
>;

function found(state: Ground, question: Question, { rootQC }: EpochContext): StorageReply {
  const { tag } = question;
  const { height } = state;
  switch (question.type) {
    case 'recovery.requested':
      return { type: 'recovery.found', tag, recovered: state.recovered() };
    case 'block.requested': {
      const held = (id: BlockId): HeldBlock | undefined => state.held.get(id);
      const blocks = ancestry(question.id, question.ancestors, held, [state.record.highQC]);
      return { type: 'blocks.found', tag, blocks, height };
    }
    case 'blocks.requested': {
      const blocks = state.committed.slice(question.from - 1, question.from - 1 + ANSWER_BLOCKS_MAX);
      return { type: 'blocks.found', tag, blocks, height };
    }
    case 'tip.requested': {
      const tip = state.committed.at(-1);
      const { executed } = state;
      if (tip === undefined)
        return { type: 'tip.found', tag, base: height, height, id: rootQC.blockId, executed };
      const base = state.committed[0]?.block.header.height ?? height;
      return { type: 'tip.found', tag, base, height, id: tip.id, proof: tip.commitProof, executed };
    }
    case 'blockIds.requested': {
      const ids = question.heights.flatMap((at) => {
        const id = state.committed[at - 1]?.id;
        return id === undefined ? [] : [{ height: at, id }];
      });
      return { type: 'blockIds.found', tag, ids };
    }
    case 'reputations.requested':
      return { type: 'reputations.found', tag, reputations: [] };
    case 'batches.requested':
      return { type: 'batches.found', tag, batches: [], missing: question.digests };
  }
}

/** CS-3, CS-6: what depends on the record leaves once the record is stored. */
function persist(
  options: ReplicaOptions,
  context: GroundContext,
  request: Extract<StorageRequest, { type: 'record.persistRequested' }>,
): void {
  const { state } = context;
  const { tag, record, block, thenSend, replyTo } = request;
  if (request.expectedVersion !== state.version) {
    const detail = `version ${state.version}, expected ${request.expectedVersion}`;
    context.tell(replyTo, {
      type: 'storage.failed',
      tag,
      request: request.type,
      code: 'VERSION_CONFLICT',
      detail,
    });
    return;
  }
  state.record = record;
  state.version += 1;
  if (block !== undefined) state.hold(blockIdOf(options.epoch.domain, block), block);
  send(options, context, thenSend);
  const persisted: StorageReply = { type: 'record.persisted', tag, version: state.version };
  context.tell(replyTo, persisted);
}

function commit(
  context: GroundContext,
  { replyTo, tag, blocks }: Extract<StorageRequest, { type: 'blocks.commitRequested' }>,
  surroundings: Surroundings,
): void {
  const { state } = context;
  for (const block of blocks) {
    state.held.set(block.id, block);
    if (block.block.header.height === state.height + 1) state.committed.push(block);
    surroundings.committed(block);
  }
  context.tell(replyTo, { type: 'blocks.committed', tag, height: state.height });
}

function execute(options: ReplicaOptions, context: GroundContext, { id, block }: CommittedBlock): void {
  const { state } = context;
  const { height, round, proposer, time } = block.header;
  if (height !== state.executed.height + 1) return;
  state.executed = { height, appHash: digestOf(utf8(`${state.executed.appHash}/${id}`)) };
  const { executed } = state;
  const outcome: BlockExecuted = {
    type: 'block.executed',
    ...{ blockId: id, round, proposer, time, executed },
    ...{ transactions: [], validatorUpdates: [] },
  };
  options.surroundings.executed({ ...outcome, type: 'results.persisted', transactions: [], events: [] });
  context.tell(replicaAddresses(options.name).roundManager, outcome);
}

function send(options: ReplicaOptions, context: GroundContext, outgoing: readonly Outgoing[]): void {
  const { epoch, signer, surroundings } = options;
  const addresses = replicaAddresses(options.name);
  for (const { to, message } of outgoing) {
    const receivers = to === 'all' ? epoch.set.validators.map(({ address }) => address) : to;
    for (const receiver of receivers) {
      if (receiver !== signer.address) surroundings.transmit(receiver, message);
      else {
        // CS-18: to oneself by one's own mailbox.
        const cell = cellFor(message.kind, addresses);
        const received: PeerMessageReceived = { type: 'message.received', from: receiver, message };
        if (cell !== undefined) context.tell(cell, received);
      }
    }
  }
}

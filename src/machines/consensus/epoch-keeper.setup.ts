/**
 * Parts of the epoch-keeper chart: nobody is left behind in an epoch that has ended. Whoever speaks in an older one is told how
 * it ended; whoever speaks in a later one is asked how this node's did; what is told is verified here, once. Pure.
 * Rule CS-16, docs/protocol/consensus.md.
 */
import { setup } from 'xstate';
import type { Monotonic } from '../../base/units.ts';
import { millis } from '../../base/units.ts';
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import type { Address, Epoch, EpochChange } from '../../protocol/chain/types.ts';
import type { EpochContext } from '../../protocol/consensus/epoch.ts';
import { verifiedEnd } from '../../protocol/consensus/epoch-change.ts';
import type {
  EpochChangeMessage,
  GetEpochChangeMessage,
  PeerMessage,
} from '../../protocol/consensus/types.ts';
import { encodeEpochProof } from '../../protocol/light/encoding.ts';
import type { EpochBegan, EpochMet, EpochProven, EpochRequested } from '../../protocol/ports/consensus.ts';
import type { PeerMessageReceived } from '../../protocol/ports/network.ts';
import type { StorageReply, StorageRequest } from '../../protocol/ports/storage.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';
import { declare, on, step, types } from '../vocabulary/index.ts';

export interface EpochKeeperInput {
  /** Until round-manager says which it is. */
  readonly epoch: EpochContext;
  readonly self: Address;
  readonly bls: BlsEngine;
  readonly storage: CellAddress;
  readonly router: CellAddress;
  readonly roundManager: CellAddress;
  readonly blockSync: CellAddress;
}

export interface EpochKeeperContext extends EpochKeeperInput {
  /** How the epochs before this one ended, the newest few, as it is told. */
  readonly recent: readonly EpochChangeMessage[];
  /** Who is to be told how an epoch ended, by the tag of the question to storage. */
  readonly askers: ReadonlyMap<number, Address>;
  /** When a peer was last told, and last asked. */
  readonly told: ReadonlyMap<Address, Monotonic>;
  readonly asked: ReadonlyMap<Address, Monotonic>;
  /** The end of this node's epoch, verified. */
  readonly proven: EpochChange | undefined;
  /** Tag of the question whose answer all are told: how the epoch before ended. */
  readonly announcing: number | undefined;
  readonly tag: number;
}

type EpochKeeperEvent =
  | EpochBegan
  | EpochMet
  | PeerMessageReceived<EpochChangeMessage | GetEpochChangeMessage>
  | Extract<StorageReply, { type: 'epochs.found' | 'storage.failed' }>;

/** Event types that other cells may send (RT-16). */
export const EPOCH_KEEPER_EVENTS = declare<EpochKeeperEvent>()(
  'epoch.began',
  'epoch.met',
  'message.received',
  'epochs.found',
  'storage.failed',
);

/** One peer is told, and asked, at most so often. @unit ms @source chosen: within the rate of its kind, below a round timeout */
const PEER_EVERY_MS = millis(250);
/** Changes that are held; older ones are read. @unit changes @source chosen: a laggard is mostly one behind */
const RECENT_MAX = 4;
/** Peers that wait for a change to be read; above it the newest asks again. @unit peers @source chosen */
const ASKERS_MAX = 64;
/** Peers that are remembered; beyond, all are forgotten, and may be told once more. @unit peers @source chosen: more than can be connected */
const PEERS_MAX = 1_024;

export const newEpochKeeper = (input: EpochKeeperInput): EpochKeeperContext => ({
  ...input,
  recent: [],
  askers: new Map(),
  told: new Map(),
  asked: new Map(),
  proven: undefined,
  announcing: undefined,
  tag: 0,
});

const send = ({ router }: EpochKeeperInput, to: 'all' | readonly Address[], message: PeerMessage): Effect =>
  telling(router, { type: 'network.sendRequested', outgoing: [{ to, message }] });

const isLately = (times: ReadonlyMap<Address, Monotonic>, peer: Address, now: Monotonic): boolean => {
  const last = times.get(peer);
  return last !== undefined && now < last + PEER_EVERY_MS;
};

const noted = (times: ReadonlyMap<Address, Monotonic>, peer: Address, now: Monotonic) =>
  new Map(times.size < PEERS_MAX ? times : []).set(peer, now);

interface Clock {
  readonly now: Monotonic;
  readonly address: CellAddress;
}

/** Tells how an epoch ended: from memory, else once storage has read it. */
function tell(context: EpochKeeperContext, to: Address, epoch: Epoch, { now, address }: Clock) {
  if (epoch >= context.epoch.epoch || to === context.self || isLately(context.told, to, now)) return {};
  const told = noted(context.told, to, now);
  const known = context.recent.find(({ qc }) => qc.epoch === epoch);
  if (known !== undefined) {
    return { context: { told }, effects: [send(context, [to], known)] };
  }
  if (context.askers.size >= ASKERS_MAX) return {};
  const tag = context.tag + 1;
  const request: StorageRequest = { type: 'epochs.requested', replyTo: address, tag, from: epoch, limit: 1 };
  return {
    context: { told, tag, askers: new Map(context.askers).set(tag, to) },
    effects: [telling(context.storage, request)],
  };
}

const messageOf = ({ qc, proof }: EpochChange): EpochChangeMessage => ({
  kind: 'EpochChange',
  qc,
  proof: encodeEpochProof(proof),
});

/** Verified once: the end of this node's epoch, whoever tells it. What is of another epoch is nobody's fault. */
function take(context: EpochKeeperContext, from: Address, message: EpochChangeMessage) {
  const { epoch, bls, proven: known } = context;
  if (message.qc.epoch !== epoch.epoch || known !== undefined) return {};
  const change = verifiedEnd(epoch, bls, message);
  if (change === undefined) {
    const blame = { type: 'peer.misbehaved', peer: from, code: 'EPOCH_CHANGE_FALSE' } as const;
    return { effects: [telling(context.router, blame)] };
  }
  const proven: EpochProven = { type: 'epoch.proven', change };
  return {
    context: { proven: change },
    effects: [telling(context.roundManager, proven), telling(context.blockSync, proven)],
  };
}

export const epochKeeperSetup = setup({
  types: types<EpochKeeperContext, EpochKeeperEvent, EpochKeeperInput>(),
  actions: {
    requestEpoch: step(({ context, address: replyTo }) => {
      const request: EpochRequested = { type: 'epoch.requested', replyTo };
      return { effects: [telling(context.roundManager, request)] };
    }),
    recordEpoch: step(
      on('epoch.began', ({ context, event: { epoch }, address }) => {
        const { proven } = context;
        // Round-manager started anew, in the epoch that it was told the end of.
        if (epoch.epoch === context.epoch.epoch && proven !== undefined)
          return { effects: [telling(context.roundManager, { type: 'epoch.proven', change: proven })] };
        if (epoch.epoch <= context.epoch.epoch) return {};
        // Whoever is one behind is the likeliest to ask: it is held, and told to all.
        const tag = context.tag + 1;
        const { epoch: ended } = context.epoch;
        const request: StorageRequest = {
          ...{ type: 'epochs.requested', replyTo: address, tag },
          ...{ from: ended, limit: 1 },
        };
        const isNews = epoch.epoch === ended + 1;
        return {
          context: { epoch, tag, proven: undefined, announcing: isNews ? tag : undefined },
          effects: isNews ? [telling(context.storage, request)] : [],
        };
      }),
    ),
    answerOrAsk: step(
      on('epoch.met', ({ context, event: { from, epoch }, ...clock }) => {
        if (epoch < context.epoch.epoch) return tell(context, from, epoch, clock);
        const isNone = epoch === context.epoch.epoch || context.proven !== undefined;
        if (isNone || isLately(context.asked, from, clock.now)) return {};
        const question = { kind: 'GetEpochChange', epoch: context.epoch.epoch } as const;
        return {
          context: { asked: noted(context.asked, from, clock.now) },
          effects: [send(context, [from], question)],
        };
      }),
    ),
    receiveMessage: step(
      on('message.received', ({ context, event: { from, message }, ...clock }) =>
        message.kind === 'EpochChange'
          ? take(context, from, message)
          : tell(context, from, message.epoch, clock),
      ),
    ),
    sendChange: step(
      on('epochs.found', ({ context, event: { tag, changes } }) => {
        const [change] = changes;
        const asker = context.askers.get(tag);
        const to = tag === context.announcing ? 'all' : asker === undefined ? undefined : [asker];
        const askers = new Map(context.askers);
        askers.delete(tag);
        if (to === undefined || change === undefined) return { context: { askers } };
        const message = messageOf(change);
        const recent = [...context.recent, message].slice(-RECENT_MAX);
        return {
          context: { askers, recent },
          effects: [send(context, to, message)],
        };
      }),
    ),
    forgetAsker: step(
      on('storage.failed', ({ context, event: { tag } }) => {
        const askers = new Map(context.askers);
        askers.delete(tag);
        return { context: { askers } };
      }),
    ),
  },
});

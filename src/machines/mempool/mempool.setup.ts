/** Parts of the mempool chart: events, guards and the one action, which hands each message to the rules. Pure. MP-1 to MP-12. */
import { setup } from 'xstate';
import type { Monotonic } from '../../base/units.ts';
import { isFull } from '../../protocol/mempool/admission.ts';
import {
  emptyMempool,
  type MempoolAddresses,
  type MempoolStart,
  type MempoolState,
} from '../../protocol/mempool/state.ts';
import {
  handle,
  type MempoolEvent,
  type MempoolMessage,
  type MempoolTimer,
  start,
} from '../../protocol/mempool/step.ts';
import { type CellAddress, declare, postpone, step, types } from '../vocabulary/index.ts';

export interface MempoolInput extends Omit<MempoolStart, 'addresses'> {
  readonly addresses: Omit<MempoolAddresses, 'self'>;
}

export interface MempoolContext {
  readonly mempool: MempoolState;
}

/** Event types that other cells may send (RT-16). */
export const MEMPOOL_EVENTS = declare<MempoolMessage>()(
  'transactions.submitted',
  'payload.requested',
  'batches.wanted',
  'batches.unwanted',
  'blocks.committed',
  'epoch.began',
  'message.received',
  'peer.connected',
  'peer.disconnected',
  'roundTrip.measured',
  'batches.persisted',
  'batches.found',
  'batches.uncommittedFound',
  'storage.failed',
  'check.answered',
  'execution.failed',
  'block.executed',
  'operations.answered',
);

/** The mempool's own timers, by the type of their message. */
export const MEMPOOL_TIMERS = declare<MempoolTimer>()('seal.due', 'acks.due', 'tick.due', 'recovery.due');

export const freshContext = (input: MempoolInput, self: CellAddress, at: Monotonic): MempoolContext => ({
  mempool: emptyMempool({ ...input, addresses: { ...input.addresses, self } }, at),
});

export const mempoolSetup = setup({
  types: types<MempoolContext, MempoolEvent, MempoolInput>(),
  guards: {
    nothingMoreToRecover: ({ event }) => event.type === 'batches.uncommittedFound' && !event.more,
    isFull: ({ context }) => isFull(context.mempool),
    hasRoom: ({ context }) => !isFull(context.mempool),
  },
  actions: {
    requestRecovery: step(({ context }) => {
      const { state, effects } = start(context.mempool);
      return { context: { mempool: state }, effects };
    }),
    postponeMessage: postpone(),
    /** One message to the rules: their state is recorded, their effects are requested. */
    applyRules: step((args) => {
      const { state, effects } = handle(args.context.mempool, args.event, args.now);
      return { context: { mempool: state }, effects };
    }),
  },
});

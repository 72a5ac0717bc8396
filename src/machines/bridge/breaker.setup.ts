/**
 * Parts of the breaker chart: one cell for each validator that operations may be handed to, which keeps the bridge from waiting
 * for one that fails. Pure. Rule BR-8, docs/protocol/bridge.md.
 */
import { setup } from 'xstate';
import { type Millis, millis } from '../../base/units.ts';
import type { BridgeConfig } from '../../protocol/bridge/config.ts';
import type { SubmitOperationsMessage } from '../../protocol/bridge/messages.ts';
import type { Address } from '../../protocol/chain/types.ts';
import { type CellAddress, telling } from '../../protocol/supervision/effect.ts';
import { type Decision, declare, on, step, types } from '../vocabulary/index.ts';

export interface BreakerInput {
  readonly peer: Address;
  readonly bridge: CellAddress;
  readonly router: CellAddress;
  readonly config: Pick<
    BridgeConfig,
    'breakerFailures' | 'breakerPauseMin' | 'breakerPauseMax' | 'forwardTimeout'
  >;
}

export interface BreakerContext extends BreakerInput {
  /** In a row. */
  readonly failures: number;
  /** How often it opened since it was closed for good: each time the pause doubles. */
  readonly openings: number;
  /** Tags that are not answered. At most CALLS_MAX. */
  readonly calls: ReadonlySet<number>;
}

export const BREAKER_STATES = ['closed', 'open', 'halfOpen'] as const;
export type BreakerState = (typeof BREAKER_STATES)[number];

/** bridge → breaker */
export type BreakerRequest =
  | { readonly type: 'call.requested'; readonly message: SubmitOperationsMessage }
  | { readonly type: 'call.answered'; readonly tag: number }
  /** Valid gossip of the peer, or the loss of its connection. */
  | { readonly type: 'peer.spoke' }
  | { readonly type: 'peer.failed' };

/** breaker → bridge */
export type BreakerReport =
  | {
      readonly type: 'call.failed';
      readonly peer: Address;
      readonly tag: number;
      /** `refused`: it was not sent. */
      readonly reason: 'refused' | 'timeout';
    }
  | { readonly type: 'breaker.changed'; readonly peer: Address; readonly state: BreakerState };

type BreakerPrivateEvent = { readonly type: 'call.expired'; readonly tag: number };

/** Event types that other cells may send (RT-16). */
export const BREAKER_EVENTS = declare<BreakerRequest>()(
  'call.requested',
  'call.answered',
  'peer.spoke',
  'peer.failed',
);

/** Calls to one peer that may be open at once; further ones are refused. @unit calls @source chosen */
const CALLS_MAX = 64;

export const newBreaker = (input: BreakerInput): BreakerContext => ({
  ...input,
  failures: 0,
  openings: 0,
  calls: new Set(),
});

/** First pause, doubled for each time it opened again, up to the longest. */
export const openFor = ({ openings, config }: BreakerContext): Millis =>
  millis(Math.min(config.breakerPauseMax, config.breakerPauseMin * 2 ** Math.max(0, openings - 1)));

type Decided = Decision<BreakerContext>;

const without = (calls: ReadonlySet<number>, tag: number): ReadonlySet<number> =>
  new Set([...calls].filter((call) => call !== tag));

const timerOf = (tag: number): string => `call-${tag}`;

function report(context: BreakerContext, state: BreakerState): Decided {
  const message: BreakerReport = { type: 'breaker.changed', peer: context.peer, state };
  return { effects: [telling(context.bridge, message)] };
}

export const breakerSetup = setup({
  types: types<BreakerContext, BreakerRequest | BreakerPrivateEvent, BreakerInput>(),
  guards: {
    isOnceTooOften: ({ context }) => context.failures >= context.config.breakerFailures,
    isOpenCall: ({ context, event }) => 'tag' in event && context.calls.has(event.tag),
    hasPlace: ({ context }) => context.calls.size < CALLS_MAX,
    probes: ({ context }) => context.calls.size > 0,
  },
  delays: { pause: ({ context }) => openFor(context) },
  actions: {
    sendCall: step(
      on('call.requested', ({ context, event: { message } }) => ({
        context: { calls: new Set(context.calls).add(message.tag) },
        effects: [
          telling(context.router, {
            type: 'network.sendRequested',
            outgoing: [{ to: [context.peer], message }],
          }),
          {
            kind: 'startTimer',
            key: timerOf(message.tag),
            delayMs: context.config.forwardTimeout,
            message: { type: 'call.expired', tag: message.tag },
          },
        ],
      })),
    ),
    refuseCall: step(
      on('call.requested', ({ context, event: { message } }) => {
        const failed: BreakerReport = {
          type: 'call.failed',
          peer: context.peer,
          tag: message.tag,
          reason: 'refused',
        };
        return { effects: [telling(context.bridge, failed)] };
      }),
    ),
    recordAnswer: step(
      on('call.answered', ({ context, event: { tag } }) => ({
        context: { calls: without(context.calls, tag), failures: 0 },
        effects: [{ kind: 'cancelTimer', key: timerOf(tag) }],
      })),
    ),
    recordExpiry: step(
      on('call.expired', ({ context, event: { tag } }) => {
        const failed: BreakerReport = { type: 'call.failed', peer: context.peer, tag, reason: 'timeout' };
        return {
          context: { calls: without(context.calls, tag), failures: context.failures + 1 },
          effects: [telling(context.bridge, failed)],
        };
      }),
    ),
    recordFailure: step(({ context }) => ({ context: { failures: context.failures + 1 } })),
    recordSuccess: step((_): Decided => ({ context: { failures: 0 } })),
    recordOpening: step(({ context }) => ({
      context: { openings: context.openings + 1, failures: 0 },
      effects: report(context, 'open').effects,
    })),
    recordHalfOpen: step(({ context }) => report(context, 'halfOpen')),
    recordClosing: step(({ context }) => ({
      context: { openings: 0, failures: 0 },
      effects: report(context, 'closed').effects,
    })),
  },
});

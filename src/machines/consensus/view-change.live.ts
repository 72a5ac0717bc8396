/** The live part of view-change: its round, certificates, own timeout and what it counts, and steps over it. Pure. CS-1. */
import type { Millis, Monotonic, WallTime } from '../../base/units.ts';
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import type { Address, Epoch, Height, Round } from '../../protocol/chain/types.ts';
import type { EpochContext } from '../../protocol/consensus/epoch.ts';
import type { Pacemaker } from '../../protocol/consensus/pacemaker.ts';
import type { TimeoutConfig } from '../../protocol/consensus/timeouts.ts';
import type { ViewChangeReason } from '../../protocol/consensus/types.ts';
import type { VerifiedCertificates } from '../../protocol/consensus/verified.ts';
import type { ViewChangeBook } from '../../protocol/consensus/view-change-book.ts';
import type { CellAddress, Effect } from '../../protocol/supervision/effect.ts';

export interface ViewChangeInput {
  /** The first; the present one comes with what is durable. */
  readonly epoch: EpochContext;
  readonly self: Address;
  readonly bls: BlsEngine;
  readonly timeouts: TimeoutConfig;
  readonly storage: CellAddress;
  readonly router: CellAddress;
  readonly safety: CellAddress;
  readonly roundManager: CellAddress;
  /** Hears of peers in other epochs (CS-16). */
  readonly epochKeeper: CellAddress;
  /** Told of every round that failed. */
  readonly observers: readonly CellAddress[];
  /** Told of every round whose time is over here. */
  readonly bridge: CellAddress;
}

/** A round that ended without its QC, for readers. */
export interface FailedRound {
  readonly type: 'round.failed';
  readonly epoch: Epoch;
  readonly round: Round;
  readonly leader: Address;
  readonly reason: ViewChangeReason;
  readonly duration: Millis;
  readonly at: WallTime;
}

/** This validator's own timeout of a round; `sent` once it was durable. */
export interface OwnTimeout {
  readonly round: Round;
  readonly reason: ViewChangeReason;
  readonly tick: number;
  readonly sent: boolean;
  /** Why safety did not sign it, when it last refused. */
  readonly refusal?: { readonly code: string; readonly detail: string };
}

/** Everything live; there once recovered. */
export interface LiveView {
  readonly pacemaker: Pacemaker;
  readonly book: ViewChangeBook;
  readonly verified: VerifiedCertificates;
  readonly committedHeight: Height;
  readonly timeout?: OwnTimeout;
  /** Round for which this leader broadcast its NewView. */
  readonly newViewSent?: Round;
  readonly failures: readonly FailedRound[];
  /** When each laggard was last answered. Bounded by the validator set. */
  readonly answered: ReadonlyMap<Address, Monotonic>;
}

export interface ViewChangeContext extends ViewChangeInput {
  /** `timeouts` as they are configured, for the validators of any epoch. */
  readonly configured: TimeoutConfig;
  readonly live?: LiveView;
  readonly tag: number;
}

export type ViewChangePrivateEvent =
  | { readonly type: 'round.deadlinePassed'; readonly round: Round }
  | { readonly type: 'timeout.resendDue'; readonly round: Round };

/** One step over the live part: what changed, and what follows. Effects keep their order. */
export interface Stepped {
  readonly live: LiveView;
  readonly effects: readonly Effect[];
}

export interface Clock {
  readonly now: Monotonic;
  readonly wall: WallTime;
  readonly address: CellAddress;
}

export const still = (live: LiveView): Stepped => ({ live, effects: [] });

/** Runs the steps one after the other over the same live part. */
export function chained(live: LiveView, ...steps: readonly ((live: LiveView) => Stepped)[]): Stepped {
  return steps.reduce<Stepped>((done, next) => {
    const { live: after, effects } = next(done.live);
    return { live: after, effects: [...done.effects, ...effects] };
  }, still(live));
}

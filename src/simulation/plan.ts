/**
 * A simulated run as data: who takes part, on which links, and what happens to them when. Drawn from a seed, generated
 * (Twins), written by hand (a scenario file), or shrunk from a run that failed; the same plan gives the same run. Pure.
 * Nodes are numbered: 0 to validators − 1, then the second instance of each validator in `twins`, in that order.
 * Rules SM-1 to SM-3, SM-6; docs/simulation.md.
 */

import type { LeadershipParameters } from '../protocol/consensus/leader.ts';
import type { TimeoutConfig } from '../protocol/consensus/timeouts.ts';
import type { PeerMessageKind } from '../protocol/consensus/types.ts';
import type { SyncConfig } from '../protocol/sync/config.ts';
import type { TimeSource } from '../protocol/time/types.ts';
import type { SyncFault } from '../storage/memory-store.ts';
import type { LinkFaults } from '../transport/hub.ts';

/** What a liar does with the messages that it sends; each kind is a module of `byzantine/`. */
export type LieKind =
  | 'equivocate'
  | 'withhold-votes'
  | 'hide-qc'
  | 'stale-certificates'
  | 'lie-heights'
  | 'lie-times'
  | 'forge-signers'
  | 'duplicate-signers'
  | 'flood'
  | 'mutate'
  | 'lie-clocks'
  | 'lie-sync'
  | 'lie-vrf';

export interface Liar {
  readonly validator: number;
  readonly lies: readonly [LieKind, ...LieKind[]];
  /** Share of the messages concerned that are lied about. 0 to 1 */
  readonly rate: number;
}

/** A machine's clock error at the start: the wall clock's offset, and the oscillator's drift, which timers follow too. */
export interface ClockError {
  readonly node: number;
  /** @unit ms */
  readonly offsetMs: number;
  /** @unit parts per million */
  readonly driftPpm: number;
}

/** An NTP server, which every node asks. Its clock is exact but for what is said here. */
export interface NtpServerPlan {
  /** @unit ms, later when positive */
  readonly offsetMs: number;
  /** Right before. Since the start of the run; always wrong without. @unit ms of virtual time */
  readonly wrongFrom?: number;
  /** Says that it does not know the time. */
  readonly isUnsynchronised?: boolean;
  /** Answers nothing from then on, for good without an end. @unit ms of virtual time */
  readonly silentFrom?: number;
  readonly silentUntil?: number;
}

/** Whom all nodes believe about time. */
export interface TimePlan {
  readonly source: TimeSource;
  readonly servers: readonly NtpServerPlan[];
}

/** The validators change while the run goes on, by `change-validator`: the application knows them (CS-16). */
export interface EpochsPlan {
  /** So many validators, the first, are in the set of the genesis; the others follow until a change brings them in. */
  readonly members: number;
  /** Heights in an epoch; 0: it ends only where validators change. */
  readonly length: number;
  /** How much of the power one block may change; what asks for more has no effect. @unit percent */
  readonly changePercent: number;
}

/** Consensus keys that a validator can have, one at a time. @unit keys */
export const KEYS_EACH = 2;

/** Cells that can be killed on their own; their supervisor starts them again. */
export const KILLABLE_CELLS = [
  'mempool',
  'round-manager',
  'view-change',
  'safety',
  'executor',
  'side-store',
  'chain-server',
  'state-sync',
  'height-sync',
  'block-sync',
  'chain-sync',
  'network-sync',
  'sync-coordinator',
  'router',
  'time-coordinator',
] as const;
export type KillableCell = (typeof KILLABLE_CELLS)[number];

/** Cells whose mailbox can be filled. */
export const FILLABLE_CELLS = ['mempool', 'round-manager', 'view-change'] as const;
export type FillableCell = (typeof FILLABLE_CELLS)[number];

/** One thing that happens to the network. Every kind is total: where it does not apply, it does nothing. */
export type Act =
  | { readonly kind: 'crash'; readonly node: number }
  | { readonly kind: 'restart'; readonly node: number }
  /** The process stands still, its timers and messages wait; as SIGSTOP, or a long garbage collection. */
  | { readonly kind: 'pause'; readonly node: number; readonly ms: number }
  /** Links between nodes that share no group are cut, both ways; a node in no group is alone. Groups may overlap. */
  | { readonly kind: 'partition'; readonly groups: readonly (readonly number[])[] }
  /** All instances of the leader of the newest round that any node has reached, against all others. */
  | { readonly kind: 'isolate-leader' }
  | { readonly kind: 'cut'; readonly from: number; readonly to: number }
  /** Nothing passes for a while, then everything at once. */
  | { readonly kind: 'clog'; readonly from: number; readonly to: number; readonly ms: number }
  /** Joins all links again; their behaviour stays as it is. */
  | { readonly kind: 'heal' }
  /** Behaviour of one direction, or of all links. */
  | {
      readonly kind: 'links';
      readonly faults: LinkFaults;
      readonly direction?: { readonly from: number; readonly to: number };
    }
  /** The next `times` syncs end so. */
  | { readonly kind: 'disk'; readonly node: number; readonly fault: SyncFault; readonly times: number }
  /** Each sync takes so long for a while; a crash meanwhile loses what it was about to write. */
  | { readonly kind: 'disk-slow'; readonly node: number; readonly syncMs: number; readonly ms: number }
  /** The next `times` reads are damaged. */
  | { readonly kind: 'disk-bit-flip'; readonly node: number; readonly times: number }
  | { readonly kind: 'clock-step'; readonly node: number; readonly ms: number }
  /** The application throws at its next `times` calls. */
  | { readonly kind: 'application-crash'; readonly node: number; readonly times: number }
  /** So many messages at once into one cell's mailbox. */
  | {
      readonly kind: 'mailbox-overflow';
      readonly node: number;
      readonly cell: FillableCell;
      readonly messages: number;
    }
  /** A cell below the root dies of a poisoned message; its supervisor starts it again. */
  | { readonly kind: 'kill-cell'; readonly node: number; readonly cell: KillableCell }
  /** An operator orders the node to give up its round. */
  | { readonly kind: 'order-view-change'; readonly node: number }
  | { readonly kind: 'submit'; readonly node: number; readonly transaction: string }
  /** Asked of a node, in the present state or a later one: so much power for a validator, 0 to leave, under one of its keys. */
  | {
      readonly kind: 'change-validator';
      readonly node: number;
      readonly validator: number;
      readonly power: number;
      /** From 0. @unit place among its `KEYS_EACH` keys */
      readonly key: number;
    }
  /** So many transactions at once, all different, each of so many bytes (at least the 30 that tell them apart). */
  | { readonly kind: 'load'; readonly node: number; readonly transactions: number; readonly bytes: number };

export type ActKind = Act['kind'];

export interface TimedAct {
  /** Since the start of the run. @unit ms of virtual time */
  readonly at: number;
  readonly act: Act;
}

/** What becomes of the messages that speak of one round, whenever they are sent (Twins, Bano et al. 2021). */
export interface RoundRule {
  /** As `partition`, for messages of this round only. All are joined without. */
  readonly groups?: readonly (readonly number[])[];
  /** Messages of this round that never arrive. */
  readonly firewall?: readonly {
    readonly from: number;
    readonly to: number;
    /** All kinds without. */
    readonly kind?: PeerMessageKind;
  }[];
}

/** How a run ends. */
export type Ending =
  /** All is healed, all are started: they must commit again, and nothing admitted may be lost (SM-5). */
  | { readonly kind: 'heal-all' }
  /** A quorum core is healed; the rest stays as it is. The core must commit (SM-5). */
  | { readonly kind: 'heal-core'; readonly core: readonly number[] }
  /** Judged for safety only. */
  | { readonly kind: 'stop' };

export interface RunPlan {
  /** Of keys, link draws and each node's own draws. */
  readonly seed: string | number;
  readonly validators: number;
  /** Powers by index; all 1 without. */
  readonly powers?: readonly number[];
  /** Validators that run twice, with one key and a disk for each. */
  readonly twins: readonly number[];
  /** Nodes that start late, with their time of start. @unit ms */
  readonly lateStarts: readonly { readonly node: number; readonly at: number }[];
  /** Leaders of the rounds from 1 on, cyclic, by index of the validator; round-robin without. */
  readonly leaders?: readonly [number, ...number[]];
  /** How leaders are chosen, as a genesis says it; as of one that says nothing without. */
  readonly leadership?: LeadershipParameters;
  /** Rules for rounds 1, 2, …; later rounds have none. */
  readonly rounds?: readonly RoundRule[];
  readonly signatures: 'keyed-hash' | 'bls';
  readonly carry: 'codec' | 'reference';
  readonly links: LinkFaults;
  readonly timeouts: Partial<TimeoutConfig>;
  readonly liars: readonly Liar[];
  readonly clocks: readonly ClockError[];
  /** By the peers alone without. */
  readonly time?: TimePlan;
  /** The set of the genesis votes to the end without. */
  readonly epochs?: EpochsPlan;
  /** Settings of sync that are not the usual ones: a run is shorter than a day. */
  readonly sync?: Partial<SyncConfig>;
  /** Ascending by time. */
  readonly acts: readonly TimedAct[];
  /** When the faults end. @unit ms of virtual time */
  readonly durationMs: number;
  readonly ending: Ending;
}

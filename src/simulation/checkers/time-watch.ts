/**
 * Tells the checker of time what the clocks of a cluster show: read off the time-coordinators' snapshots and off what the
 * cells see, in true time, which only a simulator knows. Changes nothing in them. Rules TM-4 to TM-7, SM-4.
 */
import { ADDRESSES } from '../../actors/addresses.ts';
import type { Transition, VirtualClock } from '../../actors/runtime/index.ts';
import type { Monotonic } from '../../base/units.ts';
import { errorNow, isAcquiring } from '../../machines/time/time-coordinator.live.ts';
import type { TimeCoordinatorContext } from '../../machines/time/time-coordinator.setup.ts';
import type { Address, ValidatorSet } from '../../protocol/chain/types.ts';
import type { EpochContext } from '../../protocol/consensus/epoch.ts';
import type { TimeConfig } from '../../protocol/time/config.ts';
import type { TimeReplyMessage } from '../../protocol/time/messages.ts';
import type { TimeUpdate } from '../../protocol/time/types.ts';
import type { Instance } from '../instance.ts';
import { isRight, ntpServerName } from '../ntp-servers.ts';
import type { NtpServerPlan } from '../plan.ts';
import type { SimulatedNode, SimulatedProcess } from '../validator.ts';
import type { Report } from './claim.ts';
import { type Powers, type Showing, Times, type UsedReading } from './time.ts';

/** What the watch needs of a cluster. */
export interface WatchedClocks {
  readonly epoch: EpochContext;
  readonly nodes: readonly SimulatedNode[];
  readonly clock: Pick<VirtualClock, 'now' | 'wall'>;
  readonly time: TimeConfig;
  readonly ntpServers: readonly NtpServerPlan[];
}

/** Later ones may step no more. @unit updates @source TM-6 */
const STEP_UPDATES = 3;
/** A peer counts from this score on. @source TM-4 */
const ADMITTED_MIN = 0.2;
/** A proposal may be on its way to the disk for so long. @unit ms @source SM-2: the slowest disk, many times */
const PROPOSING_MS_MAX = 10_000;
/** A machine's clock that is further off counts for no block's time. @unit ms @source the swarm's clocks that work */
const FAR_MS = 10_100;
const MICROS_PER_MS = 1_000;

interface Process {
  readonly process: SimulatedProcess;
  record: TimeUpdate | undefined;
  /** After the step before: an update may end with a new poll. */
  before: TimeCoordinatorContext | undefined;
  /** Of `record`; it takes effect in a later turn of that moment. @unit ms since the start of the run */
  updatedAt: number;
  /** As cells saw it last. @unit ms since 1970 */
  seen: number;
  /** It has adjusted time, or lost it then. @unit ms since the start of the run */
  lostAt: number | undefined;
  /** Servers lead it, and most of them are right. */
  isBounded: boolean;
}

export class TimeWatch {
  readonly #watched: WatchedClocks;
  readonly #times: Times;
  readonly #rightServers: ReadonlySet<string>;
  readonly #processes = new Map<Address, Process>();
  /** Whose machines' clocks were far off at some time. */
  readonly #far = new Set<Address>();
  readonly #honest: ReadonlySet<Address>;
  /** Of each set of validators that some clock reckoned with, the powers. */
  readonly #sets = new Map<string, Powers>();
  /** In every one of them the faulty and the far have F at most. */
  #areFewFar = true;
  #latest = Number.NEGATIVE_INFINITY;
  #latestOfNear = Number.NEGATIVE_INFINITY;

  constructor(watched: WatchedClocks, report: Report) {
    const { epoch, nodes, time, ntpServers } = watched;
    this.#watched = watched;
    const honest = nodes.filter(({ instance }) => !instance.faulty);
    this.#honest = new Set(honest.map(({ address }) => address));
    const trusted = new Set(
      honest.filter(({ driftPpm }) => Math.abs(driftPpm) <= time.driftPpmMax).map(({ address }) => address),
    );
    const { driftPpmMax, panicThresholdMs } = time;
    this.#times = new Times({ trusted, driftPpmMax, panicThresholdMs }, report);
    this.#rightServers = new Set(
      ntpServers.flatMap((server, index) => (isRight(server) ? [ntpServerName(index)] : [])),
    );
    this.#powersOf(epoch.set);
  }

  /** The latest time that an honest clock has shown so far; of clocks that were never far off when TM-4 speaks of them. */
  get latest(): number {
    return this.#areFewFar ? this.#latestOfNear : this.#latest;
  }

  started({ address, faulty }: Instance, process: SimulatedProcess): void {
    if (faulty) return;
    this.#times.started(address);
    this.#processes.set(address, {
      process,
      record: undefined,
      before: undefined,
      updatedAt: -1,
      seen: 0,
      lostAt: 0,
      isBounded: false,
    });
    process.system.inspect({
      transition: (transition) => {
        const context = coordinatorIn(transition);
        if (context !== undefined) this.#looked(address, transition.now, context);
      },
    });
  }

  /** A turn of a node's cells begins. */
  seen({ address, node, faulty }: Instance, time: number, isAdjusted: boolean): void {
    if (faulty) return;
    const known = this.#processes.get(address);
    if (known !== undefined) known.seen = time;
    this.#times.seen(address, time, isAdjusted);
    this.#latest = Math.max(this.#latest, time);
    const machine = this.#watched.nodes[node]?.wall;
    if (machine !== undefined && Math.abs(machine.read() - this.#watched.clock.wall()) > FAR_MS) {
      this.#noteFar(address);
    }
    if (!this.#far.has(address)) this.#latestOfNear = Math.max(this.#latestOfNear, time);
  }

  proposed({ address }: Instance): void {
    const known = this.#processes.get(address);
    const now = this.#watched.clock.now();
    if (known === undefined) return;
    const { lostAt, process } = known;
    const isAdjusted =
      process.adjusted.isAdjusted && (lostAt === undefined || now - lostAt <= PROPOSING_MS_MAX);
    this.#times.proposed(address, now, isAdjusted);
  }

  /** An answer about time leaves. */
  told({ address }: Instance, { repliedMicros }: TimeReplyMessage): void {
    const known = this.#processes.get(address);
    if (known === undefined) return;
    const { clock } = this.#watched;
    const [at, trueTime] = [clock.now(), clock.wall()];
    const { ahead } = known.process.adjusted;
    // Who has lost its time, or leads it anew in this very moment, is between two times.
    const isSettled = known.lostAt === undefined && at > known.updatedAt;
    const shown = isSettled ? known.seen - ahead - trueTime : undefined;
    this.#times.told(address, { at, offset: repliedMicros / MICROS_PER_MS - trueTime }, shown);
  }

  #looked(node: Address, now: Monotonic, context: TimeCoordinatorContext): void {
    const known = this.#processes.get(node);
    if (known === undefined) return;
    const { clock } = this.#watched;
    const record = context.history.at(-1);
    const isUpdate = record !== undefined && record !== known.record;
    known.record = record;
    if (isUpdate) known.updatedAt = clock.now();
    const hasTakenEffect = clock.now() > known.updatedAt;
    this.#noteLoss(known, context);
    const isHeld = known.process.adjusted.ahead > 0;
    const isSteady = context.updates >= STEP_UPDATES + (hasTakenEffect ? 0 : 1);
    const showing: Showing = { at: clock.now(), offset: known.seen - clock.wall(), isSteady, isHeld };
    this.#times.showed(node, showing);
    if (isUpdate) this.#updated(node, known, { now, context, record });
    else if (hasTakenEffect && known.isBounded && context.updates > 0) {
      this.#times.bounded(node, showing.at, showing.offset, errorNow(context, now));
    }
    known.before = context;
  }

  #noteLoss(known: Process, { updates }: TimeCoordinatorContext): void {
    if (updates > 0) known.lostAt = undefined;
    else known.lostAt ??= this.#watched.clock.now();
    if (updates === 0) known.isBounded = false;
  }

  #updated(
    node: Address,
    known: Process,
    update: {
      readonly now: Monotonic;
      readonly context: TimeCoordinatorContext;
      readonly record: TimeUpdate;
    },
  ): void {
    const { now, context, record } = update;
    const powers = this.#powersOf(context.validators);
    const { before = context } = known;
    const { discipline, look, findings } = context;
    if (discipline === undefined || look === undefined) return;
    const { clock } = this.#watched;
    const [at, trueTime] = [clock.now(), clock.wall()];
    const to = discipline.time + discipline.slewMs - trueTime;
    this.#times.updated(node, {
      at,
      by: record.by,
      from: to - record.correction,
      to,
      error: record.error,
      system: look.systemTime + (now - look.at) - trueTime,
      powers,
      readings: this.#readingsOf(before, now),
      wasSynchronised: !isAcquiring(before),
    });
    const byServers = record.by === 'ntp' || (record.by === 'hybrid' && findings?.conflict === false);
    known.isBounded = byServers && this.#mostAreRight(context);
  }

  #readingsOf({ poll, peers }: TimeCoordinatorContext, now: Monotonic): readonly UsedReading[] {
    const at = this.#watched.clock.now();
    return [...poll.heard].map(([peer, { sample, isSynchronised }]) => {
      const { delay, dispersion } = sample;
      const age = now - sample.at;
      // This machine's clock may be slow; a hair more for rounding.
      const since = at - (age + delay) * 1.001 - 0.001;
      const isAdmitted = (peers.get(peer)?.reliabilityScore ?? 0) >= ADMITTED_MIN;
      return { peer, since, delay, dispersion, age, isSynchronised, isAdmitted };
    });
  }

  /** Of those that were weighed, for certain: wrong ones may have been left out of the lists. */
  #mostAreRight({ findings }: TimeCoordinatorContext): boolean {
    if (findings?.ntp.status !== 'selected') return false;
    const { survivors, falsetickers } = findings.ntp;
    const right = [...survivors, ...falsetickers].filter((name) => this.#rightServers.has(name)).length;
    return right > this.#watched.ntpServers.length - this.#rightServers.size;
  }

  #noteFar(node: Address): void {
    if (this.#far.has(node)) return;
    this.#far.add(node);
    this.#areFewFar = [...this.#sets.values()].every((powers) => this.#hasFewFar(powers));
  }

  #powersOf({ hash, validators }: ValidatorSet): Powers {
    const known = this.#sets.get(hash);
    if (known !== undefined) return known;
    const powers = new Map(validators.map(({ address, power }) => [address, power]));
    this.#sets.set(hash, powers);
    this.#areFewFar &&= this.#hasFewFar(powers);
    return powers;
  }

  #hasFewFar(powers: Powers): boolean {
    let [total, excused] = [0n, 0n];
    for (const [node, power] of powers) {
      total += power;
      if (!this.#honest.has(node) || this.#far.has(node)) excused += power;
    }
    return excused <= (total - 1n) / 3n;
  }
}

interface Snapshot {
  readonly context: TimeCoordinatorContext;
}

// The chart at an address is known by the tree, and its context's type with it.
const isOfCoordinator = (snapshot: unknown): snapshot is Snapshot =>
  typeof snapshot === 'object' && snapshot !== null && 'context' in snapshot;

const coordinatorIn = ({ address, snapshot }: Transition): TimeCoordinatorContext | undefined =>
  address === ADDRESSES.timeCoordinator && isOfCoordinator(snapshot) ? snapshot.context : undefined;

/**
 * What must hold of the clocks of honest nodes, whoever lies: where the peers lead them, that they never fall, that they
 * agree, that their error bounds are true. Arithmetic written anew from the rules. Mutable memory. Rules TM-4 to TM-7, SM-4.
 */
import type { Address } from '../../protocol/chain/types.ts';
import type { TimeSource } from '../../protocol/time/types.ts';
import type { Report } from './claim.ts';

export const LED_WITHIN = 'the peers lead a clock to nothing beyond what honest clocks told';
export const NEVER_FALLS = 'time as cells see it never falls, once it is adjusted';
export const TOLD = 'a synchronised node tells others the time that its cells see';
export const SLEWED = 'a synchronised clock is slewed, not stepped';
export const AGREED = 'two updates by the same honest clocks are apart by their error bounds at most';
export const BOUND_HOLDS = 'led by NTP servers of which most are right, a clock is within its error bound';
export const NO_PANIC = 'no correction beyond the panic threshold is made';
export const ADJUSTED_FIRST = 'a node without adjusted time does not propose';

/** @unit ppm @source TM-6 */
const SLEW_PPM = 5_000;
const RATE_PPM_MAX = 500;
const PER_MILLION = 1_000_000;
/** Rounding of times since 1970 to numbers of 53 bits, some of them added. @unit ms */
const TOLERANCE_MS = 0.01;
/** What was told is remembered so long. @unit ms @source more than the age of any reading: a poll, a pause */
const MEMORY_MS = 120_000;
/** Tellings of one node between two looks for forgotten ones. @unit tellings @source chosen */
const TELLINGS_MAX = 4_096;
/** Two updates further apart are not compared. @unit ms @source three update intervals */
const COMPARED_MS_MAX = 30_000;

/** By which readings are weighed: those of the epoch's validators. Compared by identity: one of each set. */
export type Powers = ReadonlyMap<Address, bigint>;

/** What may be assumed of clocks. */
export interface TimeSetting {
  /** Honest, and their machines' clocks drift within bounds. */
  readonly trusted: ReadonlySet<Address>;
  /** @unit ppm */
  readonly driftPpmMax: number;
  /** @unit ms */
  readonly panicThresholdMs: number;
}

/** A node's clock at a moment. */
interface Telling {
  /** Since the start of the run. @unit ms */
  readonly at: number;
  /** Minus true time. @unit ms */
  readonly offset: number;
}

/** As its cells see it. */
export interface Showing extends Telling {
  /** Its first updates are over: no step is due. */
  readonly isSteady: boolean;
  /** It stands still, for it must not fall. */
  readonly isHeld: boolean;
}

/** One answer that an update was made with. */
export interface UsedReading {
  readonly peer: Address;
  /** The question left. Since the start of the run, not later than that. @unit ms */
  readonly since: number;
  /** @unit ms */
  readonly delay: number;
  readonly dispersion: number;
  /** Since the answer came. @unit ms */
  readonly age: number;
  readonly isSynchronised: boolean;
  /** Its reliability lets it count. */
  readonly isAdmitted: boolean;
}

/** An accepted update. Times are minus true time. @unit ms */
export interface UpdateSeen {
  readonly at: number;
  readonly by: TimeSource;
  readonly from: number;
  /** What the clock is led to, at once or by and by. */
  readonly to: number;
  readonly error: number;
  readonly system: number;
  readonly powers: Powers;
  readonly readings: readonly UsedReading[];
  /** The node had adjusted time before. */
  readonly wasSynchronised: boolean;
}

interface Known {
  /** In order of time. */
  readonly told: Telling[];
  shown: Showing | undefined;
  /** Newest update by all honest clocks. */
  complete: UpdateSeen | undefined;
  /** Newest time that its cells saw, since it is adjusted. */
  seen: number | undefined;
}

export class Times {
  readonly #setting: TimeSetting;
  readonly #report: Report;
  readonly #nodes = new Map<Address, Known>();

  constructor(setting: TimeSetting, report: Report) {
    this.#setting = setting;
    this.#report = report;
  }

  /** A process of the node begins: its clock is its machine's. */
  started(node: Address): void {
    this.#known(node).seen = undefined;
  }

  /** Its cells see this as time. @param time unit ms since 1970 */
  seen(node: Address, time: number, isAdjusted: boolean): void {
    if (!isAdjusted) return;
    const known = this.#known(node);
    if (known.seen !== undefined && time < known.seen) {
      this.#report(NEVER_FALLS, `${node}: ${time} after ${known.seen}`);
    }
    known.seen = time;
  }

  showed(node: Address, showing: Showing): void {
    const known = this.#known(node);
    const { shown } = known;
    if (shown?.isSteady === true && showing.isSteady) this.#slewed(node, shown, showing);
    known.shown = showing;
  }

  /** It answers a question about time. @param shown what its cells see, if that is settled. @unit ms, minus true time */
  told(
    node: Address,
    telling: { readonly at: number; readonly offset: number },
    shown: number | undefined,
  ): void {
    const { at, offset } = telling;
    if (shown !== undefined && Math.abs(offset - shown) > TOLERANCE_MS) {
      this.#report(TOLD, `${node} at ${at}: ${offset}, shows ${shown}`);
    }
    const { told } = this.#known(node);
    told.push({ at, offset });
    if (told.length > TELLINGS_MAX) {
      const kept = told.findIndex((one) => one.at >= at - MEMORY_MS);
      told.splice(0, Math.max(1, kept));
    }
  }

  updated(node: Address, update: UpdateSeen): void {
    const { panicThresholdMs, trusted } = this.#setting;
    const { at, by, from, to, system, powers } = update;
    if (Math.abs(to - from) > panicThresholdMs && Math.abs(to - system) > panicThresholdMs) {
      this.#report(NO_PANIC, `${node} at ${at}: from ${from} to ${to}, its system clock at ${system}`);
    }
    if (!this.#isAssumed(powers) || !trusted.has(node) || (by !== 'peers' && by !== 'hybrid')) return;
    this.#ledWithin(node, update);
    if (by === 'peers' && this.#isComplete(node, update)) this.#agreed(node, update);
  }

  /** A clock that servers lead of which most are right. @param bound its own error bound. @unit ms */
  bounded(node: Address, at: number, offset: number, bound: number): void {
    if (Math.abs(offset) <= bound + TOLERANCE_MS || !this.#setting.trusted.has(node)) return;
    this.#report(BOUND_HOLDS, `${node} at ${at}: off by ${offset}, says ${bound}`);
  }

  /** @param isAdjusted it has adjusted time, or has lost it only now */
  proposed(node: Address, at: number, isAdjusted: boolean): void {
    if (!isAdjusted) this.#report(ADJUSTED_FIRST, `${node} at ${at}`);
  }

  /** TM-4 assumes so much: faulty power and wrong oscillators are F at most. */
  #isAssumed(powers: Powers): boolean {
    const total = sumOf(powers.values());
    return total - sumOf(this.#trustedOf(powers).map((one) => powers.get(one) ?? 0n)) <= (total - 1n) / 3n;
  }

  #trustedOf(powers: Powers): readonly Address[] {
    return [...this.#setting.trusted].filter((one) => powers.has(one));
  }

  #known(node: Address): Known {
    const known = this.#nodes.get(node);
    if (known !== undefined) return known;
    const fresh: Known = { told: [], shown: undefined, complete: undefined, seen: undefined };
    this.#nodes.set(node, fresh);
    return fresh;
  }

  #slewed(node: Address, before: Showing, after: Showing): void {
    if (!this.#setting.trusted.has(node)) return;
    const moved = after.offset - before.offset;
    const most = this.#slewable(after.at - before.at) + TOLERANCE_MS;
    if (moved <= most && (moved >= -most || before.isHeld)) return;
    this.#report(SLEWED, `${node} at ${after.at}: by ${moved} since ${before.at}, at most ${most}`);
  }

  /** TM-4: from the least that an honest clock may have been to the greatest. */
  #ledWithin(node: Address, { at, by, from, to, readings }: UpdateSeen): void {
    let [lo, hi] = [from, from];
    for (const reading of readings) {
      if (!this.#setting.trusted.has(reading.peer)) continue;
      const told = this.#range(reading.peer, reading.since, at);
      // Before the checker's memory: nothing is known of it.
      if (told === undefined) return;
      const radius = this.#radius(reading);
      lo = Math.min(lo, told.lo - radius);
      hi = Math.max(hi, told.hi + radius);
    }
    if (to >= lo - TOLERANCE_MS && to <= hi + TOLERANCE_MS) return;
    this.#report(LED_WITHIN, `${node} at ${at}: by ${by} to ${to}, honest clocks from ${lo} to ${hi}`);
  }

  /** From a peer's clock to the further edge of its reading's interval, which holds it anywhere: its whole width. @unit ms */
  #radius({ delay, dispersion, age }: UsedReading): number {
    const drifted = (this.#setting.driftPpmMax * (age + delay)) / PER_MILLION;
    return delay + 2 * dispersion + this.#slewable(age) + drifted;
  }

  /** How far an adjusted clock may move against true time, without a step. @unit ms */
  #slewable(ms: number): number {
    return ((SLEW_PPM + RATE_PPM_MAX + this.#setting.driftPpmMax) * ms) / PER_MILLION;
  }

  /** Every trusted clock counted in it, so that some clock in their middle is within its error bound. */
  #isComplete(node: Address, { powers, readings, wasSynchronised }: UpdateSeen): boolean {
    const admitted = readings.filter(({ isAdmitted }) => isAdmitted);
    const synchronised = admitted.filter(({ isSynchronised }) => isSynchronised).map(({ peer }) => peer);
    const faulty = (sumOf(powers.values()) - 1n) / 3n;
    const isEnough = (nodes: readonly Address[]): boolean =>
      sumOf(nodes.map((one) => powers.get(one) ?? 0n)) > 2n * faulty;
    // Who has time is not drawn away by who has none, if the others are enough.
    const ofTime = wasSynchronised ? [node, ...synchronised] : synchronised;
    const all = [node, ...admitted.map(({ peer }) => peer)];
    const counted = [ofTime, [node, ...synchronised]].find(isEnough) ?? all;
    return this.#trustedOf(powers).every((one) => counted.includes(one));
  }

  #agreed(node: Address, update: UpdateSeen): void {
    this.#known(node).complete = update;
    for (const [other, { complete }] of this.#nodes) {
      if (other === node || complete === undefined || update.at - complete.at > COMPARED_MS_MAX) continue;
      // They may have reckoned with other clocks.
      if (complete.powers !== update.powers) continue;
      const own = new Map([
        [node, update.from],
        [other, complete.from],
      ]);
      const moved = this.#mostMoved(update, Math.min(sinceOf(update), sinceOf(complete)), own);
      if (moved === undefined) continue;
      const onTheWay =
        (this.#setting.driftPpmMax * (longestWay(update) + longestWay(complete))) / PER_MILLION;
      const most = update.error + complete.error + moved + onTheWay;
      const apart = Math.abs(update.to - complete.to);
      if (apart <= most + TOLERANCE_MS) continue;
      this.#report(
        AGREED,
        `${node} at ${update.at} and ${other} at ${complete.at}: ${apart}, at most ${most}`,
      );
    }
  }

  /** The most that a trusted clock moved; undefined when one of them told nothing. @param own what nodes took for theirs */
  #mostMoved(
    { at, powers }: UpdateSeen,
    since: number,
    own: ReadonlyMap<Address, number>,
  ): number | undefined {
    let most = 0;
    for (const node of this.#trustedOf(powers)) {
      const range = this.#range(node, since, at);
      if (range === undefined) return undefined;
      const taken = own.get(node) ?? range.lo;
      most = Math.max(most, Math.max(range.hi, taken) - Math.min(range.lo, taken));
    }
    return most;
  }

  #range(
    node: Address,
    since: number,
    until: number,
  ): { readonly lo: number; readonly hi: number } | undefined {
    const { told } = this.#known(node);
    let [lo, hi] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let place = told.length - 1; place >= 0; place -= 1) {
      const telling = told[place];
      if (telling === undefined || telling.at < since) break;
      if (telling.at > until) continue;
      lo = Math.min(lo, telling.offset);
      hi = Math.max(hi, telling.offset);
    }
    return lo <= hi ? { lo, hi } : undefined;
  }
}

const sumOf = (powers: Iterable<bigint>): bigint => [...powers].reduce((sum, power) => sum + power, 0n);

const sinceOf = ({ at, readings }: UpdateSeen): number => Math.min(at, ...readings.map(({ since }) => since));

const longestWay = ({ readings }: UpdateSeen): number => Math.max(0, ...readings.map(({ delay }) => delay));

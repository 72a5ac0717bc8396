/**
 * A time-coordinator among peers and NTP servers that do as a test says: virtual time, its timers, its clock, and what it
 * told whom. True time is START plus the rig's monotonic clock.
 */
import { monotonic, wallTime } from '../../../src/base/units.ts';
import { timeCoordinatorMachine } from '../../../src/machines/time/time-coordinator.machine.ts';
import type { Address, ValidatorSet } from '../../../src/protocol/chain/types.ts';
import type { ClockRequest, NtpPollRequested, NtpReply } from '../../../src/protocol/ports/time.ts';
import { TIME_DEFAULTS, type TimeConfig } from '../../../src/protocol/time/config.ts';
import type { TimeReplyMessage, TimeRequestMessage } from '../../../src/protocol/time/messages.ts';
import type { TimeAlert } from '../../../src/protocol/time/types.ts';
import { AdjustedClock } from '../../../src/time/adjusted-clock.ts';
import { world } from '../../protocol/consensus/fixture.ts';
import { ofKind, type Reach, reachOf, toldTo } from '../reach.ts';

export const START = 1_700_000_000_000;
const LOOK_MS = 1_000;

type TimeReach = Reach<typeof timeCoordinatorMachine>;
type Chart = ReturnType<TimeReach['start']>;
type TimeEvent = Parameters<Chart['send']>[0];
type Effects = Chart['effects'];

/** How a peer answers one question. */
export interface PeerWays {
  /** Its clock minus true time. @unit ms */
  readonly offset: number;
  /** There and back. @unit ms */
  readonly delay: number;
  readonly isSynchronised: boolean;
}
export type PeerModel = (question: {
  readonly now: number;
  readonly exchange: number;
}) => PeerWays | 'silent';
export type ServerModel = (now: number) => { readonly offset: number } | NtpReply['type'] | 'DENY' | 'silent';

export const peerAt =
  (offset: number, isSynchronised = true, delay = 2): PeerModel =>
  () => ({ offset, delay, isSynchronised });
export const silent: PeerModel = () => 'silent';

export interface RigOptions {
  readonly config?: Partial<TimeConfig>;
  readonly powers?: readonly bigint[];
  /** This machine's system clock minus true time. @unit ms */
  readonly systemError?: number;
  /** By order of address, without this node. */
  readonly peers?: readonly PeerModel[];
  readonly servers?: Readonly<Record<string, ServerModel>>;
  /** This node is no validator. */
  readonly follows?: boolean;
  /** False: the clock shows itself only when the test says so. */
  readonly looks?: boolean;
}

export const newReach = (): TimeReach => reachOf(timeCoordinatorMachine, 'time');

interface Due {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

const isClockRequest = (message: { readonly type: string }): message is ClockRequest =>
  ['clock.watchRequested', 'clock.disciplined', 'alerts.changed'].includes(message.type);
const isPoll = (message: { readonly type: string }): message is NtpPollRequested =>
  message.type === 'ntp.pollRequested';

export interface Sent {
  readonly to: Address;
  readonly message: TimeRequestMessage | TimeReplyMessage;
}

/** What went to peers, by the effects of a step. */
export function sentIn(effects: Effects): readonly Sent[] {
  return toldTo(effects, 'router').flatMap((message) => {
    const outgoing = 'outgoing' in message ? message['outgoing'] : undefined;
    if (!Array.isArray(outgoing)) return [];
    return outgoing.map(({ to, message: sent }): Sent => ({ to: to[0], message: sent }));
  });
}

export class Rig {
  readonly #agenda = new Map<string, Due>();
  readonly #options: RigOptions;
  readonly #validators: ValidatorSet;
  readonly #reach: TimeReach;
  chart: Chart;
  readonly self: Address;
  readonly peers: readonly Address[];
  readonly models: PeerModel[];
  servers: Readonly<Record<string, ServerModel>>;
  now = 0;
  systemError: number;
  readonly clock: AdjustedClock;
  /** What the round-manager was told, in order. */
  readonly told: boolean[] = [];
  /** How far view-change was told that a quorum is, in order. */
  readonly roundTrips: unknown[] = [];
  readonly raised: TimeAlert[] = [];
  readonly cleared: TimeAlert[] = [];
  readonly repeated: TimeAlert[] = [];
  readonly alertLog: { readonly alert: TimeAlert; readonly change: 'raised' | 'cleared' }[] = [];
  readonly disciplined: Extract<ClockRequest, { type: 'clock.disciplined' }>[] = [];
  readonly asked: { readonly at: number; readonly to: Address; readonly requestId: number }[] = [];
  readonly polled: { readonly at: number; readonly server: string }[] = [];
  readonly misbehaved: Address[] = [];
  #order = 0;
  readonly #exchanges = new Map<Address, number>();

  constructor(reach: TimeReach, options: RigOptions = {}) {
    this.#reach = reach;
    this.#options = options;
    const { powers = [1n, 1n, 1n, 1n], follows = false } = options;
    const { validators, epoch } = world(follows ? [...powers].slice(1) : powers);
    this.#validators = epoch.set;
    const addresses = validators.map(({ address }) => address);
    const stranger = world([1n], 'elsewhere').addressAt(0);
    this.self = follows ? stranger : (addresses[0] ?? stranger);
    this.peers = addresses.filter((address) => address !== this.self);
    this.models = this.peers.map((_, index) => options.peers?.[index] ?? peerAt(0));
    this.servers = options.servers ?? {};
    this.systemError = options.systemError ?? 0;
    this.clock = new AdjustedClock({ now: () => monotonic(this.now), wall: () => this.systemTime });
    this.chart = this.#start();
    this.#take(this.chart.effects);
  }

  /** The coordinator's cell dies and starts anew; the clock outlives it. */
  restart(): void {
    this.#agenda.clear();
    this.chart = this.#start();
    this.#take(this.chart.effects);
  }

  #start(): Chart {
    const input = {
      config: {
        ...TIME_DEFAULTS,
        source: 'peers',
        servers: Object.keys(this.servers),
        ...this.#options.config,
      } as const,
      validators: this.#validators,
      self: this.self,
      clock: 'clock',
      ntpClient: 'ntp',
      router: 'router',
      listeners: ['round-manager'],
      paced: ['view-change', 'mempool'],
    };
    return this.#reach.start(input, this.#circumstances());
  }

  get systemTime() {
    return wallTime(START + this.now + this.systemError);
  }

  get state() {
    return this.chart.snapshot.value;
  }

  get context() {
    return this.chart.snapshot.context;
  }

  /** Adjusted time minus true time. @unit ms */
  get error(): number {
    return this.clock.read() - START - this.now;
  }

  /** What the round-manager believes. */
  get mayPropose(): boolean {
    return this.told.at(-1) ?? false;
  }

  /** Named timers that are armed, and when they fire. */
  get timers(): ReadonlyMap<string, number> {
    const named = [...this.#agenda].filter(([key]) => key.startsWith('timer/'));
    return new Map(named.map(([key, { at }]) => [key.slice('timer/'.length), at]));
  }

  peer(index: number): Address {
    const address = this.peers[index];
    if (address === undefined) throw new Error(`no peer ${index}`);
    return address;
  }

  send(event: TimeEvent) {
    const effects = this.chart.send(event, this.#circumstances());
    this.#take(effects);
    return effects;
  }

  elapse(delayMs: number) {
    const effects = this.chart.elapse(delayMs, this.#circumstances());
    this.#take(effects);
    return effects;
  }

  /** This machine's clocks, shown to the coordinator. */
  look() {
    const { isAdjusted } = this.clock;
    const [at, adjustedTime] = [monotonic(this.now), this.clock.read()];
    return this.send({ type: 'clock.looked', at, systemTime: this.systemTime, adjustedTime, isAdjusted });
  }

  reply(from: Address, message: Omit<TimeReplyMessage, 'kind'>) {
    return this.send({ type: 'message.received', from, message: { kind: 'TimeReply', ...message } });
  }

  /** Virtual time passes, and everything that is due happens. */
  advance(ms: number): void {
    const end = this.now + ms;
    for (let next = this.#next(); next !== undefined && next[1].at <= end; next = this.#next()) {
      this.#agenda.delete(next[0]);
      this.now = Math.max(this.now, next[1].at);
      next[1].run();
    }
    this.now = end;
  }

  #next() {
    const soonest = [...this.#agenda].sort(([, a], [, b]) => a.at - b.at || a.order - b.order);
    return soonest[0];
  }

  #at(key: string, delay: number, run: () => void): void {
    this.#order += 1;
    this.#agenda.set(key, { at: this.now + delay, order: this.#order, run });
  }

  #circumstances() {
    return { now: monotonic(this.now), wall: this.clock.read() };
  }

  #take(effects: Effects): void {
    for (const { key, delayMs, message } of ofKind(effects, 'startTimer')) {
      const { type } = message;
      if (type !== 'poll.due' && type !== 'servers.due' && type !== 'update.due') throw new Error(type);
      this.#at(`timer/${key}`, delayMs, () => this.send({ type }));
    }
    for (const message of toldTo(effects, 'round-manager')) {
      this.told.push('mayPropose' in message && message['mayPropose'] === true);
    }
    for (const message of toldTo(effects, 'view-change')) {
      if ('roundTripMs' in message) this.roundTrips.push(message['roundTripMs']);
    }
    for (const message of toldTo(effects, 'clock')) if (isClockRequest(message)) this.#tellClock(message);
    for (const message of toldTo(effects, 'ntp')) if (isPoll(message)) this.#tellServer(message);
    for (const message of toldTo(effects, 'router')) {
      const blamed = this.peers.find((peer) => 'peer' in message && message['peer'] === peer);
      if (message.type === 'peer.misbehaved' && blamed !== undefined) this.misbehaved.push(blamed);
    }
    for (const { to, message } of sentIn(effects)) {
      if (message.kind === 'TimeRequest') this.#tellPeer(to, message.requestId);
    }
  }

  #tellClock(message: ClockRequest): void {
    switch (message.type) {
      case 'clock.watchRequested':
        if (this.#options.looks !== false) this.#lookIn(0);
        return;
      case 'clock.disciplined':
        this.disciplined.push(message);
        this.clock.discipline(message.discipline, message.isFirst);
        return;
      case 'alerts.changed':
        this.#logAlerts(message);
        this.raised.push(...message.raised.map(({ alert }) => alert));
        this.repeated.push(...message.repeated.map(({ alert }) => alert));
        this.cleared.push(...message.cleared);
    }
  }

  #logAlerts({ raised, cleared }: Extract<ClockRequest, { type: 'alerts.changed' }>): void {
    for (const alert of cleared) this.alertLog.push({ alert, change: 'cleared' });
    for (const { alert } of raised) this.alertLog.push({ alert, change: 'raised' });
  }

  #lookIn(delay: number): void {
    this.#at('look', delay, () => {
      this.#lookIn(LOOK_MS);
      this.look();
    });
  }

  #tellPeer(to: Address, requestId: number): void {
    this.asked.push({ at: this.now, to, requestId });
    const exchange = (this.#exchanges.get(to) ?? 0) + 1;
    this.#exchanges.set(to, exchange);
    const ways = this.models[this.peers.indexOf(to)]?.({ now: this.now, exchange });
    if (ways === undefined || ways === 'silent') return;
    const { offset, delay, isSynchronised } = ways;
    const micros = Math.round((START + this.now + delay / 2 + offset) * 1_000);
    const times = { receivedMicros: micros, repliedMicros: micros };
    this.#at(`peer/${requestId}`, delay, () => this.reply(to, { requestId, ...times, isSynchronised }));
  }

  #tellServer({ server, requestId }: NtpPollRequested): void {
    this.polled.push({ at: this.now, server });
    const says = this.servers[server]?.(this.now) ?? 'silent';
    if (says === 'silent') return;
    const sentAt = monotonic(this.now);
    this.#at(`server/${requestId}`, 2, () => {
      if (says === 'ntp.failed' || says === 'ntp.answered') {
        this.send({ type: 'ntp.failed', server, requestId, code: 'TIMEOUT', detail: 'no answer' });
        return;
      }
      const time = wallTime(START + sentAt + 1 + (says === 'DENY' ? 0 : says.offset));
      const answer =
        says === 'DENY'
          ? ({ code: 'KISS', kiss: 'DENY' } as const)
          : {
              ...{ leap: 0, stratum: 1, reference: 'GPS', rootDelay: 0, rootDispersion: 0, precision: 0.001 },
              ...{ receivedAt: time, repliedAt: time },
            };
      this.send({ type: 'ntp.answered', server, requestId, sentAt, arrivedAt: monotonic(this.now), answer });
    });
  }
}

/** A network-sync among cells that answer when the test says so: what it asked whom, and what it told. */
import { monotonic } from '../../../src/base/units.ts';
import { networkSyncMachine } from '../../../src/machines/sync/network-sync.machine.ts';
import type { NetworkSyncInput } from '../../../src/machines/sync/network-sync.setup.ts';
import type { BlockId, Height, Power } from '../../../src/protocol/chain/types.ts';
import type { HeightOutcome, SyncDone, SyncStatusChanged } from '../../../src/protocol/ports/sync.ts';
import { SYNC_DEFAULTS } from '../../../src/protocol/sync/config.ts';
import type { ForkEvidence, ProvedTip, SyncAlert, SyncError } from '../../../src/protocol/sync/types.ts';
import { GENESIS_EXECUTED, height, world } from '../../protocol/consensus/fixture.ts';
import { committedChain, strangeId } from '../../protocol/sync/peer-states.ts';
import { type Reach, reachOf, toldTo } from '../reach.ts';

export const place = world();
export const CHAIN = committedChain(place, 220);

export type NetworkReach = Reach<typeof networkSyncMachine>;
type Chart = ReturnType<NetworkReach['start']>;
export const newReach = (): NetworkReach => reachOf(networkSyncMachine, 'network-sync');

type Told = { readonly type: string };
const has =
  <Type extends string>(type: Type) =>
  (message: Told): message is { readonly type: Type } =>
    message.type === type;
const isDone = (message: Told): message is SyncDone => has('sync.done')(message);
const isStatus = (message: Told): message is SyncStatusChanged => has('sync.statusChanged')(message);

export const tagOf = (message: Told | undefined): number =>
  message !== undefined && 'tag' in message && typeof message.tag === 'number' ? message.tag : -1;

/** What tier 1 found. */
export interface Found {
  readonly own?: number;
  readonly exact?: number;
  readonly supported?: number;
  readonly proved?: ProvedTip;
  readonly differsAt?: number;
}

export const agreed = ({ own = 0, exact, supported, proved, differsAt }: Found): HeightOutcome => ({
  status: 'agreed',
  own: height(own),
  answered: 3,
  connected: 3,
  ...(exact === undefined ? {} : { exact: height(exact) }),
  ...(supported === undefined ? {} : { supported: height(supported) }),
  ...(proved === undefined ? {} : { proved }),
  ...(differsAt === undefined ? {} : { differsAt: height(differsAt) }),
});

export const checkFailed = (code: 'NoPeersAvailable' | 'Timeout' | 'NoConsensusReached'): HeightOutcome => ({
  status: 'failed',
  error: { code, detail: 'in the test' },
  answered: 0,
  connected: 0,
});

export class Rig {
  readonly chart: Chart;
  now = 1_000;
  /** The newest question by the cell that it went to, and how many went there. */
  readonly asked = new Map<string, Told>();
  readonly questions = new Map<string, number>();
  readonly done: SyncDone[] = [];
  readonly statuses: SyncStatusChanged[] = [];
  /** Of a cell that asked, and is no listener. */
  readonly toFollower: SyncStatusChanged[] = [];
  readonly raised: SyncAlert[] = [];
  readonly cleared: SyncAlert[] = [];
  readonly violations: Told[] = [];
  readonly toOperator: Told[] = [];

  constructor(reach: NetworkReach, given: Partial<NetworkSyncInput> = {}) {
    const input: NetworkSyncInput = {
      epoch: place.epoch,
      self: place.addressAt(0),
      config: SYNC_DEFAULTS,
      storage: 'storage',
      heightSync: 'height-sync',
      blockSync: 'block-sync',
      chainSync: 'chain-sync',
      stateSync: 'state-sync',
      safety: 'safety',
      roundManager: 'round-manager',
      alarm: 'alarm',
      operator: 'operator',
      listeners: ['round-manager'],
      ...given,
    };
    this.chart = reach.start(input, { now: monotonic(this.now) });
    this.#note(this.chart.effects);
  }

  get state() {
    return this.chart.snapshot.value;
  }

  get context() {
    return this.chart.snapshot.context;
  }

  send(event: Parameters<Chart['send']>[0]) {
    return this.#note(this.chart.send(event, { now: monotonic(this.now) }));
  }

  elapse(delayMs?: number) {
    this.now += delayMs ?? 0;
    return this.#note(this.chart.elapse(delayMs, { now: monotonic(this.now) }));
  }

  tag(cell: string): number {
    return tagOf(this.asked.get(cell));
  }

  count(cell: string): number {
    return this.questions.get(cell) ?? 0;
  }

  /** Storage has read the tip: this node is at that height. */
  begin(at = 0): this {
    const id = at === 0 ? strangeId('genesis') : CHAIN.tip(at).id;
    this.tip(at, id);
    return this;
  }

  tip(at: number, id: BlockId): void {
    const tip = { base: height(Math.min(1, at)), height: height(at), id, executed: GENESIS_EXECUTED };
    this.send({ type: 'tip.found', tag: this.tag('storage'), ...tip });
  }

  request(tag = 1, replyTo = 'coordinator', cause: 'loop' | 'join' | 'manual' = 'loop'): void {
    this.send({ type: 'sync.requested', cause, replyTo, tag });
  }

  checked(outcome: HeightOutcome): void {
    this.send({ type: 'heights.checked', tag: this.tag('height-sync'), outcome });
  }

  /** A whole check: asked for and answered. */
  check(outcome: HeightOutcome): this {
    this.request();
    this.checked(outcome);
    return this;
  }

  committed(...heights: number[]): void {
    this.send({ type: 'blocks.committed', blocks: heights.map((at) => CHAIN.block(at)) });
  }

  ended(outcome: number | SyncError): void {
    const end =
      typeof outcome === 'number'
        ? ({ status: 'reached', height: height(outcome) } as const)
        : ({ status: 'failed', error: outcome } as const);
    this.send({ type: 'catchUp.ended', tag: this.tag('block-sync'), outcome: end });
  }

  hash(outcome: 'agreed' | 'failed' | { readonly power: Power }): void {
    const tag = this.tag('state-sync');
    const verdict =
      outcome === 'agreed'
        ? ({ status: 'agreed', answered: 3 } as const)
        : outcome === 'failed'
          ? ({ status: 'failed', error: { code: 'Timeout', detail: '' } } as const)
          : ({ status: 'differs', id: strangeId('other'), answered: 3, power: outcome.power } as const);
    this.send({ type: 'hash.verified', tag, outcome: verdict });
  }

  fork(evidence: ForkEvidence = FORK): void {
    this.send({ type: 'fork.found', evidence, from: place.addressAt(2) });
  }

  resync(replyTo = 'operator', tag = 9): void {
    this.send({ type: 'resync.requested', replyTo, tag });
  }

  resyncEnded(outcome: Height | SyncError): void {
    const end =
      typeof outcome === 'number'
        ? ({ status: 'ready', height: outcome } as const)
        : ({ status: 'failed', error: outcome } as const);
    this.send({ type: 'resync.ended', tag: this.tag('chain-sync'), outcome: end });
  }

  get alerts(): readonly SyncAlert[] {
    return [...this.context.alerts.keys()];
  }

  #note(effects: Chart['effects']) {
    for (const cell of ['storage', 'height-sync', 'block-sync', 'chain-sync', 'state-sync']) {
      const told = toldTo(effects, cell);
      const newest = told.at(-1);
      if (newest === undefined) continue;
      this.asked.set(cell, newest);
      this.questions.set(cell, this.count(cell) + told.length);
    }
    this.done.push(
      ...['coordinator', 'operator', 'other'].flatMap((to) => toldTo(effects, to).filter(isDone)),
    );
    this.toOperator.push(...toldTo(effects, 'operator'));
    this.statuses.push(...toldTo(effects, 'round-manager').filter(isStatus));
    this.toFollower.push(...toldTo(effects, 'follower').filter(isStatus));
    this.violations.push(...toldTo(effects, 'safety'));
    for (const message of toldTo(effects, 'alarm')) this.#noteAlarm(message);
    return effects;
  }

  #noteAlarm(message: Told): void {
    if (isAlerts(message)) {
      this.raised.push(...message.raised.map(({ alert }) => alert));
      this.cleared.push(...message.cleared);
    }
  }
}

const isAlerts = (
  message: Told,
): message is {
  readonly type: 'sync.alertsChanged';
  readonly raised: readonly { readonly alert: SyncAlert }[];
  readonly cleared: readonly SyncAlert[];
} => message.type === 'sync.alertsChanged';

/** Two commit proofs of height 3; what is in them was verified by others. */
export const FORK: ForkEvidence = {
  kind: 'CommitProofs',
  height: height(3),
  first: CHAIN.tip(3),
  second: { id: strangeId('fork'), proof: CHAIN.tip(4).proof },
};
export const NOT_FOUND: SyncError = { code: 'BlockNotFound', detail: 'nobody has it' };

/**
 * Plays a plan to its end and judges it: what was violated, what was done, and a fingerprint that is equal whenever the
 * plan is. Deterministic. Rules SM-1, SM-4, SM-5.
 */
import { seededRandom } from '../actors/runtime/index.ts';
import { InvariantViolation } from '../base/invariant.ts';
import { networkSyncOf } from '../node/views.ts';
import type { Offence } from '../protocol/consensus/evidence.ts';
import type { PeerMessageKind } from '../protocol/consensus/types.ts';
import { POISON } from '../record/poison.ts';
import { CALM, type HubCounts } from '../transport/hub.ts';
import { play } from './acts.ts';
import { createLiar } from './byzantine/index.ts';
import { thrown } from './checkers/claim.ts';
import { CARRIED_ALL, pendingOf } from './checkers/evidence.ts';
import type { Violation } from './checkers/index.ts';
import { IN_SYNC } from './checkers/sync.ts';
import { Cluster } from './cluster.ts';
import type { Observer } from './observer.ts';
import type { ActKind, EpochsPlan, RunPlan } from './plan.ts';
import type { Voice } from './process-hub.ts';
import { REAL_BLS } from './real-bls.ts';
import { membersKvBy } from './replicated.ts';
import type { SimulatedNode } from './validator.ts';

export interface RunReport {
  readonly plan: RunPlan;
  readonly violations: readonly Violation[];
  /** Newest height that any node committed. */
  readonly committedHeight: number;
  /** Newest round that any node has reached, of the newest epoch. */
  readonly rounds: number;
  /** Epochs that have ended. */
  readonly epochs: number;
  /** Acts that applied, by kind, and `late-start`, `liar`, `twin`, `clock-error`, `ntp-server` for what the plan began with. */
  readonly acts: Readonly<Partial<Record<FaultName, number>>>;
  readonly messages: {
    /** By the hub: what its links did. Bytes are counted under `carry: 'codec'` only. */
    readonly links: HubCounts;
    /** What instances sent, once for each receiver. */
    readonly byKind: Readonly<Partial<Record<PeerMessageKind, number>>>;
  };
  /** Submitted transactions that were answered `admitted`. */
  readonly admitted: number;
  /** @unit ms */
  readonly virtualMs: number;
  /** From the end of the faults until all (or the core) had committed again; absent when the run just stops. @unit ms */
  readonly recoveryMs?: number;
  /** Of what each disk holds, of the time and of all counts at the end. */
  readonly fingerprint: string;
}

export type FaultName = ActKind | 'late-start' | 'liar' | 'twin' | 'clock-error' | 'ntp-server';

export interface RunOptions {
  /** They see the run; what they found is theirs to tell. */
  readonly observers?: readonly Observer[];
  /** A folder for the journals of all nodes. */
  readonly recordTo?: string;
  /** The cluster before its first moment, for who wants more than an observer gets. */
  readonly prepared?: (cluster: Cluster) => void;
}

/** Blocks that a healed cluster must commit, and the time it has. @unit blocks, ms @source SM-5; backoff grows to 30 s */
const HEALED_BLOCKS = 3;
const HEALED_MS_MAX = 120_000;
/** Until all are in sync: the longest pauses between checks, and what a check takes. @unit ms @source SY-7; seed 002: 30 s */
const SYNCED_MS_MAX = 120_000;
/** How often the healed cluster is looked at. @unit ms */
const GLANCE_MS = 500;

export function runPlan(plan: RunPlan, options: RunOptions = {}): RunReport {
  return new Run(plan, options).report();
}

class Run {
  readonly #plan: RunPlan;
  readonly #cluster: Cluster;
  readonly #acts: Partial<Record<FaultName, number>> = {};
  readonly #sent: Partial<Record<PeerMessageKind, number>> = {};
  readonly #violations: Violation[] = [];
  #recoveryMs: number | undefined;

  constructor(plan: RunPlan, { observers = [], recordTo, prepared }: RunOptions) {
    this.#plan = plan;
    const { powers, leaders, leadership, rounds, time, sync, epochs } = plan;
    this.#cluster = new Cluster({
      seed: plan.seed,
      validators: plan.validators,
      ...(powers === undefined ? {} : { powers }),
      ...(leaders === undefined ? {} : { leaders }),
      ...(leadership === undefined ? {} : { leadership }),
      ...(rounds === undefined ? {} : { rounds }),
      ...(time === undefined ? {} : { time: { source: time.source }, ntpServers: time.servers }),
      ...(sync === undefined ? {} : { sync }),
      ...(epochs === undefined ? {} : epochsOf(epochs)),
      twins: plan.twins,
      liars: plan.liars.map(({ validator }) => validator),
      absent: plan.lateStarts.map(({ node }) => node),
      clocks: plan.clocks,
      faults: plan.links,
      timeouts: plan.timeouts,
      carry: plan.carry,
      ...(plan.signatures === 'bls' ? { bls: REAL_BLS } : {}),
      voiceOf: voices(plan),
      observers: [this.#counter(), ...observers],
      ...(recordTo === undefined ? {} : { recordTo }),
      start: false,
    });
    prepared?.(this.#cluster);
  }

  report(): RunReport {
    const cluster = this.#cluster;
    this.#attempt(() => {
      this.#playActs();
      this.#end();
    });
    this.#attempt(() => cluster.finish());
    return {
      plan: this.#plan,
      violations: [...cluster.checker.violations, ...this.#violations],
      committedHeight: cluster.checker.committedHeight,
      rounds: cluster.round,
      epochs: cluster.present.epoch,
      acts: this.#acts,
      messages: { links: cluster.hub.counts, byKind: this.#sent },
      admitted: cluster.nodes.reduce(
        (sum, { admitted }) => sum + admitted.filter(({ status }) => status === 'admitted').length,
        0,
      ),
      virtualMs: cluster.clock.now(),
      ...(this.#recoveryMs === undefined ? {} : { recoveryMs: this.#recoveryMs }),
      fingerprint: cluster.fingerprint(),
    };
  }

  /** Whatever is thrown outside of a cell ends the run and is a violation of it: the seed must not be lost. */
  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (error instanceof InvariantViolation) {
        this.#report('no livelock, and no invariant of the runtime breaks', error.message);
      } else {
        this.#violations.push(thrown(error));
      }
    }
  }

  #playActs(): void {
    const { acts, lateStarts, liars, twins, clocks, time, durationMs } = this.#plan;
    const cluster = this.#cluster;
    this.#count('liar', liars.length);
    this.#count('twin', twins.length);
    this.#count('clock-error', clocks.length);
    this.#count('ntp-server', time?.servers.length ?? 0);
    const moments = [
      ...lateStarts.map(({ node, at }) => ({ at, do: () => this.#startLate(node) })),
      ...acts.map(({ at, act }) => ({
        at,
        do: () => {
          if (play(cluster, act, at)) this.#count(act.kind, 1);
        },
      })),
    ].sort((left, right) => left.at - right.at);
    cluster.startAll();
    for (const moment of moments) {
      if (moment.at > durationMs) break;
      if (moment.at > cluster.clock.now()) cluster.advance(moment.at - cluster.clock.now());
      moment.do();
    }
    if (durationMs > cluster.clock.now()) cluster.advance(durationMs - cluster.clock.now());
  }

  #startLate(node: number): void {
    if (this.#cluster.nodes[node] !== undefined && this.#cluster.start(node)) this.#count('late-start', 1);
  }

  #end(): void {
    const { ending } = this.#plan;
    const { nodes } = this.#cluster;
    if (ending.kind === 'stop') return;
    if (ending.kind === 'heal-core') {
      const core = ending.core.filter((node) => nodes[node]?.instance.faulty === false);
      this.#cluster.healAmong(core);
      this.#awaitCommits(core, 'a healed core commits while the rest stays broken');
      return;
    }
    this.#cluster.heal();
    this.#cluster.liftRoundRules();
    this.#cluster.setLinks(CALM);
    const honest = nodes.filter(({ instance }) => !instance.faulty).map(({ index }) => index);
    this.#repair(nodes.map(({ index }) => index));
    if (!this.#awaitCommits(honest, 'a healed cluster commits again')) return;
    this.#awaitAdmitted();
    this.#awaitCharged(honest);
    this.#awaitInSync(honest);
  }

  /** Machines work and processes run. */
  #repair(indices: readonly number[]): void {
    for (const index of indices) {
      const node = this.#cluster.node(index);
      node.faults.clear();
      node.wall.correct();
      node.resume();
      node.start();
    }
  }

  /** Whether they did. */
  #awaitCommits(indices: readonly number[], claim: string): boolean {
    const cluster = this.#cluster;
    this.#repair(indices);
    const healedAt = cluster.clock.now();
    const target = Math.max(0, ...indices.map((index) => cluster.height(index))) + HEALED_BLOCKS;
    const behind = (): boolean => indices.some((index) => cluster.height(index) < target);
    while (behind() && cluster.clock.now() - healedAt < HEALED_MS_MAX) {
      cluster.advance(GLANCE_MS);
      // Whoever runs a node starts it again when it exits.
      for (const index of indices) cluster.start(index);
    }
    if (behind()) {
      const heights = indices.map((index) => `node ${index} at ${cluster.height(index)}`).join(', ');
      this.#report(claim, `wanted height ${target} within ${HEALED_MS_MAX} ms: ${heights}`);
      return false;
    }
    this.#recoveryMs = cluster.clock.now() - healedAt;
    return true;
  }

  /** What was admitted commits in a healed cluster: nothing expires so soon. */
  #awaitAdmitted(): void {
    const cluster = this.#cluster;
    const from = cluster.clock.now();
    let lost = cluster.lostTransactions();
    while (lost.length > 0 && cluster.clock.now() - from < HEALED_MS_MAX) {
      cluster.advance(GLANCE_MS);
      lost = cluster.lostTransactions();
    }
    this.#violations.push(...lost);
  }

  /** CS-14: what is pending by now is in a block soon, or of an epoch that has ended. */
  #awaitCharged(indices: readonly number[]): void {
    const cluster = this.#cluster;
    const held = (): readonly Offence[] =>
      indices.flatMap((index) => {
        const system = cluster.node(index).process?.system;
        return system === undefined ? [] : pendingOf(system);
      });
    const isOpen = (offence: Offence): boolean =>
      !cluster.carried.has(offence) && offence.startsWith(`${cluster.present.epoch}/`);
    const from = cluster.clock.now();
    let left = held().filter(isOpen);
    while (left.length > 0 && cluster.clock.now() - from < HEALED_MS_MAX) {
      cluster.advance(GLANCE_MS);
      left = left.filter(isOpen);
    }
    if (left.length > 0) this.#report(CARRIED_ALL, left.join(', '));
  }

  /** SY-1, SY-2: with all healed, nobody is left who does not know that it is in sync, at the height of its disk. */
  #awaitInSync(indices: readonly number[]): void {
    const cluster = this.#cluster;
    const from = cluster.clock.now();
    const late = (): readonly string[] => indices.flatMap((index) => lagOf(cluster.node(index)));
    let behind = late();
    while (behind.length > 0 && cluster.clock.now() - from < SYNCED_MS_MAX) {
      cluster.advance(GLANCE_MS);
      for (const index of indices) cluster.start(index);
      behind = late();
    }
    if (behind.length > 0) this.#report(IN_SYNC, `after ${SYNCED_MS_MAX} ms: ${behind.join(', ')}`);
  }

  #counter(): Observer {
    return {
      started: (instance, { system }) => {
        system.inspect({
          cellEnded: (address, _incarnation, reason) => {
            if (reason.kind !== 'crash' || reason.error.includes(POISON)) return;
            this.#report('no cell crashes', `${address} of node ${instance.node}: ${reason.error}`);
          },
        });
      },
      sent: (_instance, _to, { kind }) => {
        this.#sent[kind] = (this.#sent[kind] ?? 0) + 1;
      },
    };
  }

  #count(name: FaultName, times: number): void {
    if (times > 0) this.#acts[name] = (this.#acts[name] ?? 0) + times;
  }

  #report(claim: string, detail: string): void {
    this.#violations.push({ claim, detail });
  }
}

const epochsOf = ({ members, length, changePercent }: EpochsPlan) => ({
  members,
  epochLength: length,
  application: membersKvBy(changePercent),
});

/** What keeps a node from being in sync; nothing when it is. */
function lagOf({ index, process }: SimulatedNode): readonly string[] {
  const context = process === undefined ? undefined : networkSyncOf(process.system)?.context;
  if (context?.status.kind === 'InSync') return [];
  const status = context?.status ?? { kind: 'down' };
  return [`node ${index} ${JSON.stringify(status)} at ${context?.ownHeight ?? 'no height'}`];
}

/** The liars of a plan: one voice for each instance of a liar. */
function voices(plan: RunPlan) {
  const random = seededRandom(`liars/${plan.seed}`);
  return ({ validator, node }: { validator: number; node: number }, cluster: Cluster): Voice | undefined => {
    const liar = plan.liars.find((one) => one.validator === validator);
    if (liar === undefined) return undefined;
    return createLiar(liar, {
      signer: cluster.signerOf(node),
      // Asked again for each lie.
      get epoch() {
        return cluster.epochAt(node) ?? cluster.epoch;
      },
      draws: random.stream(`${node}`),
      aggregate: (signatures) => cluster.bls.aggregateSignatures(signatures),
    });
  };
}

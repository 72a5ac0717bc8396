/**
 * One run of the cluster under faults that its seed draws: lossy links, partitions, crashes and restarts, failing disks.
 * Then everything is healed and must commit again. Deterministic. Rules SM-2, SM-4, SM-5.
 */
import { type RandomStream, seededRandom } from '../actors/runtime/index.ts';
import { millis } from '../base/units.ts';
import type { SyncFault } from '../storage/memory-store.ts';
import { CALM } from '../transport/hub.ts';
import type { Violation } from './checkers.ts';
import { Cluster } from './cluster.ts';

export interface SwarmOptions {
  readonly seed: number;
  readonly validators?: number;
  /** How long faults happen. Default 20 s. @unit ms of virtual time */
  readonly faultsMs?: number;
  readonly carry?: 'codec' | 'reference';
}

export interface SwarmReport {
  readonly seed: number;
  readonly violations: readonly Violation[];
  /** Newest height that any node committed. */
  readonly height: number;
  /** What was done to the cluster, by kind. */
  readonly faults: Readonly<Record<string, number>>;
  readonly admitted: number;
  readonly virtualMs: number;
  /** Of every node's store and of the clock at the end: equal for equal seeds. */
  readonly fingerprint: string;
}

/** Blocks that the healed cluster must commit, and the time it has. @unit blocks, ms @source SM-5; backoff grows to 30 s */
const HEALED_BLOCKS = 3;
const HEALED_MS_MAX = 120_000;
const FAULTS_MS_DEFAULT = 20_000;

export function runSwarm(options: SwarmOptions): SwarmReport {
  const { seed, validators = 4, faultsMs = FAULTS_MS_DEFAULT } = options;
  const draws = seededRandom(`swarm/${seed}`).stream('faults');
  const cluster = new Cluster({
    seed,
    validators,
    carry: options.carry ?? 'reference',
    faults: {
      delayMin: millis(draws.below(30)),
      delayMean: millis(draws.below(70)),
      drop: draws.next() < 0.5 ? draws.next() * 0.3 : 0,
      duplicate: draws.next() < 0.5 ? draws.next() * 0.2 : 0,
      reorder: draws.next() < 0.7,
    },
    timeouts: { emptyBlockIntervalMs: millis(100 + draws.below(900)) },
  });
  const counts: Record<string, number> = {};
  let submitted = 0;
  for (let at = 0; at < faultsMs; ) {
    const pause = 50 + draws.below(1_500);
    cluster.advance(pause);
    at += pause;
    const fault = act(cluster, draws, validators);
    counts[fault] = (counts[fault] ?? 0) + 1;
    for (let count = draws.below(4); count > 0; count -= 1) {
      submitted += 1;
      cluster.submit(draws.below(validators), `key${submitted}=value${submitted}`);
    }
  }
  heal(cluster, validators);
  const healedAt = cluster.clock.now();
  const target = cluster.checker.committedHeight + HEALED_BLOCKS;
  const behind = (): boolean => cluster.nodes.some(({ index }) => cluster.height(index) < target);
  const late = (): boolean => cluster.clock.now() - healedAt >= HEALED_MS_MAX;
  while (behind() && !late()) cluster.advance(500);
  // What was admitted commits in a healed cluster: nothing expires so soon.
  while (cluster.lostTransactions().length > 0 && !late()) cluster.advance(500);
  const stuck: Violation[] = behind()
    ? [
        {
          claim: 'a healed cluster commits again',
          detail: `${cluster.nodes.map(({ index }) => cluster.height(index)).join(', ')} after ${HEALED_MS_MAX} ms, wanted ${target}`,
        },
      ]
    : [];
  return {
    seed,
    violations: [...cluster.checker.violations, ...stuck, ...cluster.lostTransactions()],
    height: cluster.checker.committedHeight,
    faults: counts,
    admitted: cluster.nodes.reduce((sum, { admitted }) => sum + admitted.length, 0),
    virtualMs: cluster.clock.now(),
    fingerprint: cluster.fingerprint(),
  };
}

/** One thing that happens to the cluster; its name. */
function act(cluster: Cluster, draws: RandomStream, validators: number): string {
  const index = draws.below(validators);
  const dead = cluster.nodes.filter(({ process }) => process === undefined);
  switch (draws.below(8)) {
    case 0:
    case 1:
      if (cluster.node(index).process === undefined) return 'none';
      cluster.crash(index);
      return 'crash';
    case 2:
    case 3:
    case 4: {
      const first = dead[draws.below(Math.max(1, dead.length))];
      if (first === undefined) return 'none';
      cluster.start(first.index);
      return 'restart';
    }
    case 5:
      return partition(cluster, draws, validators);
    case 6:
      cluster.heal();
      return 'heal';
    default:
      return spoilDisk(cluster, draws, index);
  }
}

function partition(cluster: Cluster, draws: RandomStream, validators: number): string {
  const indices = Array.from({ length: validators }, (_, index) => index);
  const one = draws.below(validators);
  const other = draws.below(validators);
  switch (draws.below(3)) {
    case 0:
      cluster.partition(
        indices.filter((index) => index !== one),
        [one],
      );
      return 'isolate';
    case 1: {
      const left = indices.filter(() => draws.next() < 0.5);
      cluster.partition(
        left,
        indices.filter((index) => !left.includes(index)),
      );
      return 'split';
    }
    default:
      cluster.hub.block(cluster.node(one).address, cluster.node(other).address);
      return 'one-way cut';
  }
}

function spoilDisk(cluster: Cluster, draws: RandomStream, index: number): string {
  const kinds: readonly SyncFault[] = ['IO', 'FULL', 'IO_AFTER_WRITE'];
  const kind = kinds[draws.below(kinds.length)] ?? 'IO';
  let left = 1 + draws.below(5);
  cluster.setDiskFaults(index, () => {
    left -= 1;
    return left >= 0 ? kind : 'ok';
  });
  return `disk ${kind}`;
}

function heal(cluster: Cluster, validators: number): void {
  cluster.heal();
  cluster.hub.setFaults(CALM);
  for (let index = 0; index < validators; index += 1) {
    cluster.setDiskFaults(index, undefined);
    if (cluster.node(index).process === undefined) cluster.start(index);
  }
}

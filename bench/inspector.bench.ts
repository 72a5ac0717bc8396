/**
 * What looking costs a node at full load (IN-4): the same simulated network of four doing the same work, with nobody looking, with one viewer,
 * and with one that does not read. A node that is busy is collected twenty times in a second of its own processor time, as a live one.
 * Run: npm run bench -- inspector [--pairs=9] [--seconds=4]
 */

import { nodeLens } from '../src/node/feed/lens.ts';
import { mergeDeltas } from '../src/observe/feed/backlog.ts';
import { Collector } from '../src/observe/feed/collector.ts';
import type { Delta } from '../src/observe/feed/feed.ts';
import { Cluster } from '../src/simulation/cluster.ts';
import { numberOf } from './flags.ts';

const pairs = numberOf('pairs', 9);
/** Virtual. @unit s */
const seconds = numberOf('seconds', 4);
const NODES = [0, 1, 2, 3];
/** Of one node's processor time. @unit ms @source IN-1: 20 Hz */
const TICK_MS = 50;
/** Every so often each node is given so many transactions. @unit virtual ms, transactions */
const LOAD_EVERY_MS = 10;
const LOAD = 2;
const WATCHED = ['node/consensus/round-manager'];

type Variant = 'nobody' | 'one viewer' | 'one stalled viewer';

interface Outcome {
  /** @unit ms of processor time */
  readonly cpuMs: number;
  readonly turns: number;
  readonly collections: number;
  readonly bytes: number;
  readonly dropped: number;
}

const cpu = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
};

class Looking {
  readonly #collectors: readonly Collector[];
  readonly #sends: boolean;
  readonly #backlogs = new Map<number, Delta>();
  #next = 0;
  #due = cpu();
  collections = 0;
  bytes = 0;
  dropped = 0;

  constructor(net: Cluster, sends: boolean) {
    this.#sends = sends;
    this.#collectors = NODES.map((node) => {
      const system = net.node(node).process?.system;
      if (system === undefined) throw new Error(`node ${node} does not run`);
      const collector = new Collector({ system, node, lens: () => nodeLens({ system }) });
      collector.attach();
      collector.watch(WATCHED);
      return collector;
    });
  }

  /** The nodes share this process: each has a quarter of its time. */
  look(): void {
    for (; cpu() >= this.#due; this.#due += TICK_MS) {
      const node = this.#next % NODES.length;
      this.#next += 1;
      const delta = this.#collectors[node]?.collect();
      if (delta === undefined) continue;
      this.collections += 1;
      this.dropped += delta.dropped;
      if (this.#sends) this.bytes += JSON.stringify(delta).length;
      else this.#backlogs.set(node, mergeDeltas(this.#backlogs.get(node) ?? delta, delta));
    }
  }
}

function run(variant: Variant): Outcome {
  const net = new Cluster({ seed: 'bench', carry: 'codec' });
  net.advance(1_000);
  const looking = variant === 'nobody' ? undefined : new Looking(net, variant === 'one viewer');
  globalThis.gc?.();
  const before = cpu();
  let sent = 0;
  for (let ms = 0; ms < seconds * 1_000; ms += LOAD_EVERY_MS) {
    for (const node of NODES) {
      net.submit(node, ...transactions(sent, LOAD));
      sent += LOAD;
    }
    net.advance(LOAD_EVERY_MS);
    looking?.look();
  }
  const cpuMs = cpu() - before;
  const turns = NODES.reduce((sum, node) => sum + (net.node(node).process?.system.instant().turn ?? 0), 0);
  const { collections = 0, bytes = 0, dropped = 0 } = looking ?? {};
  return { cpuMs, turns, collections, bytes, dropped };
}

const transactions = (from: number, count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `key${from + index}=${'x'.repeat(100)}`);

const median = (values: readonly number[]): number =>
  values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? Number.NaN;

run('nobody');
const ratios = new Map<Variant, number[]>([
  ['nobody', []],
  ['one viewer', []],
  ['one stalled viewer', []],
]);
let last: Outcome | undefined;
for (let pair = 0; pair < pairs; pair += 1) {
  // Each variant between two runs without anybody: what the machine does besides hits both alike.
  for (const [variant, found] of ratios) {
    const first = run('nobody').cpuMs;
    const outcome = run(variant);
    const second = run('nobody').cpuMs;
    found.push(outcome.cpuMs / ((first + second) / 2));
    if (variant === 'one viewer') last = outcome;
  }
}
for (const [variant, found] of ratios) {
  console.log(
    `${variant}: ${((median(found) - 1) * 100).toFixed(1)} % of processor time (${found.map((one) => ((one - 1) * 100).toFixed(1)).join(' ')})`,
  );
}
if (last !== undefined) {
  const { turns, cpuMs, collections, bytes, dropped } = last;
  console.log(
    `one viewer: ${Math.round((turns / cpuMs) * 1_000)} turns/s of processor time, ${collections} collections of ${Math.round(bytes / collections)} bytes, ${dropped} rows left out`,
  );
}

/** A node that is looked at while its journal is written: what it does and what is written are as if nobody looked. Rules IN-4, RP-1. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { millis } from '../../../src/base/units.ts';
import { nodeLens } from '../../../src/node/feed/lens.ts';
import { Collector } from '../../../src/observe/feed/collector.ts';
import { Cluster } from '../../../src/simulation/cluster.ts';

const FAULTS = { delayMin: millis(3), delayMean: millis(10), drop: 0.05, duplicate: 0.02, reorder: true };
/** @unit collections of 50 ms each */
const LOOKS = 12;

interface Run {
  readonly outcome: unknown;
  /** By node: what its journal holds, every byte. */
  readonly journals: readonly string[];
  readonly viewed: ReadonlySet<string>;
}

/** Cells with a chart are watched in turn, as many as can be: their guards are asked again, their contexts are read. */
function run(isLookedAt: boolean): Run {
  const dir = mkdtempSync(join(tmpdir(), 'althing-looked-at-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const net = new Cluster({ seed: 'looked at', carry: 'codec', faults: FAULTS, recordTo: dir });
  const viewed = new Set<string>();
  const looking = net.nodes.flatMap(({ process }, node) => {
    if (!isLookedAt || process === undefined) return [];
    const { system } = process;
    const collector = new Collector({ system, node, lens: () => nodeLens({ system }) });
    collector.attach();
    return [{ system, collector }];
  });
  for (let look = 0; look < LOOKS; look += 1) {
    net.submit(look % 4, `k${look}=${look}`);
    for (const { system, collector } of looking) {
      const cells = system.cells().map(({ address }) => address);
      collector.watch([...cells.slice(look * 8), ...cells]);
    }
    net.advance(50);
    for (const { collector } of looking) {
      collector.moment();
      for (const { address } of collector.collect().details ?? []) viewed.add(address);
    }
  }
  net.finish();
  const journals = net.nodes.map(({ index }) => join(dir, `node${index}`)).map(bytesIn);
  return {
    outcome: [net.fingerprint(), net.nodes.map(({ process }) => process?.system.counters())],
    journals,
    viewed,
  };
}

const bytesIn = (dir: string): string =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1'))
    .join();

it('commits the same and writes the same journal, byte for byte, whoever looks and whatever is watched (IN-4)', () => {
  const [unseen, seen] = [run(false), run(true)];
  expect(seen.outcome).toEqual(unseen.outcome);
  expect(seen.viewed).toContain('node/consensus/round-manager');
  expect(seen.viewed.size).toBeGreaterThan(40);
  expect(seen.journals.map((bytes) => bytes.length > 10_000)).toEqual([true, true, true, true]);
  for (const [node, bytes] of unseen.journals.entries())
    expect(seen.journals[node] === bytes, `node ${node}'s journal`).toBe(true);
});

/**
 * Disks that fail beneath running validators: libfiu makes pwrite, fsync and others fail with ENOSPC and EIO, and a file
 * system becomes full. The validator ends with a sentence, signs nothing that is not durable, and starts again when the
 * device works. More with ALTHING_CHAOS_INJECTIONS and ALTHING_CHAOS_FULL_DISKS. Rules SM-10, ST-2, ST-3, ST-8.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { homePaths } from '../../src/node/config/home.ts';
import type { SeenEnd } from '../cluster/support/validators.ts';
import { ALL, ChaosNetwork, now, summaryOf, type Tally } from './support/chaos-network.ts';
import {
  type Errno,
  type FailurePoint,
  failing,
  fiuLaunch,
  healed,
  requireFiu,
  tellFiu,
} from './support/fiu.ts';
import { Choices, countFrom } from './support/settings.ts';
import { SmallDisk } from './support/small-disk.ts';

/** @unit injections */
const INJECTIONS = countFrom('ALTHING_CHAOS_INJECTIONS', 7);
/** @unit times that the file system is full */
const FULL_DISKS = countFrom('ALTHING_CHAOS_FULL_DISKS', 2);
/** After so many the homes are judged to the last height, and new ones made. @unit injections */
const NETWORK_INJECTIONS_MAX = 100;
/** Injections between two judgements. @unit injections */
const JUDGED_EVERY = 10;
/** Batches of such transactions go to segment files, not into the database. @unit letters */
const LETTERS = 6_000;
/** How long a fault is in force; under load a validator writes many times in it. @unit ms */
const IN_FORCE_MS = { from: 300, to: 2_000 } as const;
/** A start takes about a second on an idle machine. @unit ms */
const START_MS = 1_500;
/** Until a failure that happened is in the log. @unit ms */
const TELLING_MS = 100;
/** Of a tmpfs: a database, its log, some small segments. @unit bytes */
const DISK_BYTES = 24 * 1_048_576;

interface Fault {
  readonly point: FailurePoint;
  readonly errno: Errno;
  readonly how: 'once' | 'always' | number;
  /** In force from the process's first moment. */
  readonly starting: boolean;
}

/** The first ones of every run; further ones are drawn. */
const FIRST: readonly Fault[] = [
  { point: 'posix/io/rw/pwrite', errno: 'ENOSPC', how: 'always', starting: false },
  { point: 'posix/io/sync/fsync', errno: 'EIO', how: 'once', starting: false },
  { point: 'posix/io/rw/pwrite', errno: 'EIO', how: 'once', starting: false },
  { point: 'posix/io/sync/fdatasync', errno: 'EIO', how: 'always', starting: false },
  { point: 'posix/io/rw/pwrite', errno: 'ENOSPC', how: 'always', starting: true },
  { point: 'posix/io/rw/pwrite/reduce', errno: 'EIO', how: 0.2, starting: false },
];
const POINTS = [
  'posix/io/rw/pwrite',
  'posix/io/sync/fsync',
  'posix/io/sync/fdatasync',
  'posix/io/rw/pread',
  'posix/io/rw/pwrite/reduce',
] as const satisfies readonly FailurePoint[];

const choices = new Choices('disk');
const others = (gone: number): readonly number[] => ALL.filter((one) => one !== gone);

function draw(): Fault {
  const point = choices.one(POINTS);
  const errno = choices.one<Errno>(['ENOSPC', 'EIO']);
  return {
    point,
    // Who reads is never told that there is no space.
    errno: point === 'posix/io/rw/pread' ? 'EIO' : errno,
    how: choices.one(['once', 'once', 'always', 0.3, 0.02]),
    // Of a start Node itself reads the program.
    starting: choices.below(8) === 0 && point !== 'posix/io/rw/pread',
  };
}

let network: ChaosNetwork | undefined;
let disk: SmallDisk | undefined;
afterEach(async () => {
  await network?.remove();
  disk?.unmount();
  network = undefined;
  disk = undefined;
});

/** A sentence, not a stack trace; the exit codes of docs/operator-guide.md. */
function expectClearEnd({ code, signal, stderr }: SeenEnd, codes: readonly number[]): void {
  const last = stderr.trim().split('\n').at(-1) ?? '';
  expect(codes, `${code} ${signal} ${stderr.slice(-2_000)}`).toContain(code);
  expect(last, stderr.slice(-2_000)).toMatch(/^(althing: |\{"error")/);
  expect(last).toMatch(/full|no space|I\/O error|ENOSPC|EIO/i);
  expect(stderr).not.toMatch(/\n {4}at /);
}

describe('a device that fails', () => {
  beforeAll(requireFiu);
  const hits = { running: 0, starting: 0, survived: 0 };
  const atStart = new Map<number, readonly string[]>();

  async function inject(chaos: ChaosNetwork, victim: number, fault: Fault): Promise<void> {
    const { validators } = chaos;
    const { directory } = validators.network;
    const { point, errno, how, starting } = fault;
    if (starting) {
      await chaos.kill(victim);
      atStart.set(victim, [failing(point, errno, how)]);
      chaos.start(victim);
      atStart.delete(victim);
    }
    const pid = validators.pid(victim) ?? 0;
    if (!starting) await tellFiu(directory, pid, failing(point, errno, how));
    const failed = (): boolean => /the device failed/.test(validators.wordsOf(victim));
    const inForce = choices.between(IN_FORCE_MS.from, IN_FORCE_MS.to) + (starting ? START_MS : 0);
    for (const until = now() + inForce; now() < until && validators.runs(victim) && !failed(); )
      await sleep(5);
    await sleep(TELLING_MS);
    // Once it has failed the device does not heal: what it does until its end would cover what it did before.
    if (validators.runs(victim) && !failed()) {
      await tellFiu(directory, pid, healed(point));
      await sleep(TELLING_MS);
    }
    if (validators.runs(victim) && !failed()) {
      hits.survived += 1;
      return;
    }
    const end = await chaos.ended(victim);
    hits[starting ? 'starting' : 'running'] += 1;
    // While it starts, the home cannot be opened; later the node fails.
    expectClearEnd(end, starting ? [1, 4] : [1]);
    chaos.takeRecord(victim);
    chaos.start(victim);
  }

  it(
    `${INJECTIONS} ENOSPC and EIO: it ends with a sentence and comes back; nothing is signed twice or lost (SM-10)`,
    async () => {
      const tallies: Tally[] = [];
      for (let injection = 0; injection < INJECTIONS; injection += 1) {
        network ??= await ChaosNetwork.create({
          letters: LETTERS,
          preloaded: true,
          launch: (index, { directory }) => fiuLaunch(directory, atStart.get(index)),
        });
        await sleep(choices.below(200));
        await inject(network, choices.below(4), FIRST[injection] ?? draw());
        const from = now();
        await network.progress(ALL, from);
        await network.rejoined();
        network.cycles += 1;
        if (network.cycles % JUDGED_EVERY === 0) await network.judge();
        if (network.cycles < NETWORK_INJECTIONS_MAX && injection < INJECTIONS - 1) continue;
        tallies.push(await network.finish());
        network = undefined;
        const told = ` (${hits.running} ended it, ${hits.starting} kept it from starting, ${hits.survived} it went on)`;
        console.log(summaryOf('ENOSPC and EIO by libfiu', tallies, told));
      }
      expect(hits.running).toBeGreaterThan(0);
    },
    60_000 + INJECTIONS * 60_000,
  );
});

describe('a full disk', () => {
  it(
    `${FULL_DISKS} times: it ends, does not start while the disk is full, and comes back when there is room (SM-10)`,
    async () => {
      let data = '';
      network = await ChaosNetwork.create({
        letters: LETTERS,
        prepare: async (validators) => {
          data = homePaths(validators.network.homeOf(0)).data;
          disk = await SmallDisk.mount(data, DISK_BYTES);
        },
        launch: (index) => (index === 0 ? (disk?.launch() ?? {}) : {}),
        homeSeen: (index) => {
          const home = network?.validators.network.homeOf(index) ?? '';
          return index === 0 && disk !== undefined ? disk.seen(home) : home;
        },
      });
      let refused = 0;
      for (let times = 0; times < FULL_DISKS; times += 1) {
        await sleep(choices.below(500));
        disk?.fill(choices.one([0, 0, 4_096, 65_536]));
        expectClearEnd(await network.ended(0), [1]);
        network.takeRecord(0);
        await network.progress(others(0));
        disk?.fill(0);
        network.start(0);
        const end = await network.ended(0);
        expectClearEnd(end, [1, 4]);
        refused += 1;
        network.takeRecord(0);
        disk?.makeRoom();
        network.start(0);
        await network.rejoined();
        network.cycles += 1;
        await network.judge();
      }
      const tally = await network.finish();
      network = undefined;
      console.log(summaryOf('full tmpfs', [tally], ` (${refused} starts refused while full)`));
      expect(refused).toBe(FULL_DISKS);
    },
    60_000 + FULL_DISKS * 90_000,
  );
});

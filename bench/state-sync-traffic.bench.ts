/**
 * What StateSync (BR-4) costs between four validators, by kind of message against everything else on the wire: idle, at 100
 * operations/s, and saturated; and at which intervals it is told. Frames are counted where a validator hands them to its sockets,
 * before TLS. Run: npm run bench -- state-sync-traffic [--idle=190] [--seconds=60] [--window=2000] [--write]
 */
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { CommitBook, quorumOf } from '../src/cli/bench/commits.ts';
import { circumstances } from '../src/cli/bench/machine.ts';
import { spreadOf } from '../src/cli/bench/statistics.ts';
import { readEnvelope } from '../src/transport/codec/codec.ts';
import { eventually } from '../test/cluster/support/local-network.ts';
import { Validators } from '../test/cluster/support/validators.ts';
import { type TappedFrame, TapReader } from '../test/cluster/support/wire-frames.ts';
import { numberOf } from './flags.ts';
import { Clients } from './overload/clients.ts';
import { circumstanceLine } from './overload/report.ts';

/** Three of the greatest interval, and some. @unit s */
const idleSeconds = numberOf('idle', 190);
const seconds = numberOf('seconds', 60);
const VALIDATORS = [0, 1, 2, 3];
const RATE = 100;
const RESULTS = new URL('./results/state-sync.md', import.meta.url);
/** @unit ms */
const START_MAX = 60_000;

interface Kind {
  readonly messages: number;
  readonly bytes: number;
}

interface Phase {
  readonly name: string;
  readonly seconds: number;
  readonly committed: number;
  readonly kinds: ReadonlyMap<string, Kind>;
  /** Between two StateSync of one validator to one other. @unit ms */
  readonly intervals: readonly number[];
}

const at = circumstances(tmpdir());
const commits = new CommitBook(quorumOf(VALIDATORS.length));
const validators = await Validators.create({
  tap: true,
  onEvent: ({ validator, event }) => {
    if (event.type === 'block')
      commits.observe(validator, event.height, event.transactions, performance.now());
  },
});
for (const index of VALIDATORS) validators.start(index);
const taps = VALIDATORS.map((index) => new TapReader(validators.tapOf(index, 0)));
const clients = new Clients(commits, {
  addresses: VALIDATORS.map((index) => validators.network.rpcOf(index)),
  door: 'operations',
  clients: 8,
  lanes: 2,
  batch: 20,
});
/** Frames of all validators. */
class Count {
  readonly kinds = new Map<string, Kind>();
  readonly intervals: number[] = [];
  /** When each validator told each other the last time. @unit ms since 1970 */
  readonly #told = new Map<string, number>();

  take(by: number, frames: readonly TappedFrame[]): void {
    for (const { at: sentAt, port, peer, bytes } of frames) {
      const envelope = readEnvelope(bytes);
      const kind = envelope.outcome === 'known' ? envelope.kind : 'unreadable';
      const sum = this.kinds.get(kind) ?? { messages: 0, bytes: 0 };
      this.kinds.set(kind, { messages: sum.messages + 1, bytes: sum.bytes + bytes.byteLength });
      if (kind !== 'StateSync') continue;
      const end = `${by}/${port}/${peer}`;
      const last = this.#told.get(end);
      if (last !== undefined) this.intervals.push(sentAt - last);
      this.#told.set(end, sentAt);
    }
  }
}

async function phase(name: string, during: number, load: () => Promise<unknown>): Promise<Phase> {
  const count = new Count();
  for (const tap of taps) tap.read();
  const before = commits.transactions;
  const running = load();
  for (let second = 0; second < during; second += 1) {
    await sleep(1_000);
    for (const [by, tap] of taps.entries()) count.take(by, tap.read());
  }
  const committed = commits.transactions - before;
  await running;
  return { name, seconds: during, committed, kinds: count.kinds, intervals: count.intervals };
}

function linesOf({ name, seconds: during, committed, kinds, intervals }: Phase): readonly string[] {
  const all = [...kinds.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  const spread = spreadOf(intervals);
  const second = (ms: number): string => (ms / 1_000).toFixed(1);
  const interval =
    spread === undefined
      ? 'told at most once'
      : `told every ${second(spread.median)} s (${second(spread.min)} to ${second(spread.max)})`;
  return [
    `## ${name}`,
    '',
    `${during} s, ${Math.round(committed / during)} operations/s committed. StateSync, of each validator to each other: ${interval}.`,
    '',
    '| kind | messages/s | bytes/s | bytes a message | of all bytes |',
    '|---|---|---|---|---|',
    ...[...kinds]
      .toSorted(([, left], [, right]) => right.bytes - left.bytes)
      .map(
        ([kind, { messages, bytes }]) =>
          `| ${kind} | ${(messages / during).toFixed(2)} | ${(bytes / during).toFixed(1)} | ${Math.round(bytes / messages)} | ${((100 * bytes) / all).toFixed(3)} % |`,
      ),
    '',
  ];
}

try {
  await eventually('two blocks', START_MAX, () => (commits.height >= 2 ? true : undefined));
  const phases = [
    await phase('idle', idleSeconds, () => sleep(idleSeconds * 1_000)),
    await phase(`${RATE} operations/s`, seconds, () => clients.run({ kind: 'open', rate: RATE }, seconds)),
    await phase('saturated', seconds, () =>
      clients.run({ kind: 'closed', window: numberOf('window', 2_000) }, seconds),
    ),
  ];
  const lines = [...phases.flatMap(linesOf)];
  console.log(`${circumstanceLine(at)}\n${lines.join('\n')}`);
  if (process.argv.includes('--write'))
    writeFileSync(
      RESULTS,
      `# Traffic of state sync (BR-4)\n\n${circumstanceLine(at)}\n\n${lines.join('\n')}\n`,
    );
} finally {
  clients.close();
  await validators.remove();
}

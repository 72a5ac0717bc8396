/**
 * Ends the process when one input never ends, after its finding is written: a thread looks at a counter and a copy of the
 * input in shared memory. The only way out of a loop that gives nothing else a turn.
 */
import { writeSync } from 'node:fs';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { writeFinding } from './finding.ts';

/** Whether an input runs, how many have begun, and how long the present one is. */
const HEAD_WORDS = 3;
/** Looks within one patience. */
const LOOKS = 4;
/** Where CPU is scarce an input waits for it: so many patiences by the clock count as one of CPU. */
const CLOCK_FACTOR = 12;

export interface Watchdog {
  /** This input begins. */
  readonly watch: (input: Uint8Array) => void;
  /** It has ended. */
  readonly rest: () => void;
  readonly close: () => Promise<void>;
}

interface Shared {
  readonly target: string;
  readonly memory: SharedArrayBuffer;
  readonly patienceMs: number;
}

/** An input that takes `patienceMs` of the process's CPU, or twelve times that by the clock, is a finding. */
export function startWatchdog(target: string, bytesMax: number, patienceMs: number): Watchdog {
  const memory = new SharedArrayBuffer(4 * HEAD_WORDS + bytesMax);
  const head = new Int32Array(memory, 0, HEAD_WORDS);
  const copy = new Uint8Array(memory, 4 * HEAD_WORDS);
  const data: Shared = { target, memory, patienceMs };
  // Not the flags of this process: with some of them no worker starts from a file.
  const worker = new Worker(new URL(import.meta.url), { workerData: data, execArgv: [] });
  worker.unref();
  return {
    watch(input) {
      copy.set(input.subarray(0, bytesMax));
      Atomics.store(head, 2, Math.min(input.byteLength, bytesMax));
      Atomics.add(head, 1, 1);
      Atomics.store(head, 0, 1);
    },
    rest: () => void Atomics.store(head, 0, 0),
    close: async () => void (await worker.terminate()),
  };
}

function look({ target, memory, patienceMs }: Shared): void {
  const head = new Int32Array(memory, 0, HEAD_WORDS);
  let seen = { count: -1, cpuMs: 0, at: 0 };
  setInterval(() => {
    const { user, system } = process.cpuUsage();
    const now = { count: Atomics.load(head, 1), cpuMs: (user + system) / 1_000, at: performance.now() };
    if (Atomics.load(head, 0) === 0 || now.count !== seen.count) {
      seen = now;
      return;
    }
    if (now.cpuMs - seen.cpuMs < patienceMs && now.at - seen.at < CLOCK_FACTOR * patienceMs) return;
    const input = new Uint8Array(new Uint8Array(memory, 4 * HEAD_WORDS, Atomics.load(head, 2)));
    const detail = `the input does not end within ${patienceMs} ms of CPU`;
    const { command } = writeFinding({ target, claim: 'ends', detail, key: 'ends', input });
    // The thread of the process is busy for ever: it passes nothing on.
    writeSync(2, `${target}: ${detail}: ${command}\n`);
    process.kill(process.pid, 'SIGKILL');
  }, patienceMs / LOOKS);
}

const isShared = (data: unknown): data is Shared =>
  typeof data === 'object' && data !== null && 'memory' in data && data.memory instanceof SharedArrayBuffer;

if (!isMainThread && parentPort !== null && isShared(workerData)) look(workerData);

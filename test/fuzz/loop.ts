/**
 * The loop: draw an input, change it, run it, keep it when it reaches blocks that none reached before. Holds the claims
 * of SM-11: no exception, no input over 50 ms of CPU, no growth of memory. Deterministic by its seed but for the clock.
 */

import { Corpus, type SavedInput, savedInputs } from './corpus.ts';
import { type BlockCount, BlockMap, BlockMeter } from './coverage.ts';
import { type Finding, keyOf, shrunk } from './finding.ts';
import { type HeapReading, measureHeap } from './heap.ts';
import { type Draws, drawsOf, mutated } from './mutate.ts';
import type { Subject, Target } from './target.ts';
import { startWatchdog, type Watchdog } from './watchdog.ts';

/** What one input may take. @unit ms of CPU of this thread @source SM-11 */
export const INPUT_CPU_MS_MAX = 50;
/** After it an input counts as one that never ends. @unit ms @source 200 times what an input may take */
const INPUT_PATIENCE_MS = 10_000;
/** Inputs run between two readings of coverage, which takes as long as some of them. @unit inputs */
const BATCH = 48;
/** Findings of one target, by key; the loop ends there. */
const FINDINGS_MAX = 8;
/** Outcomes told apart: an input with a new one is kept as one with a new block is. */
const OUTCOMES_MAX = 512;
/** Inputs that were slow while blocks were counted, to be timed without. */
const SLOW_MAX = 16;
/** Of the others, those that took longest by the clock. */
const LONGEST_MAX = 8;
/** Where no form is known, short inputs have every value of every byte tried. @unit bytes */
const WALKED_BYTES_MAX = 24;

export interface FuzzOptions {
  readonly seed: number;
  /** The loop ends at the first of both. */
  readonly seconds: number;
  readonly executionsMax?: number;
  readonly findingsMax?: number;
  readonly patienceMs?: number;
  /** Memory is measured after the loop. */
  readonly heap: boolean;
  /** The corpus is run once more, to choose what to save. */
  readonly select?: boolean;
  /** Told of each finding, shrunk. */
  readonly onFinding?: (finding: Finding) => void;
}

export interface FuzzReport {
  readonly target: string;
  readonly seed: number;
  readonly seconds: number;
  readonly executions: number;
  readonly corpus: number;
  readonly blocks: BlockCount;
  /** Inputs by outcome. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Of the inputs that took longest, the slowest at its best of three. @unit ms of CPU */
  readonly slowestMs: number;
  readonly heap?: HeapReading;
  readonly findings: readonly Finding[];
  /** What reaches all that was reached, short inputs first; empty unless `select`. */
  readonly selection: readonly SavedInput[];
}

/** `load` imports the target: what it runs is counted only if it was not compiled before. */
export async function fuzz(load: () => Promise<Target>, options: FuzzOptions): Promise<FuzzReport> {
  const meter = new BlockMeter();
  const target = await load();
  meter.cover(target.covers);
  const subject = await target.open();
  const watchdog = startWatchdog(target.name, target.bytesMax, options.patienceMs ?? INPUT_PATIENCE_MS);
  try {
    return await new Loop(target, options, subject, meter, watchdog).report();
  } finally {
    meter.close();
    await watchdog.close();
    await subject.close?.();
  }
}

class Loop {
  readonly #target: Target;
  readonly #options: FuzzOptions;
  readonly #subject: Subject;
  readonly #meter: BlockMeter;
  readonly #watchdog: Watchdog;
  readonly #draws: Draws;
  readonly #corpus = new Corpus();
  readonly #map = new BlockMap();
  readonly #outcomes = new Map<string, number>();
  /** Of the inputs since the last reading, those that ended as none before. */
  readonly #unseen: Uint8Array[] = [];
  readonly #findings = new Map<string, Finding>();
  readonly #slow: Uint8Array[] = [];
  readonly #longest: { readonly input: Uint8Array; readonly wallMs: number }[] = [];
  /** Inputs whose bytes are walked, and how many of their neighbours have run. */
  readonly #walks: { readonly input: Uint8Array; next: number }[] = [];
  #executions = 0;
  #slowestMs = 0;

  constructor(target: Target, options: FuzzOptions, subject: Subject, meter: BlockMeter, watchdog: Watchdog) {
    this.#target = target;
    this.#options = options;
    this.#subject = subject;
    this.#meter = meter;
    this.#watchdog = watchdog;
    this.#draws = drawsOf(`${options.seed}/${target.name}`);
  }

  async report(): Promise<FuzzReport> {
    const { seed, heap, select = false } = this.#options;
    const startedAt = performance.now();
    await this.#loop(startedAt);
    const seconds = (performance.now() - startedAt) / 1_000;
    const executions = this.#executions;
    const selection = select ? await this.#selection() : [];
    this.#meter.close();
    await this.#timeSlow();
    const reading = heap ? await this.#heap() : undefined;
    return {
      target: this.#target.name,
      seed,
      seconds,
      executions,
      corpus: this.#corpus.inputs.length,
      blocks: this.#map.count(),
      outcomes: Object.fromEntries([...this.#outcomes].sort(([, left], [, right]) => right - left)),
      slowestMs: this.#slowestMs,
      ...(reading === undefined ? {} : { heap: reading }),
      findings: [...this.#findings.values()],
      selection,
    };
  }

  async #loop(startedAt: number): Promise<void> {
    const { seconds, executionsMax = Number.POSITIVE_INFINITY, findingsMax = FINDINGS_MAX } = this.#options;
    const { seeds, name } = this.#target;
    for (const input of [...seeds(), ...savedInputs(name).map((saved) => saved.input)]) {
      await this.#run(input);
      this.#map.merge(this.#meter.take());
      this.#add(input);
    }
    const end = startedAt + 1_000 * seconds;
    while (performance.now() < end && this.#executions < executionsMax && this.#findings.size < findingsMax) {
      const batch: Uint8Array[] = [];
      for (let count = 0; count < BATCH && performance.now() < end; count += 1) {
        const input = this.#next();
        batch.push(input);
        await this.#run(input);
      }
      const reading = this.#meter.take();
      for (const input of this.#unseen.splice(0)) this.#add(input);
      if (this.#map.isNews(reading)) await this.#attribute(batch);
      // What only came about by the order of the batch is known from now on.
      this.#map.merge(reading);
    }
  }

  /** Runs a batch's inputs one by one again: each that reaches something new is kept. */
  async #attribute(batch: readonly Uint8Array[]): Promise<void> {
    for (const input of batch) {
      await this.#run(input);
      if (this.#map.merge(this.#meter.take())) this.#add(input);
    }
  }

  /** Keeps it, but not what is slow: its like would take all the time there is. */
  #add(input: Uint8Array): void {
    if (this.#slow.includes(input)) return;
    this.#corpus.add(input);
    const isWalked = this.#target.mutations.length === 0 && input.byteLength <= WALKED_BYTES_MAX;
    if (isWalked) this.#walks.unshift({ input, next: 0 });
  }

  #next(): Uint8Array {
    const [walk] = this.#walks;
    if (walk !== undefined && this.#draws.below(2) === 0) {
      const neighbour = new Uint8Array(walk.input);
      neighbour[walk.next >> 8] = walk.next & 0xff;
      walk.next += 1;
      if (walk.next >= 256 * walk.input.byteLength) this.#walks.shift();
      return neighbour;
    }
    const { dictionary, bytesMax, mutations } = this.#target;
    const donor = this.#corpus.draw(this.#draws);
    return mutated(this.#corpus.draw(this.#draws), this.#draws, { donor, dictionary, bytesMax }, mutations);
  }

  /** Runs one input under the claims. */
  async #run(input: Uint8Array): Promise<void> {
    this.#executions += 1;
    this.#watchdog.watch(input);
    const startedAt = performance.now();
    try {
      const ended = this.#subject.run(input);
      const outcome = typeof ended === 'string' ? ended : await ended;
      const count = this.#outcomes.get(outcome) ?? 0;
      if (count === 0 && this.#outcomes.size < OUTCOMES_MAX) this.#unseen.push(input);
      this.#outcomes.set(count === 0 && this.#outcomes.size >= OUTCOMES_MAX ? 'others' : outcome, count + 1);
    } catch (error) {
      await this.#found(input, error);
      return;
    } finally {
      this.#watchdog.rest();
    }
    const wallMs = performance.now() - startedAt;
    if (wallMs > INPUT_CPU_MS_MAX) await this.#suspect(input);
    else this.#noteTime(input, wallMs);
  }

  /** Remembers those that took longest by the clock, to be timed at the end. */
  #noteTime(input: Uint8Array, wallMs: number): void {
    const least = this.#longest.at(-1);
    if (this.#longest.length >= LONGEST_MAX && least !== undefined && wallMs <= least.wallMs) return;
    this.#longest.push({ input, wallMs });
    this.#longest.sort((left, right) => right.wallMs - left.wallMs);
    this.#longest.splice(LONGEST_MAX);
  }

  /** By the clock it was slow; by CPU, at its best of three? The machine is shared. */
  async #suspect(input: Uint8Array): Promise<void> {
    if (this.#slow.length < SLOW_MAX && (await this.#cpuMs(input)) > INPUT_CPU_MS_MAX) this.#slow.push(input);
  }

  /** Times the suspects again, as the program runs when nobody counts. */
  async #timeSlow(): Promise<void> {
    for (const input of [...this.#slow, ...this.#longest.map((one) => one.input)]) {
      const best = await this.#cpuMs(input);
      this.#slowestMs = Math.max(this.#slowestMs, best);
      if (best <= INPUT_CPU_MS_MAX) continue;
      const detail = `${best.toFixed(1)} ms of CPU, the best of three runs`;
      this.#keep({ target: this.#target.name, claim: 'no input over 50 ms', detail, key: 'slow', input });
    }
  }

  async #cpuMs(input: Uint8Array): Promise<number> {
    let best = Number.POSITIVE_INFINITY;
    for (let run = 0; run < 3; run += 1) {
      const before = process.threadCpuUsage();
      try {
        await this.#subject.run(input);
      } catch (error) {
        await this.#found(input, error);
        return 0;
      }
      const { user, system } = process.threadCpuUsage(before);
      best = Math.min(best, (user + system) / 1_000);
    }
    return best;
  }

  async #found(input: Uint8Array, error: unknown): Promise<void> {
    const key = keyOf(error);
    if (this.#findings.has(key)) return;
    const fails = async (candidate: Uint8Array): Promise<boolean> => {
      this.#watchdog.watch(candidate);
      try {
        await this.#subject.run(candidate);
        return false;
      } catch (again) {
        return keyOf(again) === key;
      } finally {
        this.#watchdog.rest();
      }
    };
    const least = await shrunk(input, fails);
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#keep({ target: this.#target.name, claim: 'no exception', detail, key, input: least });
  }

  #keep(finding: Finding): void {
    if (this.#findings.has(finding.key)) return;
    this.#findings.set(finding.key, finding);
    this.#options.onFinding?.(finding);
  }

  /** Of the corpus, shortest first, what still adds blocks to those before. */
  async #selection(): Promise<readonly SavedInput[]> {
    const map = new BlockMap();
    const chosen: SavedInput[] = [];
    const ascending = [...this.#corpus.inputs].sort((left, right) => left.byteLength - right.byteLength);
    for (const input of ascending) {
      await this.#subject.reset?.();
      this.#meter.take();
      try {
        const outcome = await this.#subject.run(input);
        if (map.merge(this.#meter.take())) chosen.push({ outcome, input });
      } catch {
        // A finding already.
      }
    }
    return chosen;
  }

  async #heap(): Promise<HeapReading> {
    const { window, name, settleMs = 0 } = this.#target;
    const inputs = this.#corpus.inputs.filter(({ byteLength }) => byteLength <= 65_536);
    const reading = await measureHeap(window, settleMs, async () => {
      for (let run = 0; run < window; run += 1) {
        const input = inputs[run % inputs.length] ?? new Uint8Array();
        this.#watchdog.watch(input);
        try {
          await this.#subject.run(input);
        } catch {
          // A finding already.
        } finally {
          this.#watchdog.rest();
        }
      }
      await this.#subject.reset?.();
    });
    if (reading.grows) {
      const detail = `${reading.perRun.toFixed(1)} bytes stay of each run, over ${window} runs a window: ${reading.after.join(', ')}`;
      this.#keep({
        target: name,
        claim: 'no growth of memory',
        detail,
        key: 'growth',
        input: new Uint8Array(),
      });
    }
    return reading;
  }
}

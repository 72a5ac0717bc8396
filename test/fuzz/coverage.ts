/**
 * Which blocks of the program ran, by V8's precise block coverage through `node:inspector`. A function's blocks that
 * never ran are kept as ranges of its text: a run is news when it makes them fewer. Rule SM-11.
 */
import { type Profiler, Session } from 'node:inspector';

/** Half-open ranges of a script's text, ascending and disjoint. */
type Spans = readonly (readonly [start: number, end: number])[];

/** What ran since the last reading. */
export type Reading = readonly {
  readonly id: string;
  readonly idle: Spans;
  readonly edges: readonly number[];
}[];

/**
 * Counts blocks of the scripts whose URL holds one of the parts given to `cover`. V8 gives blocks only of functions that it
 * compiles while they are counted: make it before the program is loaded, and end it for good. One at a time in a thread.
 */
export class BlockMeter {
  readonly #session = new Session();
  #closed = false;
  #covers: readonly string[] = [];

  constructor() {
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  cover(parts: readonly string[]): void {
    this.#covers = parts;
  }

  /** What ran since the last reading. Takes 1 to 2 ms. */
  take(): Reading {
    const { result } = this.#post();
    return result.filter(({ url }) => this.#covers.some((part) => url.includes(part))).flatMap(readScript);
  }

  /** From now on the program runs as fast as it does without counting. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#session.post('Profiler.stopPreciseCoverage');
    this.#session.disconnect();
  }

  #post(): Profiler.TakePreciseCoverageReturnType {
    let taken: Profiler.TakePreciseCoverageReturnType | undefined;
    this.#session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error !== null) throw error;
      taken = answer;
    });
    if (taken === undefined) throw new Error('the inspector did not answer at once');
    return taken;
  }
}

/** How many blocks ran, of those known: of functions that never ran nothing is known. */
export interface BlockCount {
  readonly covered: number;
  readonly known: number;
  readonly functions: number;
}

/** Everything that ever ran. */
export class BlockMap {
  readonly #functions = new Map<string, { idle: Spans; readonly edges: Set<number> }>();

  /** True when something ran for the first time; remembers it. */
  merge(reading: Reading): boolean {
    let isNews = false;
    for (const { id, idle, edges } of reading) {
      const known = this.#functions.get(id);
      if (known === undefined) {
        this.#functions.set(id, { idle, edges: new Set(edges) });
        isNews = true;
        continue;
      }
      const left = intersection(known.idle, idle);
      if (lengthOf(left) === lengthOf(known.idle)) continue;
      known.idle = left;
      for (const edge of edges) known.edges.add(edge);
      isNews = true;
    }
    return isNews;
  }

  /** True when `merge` would be. */
  isNews(reading: Reading): boolean {
    return reading.some(({ id, idle }) => {
      const known = this.#functions.get(id);
      return known === undefined || lengthOf(intersection(known.idle, idle)) < lengthOf(known.idle);
    });
  }

  count(): BlockCount {
    let covered = 0;
    let known = 0;
    for (const { idle, edges } of this.#functions.values()) {
      const ascending = [...edges].sort((left, right) => left - right);
      known += ascending.length - 1;
      covered += ascending
        .slice(0, -1)
        .filter((start) => !idle.some(([from, to]) => from <= start && start < to)).length;
    }
    return { covered, known, functions: this.#functions.size };
  }
}

function readScript({ url, functions }: Profiler.ScriptCoverage): Reading {
  return functions.flatMap(({ ranges }) => {
    const [whole] = ranges;
    if (whole === undefined || whole.count === 0) return [];
    return [
      {
        id: `${url}:${whole.startOffset}:${whole.endOffset}`,
        idle: idleIn(ranges),
        edges: ranges.flatMap(({ startOffset, endOffset }) => [startOffset, endOffset]),
      },
    ];
  });
}

/** The parts whose innermost range has the count 0. Ranges come outermost first, in the order of the text. */
function idleIn(ranges: readonly Profiler.CoverageRange[]): Spans {
  const idle: (readonly [number, number])[] = [];
  const open: Profiler.CoverageRange[] = [];
  let at = 0;
  const advance = (to: number): void => {
    if (open.at(-1)?.count === 0 && to > at) idle.push([at, to]);
    at = to;
  };
  const closeUntil = (start: number): void => {
    for (let last = open.at(-1); last !== undefined && last.endOffset <= start; last = open.at(-1)) {
      advance(last.endOffset);
      open.pop();
    }
  };
  for (const range of ranges) {
    closeUntil(range.startOffset);
    advance(range.startOffset);
    open.push(range);
  }
  closeUntil(Number.POSITIVE_INFINITY);
  return idle;
}

function intersection(left: Spans, right: Spans): Spans {
  const both: (readonly [number, number])[] = [];
  let at = 0;
  for (const [start, end] of left) {
    while (at < right.length && (right[at]?.[1] ?? 0) <= start) at += 1;
    for (let next = at; next < right.length; next += 1) {
      const [from, to] = right[next] ?? [end, end];
      if (from >= end) break;
      both.push([Math.max(start, from), Math.min(end, to)]);
    }
  }
  return both;
}

const lengthOf = (spans: Spans): number => spans.reduce((sum, [start, end]) => sum + end - start, 0);

/**
 * Messages and steps of a whole recorded run, for the diagram on both sides of an instant, and the places worth a look. A second playback goes
 * through the run once, a little at a time, while viewers look already. Bounded in rows. Boundary: timers. Rules IN-1, RP-5, docs/inspector.md.
 */
import type { System, Transition } from '../actors/runtime/index.ts';
import { describeBlock } from '../node/feed/answers.ts';
import { type NodeLens, nodeLens } from '../node/feed/lens.ts';
import { RoundTimes } from '../node/feed/round-times.ts';
import { tellsOf, toldOf } from '../node/feed/told.ts';
import { Collector } from '../observe/feed/collector.ts';
import type {
  BlockRow,
  Mark,
  Moment,
  NodeIndex,
  Question,
  StepEvent,
  WireEvent,
} from '../observe/feed/feed.ts';
import { type Outcome, refusedWith } from '../observe/feed/source.ts';
import type { CommittedBlock } from '../protocol/ports/storage.ts';
import type { Lane } from './lane.ts';
import { Peers } from './peers.ts';
import type { Playback } from './playback.ts';
import { RecordedBatches } from './recorded-batches.ts';
import { stepAt } from './step-at.ts';

/** Beyond, the run is told as far as this reaches. @unit rows @source about 100 MB */
const ROWS_MAX = 400_000;
/** Around an instant. @unit rows @source what the page keeps before, and a screen after */
const BEFORE_MAX = 4_096;
const AFTER_MAX = 1_024;
/** @unit ms of the run @source less than the collector's bounds hold at 10,000 messages a second */
const SLICE_MS = 50;
/** Between two reports of how far it is. @unit ms */
const PROGRESS_MS = 1_000;
/** Work before others get their turn. @unit ms */
const WORK_MS = 25;
/** Starts and ends of a network's processes that lie so near are one. @unit ms */
const BESIDE_MS = 2_000;
/** Of a node's chain at an instant, below what its cells hold. @unit blocks */
const BLOCKS_MAX = 32;
/** @unit marks */
const MARKS_MAX = 500;

export class RunTimeline {
  readonly #playback: Playback;
  readonly #collectors = new Map<
    number,
    { readonly system: System; readonly collector: Collector; readonly detach: () => void }
  >();
  readonly #wire: WireEvent[] = [];
  readonly #steps: StepEvent[] = [];
  /** Committed blocks of each node, by height. Bounded by the run's rows. */
  readonly #blocks = new Map<NodeIndex, Map<number, BlockRow>>();
  readonly #batches = new Map<NodeIndex, RecordedBatches>();
  readonly #marks: Mark[];
  /** Ends and starts of processes, by time, that the playback has not come to. */
  readonly #lives: StepEvent[];
  readonly #peers: Peers;
  readonly #listeners = new Set<() => void>();
  /** Damaged blocks that have a mark. */
  readonly #damaged = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isWhole = false;
  #readEnd: string | undefined;
  #toldAt = performance.now();

  /** @param playback of its own: nobody else moves it @param marks known beforehand, as a simulation's failure */
  constructor(playback: Playback, marks: readonly Mark[] = []) {
    this.#playback = playback;
    const lives = livesOf(playback).sort((left, right) => left.at - right.at);
    this.#marks = [...marks, ...lives];
    this.#lives = lives.map(
      ({ at, node, kind, detail }): StepEvent => ({
        ...{ at, node, detail, turn: 0, cell: 'node' },
        kind: kind === 'end' ? 'crashed' : 'restarted',
      }),
    );
    this.#peers = new Peers(playback.lanes.map(({ runs }) => runs[0]?.opening.node.id ?? ''));
    this.#schedule();
  }

  /** Told every second or so of how far it was gone through, and when it is whole. */
  listen(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Until when messages and steps are known, and why no further; empty: all of them are. @unit ms since 1970 */
  get progress(): { readonly readTo?: number; readonly readEnd?: string } {
    if (this.#readEnd !== undefined) return { readTo: this.#playback.at, readEnd: this.#readEnd };
    return this.#isWhole ? {} : { readTo: this.#playback.at };
  }

  /** Nothing more will be read. */
  get isRead(): boolean {
    return this.#isWhole;
  }

  /** The rounds of a node as of an instant, of its steps before. @param at ms since 1970 */
  roundsAt(node: NodeIndex, at: number): RoundTimes['figures'] {
    const rounds = new RoundTimes();
    for (const step of windowOf(this.#steps, at)) {
      if (step.node === node && step.at <= at) rounds.take(step, step.at);
    }
    return rounds.figures;
  }

  marks(): readonly Mark[] {
    return this.#marks.slice(0, MARKS_MAX);
  }

  /** @param at ms since 1970 */
  around(at: number): Pick<Moment, 'wire' | 'steps'> {
    return { wire: this.#peers.resolve(windowOf(this.#wire, at)), steps: windowOf(this.#steps, at) };
  }

  /** The newest committed blocks of a node up to a height, lowest first: cells themselves forget them. */
  blocksUpTo(node: NodeIndex, height: number): readonly BlockRow[] {
    const known = this.#blocks.get(node);
    const rows: BlockRow[] = [];
    for (let at = height; at > height - BLOCKS_MAX; at -= 1) {
      const row = known?.get(at);
      if (row !== undefined) rows.unshift(row);
    }
    return rows;
  }

  /** What was in a message or a block, read off the turn in which it came. */
  answer(question: Question): Outcome {
    const lane = this.#playback.lanes[question.node];
    if (lane === undefined) return refusedWith('NOT_FOUND', `there is no node ${question.node}`);
    if (question.kind === 'certificate')
      return refusedWith('NOT_RECORDED', 'a journal holds no proofs: ask a node that runs');
    if (!this.#isWhole) return refusedWith('NOT_YET', 'the run is still being read: ask again in a moment');
    return question.kind === 'message'
      ? this.#message(lane, question.node, question.id)
      : this.#blockAnswer(lane, question.node, question.height);
  }

  #message(lane: Lane, node: NodeIndex, id: string): Outcome {
    const found = this.#wire.find((event) => event.node === node && event.id === id);
    const taken = found === undefined ? undefined : stepAt(lane, found);
    if (taken === undefined) return refusedWith('NOT_FOUND', `no message ${id} at this node`);
    const lens = nodeLens({ system: lane.system });
    lens.read(taken.step, QUIET);
    const answer = lens.message(id);
    if (answer === undefined) return refusedWith('NOT_FOUND', `turn ${taken.step.turn} has no message ${id}`);
    const { path, offset } = taken.place ?? {};
    const journal = path === undefined || offset === undefined ? {} : { journal: { segment: path, offset } };
    return { status: 'done', answer: { ...answer, ...journal } };
  }

  #blockAnswer(lane: Lane, node: NodeIndex, height: number): Outcome {
    const of = (kind: StepEvent['kind']) =>
      this.#steps.find((step) => step.node === node && step.kind === kind && step.height === height);
    const [committed, executed] = [of('committed'), of('executed')].map((step) =>
      step === undefined ? undefined : stepAt(lane, step)?.step,
    );
    const block = committed === undefined ? undefined : committedIn(committed, height);
    if (block === undefined)
      return refusedWith('NOT_FOUND', `the journal does not have the commit of height ${height}`);
    const results = executed === undefined ? undefined : toldOf(executed.event);
    const outcomes = results?.type === 'block.executed' ? results.transactions : [];
    const digests = block.block.header.batches.map(({ digest }) => digest);
    const known = this.#batches.get(node)?.transactionsOf(lane, digests);
    const transactions = outcomes.map(({ hash, byteLength, code }) => ({
      ...{ hash, byteLength, bytes: known?.get(hash), result: { code } },
    }));
    return {
      status: 'done',
      answer: describeBlock(block, transactions, results === undefined ? 'committed' : 'executed'),
    };
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const { detach } of this.#collectors.values()) detach();
    this.#playback.close();
  }

  #schedule(): void {
    this.#timer = setTimeout(() => this.#work(), 0);
  }

  #work(): void {
    const playback = this.#playback;
    const begun = performance.now();
    while (performance.now() - begun < WORK_MS) {
      this.#attach();
      const stop = playback.play(Math.max(playback.at + SLICE_MS, playback.quietUntil), []);
      this.#gather();
      this.#markDamage();
      const isFull = this.#wire.length + this.#steps.length >= ROWS_MAX;
      if (stop === undefined && !isFull) continue;
      if (stop !== undefined && stop.kind !== 'end') {
        const kind = stop.kind === 'divergence' ? 'divergence' : 'failure';
        this.#marks.push({ at: stop.at, node: stop.lane, kind, detail: stop.because });
        this.#readEnd = `${stop.kind}: ${stop.because}`;
      } else if (stop === undefined) this.#readEnd = `more than ${ROWS_MAX} of them are not kept`;
      this.#end();
      return;
    }
    if (begun - this.#toldAt > PROGRESS_MS) {
      this.#toldAt = begun;
      for (const listener of this.#listeners) listener();
    }
    this.#schedule();
  }

  /** RP-2: where the journal is damaged, at the instant up to which it could be read. */
  #markDamage(): void {
    for (const [node, lane] of this.#playback.lanes.entries()) {
      for (const { path, offset, kind, detail } of lane.met()) {
        const where = `${path}, byte ${offset}`;
        if (this.#damaged.has(where) || this.#marks.length >= MARKS_MAX) continue;
        this.#damaged.add(where);
        this.#marks.push({ at: lane.player.at, node, kind: 'fault', detail: `${where}: ${kind}: ${detail}` });
      }
    }
  }

  #keepBlocks(node: NodeIndex, rows: readonly BlockRow[]): void {
    const known = this.#blocks.get(node) ?? new Map<number, BlockRow>();
    this.#blocks.set(node, known);
    for (const row of rows) {
      if (row.status === 'committed' || row.status === 'executed') known.set(row.height, row);
    }
  }

  #end(): void {
    this.#isWhole = true;
    for (const { detach } of this.#collectors.values()) detach();
    this.#collectors.clear();
    this.#marks.sort((left, right) => left.at - right.at);
    for (const listener of this.#listeners) listener();
  }

  #attach(): void {
    for (const [node, lane] of this.#playback.lanes.entries()) {
      const { system } = lane;
      const known = this.#collectors.get(node);
      if (known?.system === system) continue;
      known?.detach();
      const lens = (): NodeLens => nodeLens({ system });
      const collector = new Collector({ system, node, lens, wireMax: WIRE_MAX });
      const batches = this.#batches.get(node) ?? new RecordedBatches();
      this.#batches.set(node, batches);
      const watches = [collector.attach(), system.inspect(batches)];
      const detach = (): void => {
        for (const end of watches) end();
      };
      this.#collectors.set(node, { system, collector, detach });
    }
  }

  #gather(): void {
    const wire: WireEvent[] = [];
    const steps: StepEvent[] = [];
    for (const { collector } of this.#collectors.values()) {
      const delta = collector.collect();
      for (const event of delta.wire ?? []) wire.push(event);
      steps.push(...(delta.steps ?? []));
      for (const { node, blocks } of delta.chains ?? []) this.#keepBlocks(node, blocks);
    }
    while ((this.#lives[0]?.at ?? Number.POSITIVE_INFINITY) <= this.#playback.at)
      steps.push(...this.#lives.splice(0, 1));
    for (const event of wire.sort((left, right) => left.at - right.at)) this.#wire.push(event);
    for (const step of steps.sort((left, right) => left.at - right.at)) this.#steps.push(step);
    for (const step of steps) {
      const kind = step.kind === 'violated' ? 'failure' : step.kind === 'crashed' ? 'fault' : undefined;
      if (kind === undefined || this.#marks.length >= MARKS_MAX) continue;
      this.#marks.push({
        at: step.at,
        node: step.node,
        kind,
        detail: `${step.cell}: ${step.detail ?? step.kind}`,
      });
    }
  }
}

/** Of a slice: all that a node sends and hears in it. @unit rows */
const WIRE_MAX = { deciding: 65_536, bulk: 65_536 };

const QUIET = { hasRoomFor: () => true, wire: () => undefined, step: () => undefined };

function committedIn({ effects }: Transition, height: number): CommittedBlock | undefined {
  for (const { told } of tellsOf(effects)) {
    if (told.type !== 'blocks.committed') continue;
    const found = told.blocks.find(({ block }) => block.header.height === height);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Processes that ended while others went on, and came back. */
function livesOf({ lanes, span }: Playback) {
  return lanes.flatMap(({ runs }, node) =>
    runs.flatMap(({ opening: { startedAt }, endsAt }, life) => {
      const isLate = life > 0 || startedAt - span.from >= BESIDE_MS;
      const start = { at: startedAt, node, kind: 'start' as const, detail: 'the process starts' };
      const end = { at: endsAt, node, kind: 'end' as const, detail: 'the process ends' };
      return [...(isLate ? [start] : []), ...(span.to - endsAt < BESIDE_MS ? [] : [end])];
    }),
  );
}

/** Rows of about an instant, by time. */
function windowOf<Row extends { readonly at: number }>(rows: readonly Row[], at: number): readonly Row[] {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rows[middle]?.at ?? 0) <= at) low = middle + 1;
    else high = middle;
  }
  return rows.slice(Math.max(0, low - BEFORE_MAX), low + AFTER_MAX);
}

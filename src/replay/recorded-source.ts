/**
 * A recorded or simulated run as a source of the feed: viewers go to an instant, play, step and set breakpoints, and see at each what the nodes
 * were. All viewers share one playback. Boundary: timers; the rest is deterministic. Rules IN-1, RP-4, RP-5, docs/inspector.md.
 */
import type { System } from '../actors/runtime/index.ts';
import { nodeLens } from '../node/feed/lens.ts';
import { Collector } from '../observe/feed/collector.ts';
import {
  type CellRow,
  type Delta,
  FEED_VERSION,
  type Hello,
  type Moment,
  type NodeCard,
  type NodeChain,
  type Playing,
  type Question,
  type WireEvent,
} from '../observe/feed/feed.ts';
import { withDetailsOf } from '../observe/feed/live.ts';
import type { FeedSource, FeedUpdate, Outcome, PlayCommand, WatchedCell } from '../observe/feed/source.ts';
import { BREAKPOINT_FORMS, type Breakpoint, parseBreakpoint } from './breakpoint.ts';
import type { Lane } from './lane.ts';
import { Peers } from './peers.ts';
import type { Playback, Stop } from './playback.ts';
import type { RunTimeline } from './run-timeline.ts';

export interface RecordedParts {
  readonly playback: Playback;
  readonly timeline: RunTimeline;
  readonly title: string;
  /** Where the playback stands at first; default its beginning. @unit ms since 1970 */
  readonly at?: number;
}

/** @unit ms @source IN-1: 20 Hz */
const TICK_MS = 50;
/** @unit factor @source chosen: an hour in four seconds */
const SPEED_MAX = 1_000;
/** A tick plays no longer than this before it says where it is. @unit ms */
const STRIDE_MS_MAX = 5_000;

interface Viewer {
  readonly take: (update: FeedUpdate) => void;
  watched: readonly WatchedCell[];
}

/** A lane with what collects from the system that it shows now. */
interface Shown {
  readonly lane: Lane;
  system: System | undefined;
  collector: Collector | undefined;
  detach: () => void;
}

export class RecordedSource implements FeedSource {
  readonly #parts: RecordedParts;
  readonly #shown: readonly Shown[];
  readonly #viewers = new Set<Viewer>();
  readonly #peers: Peers;
  #timer: ReturnType<typeof setInterval> | undefined;
  #speed = 1;
  #breakpoint: Breakpoint = [];
  #breakpointText = '';
  #stopped: string | undefined;
  /** Nobody has moved it yet. */
  #isUntouched = true;
  /** Which nodes viewers know to be up. */
  #up = '';

  constructor(parts: RecordedParts) {
    this.#parts = parts;
    const { playback, timeline, at } = parts;
    this.#shown = playback.lanes.map((lane) => ({
      lane,
      system: undefined,
      collector: undefined,
      detach: () => undefined,
    }));
    this.#peers = new Peers(playback.lanes.map(({ runs }) => runs[0]?.opening.node.id ?? ''));
    playback.seek(at ?? playback.span.from);
    timeline.listen(() => this.#tellAll(timeline.isRead ? [this.#hello(), this.#moment()] : [this.#hello()]));
  }

  subscribe(take: (update: FeedUpdate) => void) {
    const viewer: Viewer = { take, watched: [] };
    this.#viewers.add(viewer);
    this.#attach();
    for (const update of [this.#hello(), this.#moment(), this.#playing()]) take(update);
    return {
      watch: (cells: readonly WatchedCell[]): void => {
        viewer.watched = cells;
        this.#watch();
        this.#tellDelta();
      },
      play: (command: PlayCommand): void => this.#obey(command),
      end: (): void => {
        this.#viewers.delete(viewer);
        this.#watch();
        if (this.#viewers.size === 0) this.#pause(undefined);
      },
    };
  }

  ask(question: Question): Promise<Outcome> {
    return Promise.resolve(this.#parts.timeline.answer(question));
  }

  close(): void {
    this.#pause(undefined);
    this.#parts.timeline.close();
    this.#parts.playback.close();
  }

  #obey(command: PlayCommand): void {
    const { playback } = this.#parts;
    const isAtEnd =
      playback.at >= playback.span.to || (this.#isUntouched && playback.at >= playback.lastWhole);
    if (command.type !== 'break') this.#isUntouched = false;
    switch (command.type) {
      case 'seek':
        this.#pause(undefined);
        playback.seek(clamped(command.at, playback.span));
        this.#jumped();
        return;
      case 'play':
        this.#speed = clamped(command.speed, { from: 1 / SPEED_MAX, to: SPEED_MAX });
        this.#stopped = undefined;
        // At the end there is nothing to play: it begins anew, as players of all kinds do.
        if (isAtEnd && this.#timer === undefined) {
          playback.seek(playback.span.from);
          this.#jumped();
        }
        this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
        this.#tellAll([this.#playing()]);
        return;
      case 'pause':
        this.#pause(undefined);
        return;
      case 'step':
        this.#pause(undefined);
        playback.step(command.by, command.node);
        this.#jumped();
        return;
      case 'break':
        this.#breakAt(command.expression);
    }
  }

  #breakAt(expression: string): void {
    const parsed = expression.trim() === '' ? [] : parseBreakpoint(expression);
    if ('notUnderstood' in parsed) {
      const forms = BREAKPOINT_FORMS.join('; ');
      this.#pause(`"${parsed.notUnderstood}" is no breakpoint: ${forms}`);
      return;
    }
    this.#breakpoint = parsed;
    this.#breakpointText = expression.trim();
    this.#tellAll([this.#playing()]);
  }

  #tick(): void {
    const { playback } = this.#parts;
    const stride = Math.min(TICK_MS * this.#speed, STRIDE_MS_MAX);
    const stop = playback.play(playback.at + stride, this.#breakpoint);
    if (stop === undefined) this.#moved();
    else {
      this.#jumped();
      this.#pause(wordsOf(stop, playback));
    }
  }

  #pause(stopped: string | undefined): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#stopped = stopped;
    this.#tellAll([this.#playing()]);
  }

  /** After a step in time: what has changed, unless a lane shows another system. */
  #moved(): void {
    if (this.#attach()) this.#tellAll([...this.#changedHello(), this.#moment()]);
    else {
      this.#tellAll(this.#changedHello());
      this.#tellDelta();
    }
  }

  #jumped(): void {
    this.#attach();
    this.#tellAll([...this.#changedHello(), this.#moment(), this.#playing()]);
    // Details of the cells that are watched come with a delta.
    this.#watch();
    this.#tellDelta();
  }

  /** @returns whether a lane shows another system than before */
  #attach(): boolean {
    let isOther = false;
    for (const [node, shown] of this.#shown.entries()) {
      const { system } = shown.lane;
      if (shown.system === system) continue;
      isOther = true;
      shown.detach();
      const collector = new Collector({ system, node, lens: () => nodeLens({ system }) });
      shown.system = system;
      shown.collector = collector;
      shown.detach = collector.attach();
    }
    if (isOther) this.#watch();
    return isOther;
  }

  #watch(): void {
    const watched = [...this.#viewers].flatMap((viewer) => viewer.watched);
    for (const [node, { collector }] of this.#shown.entries()) {
      collector?.watch(watched.filter((one) => one.node === node).map(({ address }) => address));
    }
  }

  #tellAll(updates: readonly FeedUpdate[]): void {
    for (const { take } of this.#viewers) for (const update of updates) take(update);
  }

  #tellDelta(): void {
    const deltas = this.#shown.flatMap(({ collector }) =>
      collector === undefined ? [] : [collector.collect()],
    );
    const delta = merged(this.#parts.playback.at, deltas, (peer) => this.#peers.first(peer));
    for (const { take, watched } of this.#viewers) take(withDetailsOf(delta, watched));
  }

  #moment(): Moment {
    const { playback, timeline } = this.#parts;
    const moments = this.#shown.flatMap(({ collector, lane }) =>
      collector === undefined || lane.isDown(playback.at) ? [] : [collector.moment()],
    );
    return {
      type: 'moment',
      at: playback.at,
      cells: moments.flatMap(({ cells }): readonly CellRow[] => cells),
      chains: moments.flatMap(({ chains }) => chains.map((chain) => withHistory(chain, timeline))),
      health: moments.flatMap(({ health }) =>
        health.map((row) => ({
          ...row,
          round: { ...row.round, ...timeline.roundsAt(row.node, playback.at) },
        })),
      ),
      ...timeline.around(playback.at),
    };
  }

  /** A new hello where nodes came or went. */
  #changedHello(): readonly Hello[] {
    const { lanes, at } = this.#parts.playback;
    const up = lanes.map((lane) => (lane.isDown(at) ? '-' : '+')).join('');
    if (up === this.#up) return [];
    this.#up = up;
    return [this.#hello()];
  }

  #hello(): Hello {
    const { playback, timeline, title } = this.#parts;
    const source = playback.lanes[0]?.runs[0]?.opening.source;
    const run = {
      title,
      ...playback.span,
      marks: timeline.marks(),
      ...timeline.progress,
    };
    return {
      type: 'hello',
      version: FEED_VERSION,
      run:
        source?.kind === 'simulation'
          ? { kind: 'simulated', ...run, seed: source.scenario }
          : { kind: 'recorded', ...run },
      nodes: playback.lanes.map((lane) => cardOf(lane, playback.at)),
      charts: Object.assign({}, ...this.#shown.map(({ collector }) => collector?.charts() ?? {})),
      controls: [],
    };
  }

  #playing(): Playing {
    return {
      type: 'playing',
      at: this.#parts.playback.at,
      isPlaying: this.#timer !== undefined,
      speed: this.#speed,
      breakpoint: this.#breakpointText,
      ...(this.#stopped === undefined ? {} : { stopped: this.#stopped }),
    };
  }
}

/** Cells know the tree above the committed block; the run knows what is below. */
function withHistory(chain: NodeChain, timeline: RunTimeline): NodeChain {
  const own = new Set(chain.blocks.map(({ id }) => id));
  const below = timeline.blocksUpTo(chain.node, chain.committed.height).filter(({ id }) => !own.has(id));
  return { ...chain, blocks: [...below, ...chain.blocks] };
}

const clamped = (value: number, { from, to }: { readonly from: number; readonly to: number }): number =>
  Number.isFinite(value) ? Math.min(to, Math.max(from, value)) : from;

function cardOf(lane: Lane, at: number): NodeCard {
  const opening = lane.runs[lane.life]?.opening;
  return {
    id: opening?.node.id ?? '',
    moniker: opening?.node.moniker ?? '',
    chainId: opening?.chain.id ?? '',
    genesisHash: opening?.chain.genesisHash ?? '',
    version: opening?.program.version ?? '',
    power: '1',
    isUp: !lane.isDown(at),
  };
}

function wordsOf(stop: Stop, { lanes }: Playback): string {
  if (stop.kind === 'end') return 'the run ends here';
  const moniker = lanes[stop.lane]?.runs[0]?.opening.node.moniker ?? '';
  return `${stop.kind} at ${moniker}: ${stop.because}`;
}

/** Deltas of several nodes as one. */
export function merged(
  at: number,
  deltas: readonly Delta[],
  peer: (peer: WireEvent['peer']) => WireEvent['peer'],
): Delta {
  const all = <Row>(of: (delta: Delta) => readonly Row[] | undefined): readonly Row[] =>
    deltas.flatMap((delta) => of(delta) ?? []);
  const wire = all(({ wire: rows }) => rows).map((event) => ({ ...event, peer: peer(event.peer) }));
  return {
    type: 'delta',
    at,
    cells: all(({ cells }) => cells),
    gone: all(({ gone }) => gone),
    chains: all(({ chains }) => chains),
    health: all(({ health }) => health),
    wire: wire.sort((left, right) => left.at - right.at),
    steps: [...all(({ steps }) => steps)].sort((left, right) => left.at - right.at),
    details: all(({ details }) => details),
    charts: Object.assign({}, ...deltas.map(({ charts }) => charts ?? {})),
    deadLetters: all(({ deadLetters }) => deadLetters),
    turns: deltas.reduce((sum, { turns }) => sum + turns, 0),
    dropped: deltas.reduce((sum, { dropped }) => sum + dropped, 0),
  };
}

/**
 * The one state of the page: connection, run, the model that the views show, and what is selected. Feeds change it as often as they like;
 * views hear of it once a frame at most. Not pure: it holds the socket. Frames come from the caller, so that tests give them.
 */
import type {
  At,
  Control,
  Delta,
  FeedMessage,
  Hello,
  Moment,
  Playing,
  Question,
  ViewerMessage,
} from '../../../src/observe/feed/feed.ts';
import { after, greeted, marked, noActivity } from './activity.ts';
import { commitOf, executedBy } from './commits.ts';
import type { ConnectionEvents, ConnectionState } from './connection.ts';
import { History } from './history.ts';
import { apply, become, type CellName, cellKey, greet, type Model } from './model.ts';
import { committed, ended, given } from './orders.ts';
import { INITIAL, isPressing, isRemote, type PageState, type TimeState } from './page-state.ts';
import { Questions } from './questions.ts';
import type { Place, Selection } from './selection.ts';

export interface Feed {
  send(message: ViewerMessage): boolean;
}

export { isRemote, type PageState, type TimeState } from './page-state.ts';

/** A viewer may watch so many cells. @source ViewerMessage 'watch', feed.ts */
const WATCHED_MAX = 16;

/** Between two times that paced views hear of changes. @unit ms @source a figure that changes more often cannot be read */
const PACED_MS = 120;

export class PageStore implements ConnectionEvents {
  readonly questions: Questions;
  readonly #history = new History();
  readonly #listeners = new Set<() => void>();
  readonly #pacedListeners = new Set<() => void>();
  readonly #nextFrame: (callback: (now: number) => void) => void;
  /** What views want watched, newest last; the same cell may be wanted twice. */
  readonly #wanted: (readonly CellName[])[] = [];
  #feed: Feed | undefined;
  #isFrameDue = false;
  #playedAt: number | undefined;
  #lastOrder = 0;
  #state: PageState = INITIAL;
  #published: PageState = INITIAL;
  #paced: PageState = INITIAL;
  #pacedAt = 0;

  constructor(nextFrame: (callback: (now: number) => void) => void) {
    this.#nextFrame = nextFrame;
    this.questions = new Questions((message) => this.#feed?.send(message) ?? false);
  }

  attach(feed: Feed): void {
    this.#feed = feed;
  }

  // ── For views ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Stable between two frames. */
  readonly get = (): PageState => this.#published;

  /** The same a few times a second, for what people read rather than watch: lists and numbers. At once when they act. */
  readonly paced = {
    get: (): PageState => this.#paced,
    subscribe: (listener: () => void): (() => void) => {
      this.#pacedListeners.add(listener);
      return () => this.#pacedListeners.delete(listener);
    },
  };

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly select = (patch: Partial<Selection>): void => {
    this.#change({ selection: { ...this.#state.selection, ...patch } });
  };

  /** Has details of these cells told until the returned function is called. Of all that is wanted, the newest 16 are. */
  watch(cells: readonly CellName[]): () => void {
    this.#wanted.push(cells);
    this.#tellWatched();
    return () => {
      const place = this.#wanted.indexOf(cells);
      if (place >= 0) this.#wanted.splice(place, 1);
      this.#tellWatched();
    };
  }

  /** The run as it was, where this page holds its past; a recorded run is asked for it by `seek`. */
  modelAt(at: At): Model | undefined {
    return isRemote(this.#state.hello?.run) ? undefined : this.#history.modelAt(at);
  }

  ask(question: Question): Promise<unknown> {
    return this.questions.ask({ type: 'ask', question });
  }

  /** What becomes of it stands in `orders`. */
  async order(control: Control): Promise<void> {
    this.#lastOrder += 1;
    const [id, since] = [this.#lastOrder, performance.now()];
    const before = executedBy(this.#state.newest, control);
    this.#change({ orders: given(this.#state.orders, id, control) });
    const end = (isDone: boolean, answer: unknown): void => {
      const outcome = { isDone, answer, tookMs: performance.now() - since };
      this.#change({ orders: ended(this.#state.orders, id, outcome) });
    };
    await this.questions.ask({ type: 'order', control }).then(
      (answer) => {
        end(true, answer);
        void this.#watchCommit(id, control, answer, since, before);
      },
      (error: unknown) => end(false, error),
    );
  }

  /** Where a transaction went. */
  async #watchCommit(
    id: number,
    control: Control,
    answer: unknown,
    since: number,
    after: number,
  ): Promise<void> {
    const commit = await commitOf(control, answer, after, {
      ask: (question) => this.ask(question),
      executed: () => executedBy(this.#state.newest, control),
    });
    if (commit !== undefined)
      this.#change({ orders: committed(this.#state.orders, id, commit, performance.now() - since) });
  }

  // ── Time ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  readonly seek = (at: At): void => {
    const { from, to } = this.#state.time;
    const bounded = Math.min(Math.max(at, from), to);
    if (isRemote(this.#state.hello?.run)) {
      this.#feed?.send({ type: 'seek', at: bounded });
      this.#time({ at: bounded });
      return;
    }
    const shown = this.#history.modelAt(bounded) ?? this.#state.shown;
    this.#change({ shown, time: { ...this.#state.time, isLive: false, at: bounded, stopped: undefined } });
  };

  readonly goLive = (): void => {
    if (isRemote(this.#state.hello?.run)) return;
    this.#playedAt = undefined;
    const { newest } = this.#state;
    this.#time({ isLive: true, isPlaying: false, stopped: undefined, at: newest.at });
    this.#change({ shown: newest });
  };

  readonly play = (): void => {
    if (isRemote(this.#state.hello?.run)) {
      this.#feed?.send({ type: 'play', speed: this.#state.time.speed });
      return;
    }
    if (this.#state.time.isLive) return;
    this.#playedAt = undefined;
    this.#time({ isPlaying: true, stopped: undefined });
  };

  readonly pause = (): void => {
    const { run } = this.#state.hello ?? {};
    if (isRemote(run)) this.#feed?.send({ type: 'pause' });
    else if (this.#state.time.isLive) this.seek(this.#state.newest.at);
    else this.#time({ isPlaying: false });
  };

  readonly setSpeed = (speed: number): void => {
    this.#time({ speed });
    const { hello, time } = this.#state;
    if (isRemote(hello?.run) && time.isPlaying) this.#feed?.send({ type: 'play', speed });
  };

  readonly step = (by: 1 | -1): void => {
    const { hello, time, selection } = this.#state;
    if (isRemote(hello?.run)) {
      const { node } = selection;
      this.#feed?.send(node === undefined ? { type: 'step', by } : { type: 'step', by, node });
      return;
    }
    const at = this.#history.neighbour(time.isLive ? this.#state.newest.at : time.at, by);
    this.#time({ isPlaying: false });
    if (at !== undefined) this.seek(at);
  };

  readonly setBreakpoint = (expression: string): void => {
    this.#feed?.send({ type: 'break', expression });
    this.#time({ breakpoint: expression });
  };

  // ── From the connection ────────────────────────────────────────────────────────────────────────────────────────────

  readonly state = (connection: ConnectionState): void => {
    if (connection.status !== 'open') this.questions.lose();
    this.#change({ connection });
    if (connection.status === 'open') this.#tellWatched();
  };

  readonly message = (message: FeedMessage, size: number): void => {
    if (message.type === 'hello') this.#greeted(message);
    else if (message.type === 'moment') this.#jumped(message);
    else if (message.type === 'delta') this.#advanced(message, size);
    else if (message.type === 'playing') this.#played(message);
    else this.questions.settle(message);
  };

  /** The address of the page changed, or the page was opened with it. */
  goTo({ selection, at }: Place): void {
    this.#change({ selection });
    if (at !== undefined && at !== this.#state.time.at) this.seek(at);
  }

  #greeted(hello: Hello): void {
    const before = this.#state.hello?.run;
    const newest = greet(this.#state.newest, hello);
    // Nodes or the run are others: nothing of the past belongs to it.
    if (newest.cells.size === 0 || before?.kind !== hello.run.kind) {
      this.#history.clear();
      this.#change({ activity: noActivity });
    }
    const { activity, hello: earlier } = this.#state;
    // Who scrubs through a recorded run leaves nodes behind that are up: no process ended. Such a run tells its marks itself.
    if (!isRemote(hello.run))
      this.#change({ activity: greeted(activity, newest.at, earlier?.nodes ?? [], hello.nodes) });
    const isLive = this.#state.time.isLive && hello.run.kind === 'live';
    this.#change({ hello, newest, shown: isLive || isRemote(hello.run) ? newest : this.#state.shown });
    if (hello.run.kind === 'live') return;
    // It is told again as more of the run is read: where it stands stays.
    const { from, to } = hello.run;
    this.#time({ isLive: false, from, to, at: Math.min(Math.max(this.#state.time.at, from), to) });
  }

  #jumped(moment: Moment): void {
    const newest = become(this.#state.newest, moment);
    if (isRemote(this.#state.hello?.run)) {
      this.#change({ newest, shown: newest });
      this.#time({ at: moment.at });
      // A moment has no details; whoever asks for them anew is told those of this instant.
      this.#tellWatched();
      return;
    }
    this.#history.restart(newest);
    this.#follow(newest);
  }

  #advanced(delta: Delta, size: number): void {
    const { newest: before, hello } = this.#state;
    const newest = apply(before, delta);
    const isPlayed = isRemote(hello?.run);
    this.#change({
      activity: isPlayed ? marked(this.#state.activity, delta) : after(this.#state.activity, delta),
    });
    if (isPlayed) {
      this.#change({ newest, shown: newest });
      this.#time({ at: newest.at });
      return;
    }
    this.#history.push(before, delta, size);
    this.#follow(newest);
  }

  #follow(newest: Model): void {
    const { time, shown } = this.#state;
    const span = { from: this.#history.from ?? newest.at, to: newest.at };
    this.#change({
      newest,
      shown: time.isLive ? newest : shown,
      time: { ...time, ...span, at: time.isLive ? newest.at : time.at },
    });
  }

  #played({ at, isPlaying, speed, breakpoint, stopped }: Playing): void {
    this.#time({ at, isPlaying, speed, breakpoint, stopped });
  }

  // ── Frames ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #time(patch: Partial<TimeState>): void {
    this.#change({ time: { ...this.#state.time, ...patch } });
  }

  #change(patch: Partial<PageState>): void {
    this.#state = { ...this.#state, ...patch };
    this.#wantFrame();
  }

  #wantFrame(): void {
    if (this.#isFrameDue) return;
    this.#isFrameDue = true;
    this.#nextFrame(this.#frame);
  }

  readonly #frame = (now: number): void => {
    this.#isFrameDue = false;
    this.#playOn(now);
    const isNews = this.#published !== this.#state;
    this.#published = this.#state;
    if (isNews) for (const listener of this.#listeners) listener();
    this.#pace(now);
  };

  #pace(now: number): void {
    if (now - this.#pacedAt < PACED_MS && !isPressing(this.#paced, this.#state)) {
      // The last change before a silence is told, too.
      this.#wantFrame();
      return;
    }
    if (this.#paced === this.#published) return;
    this.#pacedAt = now;
    this.#paced = this.#published;
    for (const listener of this.#pacedListeners) listener();
  }

  /** Of a live run's past: the page plays it itself. */
  #playOn(now: number): void {
    const { time, hello } = this.#state;
    if (!time.isPlaying || time.isLive || isRemote(hello?.run)) return;
    const elapsed = this.#playedAt === undefined ? 0 : now - this.#playedAt;
    this.#playedAt = now;
    const at = time.at + elapsed * time.speed;
    if (at >= time.to) this.goLive();
    else this.seek(at);
    this.#wantFrame();
  }

  #tellWatched(): void {
    const cells = new Map<string, CellName>();
    for (const wanted of this.#wanted.toReversed())
      for (const name of wanted) {
        if (cells.size < WATCHED_MAX) cells.set(cellKey(name.node, name.address), name);
      }
    this.#feed?.send({ type: 'watch', cells: [...cells.values()] });
  }
}

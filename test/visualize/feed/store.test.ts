import { beforeEach, describe, expect, it } from 'vitest';
import type { FeedMessage, Hello, ViewerMessage } from '../../../src/observe/feed/feed.ts';
import { FeedRefusal } from '../../../visualize/src/feed/questions.ts';
import { PageStore } from '../../../visualize/src/feed/store.ts';
import { heard } from '../support/run.ts';

/** The store with frames that the test gives, and what it sent. */
class Bench {
  readonly store: PageStore;
  readonly sent: ViewerMessage[] = [];
  readonly #frames: ((now: number) => void)[] = [];
  isConnected = true;

  constructor() {
    this.store = new PageStore((callback) => this.#frames.push(callback));
    this.store.attach({
      send: (message) => {
        if (this.isConnected) this.sent.push(message);
        return this.isConnected;
      },
    });
  }

  /** Frames that were asked for, at this time; how many there were. */
  frame(now: number): number {
    const due = this.#frames.splice(0);
    for (const callback of due) callback(now);
    return due.length;
  }

  hear(...messages: readonly FeedMessage[]): void {
    for (const message of messages) this.store.message(message, 100);
  }
}

const { hello, moment, deltas } = heard(200);
const recordedHello: Hello = {
  ...hello,
  run: { kind: 'recorded', title: 'a run', from: moment.at, to: moment.at + 60_000, marks: [] },
};
const second = (place: number): number => deltas[place]?.at ?? 0;

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});

describe('the state of the page', () => {
  it('is told once a frame, however much comes in between', () => {
    let told = 0;
    bench.store.subscribe(() => {
      told += 1;
    });
    bench.hear(hello, moment, ...deltas);
    expect(told).toBe(0);
    expect(bench.store.get().hello).toBeUndefined();
    expect(bench.frame(1_000)).toBe(1);
    expect(told).toBe(1);
    expect(bench.store.get().shown.at).toBe(second(199));
  });

  it('is told to lists and figures a few times a second, and at once when the reader acts', () => {
    let told = 0;
    bench.store.paced.subscribe(() => {
      told += 1;
    });
    bench.hear(hello, moment);
    bench.frame(1_000);
    for (const [place, delta] of deltas.slice(0, 60).entries()) {
      bench.hear(delta);
      bench.frame(1_016 + place * 16);
    }
    expect(told).toBeGreaterThanOrEqual(7);
    expect(told).toBeLessThanOrEqual(10);
    const before = told;
    bench.store.select({ view: 'chain' });
    bench.frame(1_016 + 60 * 16);
    expect(told).toBe(before + 1);
  });

  it('tells paced listeners the last change before a silence', () => {
    bench.hear(hello, moment);
    bench.frame(1_000);
    bench.hear(...deltas.slice(0, 1));
    for (let now = 1_016; now < 1_300; now += 16) bench.frame(now);
    expect(bench.store.paced.get().shown.at).toBe(second(0));
    expect(bench.frame(1_400)).toBe(0);
  });
});

describe('the instant of a live run', () => {
  beforeEach(() => {
    bench.hear(hello, moment, ...deltas.slice(0, 100));
    bench.frame(0);
  });

  it('stands where the reader went, while the run goes on', () => {
    bench.store.seek(second(40));
    bench.hear(...deltas.slice(100));
    bench.frame(16);
    const { shown, newest, time } = bench.store.get();
    expect([shown.at, newest.at]).toEqual([second(40), second(199)]);
    expect([time.isLive, time.at, time.to]).toEqual([false, second(40), second(199)]);
    bench.store.goLive();
    bench.frame(32);
    expect(bench.store.get().shown.at).toBe(second(199));
  });

  it('cannot leave what is known', () => {
    bench.store.seek(0);
    bench.frame(16);
    expect(bench.store.get().time.at).toBe(moment.at);
    bench.store.seek(second(199));
    bench.frame(32);
    expect(bench.store.get().time.at).toBe(second(99));
  });

  it('steps by what the feed told, from live too', () => {
    bench.store.step(-1);
    bench.frame(16);
    expect(bench.store.get().time).toMatchObject({ isLive: false, at: second(98) });
    bench.store.step(1);
    bench.frame(32);
    expect(bench.store.get().shown.at).toBe(second(99));
  });

  it('plays on as fast as it is told, and is live again at the end', () => {
    bench.store.seek(second(59));
    bench.store.setSpeed(2);
    bench.store.play();
    for (const now of [1_000, 1_100, 1_200]) bench.frame(now);
    expect(bench.store.get().time.at).toBe(second(59) + 400);
    for (let now = 1_300; now < 3_000; now += 100) bench.frame(now);
    expect(bench.store.get().time).toMatchObject({ isLive: true, isPlaying: false, at: second(99) });
  });

  it('stops where it is when it is paused', () => {
    bench.store.pause();
    bench.hear(...deltas.slice(100));
    bench.frame(16);
    expect(bench.store.get().time).toMatchObject({ isLive: false, isPlaying: false, at: second(99) });
  });

  it('has no past of another run', () => {
    const others = heard(3, { nodes: 7 });
    const hasOthers = { ...others.hello, nodes: others.hello.nodes.toReversed() };
    bench.hear(hasOthers, others.moment, ...others.deltas);
    bench.frame(16);
    expect(bench.store.get().time.from).toBe(others.moment.at);
    expect(bench.store.get().activity.seconds).toHaveLength(1);
  });
});

describe('the instant of a recorded run', () => {
  it('is the server’s: the page asks, and shows what it is told', () => {
    bench.hear(recordedHello, moment);
    bench.sent.length = 0;
    bench.store.seek(moment.at + 5_000);
    bench.store.setSpeed(5);
    bench.store.play();
    bench.store.pause();
    bench.store.select({ node: 2 });
    bench.store.step(-1);
    bench.store.setBreakpoint('round > 3');
    bench.store.goLive();
    expect(bench.sent).toEqual([
      { type: 'seek', at: moment.at + 5_000 },
      { type: 'play', speed: 5 },
      { type: 'pause' },
      { type: 'step', by: -1, node: 2 },
      { type: 'break', expression: 'round > 3' },
    ]);
    const stopped = 'round > 3 at bravo';
    bench.hear({
      type: 'playing',
      at: second(5),
      isPlaying: false,
      speed: 5,
      breakpoint: 'round > 3',
      stopped,
    });
    bench.frame(16);
    expect(bench.store.get().time).toMatchObject({
      isLive: false,
      at: second(5),
      stopped,
      to: moment.at + 60_000,
    });
  });

  it('stays where it is when more of the run is read', () => {
    bench.hear(recordedHello, { ...moment, at: moment.at + 9_000 });
    bench.hear({
      ...recordedHello,
      run: { ...recordedHello.run, kind: 'recorded', from: moment.at, to: moment.at + 90_000, marks: [] },
    });
    bench.frame(0);
    expect(bench.store.get().time).toMatchObject({ at: moment.at + 9_000, to: moment.at + 90_000 });
  });

  it('has details of what is watched told at each instant that it jumps to', () => {
    bench.hear(recordedHello, moment);
    bench.store.watch([{ node: 0, address: 'node/storage' }]);
    bench.sent.length = 0;
    bench.hear({ ...moment, at: moment.at + 9_000 });
    expect(bench.sent).toEqual([{ type: 'watch', cells: [{ node: 0, address: 'node/storage' }] }]);
  });

  it('knows of no process that ended because somebody went to another instant, and marks a step once', () => {
    const gone = recordedHello.nodes.map((node) => ({ ...node, isUp: false }));
    bench.hear(recordedHello, moment, { ...recordedHello, nodes: gone }, moment, recordedHello, moment);
    const steps = [{ node: 0, at: moment.at, turn: 1, kind: 'tcFormed' as const, cell: 'node', round: 4 }];
    const played = { type: 'delta' as const, at: moment.at, turns: 9, dropped: 0, steps };
    bench.hear(played, moment, played);
    bench.frame(1_000);
    const { activity } = bench.store.get();
    expect(activity.marks.map(({ kind }) => kind)).toEqual(['timeout']);
    expect(activity.seconds).toEqual([]);
  });

  it('shows each moment that it jumps to, and deltas as it plays', () => {
    bench.hear(recordedHello, moment, ...deltas.slice(0, 4));
    bench.frame(0);
    expect(bench.store.get().shown.at).toBe(second(3));
    bench.hear({ ...moment, at: moment.at + 40_000 });
    bench.frame(16);
    expect(bench.store.get().shown.at).toBe(moment.at + 40_000);
    bench.hear(moment);
    bench.frame(32);
    expect(bench.store.get().time.at).toBe(moment.at);
  });
});

describe('the marks of a live run', () => {
  it('tell when a process went and came', () => {
    const down = { ...hello, nodes: hello.nodes.map((card, node) => ({ ...card, isUp: node !== 1 })) };
    bench.hear(hello, moment, ...deltas.slice(0, 10), down, ...deltas.slice(10, 20), hello);
    bench.frame(0);
    expect(bench.store.get().activity.marks.map(({ at, detail }) => [at, detail])).toEqual([
      [second(9), 'bravo went down'],
      [second(19), 'bravo is up again'],
    ]);
  });
});

describe('what the page asks for', () => {
  it('is watched while a view shows it, the newest sixteen, and again after a connection was lost', () => {
    const cell = (address: string) => ({ node: 0, address });
    const [first, ...more] = Array.from({ length: 17 }, (_, place) => bench.store.watch([cell(`c${place}`)]));
    const told = bench.sent.at(-1);
    expect(told?.type === 'watch' ? told.cells.map(({ address }) => address) : []).toHaveLength(16);
    expect(told).not.toMatchObject({ cells: expect.arrayContaining([cell('c0')]) });
    for (const end of more) end();
    expect(bench.sent.at(-1)).toEqual({ type: 'watch', cells: [cell('c0')] });
    bench.store.state({ status: 'open' });
    expect(bench.sent.at(-1)).toEqual({ type: 'watch', cells: [cell('c0')] });
    first?.();
    expect(bench.sent.at(-1)).toEqual({ type: 'watch', cells: [] });
  });

  it('is answered by id, refused with the reason, or lost with the connection', async () => {
    const answered = bench.store.ask({ kind: 'block', node: 0, height: 7 });
    const refused = bench.store.ask({ kind: 'block', node: 0, height: 8 });
    const lost = bench.store.ask({ kind: 'block', node: 0, height: 9 });
    const [first, second] = bench.sent.map((message) => ('id' in message ? message.id : 0));
    bench.hear({ type: 'refused', id: second ?? 0, code: 'DOWN', detail: 'it is down', isLast: false });
    bench.hear({ type: 'answer', id: first ?? 0, answer: { height: 7 } });
    bench.store.state({ status: 'waiting', why: 'nobody answers', retryInMs: 250 });
    await expect(answered).resolves.toEqual({ height: 7 });
    await expect(refused).rejects.toThrow('it is down');
    await expect(lost).rejects.toThrow('lost');
  });

  it('is kept with what became of it when it is an order, the newest thirty', async () => {
    const killed = bench.store.order({ kind: 'kill', node: 1 });
    const stopped = bench.store.order({ kind: 'stop', node: 1 });
    const [first, second] = bench.sent.map((message) => ('id' in message ? message.id : 0));
    bench.hear({ type: 'answer', id: first ?? 0, answer: null });
    bench.hear({ type: 'refused', id: second ?? 0, code: 'DOWN', detail: 'it is down', isLast: false });
    await Promise.all([killed, stopped]);
    bench.frame(0);
    const { orders } = bench.store.get();
    expect(orders.map(({ control, outcome }) => [control.kind, outcome?.isDone])).toEqual([
      ['stop', false],
      ['kill', true],
    ]);
    bench.isConnected = false;
    for (let times = 0; times < 40; times += 1) await bench.store.order({ kind: 'start', node: 1 });
    bench.frame(16);
    expect(bench.store.get().orders).toHaveLength(30);
  });

  it('is refused at once when nobody is connected, or too much waits', async () => {
    bench.isConnected = false;
    await expect(bench.store.ask({ kind: 'block', node: 0, height: 1 })).rejects.toBeInstanceOf(FeedRefusal);
    bench.isConnected = true;
    const waiting = Array.from({ length: 64 }, (_, height) =>
      bench.store.ask({ kind: 'block', node: 0, height }),
    );
    await expect(bench.store.ask({ kind: 'block', node: 0, height: 65 })).rejects.toThrow('wait for them');
    bench.store.state({ status: 'connecting' });
    await expect(Promise.allSettled(waiting)).resolves.toHaveLength(64);
  });
});

import { describe, expect, it } from 'vitest';
import type { Run, StepEvent, WireEvent } from '../../../../src/observe/feed/feed.ts';
import { apply, become, emptyModel, greet } from '../../../../visualize/src/feed/model.ts';
import { emptyTimeline, extend } from '../../../../visualize/src/feed/timeline.ts';
import { Flow } from '../../../../visualize/src/views/diagram/flow.ts';
import { Follower } from '../../../../visualize/src/views/diagram/follower.ts';
import { OutageBook } from '../../../../visualize/src/views/diagram/outages.ts';
import { unreadWords } from '../../../../visualize/src/views/diagram/read-part.ts';
import { RoundBook } from '../../../../visualize/src/views/diagram/rounds.ts';
import { heard } from '../../support/run.ts';
import { sent } from './messages.ts';

const step = (kind: StepEvent['kind'], at: number, more: Partial<StepEvent> = {}): StepEvent => ({
  ...{ node: 0, at, turn: 1, kind, cell: 'consensus/view-change', epoch: 0 },
  ...more,
});

describe('bands of rounds', () => {
  it('begin when the first node enters, whichever tells first, and know their leader and end', () => {
    const book = new RoundBook();
    book.take([
      step('roundEntered', 30, { round: 2, node: 1 }),
      step('roundEntered', 10, { round: 1 }),
      step('roundEntered', 25, { round: 2 }),
      step('proposed', 27, { round: 2, node: 3, height: 9 }),
      step('qcFormed', 40, { round: 2 }),
      step('timedOut', 41, { round: 1, node: 2 }),
      step('tcFormed', 42, { round: 1 }),
    ]);
    expect(
      book.bands.map(({ round, from, leader, height, end }) => [round, from, leader, height, end]),
    ).toEqual([
      [1, 10, undefined, undefined, 'failed'],
      [2, 25, 3, 9, 'certified'],
    ]);
    expect([0, 10, 24, 25, 99].map((at) => book.bands[book.placeAt(at)]?.round)).toEqual([1, 1, 1, 2, 2]);
  });

  it('know whose turn it was where nothing was proposed', () => {
    const book = new RoundBook();
    book.take([step('roundEntered', 1, { round: 1, leader: 'ab12' }), step('tcFormed', 9, { round: 1 })]);
    expect(book.bands.map(({ leader, leaderId, end }) => [leader, leaderId, end])).toEqual([
      [undefined, 'ab12', 'failed'],
    ]);
  });

  it('do not mix the rounds of two epochs', () => {
    const book = new RoundBook();
    book.take([step('roundEntered', 1, { round: 1 }), step('roundEntered', 2, { round: 1, epoch: 1 })]);
    expect(book.bands).toHaveLength(2);
  });

  it('are bounded: the oldest go', () => {
    const book = new RoundBook();
    book.take(Array.from({ length: 5_000 }, (_, round) => step('roundEntered', round, { round })));
    expect(book.bands.length).toBe(4_096);
    expect(book.of(0, 0)).toBeUndefined();
    expect(book.of(0, 4_999)?.from).toBe(4_999);
  });
});

describe('outages', () => {
  it('begin when the process was heard of last, however late the diagram is opened', () => {
    const { hello, moment, deltas } = heard(40);
    const model = deltas.reduce(apply, become(greet(emptyModel, hello), moment));
    const last = Math.max(model.chains.get(2)?.at ?? 0, model.health.get(2)?.at ?? 0);
    expect(last).toBeGreaterThan(0);
    const gone = hello.nodes.map((card, node) => ({ ...card, isUp: node !== 2 }));
    const book = new OutageBook();
    book.see({ ...model, nodes: gone, at: model.at + 60_000 });
    expect(book.outages).toEqual([{ node: 2, from: last, to: undefined }]);
    book.see({ ...model, nodes: hello.nodes, at: model.at + 70_000 });
    expect(book.outages).toEqual([{ node: 2, from: last, to: model.at + 70_000 }]);
  });

  it('are those of a whole process, not of a cell that its supervisor mends', () => {
    const book = new OutageBook();
    book.take([
      step('crashed', 5),
      step('crashed', 10, { cell: 'node', node: 2 }),
      step('restarted', 30, { cell: 'node', node: 2 }),
    ]);
    expect(book.outages).toEqual([{ node: 2, from: 10, to: 30 }]);
    expect([9, 10, 29, 30].map((at) => book.isDown(2, at))).toEqual([false, true, true, false]);
  });

  it('go on until the node is back', () => {
    const book = new OutageBook();
    book.down(1, 10);
    book.down(1, 20);
    expect(book.isDown(1, 1e9)).toBe(true);
    book.up(1, 40);
    expect(book.outages).toEqual([{ node: 1, from: 10, to: 40 }]);
  });
});

describe('following a timeline', () => {
  const rows = Array.from({ length: 2_000 }, (_, at) => sent({ id: `${at}`, from: 0, to: 1, sentAt: at }));
  const timeline = (upTo: number, from = 0) =>
    rows
      .slice(from, upTo)
      .reduce((all, row) => extend(all, [row], 20_000), extend<WireEvent>(emptyTimeline(), [], 20_000));

  it('gives each row once, though chunks are made anew', () => {
    const follower = new Follower<WireEvent>();
    const given = [300, 300, 700, 1_300].map((upTo) => follower.follow(timeline(upTo)).rows.length);
    expect(given).toEqual([300, 0, 400, 600]);
  });

  it('gives nothing anew when the reader goes back and forth in one past', () => {
    const follower = new Follower<WireEvent>();
    follower.follow(timeline(1_000));
    expect(follower.follow(timeline(200))).toEqual({ isAnew: false, rows: [] });
    expect(follower.follow(timeline(1_001)).rows).toHaveLength(1);
  });

  it('begins anew with another past, and with one that was forgotten', () => {
    const follower = new Follower<WireEvent>();
    follower.follow(timeline(300));
    expect(follower.follow(timeline(1_000, 600)).isAnew).toBe(true);
    const again = follower.follow(timeline(700, 600), 900);
    expect([again.isAnew, again.rows.length]).toEqual([true, 100]);
  });
});

describe('the flow of time between deltas', () => {
  it('runs on with each frame, and never far past what was told', () => {
    const flow = new Flow();
    const seen = Array.from({ length: 60 }, (_, frame) =>
      flow.at(5_000 + Math.floor((frame * 16) / 50) * 50, 100 + frame * 16),
    );
    const moves = seen.slice(1).map((at, place) => at - (seen[place] ?? 0));
    expect(Math.min(...moves.slice(5))).toBeGreaterThan(8);
    expect(Math.max(...moves.slice(5))).toBeLessThan(24);
    expect(flow.at(5_900, 60_000)).toBe(6_020);
  });
});

describe('the messages of a recorded run', () => {
  it('are said to be on their way, or why they cannot be had', () => {
    const run: Run = { kind: 'recorded', title: '', from: 1_000, to: 3_000, marks: [] };
    expect(unreadWords({ ...run, readTo: 1_500 }, 2_000)).toContain('being read: 25 %');
    expect(unreadWords({ ...run, readTo: 1_500, readEnd: 'divergence: turn 7' }, 2_000)).toBe(
      'Messages are known up to 00:00:01.500: divergence: turn 7.',
    );
    expect(unreadWords({ ...run, readTo: 1_500 }, 1_400)).toBeUndefined();
    expect([unreadWords(run, 2_000), unreadWords({ kind: 'live', title: '' }, 2_000)]).toEqual([
      undefined,
      undefined,
    ]);
  });
});

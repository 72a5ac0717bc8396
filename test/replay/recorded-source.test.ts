/** What viewers of a recorded run are told, and what they can do with it. Rules IN-1, RP-4, RP-5. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runsAt, sessionOf } from '../../src/cli/replay/locate.ts';
import type { BlockAnswer, Delta, Hello, Moment, Playing } from '../../src/observe/feed/feed.ts';
import type { FeedUpdate, Subscription } from '../../src/observe/feed/source.ts';
import { HEAD_BYTES, MAGIC, readBlock } from '../../src/record/blocks.ts';
import { segmentPath } from '../../src/record/run-folder.ts';
import { Playback } from '../../src/replay/playback.ts';
import { RecordedSource } from '../../src/replay/recorded-source.ts';
import { REPLAYED_BY } from '../../src/replay/replayed-by.ts';
import { RunTimeline } from '../../src/replay/run-timeline.ts';
import { Cluster } from '../../src/simulation/cluster.ts';

const dir = mkdtempSync(join(tmpdir(), 'althing-recorded-'));
let source: RecordedSource;
let subscription: Subscription;
const told: FeedUpdate[] = [];

/** Four validators for eight seconds; the third is dead from the third to the fifth. */
function record(): void {
  const cluster = new Cluster({ seed: 8, validators: 4, recordTo: dir });
  for (let tenth = 0; tenth < 80; tenth += 1) {
    if (tenth === 30) cluster.nodes[2]?.crash();
    if (tenth === 50) cluster.nodes[2]?.start();
    if (tenth % 5 === 0) cluster.submit(tenth % 2, `key${tenth}=value`);
    cluster.advance(100);
  }
  cluster.finish();
}

/** The newest of a kind since the last look. */
function newest<Kind extends FeedUpdate['type']>(
  kind: Kind,
): Extract<FeedUpdate, { type: Kind }> | undefined {
  const found = told.findLast((update) => update.type === kind);
  return found as Extract<FeedUpdate, { type: Kind }> | undefined;
}

async function until(what: () => boolean): Promise<void> {
  for (let tries = 0; tries < 400 && !what(); tries += 1) await pause(25);
  expect(what()).toBe(true);
}

const hello = (): Hello | undefined => newest('hello');
const moment = (): Moment | undefined => newest('moment');
const readTo = (): number | undefined => {
  const run = hello()?.run;
  return run !== undefined && 'readTo' in run ? run.readTo : undefined;
};
const playing = (): Playing | undefined => newest('playing');
const heights = (): readonly (number | undefined)[] | undefined =>
  moment()?.chains.map(({ committed }) => committed.height);
let from = 0;

beforeAll(async () => {
  record();
  const { nodes } = sessionOf(runsAt(dir));
  const timeline = new RunTimeline(new Playback(nodes, REPLAYED_BY));
  source = new RecordedSource({ playback: new Playback(nodes, REPLAYED_BY), timeline, title: 'a run' });
  subscription = source.subscribe((update) => void told.push(update));
  const run = hello()?.run;
  from = run !== undefined && 'from' in run ? run.from : 0;
  await until(() => told.filter(({ type }) => type === 'hello').length > 1 && readTo() === undefined);
}, 60_000);

afterAll(() => {
  subscription.end();
  source.close();
  rmSync(dir, { recursive: true });
});

describe('a viewer of a recorded run', () => {
  it('is told which run it is, from when to when, and where a process ended and began', () => {
    expect(hello()?.run).toMatchObject({ kind: 'simulated', seed: '8', title: 'a run', to: from + 8_000 });
    const run = hello()?.run;
    const marks = run !== undefined && 'marks' in run ? run.marks : [];
    const lives = marks.filter(({ kind }) => kind === 'start' || kind === 'end');
    expect(lives.map(({ at, node, kind }) => [Math.round((at - from) / 1_000), node, kind])).toEqual([
      [3, 2, 'end'],
      [5, 2, 'start'],
    ]);
  });

  it('sees at an instant what the nodes were, and what they said before and after', () => {
    subscription.play?.({ type: 'seek', at: from + 2_500 });
    const before = heights();
    expect(before).toHaveLength(4);
    expect(Math.min(...(before ?? []).map(Number))).toBeGreaterThan(2);
    expect(moment()?.health.every(({ round }) => (round.durationMs ?? 0) > 0)).toBe(true);
    const { wire = [], at = 0 } = moment() ?? {};
    expect(wire.some((event) => event.at < at) && wire.some((event) => event.at > at)).toBe(true);
    const votes = wire.filter(({ kind }) => kind === 'Vote');
    expect(votes.every(({ peer }) => typeof peer === 'number')).toBe(true);
    subscription.play?.({ type: 'seek', at: from + 7_900 });
    expect(Math.min(...(heights() ?? []).map(Number))).toBeGreaterThan(
      Math.max(...(before ?? []).map(Number)),
    );
    subscription.play?.({ type: 'seek', at: from + 2_500 });
    expect(heights()).toEqual(before);
  });

  it('sees a node that is dead as down, with no cells, and back later', () => {
    subscription.play?.({ type: 'seek', at: from + 4_000 });
    expect(hello()?.nodes.map(({ isUp }) => isUp)).toEqual([true, true, false, true]);
    expect(moment()?.cells.some(({ node }) => node === 2)).toBe(false);
    subscription.play?.({ type: 'seek', at: from + 6_000 });
    expect(hello()?.nodes.every(({ isUp }) => isUp)).toBe(true);
    expect(moment()?.cells.some(({ node }) => node === 2)).toBe(true);
  });

  it('steps one turn on and back to the same state (RP-5)', () => {
    subscription.play?.({ type: 'seek', at: from + 1_500 });
    subscription.play?.({ type: 'step', by: 1, node: 1 });
    const after = moment();
    subscription.play?.({ type: 'step', by: 1, node: 1 });
    expect(moment()?.cells).not.toEqual(after?.cells);
    subscription.play?.({ type: 'step', by: -1, node: 1 });
    const counts = (of: Moment | undefined) =>
      of?.cells.map(({ address, processed }) => [address, processed]);
    expect(counts(moment())).toEqual(counts(after));
  });

  it('steps to what happened next, also while a process is dead that comes back later (RP-5)', () => {
    for (const node of [undefined, 0]) {
      subscription.play?.({ type: 'seek', at: from + 4_000 });
      const before = moment();
      subscription.play?.({ type: 'step', by: 1, ...(node === undefined ? {} : { node }) });
      expect((moment()?.at ?? 0) - from).toBeLessThan(4_500);
      expect(moment()?.cells).not.toEqual(before?.cells);
      expect(hello()?.nodes[2]?.isUp).toBe(false);
    }
  });

  it('steps back over the start of a process to what others did last (RP-5)', () => {
    const playback = new Playback(sessionOf(runsAt(dir)).nodes, REPLAYED_BY);
    const back = playback.lanes[2];
    playback.seek(from + 4_999);
    back?.seekTime(from + 5_000);
    back?.player.seek(0);
    expect(back?.life).toBe(1);
    playback.step(-1);
    expect(back?.life).toBe(0);
    expect(playback.at - from).toBeGreaterThan(4_500);
    playback.seek(from);
    for (let turns = 0; turns < 4; turns += 1) playback.step(-1);
    expect(playback.at).toBe(from);
    playback.close();
  });

  it('has all nodes at the instant that a step of one of them leads to (RP-5)', () => {
    subscription.play?.({ type: 'seek', at: from + 5_200 });
    const taken = (): number =>
      (moment()?.cells ?? []).reduce((sum, { node, processed }) => sum + (node === 0 ? processed : 0), 0);
    const before = taken();
    for (let turns = 0; turns < 60; turns += 1) subscription.play?.({ type: 'step', by: 1, node: 2 });
    expect(taken()).toBeGreaterThan(before);
  });

  it('is shown the end of the run first, with all nodes; playing from there begins at the beginning', async () => {
    const { nodes } = sessionOf(runsAt(dir));
    const playback = new Playback(nodes, REPLAYED_BY);
    const timeline = new RunTimeline(new Playback(nodes, REPLAYED_BY));
    const opened = new RecordedSource({ playback, timeline, title: 'a run', at: playback.lastWhole });
    const heard: FeedUpdate[] = [];
    const viewer = opened.subscribe((update) => void heard.push(update));
    const [first, shown] = heard;
    // Its messages are read meanwhile, and the page is told how far.
    expect(first?.type === 'hello' && 'readTo' in first.run ? first.run.readTo : 0).toBe(from);
    expect(first?.type === 'hello' && first.nodes.every(({ isUp }) => isUp)).toBe(true);
    expect(shown?.type === 'moment' ? shown.at - from : 0).toBeGreaterThanOrEqual(5_900);
    expect(shown?.type === 'moment' && shown.chains.length).toBe(4);
    viewer.play?.({ type: 'play', speed: 1 });
    viewer.play?.({ type: 'pause' });
    expect(playback.at).toBe(from);
    viewer.end();
    opened.close();
  });

  it('plays until a breakpoint holds, and is told why (RP-5)', async () => {
    subscription.play?.({ type: 'seek', at: from });
    subscription.play?.({ type: 'break', expression: 'height >= 4' });
    subscription.play?.({ type: 'play', speed: 20 });
    await until(() => playing()?.stopped !== undefined);
    expect(playing()).toMatchObject({ isPlaying: false, breakpoint: 'height >= 4' });
    expect(playing()?.stopped).toMatch(/breakpoint at node\d: height is 4/);
    expect(Math.max(...(heights() ?? []).map(Number))).toBe(4);
  });

  it('is told of a breakpoint that is not understood, and the former stays', () => {
    subscription.play?.({ type: 'break', expression: 'when it rains' });
    expect(playing()?.stopped).toContain('"when it rains" is no breakpoint: round > 7');
    expect(playing()?.breakpoint).toBe('height >= 4');
    subscription.play?.({ type: 'break', expression: '' });
    expect(playing()?.breakpoint).toBe('');
  });

  it('is told the details of the cells that it watches, also where nothing plays', () => {
    subscription.play?.({ type: 'seek', at: from + 5_500 });
    const cells = [{ node: 0, address: 'node/consensus/safety' }];
    subscription.watch(cells);
    subscription.play?.({ type: 'step', by: 1 });
    const details = told.flatMap((update): Delta[] => (update.type === 'delta' ? [update] : []));
    const shown = details.flatMap((delta) => delta.details ?? []);
    expect(shown.at(-1)).toMatchObject(cells[0] ?? {});
  });

  it('asks for a message, and gets it decoded with its place in the journal', async () => {
    const vote = moment()?.wire.find(({ kind, direction }) => kind === 'Vote' && direction === 'received');
    const answer = await source.ask({ kind: 'message', node: vote?.node ?? 0, id: vote?.id ?? '' });
    expect(answer).toMatchObject({
      status: 'done',
      answer: { kind: 'Vote', journal: { offset: expect.any(Number) } },
    });
    expect(await source.ask({ kind: 'message', node: 0, id: 'none' })).toMatchObject({ code: 'NOT_FOUND' });
    expect(await source.ask({ kind: 'certificate', node: 0, height: 1 })).toMatchObject({
      code: 'NOT_RECORDED',
    });
  });

  it('asks for a block, and gets its transactions with their results', async () => {
    const found = await Promise.all(
      [1, 2, 3, 4, 5, 6, 7, 8].map((height) => source.ask({ kind: 'block', node: 1, height })),
    );
    const shown = found.flatMap((outcome) =>
      outcome.status === 'done' ? (outcome.answer as BlockAnswer).transactions : [],
    );
    expect(shown).toContainEqual(expect.objectContaining({ shown: 'key5=value', code: 0 }));
    expect(await source.ask({ kind: 'block', node: 1, height: 9_999 })).toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('a timeline', () => {
  it('marks where a journal is damaged, and goes on where it can (RP-2)', async () => {
    const run = join(dir, 'damaged');
    cpSync(join(dir, 'node3', 'life001'), run, { recursive: true });
    const path = segmentPath(dir, 'damaged', 1);
    const bytes = readFileSync(path);
    const opening = readBlock(bytes, MAGIC.byteLength);
    const first = 'end' in opening ? readBlock(bytes, opening.end) : opening;
    if (!('end' in first)) throw new Error('the run has entries');
    bytes[first.end + HEAD_BYTES] = (bytes[first.end + HEAD_BYTES] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    const timeline = new RunTimeline(new Playback([[run]], REPLAYED_BY));
    await new Promise<void>((resolve) => timeline.listen(resolve));
    const faults = timeline.marks().filter(({ kind }) => kind === 'fault');
    expect(faults).toMatchObject([
      { node: 0, detail: expect.stringContaining(`${path}, byte ${first.end}`) },
    ]);
    expect(faults[0]?.at).toBeGreaterThan(first.at);
    timeline.close();
  });
});

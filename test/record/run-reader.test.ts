/** Journals of a simulated network that something was done to: cut, flipped, deleted, replaced. What is found, and what is still read. Rule RP-2. */
import {
  closeSync,
  cpSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { seededRandom } from '../../src/actors/runtime/index.ts';
import { type BlockHead, HEAD_BYTES, headOf, MAGIC } from '../../src/record/blocks.ts';
import { checkRun } from '../../src/record/check-run.ts';
import { OpenFiles } from '../../src/record/open-files.ts';
import { JOURNAL_VERSION, unpackOpening } from '../../src/record/opening.ts';
import { runsIn, segmentPath } from '../../src/record/run-folder.ts';
import { contentOf, entriesOf, isFlaw, RunReader } from '../../src/record/run-reader.ts';
import { SegmentReader } from '../../src/record/segment-reader.ts';
import { ValuePacker } from '../../src/record/values.ts';
import { ChartsDiffer } from '../../src/replay/charts.ts';
import { Lane } from '../../src/replay/lane.ts';
import { Player } from '../../src/replay/player.ts';
import { REPLAYED_BY } from '../../src/replay/replayed-by.ts';
import { Cluster } from '../../src/simulation/cluster.ts';
import { SMALL_CHARTS, SmallRun, testFolder, verifyRun } from './support/small-run.ts';

const { dir, remove } = testFolder();
afterAll(remove);

const cluster = new Cluster({ seed: 3, recordTo: join(dir, 'network') });
cluster.advance(700);
cluster.crash(2);
cluster.start(2);
cluster.advance(700);
cluster.finish();
const RUNS = runsIn(join(dir, 'network'));

/** Four segments of a small system. */
const small = new SmallRun({ dir, run: 'small', writing: 'at once', limits: { segmentBytes: 2_000 } });
while (small.status.segments < 4) {
  small.feed(3, 300);
  await new Promise((resolve) => setTimeout(resolve, 30));
}
await small.close();
const work = join(dir, 'work');
const segment = (number: number): string => segmentPath(dir, 'work', number);

beforeEach(() => {
  rmSync(work, { recursive: true, force: true });
  cpSync(small.runDir, work, { recursive: true });
});

/** Of this process. */
const openFiles = (): number => readdirSync('/dev/fd').length;

/** Heads of all blocks of a segment. */
function headsOf(path: string): readonly BlockHead[] {
  const files = new OpenFiles();
  const reader = new SegmentReader(path, files);
  const heads: BlockHead[] = [];
  for (let next = reader.head(0); 'kind' in next; next = reader.head(next.end)) heads.push(next);
  files.close();
  return heads;
}

const put = (fd: number, place: number, byte: number): void =>
  void writeSync(fd, Uint8Array.of(byte), 0, 1, place);

function flip(path: string, place: number): void {
  const bytes = readFileSync(path);
  bytes[place] = (bytes[place] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

describe('one bit flipped', () => {
  it('at 1,000 places of a whole run is found and named each time, with the block that holds it (RP-2)', () => {
    const draws = seededRandom('flips').stream('places');
    const files = RUNS.map((run) => {
      const path = segmentPath(join(run, '..'), run.split('/').at(-1) ?? '', 1);
      return { run, path, fd: openSync(path, 'r+'), bytes: readFileSync(path), heads: headsOf(path) };
    });
    const total = files.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
    for (let flip = 0; flip < 1_000; flip += 1) {
      let place = Math.floor(draws.next() * total);
      const file = files.find(({ bytes }) => {
        if (place < bytes.byteLength) return true;
        place -= bytes.byteLength;
        return false;
      });
      if (file === undefined) throw new Error('the place is in one of the files');
      const holder = file.heads.find(({ offset, end }) => place >= offset && place < end);
      const bit = 1 << Math.floor(draws.next() * 8);
      const was = file.bytes[place] ?? 0;
      put(file.fd, place, was ^ bit);
      const { flaws } = checkRun(file.run);
      const what = `bit ${bit} of byte ${place} of ${file.path}`;
      expect(flaws, what).toHaveLength(1);
      expect(flaws[0], what).toMatchObject({
        kind: 'damaged',
        path: file.path,
        offset: holder?.offset ?? 0,
      });
      put(file.fd, place, was);
    }
    for (const { fd } of files) closeSync(fd);
    for (const run of RUNS) expect(checkRun(run).flaws).toEqual([]);
  });

  it('in one segment takes nothing from the next: it is read, and played from its keyframe', () => {
    const bytes = readFileSync(segment(2));
    const [, , entries] = headsOf(segment(2));
    if (entries === undefined) throw new Error('the segment has entries');
    bytes[entries.offset + 3] = 0xff;
    writeFileSync(segment(2), bytes);
    const run = new RunReader(work);
    expect(run.flaws).toMatchObject([{ kind: 'damaged', path: segment(2), offset: entries.offset }]);
    expect(run.stretches).toHaveLength(2);
    const player = new Player(run, { charts: SMALL_CHARTS, pure: {} });
    player.finish();
    expect(player.turn).toBe(small.system.counters().turns);
    expect(player.divergence()).toBeUndefined();
    run.close();
  });

  it('in the body of entries is named, and gone around from the next keyframe, on and back (RP-4)', () => {
    const [, , damaged] = headsOf(segment(2));
    const next = headsOf(segment(3)).find(({ kind }) => kind === 'keyframe');
    if (damaged === undefined || next === undefined)
      throw new Error('the segments have entries and keyframes');
    flip(segment(2), damaged.offset + HEAD_BYTES + 9);
    const by = { charts: SMALL_CHARTS, pure: {} };
    const lane = new Lane([work], by);
    lane.player.seek(next.turn - 1, false);
    const before = lane.player.turn;
    expect(before).toBeLessThanOrEqual(damaged.turn);
    lane.step(1);
    expect(lane.player.turn).toBe(next.turn);
    lane.step(-1);
    expect(lane.player.turn).toBe(before);
    lane.player.finish();
    expect(lane.player.turn).toBe(small.system.counters().turns);
    expect(lane.player.divergence()).toBeUndefined();
    expect(lane.flaws()).toMatchObject([{ kind: 'damaged', path: segment(2), offset: damaged.offset }]);
    lane.close();
    const { divergence, flaws } = verifyRun(work, by);
    expect(divergence).toBeUndefined();
    expect(flaws).toMatchObject([{ kind: 'damaged', path: segment(2), offset: damaged.offset }]);
  });

  it('in a body and in the keyframe behind it is gone around from the one after that', () => {
    const [, , damaged] = headsOf(segment(2));
    const keyframe = headsOf(segment(3)).find(({ kind }) => kind === 'keyframe');
    if (damaged === undefined || keyframe === undefined)
      throw new Error('the segments have entries and keyframes');
    flip(segment(2), damaged.offset + HEAD_BYTES + 9);
    flip(segment(3), keyframe.offset + HEAD_BYTES + 9);
    const player = new Player(new RunReader(work), { charts: SMALL_CHARTS, pure: {} });
    player.finish();
    expect(player.turn).toBe(small.system.counters().turns);
    expect(player.flaws().map(({ offset }) => offset)).toEqual([damaged.offset, keyframe.offset]);
    player.run.close();
  });

  it('in a keyframe is stepped over: a seek begins before it', () => {
    const keyframe = headsOf(segment(3)).find(({ kind }) => kind === 'keyframe');
    if (keyframe === undefined) throw new Error('the segment has a keyframe');
    flip(segment(3), keyframe.offset + HEAD_BYTES + 9);
    const run = new RunReader(work);
    const player = new Player(run, { charts: SMALL_CHARTS, pure: {} });
    player.seek(keyframe.turn + 1);
    expect(player.turn).toBe(keyframe.turn + 1);
    expect(player.system.cells().length).toBe(3);
    run.close();
  });
});

function blockOf(number: number, kind: BlockHead['kind']): BlockHead {
  const head = headsOf(segment(number)).find((one) => one.kind === kind);
  if (head === undefined) throw new Error(`segment ${number} has a block of ${kind}`);
  return head;
}

describe('damage is no divergence: what stands before it is verified, and what comes behind the next keyframe', () => {
  const by = { charts: SMALL_CHARTS, pure: {} };
  const end = small.system.counters().turns;

  it.each([
    ['entries', 1],
    ['entries', 2],
    ['entries', 3],
    ['keyframe', 2],
    ['keyframe', 4],
  ] as const)('%s of segment %i', (kind, number) => {
    const { offset } = blockOf(number, kind);
    flip(segment(number), offset + HEAD_BYTES + 9);
    const verified = verifyRun(work, by);
    expect(verified.divergence).toBeUndefined();
    expect(verified.flaws).toMatchObject([{ kind: 'damaged', path: segment(number), offset }]);
    // Behind a keyframe nothing is missing: the part before plays on.
    if (kind === 'keyframe') expect(verified.turns).toBe(end);
    else expect(verified.turns).toBeLessThan(end);
    expect(verified.turns).toBeGreaterThan(end / 4);
  });
});

describe('a segment that is whole, and lies in the wrong place, is named', () => {
  it('of the same run, under another number', () => {
    const [two, three] = [2, 3].map((number) => readFileSync(segment(number)));
    if (two === undefined || three === undefined) throw new Error('they were read');
    writeFileSync(segment(2), three);
    writeFileSync(segment(3), two);
    const flaws = [2, 3].map((number) => ({
      ...{ kind: 'misplaced', path: segment(number) },
      detail: `it is segment ${5 - number} of small of small, and lies where segment ${number} was`,
    }));
    expect(checkRun(work).flaws).toMatchObject(flaws);
    const verified = verifyRun(work, { charts: SMALL_CHARTS, pure: {} });
    expect(verified.divergence).toBeUndefined();
    expect(verified.flaws).toMatchObject(flaws);
  });

  it('of another run, also where the folder has the name of its own', async () => {
    const other = new SmallRun({ dir: join(dir, 'elsewhere'), run: 'other', writing: 'at once' });
    other.feed(3);
    await other.close();
    cpSync(segmentPath(join(dir, 'elsewhere'), 'other', 1), segment(1));
    expect(checkRun(work).flaws.map(({ path }) => path)).toEqual([2, 3, 4].map(segment));
    const named = join(dir, 'named', 'small');
    cpSync(work, named, { recursive: true });
    expect(checkRun(named).flaws).toMatchObject([
      { kind: 'misplaced', detail: expect.stringContaining('it is segment 1 of other of small') },
    ]);
  });
});

describe('a folder of journals', () => {
  it('with links that lead nowhere or in a circle, and with other files, is read all the same', () => {
    const before = runsIn(dir);
    symlinkSync('circle', join(dir, 'circle'));
    symlinkSync('nowhere', join(work, '000009.journal'));
    symlinkSync('000010.journal', join(work, '000010.journal'));
    cpSync(segment(2), join(work, '0000002.journal'));
    expect(runsIn(dir)).toEqual(before);
    expect(checkRun(work).flaws).toEqual([]);
    rmSync(join(dir, 'circle'));
  });
});

describe('a journal cut', () => {
  it('anywhere gives every whole block before the cut', () => {
    const whole = headsOf(segment(4));
    const { length } = readFileSync(segment(4));
    for (let cut = length - 1; cut >= 0; cut -= 41) {
      truncateSync(segment(4), cut);
      const { flaws } = checkRun(work);
      expect(headsOf(segment(4))).toEqual(whole.filter(({ end }) => end <= cut));
      expect(flaws).toHaveLength(1);
      const { kind = '', offset = -1 } = flaws[0] ?? {};
      expect(['torn', 'unfinished', 'unreadable']).toContain(kind);
      expect(offset).toBeLessThanOrEqual(cut);
    }
  });
});

describe('a run', () => {
  it('without a segment in its middle says which, and goes on behind it', () => {
    rmSync(segment(2));
    const run = new RunReader(work);
    expect(run.flaws).toMatchObject([{ kind: 'missing', detail: 'segment 2 is missing' }]);
    expect(run.stretches).toHaveLength(2);
    run.close();
    expect(checkRun(work).flaws).toMatchObject([{ kind: 'missing' }]);
  });

  it('whose oldest segment is deleted while it is opened is read from the next one on', () => {
    rmSync(segment(1));
    // Its name was read, and it is gone.
    symlinkSync(join(work, 'nowhere'), segment(1));
    const run = new RunReader(work);
    expect(run.opening.segment).toBe(2);
    expect(checkRun(work)).toMatchObject({ segments: 3, flaws: [] });
    run.close();
  });

  it('without its last segment says so', () => {
    rmSync(segment(4));
    expect(checkRun(work).flaws).toMatchObject([{ kind: 'missing', path: segment(3) }]);
  });

  it.each([
    ['empty', new Uint8Array(), 'torn', 0],
    ['of garbage', new Uint8Array(5_000).fill(7), 'damaged', 0],
    ['of zeros behind the magic', Buffer.concat([MAGIC, new Uint8Array(200)]), 'damaged', 8],
  ] as const)('whose last segment is a file %s is read up to there', (_, bytes, kind, offset) => {
    writeFileSync(segment(4), bytes);
    const run = new RunReader(work);
    expect(run.flaws).toMatchObject([{ kind, path: segment(4), offset }]);
    expect(run.stretches[0]?.keyframes).toHaveLength(2);
    run.close();
  });

  it('of nothing but garbage is refused, with the file and the byte', () => {
    for (const number of [2, 3, 4]) rmSync(segment(number));
    writeFileSync(segment(1), 'this is no journal');
    expect(() => new RunReader(work)).toThrow(`${segment(1)}, byte 0: the file does not begin as a journal`);
  });

  it('of a folder without segments is refused', () => {
    mkdirSync(join(dir, 'bare'), { recursive: true });
    expect(() => new RunReader(join(dir, 'bare'))).toThrow(/holds no segment/);
    expect(runsIn(join(dir, 'bare'))).toEqual([]);
  });

  it('of another version is refused, and says which', () => {
    for (const number of [2, 3, 4]) rmSync(segment(number));
    const body = new ValuePacker(() => undefined).pack([{ version: 9 }]);
    writeFileSync(segment(1), Buffer.concat([MAGIC, headOf('opening', body, { turn: 0, at: 0 }), body]));
    expect(() => new RunReader(work)).toThrow(`version 9, this program reads version ${JOURNAL_VERSION}:`);
  });

  it('by other charts is not played, and says which chart', () => {
    const run = new RunReader(work);
    expect(() => new Player(run, REPLAYED_BY)).toThrow(ChartsDiffer);
    expect(() => new Player(run, REPLAYED_BY)).toThrow(/adder \(not here\)/);
    run.close();
  });

  it('of a thousand segments is read with a few files open', () => {
    const files = new OpenFiles();
    const [head] = headsOf(segment(1));
    const readers = Array.from({ length: 1_000 }, (_, number) => {
      const path = join(work, `copy${number}`);
      cpSync(segment(1), path);
      return new SegmentReader(path, files);
    });
    const before = openFiles();
    for (const reader of readers) {
      if (head === undefined) throw new Error('the segment has an opening');
      const opening = contentOf({ head, segment: reader }, unpackOpening);
      expect(isFlaw(opening)).toBe(false);
    }
    expect(openFiles() - before).toBeLessThan(20);
    files.close();
    expect(openFiles()).toBe(before);
  });

  it('that is still written is read as far as it is there', async () => {
    const growing = new SmallRun({ dir, run: 'growing' });
    growing.feed(5);
    await vi.waitFor(() => {
      const run = new RunReader(growing.runDir);
      expect(run.flaws).toMatchObject([{ kind: 'unfinished' }]);
      const [block] = run.stretches[0]?.entries ?? [];
      const read = block === undefined ? [] : entriesOf(block);
      run.close();
      expect(read).not.toEqual([]);
    }, 10_000);
    await growing.close();
  });
});

/** A journal while it is written, on a disk that works, one that is slow, and one that fails. Rules RP-1, RP-2. */
import { execFileSync } from 'node:child_process';
import {
  close,
  closeSync,
  existsSync,
  mkdirSync,
  open,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { deleteOldSegments, segmentPath, segmentsOf } from '../../src/record/run-folder.ts';
import { entriesOf, isFlaw, RunReader } from '../../src/record/run-reader.ts';
import { Player } from '../../src/replay/player.ts';
import { SMALL_CHARTS, SmallRun, stateOf, testFolder, until, verifyRun } from './support/small-run.ts';

const { dir, remove } = testFolder();
let release = (): void => undefined;
afterEach(() => {
  release();
  release = () => undefined;
  remove();
});
/** Of coreutils. */
const MKFIFO = 'mkfifo';
const BY = { charts: SMALL_CHARTS, pure: {} };

const verify = ({ runDir }: SmallRun) => verifyRun(runDir, BY);

/** The state at the end of what a journal has. */
function stateAtEnd({ runDir }: SmallRun): string {
  const reader = new RunReader(runDir);
  const player = new Player(reader, BY);
  player.finish();
  reader.close();
  return stateOf(player.system);
}

/** So many segments, of 20 KB and more. */
async function rotated(segments: number): Promise<SmallRun> {
  const run = new SmallRun({ dir, limits: { segmentBytes: 20_000 } });
  while (run.status.segments < segments) {
    run.feed(7, 1_000);
    await sleep(10);
  }
  await run.close();
  return run;
}

describe('a journal', () => {
  it('of some entries is on the disk soon, in one block, and ends in order', async () => {
    const run = new SmallRun({ dir });
    run.feed(3);
    await until(() => run.status.waiting === 0 && run.status.entries > 0, 'entry');
    const { entries, written } = run.status;
    expect(statSync(segmentPath(dir, 'run', 1)).size).toBe(written);
    await run.close();
    const { stretches, flaws, divergence } = verify(run);
    expect({ flaws, divergence }).toEqual({ flaws: [], divergence: undefined });
    expect(stretches).toMatchObject([{ entries: [{}], closing: { reason: 'ended' } }]);
    expect(stretches[0]?.closing?.turn).toBe(run.system.counters().turns);
    expect(run.status).toMatchObject({ state: 'closed', entries, missing: 0 });
    expect(stateAtEnd(run)).toBe(stateOf(run.system));
  });

  it('that comes all at once is packed before anybody looks: what waits to be packed is bounded', async () => {
    const many = new SmallRun({ dir, writing: 'at once' });
    many.feed(300);
    expect(many.status.entries).toBeGreaterThanOrEqual(256);
    await many.close();
    const great = new SmallRun({ dir, run: 'great', writing: 'at once' });
    great.feed(3, 400_000);
    expect(great.status.entries).toBeGreaterThan(0);
    await great.close();
  });

  it('keeps what comes after its closing out, and counts it', async () => {
    const run = new SmallRun({ dir });
    await run.close();
    const { written } = run.status;
    run.feed(4);
    await run.close();
    expect(run.status.missing).toBeGreaterThan(3);
    expect(statSync(segmentPath(dir, 'run', 1)).size).toBe(written);
  });

  it('of a killed process is replayed to the end of the last turn that it tells of', async () => {
    const run = new SmallRun({ dir, writing: 'at once', digestEvery: 1 });
    run.feed(300);
    const reader = new RunReader(run.runDir);
    expect(reader.flaws).toMatchObject([{ kind: 'unfinished' }]);
    const block = reader.stretches[0]?.entries.at(-1);
    const told = block === undefined ? [] : entriesOf(block);
    const last = isFlaw(told) ? undefined : told.at(-1);
    const player = new Player(reader, BY);
    player.finish();
    expect(last).toMatchObject({ kind: 'digest', turn: player.turn - 1 });
    reader.close();
    await run.close();
  });

  it('goes on in a new segment when one is long, from a keyframe (RP-2)', async () => {
    const run = await rotated(4);
    const { stretches, flaws, divergence } = verify(run);
    expect({ flaws, divergence }).toEqual({ flaws: [], divergence: undefined });
    expect(stretches).toHaveLength(1);
    expect(stretches[0]?.keyframes).toHaveLength(3);
    expect(stateAtEnd(run)).toBe(stateOf(run.system));
  });

  it('goes on in a new segment when one is old', async () => {
    const run = new SmallRun({ dir, limits: { segmentAge: 30 } });
    while (run.status.segments < 3) {
      run.feed(1);
      await sleep(5);
    }
    await run.close();
    expect(verify(run)).toMatchObject({ flaws: [], divergence: undefined, stretches: [{}] });
  });

  it('is replayed from every one of its keyframes, to any turn around it (RP-4)', async () => {
    const run = await rotated(3);
    const reader = new RunReader(run.runDir);
    const [stretch] = reader.stretches;
    const from = new Player(reader, BY);
    for (const { head } of stretch?.keyframes ?? []) {
      for (const turn of [head.turn - 1, head.turn, head.turn + 1]) {
        if (turn > run.system.counters().turns) continue;
        from.seek(turn);
        const fresh = new Player(reader, BY);
        fresh.advance(turn);
        expect(from.turn).toBe(turn);
        expect(stateOf(from.system)).toBe(stateOf(fresh.system));
      }
    }
    reader.close();
  });

  it('is replayed without its first segments', async () => {
    const run = await rotated(4);
    rmSync(segmentPath(dir, 'run', 1));
    rmSync(segmentPath(dir, 'run', 2));
    const { divergence, flaws, stretches } = verify(run);
    expect({ divergence, flaws }).toEqual({ divergence: undefined, flaws: [] });
    expect(stretches[0]?.keyframe?.head.turn).toBeGreaterThan(0);
    expect(stateAtEnd(run)).toBe(stateOf(run.system));
  });
});

describe('retention', () => {
  it('deletes the oldest segments beyond the bytes, of earlier runs first, and nothing else, nor what may not be read (RP-2)', async () => {
    const old = await rotated(3);
    mkdirSync(join(dir, 'notes'));
    // As on a disk of its own; nobody but root may look into it.
    mkdirSync(join(dir, 'lost+found'), { mode: 0o000 });
    writeFileSync(join(dir, 'notes', 'kept.txt'), 'mine');
    const run = new SmallRun({ dir, run: 'run2', limits: { segmentBytes: 20_000, bytesMax: 90_000 } });
    while (run.status.segments < 9) {
      run.feed(7, 1_000);
      await sleep(10);
    }
    await until(() => !existsSync(old.runDir), 'deletion of the earlier run');
    await run.close();
    const left = segmentsOf(run.runDir);
    // All but the newest, which has grown since the others were looked after; nine were written, of 20 KB and more.
    const bytes = left.slice(0, -1).reduce((sum, { path }) => sum + statSync(path).size, 0);
    expect(bytes).toBeLessThanOrEqual(90_000);
    expect(run.status.written).toBeGreaterThan(180_000);
    expect(left.at(-1)?.number).toBe(run.status.segments);
    expect(run.kinds).toContain('deleted');
    expect(run.kinds).not.toContain('failed');
    expect(existsSync(join(dir, 'notes', 'kept.txt'))).toBe(true);
    expect(verify(run).divergence).toBeUndefined();
  });

  it('leaves room for the segment that is being written', async () => {
    mkdirSync(join(dir, 'old'), { recursive: true });
    for (const number of [1, 2, 3]) {
      const path = segmentPath(dir, 'old', number);
      writeFileSync(path, new Uint8Array(100));
      utimesSync(path, number, number);
    }
    const retention = { bytesMax: 300, segmentBytes: 100, ageMax: Number.POSITIVE_INFINITY };
    expect(await deleteOldSegments(dir, retention, 'run', 1)).toEqual({ segments: 1, bytes: 100 });
    expect(segmentsOf(join(dir, 'old')).map(({ number }) => number)).toEqual([2, 3]);
    expect(await deleteOldSegments(dir, retention, 'run', 1)).toEqual({ segments: 0, bytes: 0 });
  });

  it('deletes what is too old, and never the segment that is being written', async () => {
    const old = await rotated(2);
    for (const { path } of segmentsOf(old.runDir)) utimesSync(path, 1, 1);
    const run = new SmallRun({ dir, run: 'run2', limits: { ageMax: 1, segmentAge: 60 } });
    await until(() => !existsSync(old.runDir), 'deletion of the earlier run');
    run.feed(3);
    await sleep(40);
    run.feed(3);
    await until(() => run.status.segments > 1, 'second segment');
    await run.close();
    expect(segmentsOf(run.runDir).at(-1)?.number).toBe(run.status.segments);
    expect(run.kinds).not.toContain('failed');
  });
});

/** Keeps the threads busy that work for the disk, until `release`. */
function stickDisk(): void {
  mkdirSync(dir, { recursive: true });
  const pipe = join(dir, 'pipe');
  execFileSync(MKFIFO, [pipe]);
  // As many as libuv has. Each waits for somebody to open the other end.
  for (let thread = 0; thread < 4; thread += 1) {
    open(pipe, 'r', (error, fd) => void (error === null && close(fd, () => undefined)));
  }
  release = () => {
    const fd = openSync(pipe, 'r+');
    setTimeout(() => closeSync(fd), 500);
    release = () => undefined;
  };
}

describe('a disk with little space', () => {
  it('is left to the chain: nothing is recorded, it is said once and counted, and the node goes on (RP-2)', async () => {
    const run = new SmallRun({ dir, limits: { freeBytesMin: 2 ** 60 } });
    run.feed(10);
    expect(run.system.counters().turns).toBeGreaterThan(10);
    await sleep(150);
    expect(run.status).toMatchObject({ state: 'paused', written: 0, waiting: 0 });
    expect(run.status.missing).toBeGreaterThan(10);
    expect(run.events).toMatchObject([{ kind: 'paused', because: 'full' }]);
    await run.close();
    expect(readdirSync(dir)).toEqual([]);
  });
});

describe('a slow disk', () => {
  it('pauses the recording and never the node, and the replay goes on behind the gap (RP-2)', async () => {
    const run = new SmallRun({ dir, limits: { waitingBytesMax: 30_000, segmentBytes: 20_000 } });
    await until(() => run.status.waiting === 0, 'quiet disk');
    stickDisk();
    while (run.status.state === 'recording') {
      run.feed(5, 1_000);
      await sleep(10);
    }
    expect(run.status.waiting).toBeGreaterThan(30_000);
    // What was gathered before somebody looked, and no more.
    expect(run.status.waiting).toBeLessThan(200_000);
    const { turns } = run.system.counters();
    run.feed(10);
    expect(run.system.counters().turns).toBeGreaterThan(turns);
    expect(run.status.missing).toBeGreaterThan(10);
    await sleep(130);
    expect(run.status.state, 'while the disk has not got all').toBe('paused');
    release();
    await until(() => run.status.state === 'recording', 'end of the pause');
    run.feed(10);
    await run.close();
    expect(run.kinds.filter((kind) => kind !== 'deleted')).toEqual(['paused', 'resumed']);
    const { flaws, divergence, stretches } = verify(run);
    expect(divergence).toBeUndefined();
    expect(stretches).toHaveLength(2);
    expect(flaws).toMatchObject([{ kind: 'paused', detail: expect.stringMatching(/from turn \d+/) }]);
    expect(stateAtEnd(run)).toBe(stateOf(run.system));
  });

  it('pauses nothing any more when the journal is closed: all of it is there (RP-2)', async () => {
    const run = new SmallRun({ dir, limits: { waitingBytesMax: 1_000 } });
    await until(() => run.status.waiting === 0, 'quiet disk');
    run.feed(3, 10_000);
    await run.close();
    expect(run.kinds).toEqual([]);
    expect(verify(run)).toMatchObject({ flaws: [], divergence: undefined });
  });

  it('is waited for when the journal is closed, for every segment', async () => {
    const run = new SmallRun({ dir, limits: { segmentBytes: 5_000 } });
    stickDisk();
    while (run.status.segments < 3) {
      run.feed(5, 1_000);
      await sleep(10);
    }
    const closed = run.close();
    release();
    await closed;
    expect(run.status.waiting).toBe(0);
    expect(verify(run)).toMatchObject({ flaws: [], divergence: undefined, stretches: [{}] });
  });
});

describe('a failing disk', () => {
  it('is told once, and the node goes on (RP-2)', async () => {
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, 'run'), 'a file where the folder of the run should be');
    const run = new SmallRun({ dir });
    run.feed(5);
    await sleep(40);
    run.feed(5);
    await run.close();
    expect(run.events).toEqual([{ kind: 'failed', detail: expect.stringContaining('EEXIST') }]);
    expect(run.status).toMatchObject({ state: 'failed', waiting: 0, entries: 0 });
    expect(run.status.missing).toBeGreaterThan(9);
    expect(run.system.counters().turns).toBeGreaterThan(30);
  });

  it('that fails between two segments leaves the first whole', async () => {
    const run = new SmallRun({ dir, limits: { segmentAge: 60 } });
    run.feed(5);
    writeFileSync(segmentPath(dir, 'run', 2), 'somebody was faster');
    await sleep(70);
    run.feed(5);
    await until(() => run.status.state === 'failed', 'failure');
    await run.close();
    expect(run.kinds).toEqual(['failed']);
    rmSync(segmentPath(dir, 'run', 2));
    expect(verify(run)).toMatchObject({ divergence: undefined, flaws: [{ kind: 'missing' }] });
    expect(readdirSync(run.runDir)).toEqual(['000001.journal']);
  });
});

describe('a clock that is set back', () => {
  it('takes nothing from the replay: a time is where the journal passed it first, and all of it is played', async () => {
    let wall = 1.7e12;
    const run = new SmallRun({ dir, wall: () => wall });
    for (const at of [0, 1_000, 2_000, 500, 600, 700]) {
      wall = 1.7e12 + at;
      run.feed(2);
      await sleep(30);
    }
    await run.close();
    const reader = new RunReader(run.runDir);
    const player = new Player(reader, BY);
    player.seekTime(1.7e12 + 650);
    expect(player.at).toBe(1.7e12);
    player.seekTime(reader.endsAt);
    expect(reader.endsAt).toBe(1.7e12 + 2_000);
    expect(stateOf(player.system)).toBe(stateOf(run.system));
    reader.close();
  });
});

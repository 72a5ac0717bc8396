/** Journals that somebody made up: whole by every CRC, and nothing that this program has written. Each is refused in words, and soon. Rules RP-2, RP-4. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Packr } from 'msgpackr';
import { afterAll, describe, expect, it } from 'vitest';
import { type BlockKind, headOf, MAGIC, type Place, readBlock } from '../../src/record/blocks.ts';
import { checkRun } from '../../src/record/check-run.ts';
import { segmentPath } from '../../src/record/run-folder.ts';
import { RunReader, RunUnreadable } from '../../src/record/run-reader.ts';
import { unpackValues, ValuePacker } from '../../src/record/values.ts';
import { NotReplayable } from '../../src/replay/charts.ts';
import { Playback } from '../../src/replay/playback.ts';
import { Player } from '../../src/replay/player.ts';
import { SMALL_CHARTS, SmallRun, testFolder } from './support/small-run.ts';

const { dir, remove } = testFolder();
afterAll(remove);
const BY = { charts: SMALL_CHARTS, pure: {} };

const small = new SmallRun({ dir, run: 'small', writing: 'at once' });
small.feed(3);
await small.close();
const FILE = readFileSync(segmentPath(dir, 'small', 1));
const packer = new ValuePacker(() => undefined);

interface Change {
  readonly body?: (kind: BlockKind, body: Uint8Array) => Uint8Array;
  readonly place?: (place: Place) => Place;
}

let made = 0;

/** The small run with other blocks, each with the CRC that it has to have. */
function forged({ body = (_, same) => same, place = (same) => same }: Change): string {
  const run = `forged${made++}`;
  const parts: Uint8Array[] = [MAGIC];
  for (let next = readBlock(FILE, MAGIC.byteLength); 'body' in next; next = readBlock(FILE, next.end)) {
    const bytes = body(next.kind, next.body);
    parts.push(headOf(next.kind, bytes, place(next)), bytes);
  }
  mkdirSync(join(dir, run));
  writeFileSync(segmentPath(dir, run, 1), Buffer.concat(parts));
  return join(dir, run);
}

const opening = unpackValues((readBlock(FILE, MAGIC.byteLength) as { readonly body: Uint8Array }).body)[0];

const withOpening = (fields: object): string =>
  forged({
    body: (kind, same) => (kind === 'opening' ? packer.pack([{ ...(opening as object), ...fields }]) : same),
  });

const withEntries = (change: (row: readonly unknown[]) => readonly unknown[]): string =>
  forged({
    body: (kind, same) =>
      kind === 'entries'
        ? packer.pack(unpackValues(same).map((row) => change(row as readonly unknown[])))
        : same,
  });

describe('an opening that is none is refused, and says where', () => {
  it.each([
    ['node', { node: undefined }],
    ['node.moniker', { node: { id: 'n', moniker: 7 } }],
    ['chain', { chain: 'c' }],
    ['startedAt', { startedAt: Number.NaN }],
    ['startedAt', { startedAt: 1e300 }],
    ['startedAt', { startedAt: 'yesterday' }],
    ['seed', { seed: 5 }],
    ['blueprints', { blueprints: 'none' }],
    ['blueprints.0.logic', { blueprints: [{ id: 'top' }] }],
  ])('%s', (path, fields) => {
    const run = withOpening(fields);
    expect(() => new RunReader(run)).toThrow(RunUnreadable);
    expect(() => new RunReader(run)).toThrow(`its opening is none of this program: ${path}: `);
    expect(checkRun(run).flaws).toMatchObject([{ kind: 'unreadable', offset: MAGIC.byteLength }]);
  });
});

describe('a journal whose bytes make no sense to this program', () => {
  it.each([
    ['a turn that is no number', { turn: Number.NaN, at: 0 }],
    ['a turn beyond all numbers', { turn: Number.POSITIVE_INFINITY, at: 0 }],
    ['a time that no calendar has', { turn: 0, at: 1e18 }],
  ])('%s is damage', (_, place) => {
    expect(checkRun(forged({ place: () => place })).flaws).toMatchObject([
      { kind: 'damaged', detail: expect.stringContaining('no block has the turn') },
    ]);
  });

  it.each([
    ['a time that no calendar has', 4, 1e300],
    ['a message that is none', 8, null],
    ['a message without a type', 8, { left: 1 }],
  ])('%s in an entry is unreadable', (_, field, value) => {
    const run = withEntries((row) => (row[0] === 1 ? row.with(field, value) : row));
    expect(checkRun(run).flaws).toMatchObject([
      { kind: 'unreadable', detail: expect.stringContaining('no turn, time or message') },
    ]);
  });

  it('pointers that make a value without an end are refused before anybody follows them', () => {
    let value: unknown = [];
    for (let level = 0; level < 60; level += 1) value = [value, value];
    const pointers = new Packr({ useRecords: true, moreTypes: true, structuredClone: true });
    const row = [1, 1, 0, 1, 1, '@outside', 'top/a', 'user', { type: 'add', value }];
    const run = forged({
      body: (kind, same) => (kind === 'entries' ? new Uint8Array(pointers.pack([row])) : same),
    });
    expect(checkRun(run).flaws).toMatchObject([
      { kind: 'unreadable', detail: expect.stringContaining('Structured clone') },
    ]);
  });

  it('a root that is not in its blueprint is named with the byte and the turn', () => {
    const run = new RunReader(withEntries((row) => (row[0] === 7 ? row.with(5, 'elsewhere') : row)));
    const player = new Player(run, BY);
    expect(() => player.finish()).toThrow(NotReplayable);
    expect(() => player.finish()).toThrow(/000001\.journal, byte \d+: what came at turn 0 .*'elsewhere'/);
    run.close();
  });
});

it('a clock that is set by fifty years is played over at once (RP-4)', () => {
  let wall = 1.7e12;
  const leaping = new SmallRun({ dir, run: 'leap', writing: 'at once', wall: () => wall });
  leaping.feed(2);
  wall += 1.6e12;
  leaping.feed(2);
  void leaping.close();
  const playback = new Playback([[leaping.runDir]], BY);
  expect(playback.span.to - playback.span.from).toBeGreaterThan(1.5e12);
  expect(playback.play(playback.span.to, [])).toEqual({ kind: 'end' });
  expect(playback.lanes[0]?.player.turn).toBe(leaping.system.counters().turns);
  playback.close();
});

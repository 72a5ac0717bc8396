/** A recorded network told to others: for ShiViz, and without what users sent. Rules RP-7, RP-8. */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type JournalEntry, monotonic, wallTime } from '../../src/actors/runtime/index.ts';
import { checkRun } from '../../src/record/check-run.ts';
import { redactEntry, redactRun } from '../../src/record/redact.ts';
import { runsIn, segmentPath } from '../../src/record/run-folder.ts';
import { entriesOf, isFlaw, RunReader } from '../../src/record/run-reader.ts';
import { NotReplayable } from '../../src/replay/charts.ts';
import { Player } from '../../src/replay/player.ts';
import { REPLAYED_BY } from '../../src/replay/replayed-by.ts';
import { type Host, hostsOf, SHIVIZ_PARSER, shivizLog } from '../../src/replay/shiviz.ts';
import { Cluster } from '../../src/simulation/cluster.ts';
import { testFolder } from '../record/support/small-run.ts';

const { dir, remove } = testFolder();
afterAll(remove);

const PAYLOAD = 'nobody-else-may-read-this';
const cluster = new Cluster({ seed: 4, recordTo: join(dir, 'network') });
cluster.advance(500);
for (let one = 0; one < 8; one += 1) {
  cluster.submit(one % 4, `key${one}=${PAYLOAD}${one}`);
  cluster.advance(150);
}
cluster.crash(1);
cluster.advance(800);
cluster.start(1);
cluster.advance(2_500);
cluster.finish();
const RUNS = runsIn(join(dir, 'network'));

interface Line {
  readonly event: string;
  readonly host: string;
  readonly clock: Readonly<Record<string, number>>;
}

/** As ShiViz reads it: the parser of the first line, over all that follows the second. */
function parsed(log: string): readonly Line[] {
  const [parser = '', delimiter, ...rest] = log.split('\n');
  expect(delimiter).toBe('');
  return [...rest.join('\n').matchAll(new RegExp(parser, 'gm'))].map(({ groups }) => ({
    event: groups?.['event'] ?? '',
    host: groups?.['host'] ?? '',
    clock: JSON.parse(groups?.['clock'] ?? '{}'),
  }));
}

describe('a log for ShiViz (RP-7)', () => {
  const runs = RUNS.map((run) => new RunReader(run));
  const { hosts } = hostsOf(runs, REPLAYED_BY);
  for (const run of runs) run.close();
  const log = shivizLog(hosts);
  const lines = parsed(log);

  it('has each message that a node sent or received, under its node', () => {
    expect(log.startsWith(`${SHIVIZ_PARSER}\n\n`)).toBe(true);
    expect(lines).toHaveLength(hosts.reduce((sum, { rows }) => sum + rows.length, 0));
    expect(lines.length).toBeGreaterThan(500);
    expect(new Set(lines.map(({ host }) => host))).toEqual(new Set(['node0', 'node1', 'node2', 'node3']));
    expect(lines.some(({ event }) => /Vote to node\d \(round \d+, height \d+\)/.test(event))).toBe(true);
  });

  it('has clocks that grow by one at each node, from one on', () => {
    const own = new Map<string, number>();
    for (const { host, clock } of lines) {
      expect(clock[host]).toBe((own.get(host) ?? 0) + 1);
      own.set(host, clock[host] ?? 0);
    }
  });

  it('has what was received after what was sent', () => {
    const proposals = lines.filter(({ event }) => event.includes('Proposal '));
    const sent = proposals.filter(({ event }) => event.includes(' to '));
    const received = proposals.filter(({ event }) => event.includes(' from '));
    expect(received.length).toBeGreaterThan(5);
    for (const { event, host, clock } of received) {
      const [, from = '', about = ''] = /from (\S+) (\(.*\))$/.exec(event) ?? [];
      const sending = sent.find((one) => one.host === from && one.event.endsWith(`to ${host} ${about}`));
      expect(clock[from], event).toBeGreaterThanOrEqual(sending?.clock[from] ?? Number.NaN);
    }
  });

  it('waits for what was sent, and takes alone what nobody sent', () => {
    const row = (id: string, direction: 'sent' | 'received', peer: string) => ({
      ...{ id, direction, peer, kind: 'Vote', about: '', at: 0 },
    });
    const two: readonly Host[] = [
      { id: 'a', name: 'a', rows: [row('1', 'received', 'b'), row('2', 'sent', 'b')] },
      {
        id: 'b',
        name: 'b',
        rows: [row('lost', 'received', 'a'), row('1', 'sent', 'a'), row('2', 'received', 'a')],
      },
    ];
    expect(parsed(shivizLog(two)).map(({ host, clock }) => [host, clock])).toEqual([
      ['b', { b: 1 }],
      ['b', { b: 2 }],
      ['a', { b: 2, a: 1 }],
      ['a', { b: 2, a: 2 }],
      ['b', { b: 3, a: 2 }],
    ]);
  });
});

describe('a redacted copy (RP-8)', () => {
  const output = join(dir, 'redacted');
  const copies = RUNS.map((run) => redactRun(run, join(output, run.split('/').at(-2) ?? '')));

  it('holds nothing that users sent, in no form, while the journal does', () => {
    const forms = [PAYLOAD, Buffer.from(PAYLOAD).toString('hex'), Buffer.from(PAYLOAD).toString('base64')];
    const bytesOf = (of: string): Buffer =>
      Buffer.concat(
        runsIn(of).flatMap((run) => readdirSync(run).map((name) => readFileSync(join(run, name)))),
      );
    expect(bytesOf(join(dir, 'network')).includes(PAYLOAD)).toBe(true);
    for (const form of forms) expect(bytesOf(output).includes(form)).toBe(false);
  });

  it('is whole, entry by entry, and tells who said what to whom', () => {
    expect(copies.every(({ flaw }) => flaw === undefined)).toBe(true);
    for (const [place, run] of runsIn(output).entries()) {
      const [copy, original] = [checkRun(run), checkRun(RUNS[place] ?? '')];
      expect(copy).toMatchObject({ entries: original.entries, keyframes: 0, flaws: [] });
    }
    const [first = ''] = runsIn(output);
    const run = new RunReader(first);
    const entries = run.stretches.flatMap(({ entries: blocks }) =>
      blocks.flatMap((block) => {
        const read = entriesOf(block);
        return isFlaw(read) ? [] : read;
      }),
    );
    run.close();
    const submitted = entries.find(
      (entry) => entry.kind === 'message' && entry.message.type === 'operations.submitted',
    );
    expect(submitted).toMatchObject({
      to: 'node/consensus-bridge',
      message: {
        transactions: [{ redacted: 'bytes', length: 31, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }],
      },
    });
    const vote = entries.find(
      (entry) =>
        entry.kind === 'message' &&
        Reflect.get(Reflect.get(entry.message, 'message') ?? {}, 'kind') === 'Vote',
    );
    expect(vote).toMatchObject({ message: { message: { vote: { signature: expect.any(Uint8Array) } } } });
  });

  it('is for its owner alone, as the journal is', () => {
    for (const copy of runsIn(output))
      expect(statSync(segmentPath(join(copy, '..'), basename(copy), 1)).mode & 0o777).toBe(0o600);
  });

  it('has nothing of what an application says of a transaction, in whatever field', () => {
    const said = {
      log: 'log of it',
      info: 'info of it',
      events: ['event of it'],
      data: 'data of it',
      code: 'KEPT',
    };
    const entry: JournalEntry = {
      ...{
        kind: 'message',
        seq: 1,
        turn: 1,
        now: monotonic(1),
        wall: wallTime(1),
        from: 'a',
        to: 'b',
        lane: 'user',
      },
      message: { type: 'block.executed', transactions: [said] },
    };
    const told = JSON.stringify(redactEntry(entry));
    expect(told).not.toContain('of it');
    expect(told).toContain('KEPT');
  });

  it('is refused by a replay, which says why', () => {
    const [first = ''] = runsIn(output);
    const run = new RunReader(first);
    expect(() => new Player(run, REPLAYED_BY)).toThrow(NotReplayable);
    expect(() => new Player(run, REPLAYED_BY)).toThrow(/is redacted/);
    run.close();
  });

  it('of a damaged run ends where it is damaged, and says so', () => {
    const [run = ''] = RUNS;
    const path = segmentPath(join(run, '..'), 'life001', 1);
    const bytes = readFileSync(path);
    const place = bytes.byteLength - 60;
    bytes[place] = (bytes[place] ?? 0) ^ 4;
    const damaged = join(dir, 'damaged', 'life001');
    mkdirSync(damaged, { recursive: true });
    writeFileSync(join(damaged, '000001.journal'), bytes);
    expect(redactRun(damaged, join(dir, 'copies')).flaw).toMatchObject({ kind: 'damaged' });
  });
});

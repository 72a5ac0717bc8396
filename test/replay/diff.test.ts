/** Two recorded runs that differ by one message: which one it was. Rule RP-6. */
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Message } from '../../src/actors/runtime/index.ts';
import { wallTime } from '../../src/base/units.ts';
import type { Vote } from '../../src/protocol/chain/types.ts';
import { redactRun } from '../../src/record/redact.ts';
import { runsIn } from '../../src/record/run-folder.ts';
import { RunReader } from '../../src/record/run-reader.ts';
import { differencesOf, firstOf } from '../../src/replay/diff.ts';
import { partingOf } from '../../src/replay/entry-diff.ts';
import { REPLAYED_BY } from '../../src/replay/replayed-by.ts';
import { trailOf } from '../../src/replay/sender.ts';
import { Cluster } from '../../src/simulation/cluster.ts';
import { testFolder } from '../record/support/small-run.ts';

const { dir, remove } = testFolder();
afterAll(remove);

interface Dropped {
  readonly to: string;
  readonly vote: Vote;
}

/** Four nodes for some rounds; the vote of that number does not arrive. */
function recorded(name: string, { seed = 1, drop = 0 } = {}): Dropped | undefined {
  let votes = 0;
  let dropped: Dropped | undefined;
  const run = new Cluster({
    seed,
    recordTo: join(dir, name),
    tamper: ({ to, message }) => {
      if (message.kind !== 'Vote') return 'pass';
      votes += 1;
      if (votes !== drop) return 'pass';
      dropped = { to: String(to), vote: message.vote };
      return 'drop';
    },
  });
  run.advance(4_000);
  run.crash(3);
  run.advance(1_000);
  run.start(3);
  run.advance(2_000);
  run.finish();
  return dropped;
}

/** The same message of a node about another round. */
function changed(message: Message, round: number): Message {
  const inner = Reflect.get(message, 'message');
  return Object.assign({}, message, {
    message: { ...inner, vote: { ...Reflect.get(inner, 'vote'), round } },
  });
}

const compare = (left: string, right: string) =>
  differencesOf(runsIn(join(dir, left)), runsIn(join(dir, right)), REPLAYED_BY);

recorded('whole');

describe('two runs of one seed', () => {
  it('are equal to the last entry when nothing was done to them', () => {
    recorded('again');
    const differences = compare('whole', 'again');
    expect(differences.map(({ kind }) => kind)).toEqual(Array(5).fill('equal'));
    expect(firstOf(differences)).toBeUndefined();
  });

  it.each([7, 11, 16])('that differ by one dropped vote, the %ith: it is named (RP-6)', (drop) => {
    const dropped = recorded(`dropped ${drop}`, { drop });
    const first = firstOf(compare('whole', `dropped ${drop}`));
    expect(first).toMatchObject({
      kind: 'inputs',
      side: 'left',
      entry: { kind: 'message', message: { type: 'message.received', message: { kind: 'Vote' } } },
      step: { cell: 'node/consensus/round-manager', before: ['running'], after: ['running'] },
      other: ['running'],
    });
    if (first?.kind !== 'inputs' || first.entry.kind !== 'message') throw new Error('it is a message');
    expect(first.entry.message).toMatchObject({ message: { vote: dropped?.vote } });
    // At the node that it was on its way to.
    const receiver = new RunReader(first.left);
    expect(receiver.opening.node.id).toBe(dropped?.to);
    receiver.close();
  });

  it('and the way of what is named is followed back to its sender, in both (RP-6)', () => {
    const [lefts, rights] = ['whole', 'dropped 7'].map((name) => runsIn(join(dir, name)));
    const first = firstOf(compare('whole', 'dropped 7'));
    if (first?.kind !== 'inputs' || first.entry.kind !== 'message' || !lefts || !rights)
      throw new Error('a message is named');
    const { entry, left: run } = first;
    const trail = trailOf({ entry, run }, lefts, rights, REPLAYED_BY);
    if (trail === undefined || typeof trail.there === 'string') throw new Error('it was sent');
    const { turn, at, cell } = trail.there;
    // It was lost on its way: its sender did the same in both.
    expect(trail.other).toMatchObject({ turn, at, cell });
    // A vote leaves when it is durable.
    expect(cell).toBe('node/storage');
    expect(at).toBeLessThan(entry.wall);
    const sender = new RunReader(trail.there.dir);
    expect(sender.opening.node.id).toBe(trail.sender);
    sender.close();

    const never = { ...entry, message: changed(entry.message, 9_999) };
    expect(trailOf({ entry: never, run }, lefts, [run], REPLAYED_BY)).toMatchObject({
      ...{ there: 'not sent', other: 'no journal' },
    });
  });

  it('are compared when they are redacted, too, without what only a replay knows (RP-8)', () => {
    const dropped = recorded('to show', { drop: 9 });
    for (const name of ['whole', 'to show'])
      for (const run of runsIn(join(dir, name)))
        redactRun(run, join(dir, `${name} redacted`, run.split('/').at(-2) ?? ''));
    const first = firstOf(compare('whole redacted', 'to show redacted'));
    expect(first).toMatchObject({
      kind: 'inputs',
      entry: { message: { message: { vote: { validator: dropped?.vote.validator } } } },
      step: undefined,
    });
  });

  it('of which one has a life more: it is told', () => {
    const [first = '', ...others] = runsIn(join(dir, 'whole'));
    const differences = differencesOf([first, ...others], others, REPLAYED_BY);
    expect(firstOf(differences)).toEqual({ kind: 'only', in: 'left', dir: first });
  });
});

describe('two nodes', () => {
  it('of one network committed the same blocks', () => {
    const differences = compare('whole/node0', 'whole/node1');
    expect(differences).toMatchObject([{ kind: 'chains', chains: { kind: 'same' } }]);
    expect(firstOf(differences)).toBeUndefined();
  });

  it('are compared in all their lives, not in the last one alone', () => {
    const [difference] = compare('whole/node3', 'whole/node0');
    if (difference?.kind !== 'chains' || difference.chains.kind !== 'same') throw new Error('they agree');
    expect(difference.chains.from).toBeLessThanOrEqual(1);
  });

  it('of different chains part at the first height, where each says what made it commit', () => {
    recorded('elsewhere', { seed: 2 });
    const first = firstOf(compare('whole/node0', 'elsewhere/node0'));
    expect(first).toMatchObject({
      kind: 'chains',
      chains: { kind: 'fork', left: { cell: 'node/consensus/round-manager' }, right: { after: ['running'] } },
    });
  });
});

describe('the parting of two records', () => {
  const entry = (seq: number, value: number, wall = seq) => ({
    ...({ kind: 'message', seq, turn: seq, now: 0 as never, wall: wallTime(wall) } as const),
    ...({ from: 'world', to: 'top/a', lane: 'user', message: { type: 'note', value } } as const),
  });

  it('is where one ends', () => {
    const both = [entry(1, 1), entry(2, 2)];
    expect(partingOf(both, both)).toBeUndefined();
    expect(partingOf(both, both.slice(0, 1))).toMatchObject({ same: 1, right: undefined });
  });

  it('blames what one has alone, not what came at another time for it', () => {
    const [left, right] = [
      [entry(1, 1), entry(2, 7, 20), entry(3, 3, 30)],
      [entry(1, 1), entry(2, 3, 15)],
    ];
    expect(partingOf(left, right)).toMatchObject({
      same: 1,
      alone: { in: 'left', entry: { message: { value: 7 } } },
    });
  });

  it('blames nothing where only times differ', () => {
    expect(partingOf([entry(1, 1, 5)], [entry(1, 1, 6)])).toMatchObject({ same: 0, alone: undefined });
  });
});

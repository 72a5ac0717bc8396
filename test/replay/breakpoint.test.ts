/** Where a replay stops, in words, on a simulated network: what is understood, what holds when, and what a hand at the keys sees. Rule RP-5. */
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stepThrough } from '../../src/cli/replay/stepper.ts';
import { runsIn } from '../../src/record/run-folder.ts';
import { BREAKPOINT_FORMS, type Breakpoint, parseBreakpoint } from '../../src/replay/breakpoint.ts';
import { standingOf } from '../../src/replay/facts.ts';
import { Playback, type Stop } from '../../src/replay/playback.ts';
import { REPLAYED_BY } from '../../src/replay/replayed-by.ts';
import { Cluster } from '../../src/simulation/cluster.ts';
import { testFolder } from '../record/support/small-run.ts';

const { dir, remove } = testFolder();
afterAll(remove);

beforeAll(() => {
  const run = new Cluster({ seed: 9, recordTo: join(dir, 'network') });
  run.advance(3_000);
  // Nobody can lead its rounds.
  run.crash(2);
  run.advance(6_000);
  run.start(2);
  run.advance(4_000);
  run.finish();
});

const runsOf = (node: number) => runsIn(join(dir, 'network', `node${node}`));

/** Plays from the beginning. */
function play(
  condition: string,
  nodes: readonly number[] = [0],
): { stop: Stop | undefined; playback: Playback } {
  const playback = new Playback(nodes.map(runsOf), REPLAYED_BY);
  return { stop: playback.play(playback.span.to, breakpointOf(condition)), playback };
}

function breakpointOf(text: string): Breakpoint {
  const parsed = parseBreakpoint(text);
  if ('notUnderstood' in parsed) throw new Error(parsed.notUnderstood);
  return parsed;
}

describe('a breakpoint', () => {
  it.each([
    'round > 7',
    'height >= 100 and epoch = 2',
    'state sync-coordinator = syncing AND turn<5000',
    'event vote.requested at consensus/safety',
    'refusal ROUND_ALREADY_VOTED',
    'refusal',
    'mailbox mempool > 80%',
    'crash',
    'crash round-manager',
  ])('is understood: %s', (condition) =>
    expect(parseBreakpoint(condition)).not.toHaveProperty('notUnderstood'),
  );

  it.each([
    ['round', 'round'],
    ['round > 7 and soon', 'soon'],
    ['height => 3', 'height => 3'],
    ['mailbox mempool > 80', 'mailbox mempool > 80'],
    ['', ''],
  ])('is refused, with the part that is not understood: %s', (condition, part) =>
    expect(parseBreakpoint(condition)).toEqual({ notUnderstood: part }),
  );

  it('names forms that are understood', () => {
    const examples = BREAKPOINT_FORMS.flatMap((form) => form.split(', ')).map((form) =>
      form
        .replaceAll(/\[|\]/g, '')
        .replace('<percent>', '50')
        .replaceAll(/<(\w+)>/g, 'x'),
    );
    for (const example of examples) expect(parseBreakpoint(example)).not.toHaveProperty('notUnderstood');
  });

  it('on a number stops at the first turn where it holds', () => {
    const { stop, playback } = play('height >= 3');
    expect(stop).toMatchObject({ kind: 'breakpoint', because: 'height is 3' });
    const [lane] = playback.lanes;
    if (lane === undefined) throw new Error('a playback has lanes');
    expect(standingOf(lane.system).height).toBe(3);
    lane.player.seek(lane.player.turn - 1);
    expect(standingOf(lane.system).height).toBe(2);
    playback.close();
  });

  it('on an event, a state and both stops where they hold at one step', () => {
    const event = play('event vote.requested at safety');
    expect(event.stop).toMatchObject({
      kind: 'breakpoint',
      because: "node/consensus/safety took 'vote.requested'",
    });
    const both = play('event vote.requested at safety and round >= 4');
    expect(both.stop).toMatchObject({
      because: expect.stringMatching(/took 'vote.requested' and round is 4/),
    });
    const state = play('state round-manager = running');
    expect(state.stop).toMatchObject({ because: expect.stringContaining("round-manager is in 'running'") });
    for (const { playback } of [event, both, state]) playback.close();
  });

  it('does not stop who plays on while nothing of it has changed, and stops again where it begins anew', () => {
    const { stop, playback } = play('height >= 3');
    expect(stop?.kind).toBe('breakpoint');
    expect(playback.play(playback.span.to, breakpointOf('height >= 3'))).toEqual({ kind: 'end' });
    playback.close();
    const again = play('state safety = persisting');
    const stops: number[] = [];
    for (let found = again.stop; found?.kind === 'breakpoint' && stops.length < 3; ) {
      stops.push(again.playback.lanes[0]?.player.turn ?? 0);
      found = again.playback.play(again.playback.span.to, breakpointOf('state safety = persisting'));
    }
    expect(stops).toHaveLength(3);
    expect(new Set(stops).size).toBe(3);
    again.playback.close();
  });

  it('that never holds lets the run end', () => {
    const { stop, playback } = play('crash safety');
    expect(stop).toEqual({ kind: 'end' });
    playback.close();
  });

  it('stops all nodes at the instant of the one that met it', () => {
    const { stop, playback } = play('round >= 5', [0, 1, 3]);
    expect(stop?.kind).toBe('breakpoint');
    for (const { player } of playback.lanes) expect(player.at).toBeLessThanOrEqual(playback.at);
    playback.close();
  });
});

describe('two nodes that committed different blocks at a height', () => {
  it('stop the replay at the first such height, with both blocks (RP-5)', () => {
    const other = new Cluster({ seed: 10, recordTo: join(dir, 'other') });
    other.advance(4_000);
    other.finish();
    const playback = new Playback([runsOf(0), runsIn(join(dir, 'other', 'node1'))], REPLAYED_BY);
    const stop = playback.play(playback.span.to, []);
    expect(stop).toMatchObject({
      kind: 'fork',
      because: expect.stringMatching(/^height 0: node\d committed [0-9a-f]{64}, node\d [0-9a-f]{64}$/),
    });
    playback.close();
  });
});

describe('a replay by hand', () => {
  async function typed(...lines: readonly string[]): Promise<string> {
    const playback = new Playback([runsOf(0), runsOf(1)], REPLAYED_BY);
    const output = new PassThrough();
    const said = text(output);
    await stepThrough(playback, Readable.from(lines.map((line) => `${line}\n`)), output);
    output.end();
    playback.close();
    return await said;
  }

  it('goes on and back by turns, and says what each did', async () => {
    const said = await typed('goto +1s', 'step 2', 'back', 'quit', 'never');
    expect(said.match(/node[01] turn \d+: node\//g)).toHaveLength(3);
    expect(said).not.toContain('never');
  });

  it('plays to a breakpoint, shows a cell, and answers what it does not understand', async () => {
    const said = await typed(
      'break height >= 2',
      'play',
      'cell safety',
      'nodes',
      'break nonsense',
      'step 0',
      'goto x',
      'help',
    );
    expect(said).toContain('breakpoint at node');
    expect(said).toContain('height is 2');
    expect(said).toMatch(/node0 node\/consensus\/safety: /);
    expect(said).toContain('"nonsense" is not understood');
    expect(said).toContain('give a number of turns');
    expect(said).toContain('"x" is no time');
    expect(said).toContain('sets the breakpoint');
  });
});

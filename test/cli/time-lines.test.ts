import { describe, expect, it } from 'vitest';
import { TIME } from '../../src/cli/shapes.ts';
import { duration, type Time, timeLines, timePlotLines, timeSentence } from '../../src/cli/time-lines.ts';
import { timeJson } from '../../src/rpc/time-shape.ts';
import { MemoryNode } from '../rpc/memory-node.ts';

const REPORT = TIME.parse(timeJson(new MemoryNode().time()));
const given = (changes: Partial<Time>): Time => ({ ...REPORT, ...changes });

describe('durations', () => {
  it.each([
    [0, '0.000 ms'],
    [0.0421, '0.042 ms'],
    [9.9994, '9.999 ms'],
    [9.9996, '10.0 ms'],
    [999.94, '999.9 ms'],
    [999.96, '1.00 s'],
    [59_994, '59.99 s'],
    [60_000, '1.0 min'],
    [3_600_000, '1.0 h'],
    [259_200_000, '3.0 days'],
  ])('of %d ms reads %s', (ms, text) => {
    expect(duration(ms)).toBe(text);
  });
});

describe('the report on time as text', () => {
  it('is for the state in one line what an operator asks first', () => {
    expect(timeSentence(REPORT)).toBe(
      'synchronised by peers, ±2.504 ms, system clock 10.50 s ahead, ClockDriftCritical',
    );
    const acquiring = given({ state: 'acquiring', error_ms: null, system_offset_ms: -0.0001, alerts: [] });
    expect(timeSentence(acquiring)).toBe('acquiring, system clock as adjusted time');
    expect(timeSentence(given({ state: 'holdingOver', system_offset_ms: -612, alerts: [] }))).toBe(
      'holding over, ±2.504 ms, system clock 612.0 ms behind',
    );
    expect(timeSentence(given({ led_by: 'hybrid', alerts: [] }))).toMatch(/^synchronised by NTP and peers,/);
  });

  it('says before the first update that there is no adjusted time, and no error bound', () => {
    const text = timeLines(
      given({
        state: 'acquiring',
        is_adjusted: false,
        may_propose: false,
        error_ms: null,
        findings: null,
        last_update_age_ms: null,
        updates: 0,
      }),
      80,
    ).join('\n');
    expect(text).toMatch(/adjusted time +none yet/);
    expect(text).toMatch(/error bound +unknown\n/);
    expect(text).toMatch(/proposing +no: there is no adjusted time\n/);
    expect(text).toMatch(/source +hybrid; 0 updates\n/);
    expect(text).not.toContain('peers agree on');
  });

  it('has every peer and server, what is not known as a dash, and why a server does not lead', () => {
    const lines = timeLines(REPORT, 80);
    expect(lines).toContainEqual(
      expect.stringMatching(/ validator \d +-0\.060 ms +1\.498 ms +0\.78 +3\.34 s ago +synchronised$/),
    );
    expect(lines).toContainEqual(expect.stringMatching(/ validator \d +- +- +0\.05 +no answer +own$/));
    expect(lines).toContainEqual(
      expect.stringMatching(/^ntp\.example +falseticker +\+5\.00 s +12\.5 ms +20\.0 ms +2 +00000111$/),
    );
    expect(lines).toContainEqual(expect.stringMatching(/^127\.0\.0\.1:123 +waiting +- +- +- +- +00000000$/));
    expect(lines).toContain('- ntp.example: it contradicts the majority of the servers');
  });

  it('says when NTP is outside what the peers agree on (TM-5)', () => {
    const findings = { peers: { status: 'agreed', lo_ms: -1, hi_ms: 1 }, conflict: true };
    expect(timeLines(given({ findings }), 80)).toContain(
      'peers agree on  -1.000 ms to +1.000 ms, and NTP is outside of that',
    );
  });

  it('breaks sentences at the width of the terminal, not within words', () => {
    const detail = 'word '.repeat(40).trim();
    const lines = timeLines(given({ alerts: [{ alert: 'HoldOver', detail }] }), 80);
    const begin = lines.findIndex((line) => line.startsWith('HoldOver: word'));
    const sentence = lines.slice(begin, lines.indexOf('', begin));
    expect(sentence.length).toBeGreaterThan(2);
    for (const line of sentence) expect(line).toMatch(/^( {2}|HoldOver: )(word ?)+$/);
    for (const line of sentence) expect(line.length).toBeLessThanOrEqual(80);
    expect(sentence.join(' ').match(/word/g)).toHaveLength(40);
  });

  it("lets no name of the genesis reach the reader's terminal as a command", () => {
    const peers = REPORT.peers.map((peer) => ({ ...peer, name: '\u001b[31mred\u0007' }));
    const text = [...timeLines(given({ peers }), 80), ...timePlotLines(given({ peers }), 80)].join('\n');
    expect(text).toContain('red');
    expect(text.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
  });
});

describe('the plot of the history', () => {
  it('has a line for this machine and each peer, its newest and farthest offset, and the true time of the first', () => {
    const lines = timePlotLines(REPORT, 80);
    expect(lines).toContainEqual(
      expect.stringMatching(/^S {2}this machine's clock +\+10\.50 s +\+10\.50 s$/),
    );
    expect(lines).toContainEqual(
      expect.stringMatching(/^a {2}validator \d [0-9A-F]{8} +-0\.060 ms +-10\.50 s$/),
    );
    expect(lines).toContainEqual(
      expect.stringMatching(/^b {2}validator \d [0-9A-F]{8} +\+0\.227 ms +\+0\.227 ms$/),
    );
    expect(lines).toContainEqual(expect.stringMatching(/^c {2}validator \d [0-9A-F]{8} +- +-$/));
    expect(lines).toContainEqual(expect.stringMatching(/^ +\+10 s ┤SS$/));
    expect(lines).toContainEqual(expect.stringMatching(/^ +-10 s ┤a$/));
    // The first update stepped the clock that it is told by: 10.5 s are taken off.
    expect(lines).toContain('offsets from adjusted time at 2 updates, 12:00:00 to 12:00:10 UTC');
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
    expect(lines.length).toBeLessThanOrEqual(23);
  });

  it('bears a node that answers no time at all', () => {
    const [update] = REPORT.history;
    if (update === undefined) throw new Error('the report has it');
    const lines = timePlotLines(given({ history: [{ ...update, at: 'noon' }] }), 80);
    expect(lines).toContain('offsets from adjusted time at 1 updates, ? to ? UTC');
  });

  it('says that there is nothing to plot before the first update', () => {
    expect(timePlotLines(given({ history: [] }), 80).at(-1)).toBe('no update yet: nothing to plot');
  });

  it('draws the twelve peers that were farthest off, in the order of the peers, and counts the others', () => {
    const ids = Array.from({ length: 15 }, (_, index) => index.toString(16).padStart(40, '0').toUpperCase());
    const [peer] = REPORT.peers;
    const [update] = REPORT.history;
    if (peer === undefined || update === undefined) throw new Error('the report has them');
    const lines = timePlotLines(
      given({
        peers: ids.map((id) => ({ ...peer, peer: id, name: id.slice(-2) })),
        history: [{ ...update, peers: ids.map((id, index) => ({ peer: id, offset_ms: -index })) }],
      }),
      80,
    );
    const drawn = lines.filter((line) => /^[a-z] {2}0/.test(line)).map((line) => line.slice(0, 5));
    expect(drawn).toEqual(ids.slice(3).map((id, index) => `${'abcdefghijkl'[index]}  ${id.slice(-2)}`));
    expect(lines.at(-1)).toBe('3 more peers were nearer to adjusted time');
  });
});

/** The commands for journals, as a user types them: what they print, and with which exit code. Rules RP-2, RP-4 to RP-8. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { HEAD_BYTES, headOf, MAGIC, readBlock } from '../../src/record/blocks.ts';
import { packEntries, unpackEntries } from '../../src/record/entries.ts';
import { packOpening, unpackOpening } from '../../src/record/opening.ts';
import { ValuePacker } from '../../src/record/values.ts';
import { Cluster } from '../../src/simulation/cluster.ts';
import { writeScenario } from '../../src/simulation/scenario.ts';
import { planOf } from '../../src/simulation/swarm.ts';
import { testFolder } from '../record/support/small-run.ts';
import { althingHere } from './here.ts';
import { althing } from './run.ts';

const { dir, remove } = testFolder();
afterAll(remove);
for (const name of ['left', 'right']) {
  const run = new Cluster({
    seed: 'cli',
    recordTo: join(dir, name),
    tamper: ({ message }) => (name === 'right' && message.kind === 'Vote' ? 'drop' : 'pass'),
  });
  run.advance(1_500);
  run.finish();
}
const left = join(dir, 'left');

function flip(path: string, place: number): void {
  const bytes = readFileSync(path);
  bytes[place] = (bytes[place] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

/** Where the first block of entries begins. */
function entriesAt(path: string): number {
  const file = readFileSync(path);
  const opening = readBlock(file, MAGIC.byteLength);
  if (!('end' in opening)) throw new Error(`${path} has no opening`);
  return opening.end;
}

/** As another program would have recorded it: one that called itself so, and whose cells took another step. */
function rerecord(path: string): void {
  const packer = new ValuePacker(() => undefined);
  const file = readFileSync(path);
  const parts: Uint8Array[] = [MAGIC];
  for (let at = MAGIC.byteLength; at < file.length; ) {
    const block = readBlock(file, at);
    if (!('end' in block)) throw new Error(`${path} is whole`);
    let { body } = block;
    if (block.kind === 'opening')
      body = packOpening(packer, {
        ...unpackOpening(body),
        program: { version: '0.0.1', digest: 'other' },
      });
    if (block.kind === 'entries')
      body = packEntries(
        packer,
        unpackEntries(body).map((entry) => (entry.kind === 'digest' ? { ...entry, digest: 'other' } : entry)),
      );
    parts.push(headOf(block.kind, body, block), body);
    at = block.end;
  }
  writeFileSync(path, Buffer.concat(parts));
}

describe('the commands for journals', () => {
  it('replay --verify tells a divergence, and that another program recorded the run; it ends with 1', async () => {
    const other = join(dir, 'other', 'node0', 'life001');
    cpSync(join(left, 'node0', 'life001'), other, { recursive: true });
    rerecord(join(other, '000001.journal'));
    const { code, stdout } = await althingHere(['replay', other, '--verify']);
    expect(code).toBe(1);
    expect(stdout).toMatch(/DIVERGED\n {2}turn \d+\n {2}expected .*other/);
    expect(stdout).toContain('recorded by another program, 0.0.1 (other); this is ');
  });

  it('verify-log names a flipped bit with file and byte, and ends with 4', async () => {
    // As a process of its own: its exit code is what a script sees.
    const whole = await althing(['verify-log', left]);
    expect(whole).toMatchObject({ code: 0, stdout: expect.stringMatching(/node0 life001: .* whole/) });
    const path = join(dir, 'right', 'node2', 'life001', '000001.journal');
    const { byteLength } = readFileSync(path);
    flip(path, byteLength - 9);
    const { code, stdout } = await althing(['verify-log', join(dir, 'right')]);
    expect(code).toBe(4);
    expect(stdout).toContain(`${path}, byte `);
    expect(stdout).toContain('damaged: the CRC-32');
    flip(path, byteLength - 9);
  });

  it('simulate --record writes journals that replay verifies, and does not write where something is', async () => {
    const to = join(dir, 'simulated');
    const simulate = ['simulate', '--seeds', '1', '--from', '7', '--nodes', '2', '--record', to];
    const made = await althingHere(simulate);
    expect(made).toMatchObject({ code: 0, stderr: expect.stringContaining(`althing replay ${to} --page`) });
    const { code, stdout } = await althingHere(['replay', to, '--verify']);
    expect(code).toBe(0);
    // One of the two was killed, and has two.
    expect(stdout.match(/0 divergences/g)).toHaveLength(3);
    const again = await althingHere(simulate);
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('it is not empty') });
  });

  it('diff names what one has alone, and ends with 1', async () => {
    const { code, stdout } = await althingHere(['diff', left, join(dir, 'right')]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/left has what right has not:\n {2}message message\.received/);
    expect(stdout).toContain('message.kind: "Vote"');
    expect(stdout).toMatch(
      /it was sent\n {2}left {3}node\d\/life001, turn \d+, .*\n {2}right {2}node\d\/life001, turn \d+/,
    );
    expect(await althingHere(['diff', left, left])).toMatchObject({ code: 0 });
  });

  it('damage in one run is named by each of them, ends with 4, and hides nothing of the others (RP-2)', async () => {
    const damaged = join(dir, 'damaged');
    cpSync(left, damaged, { recursive: true });
    const fileOf = (node: string): string => join(damaged, node, 'life001', '000001.journal');
    const [body, opening] = [fileOf('node1'), fileOf('node2')];
    const offset = entriesAt(body);
    flip(body, offset + HEAD_BYTES);
    flip(opening, MAGIC.byteLength + HEAD_BYTES);
    for (const command of [
      ['replay'],
      ['diff', left],
      ['export', '--shiviz', '--output', join(dir, 'log')],
    ]) {
      const { code, stdout, stderr } = await althingHere([...command, damaged]);
      const told = `${stdout}${stderr}`;
      expect({ command, code }).toEqual({ command, code: 4 });
      expect(told).toContain(command[0] === 'diff' ? 'the CRC-32' : `${body}, byte ${offset}: damaged`);
      expect(told).not.toContain('a defect of Althing');
      if (command[0] === 'replay') expect(told).toMatch(/^node0 .*\n.*node1 .*\n.*node3 /m);
    }
    const alone = await althingHere(['diff', join(left, 'node1'), join(damaged, 'node1')]);
    expect(alone).toMatchObject({ code: 4, stdout: expect.stringContaining('up to where it is damaged') });
    const copy = await althingHere(['export', '--redact', damaged, '--output', join(dir, 'of damage')]);
    expect(copy).toMatchObject({ code: 4, stdout: expect.stringContaining(`${body}, byte`) });
  });

  it('export writes a test of a scenario, a log, and a copy that replay refuses', async () => {
    const scenario = join(dir, 'scenario.json');
    writeFileSync(scenario, writeScenario(planOf(24)));
    const test = await althingHere(['export', '--test', scenario]);
    expect(test.stdout).toContain('happens no more (seed 24)');
    expect(await althingHere(['export', '--shiviz', left])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\(\?<event>/),
    });
    const copy = join(dir, 'copy');
    expect(await althingHere(['export', '--redact', left, '--output', copy])).toMatchObject({ code: 0 });
    const refused = await althingHere(['replay', copy]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('is redacted');
    expect(await althingHere(['export', left])).toMatchObject({ code: 2 });
  });

  it('say what is no journal', async () => {
    const none = await althingHere(['replay', join(dir, 'nowhere')]);
    expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining('give the folder of a run') });
  });

  it.each([
    [['replay', left, '--verify', '--until', '+1s'], 2, '--verify and --until do not go together'],
    [['replay', left, '--until', '+999999999999h'], 2, 'give +30s'],
    [['replay', left, '--break', ' '], 2, 'give a condition'],
    [['export', '--shiviz', left, '--output', join(dir, 'no', 'where')], 1, 'cannot be written: ENOENT'],
  ])('tell a mistake in a sentence: %j', async (args, code, words) => {
    const run = await althingHere(args);
    expect(run).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(words) });
    expect(run.stderr).not.toContain('a defect of Althing');
  });
});

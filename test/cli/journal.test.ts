/** The commands for journals, as a user types them: what they print, and with which exit code. Rules RP-2, RP-4 to RP-8. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Cluster } from '../../src/simulation/cluster.ts';
import { writeScenario } from '../../src/simulation/scenario.ts';
import { planOf } from '../../src/simulation/swarm.ts';
import { testFolder } from '../record/support/small-run.ts';
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

describe('the commands for journals', () => {
  it('verify-log names a flipped bit with file and byte, and ends with 4', async () => {
    const whole = await althing(['verify-log', left]);
    expect(whole).toMatchObject({ code: 0, stdout: expect.stringMatching(/node0 life001: .* whole/) });
    const path = join(dir, 'right', 'node2', 'life001', '000001.journal');
    const bytes = readFileSync(path);
    bytes[bytes.byteLength - 9] = (bytes[bytes.byteLength - 9] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    const { code, stdout } = await althing(['verify-log', join(dir, 'right')]);
    expect(code).toBe(4);
    expect(stdout).toContain(`${path}, byte `);
    expect(stdout).toContain('damaged: the CRC-32');
    bytes[bytes.byteLength - 9] = (bytes[bytes.byteLength - 9] ?? 0) ^ 1;
    writeFileSync(path, bytes);
  });

  it('simulate --record writes journals that replay verifies, and does not write where something is', async () => {
    const to = join(dir, 'simulated');
    const made = await althing(['simulate', '--seeds', '1', '--nodes', '4', '--record', to]);
    expect(made).toMatchObject({ code: 0, stderr: expect.stringContaining(`althing replay ${to} --page`) });
    const { code, stdout } = await althing(['replay', to, '--verify']);
    expect(code).toBe(0);
    expect(stdout.match(/0 divergences/g)?.length).toBeGreaterThanOrEqual(4);
    const again = await althing(['simulate', '--seeds', '1', '--nodes', '4', '--record', to]);
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('it is not empty') });
  });

  it('diff names what one has alone, and ends with 1', async () => {
    const { code, stdout } = await althing(['diff', left, join(dir, 'right')]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/left has what right has not:\n {2}message message\.received/);
    expect(stdout).toContain('message.kind: "Vote"');
    expect(await althing(['diff', left, left])).toMatchObject({ code: 0 });
  });

  it('export writes a test of a scenario, a log, and a copy that replay refuses', async () => {
    const scenario = join(dir, 'scenario.json');
    writeFileSync(scenario, writeScenario(planOf(24)));
    const test = await althing(['export', '--test', scenario]);
    expect(test.stdout).toContain('happens no more (seed 24)');
    expect(await althing(['export', '--shiviz', left])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\(\?<event>/),
    });
    const copy = join(dir, 'copy');
    expect(await althing(['export', '--redact', left, '--output', copy])).toMatchObject({ code: 0 });
    const refused = await althing(['replay', copy]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('is redacted');
    expect(await althing(['export', left])).toMatchObject({ code: 2 });
  });

  it('say what is no journal', async () => {
    const none = await althing(['replay', join(dir, 'nowhere')]);
    expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining('give the folder of a run') });
  });
});

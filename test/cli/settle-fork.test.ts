import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { wallTime } from '../../src/base/units.ts';
import { homePaths } from '../../src/node/config/home.ts';
import { keepForkEvidence, readForkEvidence } from '../../src/storage/fork-evidence.ts';
import { althing } from './run.ts';

let home: string;
beforeEach(() => {
  home = join(mkdtempSync(join(tmpdir(), 'althing-settle-')), 'home');
  mkdirSync(home);
});
afterEach(() => rmSync(join(home, '..'), { recursive: true, force: true }));

describe('althing resync --settle-fork (SY-5)', () => {
  it('puts the evidence aside, and keeps it', async () => {
    keepForkEvidence(homePaths(home), { detail: 'height 7 twice', at: wallTime(1_700_000_000_000) });
    const { code, stdout, stderr } = await althing(['resync', '--settle-fork', '--home', home, '--yes']);
    expect([code, stdout]).toEqual([0, expect.stringContaining('signs again')]);
    expect(stderr).toContain('height 7 twice');
    expect(readForkEvidence(homePaths(home))).toBeUndefined();
    expect(readdirSync(home)).toEqual([expect.stringMatching(/^fork-evidence-2.*\.json$/)]);
  });

  it('asks for the word first: without a terminal it needs --yes', async () => {
    keepForkEvidence(homePaths(home), { detail: 'height 7 twice', at: wallTime(1_700_000_000_000) });
    const { code, stderr } = await althing(['resync', '--settle-fork', '--home', home]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('--yes')]);
    expect(existsSync(join(home, 'fork-evidence.json'))).toBe(true);
  });

  it('names what is wrong: no home, no evidence, beside another flag: exit 2', async () => {
    expect((await althing(['resync', '--settle-fork', '--yes'])).code).toBe(2);
    expect((await althing(['resync', '--settle-fork', '--home', `${home}x`, '--yes'])).code).toBe(2);
    const none = await althing(['resync', '--settle-fork', '--home', home, '--yes']);
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('no evidence')]);
    const both = await althing(['resync', '--settle-fork', '--rollback', '--home', home, '--yes']);
    expect(both.code).toBe(2);
  });
});

/** `althing inspect --home`, as a user runs it. IN-1, IN-2. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { homePaths } from '../../../src/node/config/home.ts';
import { althing } from '../run.ts';

let home = '';
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'althing-inspect-'));
});
afterAll(() => rmSync(home, { recursive: true }));

describe('althing inspect --home', () => {
  it('says why there is no page, and prints the address of the page that there is', async () => {
    const { inspectorUrlFile } = homePaths(home);
    const none = await althing(['inspect', '--home', home]);
    expect(none).toMatchObject({ code: 1, stdout: '' });
    expect(none.stderr).toContain(
      `nobody serves a page of ${home}: the node does not run, or inspector.listen`,
    );
    mkdirSync(dirname(inspectorUrlFile), { recursive: true });
    writeFileSync(inspectorUrlFile, 'http://127.0.0.1:26700/#token=abc\n');
    const [text, json] = await Promise.all([
      althing(['inspect', '--home', home]),
      althing(['inspect', '--home', home, '--json']),
    ]);
    expect(text).toEqual({ code: 0, stdout: 'http://127.0.0.1:26700/#token=abc\n', stderr: '' });
    expect(JSON.parse(json.stdout)).toEqual({ url: 'http://127.0.0.1:26700/#token=abc' });
  });

  it('finds the page of a local network by its folder, and takes one place at a time', async () => {
    const none = await althing(['inspect', '--data', home]);
    expect([none.code, none.stderr]).toEqual([1, expect.stringContaining(`nobody serves a page of ${home}`)]);
    writeFileSync(join(home, 'inspector.url'), 'http://127.0.0.1:26661/#token=def\n');
    const [found, both] = await Promise.all([
      althing(['inspect', '--data', home]),
      althing(['inspect', '--data', home, '--home', home]),
    ]);
    expect(found).toEqual({ code: 0, stdout: 'http://127.0.0.1:26661/#token=def\n', stderr: '' });
    expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('give one of')]);
  });
});

/** `althing inspect --home`, as a user runs it. IN-1, IN-2. */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { homePaths } from '../../../src/node/config/home.ts';
import { althing } from '../run.ts';

let home = '';
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'althing-inspect-'));
});
afterAll(() => rmSync(home, { recursive: true }));

/** The address of a page that is there. */
async function served(): Promise<string> {
  const server = createServer((_, response) => void response.end()).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return `http://127.0.0.1:${port}/#token=abc`;
}

describe('althing inspect --home', () => {
  it('says why there is no page, and prints the address of the page that there is', async () => {
    const { inspectorUrlFile } = homePaths(home);
    const none = await althing(['inspect', '--home', home]);
    expect(none).toMatchObject({ code: 1, stdout: '' });
    expect(none.stderr).toContain(
      `nobody serves a page of ${home}: the node does not run, or inspector.listen`,
    );
    mkdirSync(dirname(inspectorUrlFile), { recursive: true });
    const url = await served();
    writeFileSync(inspectorUrlFile, `${url}\n`);
    const [text, json] = await Promise.all([
      althing(['inspect', '--home', home]),
      althing(['inspect', '--home', home, '--json']),
    ]);
    expect(text).toEqual({ code: 0, stdout: `${url}\n`, stderr: '' });
    expect(JSON.parse(json.stdout)).toEqual({ url });
  });

  it('finds the page of a local network by its folder, and takes one place at a time', async () => {
    const none = await althing(['inspect', '--data', home]);
    expect([none.code, none.stderr]).toEqual([1, expect.stringContaining(`nobody serves a page of ${home}`)]);
    const url = await served();
    writeFileSync(join(home, 'inspector.url'), `${url}\n`);
    const [found, both, path] = await Promise.all([
      althing(['inspect', '--data', home]),
      althing(['inspect', '--data', home, '--home', home]),
      althing(['inspect', '--stately', '--data', home, '--allow-origin', 'http://localhost:5173/page']),
    ]);
    expect(found).toEqual({ code: 0, stdout: `${url}\n`, stderr: '' });
    expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('give one of')]);
    // A path would never be equal to what a browser sends.
    expect([path.code, path.stderr]).toEqual([2, expect.stringContaining('http://localhost:5173 for')]);
  });

  it('gives nobody an address that a killed node left behind', async () => {
    writeFileSync(join(home, 'inspector.url'), 'http://127.0.0.1:9/#token=def\n');
    const { code, stdout, stderr } = await althing(['inspect', '--data', home]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain('nobody answers at http://127.0.0.1:9/');
  });
});

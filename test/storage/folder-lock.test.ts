import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockFolder } from '../../src/storage/folder-lock.ts';

const MODULE = join(import.meta.dirname, '../../src/storage/folder-lock.ts');

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'althing-lock-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

describe('the lock of a folder', () => {
  it('is held by one process, which it names, and is free again when that one is killed', async () => {
    const script = `
      import { lockFolder } from ${JSON.stringify(MODULE)};
      globalThis.lock = lockFolder(${JSON.stringify(dir)});
      process.stdout.write(globalThis.lock.status);
      setInterval(() => {}, 1_000);`;
    const holder = spawn(process.execPath, ['--input-type=module', '-e', script]);
    const said = await new Promise((resolve) => holder.stdout.once('data', (chunk) => resolve(`${chunk}`)));
    expect([said, lockFolder(dir)]).toEqual(['held', { status: 'taken', by: `process ${holder.pid}` }]);
    const ended = new Promise((resolve) => holder.once('exit', resolve));
    holder.kill('SIGKILL');
    await ended;
    const lock = lockFolder(dir);
    expect(lock.status).toBe('held');
    expect(readdirSync(dir).sort()).toEqual(['network.lock', 'network.pid']);
    if (lock.status === 'held') lock.release();
    expect(lockFolder(dir).status).toBe('held');
  });
});

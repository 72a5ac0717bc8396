/** The example of the light client, and `althing verify`, against real processes: all that they print was proven from the genesis. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { althing, eventually } from './support/local-network.ts';
import { Validators } from './support/validators.ts';

const ROOT = join(import.meta.dirname, '../..');
const run = promisify(execFile);

let validators: Validators;
let genesis: string;
beforeAll(async () => {
  validators = await Validators.create();
  for (const index of [0, 1, 2, 3]) validators.start(index);
  genesis = join(validators.network.homeOf(0), 'config', 'genesis.json');
  await eventually('blocks are committed', 30_000, async () =>
    ((await validators.network.height(0)) ?? 0) > 1 ? true : undefined,
  );
});
afterAll(() => validators.remove());

const rpcOf = (index: number): string => `http://${validators.network.rpcOf(index)}`;
const verify = (...words: readonly string[]) =>
  althing('verify', ...words, '--genesis', genesis, '--rpc', rpcOf(0));

describe('a light client before a network of processes', () => {
  it('verifies a transaction, its pair, and an absence (examples/15-light-client.ts)', async () => {
    const example = join(ROOT, 'examples/15-light-client.ts');
    const args = ['--conditions=althing-source', example, genesis, rpcOf(0), rpcOf(1)];
    const { stdout } = await run(process.execPath, args);
    expect(stdout.split('\n')).toEqual([
      expect.stringMatching(/^[0-9A-F]{8} is in the block of height \d+$/),
      expect.stringMatching(/^"proven" is what was submitted, by height \d+$/),
      'another key is not there',
      expect.stringMatching(/^believed from now on: epoch 0, [0-9a-f]{8}$/),
      '',
    ]);
  }, 60_000);

  it('is the command verify, which says what was proven, and what was not (exit code 1)', async () => {
    const header = await verify('header', '1', '--witness', rpcOf(1));
    expect(header.stdout).toMatch(/^proven {2}height 1, epoch 0\nhash {4}[0-9a-f]{64}\n/);
    const pair = JSON.parse((await verify('key', 'proven', '--json')).stdout);
    expect(pair).toMatchObject({ key: 'proven', value: expect.stringMatching(/^\d+$/) });
    const beyond = await verify('header', '99999999');
    expect(beyond).toMatchObject({ code: 1, stderr: expect.stringMatching(/^althing: not proven: /) });
    const other = await verify('header', '1', '--genesis-hash', 'ab'.repeat(32));
    expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('another chain') });
  }, 60_000);
});

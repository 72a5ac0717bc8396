import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../../..');
const examples = readdirSync(join(root, 'examples')).filter((name) => /^0[1-4]-.*\.ts$/.test(name));
const sources = examples.map((name) => readFileSync(join(root, 'examples', name), 'utf8'));
const run = promisify(execFile);

describe('the guide to the runtime', () => {
  it('shows only code that the examples run', () => {
    const guide = readFileSync(join(root, 'docs/runtime.md'), 'utf8');
    const blocks = [...guide.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = '']) => code);
    expect(blocks.length).toBeGreaterThan(5);
    for (const block of blocks) {
      expect(
        sources.some((source) => source.includes(block)),
        block,
      ).toBe(true);
    }
  });

  it.each(examples)('%s prints what it says', async (name) => {
    const source = readFileSync(join(root, 'examples', name), 'utf8');
    const [, promised = ''] = source.split('// Prints:\n');
    const expected = promised.replaceAll(/^\/\/ ?/gm, '');
    const { stdout } = await run(
      process.execPath,
      ['--conditions=althing-source', join(root, 'examples', name)],
      {
        cwd: root,
      },
    );
    expect(stdout).toBe(expected);
  });
});

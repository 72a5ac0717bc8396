/** The saved inputs of every target, again: each ends as it did when it was saved. Rule SM-11. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { savedInputs } from './corpus.ts';
import { TARGETS } from './targets/index.ts';

const folder = join(import.meta.dirname, 'corpus');

describe('saved inputs', () => {
  for (const [name, load] of TARGETS) {
    it(`of ${name} end as they did`, async () => {
      const saved = savedInputs(name);
      expect(saved.length).toBeGreaterThan(0);
      const subject = await (await load()).open();
      try {
        for (const { outcome, input } of saved) {
          await subject.reset?.();
          expect(await subject.run(input), Buffer.from(input).toString('base64')).toBe(outcome);
        }
      } finally {
        await subject.close?.();
      }
    });
  }

  it('take less than 300 kB', () => {
    const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    expect(bytes).toBeLessThan(300_000);
  });
});

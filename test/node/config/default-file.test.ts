import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { resolveConfig } from '../../../src/node/config/load.ts';
import { renderToml } from '../../../src/node/config/render.ts';
import { SETTINGS } from '../../../src/node/config/schema.ts';
import type { RawValue } from '../../../src/node/config/setting.ts';

const text = readFileSync(join(import.meta.dirname, '../../../config/default.toml'), 'utf8');

describe('config/default.toml', () => {
  it('has every key of the schema with its default, and no other', () => {
    const found = Object.entries(parse(text)).flatMap(([section, members]) =>
      Object.entries(Object(members)).map(([key, value]) => [`${section}.${key}`, value]),
    );
    expect(found).toEqual(SETTINGS.map(({ path, setting }) => [path, setting.default]));
  });

  it('states unit, default and source above every key', () => {
    const lines = text.split('\n');
    for (const { key, setting } of SETTINGS) {
      const above = lines.flatMap((line, index) => (line.startsWith(`${key} =`) ? [lines[index - 1]] : []));
      expect(above).toContainEqual(expect.stringContaining(`Unit: ${setting.unit}. Default: `));
      expect(above).toContainEqual(expect.stringContaining(`Source: ${setting.source}.`));
    }
  });

  it('is what the schema renders; after a change, `althing config print` is the new file', () => {
    expect(text).toBe(renderToml());
  });

  it('is itself a valid configuration', () => {
    const result = resolveConfig({ file: { path: 'default.toml', text }, environment: {}, overrides: [] });
    expect(result.status).toBe('loaded');
  });

  it('keeps given values where a new home is written', () => {
    const peer = `${'ab'.repeat(20)}@127.0.0.1:26666`;
    const values = new Map<string, RawValue>([
      ['node.moniker', 'node1'],
      ['p2p.peers', [peer, peer]],
    ]);
    const result = resolveConfig({
      file: { path: 'x.toml', text: renderToml(values) },
      environment: {},
      overrides: [],
    });
    expect(result.status === 'loaded' && result.loaded.config.node.moniker).toBe('node1');
    expect(result.status === 'loaded' && result.loaded.config.p2p.peers).toEqual([peer, peer]);
  });
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { type ConfigResult, resolveConfig } from '../../../src/node/config/load.ts';
import { renderToml } from '../../../src/node/config/render.ts';
import { type ConfigFile, fileOf, SETTINGS } from '../../../src/node/config/schema.ts';
import type { RawValue } from '../../../src/node/config/setting.ts';

const read = (name: string): string =>
  readFileSync(join(import.meta.dirname, '../../../config', name), 'utf8');

const asSource = (file: ConfigFile, text: string): ConfigResult =>
  resolveConfig({
    [file === 'sync.toml' ? 'syncFile' : 'file']: { path: file, text },
    environment: {},
    overrides: [],
  });

describe.each([
  { path: 'config/default.toml', name: 'default.toml', file: 'althing.toml' },
  { path: 'config/sync.toml', name: 'sync.toml', file: 'sync.toml' },
] as const)('$path', ({ name, file }) => {
  const text = read(name);
  const settings = SETTINGS.filter(({ section }) => fileOf(section) === file);

  it('has every key of the schema with its default, and no other', () => {
    const found = Object.entries(parse(text)).flatMap(([section, members]) =>
      Object.entries(Object(members)).map(([key, value]) => [`${section}.${key}`, value]),
    );
    expect(found).toEqual(settings.map(({ path, setting }) => [path, setting.default]));
  });

  it('states unit, default and source above every key', () => {
    const lines = text.split('\n');
    for (const { key, setting } of settings) {
      const above = lines.flatMap((line, index) => (line.startsWith(`${key} =`) ? [lines[index - 1]] : []));
      expect(above).toContainEqual(expect.stringContaining(`Unit: ${setting.unit}. Default: `));
      expect(above).toContainEqual(expect.stringContaining(`Source: ${setting.source}.`));
    }
  });

  it(`is what the schema renders; after a change, \`althing config print --file ${file}\` is the new file`, () => {
    expect(text).toBe(renderToml(new Map(), file));
  });

  it('is itself a valid configuration', () => {
    expect(asSource(file, text).status).toBe('loaded');
  });
});

describe('the configuration of a new home', () => {
  it('keeps given values where it is written', () => {
    const peer = `${'ab'.repeat(20)}@127.0.0.1:26666`;
    const values = new Map<string, RawValue>([
      ['node.moniker', 'node1'],
      ['p2p.peers', [peer, peer]],
      ['sync.tier1_max_gap', 7],
    ]);
    const result = asSource('althing.toml', renderToml(values));
    expect(result.status === 'loaded' && result.loaded.config.node.moniker).toBe('node1');
    expect(result.status === 'loaded' && result.loaded.config.p2p.peers).toEqual([peer, peer]);
    const sync = asSource('sync.toml', renderToml(values, 'sync.toml'));
    expect(sync.status === 'loaded' && sync.loaded.config.sync.tier1MaxGap).toBe(7);
  });
});

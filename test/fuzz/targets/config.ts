/**
 * The configuration's two files, sync.toml from a line `#SYNC` on, and its environment in lines `#ENV NAME=value`: it is loaded
 * or refused with places, and what is loaded is printed so that it loads again the same. docs/operator-guide.md.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { resolveConfig } from '../../../src/node/config/load.ts';
import { renderToml } from '../../../src/node/config/render.ts';
import { SETTINGS } from '../../../src/node/config/schema.ts';
import { LINES } from '../forms/lines.ts';
import { claim, type Target } from '../target.ts';

const defaultOf = (name: string): string =>
  readFileSync(join(import.meta.dirname, '../../../config', name), 'utf8')
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\n+/g, '\n');
const SYNC_BELOW = '#SYNC\n';
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

export const config: Target = {
  name: 'config',
  what: 'configuration files and environments into the resolver, and what loads into the printer',
  covers: ['/src/node/config/', '/node_modules/smol-toml/'],
  mutations: LINES,
  dictionary: [
    ...SETTINGS.flatMap(({ section, key }) => [`[${section}]`, `${key} = `, `${section}.${key}`]),
    ...[
      '"127.0.0.1:0"',
      '"[::1]:1"',
      'true',
      '#ENV ALTHING_P2P__LISTEN=',
      '"""',
      "'''",
      '#SYNC\n',
      '[[',
      ']]',
      '1979-05-27T07:32:00Z',
    ],
  ].map(bytesOf),
  bytesMax: 16 * 1024,
  window: 200,
  seeds: () => [
    bytesOf(`${defaultOf('default.toml')}${SYNC_BELOW}${defaultOf('sync.toml')}`),
    bytesOf(
      '#ENV ALTHING_SYNC__TIER1_MAX_GAP=3\n#SYNC\n[sync]\ntier3_trust_hours = 0.5\nhash_consensus = "2/3"\n',
    ),
    ...SETTINGS.slice(0, 40).map(({ section, key, setting }) =>
      bytesOf(`[${section}]\n${key} = ${JSON.stringify(setting.default)}\n`),
    ),
    bytesOf(
      '#ENV ALTHING_P2P__LISTEN=127.0.0.1:1\n#ENV ALTHING_P2P__PEERS=a\n[p2p]\nlisten = 3\nlisen = "x"\n',
    ),
  ],
  open: async () => ({ run }),
};

function run(input: Uint8Array): string {
  const text = Buffer.from(input).toString('utf8');
  const environment = Object.fromEntries(
    [...text.matchAll(/^#ENV ([A-Z0-9_]+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]),
  );
  const below = text.indexOf(SYNC_BELOW);
  const [ofNode, ofSync] = below === -1 ? [text, ''] : [text.slice(0, below), text.slice(below)];
  const result = resolveConfig({
    file: { path: 'althing.toml', text: ofNode },
    syncFile: { path: 'sync.toml', text: ofSync },
    environment,
    overrides: [],
  });
  if (result.status === 'refused') {
    claim(result.problems.length > 0, 'a refusal says why');
    for (const { where, message } of result.problems) {
      claim(
        /^((althing|sync)\.toml(:\d+:\d+)?|ALTHING_\w+|default|environment \w+|(althing|sync)\.toml:\d+)$/.test(
          where,
        ),
        `a problem has a place, not '${where}'`,
      );
      claim(message !== '', 'a problem has words');
    }
    return `refused ${result.problems[0]?.message.replaceAll(/[^a-z ]/g, '').slice(0, 24)}`;
  }
  const values = new Map(
    result.loaded.settings.map(({ section, key, value }) => [`${section}.${key}`, value]),
  );
  const again = resolveConfig({
    file: { path: 'again.toml', text: renderToml(values) },
    syncFile: { path: 'again-sync.toml', text: renderToml(values, 'sync.toml') },
    environment: {},
    overrides: [],
  });
  claim(again.status === 'loaded', 'a printed configuration loads');
  claim(
    JSON.stringify(again.loaded.config) === JSON.stringify(result.loaded.config),
    'a printed configuration loads the same',
  );
  return 'loaded';
}

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type ConfigResult,
  type ConfigSources,
  describeOrigin,
  loadConfig,
  resolveConfig,
  variableOf,
} from '../../../src/node/config/load.ts';
import { fileOf, SETTINGS } from '../../../src/node/config/schema.ts';

const nothing: ConfigSources = { environment: {}, overrides: [] };
const file = (text: string): ConfigSources => ({ ...nothing, file: { path: 'althing.toml', text } });

const fileWith = (section: string, line: string): ConfigSources =>
  fileOf(section) === 'sync.toml'
    ? { ...nothing, syncFile: { path: 'sync.toml', text: `[${section}]\n${line}\n` } }
    : file(`[${section}]\n${line}\n`);

function settings(
  result: ConfigResult,
): ReadonlyMap<string, { readonly value: unknown; readonly from: string }> {
  if (result.status === 'refused') throw new Error(JSON.stringify(result.problems));
  return new Map(
    result.loaded.settings.map(({ section, key, value, origin }) => [
      `${section}.${key}`,
      { value, from: describeOrigin(origin) },
    ]),
  );
}

function problems(sources: ConfigSources): readonly string[] {
  const result = resolveConfig(sources);
  return result.status === 'refused'
    ? result.problems.map(({ where, message }) => `${where}: ${message}`)
    : [];
}

describe('precedence', () => {
  const toml = '[log]\nlevel = "debug"\n\n[rpc]\nconnections_max = 11\nbatch_requests_max = 12\n';
  const environment = { ALTHING_RPC__CONNECTIONS_MAX: '21', ALTHING_RPC__BATCH_REQUESTS_MAX: '22' };
  const overrides = [{ path: 'rpc.batch_requests_max', text: '32', flag: '--set' }];

  it('takes a flag before the environment before the file before the default', () => {
    const found = settings(resolveConfig({ file: { path: 'a.toml', text: toml }, environment, overrides }));
    expect(found.get('rpc.batch_requests_max')).toEqual({ value: 32, from: 'flag --set' });
    expect(found.get('rpc.connections_max')).toEqual({
      value: 21,
      from: 'environment ALTHING_RPC__CONNECTIONS_MAX',
    });
    expect(found.get('log.level')).toEqual({ value: 'debug', from: 'a.toml:2' });
    expect(found.get('node.moniker')).toEqual({ value: 'althing', from: 'default' });
  });

  it('takes any valid integer from any of the three sources unchanged', () => {
    const integers = SETTINGS.filter(({ setting }) => typeof setting.default === 'number');
    fc.assert(
      fc.property(
        fc.constantFrom(...integers),
        fc.constantFrom('file', 'environment', 'flag'),
        ({ section, key, path, setting }, source) => {
          const text = String(setting.default);
          const sources: ConfigSources = {
            ...(source === 'file' ? fileWith(section, `${key} = ${text}`) : nothing),
            environment: source === 'environment' ? { [variableOf(section, key)]: text } : {},
            overrides: source === 'flag' ? [{ path, text, flag: '--set' }] : [],
          };
          const found = settings(resolveConfig(sources)).get(path);
          return found?.value === setting.default && found.from !== 'default';
        },
      ),
    );
  });

  it('splits a list in a variable at its commas', () => {
    const id = 'ab'.repeat(20);
    const peers = `${id}@127.0.0.1:1, ${id}@[::1]:2`;
    const found = settings(resolveConfig({ ...nothing, environment: { ALTHING_P2P__PEERS: peers } }));
    expect(found.get('p2p.peers')?.value).toEqual([`${id}@127.0.0.1:1`, `${id}@[::1]:2`]);
  });

  it('leaves ALTHING_ variables that name no section alone', () => {
    expect(problems({ ...nothing, environment: { ALTHING_HOME: '/x', PATH: '/bin', RPC__X: '1' } })).toEqual(
      [],
    );
  });
});

describe('what is refused, and where', () => {
  it('names line and column of an unknown key, and the key that was meant', () => {
    expect(problems(file('[p2p]\nlisten = "127.0.0.1:1"\n  dial_backof_ms_min = 3\n'))).toEqual([
      'althing.toml:3:3: unknown key dial_backof_ms_min in [p2p]; did you mean dial_backoff_ms_min?',
    ]);
  });

  it('says in which section a misplaced key belongs', () => {
    expect(problems(file('[consensus]\nplaintext_on_loopback = true\n'))).toEqual([
      'althing.toml:2:1: unknown key plaintext_on_loopback in [consensus]; it belongs to [p2p]',
    ]);
  });

  it('names an unknown section and the one that was meant', () => {
    expect(problems(file('\n[mempol]\nseal_bytes = 1\n'))).toEqual([
      'althing.toml:2:1: unknown section [mempol]; did you mean mempool?',
    ]);
  });

  it('finds a dotted key too', () => {
    expect(problems(file('p2p.lissten = "127.0.0.1:1"\n'))).toEqual([
      'althing.toml:1:1: unknown key lissten in [p2p]; did you mean listen?',
    ]);
  });

  it('names line and column of text that is not TOML', () => {
    expect(problems(file('[p2p]\nlisten = "unfinished\n'))[0]).toMatch(/^althing\.toml:2:\d+: is not TOML: /);
  });

  it('names the value, the bound and the unit of a number out of range', () => {
    expect(problems(file('[consensus]\nround_timeout_ms_min = 0\n'))).toEqual([
      'althing.toml:2:1: consensus.round_timeout_ms_min = 0: must be at least 10 (ms)',
    ]);
  });

  it('names the variable and its nearest setting', () => {
    expect(problems({ ...nothing, environment: { ALTHING_RPC__LISTN: 'x' } })).toEqual([
      'ALTHING_RPC__LISTN: names no setting; did you mean ALTHING_RPC__LISTEN?',
    ]);
  });

  it('refuses text where a number is needed, in a variable and in a flag', () => {
    const environment = { ALTHING_RPC__CONNECTIONS_MAX: 'many' };
    const overrides = [{ path: 'log.levle', text: 'info', flag: '--set' }];
    expect(problems({ environment, overrides })).toEqual([
      'ALTHING_RPC__CONNECTIONS_MAX: rpc.connections_max = "many": must be a whole number (connections)',
      '--set: names no setting: log.levle; did you mean log.level?',
    ]);
  });

  it('refuses a least wait above the greatest', () => {
    const text =
      '[consensus]\nround_timeout_ms_min = 5000\nround_timeout_ms_initial = 900\nround_timeout_ms_max = 1000\n';
    expect(problems(file(text))).toEqual([
      'althing.toml:2: consensus.round_timeout_ms_min = 5000 must not exceed consensus.round_timeout_ms_max = 1000',
    ]);
  });

  it('reports every problem at once', () => {
    expect(problems(file('[p2p]\nlisten = 3\npeers = ["x"]\n[log]\nlevel = "loud"\n'))).toHaveLength(3);
  });

  it('never throws, whatever the file and the environment hold', () => {
    const name = fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'listen', 'peers'));
    fc.assert(
      fc.property(
        fc.string(),
        fc.dictionary(
          name.map((key) => `ALTHING_P2P__${key}`),
          fc.string(),
        ),
        (text, environment) => {
          expect(['loaded', 'refused']).toContain(resolveConfig({ ...file(text), environment }).status);
          expect(['loaded', 'refused']).toContain(resolveConfig(file(`[p2p]\n${text}`)).status);
        },
      ),
    );
  });
});

describe('the file of a home', () => {
  let home = '';
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'althing-config-'));
    mkdirSync(join(home, 'config'));
  });
  afterEach(() => rmSync(home, { recursive: true }));

  it('is read from config/althing.toml', () => {
    writeFileSync(join(home, 'config', 'althing.toml'), '[node]\nmoniker = "ada"\n');
    const found = settings(loadConfig(home, {}, [])).get('node.moniker');
    expect(found).toEqual({ value: 'ada', from: `${join(home, 'config', 'althing.toml')}:2` });
  });

  it('may be missing: then the defaults hold', () => {
    expect(loadConfig(home, {}, []).status).toBe('loaded');
  });

  it('is refused with its path when it cannot be read', () => {
    mkdirSync(join(home, 'config', 'althing.toml'));
    const result = loadConfig(home, {}, []);
    expect(result.status === 'refused' && result.problems[0]?.message).toMatch(/^cannot be read: /);
  });
});

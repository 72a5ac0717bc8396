import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type ConfigSources,
  describeOrigin,
  loadConfig,
  resolveConfig,
} from '../../../src/node/config/load.ts';
import { syncConfigOf } from '../../../src/node/config/sync-config.ts';
import { SYNC_SETTINGS } from '../../../src/node/config/sync-schema.ts';
import { SYNC_DEFAULTS, type SyncConfig } from '../../../src/protocol/sync/config.ts';

const nothing: ConfigSources = { environment: {}, overrides: [] };
const sync = (lines: string): ConfigSources => ({
  ...nothing,
  syncFile: { path: 'sync.toml', text: `[sync]\n${lines}\n` },
});

function problems(sources: ConfigSources): readonly string[] {
  const result = resolveConfig(sources);
  return result.status === 'refused'
    ? result.problems.map(({ where, message }) => `${where}: ${message}`)
    : [];
}

function loaded(sources: ConfigSources): SyncConfig {
  const result = resolveConfig(sources);
  if (result.status === 'refused') throw new Error(JSON.stringify(result.problems));
  return syncConfigOf(result.loaded.config);
}

describe('[sync], by the names and units of the seeds', () => {
  it('has the nine keys of seed 001 with its values', () => {
    const nine = Object.entries(SYNC_SETTINGS).slice(0, 9);
    expect(Object.fromEntries(nine.map(([key, setting]) => [key, setting.default]))).toEqual({
      tier1_timeout_secs: 30,
      tier1_consensus_threshold: 0.67,
      tier1_max_gap: 5,
      tier2_timeout_per_block: 10,
      tier2_max_retries: 3,
      tier2_max_gap: 1_000,
      tier3_trust_hours: 5,
      tier3_backup_retention_days: 1,
      tier3_requires_manual: true,
    });
  });

  it('has the settings of seed 002 with its values', () => {
    const rest = Object.entries(SYNC_SETTINGS).slice(9, 17);
    expect(Object.fromEntries(rest.map(([key, setting]) => [key, setting.default]))).toEqual({
      check_interval_secs: 30,
      peer_query_timeout_secs: 30,
      block_fetch_timeout_secs: 60,
      peer_cache_ttl_secs: 300,
      redundant_peers: 3,
      genesis_peers: 5,
      fetch_attempts: 3,
      hash_consensus: '2/3+',
    });
  });

  it('without a file is SYNC_DEFAULTS', () => {
    expect(loaded(nothing)).toEqual(SYNC_DEFAULTS);
  });

  it('each key moves its own setting, in the unit of its name', () => {
    const lines = [
      'tier1_timeout_secs = 31',
      'tier1_consensus_threshold = 0.8',
      'tier1_max_gap = 6',
      'tier2_timeout_per_block = 11',
      'tier2_max_retries = 4',
      'tier2_max_gap = 2000',
      'tier3_trust_hours = 0.001',
      'tier3_backup_retention_days = 2',
      'check_interval_secs = 15',
      'peer_query_timeout_secs = 29',
      'block_fetch_timeout_secs = 59',
      'peer_cache_ttl_secs = 301',
      'redundant_peers = 2',
      'genesis_peers = 6',
      'fetch_attempts = 5',
      'follow_interval_ms = 2000',
    ];
    expect(loaded(sync(lines.join('\n')))).toEqual({
      tier1Timeout: 31_000,
      tier1ConsensusThreshold: 0.8,
      tier1MaxGap: 6,
      tier2TimeoutPerBlock: 11_000,
      tier2MaxRetries: 4,
      tier2MaxGap: 2_000,
      tier3TrustTime: 3_600,
      tier3BackupRetention: 172_800_000,
      checkInterval: 15_000,
      peerQueryTimeout: 29_000,
      blockFetchTimeout: 59_000,
      peerCacheTtl: 301_000,
      redundantPeers: 2,
      genesisPeers: 6,
      fetchAttempts: 5,
      followInterval: 2_000,
    });
  });

  it('takes a variable and a flag before the file, as every section does', () => {
    const result = resolveConfig({
      ...sync('tier1_max_gap = 2\ntier2_max_retries = 2\nfetch_attempts = 2'),
      environment: { ALTHING_SYNC__TIER1_MAX_GAP: '4', ALTHING_SYNC__TIER2_MAX_RETRIES: '4' },
      overrides: [{ path: 'sync.tier1_max_gap', text: '9', flag: '--set' }],
    });
    const found = (key: string) => {
      if (result.status === 'refused') throw new Error(JSON.stringify(result.problems));
      const setting = result.loaded.settings.find((entry) => entry.section === 'sync' && entry.key === key);
      return setting && [setting.value, describeOrigin(setting.origin)];
    };
    expect(found('tier1_max_gap')).toEqual([9, 'flag --set']);
    expect(found('tier2_max_retries')).toEqual([4, 'environment ALTHING_SYNC__TIER2_MAX_RETRIES']);
    expect(found('fetch_attempts')).toEqual([2, 'sync.toml:4']);
    expect(found('genesis_peers')).toEqual([5, 'default']);
  });
});

describe('one owner for [sync]', () => {
  const althing = (text: string) => ({ path: 'althing.toml', text });

  it('[sync] in althing.toml is told where it belongs', () => {
    expect(problems({ ...nothing, file: althing('[log]\n\n[sync]\ntier1_max_gap = 5\n') })).toEqual([
      'althing.toml:3:1: [sync] belongs in config/sync.toml',
    ]);
  });

  it('another section in sync.toml is told where it belongs', () => {
    expect(problems(sync('tier1_max_gap = 5\n[p2p]\npeers = []'))).toEqual([
      'sync.toml:3:1: [p2p] belongs in config/althing.toml',
    ]);
  });

  it('a key above its section is told which section it needs', () => {
    expect(problems({ ...nothing, syncFile: { path: 'sync.toml', text: '\ntier1_max_gap = 5\n' } })).toEqual([
      'sync.toml:2:1: tier1_max_gap stands in no section: write [sync] above it',
    ]);
  });

  it('the problems of both files are reported together, each with its place', () => {
    const result = problems({
      ...sync('tier1_max_gpa = 5\ntier2_max_gap = "many"'),
      file: althing('[p2p]\nlissten = "x"\n'),
    });
    expect(result).toEqual([
      'althing.toml:2:1: unknown key lissten in [p2p]; did you mean listen?',
      'sync.toml:2:1: unknown key tier1_max_gpa in [sync]; did you mean tier1_max_gap?',
      expect.stringMatching(/^sync\.toml:3:1: sync\.tier2_max_gap = "many": must be a whole number/),
    ]);
  });

  it('each of two files that are no TOML has its line', () => {
    const result = problems({
      ...nothing,
      file: althing('[p2p\n'),
      syncFile: { path: 'sync.toml', text: '[sync]\ntier1_max_gap = \n' },
    });
    expect(result.map((problem) => problem.slice(0, problem.indexOf(': is not TOML')))).toEqual([
      expect.stringMatching(/^althing\.toml:1:\d+$/),
      expect.stringMatching(/^sync\.toml:2:\d+$/),
    ]);
  });
});

describe('what [sync] refuses', () => {
  it('tier 3 without an operator, from every source, and says why (SY-9)', () => {
    const words =
      'sync.tier3_requires_manual = false: must be true: a chain is replaced by its operator alone (SY-9)';
    const sources: readonly ConfigSources[] = [
      sync('tier3_requires_manual = false'),
      { ...nothing, environment: { ALTHING_SYNC__TIER3_REQUIRES_MANUAL: 'false' } },
      { ...nothing, overrides: [{ path: 'sync.tier3_requires_manual', text: 'false', flag: '--set' }] },
    ];
    for (const [index, source] of sources.entries()) {
      const where = ['sync.toml:2:1', 'ALTHING_SYNC__TIER3_REQUIRES_MANUAL', '--set'][index];
      expect(problems(source)).toEqual([expect.stringContaining(`${where}: ${words}`)]);
    }
    expect(problems(sync('tier3_requires_manual = true'))).toEqual([]);
  });

  it('any other share for hash_consensus', () => {
    for (const share of ['"1/2+"', '"2/3"', '0.67', 'true']) {
      expect(problems(sync(`hash_consensus = ${share}`))).toEqual([
        expect.stringMatching(/^sync\.toml:2:1: sync\.hash_consensus = .*: must be "2\/3\+": /),
      ]);
    }
    expect(problems(sync('hash_consensus = "2/3+"'))).toEqual([]);
  });

  it.each([
    ['tier1_max_gap = 100\ntier2_max_gap = 128', undefined],
    [
      'tier1_timeout_secs = 29',
      'sync.peer_query_timeout_secs = 30 must not exceed sync.tier1_timeout_secs = 29',
    ],
    [
      'peer_query_timeout_secs = 31',
      'sync.peer_query_timeout_secs = 31 must not exceed sync.tier1_timeout_secs = 30',
    ],
    [
      'peer_cache_ttl_secs = 29',
      'sync.peer_query_timeout_secs = 30 must not exceed sync.peer_cache_ttl_secs = 29',
    ],
    [
      'tier2_timeout_per_block = 61',
      'sync.tier2_timeout_per_block = 61 must not exceed sync.block_fetch_timeout_secs = 60',
    ],
  ])('an order that cannot be: %j', (lines, expected) => {
    expect(problems(sync(lines))).toEqual(
      expected === undefined ? [] : [expect.stringContaining(`sync.toml:2: ${expected}`)],
    );
  });

  it.each([
    ['tier1_timeout_secs = 0', 'must be at least 1 (secs)'],
    ['tier1_timeout_secs = 1.5', 'must be a whole number from 1 to 600'],
    ['tier1_consensus_threshold = 0.49', 'must be at least 0.5'],
    ['tier1_consensus_threshold = 1.01', 'must be at most 1'],
    ['tier1_max_gap = 0', 'must be at least 1 (blocks)'],
    ['tier1_max_gap = 101', 'must be at most 100 (blocks)'],
    ['tier2_max_gap = 127', 'must be at least 128 (blocks)'],
    ['tier2_max_retries = 0', 'must be at least 1 (peers)'],
    ['tier3_trust_hours = 0', 'must be at least 0.001'],
    ['tier3_trust_hours = "5"', 'must be a number'],
    ['tier3_backup_retention_days = 0', 'must be at least 0.001'],
    ['redundant_peers = 17', 'must be at most 16 (peers)'],
    ['genesis_peers = 0', 'must be at least 1 (peers)'],
    ['fetch_attempts = 0', 'must be at least 1 (attempts)'],
    ['check_interval_secs = 0', 'must be at least 1 (secs)'],
  ])('%s', (line, expected) => {
    expect(problems(sync(line))).toEqual([expect.stringMatching(/^sync\.toml:2:1: sync\./)]);
    expect(problems(sync(line))[0]).toContain(expected);
  });

  it('never throws, whatever sync.toml holds', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(['loaded', 'refused']).toContain(resolveConfig(sync(text)).status);
      }),
    );
  });
});

describe('config/sync.toml of a home', () => {
  let home = '';
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'althing-sync-config-'));
    mkdirSync(join(home, 'config'));
  });
  afterEach(() => rmSync(home, { recursive: true }));

  it('is read beside althing.toml', () => {
    writeFileSync(join(home, 'config', 'althing.toml'), '[node]\nmoniker = "ada"\n');
    writeFileSync(join(home, 'config', 'sync.toml'), '[sync]\nredundant_peers = 2\n');
    const result = loadConfig(home, {}, []);
    expect(
      result.status === 'loaded' && [
        result.loaded.config.node.moniker,
        result.loaded.config.sync.redundantPeers,
      ],
    ).toEqual(['ada', 2]);
  });

  it('may be missing, in a home that was made before there was one', () => {
    writeFileSync(join(home, 'config', 'althing.toml'), '[node]\nmoniker = "ada"\n');
    expect(existsSync(join(home, 'config', 'sync.toml'))).toBe(false);
    const result = loadConfig(home, {}, []);
    expect(result.status === 'loaded' && syncConfigOf(result.loaded.config)).toEqual(SYNC_DEFAULTS);
  });

  it('is refused when it cannot be read, with what is wrong in the other file', () => {
    mkdirSync(join(home, 'config', 'sync.toml'));
    writeFileSync(join(home, 'config', 'althing.toml'), '[p2p]\nlissten = "x"\n');
    const result = loadConfig(home, {}, []);
    if (result.status === 'loaded') throw new Error('loaded');
    expect(result.problems.map(({ where }) => where)).toEqual([
      join(home, 'config', 'sync.toml'),
      `${join(home, 'config', 'althing.toml')}:2:1`,
    ]);
    expect(readFileSync(join(home, 'config', 'althing.toml'), 'utf8')).toContain('lissten');
  });
});

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLocalHomes } from '../../src/cli/local-network/homes.ts';
import { loadBlsEngine } from '../../src/crypto/bls/select.ts';
import { loadGenesis } from '../../src/node/config/genesis-file.ts';
import { homePaths } from '../../src/node/config/home.ts';
import { loadConfig } from '../../src/node/config/load.ts';
import { loadKeys } from '../../src/storage/key-store.ts';
import { althing } from './run.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'althing-homes-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function configOf(home: string) {
  const result = loadConfig(home, {}, []);
  if (result.status === 'refused') throw new Error(JSON.stringify(result.problems));
  return result.loaded.config;
}

describe('althing testnet', () => {
  it('makes homes that know each other, share one valid genesis, and keep their secrets', async () => {
    const { code, stdout } = await althing([
      'testnet',
      '--output',
      directory,
      '--validators',
      '3',
      '--base-port',
      '31000',
      '--application',
      'dice',
      '--json',
    ]);
    expect(code).toBe(0);
    const { chain_id: _, ...made } = JSON.parse(stdout);
    expect(made.homes).toHaveLength(3);
    const { engine } = await loadBlsEngine();
    const hashes = new Set<string>();
    for (const [index, { path, id }] of made.homes.entries()) {
      const paths = homePaths(path);
      const genesis = loadGenesis(paths.genesisFile, engine);
      if (genesis.status === 'refused') throw new Error(JSON.stringify(genesis.problems));
      hashes.add(genesis.hash);
      expect(genesis.genesis.validators.map(({ address }) => address)).toContain(id);
      const keys = loadKeys(paths.keys, { engine });
      expect(keys).toMatchObject({ status: 'ready', keys: { identity: { nodeId: id } } });
      const { p2p, rpc, node } = configOf(path);
      expect([p2p.listen, rpc.listen, node.moniker]).toEqual([
        `127.0.0.1:${31_000 + 10 * index}`,
        `127.0.0.1:${31_001 + 10 * index}`,
        `node${index}`,
      ]);
      expect(p2p.peers).toHaveLength(2);
      const others = [1, 2].map((step) => 31_001 + 10 * ((index + step) % 3));
      expect(rpc.otherNodes).toEqual(others.map((port) => `http://127.0.0.1:${port}`));
      expect(rpc.allowedOrigins.toSorted()).toEqual(
        others.flatMap((port) => [`http://127.0.0.1:${port}`, `http://localhost:${port}`]).toSorted(),
      );
      expect(p2p.peers.join()).not.toContain(id);
      expect(statSync(paths.adminTokenFile).mode & 0o777).toBe(0o600);
      expect(statSync(paths.keys).mode & 0o777).toBe(0o700);
    }
    expect(hashes.size).toBe(1);
  });

  it('makes homes of full nodes too: not in the genesis, with all validators as peers, each block of one of them (SY-15)', async () => {
    const words = ['--validators', '2', '--full', '2', '--base-port', '31100', '--json'];
    const { code, stdout } = await althing(['testnet', '--output', directory, ...words]);
    const { homes } = JSON.parse(stdout);
    const names = homes.map(({ moniker, mode }: Record<string, string>) => [moniker, mode]);
    expect([code, names]).toEqual([
      0,
      [
        ['node0', 'validator'],
        ['node1', 'validator'],
        ['full0', 'full'],
        ['full1', 'full'],
      ],
    ]);
    const [validator, , full] = homes;
    const genesis = readFileSync(homePaths(full.path).genesisFile, 'utf8');
    expect(genesis).toBe(readFileSync(homePaths(validator.path).genesisFile, 'utf8'));
    expect(
      JSON.parse(genesis).validators.map(({ address }: Record<string, string>) => address),
    ).not.toContain(full.id);
    const { node, p2p, rpc, sync } = configOf(full.path);
    expect([node.mode, p2p.listen, rpc.listen, sync.redundantPeers]).toEqual([
      'full',
      '127.0.0.1:31120',
      '127.0.0.1:31121',
      1,
    ]);
    expect(p2p.peers.map((peer) => peer.slice(0, 40))).toEqual([homes[0].id, homes[1].id]);
    expect(configOf(validator.path).sync.redundantPeers).toBe(3);
    expect(configOf(validator.path).p2p.peers.join()).not.toContain(full.id);
  });

  it.each<[readonly string[], readonly [string, boolean, boolean]]>([
    [[], ['round_robin', false, false]],
    [['--leader-reputation'], ['round_robin', true, false]],
    [['--vrf'], ['round_robin', false, true]],
    [
      ['--leader-schedule', 'stake_weighted'],
      ['stake_weighted', false, true],
    ],
    [
      ['--leader-schedule', 'stake_weighted', '--leader-reputation', '--vrf'],
      ['stake_weighted', true, true],
    ],
    [
      ['--application', 'ledger', '--ordering', 'commit_reveal'],
      ['round_robin', false, true],
    ],
    [
      ['--application', 'ledger', '--ordering', 'plain'],
      ['round_robin', false, false],
    ],
  ])('writes into the genesis how leaders are chosen: %j (CS-15, CS-17)', async (words, expected) => {
    const { code } = await althing(['testnet', '--output', directory, '--validators', '1', ...words]);
    const genesis = JSON.parse(readFileSync(homePaths(join(directory, 'node0')).genesisFile, 'utf8'));
    const { leader_schedule: schedule, leader_reputation: reputation, vrf } = genesis.params;
    expect([code, schedule, reputation, vrf]).toEqual([0, ...expected]);
  });

  it('refuses to choose leaders for a chain that is there already', async () => {
    const words = ['--home', join(directory, 'joins'), '--genesis', join(directory, 'genesis.json'), '--vrf'];
    const { code, stderr } = await althing(['init', ...words]);
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining('the genesis file says how leaders are chosen'),
    ]);
  });

  it.each<[readonly string[], string]>([
    [['testnet', '--output', 'HERE', '--ordering', 'commit_reveal'], 'give --application ledger with it'],
    [
      ['init', '--home', 'HERE/a', '--application', 'dice', '--ordering', 'plain'],
      'give --application ledger with it',
    ],
    [
      ['init', '--home', 'HERE/a', '--genesis', 'HERE/g', '--ordering', 'commit_reveal'],
      'the genesis file says how transfers are ordered',
    ],
    [['testnet', '--output', 'HERE', '--ordering', 'sealed'], 'Allowed choices are plain, commit_reveal'],
  ])('refuses an ordering where no ledger is made: %j (LG-20)', async (words, expected) => {
    const { code, stderr } = await althing(words.map((word) => word.replace('HERE', directory)));
    expect([code, stderr]).toEqual([2, expect.stringContaining(expected)]);
    expect(readdirSync(directory)).toEqual([]);
  });

  it('never writes over a home, and leaves nothing behind when it refuses', async () => {
    mkdirSync(join(directory, 'node1', 'keys'), { recursive: true });
    const { code, stderr } = await althing(['testnet', '--output', directory, '--validators', '2']);
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining('node1 exists already and is not written over'),
    ]);
    expect(readdirSync(directory)).toEqual(['node1']);
  });
});

describe('althing init', () => {
  it('makes a chain of one validator, also in an empty directory that is there', async () => {
    const { code, stdout } = await althing([
      'init',
      '--home',
      directory,
      '--chain-id',
      'solo',
      '--moniker',
      'ada',
      '--json',
    ]);
    expect([code, JSON.parse(stdout).chainId]).toEqual([0, 'solo']);
    const genesis = JSON.parse(readFileSync(homePaths(directory).genesisFile, 'utf8'));
    expect(genesis).toMatchObject({ chain_id: 'solo', validators: [{ name: 'ada', power: '1' }] });
    expect(readdirSync(directory).toSorted()).toEqual(['config', 'data', 'keys']);
  });

  it('writes the application into the genesis, and refuses one that is not built in: exit 2', async () => {
    const home = join(directory, 'home');
    const { code } = await althing(['init', '--home', home, '--application', 'kv']);
    const { app } = JSON.parse(readFileSync(homePaths(home).genesisFile, 'utf8'));
    expect([code, app]).toEqual([0, { name: 'kv', state: {} }]);
    const wrong = await althing(['testnet', '--output', join(directory, 'net'), '--application', 'kw']);
    expect([wrong.code, wrong.stdout]).toEqual([2, '']);
    expect(wrong.stderr).toMatch(/no application "kw" is built in; there is .*"kv".*; did you mean "kv"\?/);
    expect(wrong.stderr).toContain('for one of your own say where it is: --application-address ADDRESS');
    expect(existsSync(join(directory, 'net'))).toBe(false);
  });

  it('takes an application of your own with the place where each node asks it, and so does testnet (AP-1)', async () => {
    const net = join(directory, 'own');
    const own = ['--application', 'counters', '--application-address'];
    const words = ['testnet', '--validators', '2', '--full', '1', '--output', net, ...own];
    const one = await althing([...words, 'unix:/run/app.sock']);
    expect([one.code, one.stderr]).toEqual([
      2,
      expect.stringContaining('each of the 3 nodes needs an application of its own'),
    ]);
    const far = await althing([...words, 'tcp:10.0.0.1:2600{n}']);
    expect([far.code, far.stderr]).toEqual([
      2,
      expect.stringContaining('"tcp:10.0.0.1:26000" is no address of an application'),
    ]);
    expect(existsSync(net)).toBe(false);
    expect((await althing([...words, 'unix:/run/{n}.sock'])).code).toBe(0);
    const homes = ['node0', 'node1', 'full0'].map((name) => join(net, name));
    expect(homes.map((home) => configOf(home).application.address)).toEqual(
      [0, 1, 2].map((place) => `unix:/run/${place}.sock`),
    );
    const { genesisFile } = homePaths(join(net, 'full0'));
    expect(JSON.parse(readFileSync(genesisFile, 'utf8')).app).toEqual({ name: 'counters', state: {} });
    const joining = join(directory, 'joining');
    const address = ['--application-address', 'tcp:127.0.0.1:2600'];
    expect((await althing(['init', '--home', joining, '--genesis', genesisFile, ...address])).code).toBe(0);
    expect(configOf(joining).application.address).toBe('tcp:127.0.0.1:2600');
  });

  it('of a genesis with an application that is not built in is found at the start: exit 3, nothing made', async () => {
    const home = join(directory, 'home');
    await althing(['init', '--home', home]);
    const { genesisFile, data } = homePaths(home);
    const text = readFileSync(genesisFile, 'utf8');
    writeFileSync(genesisFile, text.replace('"kv"', '"abacus"'));
    const { code, stderr } = await althing(['start', '--home', home]);
    expect(code).toBe(3);
    expect(stderr).toContain(`${genesisFile}: app.name: no application "abacus" is built in; there is`);
    expect(readdirSync(data)).toEqual([]);
  });

  it('joins the chain of a given genesis with keys of its own', async () => {
    const [first, second] = [join(directory, 'first'), join(directory, 'second')];
    await althing(['init', '--home', first, '--chain-id', 'shared']);
    const genesisFile = homePaths(first).genesisFile;
    const { code, stdout } = await althing(['init', '--home', second, '--genesis', genesisFile, '--json']);
    expect([code, JSON.parse(stdout).chainId]).toEqual([0, 'shared']);
    expect(readFileSync(homePaths(second).genesisFile, 'utf8')).toBe(readFileSync(genesisFile, 'utf8'));
    const ids = await Promise.all(
      [first, second].map(async (home) => (await althing(['show-node-id', '--home', home])).stdout),
    );
    expect(new Set(ids).size).toBe(2);
  });

  it('makes the home of a full node of a given genesis, with its peers (CS-19)', async () => {
    const [first, second] = [join(directory, 'first'), join(directory, 'second')];
    await althing(['init', '--home', first]);
    const peers = [`${'a'.repeat(40)}@one.example:26656`, `${'b'.repeat(40)}@[::1]:1`];
    const genesisFile = homePaths(first).genesisFile;
    const { code, stdout } = await althing([
      ...['init', '--home', second, '--full', '--genesis', genesisFile],
      ...peers.flatMap((peer) => ['--peer', peer]),
    ]);
    expect([code, stdout]).toEqual([0, expect.stringContaining('start it with: ')]);
    const { node, p2p } = configOf(second);
    expect([node.mode, p2p.peers]).toEqual(['full', peers]);
    expect(configOf(first).node.mode).toBe('validator');
  });

  it('shows what a genesis file needs of a validator', async () => {
    const home = join(directory, 'home');
    await althing(['init', '--home', home]);
    const shown = JSON.parse((await althing(['show-validator', '--home', home, '--json'])).stdout);
    const [validator] = JSON.parse(readFileSync(homePaths(home).genesisFile, 'utf8')).validators;
    expect(validator).toMatchObject(shown);
  });

  it('names the file where there are no keys: exit 3', async () => {
    const { code, stderr } = await althing(['show-node-id', '--home', join(directory, 'nowhere')]);
    expect([code, stderr]).toEqual([3, expect.stringContaining('there is no such key')]);
  });
});

describe('homes of a local network', () => {
  const request = { validators: undefined, basePort: undefined, application: undefined };

  it.each(['kv', 'ledger', 'dice'] as const)(
    'let the pages of their neighbours call only where there are pages: %s',
    async (application) => {
      const { homes } = await openLocalHomes({ ...request, directory, validators: 2, application });
      for (const { rpc } of homes.map(configOf)) {
        const count = application === 'dice' ? 1 : 0;
        expect([rpc.otherNodes.length, rpc.allowedOrigins.length]).toEqual([count, 2 * count]);
      }
    },
  );

  it('are made once and found again', async () => {
    const made = await openLocalHomes({ ...request, directory, validators: 2, basePort: 31_100 });
    const keys = readFileSync(join(homePaths(made.homes[0] ?? '').keys, 'identity.json'), 'utf8');
    expect(await openLocalHomes({ ...request, directory })).toEqual(made);
    expect(readFileSync(join(homePaths(made.homes[0] ?? '').keys, 'identity.json'), 'utf8')).toBe(keys);
  });

  it('move to another base port with everything else unchanged', async () => {
    const { homes } = await openLocalHomes({
      ...request,
      ...{ directory, validators: 2, basePort: 31_100, application: 'dice' },
    });
    const added = 'https://page.example:31111';
    const { configFile } = homePaths(homes[0] ?? '');
    const text = readFileSync(configFile, 'utf8');
    writeFileSync(configFile, text.replace('allowed_origins = [', `allowed_origins = ["${added}", `));
    const before = homes.map(configOf);
    const moved = await openLocalHomes({ ...request, directory, basePort: 32_100 });
    expect(moved.basePort).toBe(32_100);
    for (const [index, home] of homes.entries()) {
      const { p2p, rpc, ...rest } = configOf(home);
      const old = before[index];
      expect(rest).toEqual({ ...old, p2p: undefined, rpc: undefined, ...rest });
      expect([p2p.listen, rpc.listen]).toEqual([
        `127.0.0.1:${32_100 + 10 * index}`,
        `127.0.0.1:${32_101 + 10 * index}`,
      ]);
      expect(p2p.peers).toEqual(old?.p2p.peers.map((peer) => peer.replace(':311', ':321')));
      expect(rpc.otherNodes).toEqual([`http://127.0.0.1:${32_111 - 10 * index}`]);
      expect(rpc.allowedOrigins).toEqual(
        old?.rpc.allowedOrigins.map((origin) => (origin === added ? added : origin.replace(':311', ':321'))),
      );
    }
  });

  it('refuse another application than that of their genesis, and stay as they are', async () => {
    await openLocalHomes({ ...request, directory, validators: 1, basePort: 31_100 });
    const { genesisFile } = homePaths(join(directory, 'node0'));
    const text = readFileSync(genesisFile, 'utf8').replace('"kv"', '"abacus"');
    writeFileSync(genesisFile, text);
    await expect(
      openLocalHomes({ ...request, directory, basePort: 32_100, application: 'kv' }),
    ).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringMatching(
        /--application kv: the network in .* runs "abacus" by its genesis; leave the flag away, or/,
      ),
    });
    expect(readFileSync(genesisFile, 'utf8')).toBe(text);
    expect(configOf(join(directory, 'node0')).p2p.listen).toBe('127.0.0.1:31100');
    const kept = await openLocalHomes({ ...request, directory });
    expect(kept.basePort).toBe(31_100);
  });

  it('stay where they are when the ports that are asked for cannot be had', async () => {
    const requirePorts = (basePort: number) => Promise.reject(new Error(`port ${basePort} is in use`));
    await expect(openLocalHomes({ ...request, directory, requirePorts })).rejects.toThrow('26656 is in use');
    expect(readdirSync(directory)).toEqual([]);
    await openLocalHomes({ ...request, directory, validators: 1, basePort: 31_100 });
    const moving = { ...request, directory, basePort: 32_100, requirePorts };
    await expect(openLocalHomes(moving)).rejects.toThrow('32100 is in use');
    expect(configOf(join(directory, 'node0')).p2p.listen).toBe('127.0.0.1:31100');
  });

  it('refuse another number of validators, and an incomplete directory', async () => {
    await openLocalHomes({ ...request, directory, validators: 2, basePort: 31_100 });
    await expect(openLocalHomes({ ...request, directory, validators: 3 })).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringContaining('has 2; leave the flag away'),
    });
    rmSync(join(directory, 'node1'), { recursive: true });
    await expect(openLocalHomes({ ...request, directory })).rejects.toMatchObject({ exitCode: 2 });
    expect(existsSync(join(directory, 'node1'))).toBe(false);
  });
});

describe('a place where no home can be made', () => {
  it.each([
    [
      'a file system that makes nothing',
      () => '/proc/x',
      /^althing: the directory \/proc\/x cannot be made \(ENOENT/,
    ],
    [
      'a link to nowhere',
      () => {
        symlinkSync(join(directory, 'nowhere'), join(directory, 'link'));
        return join(directory, 'link');
      },
      /link is a link to .*nowhere, which is not there: make that directory, or remove the link\n$/,
    ],
    [
      'a file',
      () => {
        writeFileSync(join(directory, 'file'), '');
        return join(directory, 'file');
      },
      /file is a file, and a home is a directory/,
    ],
    [
      'below a file',
      () => {
        writeFileSync(join(directory, 'file'), '');
        return join(directory, 'file', 'home');
      },
      /home cannot be a home \(ENOTDIR/,
    ],
  ])('%s: exit 2, with a sentence', async (_, place, expected) => {
    const { code, stderr } = await althing(['init', '--home', place()]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(expected)]);
    expect(stderr).not.toContain('unexpected');
  });

  it('nor a network', async () => {
    const { code, stderr } = await althing(['--data', '/proc/x']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('the directory /proc/x cannot be made')]);
  });
});

describe('what to type next', () => {
  it('begins with npx where npm started the program, which is on no PATH then', async () => {
    const home = join(directory, 'typed');
    const made = await althing(['init', '--home', home], { npm_lifecycle_event: 'npx' });
    expect(made.stdout).toContain(`start it with: npx althing start --home ${home}\n`);
    const refused = await althing(['show-node-id', '--home', directory], { npm_lifecycle_event: 'npx' });
    expect(refused.stderr).toContain("create keys with 'npx althing init'");
    const plain = await althing(['init', '--home', `${home}2`]);
    expect(plain.stdout).toContain(`start it with: althing start --home ${home}2\n`);
  });
});

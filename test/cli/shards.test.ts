/** What `althing shards start` makes, and what is refused before anything is asked of a node. docs/sharding.md, LG-35. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LocalShard, openLocalShards, readLocalShards } from '../../src/cli/shards/local-shards.ts';
import { homePaths } from '../../src/node/config/home.ts';
import { althing } from './run.ts';

const BASE_PORT = 31_400;
let directory = '';
let made: readonly LocalShard[];
const request = { shards: undefined, validators: undefined, basePort: undefined };
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'althing-shards-'));
  made = await openLocalShards({ ...request, directory, shards: 3, validators: 2, basePort: BASE_PORT });
});
afterAll(() => rmSync(directory, { recursive: true }));

const genesisOf = ({ homes }: LocalShard): Genesis =>
  JSON.parse(readFileSync(homePaths(homes[0] ?? '').genesisFile, 'utf8'));

interface Genesis {
  readonly chain_id: string;
  readonly validators: readonly { readonly consensus_key: string }[];
  readonly app: {
    readonly state: {
      readonly accounts: readonly { readonly address: string; readonly balance: string }[];
      readonly chains: readonly {
        readonly chain_id: string;
        readonly credit_max: string;
        readonly validators: readonly { readonly consensus_key: string }[];
      }[];
    };
  };
}

describe('shards on this machine', () => {
  it('are chains of their own that name each other, by the validators and without a genesis hash (LG-35)', () => {
    const all = made.map(genesisOf);
    for (const genesis of all) {
      const others = all.filter((other) => other !== genesis);
      const { chains } = genesis.app.state;
      expect(chains.map(({ chain_id: id }) => id)).toEqual(others.map(({ chain_id: id }) => id));
      expect(chains.map(({ validators }) => validators.map((one) => one.consensus_key))).toEqual(
        others.map(({ validators }) => validators.map((one) => one.consensus_key)),
      );
      expect(chains.some((chain) => 'genesis_hash' in chain)).toBe(false);
    }
    expect(new Set(all.flatMap(({ validators }) => validators.map((one) => one.consensus_key))).size).toBe(6);
  });

  it('let come from each other what all others had at their genesis, and not a coin more', () => {
    const all = made.map(genesisOf);
    const supplies = all.map(
      ({ validators, app }) =>
        app.state.accounts.reduce((sum, { balance }) => sum + BigInt(balance), 0n) +
        BigInt(validators.length) * 100_000_000_000n,
    );
    const total = supplies.reduce((sum, one) => sum + one, 0n);
    for (const [index, { app }] of all.entries()) {
      for (const { credit_max: credit } of app.state.chains)
        expect(BigInt(credit)).toBe(total - (supplies[index] ?? 0n));
    }
  });

  it('have a port for each validator, and are found again', async () => {
    expect(made.flatMap(({ endpoints }) => endpoints)).toEqual(
      Array.from({ length: 6 }, (_, index) => `http://127.0.0.1:${BASE_PORT + 1 + 10 * index}`),
    );
    expect(await readLocalShards(directory)).toEqual(made);
    expect(await openLocalShards({ ...request, directory })).toEqual(made);
    const moved = await openLocalShards({ ...request, directory, basePort: BASE_PORT + 100 });
    expect(moved.flatMap(({ endpoints }) => endpoints)[5]).toBe(`http://127.0.0.1:${BASE_PORT + 151}`);
    await openLocalShards({ ...request, directory, basePort: BASE_PORT });
    await expect(openLocalShards({ ...request, directory, shards: 2 })).rejects.toThrow(
      '--shards 2: there are 3',
    );
    await expect(openLocalShards({ ...request, directory, validators: 4 })).rejects.toThrow('has 2');
  });
});

describe("a user's mistake about shards is a sentence", () => {
  it.each([
    [['relay'], 'between which chains? give --chain RPC for each of two or more, or --data DIR'],
    [['relay', '--chain', '127.0.0.1:1', '--chain', '127.0.0.1:2'], 'who pays the fees? give --key FILE'],
    [['relay', '--chain', 'http://'], 'give host:port, or a URL.'],
    [
      ['shards', 'supply', '--data', '/nowhere'],
      "/nowhere has no shards: make them with 'althing shards start'",
    ],
    [['shards', 'start', '--shards', '1'], 'give a whole number from 2 to 16.'],
    [['shards', 'balance', 'al1'], '"al1" is no address'],
  ])('%j', async (args, words) => {
    const { code, stderr } = await althing(args);
    expect([code, stderr]).toEqual([2, expect.stringContaining(words)]);
    expect(stderr).not.toContain('    at ');
  });
});

/** The ledger on four validators, each a process, by the commands that its users have. LG-1 to LG-10, BR-1. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { althing, eventually } from './support/local-network.ts';
import { Validators } from './support/validators.ts';

const VALIDATORS = [0, 1, 2, 3];
const KILLED = 3;

let validators: Validators;
beforeAll(async () => {
  validators = await Validators.create({ application: 'ledger' });
  for (const index of VALIDATORS) validators.start(index);
  await eventually('blocks are committed', 30_000, async () =>
    ((await validators.network.height(0)) ?? 0) > 1 ? true : undefined,
  );
});
afterAll(() => validators.remove());

const at = (index: number): readonly string[] => ['--rpc', validators.network.rpcOf(index)];
const appHashOf = async (index: number): Promise<string | undefined> => {
  const response = await fetch(`http://${validators.network.rpcOf(index)}/abci_info`).catch(() => undefined);
  if (response === undefined) return undefined;
  const { result } = (await response.json()) as {
    readonly result: { readonly response: Readonly<Record<'last_block_app_hash', string>> };
  };
  return result.response.last_block_app_hash;
};

describe('the ledger on four validators', () => {
  it('moves coins, loses none when a validator is killed, and has one state on all of them', async () => {
    const key = join(validators.network.directory, 'bob.json');
    expect(althing('ledger', 'keys', 'new', key).code).toBe(0);
    const address = althing('ledger', 'address', '--key', key).stdout.trim();
    const faucet = join(validators.network.directory, 'faucet.json');
    const transfer = (index: number, amount: string) =>
      althing('ledger', 'transfer', address, amount, '--key', faucet, ...at(index));
    expect(transfer(0, '12.5').stdout).toContain('committed');
    await validators.kill(KILLED);
    expect(transfer(1, '0.5').stdout).toContain('committed');
    const tooMuch = transfer(1, '99999999999');
    expect([tooMuch.code, tooMuch.stderr]).toEqual([1, expect.stringContaining('are needed')]);
    validators.start(KILLED);
    await eventually('all have the same state', 60_000, async () => {
      const hashes = await Promise.all(VALIDATORS.map(appHashOf));
      return new Set(hashes).size === 1 && hashes[0] !== undefined ? true : undefined;
    });
    for (const index of VALIDATORS) {
      expect(althing('ledger', 'balance', address, ...at(index)).stdout).toMatch(/balance +13 ALT/);
    }
    const supply = althing('ledger', 'supply', '--json', ...at(KILLED));
    expect(supply.code).toBe(0);
  });
});

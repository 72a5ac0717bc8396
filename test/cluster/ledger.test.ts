/** The ledger on four validators, each a process, by the commands that its users have. LG-1 to LG-10, LG-18, BR-1. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signTransaction } from '../../src/application/ledger/transaction.ts';
import { askHeights } from '../../src/cli/commit.ts';
import { askAccount, askChain, readKey } from '../../src/cli/ledger/client.ts';
import { encodeOperation } from '../../src/protocol/chain/operation.ts';
import { parseHeight } from '../../src/protocol/chain/parse.ts';
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

/** Of one transaction, by CometBFT's method. */
const broadcast = async (index: number, transaction: Uint8Array): Promise<unknown> => {
  const params = { tx: Buffer.from(transaction).toString('base64') };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'broadcast_tx_sync', params });
  const headers = { 'content-type': 'application/json' };
  const url = `http://${validators.network.rpcOf(index)}`;
  return (await fetch(url, { method: 'POST', headers, body })).json();
};

describe('the ledger on four validators', () => {
  it('moves coins, loses none when a validator is killed, and has one state on all of them', async () => {
    const key = join(validators.network.directory, 'bob.json');
    expect((await althing('ledger', 'keys', 'new', key)).code).toBe(0);
    const address = (await althing('ledger', 'address', '--key', key)).stdout.trim();
    const faucet = join(validators.network.directory, 'faucet.json');
    const transfer = (index: number, amount: string) =>
      althing('ledger', 'transfer', address, amount, '--key', faucet, ...at(index));
    expect((await transfer(0, '12.5')).stdout).toContain('committed');
    await validators.kill(KILLED);
    expect((await transfer(1, '0.5')).stdout).toContain('committed');
    const tooMuch = await transfer(1, '99999999999');
    expect([tooMuch.code, tooMuch.stderr]).toEqual([1, expect.stringContaining('are needed')]);
    validators.start(KILLED);
    await eventually('all have the same state', 60_000, async () => {
      const hashes = await Promise.all(VALIDATORS.map(appHashOf));
      return new Set(hashes).size === 1 && hashes[0] !== undefined ? true : undefined;
    });
    for (const index of VALIDATORS) {
      expect((await althing('ledger', 'balance', address, ...at(index))).stdout).toMatch(/balance +13 ALT/);
    }
    const supply = await althing('ledger', 'supply', '--json', ...at(KILLED));
    expect(supply.code).toBe(0);
  });

  it('makes no payment above the height that was signed, sent on bare or in an operation of a stranger (LG-18)', async () => {
    const key = readKey(join(validators.network.directory, 'faucet.json'));
    const target = { url: `http://${validators.network.rpcOf(0)}`, token: undefined };
    const { domain } = await askChain(target);
    const { height } = await askHeights(target);
    const before = await askAccount(target, key.address);
    const lastHeight = height + 2;
    const payload = signTransaction(
      {
        ...{ publicKey: key.publicKey, nonce: before.nonce, lastHeight: BigInt(lastHeight) },
        ...{ feeMax: 1_000_000n, tip: 0n },
        payload: { kind: 'transfer', to: new Uint8Array(20).fill(7), amount: 5_000_000n },
      },
      key.secret,
      domain,
    );
    await eventually('the last height has passed', 30_000, async () =>
      (await askHeights(target)).height >= lastHeight ? true : undefined,
    );
    const later = parseHeight(lastHeight + 300);
    if (later === 'malformed') throw new Error('no height');
    const wrapped = encodeOperation({ expiresAtHeight: later, nonce: 1n, payload });
    for (const index of VALIDATORS) {
      for (const transaction of [payload, wrapped]) {
        expect(await broadcast(index, transaction)).toMatchObject({ result: { code: 18 } });
      }
    }
    expect(await askAccount(target, key.address)).toEqual(before);
  });
});

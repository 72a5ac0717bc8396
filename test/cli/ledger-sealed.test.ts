import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseOperation } from '../../src/protocol/chain/operation.ts';
import { keyOf } from '../application/ledger/chain-of-ledger.ts';
import { present } from '../protocol/consensus/fixture.ts';
import { startTestServer, type TestServer } from '../rpc/server.ts';
import { LedgerNode } from './ledger-node.ts';
import { althing, type Run } from './run.ts';

const eve = keyOf('eve').text;

let directory = '';
let rpc: TestServer;
let node: LedgerNode;
let faucet = '';
/** The file of a seal that was done. */
let kept = '';
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'althing-sealed-'));
  const net = join(directory, 'net');
  const made = ['testnet', '--validators', '2', '--application', 'ledger', '--ordering', 'commit_reveal'];
  await althing([...made, '--output', net]);
  faucet = join(net, 'faucet.json');
  node = await LedgerNode.of(readFileSync(join(net, 'node0', 'config', 'genesis.json'), 'utf8'));
  rpc = await startTestServer({ port: node });
}, 60_000);
afterAll(async () => {
  await rpc.server.close();
  rmSync(directory, { recursive: true });
});

const ask = (...args: readonly string[]): Promise<Run> => althing(['ledger', ...args, '--rpc', rpc.url]);
const json = async (...args: readonly string[]) => JSON.parse((await ask(...args, '--json')).stdout);
const seals = (): readonly string[] => readdirSync(`${faucet}.seals`);
const eveHas = async (): Promise<string> => (await json('balance', eve)).balance;
/** Empty blocks, until the command has ended. */
async function whileBlocksCome(run: Promise<Run>): Promise<Run> {
  const timer = setInterval(() => node.pass(1), 100);
  try {
    return await run;
  } finally {
    clearInterval(timer);
  }
}

describe('althing ledger, on a chain that takes transfers sealed', { timeout: 60_000 }, () => {
  it('seals, reveals and follows a transfer by one command, and leaves no file', async () => {
    const sent = await whileBlocksCome(ask('transfer', eve, '2.5', '--key', faucet));
    expect([sent.code, sent.stderr]).toEqual([
      0,
      expect.stringMatching(/^sealed as [0-9a-f]{64}; .*\nrevealed at height \d+/),
    ]);
    expect(sent.stdout).toMatch(
      /^executed {2}height \d+, place 0 of the set of height \d+\nseal .*\ntransfer {2}2\.5 ALT: done\n$/,
    );
    expect(await eveHas()).toBe('2500000');
    expect(seals()).toEqual([]);
    expect(await json('supply')).toMatchObject({ deposits: '0' });
  });

  it('keeps what opens a seal in a file that only its owner reads, before anything is sent; resume goes on where a command stopped', async () => {
    const before = BigInt(await eveHas());
    const withheld: Uint8Array[] = [];
    node.withheld = withheld;
    // It waits for its seal for as long as no block takes it.
    const stopped = ask('transfer', eve, '1', '--key', faucet);
    await expect.poll(() => withheld.length, { timeout: 20_000 }).toBe(1);
    const path = join(`${faucet}.seals`, present(seals()[0], 'a file'));
    expect(statSync(path).mode & 0o777).toBe(0o600);
    kept = readFileSync(path, 'utf8');
    const sent = parseOperation(present(withheld[0], 'a transaction'))?.payload;
    expect(sent).toEqual(new Uint8Array(Buffer.from(JSON.parse(kept).seal, 'hex')));
    node.withheld = undefined;

    const resumed = await whileBlocksCome(ask('resume', '--key', faucet, '--json'));
    expect([resumed.code, JSON.parse(resumed.stdout)]).toEqual([
      0,
      [expect.objectContaining({ kind: 'transfer', outcome: 'done', place: 0 })],
    ]);
    // Its own operation runs out; the seal was done all the same, by the other command.
    node.idle(600);
    expect(await stopped).toMatchObject({ code: 0, stdout: expect.stringContaining('1 ALT: done') });
    expect([BigInt(await eveHas()) - before, seals()]).toEqual([1_000_000n, []]);

    // A file that outlived its seal says how it ended, and moves nothing again.
    writeFileSync(path, kept, { mode: 0o600 });
    expect((await ask('resume', '--key', faucet)).stdout).toContain('1 ALT: done');
    expect([BigInt(await eveHas()) - before, seals()]).toEqual([1_000_000n, []]);
  });

  it('says what is lost: the deposit, where the balance did not cover the transfer at the close', async () => {
    const sent = await whileBlocksCome(ask('transfer', eve, '999999999', '--key', faucet));
    expect([sent.code, sent.stdout]).toEqual([
      1,
      expect.stringMatching(/the balance did not cover it .* deposit is burned/),
    ]);
    expect(sent.stderr).toContain('1 of 1 sealed transfers moved nothing');
    expect(seals()).toEqual([]);
  });

  it('says that a seal never was, above its last height', async () => {
    const id = 'ab'.repeat(32);
    const file = { ...JSON.parse(kept), seal_id: id, last_height: 5 };
    writeFileSync(join(`${faucet}.seals`, `${id}.json`), JSON.stringify(file), { mode: 0o600 });
    const run = await ask('resume', '--key', faucet);
    expect([run.code, run.stderr]).toEqual([
      1,
      expect.stringMatching(/It was never sealed and never will be/),
    ]);
    expect(seals()).toEqual([]);
  });

  it('has nothing to resume where all has ended', async () => {
    expect((await ask('resume', '--key', faucet, '--json')).stdout).toBe('[]\n');
  });
});

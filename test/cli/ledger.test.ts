import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseTransaction } from '../../src/application/ledger/transaction.ts';
import {
  encodeOperation,
  type OperationContent,
  parseOperation,
} from '../../src/protocol/chain/operation.ts';
import { heightPlus } from '../../src/protocol/chain/ordinals.ts';
import { keyOf } from '../application/ledger/chain-of-ledger.ts';
import { present } from '../protocol/consensus/fixture.ts';
import { startTestServer, type TestServer } from '../rpc/server.ts';
import { LedgerNode } from './ledger-node.ts';
import { althing, type Run } from './run.ts';

let directory = '';
let rpc: TestServer;
let node: LedgerNode;
let faucet = '';
let account = '';
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'althing-ledger-'));
  const made = await althing([
    'testnet',
    '--validators',
    '2',
    '--application',
    'ledger',
    '--output',
    join(directory, 'net'),
  ]);
  expect(made).toMatchObject({ code: 0, stderr: '' });
  faucet = join(directory, 'net', 'faucet.json');
  account = join(directory, 'ada.json');
  const genesis = readFileSync(join(directory, 'net', 'node0', 'config', 'genesis.json'), 'utf8');
  node = await LedgerNode.of(genesis);
  rpc = await startTestServer({ port: node });
}, 60_000);
afterAll(async () => {
  await rpc.server.close();
  rmSync(directory, { recursive: true });
});

const ledger = (...args: readonly string[]): Promise<Run> => althing(['ledger', ...args]);
const ask = (...args: readonly string[]): Promise<Run> => ledger(...args, '--rpc', rpc.url);
const json = async (...args: readonly string[]) => JSON.parse((await ask(...args, '--json')).stdout);
const addressIn = async (file: string): Promise<string> =>
  JSON.parse((await ledger('address', '--key', file, '--json')).stdout).address;

/** A transfer of 3 coins to eve that gets into no block as yet. */
async function withheldTransfer(): Promise<{
  readonly operation: OperationContent;
  readonly sent: Promise<Run>;
}> {
  const withheld: Uint8Array[] = [];
  node.withheld = withheld;
  const sent = ask('transfer', keyOf('eve').text, '3', '--key', faucet);
  await expect.poll(() => withheld.length, { timeout: 20_000 }).toBe(1);
  return { operation: present(parseOperation(present(withheld[0], 'a transaction')), 'an operation'), sent };
}

describe('althing ledger', { timeout: 60_000 }, () => {
  it('makes keys that only their owner reads, and never writes over one', async () => {
    const made = await ledger('keys', 'new', account);
    expect([made.code, made.stdout]).toEqual([0, expect.stringMatching(/^address {5}al1[a-z0-9]{38}\n/)]);
    expect(statSync(account).mode & 0o777).toBe(0o600);
    expect((await ledger('keys', 'show', account)).stdout).toBe(made.stdout);
    const again = await ledger('keys', 'new', account);
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('never written over')]);
    const nowhere = join(directory, 'nowhere');
    const homeless = await ledger('keys', 'new', join(nowhere, 'key.json'));
    const words = `althing: ${join(nowhere, 'key.json')}: there is no directory ${nowhere}: make it, or name another file\n`;
    expect([homeless.code, homeless.stderr]).toEqual([2, words]);
    const none = await ledger('address', '--key', join(directory, 'none.json'));
    expect([none.code, none.stderr]).toEqual([3, expect.stringContaining('ledger keys new')]);
  });

  it('sends coins from the faucet, and says what there is', async () => {
    const ada = await addressIn(account);
    const sent = await ask('transfer', ada, '250000.5', '--key', faucet, '--tip', '0.1');
    expect([sent.code, sent.stderr]).toEqual([0, '']);
    expect(sent.stdout).toMatch(
      /^committed {2}height 1, after \d+ ms\nhash .*\ntransfer {3}250000\.5 ALT\n$/,
    );
    expect((await ask('balance', ada)).stdout).toContain('250000.5 ALT');
    expect(await json('balance', '--key', faucet)).toMatchObject({ nonce: '1', balance: '999749999399900' });
    const supply = (await ask('supply')).stdout;
    expect(supply).toMatch(/^genesis {6}1000202000 ALT\n/);
    expect(supply).toContain('burned       0.0001 ALT');
  });

  it('stakes: a node of the network gets more, takes it out again, and cannot have it at once', async () => {
    const home = join(directory, 'net', 'node0');
    const operator = join(home, 'keys', 'account.json');
    await ask('transfer', await addressIn(operator), '100000', '--key', faucet);
    const validator = JSON.parse((await althing(['show-node-id', '--home', home, '--json'])).stdout).node_id;
    const options = ['--validator', validator, '--key', operator];
    expect(await ask('stake', '100000', ...options)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/\nits power counts from the next epoch on, .*\n$/),
    });
    const shown = await json('validators');
    expect(shown).toContainEqual(
      expect.objectContaining({ address: validator, power: '2', stake: '200000000000' }),
    );
    const taken = await ask('unstake', '100000', ...options);
    expect([taken.code, taken.stdout.includes('from the next epoch on')]).toEqual([0, true]);
    const early = await ask('withdraw', ...options);
    expect([early.code, early.stderr]).toEqual([
      1,
      expect.stringMatching(/in block \d+, but it failed: nothing can be withdrawn/),
    ]);
  });

  it('rotates the consensus key of a validator to the newest of its home (LG-19)', async () => {
    const home = join(directory, 'net', 'node1');
    const options = ['--home', home, '--key', join(home, 'keys', 'account.json')];
    const early = await ask('rotate', ...options);
    expect([early.code, early.stderr]).toEqual([
      1,
      expect.stringContaining('has this consensus key already'),
    ]);
    const made = JSON.parse((await althing(['rotate-key', '--home', home, '--json'])).stdout);
    const rotated = await ask('rotate', ...options);
    expect([rotated.code, rotated.stderr]).toEqual([0, '']);
    const text = Buffer.from(made.address, 'utf8').toString('hex');
    const found = await rpc.call('abci_query', { path: '/validator', data: text });
    const { value } = (found.result as { response: { value: string } }).response;
    const shown = JSON.parse(Buffer.from(value, 'base64').toString('utf8'));
    expect(shown).toMatchObject({ consensus_key: made.consensus_key, power: '1' });
  });

  it('registers a node that was not in the genesis, with its keys', async () => {
    const home = join(directory, 'new-node');
    const genesis = join(directory, 'net', 'node0', 'config', 'genesis.json');
    expect((await althing(['init', '--home', home, '--genesis', genesis])).code).toBe(0);
    // The newest key is registered, with its own proof.
    expect((await althing(['rotate-key', '--home', home])).code).toBe(0);
    const staked = await ask('stake', '200000', '--home', home, '--key', account);
    expect([staked.code, staked.stderr]).toEqual([0, '']);
    expect(await json('validators')).toContainEqual(
      expect.objectContaining({ power: '2', operator: await addressIn(account) }),
    );
  });

  it('signs up to which height it may be done, the same at which the operation expires: then nobody can have it done (LG-18)', async () => {
    const { operation, sent } = await withheldTransfer();
    const signed = parseTransaction(operation.payload);
    if ('problem' in signed) throw new Error(signed.problem);
    expect(signed.lastHeight).toBe(BigInt(operation.expiresAtHeight));
    expect(operation.expiresAtHeight).toBe(node.executed().height + 500);
    node.idle(501);
    node.withheld = undefined;
    const run = await sent;
    expect([run.code, run.stderr]).toEqual([1, expect.stringMatching(/expired: height \d+ .*never will be/)]);
    const before = (await ask('balance', keyOf('eve').text)).stdout;
    const later = { ...operation, expiresAtHeight: heightPlus(operation.expiresAtHeight, 100) };
    const answers = await node.submit([operation.payload, encodeOperation(later)]);
    expect(answers).toMatchObject([{ applicationCode: 18 }, { applicationCode: 18 }]);
    node.execute(operation.payload);
    node.execute(encodeOperation(later));
    expect((await ask('balance', keyOf('eve').text)).stdout).toBe(before);
  });

  it('says so when somebody had it done in another operation while its own expired (LG-18)', async () => {
    const { operation, sent } = await withheldTransfer();
    node.execute(encodeOperation({ ...operation, nonce: operation.nonce ^ 1n }));
    node.idle(501);
    node.withheld = undefined;
    const run = await sent;
    expect([run.code, run.stdout]).toEqual([1, '']);
    expect(run.stderr).toMatch(/did nothing up to height \d+, but .* sent on in another operation/);
    expect((await ask('balance', keyOf('eve').text)).stdout).toContain('3 ALT');
  });

  it.each([
    ['a mistyped address', ['transfer', `${keyOf('ada').text}q`, '1'], 2, 'copy it again'],
    ['an amount with a comma', ['transfer', keyOf('ada').text, '1,5'], 2, 'is no amount'],
    ['too many decimals', ['transfer', keyOf('ada').text, '0.0000001'], 2, 'has 7 decimals; the coin has 6'],
    ['nothing', ['transfer', keyOf('ada').text, '0'], 2, '0 is nothing'],
    ['a tip that is none', ['transfer', keyOf('ada').text, '1', '--tip', '-'], 2, 'is no amount'],
    ['more than there is', ['transfer', keyOf('ada').text, '18000000000000'], 1, 'send less'],
    ['no validator', ['unstake', '1'], 2, 'which validator?'],
    ['a validator that is none', ['stake', '1', '--validator', 'ada'], 2, 'give its 40 letters'],
    ['a stranger without a home', ['stake', '1', '--validator', 'f'.repeat(40)], 2, 'give --home DIR'],
  ])('answers %s with words and an exit code', async (_, args, code, words) => {
    const run = await ask(...args, ...(args[0] === 'balance' ? [] : ['--key', faucet]));
    expect([run.code, run.stdout, run.stderr]).toEqual([code, '', expect.stringContaining(words)]);
  });

  it('gives a chain of one node its faucet in its home, and a local network keeps to its application', async () => {
    const home = join(directory, 'single');
    expect((await althing(['init', '--home', home, '--application', 'ledger'])).code).toBe(0);
    expect(await addressIn(join(home, 'faucet.json'))).toMatch(/^al1/);
    const other = await althing(['--data', join(directory, 'net'), '--application', 'kv']);
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('runs "ledger" by its genesis')]);
    const unknown = await althing(['init', '--home', join(directory, 'x'), '--application', 'coins']);
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('"kv", "ledger"')]);
  });

  it('says that a chain of another application is no ledger', async () => {
    const other = await startTestServer();
    const run = await ledger('supply', '--rpc', other.url);
    await other.server.close();
    expect([run.code, run.stderr]).toEqual([
      1,
      expect.stringMatching(/another shape than a ledger|is no ledger/),
    ]);
  });
});

/** `ledger …`: keys, transfers and stakes on a chain whose application is the ledger. docs/ledger.md, "Commands". */
import type { Command } from 'commander';
import { type CommonOptions, type TargetOptions, withJson, withTarget } from '../command.ts';
import { createOutput, fields, table } from '../output.ts';
import { targetOf } from '../rpc-client.ts';

interface KeyOptions {
  readonly key: string;
}
interface SendOptions extends TargetOptions, KeyOptions {
  readonly tip: string;
  readonly also?: string;
}
interface StakeOptions extends SendOptions {
  readonly validator?: string;
}

/** That of a local network in its default place. */
const KEY_DEFAULT = '.althing/faucet.json';

export function addLedgerCommands(program: Command): void {
  const ledger = program.command('ledger').description('coins: keys, transfers, stakes (docs/ledger.md)');
  const keys = ledger.command('keys').description('key files of accounts');
  withJson(keys.command('new').description('make the key of a new account'))
    .argument('<file>', 'the file to make; sealed with the passphrase in ALTHING_PASSPHRASE_FILE')
    .action(newKey);
  withJson(keys.command('show').description('the address and public key of a key file'))
    .argument('<file>', 'the key file')
    .action(showKey);
  withKey(withJson(ledger.command('address').description('the address of a key'))).action(showAddress);
  withSending(ledger.command('transfer').description('send coins'))
    .option('--chain <hash>', 'the genesis hash of another chain, where the recipient is')
    .argument('<to>', 'the address of the recipient, al1…')
    .argument('<amount>', 'coins, as in 12.5')
    .action(transfer);
  withKey(
    withTarget(ledger.command('resume').description('go on with sealed transfers that were interrupted')),
  ).action(resume);
  withKey(withTarget(ledger.command('balance').description('what an account has')))
    .argument('[address]', 'its address (default: that of the key)')
    .action(showBalance);
  withValidator(
    withSending(
      ledger
        .command('stake')
        .description('register a node as a validator of the ledger, or give one more stake'),
    ),
  )
    .argument('<amount>', 'coins')
    .action(stake);
  withValidator(
    withSending(ledger.command('unstake').description('take stake out; it can be withdrawn later')),
  )
    .argument('<amount>', 'coins')
    .action(unstake);
  withValidator(withSending(ledger.command('withdraw').description('get back what was unstaked'))).action(
    withdraw,
  );
  withSending(
    ledger
      .command('rotate')
      .description("the newest consensus key of --home, made by 'althing rotate-key', for its validator"),
  ).action(rotate);
  withTarget(ledger.command('validators').description('stakes and who owns them')).action(showValidators);
  withTarget(ledger.command('supply').description('where all coins are')).action(showSupply);
}

const withKey = (command: Command): Command =>
  command.option('--key <file>', 'the key file of the account', KEY_DEFAULT);
const withSending = (command: Command): Command =>
  withKey(withTarget(command))
    .option('--tip <amount>', 'coins for the proposer: higher goes first', '0')
    .option(
      '--also <rpc,…>',
      "further nodes, asked for the account's next nonce too: of one that is behind it is an old one",
    );
const withValidator = (command: Command): Command =>
  command.option('--validator <address>', 'its 40 letters (default: the node of --home)');

async function newKey(file: string, options: CommonOptions): Promise<void> {
  const client = await import('../ledger/client.ts');
  printKey(client.newKey(file), file, options);
}

async function showKey(file: string, options: CommonOptions): Promise<void> {
  const client = await import('../ledger/client.ts');
  printKey(client.readKey(file), file, options);
}

function printKey(
  { address, publicKey }: { readonly address: string; readonly publicKey: Uint8Array },
  file: string,
  options: CommonOptions,
): void {
  const shown = { address, public_key: Buffer.from(publicKey).toString('hex'), file };
  createOutput(options.json === true).data(
    shown,
    fields(Object.entries(shown).map(([name, value]) => [name.replaceAll('_', ' '), value])),
  );
}

async function showAddress(options: CommonOptions & KeyOptions): Promise<void> {
  const { readKey } = await import('../ledger/client.ts');
  const { address } = readKey(options.key);
  createOutput(options.json === true).data({ address }, [address]);
}

async function showBalance(address: string | undefined, options: TargetOptions & KeyOptions): Promise<void> {
  const { askAccount, askChain, readKey } = await import('../ledger/client.ts');
  const { addressOfText } = await import('../ledger/arguments.ts');
  const { coinsText } = await import('../../application/ledger/amount.ts');
  const asked = address === undefined ? readKey(options.key).address : addressOfText(address).text;
  const target = targetOf(options);
  const chain = await askChain(target);
  const { balance, nonce } = await askAccount(target, asked);
  createOutput(options.json === true).data(
    { address: asked, balance: balance.toString(), nonce: nonce.toString() },
    fields([
      ['address', asked],
      ['balance', coinsText(balance, chain)],
      ['transactions', nonce.toString()],
    ]),
  );
}

async function transfer(
  to: string,
  amount: string,
  options: SendOptions & { readonly chain?: string },
): Promise<void> {
  const { addressOfText, genesisHashOf } = await import('../ledger/arguments.ts');
  const recipient = addressOfText(to);
  const chain = options.chain === undefined ? undefined : genesisHashOf(options.chain);
  const { submit } = await import('../ledger/submit.ts');
  await submit(options, (_, unitsOf) => {
    const what = { to: recipient.bytes, amount: unitsOf(amount) };
    return chain === undefined ? { kind: 'transfer', ...what } : { kind: 'send', chain, ...what };
  });
}

async function resume(options: TargetOptions & KeyOptions): Promise<void> {
  const { askChain } = await import('../ledger/client.ts');
  const { resumeSealed } = await import('../ledger/sealed.ts');
  const target = targetOf(options);
  const { domain } = await askChain(target);
  await resumeSealed(options.key, target, domain.chainId, createOutput(options.json === true));
}

async function stake(amount: string, options: StakeOptions): Promise<void> {
  const { stakePayload, submit } = await import('../ledger/submit.ts');
  await submit(options, (context, unitsOf) => stakePayload(options, unitsOf(amount), context));
}

async function unstake(amount: string, options: StakeOptions): Promise<void> {
  const { submit } = await import('../ledger/submit.ts');
  const { validatorOf } = await import('../ledger/arguments.ts');
  const validator = validatorOf(options).bytes;
  await submit(options, (_, unitsOf) => ({ kind: 'unstake', validator, amount: unitsOf(amount) }));
}

async function withdraw(options: StakeOptions): Promise<void> {
  const { submit } = await import('../ledger/submit.ts');
  const { validatorOf } = await import('../ledger/arguments.ts');
  const validator = validatorOf(options).bytes;
  await submit(options, () => ({ kind: 'withdraw', validator }));
}

async function rotate(options: SendOptions): Promise<void> {
  const { home } = options;
  const { rotatePayload, submit } = await import('../ledger/submit.ts');
  const { usageFailure } = await import('../failure.ts');
  if (home === undefined) throw usageFailure('which node? give --home DIR, whose keys are rotated');
  await submit(options, () => rotatePayload(home));
}

async function showSupply(options: TargetOptions): Promise<void> {
  const { askChain, askSupply } = await import('../ledger/client.ts');
  const { coinsText } = await import('../../application/ledger/amount.ts');
  const target = targetOf(options);
  const chain = await askChain(target);
  const supply = Object.entries(await askSupply(target));
  createOutput(options.json === true).data(
    Object.fromEntries(supply.map(([name, amount]) => [name, amount.toString()])),
    fields(supply.map(([name, amount]) => [name, coinsText(amount, chain)])),
  );
}

async function showValidators(options: TargetOptions): Promise<void> {
  const { askChain, askValidators } = await import('../ledger/client.ts');
  const { coinsText } = await import('../../application/ledger/amount.ts');
  const target = targetOf(options);
  const chain = await askChain(target);
  const validators = await askValidators(target);
  createOutput(options.json === true).data(
    validators.map(({ address, operator, power, stake: held }) => ({
      address,
      operator,
      power,
      stake: held.toString(),
    })),
    table([
      ['validator', 'power', 'stake', 'operator'],
      ...validators.map(({ address, operator, power, stake: held }) => [
        address,
        power,
        coinsText(held, chain),
        operator,
      ]),
    ]),
  );
}

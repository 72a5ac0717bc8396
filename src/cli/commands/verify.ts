/** `althing verify`: what a node says, believed only by proof from the genesis. docs/operator-guide.md. Boundary: HTTP and the genesis file. */
import type { Command } from 'commander';
import { fromHex } from '../../base/bytes.ts';
import { LightClient } from '../../client/light/light-client.ts';
import { ForkFound, NotProven, TrustExpired, type VerifiedHeader } from '../../client/light/types.ts';
import { loadBlsEngine } from '../../crypto/bls/select.ts';
import { loadGenesis } from '../../node/config/genesis-file.ts';
import { homePaths } from '../../node/config/home.ts';
import { genesisToJson } from '../../protocol/chain/genesis.ts';
import { parseOperation } from '../../protocol/chain/operation.ts';
import { collectText, type TargetOptions, withTarget } from '../command.ts';
import { configFailure, runtimeFailure, usageFailure } from '../failure.ts';
import { createOutput, fields, readableBytes } from '../output.ts';
import { targetOf } from '../rpc-client.ts';

interface VerifyOptions extends TargetOptions {
  readonly genesis?: string;
  readonly genesisHash?: string;
  readonly witness?: readonly string[];
}

const withTrust = (command: Command): Command =>
  withTarget(command)
    .option('--genesis <file>', 'genesis document that is trusted (default: that of --home)')
    .option('--genesis-hash <hash>', 'its hash, as somebody you believe says it')
    .option('--witness <address>', 'RPC of another node, to be compared with; may be repeated', collectText);

export function addVerifyCommand(program: Command): void {
  const verify = program
    .command('verify')
    .description('check by proof from the genesis what a node says; no node is believed');
  withTrust(verify.command('header').description('a committed header'))
    .argument('[height]', 'its height (default: the newest)')
    .action((height: string | undefined, options: VerifyOptions) => verifyHeader(height, options));
  withTrust(
    verify.command('key').description("what a key of the application's state has, or that it is not there"),
  )
    .argument('<key>', 'the key: a text, or 0x and hexadecimal')
    .action((key: string, options: VerifyOptions) => verifyKey(key, options));
  withTrust(verify.command('tx').description('that a transaction is in a committed block'))
    .argument('<hash>', 'its hash, 64 hexadecimal letters')
    .action((hash: string, options: VerifyOptions) => verifyTransaction(hash, options));
}

async function verifyHeader(given: string | undefined, options: VerifyOptions): Promise<void> {
  if (given !== undefined && !/^[1-9][0-9]{0,14}$/.test(given))
    throw usageFailure(`verify header ${given}: give a height above 0`);
  const header = await proven(options, (light) =>
    light.header(given === undefined ? undefined : Number(given)),
  );
  const { height, id, executed } = header;
  createOutput(options.json === true).data(
    { ...labelOf(header), executed_height: String(executed.height), app_hash: executed.appHash },
    [
      ...fields([
        ['proven', `height ${height}, epoch ${header.epoch}`],
        ['hash', id],
        ['time', new Date(header.time).toISOString()],
        ['state', `${executed.appHash}, after height ${executed.height}`],
      ]),
    ],
  );
}

async function verifyKey(given: string, options: VerifyOptions): Promise<void> {
  const key = given.startsWith('0x') ? fromHex(given.slice(2)) : new TextEncoder().encode(given);
  if (key === undefined)
    throw usageFailure(`verify key ${given}: after 0x give hexadecimal letters, two a byte`);
  const { value, height, header } = await proven(options, (light) => light.pair(key));
  const shown = value === undefined ? null : readableBytes(value);
  createOutput(options.json === true).data(
    { key: given, value: shown, state_height: String(height), header: labelOf(header) },
    fields([
      ['proven', `by the header of height ${header.height}, for the state after ${height}`],
      ['time', new Date(header.time).toISOString()],
      ['key', given],
      ['value', shown ?? '(the key is not there)'],
    ]),
  );
}

async function verifyTransaction(hash: string, options: VerifyOptions): Promise<void> {
  if (!/^[0-9A-Fa-f]{64}$/.test(hash)) throw usageFailure(`verify tx ${hash}: give 64 hexadecimal letters`);
  const { bytes, header } = await proven(options, (light) => light.transaction(hash));
  // What the application gets of it (EX-7).
  const payload = readableBytes(parseOperation(bytes)?.payload ?? bytes);
  createOutput(options.json === true).data(
    { hash: hash.toUpperCase(), payload, header: labelOf(header) },
    fields([
      ['proven', `in the block of height ${header.height}; whether it succeeded, the state alone says`],
      ['hash', hash.toUpperCase()],
      ['payload', payload],
    ]),
  );
}

const labelOf = ({ height, id, epoch, time }: VerifiedHeader): object => ({
  height: String(height),
  hash: id,
  epoch: String(epoch),
  time: new Date(time).toISOString(),
});

async function proven<Value>(
  options: VerifyOptions,
  ask: (light: LightClient) => Promise<Value>,
): Promise<Value> {
  const { engine } = await loadBlsEngine();
  const file =
    options.genesis ?? (options.home === undefined ? undefined : homePaths(options.home).genesisFile);
  if (file === undefined)
    throw usageFailure(
      'verify needs what to trust: give --genesis FILE, or --home DIR, whose genesis it then is',
    );
  const loaded = loadGenesis(file, engine);
  if (loaded.status === 'refused') throw configFailure(loaded.problems);
  const { genesisHash } = options;
  if (genesisHash !== undefined && genesisHash.toLowerCase() !== loaded.hash)
    throw usageFailure(
      `${file} has the hash ${loaded.hash}, not ${genesisHash}: it is the genesis of another chain`,
    );
  const targets = [options.rpc, ...(options.witness ?? [])];
  const endpoints = targets.map((rpc) => targetOf(rpc === undefined ? { ...options } : { rpc }).url);
  const light = new LightClient({
    endpoints,
    trusted: { genesis: genesisToJson(loaded.genesis) },
    bls: engine,
  });
  try {
    const value = await ask(light);
    const output = createOutput(options.json === true);
    for (const { url, lie, silence } of light.endpoints) {
      if (lie !== '') output.note(`${url} ${lie}; what is shown was proven by another node`);
      else if (silence !== '') output.note(`${url} ${silence}; it was not compared`);
    }
    return value;
  } catch (cause) {
    if (cause instanceof ForkFound || cause instanceof NotProven || cause instanceof TrustExpired)
      throw runtimeFailure(`not proven: ${cause.message}${adviceOn(cause, file)}`);
    throw cause;
  } finally {
    light.close();
  }
}

/** The hash of an epoch is made of the genesis hash on: what is of another chain differs there, whatever else is equal. */
function adviceOn(cause: Error, file: string): string {
  const problems = cause instanceof NotProven ? cause.problems : [];
  const strangers = problems.filter(
    ({ refusal }) => refusal !== 'malformed' && refusal?.code === 'EPOCH_HASH_WRONG',
  );
  if (strangers.length === 0) return '';
  const urls = strangers.map(({ url }) => url).join(', ');
  return `\nwhat ${urls} shows is of another chain than the genesis ${file}, or a lie: give the genesis of the chain that is meant (--genesis), or ask another node (--rpc)`;
}

/** Commands that use a running node: tx, query, block; and the operator's view-change. */
import type { Command } from 'commander';
import pc from 'picocolors';
import { parseOperation } from '../../protocol/chain/operation.ts';
import { type TargetOptions, withTarget } from '../command.ts';
import { commitOperation } from '../commit.ts';
import { runtimeFailure, usageFailure } from '../failure.ts';
import { createOutput, fields, readableBytes } from '../output.ts';
import { callRpc, requireOperator, targetOf } from '../rpc-client.ts';
import { BLOCK, QUERY, VIEW_CHANGE } from '../shapes.ts';

export function addUseCommands(program: Command): void {
  withTarget(program.command('tx').description('send a transaction and wait until it is committed'))
    .argument('<text>', "the transaction; for the built-in application 'name=ada'")
    .action(sendTransaction);
  withTarget(program.command('query').description("ask the application's state"))
    .argument('<key>', 'the key to look up')
    .option('--path <path>', "the application's query path", '')
    .option('--height <height>', 'ask an older state')
    .action(query);
  withTarget(program.command('block').description('a committed block'))
    .argument('[height]', 'its height (default: the newest)')
    .action(showBlock);
  withTarget(
    program.command('view-change').description('operator: make the node give up its current round'),
  ).action(requestViewChange);
}

async function sendTransaction(text: string, options: TargetOptions): Promise<void> {
  if (text === '') throw usageFailure('the transaction is empty: give at least one letter');
  const { hash, outcome, took } = await commitOperation(targetOf(options), Buffer.from(text, 'utf8'));
  const { height, index } = outcome;
  const { code, log } = outcome.result;
  createOutput(options.json === true).data(
    { hash, height: String(height), index, tx_result: { code, log } },
    fields([
      ['committed', `height ${height}, after ${took}`],
      ['hash', hash],
      ['result', code === 0 ? pc.green('ok') : pc.red(`code ${code} ${log}`.trim())],
    ]),
  );
  if (code !== 0)
    throw runtimeFailure(
      `committed, but it failed: ${log === '' ? `code ${code}` : `${log} (code ${code})`}`,
    );
}

async function query(
  key: string,
  options: TargetOptions & { readonly path: string; readonly height?: string },
): Promise<void> {
  const { path, height } = options;
  if (height !== undefined && !/^[0-9]+$/.test(height))
    throw usageFailure(`--height ${height}: give a whole number`);
  const params = {
    path,
    data: Buffer.from(key, 'utf8').toString('hex'),
    ...(height === undefined ? {} : { height }),
  };
  const { response } = await callRpc(targetOf(options), 'abci_query', params, QUERY);
  if (response.code !== 0) throw runtimeFailure(`${response.log} (code ${response.code})`);
  if (response.value === null) throw runtimeFailure(`"${key}" has no value at height ${response.height}`);
  const value = readableBytes(Buffer.from(response.value, 'base64'));
  createOutput(options.json === true).data({ key, value, height: response.height }, [value]);
}

async function showBlock(height: string | undefined, options: TargetOptions): Promise<void> {
  if (height !== undefined && !/^[1-9][0-9]*$/.test(height))
    throw usageFailure(`block ${height}: give a height above 0`);
  const found = await callRpc(targetOf(options), 'block', height === undefined ? {} : { height }, BLOCK);
  const { header, data } = found.block;
  createOutput(options.json === true).data(found, [
    ...fields([
      ['height', header.height],
      ['hash', found.block_id.hash],
      ['parent', header.last_block_id.hash === '' ? 'genesis' : header.last_block_id.hash],
      ['time', header.time],
      ['proposer', header.proposer_address],
      ['state before', header.app_hash],
      ['transactions', String(data.txs.length)],
    ]),
    ...data.txs.map((tx) => `  ${readableBytes(payloadOf(Buffer.from(tx, 'base64')))}`),
  ]);
}

async function requestViewChange(options: TargetOptions): Promise<void> {
  const target = targetOf(options);
  requireOperator(target, 'view-change');
  const answer = await callRpc(target, 'althing_view_change', {}, VIEW_CHANGE);
  createOutput(options.json === true).data(answer, [`asked to leave round ${answer.round}`]);
}

/** What the application gets of it (EX-7). */
const payloadOf = (transaction: Buffer): Buffer =>
  Buffer.from(parseOperation(transaction)?.payload ?? transaction);

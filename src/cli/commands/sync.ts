/** `sync`: how the node catches up, once or every second; with --now the operator's order to check at once (seed 002: manualSync). */
import { type Command, Option } from 'commander';
import { type TargetOptions, withTarget } from '../command.ts';
import { runtimeFailure } from '../failure.ts';
import { createOutput, plainText } from '../output.ts';
import { callRpc, type RpcTarget, requireOperator, targetOf } from '../rpc-client.ts';
import { SYNC, SYNC_NOW } from '../shapes.ts';
import { followSync, isBusy, readSync } from '../sync-follow.ts';
import { syncLines } from '../sync-lines.ts';
import { columns, watchReport } from '../watch.ts';

interface SyncOptions extends TargetOptions {
  readonly watch?: boolean;
  readonly now?: boolean;
}

export function addSyncCommand(program: Command): void {
  withTarget(
    program
      .command('sync')
      .description('how far the node is with its network: status, peers, progress, alerts'),
  )
    .option('--watch', 'again every second, until Ctrl-C')
    .addOption(
      new Option('--now', 'operator: check and catch up at once, and show it until it is done').conflicts(
        'watch',
      ),
    )
    .action(showSync);
}

async function showSync(options: SyncOptions): Promise<void> {
  const target = targetOf(options);
  if (options.now === true) return syncNow(target, options);
  const json = options.json === true;
  const first = await readSync(target);
  if (options.watch === true) {
    return watchReport(first, {
      json,
      read: () => readSync(target),
      lines: (sync) => syncLines(sync, columns()),
    });
  }
  createOutput(json).data(first, syncLines(first, columns()));
}

async function syncNow(target: RpcTarget, { json }: SyncOptions): Promise<void> {
  requireOperator(target, 'sync --now');
  const answer = await callRpc(target, 'althing_sync_now', {}, SYNC_NOW);
  if (answer.status === 'running') await followSync(target, { json: json === true, goesOn: isBusy });
  const sync = await callRpc(target, 'althing_sync', {}, SYNC);
  createOutput(json === true).data(sync, syncLines(sync, columns()));
  const error = answer.status === 'done' ? answer.error : sync.last_error;
  if (error !== null) throw runtimeFailure(plainText(`not in sync: ${error.code}: ${error.detail}`));
  if (sync.status.kind !== 'InSync') throw runtimeFailure(plainText(`not in sync: ${sync.health}`));
}

/**
 * `resync`: the operator's order to download the whole chain beside the own one (seed 001: fullResync), shown until it is whole;
 * --rollback puts the replaced chain back. Rule SY-9, docs/operator-guide.md.
 */
import { createInterface } from 'node:readline/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type TargetOptions, withTarget } from '../command.ts';
import { runtimeFailure, usageFailure } from '../failure.ts';
import { createOutput, plainText } from '../output.ts';
import { callRpc, type RpcTarget, requireOperator, targetOf } from '../rpc-client.ts';
import { RESYNC, STATUS } from '../shapes.ts';
import { followSync, readSync } from '../sync-follow.ts';
import type { Sync } from '../sync-lines.ts';

interface Checkpoint {
  readonly height: string;
  readonly id: string;
}

interface ResyncOptions extends TargetOptions {
  readonly checkpoint?: Checkpoint;
  readonly rollback?: boolean;
  readonly settleFork?: boolean;
  readonly yes?: boolean;
}

export function addResyncCommand(program: Command): void {
  withTarget(
    program.command('resync').description('operator: download the whole chain anew; it replaces the own one'),
  )
    .option(
      '--checkpoint <height:id>',
      'refuse a chain without this block: its height, and its id of 64 hexadecimal digits',
      readCheckpoint,
    )
    .addOption(
      new Option('--rollback', 'of a stopped node: the chain that was replaced is its chain again').conflicts(
        ['checkpoint', 'rpc'],
      ),
    )
    .addOption(
      new Option(
        '--settle-fork',
        'of a stopped node: put the evidence of a fork aside, so that it signs again',
      ).conflicts(['checkpoint', 'rpc', 'rollback']),
    )
    .option('--yes', 'do not ask for confirmation')
    .action(resync);
}

function readCheckpoint(raw: string): Checkpoint {
  const [, height, id] = /^([1-9][0-9]{0,15}):([0-9a-fA-F]{64})$/.exec(raw) ?? [];
  if (height === undefined || id === undefined || !Number.isSafeInteger(Number(height)))
    throw new InvalidArgumentError('give HEIGHT:ID, with the 64 hexadecimal digits of the block.');
  return { height, id };
}

async function resync(options: ResyncOptions): Promise<void> {
  if (options.rollback === true) {
    const { rollBack } = await import('../rollback.ts');
    return rollBack(options.home, options.json === true, () => confirm('rollback', options));
  }
  if (options.settleFork === true) {
    const { settleFork } = await import('../settle-fork.ts');
    return settleFork(options.home, options.json === true, () => confirm('settle-fork', options));
  }
  const target = targetOf(options);
  requireOperator(target, 'resync');
  const { node_info: node, sync_info: chain } = await callRpc(target, 'status', {}, STATUS);
  const output = createOutput(options.json === true);
  output.note(plainText(`${node.moniker} of ${node.network} is at height ${chain.latest_block_height}`));
  output.note((await readSync(target)).health);
  await confirm('resync', options);
  output.note('the node is asked; Ctrl-C ends this command alone, never what the node does');
  const { checkpoint } = options;
  const answer = await callRpc(
    target,
    'althing_resync',
    checkpoint === undefined ? {} : { ...checkpoint },
    RESYNC,
  );
  const end = answer.status === 'running' ? await follow(target, options) : answer;
  if (end.status === 'failed') {
    const words = `${end.error.code}: ${end.error.detail}; the old chain is as it was`;
    throw runtimeFailure(plainText(words));
  }
  output.data(end, [
    `the new chain is whole at height ${end.height}: the node starts again by itself, and goes on with it`,
    `the old one is kept for tier3_backup_retention_days: \`althing resync --rollback\` puts it back`,
  ]);
}

type Ended = Exclude<NonNullable<Sync['resync']>, { status: 'running' }>;

/** Reports without a word of the download, one a second, after which it is lost. @unit reports @source a check that runs ends first */
const WORDLESS_MAX = 60;

async function follow(target: RpcTarget, { json }: ResyncOptions): Promise<Ended> {
  let wordless = 0;
  const goesOn = ({ resync: state }: Sync): boolean => {
    if (state?.status === 'running') wordless = 0;
    else if (state === null) wordless += 1;
    else return false;
    return wordless <= WORDLESS_MAX;
  };
  const sync = await followSync(target, { json: json === true, goesOn });
  if (sync === undefined) {
    throw runtimeFailure(
      "the node does not answer any more: if it was stopped because the new chain is whole, it takes the old one's place at the next start; `althing sync` tells",
    );
  }
  if (sync.resync === null || sync.resync.status === 'running')
    throw runtimeFailure(
      'the download ended without a word: the node, or its cells of sync, were started anew; order it again',
    );
  return sync.resync;
}

const CONSEQUENCES = {
  resync:
    'The whole chain is downloaded beside the own one. When it is whole and verified it replaces it at the next start; what was signed stays.',
  rollback:
    'The chain of this home is put aside, and the one that it replaced is its chain again; what was signed stays.',
  'settle-fork':
    'Two proofs showed that safety was broken. Do this only when all operators have agreed which chain goes on, and this home has it.',
} as const;

/** @throws usage failure where the operator does not type the word */
async function confirm(word: keyof typeof CONSEQUENCES, { yes, json }: ResyncOptions): Promise<void> {
  if (yes === true) return;
  if (json === true || process.stdin.isTTY !== true)
    throw usageFailure(`${word} asks for a word at a terminal: give --yes where there is none`);
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const given = await lines.question(`${CONSEQUENCES[word]}\nType ${word} to go on: `);
  lines.close();
  if (given.trim() !== word) throw usageFailure('nothing was done');
}

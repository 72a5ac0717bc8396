/** Commands that read a running node: status, rounds, peers, net-info, health. */
import type { Command } from 'commander';
import pc from 'picocolors';
import type { z } from 'zod';
import { type TargetOptions, withTarget } from '../command.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { CommandFailure } from '../failure.ts';
import { bytesText, createOutput, fields, table } from '../output.ts';
import { callRpc, getPlain, targetOf } from '../rpc-client.ts';
import { NET_INFO, READINESS, ROUNDS, STATUS, SYNC, TIME } from '../shapes.ts';
import { type Sync, syncSentences } from '../sync-lines.ts';
import { timeSentence } from '../time-lines.ts';
import { columns } from '../watch.ts';

export function addReadCommands(program: Command): void {
  withTarget(program.command('status').description('what the node is doing')).action(showStatus);
  withTarget(program.command('rounds').description('the last rounds and view changes, and why')).action(
    showRounds,
  );
  withTarget(program.command('peers').description('the connected peers')).action(showPeers);
  withTarget(program.command('net-info').description('where the node listens, and its peers')).action(
    showNetInfo,
  );
  withTarget(program.command('health').description('whether the node is ready, and why not')).action(
    showHealth,
  );
}

async function showStatus(options: TargetOptions): Promise<void> {
  const target = targetOf(options);
  const status = await callRpc(target, 'status', {}, STATUS);
  const time = await callRpc(target, 'althing_time', { history: '0' }, TIME);
  const sync = await callRpc(target, 'althing_sync', {}, SYNC);
  const { current_epoch: epoch } = await callRpc(target, 'althing_rounds', {}, ROUNDS);
  const { node_info: node, sync_info: chain, validator_info: validator } = status;
  createOutput(options.json === true).data(
    { ...status, epoch, time: timeExcerpt(time), sync: syncExcerpt(sync) },
    [
      ...fields([
        ['chain', node.network],
        ['node', `${node.moniker} ${node.id}`],
        ['version', node.version],
        ['height', `${chain.latest_block_height} (${chain.latest_block_time})`],
        ['block', chain.latest_block_hash],
        ['state', chain.latest_app_hash],
        ['in sync', inSyncText(chain.catching_up, sync.status.kind)],
        ['epoch', epoch],
        [
          'power',
          validator.voting_power === '0'
            ? '0 (full node: it follows, and has no vote)'
            : validator.voting_power,
        ],
        ['time', timeSentence(time)],
      ]),
      ...syncSentences(sync, columns()),
    ],
  );
}

/** As `/readyz`, up to a small gap. What is on this disk may be whole while the network is elsewhere. */
function inSyncText(isCatchingUp: boolean, kind: Sync['status']['kind']): string {
  if (kind === 'Critical') return pc.red('no');
  if (isCatchingUp) return pc.yellow('catching up');
  if (kind === 'Unknown') return pc.yellow('unknown');
  return kind === 'InSync' || kind === 'SmallGap' ? pc.green('yes') : pc.red('no');
}

/** The rest is in `althing sync`. */
const syncExcerpt = (sync: Sync) => ({
  activity: sync.activity,
  status: sync.status,
  health: sync.health,
  consensus_height: sync.consensus_height,
  progress: sync.progress,
  alerts: sync.alerts,
});

/** The rest is in `althing time`. */
const timeExcerpt = (time: z.infer<typeof TIME>) => ({
  state: time.state,
  led_by: time.led_by,
  adjusted_time: time.adjusted_time,
  error_ms: time.error_ms,
  system_offset_ms: time.system_offset_ms,
  may_propose: time.may_propose,
  alerts: time.alerts,
});

async function showRounds(options: TargetOptions): Promise<void> {
  const report = await callRpc(targetOf(options), 'althing_rounds', {}, ROUNDS);
  const head = fields([
    ['epoch', report.current_epoch],
    ['round', report.current_round],
    ['high QC', `round ${report.high_qc_round}`],
    ['locked', `round ${report.locked_round}`],
    ['last vote', `round ${report.last_voted_round}`],
  ]);
  createOutput(options.json === true).data(report, [
    ...head,
    '',
    ...roundLines(report),
    '',
    ...viewChangeLines(report),
  ]);
}

type Rounds = z.infer<typeof ROUNDS>;

const roundLines = (report: Rounds): readonly string[] =>
  table([
    ['round', 'height', 'leader', 'step', 'votes', 'timeouts', 'why no vote'],
    ...report.rounds.map((round) => [
      round.round,
      round.height,
      shortened(round.leader),
      round.step,
      `${round.vote_power}/${report.quorum_power}`,
      `${round.timeout_power}/${report.quorum_power}`,
      round.refusal,
    ]),
  ]);

const viewChangeLines = (report: Rounds): readonly string[] =>
  report.view_changes.length === 0
    ? ['no view changes']
    : table([
        ['epoch', 'failed round', 'leader', 'reason', 'lasted', 'at'],
        ...report.view_changes.map((change) => [
          change.epoch,
          change.round,
          shortened(change.leader),
          change.reason,
          `${change.duration_ms} ms`,
          change.at,
        ]),
      ]);

async function showPeers(options: TargetOptions): Promise<void> {
  const info = await callRpc(targetOf(options), 'net_info', {}, NET_INFO);
  createOutput(options.json === true).data(info.peers, peerLines(info));
}

async function showNetInfo(options: TargetOptions): Promise<void> {
  const info = await callRpc(targetOf(options), 'net_info', {}, NET_INFO);
  const head = fields([
    ['listening', info.listening ? info.listeners.join(', ') : pc.yellow('no')],
    ['peers', info.n_peers],
  ]);
  createOutput(options.json === true).data(info, [...head, '', ...peerLines(info)]);
}

const peerLines = (info: z.infer<typeof NET_INFO>): readonly string[] =>
  info.peers.length === 0
    ? ['no peers are connected']
    : table([
        ['peer', 'name', 'address', 'direction', 'connected', 'sent', 'received'],
        ...info.peers.map(({ node_info: node, is_outbound: outbound, connection_status: connection }) => [
          node.id,
          node.moniker,
          node.listen_addr.replace('tcp://', ''),
          outbound ? 'outbound' : 'inbound',
          `${Math.round(Number(connection.Duration) / 1e9)} s`,
          bytesText(Number(connection.SendMonitor.Bytes)),
          bytesText(Number(connection.RecvMonitor.Bytes)),
        ]),
      ]);

async function showHealth(options: TargetOptions): Promise<void> {
  const { body } = await getPlain(targetOf(options), '/readyz');
  const { status, reasons } = READINESS.parse(body);
  createOutput(options.json === true).data({ status, reasons }, [
    status === 'ready' ? pc.green('ready') : pc.yellow(status),
    ...reasons.map((reason) => `- ${reason}`),
  ]);
  if (status !== 'ready') throw new CommandFailure('the node is not ready', EXIT_CODES.runtime);
}

const shortened = (address: string): string => address.slice(0, 8);

/** `bridge`: operations on their way, who can be reached, what peers say of the state (seed 004: getStats). */
import type { Command } from 'commander';
import pc from 'picocolors';
import type { z } from 'zod';
import { type TargetOptions, withTarget } from '../command.ts';
import { createOutput, fields, plainText, table } from '../output.ts';
import { callRpc, targetOf } from '../rpc-client.ts';
import { type ADAPTED, BRIDGE } from '../shapes.ts';
import { watchReport } from '../watch.ts';

interface BridgeOptions extends TargetOptions {
  readonly watch?: boolean;
}

type Bridge = z.infer<typeof BRIDGE>;

/** Pending operations that are shown. */
const SHOWN = 10;

export function addBridgeCommand(program: Command): void {
  withTarget(
    program
      .command('bridge')
      .description(
        'operations on their way, and whether they can be committed: missing validators, circuit breakers, divergences of the state',
      ),
  )
    .option('--watch', 'again every second, until Ctrl-C')
    .action(showBridge);
}

async function showBridge(options: BridgeOptions): Promise<void> {
  const target = targetOf(options);
  const read = (): Promise<Bridge> => callRpc(target, 'althing_bridge', { limit: String(SHOWN) }, BRIDGE);
  const first = await read();
  const json = options.json === true;
  if (options.watch === true) return watchReport(first, { json, read, lines: bridgeLines });
  createOutput(json).data(first, bridgeLines(first));
}

/** What `bridge` prints. */
export function bridgeLines(bridge: Bridge): readonly string[] {
  const { counts, state_sync: stateSync } = bridge;
  return [
    ...fields([
      ['reach', reachText(bridge)],
      ['healthy', bridge.healthy ? pc.green('yes') : pc.red('no')],
      ['power', `${bridge.reachable_power} can be reached, ${bridge.required_votes} decide`],
      ['operations', operationsText(bridge)],
      [
        'since the start',
        `${counts.committed} committed, ${counts.expired} expired, ${counts.rejected} rejected`,
      ],
      ...(counts.handed_again === 0 ? [] : [['handed again', handedAgainText(bridge)] as const]),
      [
        'messages',
        `${counts.messages_processed} of peers, ${counts.duplicates} of them duplicates${turnedAwayText(counts.turned_away)}`,
      ],
      [
        'state told',
        stateSync.height === null
          ? 'not yet'
          : `height ${stateSync.height}, ${stateSync.age_ms} ms ago; again every ${stateSync.interval_ms} ms`,
      ],
      ...(bridge.missing.length === 0 ? [] : [['missing', missingText(bridge)] as const]),
      ['breakers', breakersText(bridge)],
      ...pacingFields(bridge),
    ]),
    ...bridge.divergences.map(({ height, ours, theirs, by }) =>
      pc.red(plainText(`StateDivergence after height ${height}: ours ${ours}, ${by}: ${theirs}`)),
    ),
    ...(bridge.operations.length === 0
      ? []
      : table([
          ['operation', 'bytes', 'age', 'expires at', 'votes'],
          ...bridge.operations.map((operation) => [
            operation.id,
            String(operation.bytes),
            `${operation.age_ms} ms`,
            `height ${operation.expires_at_height}`,
            `${operation.votes_received ?? '?'} of ${operation.required_votes}`,
          ]),
        ])),
  ];
}

/** BR-11: what follows the load at present, and within which bounds. */
function pacingFields({ pacing }: Bridge): readonly (readonly [string, string])[] {
  if (pacing === null) return [];
  const { round_trip_ms: trip, round_timeout_ms: timeout, block_time_ms: blockTime } = pacing;
  const known = (value: number | null) => (value === null ? 'not measured yet' : `${value} ms`);
  return [
    ['round trip', `${known(trip)} to a quorum`],
    ...(timeout === null ? [] : [['round timeout', adaptedText(timeout, 'ms')] as const]),
    [
      'block time',
      `${known(blockTime)} under load; above ${pacing.block_time_target_ms} ms full blocks shrink`,
    ],
    ['block size', `${shareText(pacing.block_share)} of what the genesis allows`],
    ['batches', `every ${adaptedText(pacing.seal_interval_ms, 'ms')}`],
    ['batch size', `at most ${adaptedText(pacing.seal_bytes, 'bytes')}`],
  ];
}

const shareText = ({ now, least }: z.infer<typeof ADAPTED>): string =>
  `${(100 * now).toFixed(0)} % (${(100 * least).toFixed(0)} to 100 %)`;

const adaptedText = ({ now, least, greatest }: z.infer<typeof ADAPTED>, unit: string): string =>
  `${now} ${unit} (${least} to ${greatest})`;

const turnedAwayText = (operations: number): string =>
  operations === 0 ? '' : `; ${operations} operations of nodes that are no validators were too many`;

function handedAgainText({ counts }: Bridge): string {
  const lost = counts.not_kept === 0 ? '' : `; ${counts.not_kept} found no room to be kept for that`;
  return `${counts.handed_again} operations, to one more validator each: who had them brought them into no block${lost}`;
}

function reachText({ reach, partition, healed_after_ms: healed }: Bridge): string {
  if (partition !== null)
    return `${reach === 'partitioned' ? pc.red(reach) : pc.yellow(reach)}, ${partition}`;
  const last = healed === null ? '' : ` (the last partition took ${healed} ms)`;
  return `${pc.green(reach)}${last}`;
}

function operationsText({
  pending_operations: pending,
  max_pending_operations: max,
  overdue_operations: overdue,
}: Bridge) {
  const late = overdue === 0 ? '' : `, ${overdue} of them overdue`;
  return `${pending} pending of at most ${max}${late}`;
}

const missingText = ({ missing }: Bridge): string =>
  pc.red(plainText(missing.map(({ peer, name }) => `${name} ${peer.slice(0, 8)}`.trim()).join(', ')));

function breakersText({ breakers }: Bridge): string {
  const others = breakers.filter(({ state }) => state !== 'closed');
  if (others.length === 0) return 'all closed';
  return others.map(({ peer, state }) => `${peer.slice(0, 8)} ${state}`).join(', ');
}

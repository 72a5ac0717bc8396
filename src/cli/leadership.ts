/** How a new chain chooses its leaders, from the command line. Pure; names alone, so that `--help` loads no cryptography. */
import { type Command, Option } from 'commander';
import type { LeaderScheduleKind, LeadershipParameters } from '../protocol/consensus/leader.ts';

export type Ordering = 'plain' | 'commit_reveal';

export interface LeadershipOptions {
  readonly leaderSchedule?: LeaderScheduleKind;
  readonly leaderReputation?: boolean;
  readonly vrf?: boolean;
  /** Of the ledger; sealed transfers take their order from VRF outputs. */
  readonly ordering?: Ordering;
}

const SCHEDULES: readonly LeaderScheduleKind[] = ['round_robin', 'stake_weighted'];

/** For commands that make a genesis (CS-15, CS-17). */
export const withLeadership = (command: Command): Command =>
  command
    .addOption(
      new Option(
        '--leader-schedule <kind>',
        'who leads: turns by power, or a draw by power, which includes --vrf',
      ).choices(SCHEDULES),
    )
    .option('--leader-reputation', 'each epoch passes over leaders whose rounds failed in the one before')
    .option('--vrf', "each block carries its leader's VRF proof: leaders and ordering cannot be foreseen");

/** As the genesis takes it; undefined where nothing was chosen. A draw by power and sealed transfers include VRF, without which there are none. */
export function leadershipOf(options: LeadershipOptions): LeadershipParameters | undefined {
  const { leaderSchedule, leaderReputation } = options;
  const vrf =
    options.vrf === true || leaderSchedule === 'stake_weighted' || options.ordering === 'commit_reveal';
  if (leaderSchedule === undefined && leaderReputation === undefined && !vrf) return undefined;
  return {
    leaderSchedule: leaderSchedule ?? 'round_robin',
    leaderReputation: leaderReputation === true,
    vrf,
  };
}

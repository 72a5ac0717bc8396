/**
 * The clocks of a node: the adjusted one that all cells see, and the boundary actors before the machine's clocks and the
 * NTP servers. Composes; alerts go to the log. Rules TM-3, TM-6, TM-7, docs/protocol/time.md.
 */
import { type CellSpec, type Clock, child } from '../actors/runtime/index.ts';
import type { NodeLog } from '../observe/log.ts';
import { AdjustedClock } from '../time/adjusted-clock.ts';
import { type AlertsChanged, CLOCK_EVENTS, clockLogic } from '../time/clock.ts';
import { NTP_CLIENT_EVENTS, ntpClientLogic } from '../time/ntp-client.ts';

type Log = Pick<ReturnType<NodeLog['of']>, 'warn' | 'info'>;

export interface NodeClocks {
  /** The time that all cells see. */
  readonly adjusted: AdjustedClock;
  readonly cells: readonly CellSpec[];
}

export function nodeClocks(clock: Clock, log: Log): NodeClocks {
  const adjusted = new AdjustedClock(clock);
  const wall = () => clock.wall();
  const report = (change: AlertsChanged) => reportAlerts(log, change);
  return {
    adjusted,
    cells: [
      child('clock', clockLogic({ adjusted, wall, report }), { publicEvents: CLOCK_EVENTS }),
      child('ntp-client', ntpClientLogic({ wall }), { publicEvents: NTP_CLIENT_EVENTS }),
    ],
  };
}

function reportAlerts(log: Log, { raised, repeated, cleared }: AlertsChanged): void {
  for (const { alert, detail } of [...raised, ...repeated]) log.warn({ alert }, detail);
  for (const alert of cleared) log.info({ alert }, 'cleared');
}

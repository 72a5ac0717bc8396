/**
 * The cell `surface/alarm`: what ends this node, and what its operator must hear. Boundary: the log, and the evidence of a fork, on
 * the disk before the node ends. Rules SY-5, SY-9, docs/protocol/sync.md.
 */
import { type BoundaryLogic, handler } from '../actors/runtime/index.ts';
import type { WallTime } from '../base/units.ts';
import type { NodeLog } from '../observe/log.ts';
import type { Height } from '../protocol/chain/types.ts';
import type { SafetyViolated } from '../protocol/ports/consensus.ts';
import type { ResyncReady, SyncAlertsChanged } from '../protocol/ports/sync.ts';
import { SYNC_ALERTS } from '../protocol/sync/alerts.ts';
import { keepForkEvidence } from '../storage/fork-evidence.ts';

type Log = Pick<ReturnType<NodeLog['of']>, 'error' | 'warn' | 'info'>;
type AlarmMessage = SafetyViolated | SyncAlertsChanged | ResyncReady;

/** Event types that other cells may send (RT-16). */
export const ALARM_EVENTS = [
  'safety.violated',
  'sync.alertsChanged',
  'resync.ready',
] as const satisfies readonly AlarmMessage['type'][];

export interface AlarmOptions {
  /** Where evidence is kept. */
  readonly home: string;
  /** Some was kept by an earlier life: the node has ended for it, and runs now without signing. */
  readonly isForked: boolean;
  readonly wall: () => WallTime;
  readonly log: Log;
  readonly violated: (detail: string) => void;
  readonly resynced: (height: Height) => void;
}

export function alarmLogic(options: AlarmOptions): BoundaryLogic<undefined> {
  const { log } = options;
  return handler<undefined, AlarmMessage>({
    init: () => undefined,
    receive: (message) => {
      switch (message.type) {
        case 'safety.violated':
          violated(options, message);
          return;
        case 'sync.alertsChanged':
          for (const { alert, detail } of message.raised)
            log.warn({ alert, remedy: SYNC_ALERTS[alert].remedy }, detail);
          for (const alert of message.cleared) log.info({ alert }, 'cleared');
          return;
        case 'resync.ready':
          options.resynced(message.height);
      }
    },
  });
}

/** Evidence first: whoever ends the node must find it on the disk. */
function violated(options: AlarmOptions, { detail, evidence }: SafetyViolated): void {
  const { home, wall, log, isForked } = options;
  if (isForked) return;
  try {
    keepForkEvidence(home, { detail, at: wall(), ...(evidence === undefined ? {} : { evidence }) });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    log.error({ detail, evidence }, `the evidence of a fork could not be kept in ${home}: ${why}`);
  }
  options.violated(detail);
}

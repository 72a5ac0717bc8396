/**
 * The cell `surface/alarm`: what ends this node, and what its operator must hear. Boundary: the log. Rules SY-5, SY-9,
 * docs/protocol/sync.md.
 */
import { type BoundaryLogic, handler } from '../actors/runtime/index.ts';
import type { NodeLog } from '../observe/log.ts';
import type { Height } from '../protocol/chain/types.ts';
import type { EpochContext } from '../protocol/consensus/epoch.ts';
import type { StateDiverged, StateDivergence } from '../protocol/ports/bridge.ts';
import type { EpochBegan, SafetyViolated } from '../protocol/ports/consensus.ts';
import type { ResyncReady, SyncAlertsChanged } from '../protocol/ports/sync.ts';
import { SYNC_ALERTS } from '../protocol/sync/alerts.ts';

type Log = Pick<ReturnType<NodeLog['of']>, 'warn' | 'info'>;
type AlarmMessage = SafetyViolated | EpochBegan | SyncAlertsChanged | ResyncReady | StateDiverged;

/** Event types that other cells may send (RT-16). */
export const ALARM_EVENTS = [
  'safety.violated',
  'sync.alertsChanged',
  'resync.ready',
  'state.diverged',
  'epoch.began',
] as const satisfies readonly AlarmMessage['type'][];

export interface AlarmOptions {
  readonly log: Log;
  readonly violated: (message: SafetyViolated) => void;
  readonly resynced: (height: Height) => void;
  readonly diverged: (divergence: StateDivergence) => void;
  /** Of one epoch more than once, where cells start anew. */
  readonly epochBegan: (epoch: EpochContext) => void;
}

export function alarmLogic(options: AlarmOptions): BoundaryLogic<undefined> {
  const { log } = options;
  return handler<undefined, AlarmMessage>({
    init: () => undefined,
    receive: (message) => {
      switch (message.type) {
        case 'safety.violated':
          options.violated(message);
          return;
        case 'sync.alertsChanged':
          for (const { alert, detail } of message.raised)
            log.warn({ alert, remedy: SYNC_ALERTS[alert].remedy }, detail);
          for (const alert of message.cleared) log.info({ alert }, 'cleared');
          return;
        case 'resync.ready':
          options.resynced(message.height);
          return;
        case 'state.diverged':
          options.diverged(message.divergence);
          return;
        case 'epoch.began':
          options.epochBegan(message.epoch);
      }
    },
  });
}

/** Where a real node's RPC and its alarm stand: the observers of a run listen here. Deterministic. Rules SM-1, SM-4. */
import { child, handler } from '../actors/runtime/index.ts';
import type { FailedRound } from '../machines/consensus/view-change.live.ts';
import type {
  OperationsAnswered,
  OperationsExpired,
  StateDiverged,
  StateDivergence,
} from '../protocol/ports/bridge.ts';
import type { EpochBegan, SafetyViolated } from '../protocol/ports/consensus.ts';
import type { BlockResults } from '../protocol/ports/execution.ts';
import type { Admission } from '../protocol/ports/mempool.ts';
import type { ResyncReady, SyncAlertsChanged } from '../protocol/ports/sync.ts';

type SurfaceMessage = BlockResults | FailedRound | OperationsAnswered | OperationsExpired;

const SURFACE_EVENTS = [
  'results.persisted',
  'round.failed',
  'operations.answered',
  'operations.expired',
] as const;

/** What is done with each. */
export interface SurfaceHears {
  readonly executed: (message: BlockResults) => void;
  readonly roundFailed: (round: FailedRound['round']) => void;
  readonly admitted: (admissions: readonly Admission[]) => void;
  readonly violated: (detail: string) => void;
  readonly diverged: (divergence: StateDivergence) => void;
  readonly resynced: () => void;
}

export const surfaceCells = (hears: SurfaceHears) => [
  child('rpc', rpc(hears), { publicEvents: SURFACE_EVENTS }),
  child('alarm', alarm(hears), {
    publicEvents: ['safety.violated', 'sync.alertsChanged', 'resync.ready', 'state.diverged', 'epoch.began'],
  }),
];

const rpc = ({ executed, roundFailed, admitted }: SurfaceHears) =>
  handler<undefined, SurfaceMessage>({
    init: () => undefined,
    receive: (message) => {
      if (message.type === 'results.persisted') executed(message);
      if (message.type === 'round.failed') roundFailed(message.round);
      if (message.type === 'operations.answered') admitted(message.admissions);
    },
  });

const alarm = ({ violated, diverged, resynced }: SurfaceHears) =>
  handler<undefined, SafetyViolated | SyncAlertsChanged | ResyncReady | StateDiverged | EpochBegan>({
    init: () => undefined,
    receive: (message) => {
      if (message.type === 'safety.violated') violated(message.detail);
      if (message.type === 'state.diverged') diverged(message.divergence);
      if (message.type === 'resync.ready') resynced();
    },
  });

/**
 * Child specifications of a supervisor, as data, and what it asks of the runtime. Types and defaults only.
 * Source: OTP supervisor(3). Rules RT-1 to RT-5, docs/runtime.md.
 */
import type { Millis } from '../../base/units.ts';
import { millis } from '../../base/units.ts';
import type { ExitReason } from './effect.ts';

/** Which children a failure concerns: itself, all, or itself and those after it. */
export type Strategy = 'one_for_one' | 'one_for_all' | 'rest_for_one';

/** When a child is started again: always, after an abnormal end, or never (RT-2). */
export type RestartType = 'permanent' | 'transient' | 'temporary';

/** How long a child may take to stop before it is killed; `brutal_kill` gives it no time at all (RT-3). */
export type Shutdown = Millis | 'infinity' | 'brutal_kill';

/** When the end of significant children ends the supervisor (RT-4). */
export type AutoShutdown = 'never' | 'any_significant' | 'all_significant';

/** The wait before a restart (RT-5). */
export interface Backoff {
  readonly min: Millis;
  readonly max: Millis;
  /** Each restart waits this many times as long as the one before; >= 1. */
  readonly factor: number;
  /** Share of the wait that is drawn at random: 0 is none, 1 is all of it above `min`. */
  readonly jitter: number;
  /** After this time in health the wait starts at `min` again. */
  readonly resetAfter: Millis;
}

/** One child: everything a supervisor must know to decide. The logic itself stays with the runtime. */
export interface ChildSpec {
  /** Unique among its siblings; may hold '/'. The cell's address is the supervisor's, '/', and this. */
  readonly id: string;
  readonly restart: RestartType;
  readonly shutdown: Shutdown;
  readonly significant: boolean;
  readonly backoff?: Backoff;
}

/** OTP's default for workers. @unit ms @source supervisor(3), child_spec */
export const SHUTDOWN_DEFAULT_MS = millis(5_000);

/** OTP's defaults: 1 restart in 5 s. @source supervisor(3), sup_flags */
export const INTENSITY_DEFAULT = 1;
/** @unit ms @source supervisor(3), sup_flags */
export const PERIOD_DEFAULT_MS = millis(5_000);

/** What a supervisor's chart asks of the runtime, besides the effects of every cell. */
export type SupervisionEffect =
  /** Starts or restarts the child's cell; answered by `child.started` or `child.exited`. */
  | { readonly kind: 'startChild'; readonly id: string; readonly template?: string; readonly input?: unknown }
  /** Asks the child's cell to stop; answered by `child.exited`. */
  | { readonly kind: 'stopChild'; readonly id: string; readonly reason: ExitReason }
  /** Ends the child's cell now; answered by `child.exited`. */
  | { readonly kind: 'killChild'; readonly id: string }
  /** Forgets the child's cell: what its mailbox holds becomes dead letters. */
  | { readonly kind: 'removeChild'; readonly id: string }
  /** Tells this supervisor's own parent that all its children have started. */
  | { readonly kind: 'announceStarted' };

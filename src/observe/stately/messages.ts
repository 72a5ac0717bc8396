/**
 * What Stately's inspector reads: the messages of `@statelyai/inspect`, each an object of JSON. For Node and browsers.
 * Rule IN-3, docs/inspector.md.
 */

/** The package whose messages these are; its receivers pass over what names none. Read its sources again before this is changed. */
export const STATELY_VERSION = '0.7.2';

/** Where Stately serves its inspector. @source the package's own default */
export const HOSTED_INSPECTOR = 'https://stately.ai/inspect';

export type StatelyMessage = StatelyActor | StatelyEvent | StatelySnapshot;

/** What each message has. */
export interface StatelyCommon {
  readonly _version: typeof STATELY_VERSION;
  readonly sessionId: string;
  readonly rootId: string;
  /** @unit ms since 1970, as text */
  readonly createdAt: string;
  /** As the package's own sender of XState's inspections writes it. */
  readonly id: null;
}

/** Registers an actor, or takes the place of what was registered under this session. */
export interface StatelyActor extends StatelyCommon {
  readonly type: '@xstate.actor';
  readonly name: string;
  readonly parentId?: string;
  /** The configuration of a machine: JSON within JSON. */
  readonly definition: string;
  readonly snapshot: SnapshotView;
}

export interface StatelyEvent extends StatelyCommon {
  readonly type: '@xstate.event';
  readonly sourceId?: string;
  readonly event: EventView;
}

export interface StatelySnapshot extends StatelyCommon {
  readonly type: '@xstate.snapshot';
  /** That led to this snapshot. */
  readonly event: EventView;
  readonly snapshot: SnapshotView;
}

export interface EventView {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** A machine's snapshot as XState writes it in JSON. */
export interface SnapshotView {
  readonly status: 'active' | 'stopped';
  readonly value: StateValue;
  readonly context: Readonly<Record<string, unknown>>;
  readonly tags: readonly string[];
  readonly children: Readonly<Record<string, never>>;
  readonly historyValue: Readonly<Record<string, never>>;
}

/** XState's: the key of an atomic state; or the regions, or the one compound state, with what is active in each. */
export type StateValue = string | { readonly [key: string]: StateValue };

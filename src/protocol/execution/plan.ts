/**
 * How an executor goes on after a start, from where the application, the store of results and the chain stand. Pure.
 * Rule EX-4, docs/applications.md.
 */
import { nextHeight, previousHeight } from '../chain/ordinals.ts';
import type { ExecutedState, Height } from '../chain/types.ts';

export interface Standing {
  /** What the application says of itself. */
  readonly application: ExecutedState;
  /** The newest block whose results are stored. */
  readonly stored: ExecutedState;
  readonly committedHeight: Height;
}

export type StartPlan =
  | {
      readonly status: 'ready';
      /** Height 0: `initChain` comes first. */
      readonly initialises: boolean;
      /** The first block given to the application; for an application one block ahead, its last one once more. */
      readonly next: Height;
      /** The height whose deduplication window must be known before `next`. */
      readonly from: Height;
    }
  | { readonly status: 'impossible'; readonly detail: string };

/** Behind the store: it replays. One block ahead (a crash between its write and ours): that block is asked again. */
export function startPlan({ application, stored, committedHeight }: Standing): StartPlan {
  if (application.height > stored.height + 1 || application.height > committedHeight) {
    const detail =
      `the application has executed height ${application.height}, the store of this node height ${stored.height} ` +
      `(committed ${committedHeight}): restore data of one time, or give the application an empty folder to replay`;
    return { status: 'impossible', detail };
  }
  if (
    application.height === stored.height &&
    application.height > 0 &&
    application.appHash !== stored.appHash
  ) {
    return { status: 'impossible', detail: differs(application, stored) };
  }
  const behind = application.height > stored.height ? stored : application;
  const next = nextHeight(behind.height);
  return { status: 'ready', initialises: application.height === 0, next, from: previousHeight(next) };
}

/** The application's hash at a height is not the one that was stored for it. */
export const differs = (application: ExecutedState, stored: ExecutedState): string =>
  `the application's hash at height ${application.height} is ${application.appHash}, stored is ${stored.appHash}: ` +
  'it is not deterministic, or its data belongs to another chain';

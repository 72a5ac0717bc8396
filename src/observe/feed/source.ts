/** Where a feed comes from: a node that runs, several merged, a recorded or a simulated run. Types. Rules IN-1, RP-5, docs/inspector.md. */
import type { Control, Delta, Hello, Moment, NodeIndex, Playing, Question, ViewerMessage } from './feed.ts';

/** What a viewer is told without asking. A later hello says which nodes run; a moment takes the place of all before. */
export type FeedUpdate = Hello | Moment | Delta | Playing;

export interface WatchedCell {
  readonly node: NodeIndex;
  readonly address: string;
}

/** How a viewer moves in a recorded run. */
export type PlayCommand = Extract<ViewerMessage, { type: 'seek' | 'play' | 'pause' | 'step' | 'break' }>;

/** What became of a question or an order. */
export type Outcome =
  | { readonly status: 'done'; readonly answer: unknown }
  | { readonly status: 'refused'; readonly code: string; readonly detail: string };

export const refusedWith = (code: string, detail: string): Outcome => ({ status: 'refused', code, detail });

/** One viewer at a source. */
export interface Subscription {
  /** All whose details it wants from now on. */
  watch(cells: readonly WatchedCell[]): void;
  /** Absent: a run that is live. */
  play?(command: PlayCommand): void;
  end(): void;
}

export interface FeedSource {
  /**
   * Told at once or soon: hello, a moment, then what changes. `take` must not throw, and may hold nothing up.
   * @param ended nothing more comes, in words why; not called where the subscription was ended
   */
  subscribe(take: (update: FeedUpdate) => void, ended: (detail: string) => void): Subscription;
  /** Never rejects. */
  ask(question: Question): Promise<Outcome>;
  /** Absent: viewers may only look. Never rejects. */
  order?(control: Control): Promise<Outcome>;
}

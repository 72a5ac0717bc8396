/**
 * What the inspector feed and its viewers say to each other: JSON over one WebSocket. A viewer holds a `Moment` and the `Delta`s after it;
 * live, recorded and simulated runs speak the same. Types and two constants, for Node and browsers. Rules IN-1, IN-2, docs/inspector.md.
 */
import type { Chart, ChartHash } from '../../actors/runtime/chart.ts';
import type { Answer, Question } from './questions.ts';

export type { Chart, ChartHash, ChartState, ChartTransition } from '../../actors/runtime/chart.ts';
export type { Answer, BlockAnswer, CertificateAnswer, MessageAnswer, Question } from './questions.ts';

/** A viewer of another version is told so, and served nothing. */
export const FEED_VERSION = 1;

/** Where viewers connect. */
export const FEED_PATH = '/feed';

/** Place of a node in `Hello.nodes`. */
export type NodeIndex = number;
/** Adjusted time of the node that it is of. @unit ms since 1970 */
export type At = number;

// ── What a viewer is told ────────────────────────────────────────────────────────────────────────────────────────────

export type FeedMessage =
  | Hello
  | Moment
  | Delta
  | Playing
  | Answer
  /** The viewer did wrong, or cannot be served; the socket closes after it when `isLast`. */
  | {
      readonly type: 'refused';
      readonly code: string;
      readonly detail: string;
      readonly isLast: boolean;
      readonly id?: number;
    };

/** First on each connection, and again when nodes come or go. */
export interface Hello {
  readonly type: 'hello';
  readonly version: typeof FEED_VERSION;
  readonly run: Run;
  readonly nodes: readonly NodeCard[];
  /** Definitions of all charts that cells of this run have had so far; later ones come in deltas. */
  readonly charts: Readonly<Record<ChartHash, Chart>>;
  /** What the viewer may order. Empty: it may only look. */
  readonly controls: readonly Control['kind'][];
}

export type Run =
  | { readonly kind: 'live'; readonly title: string }
  | {
      readonly kind: 'recorded' | 'simulated';
      readonly title: string;
      readonly from: At;
      readonly to: At;
      /** Places worth a look, for the time bar: a failure of a checker, a crash, a partition, a restart. */
      readonly marks: readonly Mark[];
      /** Until when messages and steps have been read so far; absent: all of them. */
      readonly readTo?: At;
      /** Why they are read no further. */
      readonly readEnd?: string;
      /** Of a simulation. */
      readonly seed?: string;
    };

export interface Mark {
  readonly at: At;
  readonly node?: NodeIndex;
  readonly kind: 'failure' | 'fault' | 'divergence' | 'start' | 'end';
  readonly detail: string;
}

export interface NodeCard {
  /** Address of the node key, 40 hexadecimal digits. */
  readonly id: string;
  readonly moniker: string;
  readonly chainId: string;
  readonly genesisHash: string;
  readonly version: string;
  /** Of the present epoch; '0' for a full node. Decimal. */
  readonly power: string;
  /** Its process runs and feeds. */
  readonly isUp: boolean;
}

/** Everything at an instant: replaces what the viewer held. */
export interface Moment {
  readonly type: 'moment';
  readonly at: At;
  readonly cells: readonly CellRow[];
  readonly chains: readonly NodeChain[];
  readonly health: readonly NodeHealth[];
  /** The newest before `at` (recorded runs: some after it too, for the diagram), oldest first. */
  readonly wire: readonly WireEvent[];
  readonly steps: readonly StepEvent[];
}

/** At most 20 a second; only what changed. */
export interface Delta {
  readonly type: 'delta';
  readonly at: At;
  readonly cells?: readonly CellRow[];
  readonly gone?: readonly { readonly node: NodeIndex; readonly address: string }[];
  readonly chains?: readonly NodeChain[];
  readonly health?: readonly NodeHealth[];
  readonly wire?: readonly WireEvent[];
  readonly steps?: readonly StepEvent[];
  /** Of cells that the viewer watches. */
  readonly details?: readonly CellDetail[];
  readonly charts?: Readonly<Record<ChartHash, Chart>>;
  readonly deadLetters?: readonly DeadLetterRow[];
  /** Turns of all cells since the delta before. */
  readonly turns: number;
  /** Rows (wire, steps, transitions) that were left out of this delta, since there were too many or the viewer was slow. */
  readonly dropped: number;
}

/** Whole rows: a later one of the same node and address takes the place of the earlier. */
export interface CellRow {
  readonly node: NodeIndex;
  readonly address: string;
  readonly parent?: string;
  readonly kind: 'machine' | 'reducer' | 'supervisor' | 'boundary';
  readonly status: 'starting' | 'running' | 'ending' | 'down' | 'gone';
  readonly chart?: ChartHash;
  /** Ids of the active states of a chart, innermost, as in `Chart.root`. */
  readonly states?: readonly string[];
  readonly incarnation: number;
  readonly restarts: number;
  readonly accepted: number;
  readonly processed: number;
  readonly queued: number;
  readonly postponed: number;
  readonly capacity?: number;
  /** Lost messages by reason. */
  readonly lost: Readonly<Record<string, number>>;
  /** Wait in the mailbox since the row before, 99th percentile. @unit ms */
  readonly waitP99?: number;
  /** Of the newest step. */
  readonly last?: { readonly at: At; readonly turn: number; readonly event: string; readonly from?: string };
}

/** A message between nodes, as one of them saw it leave or arrive. */
export interface WireEvent {
  /** The same where it left and where it arrived. */
  readonly id: string;
  readonly node: NodeIndex;
  readonly turn: number;
  readonly direction: 'sent' | 'received';
  /** The other end: an index, or the id of a node that the feed does not know. */
  readonly peer: NodeIndex | string;
  readonly at: At;
  readonly kind: string;
  readonly epoch?: number;
  readonly round?: number;
  readonly height?: number;
  /** Id of the block that it is about, hexadecimal. */
  readonly block?: string;
  readonly bytes?: number;
  /** Absent: taken. */
  readonly refused?: RefusalRow;
}

export interface RefusalRow {
  readonly code: string;
  /** Every operand, in words. */
  readonly detail: string;
}

export type StepKind =
  | 'roundEntered'
  | 'proposed'
  | 'voted'
  | 'refusedToVote'
  | 'qcFormed'
  | 'tcFormed'
  | 'timedOut'
  | 'locked'
  | 'committed'
  | 'executed'
  | 'epochBegan'
  | 'syncBegan'
  | 'syncEnded'
  | 'restarted'
  | 'crashed'
  | 'violated';

/** Something that a node did which people reason about. */
export interface StepEvent {
  readonly node: NodeIndex;
  readonly at: At;
  readonly turn: number;
  readonly kind: StepKind;
  readonly cell: string;
  readonly epoch?: number;
  readonly round?: number;
  readonly height?: number;
  readonly block?: string;
  readonly detail?: string;
  /** Of a round that was entered: who leads it, by the address of its key. */
  readonly leader?: string;
  /** Of a round that was entered: what ended the one before. */
  readonly by?: 'qc' | 'tc';
  readonly refused?: RefusalRow;
}

export interface BlockLabel {
  readonly height: number;
  readonly id: string;
  readonly round: number;
}

/** What one node holds of the chain. */
export interface NodeChain {
  readonly node: NodeIndex;
  readonly at: At;
  readonly epoch: number;
  readonly round: number;
  readonly leader: string;
  readonly highQc?: BlockLabel;
  readonly locked?: BlockLabel;
  readonly committed: BlockLabel;
  readonly executed: { readonly height: number; readonly stateRoot: string };
  /** The newest blocks, at most 64, lowest first: committed ones, and those of the tree above. */
  readonly blocks: readonly BlockRow[];
}

export interface BlockRow {
  readonly id: string;
  readonly parent: string;
  readonly height: number;
  readonly epoch: number;
  readonly round: number;
  readonly proposer: string;
  readonly time: At;
  readonly batches: number;
  readonly transactions?: number;
  readonly status: 'proposed' | 'certified' | 'committed' | 'executed';
}

export interface NodeHealth {
  readonly node: NodeIndex;
  readonly at: At;
  readonly isReady: boolean;
  /** Why not. */
  readonly reasons: readonly string[];
  readonly clock: {
    /** Of this machine's clock to adjusted time; absent: a journal has no such clock. */
    readonly offsetMs?: number;
    /** How wrong adjusted time may be; absent: nobody knows yet. */
    readonly errorMs?: number;
    readonly state: string;
    readonly sources: readonly {
      readonly name: string;
      readonly offsetMs: number;
      readonly errorMs: number;
      readonly isUsed: boolean;
    }[];
  };
  readonly round: {
    /** Of the last round that ended while somebody looked. */
    readonly durationMs?: number;
    /** From this node's vote to the certificate of that round. */
    readonly qcDelayMs?: number;
    readonly timeoutMs: number;
  };
  readonly sync: {
    readonly state: string;
    readonly tier?: string;
    readonly height: number;
    readonly target?: number;
    readonly etaMs?: number;
  };
  readonly loopLagMs?: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly reach: string;
  readonly breakers: readonly { readonly peer: string; readonly state: string }[];
  readonly peers: number;
  readonly pending: number;
  readonly turnsPerSecond?: number;
  readonly journal?: {
    readonly bytes: number;
    readonly detail: 'full' | 'lowered' | 'off';
    readonly dropped: number;
  };
}

/** A cell that a viewer watches. */
export interface CellDetail {
  readonly node: NodeIndex;
  readonly address: string;
  /** What the chart knows, by `toView`: plain, bounded; bytes in hexadecimal, bigints as text, the cut marked by '…'. */
  readonly view: unknown;
  readonly timers: readonly { readonly key: string; readonly dueInMs: number }[];
  /** Newest last, at most 64 in a delta. */
  readonly transitions: readonly TransitionRow[];
}

export interface TransitionRow {
  readonly at: At;
  readonly turn: number;
  readonly event: string;
  readonly from?: string;
  /** What was taken, microstep by microstep; empty: no transition was enabled. */
  readonly taken: readonly TakenRow[];
  /** Guards that were asked, in order, and what they said. */
  readonly guards?: readonly {
    readonly transition: string;
    readonly guard: string;
    readonly held: boolean;
  }[];
  readonly refused?: RefusalRow;
  readonly effects: readonly string[];
}

export interface TakenRow {
  readonly source: string;
  readonly target: readonly string[];
  /** As `ChartTransition.on`. */
  readonly on: string;
  /** Place among the transitions of `source` on `on`. */
  readonly index: number;
}

export interface DeadLetterRow {
  readonly node: NodeIndex;
  readonly at: At;
  readonly reason: string;
  readonly to: string;
  readonly from?: string;
  readonly message: string;
}

// ── What a viewer asks ───────────────────────────────────────────────────────────────────────────────────────────────

export type ViewerMessage =
  /** Whose details the deltas carry from now on: all that are wanted, at most 16. */
  | {
      readonly type: 'watch';
      readonly cells: readonly { readonly node: NodeIndex; readonly address: string }[];
    }
  /** Answered by an `Answer` of the same id. */
  | { readonly type: 'ask'; readonly id: number; readonly question: Question }
  /** Answered too: done, or why not. */
  | { readonly type: 'order'; readonly id: number; readonly control: Control }
  /** Of recorded and simulated runs; answered by `Playing`, and by a `Moment` where it jumps. */
  | { readonly type: 'seek'; readonly at: At }
  | { readonly type: 'play'; readonly speed: number }
  | { readonly type: 'pause' }
  /** One turn on or back, of one node or of all in the order of time. */
  | { readonly type: 'step'; readonly by: 1 | -1; readonly node?: NodeIndex }
  /** As `althing replay --break`; '' is none. Plays until it holds. */
  | { readonly type: 'break'; readonly expression: string };

/** How a recorded run is being shown. */
export interface Playing {
  readonly type: 'playing';
  readonly at: At;
  readonly isPlaying: boolean;
  readonly speed: number;
  readonly breakpoint: string;
  /** Why it stopped: the breakpoint that held, in words, or that the run has ended. */
  readonly stopped?: string;
}

export type Control =
  | { readonly kind: 'submit'; readonly node: NodeIndex; readonly transaction: string }
  | { readonly kind: 'stop' | 'kill' | 'start'; readonly node: NodeIndex }
  /** Links between the groups are cut; nodes that no group names are alone. An empty list heals all. */
  | { readonly kind: 'partition'; readonly groups: readonly (readonly NodeIndex[])[] }
  /** All that this node sends comes so much later; 0 is at once. @unit ms */
  | { readonly kind: 'delay'; readonly node: NodeIndex; readonly ms: number };

/** One running actor: its address, logic, snapshot, mailbox, timers, watches and children. Data; the other files act on it. */
import type { AnyMachineSnapshot, Snapshot } from 'xstate';
import type { CellAddress, ExitReason, Message } from '../../protocol/supervision/effect.ts';
import type { BoundaryRun } from './boundary-run.ts';
import type { ClockTimer } from './clock.ts';
import type { DeadLetterReason } from './dead-letters.ts';
import type { CellStatus } from './inspector.ts';
import type { PreparedLogic } from './logic.ts';
import { publicEventsOf, sharedSet } from './logic.ts';
import { type Envelope, Mailbox } from './mailbox.ts';
import type { CellSpec } from './spec.ts';

/** A timer of one incarnation of a cell. */
export interface CellTimer {
  readonly key: string;
  readonly cell: Cell;
  readonly incarnation: number;
  readonly due: number;
  readonly message: Message;
  clockTimer: ClockTimer | undefined;
  /** Set while its message is in the mailbox. */
  queued: Envelope | undefined;
  /** For a delayed `raise`: the atomic states in which it was armed, whose leaving ends it (RT-12). */
  readonly states: readonly string[] | undefined;
}

/** Somebody outside who waits for room in a mailbox. */
export interface RoomWait {
  /** Whose share of the mailbox counts. */
  readonly sender: CellAddress;
  /** That incarnation has ended: nobody waits any more. */
  readonly isOver: () => boolean;
  readonly resolve: () => void;
}

/** Callbacks of the outside, each called once. */
export interface CellHooks {
  started: ((failure: ExitReason | undefined) => void)[];
  ended: ((reason: ExitReason) => void)[];
  /** At most those that live senders wait for. */
  ready: RoomWait[];
}

export class Cell {
  readonly address: CellAddress;
  readonly spec: CellSpec;
  readonly logic: PreparedLogic;
  readonly parent: Cell | undefined;
  readonly mailbox: Mailbox;
  readonly publicEvents: ReadonlySet<string> | undefined;
  readonly controlEvents: ReadonlySet<string> | undefined;
  status: CellStatus = 'down';
  incarnation = 0;
  restarts = -1;
  input: unknown;
  /** The supervisor's template it was made from, or the kind under which its parent spawned it. */
  template: string | undefined;
  spawnKind: string | undefined;
  /** A chart's snapshot. */
  snapshot: AnyMachineSnapshot | undefined;
  /** A reducer's. */
  reduced: Snapshot<unknown> | undefined;
  boundary: BoundaryRun | undefined;
  /** In the ready queue. */
  scheduled = false;
  /** Its first turn is still to come. */
  opening = false;
  stopReason: ExitReason | undefined;
  stopDelivered = false;
  endReason: ExitReason | undefined;
  output: unknown;
  children: Map<CellAddress, Cell> | undefined;
  timers: Map<string, CellTimer> | undefined;
  /** Timers among them that end with a state. */
  stateBound = 0;
  killTimer: CellTimer | undefined;
  /** Cells that watch this incarnation. */
  watchers: Set<Cell> | undefined;
  /** Cells that this incarnation watches. */
  watching: Set<Cell> | undefined;
  /** Asks that this incarnation has handled and not answered. */
  openAsks: Set<CellAddress> | undefined;
  hooks: CellHooks | undefined;
  /** Its mailbox overflowed under `stop_actor`. */
  overflowed = false;
  accepted = 0;
  /** Never entered the mailbox. */
  refused = 0;
  processed = 0;
  lost: Map<DeadLetterReason, number> | undefined;

  constructor(address: CellAddress, spec: CellSpec, logic: PreparedLogic, parent: Cell | undefined) {
    this.address = address;
    this.spec = spec;
    this.logic = logic;
    this.parent = parent;
    this.input = spec.input;
    this.mailbox = new Mailbox(spec.mailbox);
    this.publicEvents = publicEventsOf(spec, logic);
    this.controlEvents = spec.controlEvents.length === 0 ? undefined : sharedSet(spec.controlEvents);
  }

  get isLive(): boolean {
    return this.status === 'running' || this.status === 'starting';
  }

  /** It takes turns: a supervisor does so while it is still starting its children. */
  get isActive(): boolean {
    return this.status === 'running' || (this.status === 'starting' && this.isSupervisor && !this.opening);
  }

  get isSupervisor(): boolean {
    return this.logic.kind === 'supervisor';
  }

  /** True for logic whose turns a replay repeats. */
  get isPure(): boolean {
    return this.logic.kind !== 'boundary';
  }
}

export function hooksOf(cell: Cell): CellHooks {
  cell.hooks ??= { started: [], ended: [], ready: [] };
  return cell.hooks;
}

/**
 * What a cell has yet to handle, in lanes: supervision, control, user; and what it postponed. Bounded, deterministic.
 * Rules RT-7, RT-9, RT-13, docs/runtime.md.
 */
import { RingBuffer } from '../../base/ring-buffer.ts';
import type { CellAddress, Message } from '../../protocol/supervision/effect.ts';
import type { CellTimer } from './cell.ts';

/** What happens to a message for a full mailbox. None of them blocks the sender. */
export type Overflow = 'drop_newest' | 'drop_oldest' | 'reject' | 'stop_actor';

export interface MailboxOptions {
  /** Most messages in the user lane, postponed ones included. @unit messages */
  readonly capacity: number;
  /** Most messages in the control lane. @unit messages */
  readonly control: number;
  readonly overflow: Overflow;
  /** Most postponed messages. @unit messages */
  readonly postponed: number;
  /** Most user messages of one sender at once, all its lives (`name#1`, `name#2`) together; beyond it, `reject` says `full` to it alone. @unit messages */
  readonly perSender: number;
}

/** @source RT-7's example; a cell's queue of 4096 is about 1 MB of messages at worst */
export const MAILBOX_DEFAULTS: MailboxOptions = {
  capacity: 4_096,
  control: 64,
  overflow: 'drop_newest',
  postponed: 256,
  perSender: Number.POSITIVE_INFINITY,
};

export type MailboxLane = 'supervision' | 'control' | 'user';

/** A message on its way, with what decides whether it is still meant for the cell. */
export interface Envelope {
  readonly message: Message;
  readonly from: CellAddress | undefined;
  /** The sender's incarnation, to which a reply goes; 0 for the outside. */
  readonly fromIncarnation: number;
  /** The only incarnation that may handle it; 0 is any. */
  readonly forIncarnation: number;
  readonly timer: CellTimer | undefined;
  lane: MailboxLane;
  /** When it came, while an inspector wants to know; else NOT_STAMPED. Nothing that a cell or a journal sees. @unit ms */
  queuedAt: number;
}

/** No time of a monotonic clock. */
export const NOT_STAMPED = -1;

export interface MailboxContents {
  readonly queued: readonly Envelope[];
  readonly postponed: readonly Envelope[];
}

export type Admission = 'admitted' | 'full' | 'control_full' | 'sender_quota';

export class Mailbox {
  readonly options: MailboxOptions;
  #supervision: RingBuffer<Envelope> | undefined;
  #control: RingBuffer<Envelope> | undefined;
  #user: RingBuffer<Envelope> | undefined;
  #postponed: RingBuffer<Envelope> | undefined;
  #postponedUsers = 0;
  #bySender: Map<CellAddress, number> | undefined;

  constructor(options: MailboxOptions) {
    this.options = options;
  }

  /** Messages in all lanes, without the postponed ones. */
  get queued(): number {
    return (this.#supervision?.length ?? 0) + (this.#control?.length ?? 0) + (this.#user?.length ?? 0);
  }

  /** User messages that count against `capacity`: queued and postponed. */
  get size(): number {
    return (this.#user?.length ?? 0) + this.#postponedUsers;
  }

  get postponed(): number {
    return this.#postponed?.length ?? 0;
  }

  get isHalfFree(): boolean {
    return this.size * 2 <= this.options.capacity;
  }

  /** Room for half the capacity, and half of this sender's share free: whoever waited for it does not wait again at once. */
  hasRoomFor(sender: CellAddress): boolean {
    return this.isHalfFree && (this.#bySender?.get(whoseShare(sender)) ?? 0) * 2 <= this.options.perSender;
  }

  get isEmpty(): boolean {
    return this.queued === 0;
  }

  /** Puts a message at the end of its lane, if there is room. */
  admit(envelope: Envelope): Admission {
    switch (envelope.lane) {
      case 'user': {
        const { capacity, perSender } = this.options;
        if (perSender !== Number.POSITIVE_INFINITY && !this.#countSender(envelope, perSender)) {
          return 'sender_quota';
        }
        if (this.size >= capacity) {
          this.#uncountSender(envelope);
          return 'full';
        }
        this.#user ??= new RingBuffer();
        this.#user.push(envelope);
        return 'admitted';
      }
      case 'control':
        this.#control ??= new RingBuffer();
        if (this.#control.length >= this.options.control) return 'control_full';
        this.#control.push(envelope);
        return 'admitted';
      // Bounded by the cell's watches, children and timers.
      case 'supervision':
        this.#supervision ??= new RingBuffer();
        this.#supervision.push(envelope);
        return 'admitted';
    }
  }

  /** The next message: supervision, then control, then user. */
  next(): Envelope | undefined {
    const envelope = this.#supervision?.shift() ?? this.#control?.shift() ?? this.#user?.shift();
    if (envelope?.lane === 'user') this.#uncountSender(envelope);
    return envelope;
  }

  /** Takes the oldest user message, to make room. */
  dropOldest(): Envelope | undefined {
    let oldest = this.#user?.shift();
    if (oldest === undefined && this.#postponed !== undefined) {
      [oldest] = this.#postponed.retain(firstOnly((envelope) => envelope.lane === 'user'));
      if (oldest !== undefined) this.#postponedUsers -= 1;
    }
    if (oldest !== undefined) this.#uncountSender(oldest);
    return oldest;
  }

  /** Puts a message that was being handled back (RT-13); false when too many are postponed. */
  postpone(envelope: Envelope): boolean {
    this.#postponed ??= new RingBuffer();
    if (this.#postponed.length >= this.options.postponed) return false;
    this.#postponed.push(envelope);
    if (envelope.lane === 'user') {
      this.#postponedUsers += 1;
      this.#countSender(envelope, Number.POSITIVE_INFINITY);
    }
    return true;
  }

  /** Puts the postponed messages back at the head of their lanes, oldest first (RT-13). */
  restorePostponed(): void {
    for (let last = this.#postponed?.pop(); last !== undefined; last = this.#postponed?.pop()) {
      this.#laneOf(last).unshift(last);
      if (last.lane === 'user') this.#postponedUsers -= 1;
    }
  }

  /** Takes out the messages that `isGone` picks, in order. */
  removeWhere(isGone: (envelope: Envelope) => boolean): Envelope[] {
    const keep = (envelope: Envelope): boolean => !isGone(envelope);
    const removed: Envelope[] = [];
    for (const lane of [this.#supervision, this.#control, this.#user, this.#postponed]) {
      if (lane === undefined || lane.length === 0) continue;
      for (const envelope of lane.retain(keep)) {
        if (envelope.lane === 'user') {
          this.#uncountSender(envelope);
          if (lane === this.#postponed) this.#postponedUsers -= 1;
        }
        removed.push(envelope);
      }
    }
    return removed;
  }

  /** All that it holds, lane by lane, oldest first. */
  contents(): MailboxContents {
    const list = (ring: RingBuffer<Envelope> | undefined): readonly Envelope[] => [...(ring ?? [])];
    return {
      queued: [...list(this.#supervision), ...list(this.#control), ...list(this.#user)],
      postponed: list(this.#postponed),
    };
  }

  /** Fills an empty mailbox with what another held. */
  load({ queued, postponed }: MailboxContents): void {
    for (const envelope of queued) {
      this.#laneOf(envelope).push(envelope);
      if (envelope.lane === 'user') this.#countSender(envelope, Number.POSITIVE_INFINITY);
    }
    for (const envelope of postponed) this.postpone(envelope);
  }

  #laneOf({ lane }: Envelope): RingBuffer<Envelope> {
    switch (lane) {
      case 'user':
        this.#user ??= new RingBuffer();
        return this.#user;
      case 'control':
        this.#control ??= new RingBuffer();
        return this.#control;
      case 'supervision':
        this.#supervision ??= new RingBuffer();
        return this.#supervision;
    }
  }

  #countSender({ from }: Envelope, most: number): boolean {
    if (this.options.perSender === Number.POSITIVE_INFINITY || from === undefined) return true;
    this.#bySender ??= new Map();
    const sender = whoseShare(from);
    const held = this.#bySender.get(sender) ?? 0;
    if (held >= most) return false;
    this.#bySender.set(sender, held + 1);
    return true;
  }

  #uncountSender({ from }: Envelope): void {
    if (this.#bySender === undefined || from === undefined) return;
    const sender = whoseShare(from);
    const held = this.#bySender.get(sender) ?? 0;
    if (held <= 1) this.#bySender.delete(sender);
    else this.#bySender.set(sender, held - 1);
  }
}

/** What stands after `#` in an address tells lives of one sender apart: whoever comes again finds its share as it left it (RT-7). */
function whoseShare(sender: CellAddress): CellAddress {
  const end = sender.indexOf('#');
  return end === -1 ? sender : sender.slice(0, end);
}

function firstOnly(matches: (envelope: Envelope) => boolean): (envelope: Envelope) => boolean {
  let found = false;
  return (envelope) => {
    if (found || !matches(envelope)) return true;
    found = true;
    return false;
  };
}

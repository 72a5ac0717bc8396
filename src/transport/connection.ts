/**
 * A live connection to a proven peer: its outbox, its inbox, its keepalive. It ends once, with a named reason.
 * Touches a socket. Rules TP-2 to TP-6, docs/protocol/transport.md.
 */
import { WebSocket } from 'ws';
import { type Millis, type Monotonic, millis } from '../base/units.ts';
import {
  CLOSE_CODES,
  type CloseReason,
  closeReason,
  type NamedCloseReason,
} from '../protocol/transport/closing.ts';
import type { Frame } from '../protocol/transport/frame.ts';
import {
  CLOSE_TIMEOUT_MS,
  GUEST_RATES_DEFAULT,
  KEEPALIVE_INTERVAL_MS,
  KEEPALIVE_TIMEOUT_MS,
  PROBE_TIMEOUT_MS,
  STALL_TIMEOUT_MS,
} from '../protocol/transport/limits.ts';
import type { LinkMessage, Role, WireMessage } from '../protocol/transport/messages.ts';
import type { FrameRefusal } from '../protocol/transport/refusal.ts';
import { after, type CarrierClock } from './clock.ts';
import { encode } from './codec/codec.ts';
import { Inbox, type InboxCounts } from './inbox.ts';
import { Outbox } from './outbox.ts';
import { type PeerRates, RateBook } from './rates.ts';
import type { ProvenSocket } from './websocket.ts';

export interface ConnectionEvents {
  /** As `InboxPort.deliver`; Ping and Pong stay inside. */
  deliver(message: WireMessage): Promise<void> | undefined;
  refuse(refusal: FrameRefusal): void;
  /** Once, when nothing comes or goes any more. */
  ended(reason: CloseReason, detail: string): void;
}

export interface ConnectionStatus {
  readonly framesSent: number;
  /** @unit bytes */
  readonly bytesSent: number;
  readonly received: InboxCounts;
  /** Frames that wait in the outbox. */
  readonly waiting: number;
  /** Of the last Ping; undefined before the first answer. @unit ms */
  readonly roundTrip: Millis | undefined;
}

export class Connection {
  readonly #proven: ProvenSocket;
  readonly #clock: CarrierClock;
  readonly #events: ConnectionEvents;
  readonly #outbox: Outbox;
  readonly #inbox: Inbox;
  readonly #timers = new Set<() => void>();
  #ended = false;
  #heardAt: Monotonic;
  #tickedAt: Monotonic;
  #sentAtLastProgress = 0;
  #progressAt: Monotonic;
  #ping: { readonly nonce: number; readonly at: Monotonic } | undefined;
  #pings = 0;
  #roundTrip: Millis | undefined;

  constructor(
    proven: ProvenSocket,
    clock: CarrierClock,
    events: ConnectionEvents,
    rates: PeerRates = new RateBook(GUEST_RATES_DEFAULT, new Set()).of(proven.peer.id, proven.remote),
  ) {
    const { ws, socket, peer } = proven;
    this.#proven = proven;
    this.#clock = clock;
    this.#events = events;
    this.#heardAt = clock.now();
    this.#tickedAt = this.#heardAt;
    this.#progressAt = this.#heardAt;
    this.#outbox = new Outbox({
      buffered: () => ws.bufferedAmount,
      write: (bytes, taken) => ws.send(bytes, { binary: true }, taken),
      cork: () => socket.cork(),
      uncork: () => socket.uncork(),
    });
    this.#inbox = new Inbox(
      {
        now: () => clock.now(),
        pause: () => ws.pause(),
        resume: () => this.#resume(),
        rest: (delay) => new Promise((resolve) => this.#later(delay, resolve)),
        deliver: (message) => this.#deliver(message),
        refuse: (refusal) => events.refuse(refusal),
      },
      peer.role,
      rates,
    );
  }

  /** Begins to read. What came before waits in the paused socket. */
  open(): void {
    const { ws, socket } = this.#proven;
    socket.setNoDelay(true);
    ws.on('message', (data: Buffer | ArrayBuffer | Buffer[], isBinary: boolean) => {
      this.#heardAt = this.#clock.now();
      if (!isBinary) this.#inbox.takeText();
      else if (Buffer.isBuffer(data)) this.#inbox.take(data);
    });
    ws.on('ping', () => this.#events.refuse({ code: 'FRAME_NOT_BINARY' }));
    ws.on('pong', () => this.#events.refuse({ code: 'FRAME_NOT_BINARY' }));
    ws.on('error', (error) => this.#end(...endOf(error)));
    ws.on('close', (code, text) => this.#end(closeReason(code), text.toString()));
    if (ws.readyState !== WebSocket.OPEN) {
      this.#end('CONNECTION_LOST', 'the connection ended before it was opened');
      return;
    }
    this.#planTick();
    ws.resume();
  }

  send(frame: Frame): 'queued' | 'overflowed' {
    if (frame.kind === 'GetBatch') this.#inbox.expectBatches();
    return this.#outbox.put(frame);
  }

  /** What the peer may speak of (TP-9). */
  setRole(role: Role): void {
    this.#inbox.setRole(role);
  }

  /** Opens or closes the lanes `sync` and `gossip` of what comes in (TP-6). */
  setSyncLane(open: boolean): void {
    this.#inbox.setSyncLane(open);
  }

  /** The peer dials again, so this connection may be dead: ask, and give it `PROBE_TIMEOUT_MS` (TP-2). */
  probe(): void {
    const asked = this.#clock.now();
    this.#sendPing();
    this.#later(PROBE_TIMEOUT_MS, () => {
      if (this.#heardAt < asked && !this.#inbox.paused) {
        this.#abandon('KEEPALIVE_TIMEOUT', 'no answer to a probe');
      }
    });
  }

  /** Says goodbye with the reason's code; what has no answer in time is cut. */
  close(reason: NamedCloseReason, detail = ''): void {
    if (this.#ended) return;
    const { ws } = this.#proven;
    this.#end(reason, detail);
    ws.resume();
    ws.close(CLOSE_CODES[reason], reason);
    after(this.#clock, CLOSE_TIMEOUT_MS, () => ws.terminate());
  }

  get status(): ConnectionStatus {
    return {
      framesSent: this.#outbox.framesSent,
      bytesSent: this.#outbox.bytesSent,
      received: this.#inbox.counts,
      waiting: this.#outbox.waiting,
      roundTrip: this.#roundTrip,
    };
  }

  /** Frames of a lane that were lost to its bound (TP-4). */
  overflowed(lane: Parameters<Outbox['lane']>[0]): number {
    return this.#outbox.lane(lane).overflowed;
  }

  #deliver(message: WireMessage): Promise<void> | undefined {
    if (message.kind === 'Ping') {
      this.#say({ kind: 'Pong', nonce: message.nonce });
      return undefined;
    }
    if (message.kind === 'Pong') {
      if (this.#ping?.nonce === message.nonce) {
        this.#roundTrip = millis(this.#clock.now() - this.#ping.at);
        this.#ping = undefined;
      }
      return undefined;
    }
    return this.#events.deliver(message);
  }

  #say(message: LinkMessage): void {
    const encoding = encode(message);
    if (encoding.outcome === 'encoded') this.send(encoding.frame);
  }

  #sendPing(): void {
    this.#pings = (this.#pings + 1) % 2 ** 32;
    this.#ping = { nonce: this.#pings, at: this.#clock.now() };
    this.#say({ kind: 'Ping', nonce: this.#pings });
  }

  #resume(): void {
    if (this.#ended) return;
    // The silence was ours: the socket was not read.
    this.#heardAt = this.#clock.now();
    this.#proven.ws.resume();
  }

  /** A timer that ends with the connection. */
  #later(delay: Millis, action: () => void): void {
    const cancel = after(this.#clock, delay, () => {
      this.#timers.delete(cancel);
      action();
    });
    this.#timers.add(cancel);
  }

  #planTick(): void {
    this.#later(KEEPALIVE_INTERVAL_MS, () => this.#tick());
  }

  #tick(): void {
    if (this.#ended) return;
    const now = this.#clock.now();
    // A tick that comes late means that this process stood still: no fault of the peer (TP-6).
    if (now - this.#tickedAt > 2 * KEEPALIVE_INTERVAL_MS || this.#inbox.paused) this.#heardAt = now;
    this.#tickedAt = now;
    if (now - this.#heardAt >= KEEPALIVE_TIMEOUT_MS) {
      this.#abandon('KEEPALIVE_TIMEOUT', `silent for ${Math.round(now - this.#heardAt)} ms`);
      return;
    }
    const sent = this.#outbox.framesSent;
    if (this.#outbox.waiting === 0 || sent !== this.#sentAtLastProgress) this.#progressAt = now;
    this.#sentAtLastProgress = sent;
    if (now - this.#progressAt >= STALL_TIMEOUT_MS) {
      this.#abandon('STALLED', `${this.#outbox.waiting} frames wait, the socket takes none`);
      return;
    }
    this.#sendPing();
    this.#planTick();
  }

  /** Ends a connection whose other end is not there to say goodbye to. */
  #abandon(reason: NamedCloseReason, detail: string): void {
    const { ws } = this.#proven;
    this.#end(reason, detail);
    ws.terminate();
  }

  #end(reason: CloseReason, detail: string): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
    this.#inbox.close();
    this.#outbox.close();
    this.#events.ended(reason, detail);
  }
}

/** What ws objects to: a frame beyond our limits is the peer's fault, anything else is the network's. */
function endOf(error: Error): [CloseReason, string] {
  const { code } = error as NodeJS.ErrnoException;
  const isPeersFault = code?.startsWith('WS_ERR_') === true;
  return [isPeersFault ? 'FRAME_REFUSED' : 'CONNECTION_LOST', error.message];
}

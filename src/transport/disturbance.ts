/**
 * What a local network's page does to one node's links, to see what follows: peers that it cannot reach, and a delay of all that it sends.
 * Real sockets: a cut connection ends and is dialed in vain, as behind a broken cable. Boundary: timers. Rule IN-2, docs/inspector.md.
 */
import { RingBuffer } from '../base/ring-buffer.ts';
import type { Frame } from '../protocol/transport/frame.ts';
import type { NodeId } from '../protocol/transport/messages.ts';

export interface LinksOrder {
  /** Neither dialed nor listened to. */
  readonly cut: readonly NodeId[];
  /** 0: at once. @unit ms */
  readonly delayMs: number;
}

/** What a frame is sent by. */
interface Sender {
  send(frame: Frame): unknown;
  close(reason: 'STALLED', detail: string): void;
}

/** Of one link, while they wait; more is a line that does not keep up. @unit frames @source a minute's delay at a calm pace */
const DELAYED_MAX = 16_384;

interface Waiting {
  readonly frames: RingBuffer<{ readonly frame: Frame; readonly due: number }>;
  timer: NodeJS.Timeout | undefined;
}

export class Disturbance {
  #order: LinksOrder = { cut: [], delayMs: 0 };
  /** By link; none of those that keep nothing waiting. */
  readonly #waiting = new WeakMap<Sender, Waiting>();

  set(order: LinksOrder): void {
    this.#order = order;
  }

  isCut(peer: NodeId): boolean {
    const { cut } = this.#order;
    return cut.length > 0 && cut.includes(peer);
  }

  /** Frames of a link keep their order, also when the delay becomes shorter. */
  send(link: Sender, frame: Frame): void {
    const { delayMs } = this.#order;
    let waiting = this.#waiting.get(link);
    if (waiting === undefined) {
      if (delayMs === 0) {
        link.send(frame);
        return;
      }
      waiting = { frames: new RingBuffer(), timer: undefined };
      this.#waiting.set(link, waiting);
    }
    if (waiting.frames.length >= DELAYED_MAX) {
      link.close('STALLED', `${DELAYED_MAX} frames wait: the delay is too long for this pace`);
      return;
    }
    waiting.frames.push({ frame, due: performance.now() + delayMs });
    this.#arm(link, waiting);
  }

  #arm(link: Sender, waiting: Waiting): void {
    const first = waiting.frames.peek();
    if (first === undefined) this.#waiting.delete(link);
    else waiting.timer ??= setTimeout(() => this.#release(link, waiting), first.due - performance.now());
  }

  #release(link: Sender, waiting: Waiting): void {
    waiting.timer = undefined;
    const now = performance.now();
    for (let first = waiting.frames.peek(); first !== undefined && first.due <= now; ) {
      waiting.frames.shift();
      link.send(first.frame);
      first = waiting.frames.peek();
    }
    this.#arm(link, waiting);
  }
}

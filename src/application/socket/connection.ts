/**
 * One connection between a node and an application: frames in, frames out, and one end with the reason in words. What is
 * written within a turn leaves together; whoever reads slowly is seen by `unsent`. Boundary: sockets. Rules AP-2, AP-3.
 */
import type { Socket } from 'node:net';
import { messageOf } from '../calls.ts';
import { encodeFrame, type Frame, FrameSplitter, type KindName, openFrame, type Packable } from './frames.ts';

/** A frame of so much leaves at once. @unit bytes @source chosen: a quarter of a part, results are half as large as they are guessed to be */
const AT_ONCE_BYTES = 65_536;
/** Last words may take so long to leave. @unit ms @source chosen: the other side is on this machine */
const LAST_WORDS_MS = 1_000;

export interface ConnectionEvents {
  /** May throw `Nonsense`, or anything: it ends the connection in its words. */
  readonly received: (frame: Frame) => void;
  /** Once. */
  readonly ended: (words: string) => void;
}

export class Connection {
  readonly #socket: Socket;
  readonly #events: ConnectionEvents;
  readonly #splitter = new FrameSplitter();
  readonly #closed = Promise.withResolvers<void>();
  #end: string | undefined;
  #isCorked = false;

  constructor(socket: Socket, events: ConnectionEvents) {
    this.#socket = socket;
    this.#events = events;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (error) => this.close(wordsOf(error)));
    socket.on('end', () => this.close('the other side has closed the connection'));
    socket.on('close', () => {
      this.close('the connection is closed');
      this.#closed.resolve();
    });
  }

  get isOpen(): boolean {
    return this.#end === undefined;
  }

  /** Written, and not taken by the other side. @unit bytes */
  get unsent(): number {
    return this.#socket.writableLength;
  }

  /** Resolves when the socket is gone. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** The greeting is done: frames may have their full size. */
  admitAll(): void {
    this.#splitter.admitAll();
  }

  /** Silent once it has ended. @throws for a frame that is too large */
  send(kind: KindName, id: number, body: Packable = null): void {
    if (this.#end !== undefined) return;
    const [header, payload] = encodeFrame(kind, id, body);
    if (!this.#isCorked) {
      this.#isCorked = true;
      this.#socket.cork();
      process.nextTick(() => this.#uncork());
    }
    this.#socket.write(header);
    this.#socket.write(payload);
    // The other side reads the first part of a block while the next is made.
    if (payload.byteLength >= AT_ONCE_BYTES) this.#uncork();
  }

  #uncork(): void {
    if (!this.#isCorked) return;
    this.#isCorked = false;
    this.#socket.uncork();
  }

  /** Nothing is read until the other side has taken what waits for it. */
  readWhenTaken(): void {
    if (this.#socket.isPaused()) return;
    this.#socket.pause();
    this.#socket.once('drain', () => this.#socket.resume());
  }

  /** Ends with what the other side may show to its reader. */
  refuse(words: string): void {
    if (this.#end !== undefined) return;
    this.send('refusal', 0, words);
    this.#finish(words);
    this.#socket.end();
    const timer = setTimeout(() => this.#socket.destroy(), LAST_WORDS_MS);
    this.#socket.once('close', () => clearTimeout(timer));
  }

  /** Ends at once. */
  close(words: string): void {
    if (this.#end !== undefined) return;
    this.#finish(words);
    this.#socket.destroy();
  }

  #finish(words: string): void {
    this.#end = words;
    this.#events.ended(words);
  }

  #read(chunk: Uint8Array): void {
    if (this.#end !== undefined) return;
    try {
      this.#splitter.push(chunk, (bytes) => {
        if (this.#end === undefined) this.#events.received(openFrame(bytes));
      });
    } catch (error) {
      this.refuse(messageOf(error));
    }
  }
}

function wordsOf({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    return `nobody listens there (${code}): start the application, or correct application.address`;
  }
  return code === 'EACCES' ? `this user may not connect (${message})` : `the connection is lost: ${message}`;
}

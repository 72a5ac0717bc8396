/**
 * A TCP proxy between each two validators, which makes the weather on their links: it delays, stalls one direction,
 * drips bytes, closes, and resets in the middle of a frame. Boundary: sockets.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** What a link does to what passes in one direction. */
export interface Weather {
  /** @unit ms */
  readonly delay?: number;
  /** Nothing passes; it is kept, and passes later. */
  readonly stalled?: boolean;
  /** At most so many bytes each DRIP_MS. */
  readonly drip?: number;
}

const CALM: Weather = {};
const DRIP_MS = 10;
/** Waiting in one direction; beyond it the sender is not read. @unit bytes */
const WAITING_BYTES_MAX = 1_048_576;

/** From the one who dials to the one who listens, or back. */
export type Direction = 'there' | 'back';

interface Piece {
  readonly bytes: Buffer;
  readonly dueAt: number;
}

/** One direction of one connection. */
class Pipe {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #weather: () => Weather;
  readonly #pieces: Piece[] = [];
  #waiting = 0;
  #ended = false;

  constructor(from: Socket, to: Socket, weather: () => Weather) {
    this.#from = from;
    this.#to = to;
    this.#weather = weather;
    from.on('data', (bytes: Buffer) => {
      this.#pieces.push({ bytes, dueAt: performance.now() + (weather().delay ?? 0) });
      this.#waiting += bytes.byteLength;
      if (this.#waiting > WAITING_BYTES_MAX) from.pause();
    });
    from.on('end', () => {
      this.#ended = true;
    });
    void this.#carry();
  }

  /** Passes only the first half of what comes next, then nothing: the caller resets. */
  tear(): void {
    const [piece] = this.#pieces;
    if (piece === undefined) return;
    this.#to.write(piece.bytes.subarray(0, Math.ceil(piece.bytes.byteLength / 2)));
  }

  async #carry(): Promise<void> {
    while (!this.#to.destroyed) {
      const [piece] = this.#pieces;
      const { stalled = false, drip } = this.#weather();
      if (piece === undefined && this.#ended) this.#to.end();
      if (piece === undefined && this.#ended) return;
      const wait = piece === undefined ? 1 : piece.dueAt - performance.now();
      if (piece === undefined || stalled || wait > 0) {
        await sleep(Math.max(1, Math.min(wait, DRIP_MS)));
        continue;
      }
      const bytes = drip === undefined ? piece.bytes : piece.bytes.subarray(0, drip);
      if (bytes.byteLength === piece.bytes.byteLength) this.#pieces.shift();
      else this.#pieces[0] = { ...piece, bytes: piece.bytes.subarray(bytes.byteLength) };
      this.#waiting -= bytes.byteLength;
      if (this.#waiting <= WAITING_BYTES_MAX) this.#from.resume();
      this.#to.write(bytes);
      if (drip !== undefined) await sleep(DRIP_MS);
    }
  }
}

/** All connections that one validator opens to another. */
export class Link {
  readonly #server: Server;
  readonly #pairs = new Set<{ readonly ends: readonly [Socket, Socket]; readonly pipes: readonly Pipe[] }>();
  readonly #weather: Record<Direction, Weather> = { there: CALM, back: CALM };
  #refuses = false;
  /** Connections made, and ended by the proxy. */
  made = 0;
  ended = 0;

  private constructor(port: number) {
    this.#server = createServer({ allowHalfOpen: true }, (dialer) => this.#join(dialer, port));
  }

  /** In front of a listener on this machine; `port` is where to dial instead. */
  static async before(listenerPort: number): Promise<{ readonly link: Link; readonly port: number }> {
    const link = new Link(listenerPort);
    await new Promise<void>((resolve) => link.#server.listen(0, '127.0.0.1', resolve));
    const bound = link.#server.address();
    if (bound === null || typeof bound === 'string') throw new Error('the proxy is not bound');
    return { link, port: bound.port };
  }

  set(direction: Direction, weather: Weather): void {
    this.#weather[direction] = weather;
  }

  /** Ends all connections, by a close or by a reset in the middle of what is under way. */
  cut(how: 'close' | 'reset'): void {
    for (const pair of this.#pairs) {
      this.ended += 1;
      if (how === 'reset') for (const pipe of pair.pipes) pipe.tear();
      for (const end of pair.ends) {
        if (how === 'reset') end.resetAndDestroy();
        else end.destroy();
      }
    }
  }

  /** New connections are reset, until `calm`. */
  refuse(): void {
    this.#refuses = true;
  }

  calm(): void {
    this.#refuses = false;
    for (const direction of ['there', 'back'] as const) this.set(direction, CALM);
  }

  close(): void {
    this.#server.close();
    this.cut('close');
  }

  #join(dialer: Socket, port: number): void {
    dialer.on('error', () => undefined);
    if (this.#refuses) {
      dialer.resetAndDestroy();
      return;
    }
    const listener = connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true });
    dialer.setNoDelay(true);
    this.made += 1;
    const ends = [dialer, listener] as const;
    const pipes = [
      new Pipe(dialer, listener, () => this.#weather.there),
      new Pipe(listener, dialer, () => this.#weather.back),
    ];
    const pair = { ends, pipes };
    this.#pairs.add(pair);
    listener.on('error', () => undefined);
    for (const end of ends) {
      end.on('close', () => {
        this.#pairs.delete(pair);
        for (const other of ends) if (!other.destroyed) other.destroy();
      });
    }
  }
}

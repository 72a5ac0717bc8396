/**
 * One question to one NTP server: a socket, a random source port (RFC 9109) and a 64-bit secret of its own.
 * Touches a socket and randomness. Rules TM-1, TM-3, docs/protocol/time.md.
 */
import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import type { Monotonic, WallTime } from '../base/units.ts';
import {
  encodeNtpRequest,
  endsExchange,
  isNtpRefusal,
  NTP_NONCE_BYTES,
  type NtpAnswer,
  type NtpRefusal,
  readNtpAnswer,
} from '../protocol/time/ntp-packet.ts';
import type { HostAddress } from './name-cache.ts';

export interface NtpExchangeOptions {
  readonly to: HostAddress & { readonly port: number };
  readonly now: () => Monotonic;
  /** Any time near the answer's: it decides between the eras of NTP's timestamps, of 136 years each. */
  readonly near: () => WallTime;
  /** Called at most once, and not after `close`; the socket is closed by then. */
  readonly onEnd: (end: ExchangeEnd) => void;
}

export type ExchangeEnd =
  | {
      readonly outcome: 'answered';
      readonly sentAt: Monotonic;
      readonly arrivedAt: Monotonic;
      readonly answer: NtpAnswer | NtpRefusal;
    }
  /** The network, or the server's machine, said that nobody is there. */
  | { readonly outcome: 'unreachable'; readonly detail: string };

export class NtpExchange {
  readonly #options: NtpExchangeOptions;
  readonly #nonce = new Uint8Array(randomBytes(NTP_NONCE_BYTES));
  readonly #socket: Socket;
  #sentAt: Monotonic | undefined;
  #isOver = false;
  #ignored = 0;
  #lastIgnored = '';

  /** Asks at once. */
  constructor(options: NtpExchangeOptions) {
    this.#options = options;
    const { address, family, port } = options.to;
    this.#socket = createSocket(family === 6 ? 'udp6' : 'udp4');
    this.#socket.on('error', (error) => this.#end({ outcome: 'unreachable', detail: error.message }));
    this.#socket.on('message', (bytes) => this.#hear(bytes, options.now()));
    this.#socket.on('connect', () => this.#ask());
    // Connected: the kernel drops what other hosts send, and reports the refusals of this one.
    this.#socket.connect(port, address);
  }

  /** What came and was no answer, for the reader of a timeout. */
  get ignored(): string {
    return this.#ignored === 0 ? '' : `; ${this.#ignored} datagrams ignored, the last: ${this.#lastIgnored}`;
  }

  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket.close();
  }

  #ask(): void {
    const request = encodeNtpRequest(this.#nonce);
    this.#sentAt = this.#options.now();
    this.#socket.send(request);
  }

  #hear(bytes: Uint8Array, arrivedAt: Monotonic): void {
    if (this.#isOver || this.#sentAt === undefined) return;
    const answer = readNtpAnswer(bytes, this.#nonce, this.#options.near());
    // Whoever does not know the secret cannot end the exchange, only wait with us.
    if (isNtpRefusal(answer) && !endsExchange(answer)) {
      this.#ignored += 1;
      this.#lastIgnored = answer.code;
      return;
    }
    this.#end({ outcome: 'answered', sentAt: this.#sentAt, arrivedAt, answer });
  }

  #end(end: ExchangeEnd): void {
    if (this.#isOver) return;
    this.close();
    this.#options.onEnd(end);
  }
}

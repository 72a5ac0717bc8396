/**
 * Bytes behind the upgrade, on a proven connection over TLS: WebSocket frames, broken ones, and messages within. What is
 * no message is refused by name, what is no frame ends the connection by name, and the next connection works. TP-3 to TP-6.
 */
import { realClock } from '../../../src/actors/runtime/index.ts';
import { monotonic } from '../../../src/base/units.ts';
import { CLOSE_CODES } from '../../../src/protocol/transport/closing.ts';
import type { WireMessage } from '../../../src/protocol/transport/messages.ts';
import { encode } from '../../../src/transport/codec/codec.ts';
import { Connection } from '../../../src/transport/connection.ts';
import { type Pair, provenPair } from '../../transport/support/pair.ts';
import { claim, type Target } from '../target.ts';
import { frames as messageFrames, words } from './codec.ts';

/** A client's frame: masked by zeros, so that a mutation of the payload stays what it is. */
function clientFrame(payload: Uint8Array, head = 0x82): Uint8Array {
  const { byteLength } = payload;
  const length =
    byteLength < 126
      ? [0x80 | byteLength]
      : byteLength < 65_536
        ? [0xfe, byteLength >> 8, byteLength & 0xff]
        : [
            0xff,
            0,
            0,
            0,
            0,
            byteLength >>> 24,
            (byteLength >> 16) & 0xff,
            (byteLength >> 8) & 0xff,
            byteLength & 0xff,
          ];
  return new Uint8Array(Buffer.concat([Uint8Array.of(head, ...length, 0, 0, 0, 0), payload]));
}

const PROBE = Buffer.from('is anybody there?');
const probeMessage: WireMessage = { kind: 'Batch', bytes: new Uint8Array(PROBE) };
const probeFrame = (() => {
  const encoding = encode(probeMessage);
  return clientFrame(encoding.outcome === 'encoded' ? encoding.frame.bytes : new Uint8Array());
})();
/** @unit ms */
const PATIENCE_MS = 10_000;
/** Refused and closed sockets have so long to go. @unit ms */
const SETTLE_MS = 1_300;

export const frames: Target = {
  name: 'frames',
  what: 'bytes on a proven connection over TLS: WebSocket frames and the messages in them',
  covers: ['/src/transport/', '/src/protocol/transport/', '/node_modules/ws/'],
  mutations: [],
  dictionary: [
    ...words(),
    ...[0x80, 0x81, 0x82, 0x88, 0x89, 0x8a, 0x02, 0x00, 0xc2, 0xf2].map((head) =>
      clientFrame(new Uint8Array(), head),
    ),
    clientFrame(Uint8Array.of(3, 232), 0x88),
    Uint8Array.of(0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
    Uint8Array.of(0x82, 0x05, 0x01),
  ],
  bytesMax: 128 * 1024,
  window: 150,
  settleMs: SETTLE_MS,
  seeds: () => [
    ...messageFrames()
      .filter(({ byteLength }) => byteLength < 8_192)
      .map((frame) => clientFrame(frame)),
    clientFrame(new Uint8Array(Buffer.from('text')), 0x81),
    new Uint8Array(
      Buffer.concat([clientFrame(Uint8Array.of(0x93), 0x02), clientFrame(Uint8Array.of(0, 1, 0x81), 0x80)]),
    ),
    clientFrame(new Uint8Array(Buffer.from('\x03\xe8bye', 'latin1')), 0x88),
    new Uint8Array(
      Buffer.concat(
        messageFrames()
          .slice(2, 12)
          .map((frame) => clientFrame(frame)),
      ),
    ),
  ],
  open: async () => {
    let link = await opened();
    const run = async (input: Uint8Array): Promise<string> => {
      const ending = await link.take(input);
      if (link.ended === undefined) {
        claim(link.waiting() <= 1_024, 'what waits to be sent is bounded (TP-4)');
        return ending;
      }
      const { reason } = link.ended;
      claim(
        reason in CLOSE_CODES || reason.startsWith('CONNECTION_'),
        `a connection ends by name, not '${reason}'`,
      );
      link.close();
      link = await opened();
      claim((await link.take(new Uint8Array())) === 'open', 'the next connection works');
      return `ended ${reason}`;
    };
    return { run, close: async () => link.close() };
  },
};

const real = realClock();
let shift = 0;
/** A second passes with each input, so that rates never speak. */
const clock = { ...real, now: () => monotonic(real.now() + shift) };

/** True when the bytes end where a frame ends: what follows an unfinished one would be part of it. */
function isWhole(bytes: Uint8Array): boolean {
  const view = Buffer.from(bytes);
  let at = 0;
  while (at + 2 <= view.byteLength) {
    const [mask, short] = [(view.readUInt8(at + 1) & 0x80) === 0 ? 0 : 4, view.readUInt8(at + 1) & 0x7f];
    const head = at + 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + mask;
    if (head > view.byteLength) return false;
    const length =
      short === 126
        ? view.readUInt16BE(at + 2)
        : short === 127
          ? Number(view.readBigUInt64BE(at + 2))
          : short;
    at = head + length;
  }
  return at === view.byteLength;
}

/** A busy machine may pass a deadline: the third time it is not the machine. */
async function pairSoon(): Promise<Pair> {
  for (let left = 2; left > 0; left -= 1) {
    try {
      return await provenPair();
    } catch {
      // Again.
    }
  }
  return provenPair();
}

async function opened() {
  const pair = await pairSoon();
  let end: { readonly reason: string } | undefined;
  let refusals: string[] = [];
  let wake = (): void => undefined;
  const connection = new Connection(pair.listener, clock, {
    deliver: (message) => {
      if (message.kind === 'Batch' && PROBE.equals(message.bytes)) wake();
      else refusals.push(message.kind);
      return undefined;
    },
    refuse: (refusal) => void refusals.push(refusal.code),
    ended: (reason) => {
      end = { reason };
      wake();
    },
  });
  connection.open();
  pair.dialer.socket.on('error', () => undefined);
  pair.dialer.ws.on('error', () => undefined);
  pair.dialer.ws.resume();
  /** Writes it and a good message; waits until that arrives, the connection ends, or nothing comes of it. */
  const take = async (input: Uint8Array): Promise<string> => {
    refusals = [];
    shift += 1_000;
    const heard = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), PATIENCE_MS);
      wake = () => {
        clearTimeout(timer);
        resolve(true);
      };
      if (isWhole(input)) pair.dialer.socket.write(Buffer.concat([input, probeFrame]));
      else pair.dialer.socket.end(input);
    });
    // An unfinished frame swallows what follows: the connection is of no more use.
    if (!heard && end === undefined) {
      connection.close('SHUTTING_DOWN');
      end ??= { reason: 'SHUTTING_DOWN' };
      return 'unfinished';
    }
    return ['open', ...new Set(refusals)].join(' ');
  };
  return {
    take,
    get ended() {
      return end;
    },
    waiting: () => connection.status.waiting,
    close: () => {
      connection.close('SHUTTING_DOWN');
      pair.close();
    },
  };
}

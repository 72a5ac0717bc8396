/**
 * Preloaded into a validator's process (`node --import`): every binary frame is appended to the file that
 * ALTHING_WIRE_TAP names, before the WebSocket is given it. A frame that may have left is in the file, whenever the
 * process is killed. Boundary: patches `ws`, writes to disk. The form of the file is in wire-frames.ts.
 */
import { openSync, writeSync } from 'node:fs';
import { TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import { certificateKey } from '../../../src/transport/certificate.ts';
import { nodeIdOf } from '../../../src/transport/identity.ts';
import { encodeTapped, type TappedFrame, UNKNOWN_PEER } from './wire-frames.ts';

const path = process.env['ALTHING_WIRE_TAP'];
if (path === undefined) throw new Error('ALTHING_WIRE_TAP: the file of the wire tap is not named');
const file = openSync(path, 'a', 0o600);
const ends = new WeakMap<WebSocket, Pick<TappedFrame, 'port' | 'peer'>>();

/** The other end. */
function endOf(ws: WebSocket): Pick<TappedFrame, 'port' | 'peer'> {
  const known = ends.get(ws);
  if (known !== undefined) return known;
  const socket: unknown = Reflect.get(ws, '_socket');
  const isTls = socket instanceof TLSSocket;
  const key = isTls ? certificateKey(socket.getPeerX509Certificate()) : undefined;
  const port = isTls ? (socket.remotePort ?? 0) : 0;
  const end = { port, peer: key === undefined ? UNKNOWN_PEER : nodeIdOf(key) };
  ends.set(ws, end);
  return end;
}

WebSocket.prototype.send = new Proxy(WebSocket.prototype.send, {
  apply(send, ws: unknown, words: unknown[]) {
    const [data] = words;
    if (ws instanceof WebSocket && data instanceof Uint8Array) {
      const at = performance.timeOrigin + performance.now();
      const entry = encodeTapped({ at, ...endOf(ws), bytes: data });
      for (let done = 0; done < entry.byteLength; ) done += writeSync(file, entry, done);
    }
    return Reflect.apply(send, ws, words);
  },
});

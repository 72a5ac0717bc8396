/** Talking to a server under test: boundary, sockets. */
import type { Socket } from 'node:net';

/** Everything that comes until the other end closes, or until the patience ends. @param patienceMs @unit ms */
export function answerOf(socket: Socket, patienceMs: number): Promise<string> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    const finish = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(Buffer.concat(parts).toString('latin1'));
    };
    const timer = setTimeout(finish, patienceMs);
    socket.on('error', finish);
    socket.on('data', (part) => parts.push(part));
    socket.on('end', finish);
    socket.on('close', finish);
  });
}

/** Reads the body of a request, never more of it than is allowed. Boundary: sockets. */
import type { IncomingMessage } from 'node:http';

/** The body as text. What is beyond `bytesMax` is read and thrown away, so that the refusal can be sent. */
export function readText(
  request: IncomingMessage,
  bytesMax: number,
): Promise<{ readonly text: string; readonly bytes: number } | 'too-large' | 'aborted'> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const announced = Number(request.headers['content-length'] ?? 0);
    if (announced > bytesMax) resolve('too-large');
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= bytesMax) chunks.push(chunk);
      else resolve('too-large');
    });
    // Not kept by the request: its answer may wait for long.
    request.once('end', () =>
      resolve({ text: Buffer.concat(chunks.splice(0)).toString('utf8'), bytes: length }),
    );
    request.once('error', () => resolve('aborted'));
    request.once('close', () => resolve('aborted'));
  });
}

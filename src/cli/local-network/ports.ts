/** Addresses of a local network, and whether they are free. Boundary: binds and lets go. */
import { createServer } from 'node:net';
import { usageFailure } from '../failure.ts';

/** The first validator's peer port; CometBFT's. */
export const BASE_PORT_DEFAULT = 26_656;
/** Between the ports of two validators. */
const STRIDE = 10;
const HOST = '127.0.0.1';
const PORT_MAX = 65_535;

/** Validator i listens for peers at base + 10·i, for clients one above. */
export const peerAddressOf = (basePort: number, index: number): string =>
  `${HOST}:${basePort + STRIDE * index}`;
export const rpcAddressOf = (basePort: number, index: number): string =>
  `${HOST}:${basePort + STRIDE * index + 1}`;

/** Refuses, naming the port, when one that the network needs is taken or does not exist. */
export async function requireFreePorts(basePort: number, validators: number): Promise<void> {
  const last = basePort + STRIDE * (validators - 1) + 1;
  if (last > PORT_MAX) {
    throw usageFailure(
      `--base-port ${basePort}: ${validators} validators need ports up to ${last}, above ${PORT_MAX}`,
    );
  }
  for (let index = 0; index < validators; index += 1) {
    for (const [purpose, port] of [
      ['peers', basePort + STRIDE * index],
      ['RPC', basePort + STRIDE * index + 1],
    ] as const) {
      const code = await bindError(port);
      if (code === undefined) continue;
      const reason = code === 'EADDRINUSE' ? 'is in use' : `cannot be bound (${code})`;
      throw usageFailure(
        `port ${port} (${purpose} of validator ${index}) ${reason}: stop what holds it, or choose another with --base-port`,
      );
    }
  }
}

function bindError(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen(port, HOST, () => server.close(() => resolve(undefined)));
  });
}

/** The base port of a network whose first validator listens at `peerAddress`. */
export const basePortOf = (peerAddress: string): number =>
  Number(peerAddress.slice(peerAddress.lastIndexOf(':') + 1));

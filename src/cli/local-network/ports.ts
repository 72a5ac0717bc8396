/** Addresses of a local network, and whether they are free. Boundary: binds and lets go. */
import { createServer } from 'node:net';
import { usageFailure } from '../failure.ts';

/** The first validator's peer port; CometBFT's. */
export const BASE_PORT_DEFAULT = 26_656;
/** Between the ports of two validators. */
export const STRIDE = 10;
const HOST = '127.0.0.1';
const PORT_MAX = 65_535;

/** Validator i listens for peers at base + 10·i, for clients one above. */
export const peerAddressOf = (basePort: number, index: number): string =>
  `${HOST}:${basePort + STRIDE * index}`;
export const rpcAddressOf = (basePort: number, index: number): string =>
  `${HOST}:${basePort + STRIDE * index + 1}`;

/** Nodes to which one node's pages may go on. @unit nodes @source a page needs a few, not all of 512 */
const NEIGHBOURS_MAX = 8;

/** Of the network's page: between the ports of the first two validators. */
export const feedPortOf = (basePort: number): number => basePort + STRIDE / 2;

/** The RPC of the validators that come after and before one in the ring of all. */
export function neighboursOf(
  basePort: number,
  index: number,
  validators: number,
): { readonly after: readonly string[]; readonly before: readonly string[] } {
  const count = Math.min(NEIGHBOURS_MAX, validators - 1);
  const at = (step: number): string => rpcAddressOf(basePort, (index + step + validators) % validators);
  const steps = Array.from({ length: count }, (_, step) => step + 1);
  return { after: steps.map(at), before: steps.map((step) => at(-step)) };
}

/** Whether `http://host:port` is the RPC of a validator of the network with this base port. */
export function isRpcOrigin(origin: string, basePort: number): boolean {
  const port = Number(/^http:\/\/(?:127\.0\.0\.1|localhost):([0-9]+)$/.exec(origin)?.[1]);
  const step = port - basePort - 1;
  return step >= 0 && step % STRIDE === 0 && port <= PORT_MAX;
}

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

/** Who calls, and whether it still listens. Boundary: sockets. */
import type { ServerResponse } from 'node:http';

export interface Caller {
  /** Whom rates and shares are counted for. */
  readonly client: string;
  /** Aborted when the answer can reach nobody any more. */
  readonly signal: AbortSignal;
  /** When the head of its request had come; monotonic. @unit ms */
  readonly since: number;
}

/** Its signal is made when somebody looks at it: few calls do, and one costs what a refusal costs. */
export function callerOf(client: string, response: ServerResponse, since: number): Caller {
  let controller: AbortController | undefined;
  let isClosed = false;
  response.once('close', () => {
    isClosed = true;
    controller?.abort(CLOSED);
  });
  return {
    client,
    since,
    get signal() {
      if (controller !== undefined) return controller.signal;
      controller = new AbortController();
      if (isClosed) controller.abort(CLOSED);
      return controller.signal;
    },
  };
}

const CLOSED = new Error('the connection was closed');

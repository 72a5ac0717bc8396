/**
 * Submissions of one client that come within one turn of the event loop go to the bridge as one message: what the bridge does is
 * paid for each message, not for each operation. Holds what came in this turn only. Rule BR-1, docs/protocol/bridge.md.
 */
import { OPERATIONS_BYTES_MAX, OPERATIONS_MAX } from '../protocol/bridge/messages.ts';
import type { Admission } from '../protocol/ports/mempool.ts';

/** Gives one admission for each transaction, in order; or rejects, and then nobody has one. */
type Send = (transactions: readonly Uint8Array[], client: string) => Promise<readonly Admission[]>;

interface Gathered {
  readonly transactions: Uint8Array[];
  bytes: number;
  readonly admissions: Promise<readonly Admission[]>;
  /** Goes now; later does nothing. */
  readonly send: () => void;
}

export class SubmissionsOfATurn {
  readonly #send: Send;
  /** By client, since the mempool bounds the rate of each. Emptied at the end of the turn. */
  readonly #open = new Map<string, Gathered>();

  constructor(send: Send) {
    this.#send = send;
  }

  /** One admission for each transaction. What does not fit what waits sends that first: OPERATIONS_MAX, OPERATIONS_BYTES_MAX. */
  async submit(transactions: readonly Uint8Array[], client: string): Promise<readonly Admission[]> {
    const bytes = transactions.reduce((sum, { byteLength }) => sum + byteLength, 0);
    const gathered = this.#roomFor(transactions.length, bytes, client);
    const start = gathered.transactions.length;
    for (const transaction of transactions) gathered.transactions.push(transaction);
    gathered.bytes += bytes;
    const admissions = await gathered.admissions;
    return admissions.slice(start, start + transactions.length);
  }

  #roomFor(count: number, bytes: number, client: string): Gathered {
    const open = this.#open.get(client);
    if (open === undefined) return this.#gather(client);
    const fits =
      open.transactions.length + count <= OPERATIONS_MAX && open.bytes + bytes <= OPERATIONS_BYTES_MAX;
    if (fits) return open;
    open.send();
    return this.#gather(client);
  }

  /** All I/O of a turn comes before its `setImmediate`, so nothing waits for another turn. */
  #gather(client: string): Gathered {
    const { promise, resolve } = Promise.withResolvers<readonly Admission[]>();
    const send = (): void => {
      if (this.#open.get(client) !== gathered) return;
      this.#open.delete(client);
      resolve(this.#send(gathered.transactions, client));
    };
    const gathered: Gathered = { transactions: [], bytes: 0, admissions: promise, send };
    this.#open.set(client, gathered);
    setImmediate(send);
    return gathered;
  }
}

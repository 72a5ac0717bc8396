/**
 * Transactions of one JSON-RPC batch go to the mempool as one submission: what the mempool does is paid for each
 * submission, not for each transaction. Source: docs/benchmarks.md. Holds what is called in the current turn only.
 */
import type { Admission } from '../protocol/ports/mempool.ts';
import type { NodePort } from './node-port.ts';

interface Gathered {
  readonly transactions: Uint8Array[];
  readonly admissions: Promise<readonly Admission[]>;
}

export class Submissions {
  readonly #port: NodePort;
  readonly #open = new Map<string, Gathered>();

  constructor(port: NodePort) {
    this.#port = port;
  }

  /**
   * What became of one transaction; rejects as `NodePort.submit` does. Calls of one client within one turn of the event
   * loop, before any other I/O, are one submission; the bound on a request's body bounds it.
   */
  async submit(transaction: Uint8Array, client: string): Promise<Admission | undefined> {
    const gathered = this.#open.get(client) ?? this.#gather(client);
    const position = gathered.transactions.push(transaction) - 1;
    const admissions = await gathered.admissions;
    return admissions[position];
  }

  #gather(client: string): Gathered {
    const transactions: Uint8Array[] = [];
    const admissions = Promise.resolve().then(() => {
      this.#open.delete(client);
      return this.#port.submit(transactions, client);
    });
    const gathered = { transactions, admissions };
    this.#open.set(client, gathered);
    return gathered;
  }
}

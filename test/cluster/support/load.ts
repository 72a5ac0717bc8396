/** Clients that send one transaction after the other to each validator, and remember what was acknowledged. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { LocalNetwork } from './local-network.ts';

/** Rest of a client whose validator does not answer. @unit ms */
const REST = 50;

export class Load {
  /** Keys whose transactions were told to be committed. */
  readonly acknowledged: string[] = [];
  readonly #clients: Promise<unknown>;
  #stopped = false;

  constructor(network: LocalNetwork, validators: readonly number[]) {
    this.#clients = Promise.all(validators.map((index) => this.#send(network, index)));
  }

  async #send(network: LocalNetwork, index: number): Promise<void> {
    for (let sequence = 0; !this.#stopped; sequence += 1) {
      const key = `key${index}.${sequence}`;
      const tx = Buffer.from(`${key}=value${sequence}`).toString('base64');
      const answer = await network.call(index, 'broadcast_tx_commit', { tx });
      if (answer?.check_tx?.code === 0 && Number(answer.height) > 0) this.acknowledged.push(key);
      else await sleep(REST);
    }
  }

  /** Resolves when the last answer has come. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#clients;
  }
}

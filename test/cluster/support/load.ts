/** Clients that send one transaction after the other to each validator, and remember what was acknowledged. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { LocalNetwork } from './local-network.ts';

/** Rest of a client whose validator does not answer. @unit ms */
const REST = 50;

export class Load {
  /** Keys whose transactions were told to be committed. */
  readonly acknowledged: string[] = [];
  readonly #clients: Promise<unknown>;
  readonly #letters: number;
  #stopped = false;

  /** Values have at least so many letters. */
  constructor(network: LocalNetwork, validators: readonly number[], letters = 0) {
    this.#letters = letters;
    this.#clients = Promise.all(validators.map((index) => this.#send(network, index)));
  }

  async #send(network: LocalNetwork, index: number): Promise<void> {
    for (let sequence = 0; !this.#stopped; sequence += 1) {
      const key = `key${index}.${sequence}`;
      const tx = Buffer.from(`${key}=${this.valueOf(key)}`).toString('base64');
      const answer = await network.call(index, 'broadcast_tx_commit', { tx });
      if (answer?.check_tx?.code === 0 && Number(answer.height) > 0) this.acknowledged.push(key);
      else await sleep(REST);
    }
  }

  /** What was sent for a key. */
  valueOf(key: string): string {
    return `value${key.slice(key.indexOf('.') + 1)}`.padEnd(this.#letters, '.');
  }

  /** Resolves when the last answer has come. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#clients;
  }
}

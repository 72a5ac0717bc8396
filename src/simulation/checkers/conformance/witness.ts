/** Hands what happens in a simulated cluster to a judge: all that its nodes say, and what is on their disks. Rule SM-9. */
import type { Cluster } from '../../cluster.ts';
import type { Instance } from '../../instance.ts';
import type { Observer } from '../../observer.ts';
import type { Judge } from './judge.ts';
import { isJudged } from './log.ts';

export class Witness {
  readonly #judge: Pick<Judge, 'take'>;
  readonly #cluster: () => Cluster;
  readonly #lives = new Map<Instance, number>();

  constructor(judge: Pick<Judge, 'take'>, cluster: () => Cluster) {
    this.#judge = judge;
    this.#cluster = cluster;
  }

  observer(): Observer {
    return {
      started: (instance, { life }) => {
        this.#lives.set(instance, life);
      },
      crashed: (instance) => this.#record(instance),
      sent: (instance, to, message) => {
        if (!isJudged(message)) return;
        const life = this.#lives.get(instance) ?? 0;
        this.#judge.take({ kind: 'sent', by: instance.address, life, to, message });
        // What a liar's leader really said is on the disk of whoever voted for it.
        if (message.kind === 'Vote' && !instance.faulty) this.#learn(instance, message.vote.blockId);
      },
      committed: (instance, block) => {
        this.#judge.take({ kind: 'committed', by: instance.address, block });
      },
    };
  }

  /** At the end of the run. */
  finish(): void {
    for (const { instance } of this.#cluster().nodes) this.#record(instance);
  }

  #record(instance: Instance): void {
    const { record } = this.#cluster().node(instance.node).disk.durable();
    const life = this.#lives.get(instance) ?? 0;
    this.#judge.take({ kind: 'record', by: instance.address, life, record });
  }

  #learn(instance: Instance, id: Parameters<Cluster['nodes'][number]['disk']['block']>[0]): void {
    const { disk } = this.#cluster().node(instance.node);
    const block = disk.block(id);
    const { lastTC } = disk.durable().record;
    if (block === undefined) return;
    const tc = lastTC !== undefined && lastTC.round + 1 === block.header.round ? lastTC : undefined;
    this.#judge.take({ kind: 'block', block, tc });
  }
}

/**
 * The epochs of a run, as honest nodes have written them; who judges a statement looks up the epoch that it is of. All nodes
 * must tell the same. Mutable memory; deterministic. Rules SM-4, CS-16.
 */
import type { Address, Epoch, EpochChange } from '../protocol/chain/types.ts';
import { type EpochContext, epochAfter } from '../protocol/consensus/epoch.ts';
import type { StoreReader } from '../storage/store.ts';
import type { Report } from './checkers/claim.ts';

export const ONE_EPOCH = 'no two honest nodes end an epoch differently';

/** Reads an honest node's store; undefined while it cannot be read. */
interface ReadNode {
  readonly address: Address;
  readonly read: <Value>(of: (store: StoreReader) => Value) => Value | undefined;
}

/** Changes of one look. @unit changes @source EPOCHS_MAX of storage */
const LOOK_MAX = 64;

export class EpochBook {
  readonly #epochs: EpochContext[];
  readonly #nodes: () => readonly ReadNode[];

  constructor(first: EpochContext, nodes: () => readonly ReadNode[]) {
    this.#epochs = [first];
    this.#nodes = nodes;
  }

  /** Undefined where no honest node has entered it. */
  readonly of = (epoch: number): EpochContext | undefined => {
    if (this.#epochs[epoch] === undefined) this.#learn();
    return this.#epochs[epoch];
  };

  /** The newest that any honest node has entered. */
  get newest(): EpochContext | undefined {
    this.#learn();
    return this.#epochs.at(-1);
  }

  /** At the end of a run: every honest node has written the same. */
  check(report: Report): void {
    this.#learn();
    for (const { address, read } of this.#nodes()) {
      for (const change of changesOf(read, 0)) {
        const { hash } = epochAfter(this.#first, change);
        const known = this.#epochs[change.proof.next.epoch];
        if (known?.hash === hash && known.rootQC.blockId === change.qc.blockId) continue;
        report(ONE_EPOCH, `${address} ends epoch ${change.qc.epoch} with block ${change.qc.blockId}`);
      }
    }
  }

  get #first(): EpochContext {
    const [first] = this.#epochs;
    if (first === undefined) throw new RangeError('a book has a first epoch');
    return first;
  }

  #learn(): void {
    for (const { read } of this.#nodes()) {
      for (const change of changesOf(read, this.#epochs.length - 1)) {
        if (change.qc.epoch === this.#epochs.length - 1) this.#epochs.push(epochAfter(this.#first, change));
      }
    }
  }
}

function changesOf(read: ReadNode['read'], from: number): readonly EpochChange[] {
  const found = read((store) => store.changes(from as Epoch, LOOK_MAX));
  return found?.status === 'found' ? found.value : [];
}

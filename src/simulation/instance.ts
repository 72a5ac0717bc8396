/** Who takes part in a simulated network: a validator's instances share its address, and the hub tells them apart. Pure. */
import { utf8 } from '../base/bytes.ts';
import { invariant } from '../base/invariant.ts';
import { sha256 } from '../crypto/hash.ts';
import type { Address } from '../protocol/chain/types.ts';
import { addressOf } from '../protocol/chain/validator-set.ts';
import type { NodeId } from '../protocol/transport/messages.ts';

/** One running (or dead) node. */
export interface Instance {
  /** Its number in plans: see `RunPlan`. */
  readonly node: number;
  /** Index of the validator whose keys it has. */
  readonly validator: number;
  /** 1: the second instance of a validator that runs twice. */
  readonly twin: 0 | 1;
  readonly address: Address;
  /** Its name in the hub: the address, or for a twin another one that nobody else sees. */
  readonly id: NodeId;
  /** Its validator lies or runs twice: what it says proves nothing about the protocol. */
  readonly faulty: boolean;
}

/** All instances of a run, in the order of their numbers. */
export class Directory {
  readonly instances: readonly Instance[];
  readonly #byId: ReadonlyMap<NodeId, Instance>;
  readonly #byAddress: ReadonlyMap<Address, readonly Instance[]>;

  /**
   * @param addresses of the validators by index
   * @param twins indices of the validators that run twice
   * @param liars indices of the validators that may lie
   */
  constructor(addresses: readonly Address[], twins: readonly number[], liars: readonly number[]) {
    const instanceOf = (validator: number, node: number, twin: 0 | 1): Instance => {
      const address = addresses[validator];
      invariant(address !== undefined, 'a twin is of a validator', { validator });
      const id = twin === 0 ? address : addressOf(sha256(utf8(`twin/${address}`)));
      const faulty = twins.includes(validator) || liars.includes(validator);
      return { node, validator, twin, address, id, faulty };
    };
    this.instances = [
      ...addresses.map((_, index) => instanceOf(index, index, 0)),
      ...twins.map((validator, index) => instanceOf(validator, addresses.length + index, 1)),
    ];
    this.#byId = new Map(this.instances.map((instance) => [instance.id, instance]));
    this.#byAddress = new Map(
      addresses.map((address) => [address, this.instances.filter((one) => one.address === address)]),
    );
  }

  at(node: number): Instance | undefined {
    return this.instances[node];
  }

  byId(id: NodeId): Instance | undefined {
    return this.#byId.get(id);
  }

  /** The instances that a message to an address reaches. */
  of(address: Address): readonly Instance[] {
    return this.#byAddress.get(address) ?? [];
  }
}

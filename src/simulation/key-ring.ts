/**
 * All keys of a simulated network: each validator's node key, and the consensus keys that it can have one after the other.
 * Those beyond the first are made when they are asked for. Deterministic. Rules SM-1, CS-16.
 */
import { equalBytes, utf8 } from '../base/bytes.ts';
import { invariant } from '../base/invariant.ts';
import type { BlsEngine } from '../crypto/bls/engine.ts';
import { ed25519PublicKeyOf } from '../crypto/ed25519.ts';
import { sha256 } from '../crypto/hash.ts';
import { ECVRF, type VrfEngine } from '../crypto/vrf.ts';
import { createKeyedHashVrf } from '../crypto/vrf-keyed-hash.ts';
import type { Validator } from '../protocol/chain/types.ts';
import { addressOf } from '../protocol/chain/validator-set.ts';
import type { NodeSigner } from '../protocol/consensus/safety.ts';
import type { ValidatorUpdate } from '../protocol/ports/application.ts';
import type { Instance } from './instance.ts';
import { KEYS_EACH } from './plan.ts';

export interface KeyRingOptions {
  readonly seed: string | number;
  /** @unit validators */
  readonly count: number;
  /** By index; all 1 without. */
  readonly powers: readonly number[] | undefined;
  readonly bls: BlsEngine;
  /** Node keys are real ones, and so are VRF proofs. */
  readonly hasCurve: boolean;
}

export interface ConsensusKey {
  readonly secret: Uint8Array;
  readonly consensusKey: Uint8Array;
}

export class KeyRing {
  /** By index, each under its first key. */
  readonly validators: readonly Validator[];
  readonly vrf: VrfEngine;
  readonly #seed: string | number;
  readonly #bls: BlsEngine;
  readonly #keys: readonly [ConsensusKey, ...ConsensusKey[]][];
  readonly #nodeSecrets: readonly Uint8Array[];

  constructor({ seed, count, powers, bls, hasCurve }: KeyRingOptions) {
    this.#seed = seed;
    this.#bls = bls;
    this.#keys = Array.from({ length: count }, (_, index) => [this.#made(index)]);
    this.#nodeSecrets = this.#keys.map((_, index) => sha256(utf8(`node secret/${seed}/${index}`)));
    this.validators = this.#keys.map(([{ consensusKey }], index): Validator => {
      const secret = this.#nodeSecrets[index];
      const real = hasCurve && secret !== undefined ? ed25519PublicKeyOf(secret) : undefined;
      const nodeKey = real ?? sha256(utf8(`node/${seed}/${index}`));
      return { address: addressOf(nodeKey), consensusKey, nodeKey, power: BigInt(powers?.[index] ?? 1) };
    });
    const pairs = this.validators.flatMap(({ nodeKey: publicKey }, index) => {
      const secret = this.#nodeSecrets[index];
      return secret === undefined ? [] : [{ secret, publicKey }];
    });
    this.vrf = hasCurve ? ECVRF : createKeyedHashVrf(pairs);
  }

  /** One of a validator's keys. @param place from 0 */
  keyOf(index: number, place: number): ConsensusKey {
    const keys = this.#keys[index];
    invariant(keys !== undefined && place < KEYS_EACH, 'each validator has its keys', { index, place });
    for (let next = keys.length; next <= place; next += 1) keys.push(this.#made(index, `/${next}`));
    return keys[place] ?? keys[0];
  }

  updateOf(index: number, power: bigint, place: number): ValidatorUpdate {
    const { secret, consensusKey } = this.keyOf(index, place);
    const possessionProof = this.#bls.provePossession(secret);
    const validator = this.validators[index];
    invariant(possessionProof !== undefined && validator !== undefined, 'whoever has a key proves it');
    return { nodeKey: validator.nodeKey, consensusKey, possessionProof, power };
  }

  /** Signs by whichever of its keys is asked for. */
  signerOf({ validator, address }: Pick<Instance, 'validator' | 'address'>): NodeSigner {
    const nodeSecret = this.#nodeSecrets[validator];
    invariant(nodeSecret !== undefined, 'each validator has its keys', { validator });
    return {
      address,
      sign: (message, wanted) => {
        const own = this.#keys[validator]?.find(({ consensusKey }) => equalBytes(consensusKey, wanted));
        return own === undefined ? undefined : this.#bls.sign(own.secret, message);
      },
      prove: (input) => this.vrf.prove(nodeSecret, input),
    };
  }

  #made(index: number, which = ''): ConsensusKey {
    const secret = this.#bls.generateSecret(sha256(utf8(`secret/${this.#seed}/${index}${which}`)));
    invariant(secret !== undefined, 'a digest is seed enough for a key');
    const consensusKey = this.#bls.publicKeyOf(secret);
    invariant(consensusKey !== undefined, 'a generated secret has a public key');
    return { secret, consensusKey };
  }
}

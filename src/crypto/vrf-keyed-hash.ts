/**
 * FOR SIMULATION ONLY: a `VrfEngine` of SHA-256 tags, some hundred times faster than the curve. Nobody without the secret makes a
 * tag, and it verifies by looking the secret up: sound among the actors of one process, worthless outside it. Deterministic.
 * A proof begins with a real point, one of a few, so that `vrfOutput` makes an output of it as of a real one.
 */
import { normalizeZ } from '@noble/curves/abstract/curve.js';
import { ed25519 } from '@noble/curves/ed25519.js';
import { concatBytes, equalBytes, toHex, utf8 } from '../base/bytes.ts';
import { sha256, sha512 } from './hash.ts';
import { VRF_PROOF_BYTES, type VrfEngine, vrfOutput } from './vrf.ts';

export interface VrfKeyPair {
  readonly secret: Uint8Array;
  readonly publicKey: Uint8Array;
}

/** Different outputs that there are. @unit points @source one byte of a tag */
const POINTS = 256;
const POINT_BYTES = 32;
const DOMAIN = utf8('althing/simulation/vrf/v1');
/** The base point, twice it, and so on: made once, with one inversion for all, since a cluster is made thousands of times. */
const FIRST_POINTS = firstPoints();

function firstPoints(): readonly Uint8Array[] {
  const { Point } = ed25519;
  const points = [Point.BASE];
  while (points.length < POINTS) points.push((points.at(-1) ?? Point.BASE).add(Point.BASE));
  return normalizeZ(Point, points).map((point) => point.toBytes());
}

/** An engine that knows these keys; another's never prove nor verify. */
export function createKeyedHashVrf(keys: readonly VrfKeyPair[]): VrfEngine {
  const secrets = new Map(keys.map(({ secret, publicKey }) => [toHex(publicKey), secret]));
  const prove = (secret: Uint8Array, alpha: Uint8Array): Uint8Array => {
    const tag = sha512(DOMAIN, sha256(secret), alpha);
    const point = FIRST_POINTS[tag[0] ?? 0] ?? new Uint8Array(POINT_BYTES);
    // The last bytes are those of a small scalar: a proof that does not decode would have no output.
    const scalar = new Uint8Array(VRF_PROOF_BYTES - POINT_BYTES);
    scalar.set(tag.subarray(0, scalar.byteLength - 1));
    return concatBytes(point, scalar);
  };
  return {
    prove,
    verify: (publicKey, alpha, proof) => {
      const secret = secrets.get(toHex(publicKey));
      const isRight = secret !== undefined && equalBytes(prove(secret, alpha), proof);
      return isRight ? vrfOutput(proof) : undefined;
    },
  };
}

import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import type { BlsEngine } from '../../../src/crypto/bls/engine.ts';
import { loadBlsEngine } from '../../../src/crypto/bls/select.ts';
import { batchDigestOf } from '../../../src/protocol/chain/batch.ts';
import { CanonicalWriter } from '../../../src/protocol/chain/canonical-writer.ts';
import type { EpochProof, ProvenHeader } from '../../../src/protocol/chain/types.ts';
import {
  encodeEpochProof,
  encodeProvenHeader,
  encodeStateProof,
  parseEpochProof,
  parseProvenHeader,
  parseStateProof,
} from '../../../src/protocol/light/encoding.ts';
import { verifyEpochProof } from '../../../src/protocol/light/epochs.ts';
import { verifyProvenHeader } from '../../../src/protocol/light/headers.ts';
import { PROOF_BYTES_MAX, type StateProof, type TrustedEpoch } from '../../../src/protocol/light/types.ts';
import { chainOf, present, world } from '../consensus/fixture.ts';
import { endingChain, epochProofOf, nextOf, proofOf, trustedOf } from './fixture.ts';

interface Shown {
  readonly bls: BlsEngine;
  readonly trusted: TrustedEpoch;
  readonly header: ProvenHeader;
  readonly epoch: EpochProof;
}
let shown: Shown | undefined;
const proofs = (): Shown => present(shown, 'proofs');

/** With true signatures: which bytes of one are another signature's is for the curve to say. */
beforeAll(async () => {
  const { engine } = await loadBlsEngine();
  const place = world([1n, 1n, 1n, 1n], 'bytes', engine);
  const batch = { digest: batchDigestOf(utf8('batch')), count: 3, bytes: 500 };
  const chain = chainOf(place, [1, 3, 4], () => ({ batches: [batch] }));
  const next = nextOf(place, world([5n, 1n, 1n], 'next', engine), []);
  shown = {
    ...{ bls: engine, trusted: trustedOf(place) },
    ...{ header: proofOf(chain, 0, 2), epoch: epochProofOf(place, next) },
  };
});

const isHeaderProven = (bytes: Uint8Array): boolean => {
  const proof = parseProvenHeader(bytes);
  if (proof === 'malformed') return false;
  return verifyProvenHeader(proofs().trusted, proofs().bls, proof).status === 'proven';
};
const isEpochProven = (bytes: Uint8Array): boolean => {
  const proof = parseEpochProof(bytes);
  if (proof === 'malformed') return false;
  return verifyEpochProof(proofs().trusted, proofs().bls, proof).status === 'proven';
};

/** Every place once, each with a change of its own. */
function changes(bytes: Uint8Array): readonly Uint8Array[] {
  return Array.from(bytes, (byte, at) => {
    const changed = bytes.slice();
    changed[at] = byte ^ (1 << (at % 8));
    return changed;
  });
}

describe('the bytes of a proof', () => {
  it('are read back as what they were made of', () => {
    const { header, epoch } = proofs();
    expect(parseProvenHeader(encodeProvenHeader(header))).toEqual(header);
    expect(parseEpochProof(encodeEpochProof(epoch))).toEqual(epoch);
    expect(isHeaderProven(encodeProvenHeader(header))).toBe(true);
    expect(isEpochProven(encodeEpochProof(epoch))).toBe(true);
  });

  it('prove nothing when any one of them is another', () => {
    const header = changes(encodeProvenHeader(proofs().header)).filter(isHeaderProven);
    const epoch = changes(encodeEpochProof(proofs().epoch)).filter(isEpochProven);
    expect([header.length, epoch.length]).toEqual([0, 0]);
  });

  it('prove nothing when any byte is another one (any change)', () => {
    const bytes = encodeEpochProof(proofs().epoch);
    const change = fc.record({ at: fc.nat(bytes.byteLength - 1), by: fc.integer({ min: 1, max: 255 }) });
    fc.assert(
      fc.property(change, ({ at, by }) => {
        const changed = bytes.slice();
        changed[at] = (changed[at] ?? 0) ^ by;
        expect(isEpochProven(changed)).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it('are refused when cut anywhere, or with one more', () => {
    for (const bytes of [encodeProvenHeader(proofs().header), encodeEpochProof(proofs().epoch)]) {
      for (let length = 0; length < bytes.byteLength; length += 1) {
        expect(parseProvenHeader(bytes.subarray(0, length))).toBe('malformed');
        expect(parseEpochProof(bytes.subarray(0, length))).toBe('malformed');
      }
      const longer = Uint8Array.of(...bytes, 0);
      expect([parseProvenHeader(longer), parseEpochProof(longer)]).toEqual(['malformed', 'malformed']);
    }
  });

  it('are of one kind only', () => {
    expect(parseEpochProof(encodeProvenHeader(proofs().header))).toBe('malformed');
    expect(parseProvenHeader(encodeEpochProof(proofs().epoch))).toBe('malformed');
    expect(parseStateProof(encodeProvenHeader(proofs().header))).toBe('malformed');
  });

  it('cost no memory for what they announce, and none are longer than the bound', () => {
    const announcing = new CanonicalWriter().text('althing/proven-header/v1').u64(4_096).finish();
    expect(parseProvenHeader(announcing)).toBe('malformed');
    const more = new CanonicalWriter()
      .text('althing/proven-header/v1')
      .u64(2n ** 63n)
      .finish();
    expect(parseProvenHeader(more)).toBe('malformed');
    expect(parseStateProof(new Uint8Array(PROOF_BYTES_MAX + 1))).toBe('malformed');
  });

  it('of the longest end of an epoch stay within the bound', () => {
    const place = world([1n], 'long');
    const next = nextOf(place, world([1n], 'longer'));
    const chain = endingChain(place, [1, 3, 5, 7, 9, 10], 0, next);
    const bytes = (to: number) => encodeProvenHeader(proofOf(chain, 0, to)).byteLength;
    const each = bytes(5) - bytes(4);
    expect(each * 4_096 + 80 * 4_096).toBeLessThan(PROOF_BYTES_MAX / 2);
  });

  it('of anything are read without a throw', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.constantFrom('proven-header', 'epoch-proof', 'state-proof'),
        (tail, kind) => {
          const bytes = new CanonicalWriter().text(`althing/${kind}/v1`).fixed(tail).finish();
          for (const parse of [parseProvenHeader, parseEpochProof, parseStateProof]) parse(bytes);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('the bytes of a state proof', () => {
  const state: StateProof = {
    state: 'althing/kv/v1',
    validatorsHash: new Uint8Array(32).fill(1),
    siblings: [new Uint8Array(32).fill(2), new Uint8Array(32)],
    end: { kind: 'other', key: utf8('k'), value: utf8('') },
  };

  it('are read back as what they were made of', () => {
    expect(parseStateProof(encodeStateProof(state))).toEqual(state);
    for (const kind of ['pair', 'nothing'] as const) {
      const other = { ...state, end: { kind } };
      expect(parseStateProof(encodeStateProof(other))).toEqual(other);
    }
  });

  it('are refused when cut anywhere, and with a text that is no UTF-8', () => {
    const bytes = encodeStateProof(state);
    for (let length = 0; length < bytes.byteLength; length += 1)
      expect(parseStateProof(bytes.subarray(0, length))).toBe('malformed');
    const broken = bytes.slice();
    broken[8 + 'althing/state-proof/v1'.length + 8] = 0xff;
    expect(parseStateProof(broken)).toBe('malformed');
  });
});

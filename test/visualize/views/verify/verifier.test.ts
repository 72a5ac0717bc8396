import { beforeAll, describe, expect, it } from 'vitest';
import type { BlsEngine } from '../../../../src/crypto/bls/engine.ts';
import { createNobleEngine } from '../../../../src/crypto/bls/noble.ts';
import { loadBlsEngine } from '../../../../src/crypto/bls/select.ts';
import type { CertificateAnswer } from '../../../../src/observe/feed/feed.ts';
import { bytesOf, hexOf, withFlippedBit } from '../../../../visualize/src/views/verify/hex.ts';
import type { AskOn, Report, Trusted } from '../../../../visualize/src/views/verify/report.ts';
import { Verifier } from '../../../../visualize/src/views/verify/verifier.ts';
import { type VerifiableChain, verifiableChain } from '../../support/verifiable-chain.ts';

let bls: BlsEngine;
let chain: VerifiableChain;
beforeAll(async () => {
  bls = (await loadBlsEngine()).engine;
  chain = verifiableChain(bls);
});

interface Given {
  readonly height: number;
  readonly verifier?: Verifier;
  readonly answer?: Partial<CertificateAnswer>;
  readonly trusted?: Trusted;
  readonly block?: string;
}

function verified({ height, verifier = new Verifier(bls), answer, trusted, block }: Given): Report | AskOn {
  const certificate = { ...chain.answer(height), ...answer };
  return verifier.verify({
    ...certificate,
    trusted: trusted ?? { kind: 'genesis', document: certificate.genesis, isPasted: false },
    height,
    block,
  });
}

/** The first check that failed, with the code of the refusal. */
function failed(result: Report | AskOn): unknown {
  if (!('verdict' in result)) return result;
  return [result.checks.find(({ outcome }) => outcome === 'failed')?.name, result.refusal?.code];
}

const verdictOf = (result: Report | AskOn): string => ('verdict' in result ? result.verdict : 'asks on');

describe('the page’s own verification', () => {
  it('proves a header from the genesis, with every check in words and the power that signed', () => {
    const result = verified({ height: 1, block: chain.ids[0] ?? '' });
    expect(result).toMatchObject({
      verdict: 'proven',
      power: { quorum: '3', total: '4' },
    });
    expect('checks' in result && result.checks.map(({ outcome }) => outcome)).toEqual(
      Array(10).fill('passed'),
    );
    expect('checks' in result && result.checks.every(({ says }) => says !== '')).toBe(true);
  });

  it('follows an epoch by proof, and remembers it', () => {
    const verifier = new Verifier(bls);
    expect([3, 4, 5].map((height) => verdictOf(verified({ height, verifier })))).toEqual(
      Array(3).fill('proven'),
    );
    expect(verdictOf(verified({ height: 5, verifier, answer: { epochs: [] } }))).toBe('proven');
    expect(failed(verified({ height: 5, answer: { epochs: [] } }))).toEqual(['epochs', undefined]);
  });

  it('begins with an epoch that is trusted by its hash, whoever shows it', () => {
    const point: Trusted = { kind: 'point', point: chain.point };
    expect(verdictOf(verified({ height: 4, trusted: point }))).toBe('proven');
    const wrong: Trusted = { kind: 'point', point: { ...chain.point, epochHash: '0'.repeat(64) } };
    expect(failed(verified({ height: 4, trusted: wrong }))).toEqual(['epochs', 'NEXT_HASH_WRONG']);
    expect(failed(verified({ height: 4, trusted: { kind: 'point', point: 'none' } }))).toEqual([
      'trusted',
      undefined,
    ]);
  });

  it('refuses the header of another height, or of another block than the page shows', () => {
    expect(failed(verified({ height: 2, answer: chain.answer(1) }))).toEqual(['block', undefined]);
    expect(failed(verified({ height: 1, block: 'f'.repeat(64) }))).toEqual(['block', undefined]);
  });

  it('refuses a genesis with another validator’s proof of possession', () => {
    const document = JSON.parse(JSON.stringify(chain.answer(1).genesis));
    const [first, second] = document.validators;
    first.possession_proof = second.possession_proof;
    expect(failed(verified({ height: 1, answer: { genesis: document } }))).toEqual(['trusted', undefined]);
  });

  it('refuses the proof of one height with the certificate of another', () => {
    const [own, other] = [1, 2].map((height) => chain.answer(height).proof);
    const mixed = `${own?.slice(0, -400)}${other?.slice(-400)}`;
    expect(verdictOf(verified({ height: 1, answer: { proof: mixed } }))).toBe('refused');
  });

  it('shows red for each flipped bit of the proof, wherever it is, and for nothing else', () => {
    const bytes = bytesOf(chain.answer(1).proof) ?? new Uint8Array(0);
    const verifier = new Verifier(bls);
    const proven: number[] = [];
    // Every bit of the certificate, and one in seven before it: a prime, so that all places in a byte have their turn.
    const certificateFrom = (bytes.byteLength - 240) * 8;
    for (let bit = 0; bit < bytes.byteLength * 8; bit += bit < certificateFrom ? 7 : 1) {
      const proof = hexOf(withFlippedBit(bytes, bit));
      if (verdictOf(verified({ height: 1, verifier, answer: { proof } })) !== 'refused') proven.push(bit);
    }
    expect(proven).toEqual([]);
    expect(verdictOf(verified({ height: 1, verifier }))).toBe('proven');
  });

  it('says which check a forged part fails', () => {
    const { proof } = chain.answer(1);
    const bytes = bytesOf(proof) ?? new Uint8Array(0);
    const forged = hexOf(withFlippedBit(bytes, bytes.byteLength * 8 - 1));
    expect(failed(verified({ height: 1, answer: { proof: forged } }))).toEqual([
      'signature',
      'SIGNATURE_INVALID',
    ]);
    const cut = proof.slice(0, -2);
    expect(failed(verified({ height: 1, answer: { proof: cut } }))).toEqual(['encoding', undefined]);
    expect(failed(verified({ height: 3, answer: { epochs: ['00'] } }))).toEqual(['epochs', undefined]);
  });

  it('asks on for the epochs that are missing, from the newest that it knows', () => {
    const verifier = new Verifier(bls);
    const bytes = bytesOf(chain.answer(3).proof) ?? new Uint8Array(0);
    // Behind the kind with its length and the number of headers stands the epoch: 1 becomes 3.
    const epochByte = 8 + 'althing/proven-header/v1'.length + 8 + 7;
    const proof = hexOf(withFlippedBit(bytes, epochByte * 8 + 6));
    expect(verified({ height: 3, verifier, answer: { proof } })).toEqual({ fromEpoch: 1 });
    expect(failed(verified({ height: 3, verifier, answer: { proof, epochs: [] } }))).toEqual([
      'epochs',
      undefined,
    ]);
  });

  it('does not call a simulation’s keyed hashes signatures', () => {
    const result = verified({ height: 1, answer: { scheme: 'keyed-hash' } });
    expect(result).toMatchObject({ verdict: 'unverifiable' });
    const bytes = bytesOf(chain.answer(1).proof) ?? new Uint8Array(0);
    const proof = hexOf(withFlippedBit(bytes, 400));
    expect(verdictOf(verified({ height: 1, answer: { scheme: 'keyed-hash', proof } }))).toBe('refused');
  });

  it('says the same with the engine that the page has', () => {
    const verifier = new Verifier(createNobleEngine());
    expect(verdictOf(verified({ height: 3, verifier }))).toBe('proven');
    const bytes = bytesOf(chain.answer(3).proof) ?? new Uint8Array(0);
    const proof = hexOf(withFlippedBit(bytes, bytes.byteLength * 8 - 1));
    expect(failed(verified({ height: 3, verifier, answer: { proof } }))).toEqual([
      'signature',
      'SIGNATURE_INVALID',
    ]);
  });
});

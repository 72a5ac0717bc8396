import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rememberedPossessions } from '../../../src/node/config/possessions.ts';

const bytes = (length: number, fill: number): Uint8Array => new Uint8Array(length).fill(fill);
const [key, other] = [bytes(48, 1), bytes(48, 2)];
const [proof, forged] = [bytes(96, 3), bytes(96, 4)];

/** Holds `proof` to be that of every key, and counts how often it was asked. */
function countingVerifier() {
  let calls = 0;
  return {
    calls: () => calls,
    verifyPossession(_: Uint8Array, given: Uint8Array): boolean {
      calls += 1;
      return given[0] === 3;
    },
  };
}

describe('remembered possessions', () => {
  let directory = '';
  let path = '';
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'possessions-'));
    path = join(directory, 'possessions');
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('verifies each key once, over all starts', () => {
    const verifier = countingVerifier();
    const first = rememberedPossessions(verifier, path);
    expect([key, other].map((each) => first.verifyPossession(each, proof))).toEqual([true, true]);
    first.save(path);
    const second = rememberedPossessions(verifier, path);
    expect([key, other].map((each) => second.verifyPossession(each, proof))).toEqual([true, true]);
    expect(verifier.calls()).toBe(2);
  });

  it('never remembers a proof that failed, nor one key for another', () => {
    const verifier = countingVerifier();
    const first = rememberedPossessions(verifier, path);
    expect(first.verifyPossession(key, forged)).toBe(false);
    first.admit(other, forged);
    first.save(path);
    expect(rememberedPossessions(verifier, path).verifyPossession(key, forged)).toBe(false);
    expect(rememberedPossessions(verifier, path).verifyPossession(other, forged)).toBe(true);
  });

  it('verifies anew what a damaged file no longer says', () => {
    const verifier = countingVerifier();
    const first = rememberedPossessions(verifier, path);
    first.verifyPossession(key, proof);
    first.save(path);
    writeFileSync(path, readFileSync(path, 'utf8').slice(1));
    expect(rememberedPossessions(verifier, path).verifyPossession(key, proof)).toBe(true);
    expect(verifier.calls()).toBe(2);
  });

  it('does not believe a file that does not say of which scheme its proofs are', () => {
    const verifier = countingVerifier();
    rememberedPossessions(verifier, path).verifyPossession(key, proof);
    const first = rememberedPossessions(verifier, path);
    first.verifyPossession(key, proof);
    first.save(path);
    const [header, ...lines] = readFileSync(path, 'utf8').split('\n');
    expect(header).toBe('althing/possessions/v1');
    writeFileSync(path, lines.join('\n'));
    const before = verifier.calls();
    expect(rememberedPossessions(verifier, path).verifyPossession(key, proof)).toBe(true);
    expect(verifier.calls()).toBe(before + 1);
  });

  it('goes on where the disk takes nothing', () => {
    const first = rememberedPossessions(countingVerifier(), path);
    first.verifyPossession(key, proof);
    first.save(join(directory, 'missing', 'possessions'));
    expect(existsSync(join(directory, 'missing'))).toBe(false);
  });
});

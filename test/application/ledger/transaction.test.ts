import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { U64_MAX } from '../../../src/application/ledger/fields.ts';
import {
  encodeTransaction,
  type Payload,
  parseTransaction,
  signTransaction,
  type Transaction,
} from '../../../src/application/ledger/transaction.ts';
import { toHex } from '../../../src/base/bytes.ts';
import { keyOf } from './chain-of-ledger.ts';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const u64 = fc.bigInt({ min: 0n, max: U64_MAX });
const amount = fc.bigInt({ min: 1n, max: U64_MAX });
const payload: fc.Arbitrary<Payload> = fc.oneof(
  fc.record({ kind: fc.constant('transfer' as const), to: bytes(20), amount }),
  fc.record({ kind: fc.constant('stake' as const), validator: bytes(20), amount }),
  fc.record({ kind: fc.constant('unstake' as const), validator: bytes(20), amount }),
  fc.record({ kind: fc.constant('withdraw' as const), validator: bytes(20) }),
  fc.record({
    kind: fc.constant('rotate' as const),
    validator: bytes(20),
    consensusKey: bytes(48),
    possessionProof: bytes(96),
  }),
  fc.record({
    kind: fc.constant('seal' as const),
    sizeClass: fc.constantFrom(0, 1, 2),
    commitment: bytes(32),
  }),
  fc.record({ kind: fc.constant('send' as const), chain: bytes(32), to: bytes(20), amount }),
  fc.record({
    kind: fc.constantFrom(...(['open', 'follow', 'receive', 'acknowledge', 'contradict'] as const)),
    chain: bytes(32),
    proof: fc.uint8Array({ minLength: 1, maxLength: 500 }),
  }),
  fc.record({
    kind: fc.constant('register' as const),
    nodeKey: bytes(32),
    consensusKey: bytes(48),
    possessionProof: bytes(96),
    nodeSignature: bytes(64),
    amount,
  }),
);
const transaction: fc.Arbitrary<Transaction> = fc
  .record({
    publicKey: bytes(32),
    nonce: fc.bigInt({ min: 0n, max: U64_MAX - 1n }),
    lastHeight: u64,
    fees: fc.tuple(u64, u64),
    payload,
    signature: bytes(64),
  })
  .map(({ fees, ...rest }) => {
    const [tip = 0n, feeMax = 0n] = fees[0] < fees[1] ? fees : fees.toReversed();
    return { ...rest, feeMax, tip };
  });

/** A transfer whose bytes are known: its fields stand at fixed places. */
const plain: Transaction = {
  publicKey: new Uint8Array(32).fill(0xaa),
  nonce: 1n,
  lastHeight: 4n,
  feeMax: 3n,
  tip: 2n,
  payload: { kind: 'transfer', to: new Uint8Array(20).fill(0xbb), amount: 5n },
  signature: new Uint8Array(64).fill(0xcc),
};
const problemOf = (changed: Uint8Array): string => {
  const parsed = parseTransaction(changed);
  return 'problem' in parsed ? parsed.problem : 'none';
};
const withByte = (offset: number, value: number): Uint8Array =>
  encodeTransaction(plain).map((byte, index) => (index === offset ? value : byte));

describe('a transaction of the ledger', () => {
  it('comes back from its bytes as it was (LG-2)', () => {
    fc.assert(
      fc.property(transaction, (given) => {
        expect(parseTransaction(encodeTransaction(given))).toEqual(given);
      }),
      { numRuns: 1_000 },
    );
  });

  it('has one encoding: what is accepted is written the same, and no byte can be added or left out (LG-2)', () => {
    fc.assert(
      fc.property(transaction, fc.nat(), fc.nat(255), (given, place, value) => {
        const encoded = encodeTransaction(given);
        const changed = encoded.map((byte, index) => (index === place % encoded.length ? value : byte));
        const parsed = parseTransaction(changed);
        if (!('problem' in parsed)) expect(encodeTransaction(parsed)).toEqual(changed);
        expect(parseTransaction(Uint8Array.of(...encoded, value))).toHaveProperty('problem');
        expect(parseTransaction(encoded.subarray(0, -1))).toHaveProperty('problem');
      }),
      { numRuns: 1_000 },
    );
  });

  it('is no accident: bytes of a stranger are refused or read, and nothing throws (LG-2)', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.nat(21), fc.nat(3), (noise, kind, version) => {
        const parsed = parseTransaction(Uint8Array.of(version, kind, ...noise));
        if (!('problem' in parsed)) expect(parsed.tip).toBeLessThanOrEqual(parsed.feeMax);
      }),
      { numRuns: 2_000 },
    );
  });

  it('stands byte by byte as docs/ledger.md says (LG-2)', () => {
    const expected = [
      '02', // version
      '01', // kind
      'aa'.repeat(32),
      '0000000000000001', // nonce
      '0000000000000004', // last height
      '0000000000000003', // greatest fee
      '0000000000000002', // tip
      'bb'.repeat(20),
      '0000000000000005', // amount
      'cc'.repeat(64),
    ];
    expect(toHex(encodeTransaction(plain))).toBe(expected.join(''));
  });

  it('is refused with words for each thing that is wrong (LG-2)', () => {
    expect(problemOf(withByte(0, 1))).toBe('format 1; this chain reads format 2');
    expect(problemOf(withByte(1, 7))).toBe('kind 7 is not known');
    expect(problemOf(withByte(1, 5))).toBe('a withdraw of 158 bytes, expected 150');
    expect(problemOf(withByte(65, 4))).toBe('the tip of 4 is above the greatest fee, 3');
    expect(problemOf(withByte(93, 0))).toBe('the amount is 0');
    expect(problemOf(withByte(1, 6))).toBe('kind 6 is not known');
    expect(problemOf(new Uint8Array(3))).toBe('3 bytes; the shortest transaction has more');
    const spent = encodeTransaction({ ...plain, nonce: U64_MAX });
    expect(problemOf(spent)).toBe('the nonce is at most 2^64 - 2');
  });

  it('cannot be made of numbers or keys that do not fit (LG-1)', () => {
    expect(() => encodeTransaction({ ...plain, nonce: -1n })).toThrow(RangeError);
    expect(() => encodeTransaction({ ...plain, lastHeight: U64_MAX + 1n })).toThrow(RangeError);
    expect(() => encodeTransaction({ ...plain, feeMax: U64_MAX + 1n })).toThrow(RangeError);
    expect(() => encodeTransaction({ ...plain, publicKey: new Uint8Array(31) })).toThrow(RangeError);
  });

  it('has a proof of 1 to 61,440 bytes, and says how many (LG-2)', () => {
    const proven = (length: number): Transaction => ({
      ...plain,
      payload: { kind: 'receive', chain: new Uint8Array(32), proof: new Uint8Array(length) },
    });
    for (const length of [0, 61_441]) expect(() => encodeTransaction(proven(length))).toThrow(RangeError);
    expect(parseTransaction(encodeTransaction(proven(61_440)))).toEqual(proven(61_440));
    const stated = (length: number): Uint8Array => {
      const changed = encodeTransaction(proven(1));
      new DataView(changed.buffer).setBigUint64(98, BigInt(length));
      return changed;
    };
    expect(problemOf(stated(0))).toBe('the length of its proof is not 1 to 61440');
    expect(problemOf(stated(61_441))).toBe('the length of its proof is not 1 to 61440');
    expect(problemOf(stated(2))).toBe('a receive of 171 bytes, expected 172');
  });

  it('is made in a browser as in a node: nothing of Node is needed (LG-5)', () => {
    const folder = join(import.meta.dirname, '..', '..', '..', 'src', 'application', 'ledger');
    const key = keyOf('ada');
    const domain = { genesisHash: new Uint8Array(32).fill(7), chainId: 'browser' };
    const unsigned = { ...plain, publicKey: key.publicKey };
    const script = `
      const { registerHooks } = await import('node:module');
      registerHooks({ resolve(name, context, next) {
        const found = next(name, context);
        if (found.url.startsWith('node:')) throw new Error('imports ' + found.url);
        return found;
      } });
      const hex = (text) => Uint8Array.from(text.match(/../g), (two) => Number.parseInt(two, 16));
      const print = console.log;
      delete globalThis.Buffer;
      const { signTransaction } = await import(${JSON.stringify(join(folder, 'transaction.ts'))});
      const { accountAddressOf, addressText } = await import(${JSON.stringify(join(folder, 'address.ts'))});
      const { parseAmount } = await import(${JSON.stringify(join(folder, 'amount.ts'))});
      const publicKey = hex('${toHex(key.publicKey)}');
      const signed = signTransaction({ publicKey, nonce: 1n, lastHeight: 4n, feeMax: 3n, tip: 2n,
        payload: { kind: 'transfer', to: new Uint8Array(20).fill(0xbb), amount: parseAmount('0.005', { symbol: 'ALT', decimals: 3 }) } },
        hex('${toHex(key.secret)}'), { genesisHash: new Uint8Array(32).fill(7), chainId: 'browser' });
      print(addressText(accountAddressOf(publicKey)), Array.from(signed, (byte) => byte.toString(16).padStart(2, '0')).join(''));`;
    const printed = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
    });
    expect(printed.trim()).toBe(`${key.text} ${toHex(signTransaction(unsigned, key.secret, domain))}`);
  });
});

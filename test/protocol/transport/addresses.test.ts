import { describe, expect, it } from 'vitest';
import type { Address, Digest } from '../../../src/protocol/chain/types.ts';
import {
  type AddressBook,
  addressStatement,
  recordsOf,
  ruleOnRecord,
  withRecord,
} from '../../../src/protocol/transport/addresses.ts';
import { ADDRESS_RECORDS_MAX } from '../../../src/protocol/transport/limits.ts';
import type { AddressRecord } from '../../../src/protocol/transport/messages.ts';
import { encode } from '../../../src/transport/codec/codec.ts';

const id = (index: number): Address => index.toString(16).padStart(40, '0') as Address;
const record = (sequence: number): AddressRecord => ({
  host: '127.0.0.1',
  port: 1,
  nodeKey: new Uint8Array(32),
  sequence,
  signature: new Uint8Array(64),
});

describe('address book (TP-7)', () => {
  it('takes records of admitted nodes only, and only newer ones', () => {
    const admitted = new Set([id(1)]);
    const book = withRecord(new Map(), id(1), record(5));
    expect(ruleOnRecord(book, admitted, id(2), record(9))).toBe('stranger');
    expect(ruleOnRecord(book, admitted, id(1), record(5))).toBe('known');
    expect(ruleOnRecord(book, admitted, id(1), record(4))).toBe('known');
    expect(ruleOnRecord(book, admitted, id(1), record(6))).toBe('newer');
  });

  it('is bounded, and still takes news of those it has when it is full', () => {
    const ids = Array.from({ length: ADDRESS_RECORDS_MAX + 1 }, (_, index) => id(index));
    const admitted = new Set(ids);
    const book = new Map(ids.slice(0, -1).map((known) => [known, record(1)]));
    expect(ruleOnRecord(book, admitted, id(ADDRESS_RECORDS_MAX), record(1))).toBe('full');
    expect(ruleOnRecord(book, admitted, id(0), record(2))).toBe('newer');
  });

  it('gives its records in order of id, whatever the order in which they came', () => {
    const books = [
      [1, 2, 3],
      [3, 1, 2],
    ].map((order) => {
      let book: AddressBook = new Map();
      for (const index of order) book = withRecord(book, id(index), record(index));
      return book;
    });
    expect(books.map((book) => recordsOf(book).map(({ sequence }) => sequence))).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
  });

  it('signs every field, the chain among them', () => {
    const chain = { chainId: 'one', genesisHash: 'ab'.repeat(32) as Digest };
    const base = record(1);
    const statements = [
      addressStatement(base, chain),
      addressStatement({ ...base, host: '127.0.0.2' }, chain),
      addressStatement({ ...base, port: 2 }, chain),
      addressStatement({ ...base, sequence: 2 }, chain),
      addressStatement({ ...base, nodeKey: new Uint8Array(32).fill(1) }, chain),
      addressStatement(base, { ...chain, chainId: 'two' }),
      addressStatement(base, { ...chain, genesisHash: 'cd'.repeat(32) as Digest }),
    ].map((bytes) => Buffer.from(bytes).toString('hex'));
    expect(new Set(statements).size).toBe(statements.length);
  });

  it('fits the greatest book into one frame', () => {
    const host = 'h'.repeat(253);
    const records = new Array<AddressRecord>(ADDRESS_RECORDS_MAX).fill({
      ...record(2 ** 52),
      host,
      port: 65_535,
    });
    expect(encode({ kind: 'Addresses', records }).outcome).toBe('encoded');
  });
});

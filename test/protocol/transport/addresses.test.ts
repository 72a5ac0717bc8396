import { describe, expect, it } from 'vitest';
import { wallTime } from '../../../src/base/units.ts';
import type {
  Address,
  BatchDigest,
  BlockId,
  CertifiedBlock,
  Digest,
  Epoch,
  Height,
  Round,
} from '../../../src/protocol/chain/types.ts';
import {
  type AddressBook,
  addressStatement,
  recordsOf,
  ruleOnRecord,
  withRecord,
} from '../../../src/protocol/transport/addresses.ts';
import { KINDS } from '../../../src/protocol/transport/kinds.ts';
import { ADDRESS_RECORDS_MAX, BLOCKS_MAX } from '../../../src/protocol/transport/limits.ts';
import type { AddressRecord } from '../../../src/protocol/transport/messages.ts';
import { blocksThatFit } from '../../../src/protocol/transport/sizes.ts';
import { decode, encode } from '../../../src/transport/codec/codec.ts';

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

describe('answers with blocks (TP-9)', () => {
  const most = 2 ** 52;
  const digest = 'ab'.repeat(32);
  const certified = (references: number): CertifiedBlock => {
    const qc = {
      epoch: most as Epoch,
      round: most as Round,
      height: most as Height,
      blockId: digest as Digest as BlockId,
      parentId: digest as Digest as BlockId,
      parentRound: most as Round,
      signers: new Uint8Array(64),
      signature: new Uint8Array(96),
    };
    const header = {
      epoch: most as Epoch,
      round: most as Round,
      height: most as Height,
      parentId: digest as Digest as BlockId,
      time: wallTime(most),
      proposer: id(1),
      batches: Array.from({ length: references }, () => ({
        digest: digest as Digest as BatchDigest,
        count: most,
        bytes: most,
      })),
      batchesRoot: digest as Digest,
      executed: { height: most as Height, appHash: digest as Digest },
      validatorsHash: digest as Digest,
      nextValidatorsHash: digest as Digest,
      evidenceHash: digest as Digest,
      vrfProof: new Uint8Array(80),
    };
    return { block: { header, qc }, qc };
  };
  const encodes = (blocks: readonly CertifiedBlock[]): boolean =>
    encode({ kind: 'Blocks', requestId: most, blocks, height: most as Height }).outcome === 'encoded';

  for (const references of [0, 1, 10, 100, 1_000]) {
    it(`never makes a frame that is too large, with ${references} batches a block at the greatest sizes`, () => {
      const blocks = new Array<CertifiedBlock>(BLOCKS_MAX + 10).fill(certified(references));
      const count = blocksThatFit(blocks);
      expect(count).toBeGreaterThan(0);
      expect(count).toBeLessThanOrEqual(BLOCKS_MAX);
      expect(encodes(blocks.slice(0, count))).toBe(true);
      // The bound is near: a few more do not fit.
      expect(encodes(blocks.slice(0, Math.ceil(count * 1.05) + 1))).toBe(false);
    });
  }

  it('makes frames that cost less than 10 ms of CPU to decode (TP-11)', () => {
    for (const references of [0, 10, 1_000]) {
      const all = new Array<CertifiedBlock>(BLOCKS_MAX).fill(certified(references));
      const blocks = all.slice(0, blocksThatFit(all));
      const encoding = encode({ kind: 'Blocks', requestId: 1, blocks, height: 1 as Height });
      if (encoding.outcome === 'refused') throw new Error(encoding.refusal.code);
      let best = Number.POSITIVE_INFINITY;
      for (let run = 0; run < 10; run += 1) {
        const before = process.threadCpuUsage();
        expect(decode(encoding.frame.bytes).outcome).toBe('decoded');
        const { user, system } = process.threadCpuUsage(before);
        best = Math.min(best, (user + system) / 1_000);
      }
      expect(best).toBeLessThan(10);
    }
  });

  it('says 0 for nothing, and allows a proposal of the greatest block', () => {
    expect(blocksThatFit([])).toBe(0);
    expect(KINDS.Proposal.nodesMax).toBeGreaterThan(1_000 * 7 + 100);
  });
});

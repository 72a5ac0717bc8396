import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { KINDS, type TextKind } from '../../../src/protocol/transport/kinds.ts';
import type { StructureFault } from '../../../src/protocol/transport/refusal.ts';
import { decode } from '../../../src/transport/codec/codec.ts';
import { DEPTH_MAX, KEYS_MAX, StructureScanner } from '../../../src/transport/codec/prescan.ts';

const packr = new Packr({ useRecords: false, variableMapSize: true, moreTypes: false });
const scanner = new StructureScanner();
const scan = (bytes: Uint8Array, nodesMax = 1_000, texts: TextKind = 'names') =>
  scanner.scan(bytes, 0, { nodesMax, texts })?.fault;
const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));

describe('pre-scan (TP-8)', () => {
  const faults: readonly (readonly [string, string, StructureFault])[] = [
    ['nothing', '', 'TRUNCATED'],
    ['an unfinished text', 'a3 61', 'TRUNCATED'],
    ['an unfinished number', 'cd 01', 'TRUNCATED'],
    ['bytes that are not there', 'c4 05 00', 'TRUNCATED'],
    ['bytes after the value', 'c0 c0', 'TRAILING_BYTES'],
    ['u8 for a small number', 'cc 7f', 'INTEGER_NOT_MINIMAL'],
    ['u16 for a byte', 'cd 00ff', 'INTEGER_NOT_MINIMAL'],
    ['u32 for two bytes', 'ce 0000ffff', 'INTEGER_NOT_MINIMAL'],
    ['i8 for a small negative', 'd0 ff', 'INTEGER_NOT_MINIMAL'],
    ['i8 for a positive', 'd0 01', 'INTEGER_NOT_MINIMAL'],
    ['i16 for one byte', 'd1 ff80', 'INTEGER_NOT_MINIMAL'],
    ['i16 for a positive', 'd1 0001', 'INTEGER_NOT_MINIMAL'],
    ['i32 for two bytes', 'd2 ffff8000', 'INTEGER_NOT_MINIMAL'],
    ['u64', 'cf 0000000100000000', 'INTEGER_64_BIT'],
    ['i64', 'd3 ffffffffffffffff', 'INTEGER_64_BIT'],
    ['a 32-bit float', 'ca 3fc00000', 'FLOAT_32_BIT'],
    ['a fraction', 'cb 3ff8000000000000', 'NUMBER_NOT_SAFE_INTEGER'],
    ['not a number', 'cb 7ff8000000000000', 'NUMBER_NOT_SAFE_INTEGER'],
    ['infinity', 'cb 7ff0000000000000', 'NUMBER_NOT_SAFE_INTEGER'],
    ['2^53', 'cb 4340000000000000', 'NUMBER_NOT_SAFE_INTEGER'],
    ['a double for one', 'cb 3ff0000000000000', 'INTEGER_NOT_MINIMAL'],
    ['minus zero', 'cb 8000000000000000', 'INTEGER_NOT_MINIMAL'],
    ['str8 for a short text', 'd9 01 61', 'LENGTH_NOT_MINIMAL'],
    ['str16 for a short text', 'da 0001 61', 'LENGTH_NOT_MINIMAL'],
    ['str32 for a short text', 'db 00000001 61', 'LENGTH_NOT_MINIMAL'],
    ['bin16 for few bytes', 'c5 0001 00', 'LENGTH_NOT_MINIMAL'],
    ['bin32 for few bytes', 'c6 00000001 00', 'LENGTH_NOT_MINIMAL'],
    ['array16 for one item', 'dc 0001 c0', 'LENGTH_NOT_MINIMAL'],
    ['array32 for one item', 'dd 00000001 c0', 'LENGTH_NOT_MINIMAL'],
    ['map16', 'de 0001 a161 c0', 'TOO_MANY_KEYS'],
    ['map32', 'df 00000001 a161 c0', 'TOO_MANY_KEYS'],
    ['a number for a key', '81 01 c0', 'KEY_NOT_TEXT'],
    ['a key twice', '82 a161 c0 a161 c0', 'KEY_DUPLICATE'],
    ['invalid UTF-8', 'a2 c328', 'TEXT_NOT_UTF8'],
    ['a surrogate in UTF-8', 'a3 eda080', 'TEXT_NOT_UTF8'],
    ['an overlong form', 'a2 c0af', 'TEXT_NOT_UTF8'],
    ['invalid UTF-8 in a key', '81 a1ff c0', 'TEXT_NOT_UTF8'],
    ['the unused byte', 'c1', 'BYTE_UNUSED'],
    ['fixext 1', 'd4 00 00', 'EXTENSION_TYPE'],
    ['fixext 16', `d8 00 ${'00'.repeat(16)}`, 'EXTENSION_TYPE'],
    ['ext 8', 'c7 01 00 00', 'EXTENSION_TYPE'],
    ['ext 32', 'c9 00000001 00 00', 'EXTENSION_TYPE'],
    ['a timestamp', 'd6 ff 00000000', 'EXTENSION_TYPE'],
    ['an array that claims 2^32 items', 'dd ffffffff', 'TOO_MANY_NODES'],
  ];
  for (const [what, bytes, fault] of faults) {
    it(`refuses ${what} as ${fault}`, () => {
      expect(scan(hex(bytes))).toBe(fault);
    });
  }

  it('admits what msgpackr writes of whole numbers, texts, bytes, lists and records', () => {
    const leaf = fc.oneof(
      fc.maxSafeInteger(),
      fc.integer(),
      fc.constantFrom(
        0,
        127,
        128,
        255,
        256,
        65_535,
        65_536,
        2 ** 32 - 1,
        2 ** 32,
        -1,
        -32,
        -33,
        -128,
        -129,
        -32_768,
        -32_769,
        -(2 ** 31),
        -(2 ** 31) - 1,
      ),
      fc.boolean(),
      fc.constant(null),
      fc.string({ maxLength: 60, unit: 'binary' }),
      fc.uint8Array({ maxLength: 300 }),
    );
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 5 },
        leaf,
        fc.array(tie('value'), { maxLength: 20 }),
        fc.dictionary(
          fc.string({ maxLength: 8 }).filter((key) => key !== '__proto__'),
          tie('value'),
          { maxKeys: KEYS_MAX },
        ),
      ),
    }));
    fc.assert(
      fc.property(value, (given) => {
        expect(scan(packr.pack(given), 100_000)).toBeUndefined();
      }),
      { numRuns: 200 },
    );
  });

  it('agrees with the encoder: what it admits is written back byte for byte', () => {
    const bytes = fc.array(
      fc.oneof(
        fc.nat({ max: 255 }).map((byte) => [byte]),
        fc.constantFrom(
          [0x92],
          [0x81, 0xa1, 0x61],
          [0xc4, 1, 7],
          [0xcd, 1, 0],
          [0xcb, 0x42, 0, 0, 0, 0, 0, 0, 0],
          [0xd1, 0xff, 0],
        ),
      ),
      { maxLength: 8 },
    );
    let admitted = 0;
    fc.assert(
      fc.property(bytes, (parts) => {
        const given = new Uint8Array(parts.flat());
        if (scan(given) !== undefined) return;
        admitted += 1;
        expect(Buffer.from(packr.pack(packr.unpack(given))).toString('hex')).toBe(
          Buffer.from(given).toString('hex'),
        );
      }),
      { numRuns: 20_000 },
    );
    expect(admitted).toBeGreaterThan(500);
  });

  it('stops at its depth, whatever is nested', () => {
    const nested = (depth: number): unknown => (depth === 0 ? 0 : [nested(depth - 1)]);
    expect(scan(packr.pack(nested(DEPTH_MAX)))).toBeUndefined();
    expect(scan(packr.pack(nested(DEPTH_MAX + 1)))).toBe('TOO_DEEP');
    expect(scan(new Uint8Array(100_000).fill(0x91))).toBe('TOO_DEEP');
    expect(scan(new Uint8Array(100_000).fill(0x81))).toBe('KEY_NOT_TEXT');
  });

  it('counts nodes, keys among them, and takes no text beyond its bound', () => {
    expect(scan(packr.pack({ a: 1, b: [1, 2] }), 7)).toBeUndefined();
    expect(scan(packr.pack({ a: 1, b: [1, 2] }), 6)).toBe('TOO_MANY_NODES');
    expect(scan(packr.pack('x'.repeat(256)))).toBeUndefined();
    expect(scan(packr.pack('x'.repeat(257)))).toBe('STRING_TOO_LONG');
    expect(scan(packr.pack('x'.repeat(64)), 1, 'digests')).toBeUndefined();
    expect(scan(packr.pack('x'.repeat(65)), 1, 'digests')).toBe('STRING_TOO_LONG');
    expect(scan(packr.pack('é'), 1, 'digests')).toBe('TEXT_NOT_ASCII');
    expect(scan(packr.pack({ ['k'.repeat(21)]: 0 }))).toBe('KEY_TOO_LONG');
  });

  it('says where the fault is', () => {
    expect(scanner.scan(hex('00 00 92 01 c1'), 2, { nodesMax: 10, texts: 'names' })).toEqual({
      fault: 'BYTE_UNUSED',
      offset: 4,
    });
  });

  it('keeps no state between two frames', () => {
    expect(scan(hex('82 a161 c0 a162 c1'))).toBe('BYTE_UNUSED');
    expect(scan(hex('81 a161 c0'))).toBeUndefined();
  });
});

describe('frames that are made to cost (TP-11)', () => {
  /** CPU time of this thread, the best of five. @unit ms */
  const costOf = (bytes: Uint8Array): number => {
    let best = Number.POSITIVE_INFINITY;
    for (let run = 0; run < 5; run += 1) {
      const before = process.threadCpuUsage();
      decode(bytes);
      const { user, system } = process.threadCpuUsage(before);
      best = Math.min(best, (user + system) / 1_000);
    }
    return best;
  };
  const frame = (kind: keyof typeof KINDS, body: Uint8Array): Uint8Array =>
    Buffer.concat([Buffer.from([0x93, 0, KINDS[kind].number]), body]);
  const filled = (kind: keyof typeof KINDS, unit: Uint8Array): Uint8Array => {
    const bytes = Buffer.alloc(KINDS[kind].bytesMax, Buffer.from(unit));
    bytes.set([0x93, 0, KINDS[kind].number]);
    return bytes;
  };
  const keys = Array.from(
    { length: KEYS_MAX },
    (_, index) => `prefix-of-every-key${String.fromCharCode(65 + index)}`,
  );
  const record = Object.fromEntries(keys.map((key) => [key, 0]));
  const chunks = (items: readonly unknown[]): Uint8Array =>
    packr.pack({ requestId: 1, manifest: { height: 1, format: 1, bytes: 1, chunks: items } });
  const checkpoints = (items: readonly unknown[]): Uint8Array =>
    packr.pack({ requestId: 1, base: 1, checkpoints: items });
  const good = 'ab'.repeat(32);
  const lists: readonly (readonly [string, keyof typeof KINDS, Uint8Array])[] = [
    ['numbers', 'Snapshot', chunks(new Array(4_096).fill(0))],
    ['digests with a bad one last', 'Snapshot', chunks([...new Array<string>(4_095).fill(good), 'ab'])],
    ['empty records', 'Chain', checkpoints(new Array(128).fill({}))],
    ['records with keys alike', 'Chain', checkpoints(new Array(30).fill(record))],
    ['lists in lists', 'Snapshot', chunks(new Array(100).fill(new Array(40).fill([])))],
    ['long texts', 'Snapshot', chunks(new Array(4_096).fill('x'.repeat(64)))],
    [
      'byte strings of one byte',
      'Blocks',
      packr.pack({
        requestId: 1,
        blocks: new Uint8Array(2),
        batches: new Array(1_025).fill(Uint8Array.of(1)),
        height: 1,
      }),
    ],
    [
      'nothing, as many as there can be',
      'Blocks',
      packr.pack({ requestId: 1, blocks: new Uint8Array(2_000_000), batches: [], height: 1 }),
    ],
  ];
  for (const [what, kind, body] of lists) {
    it(`costs less than 10 ms: a ${kind} of ${what}`, () => {
      expect(body.byteLength).toBeLessThan(KINDS[kind].bytesMax);
      expect(decode(frame(kind, body)).outcome).toBe('refused');
      expect(costOf(frame(kind, body))).toBeLessThan(10);
    });
  }

  it('costs less than 10 ms: the greatest Snapshot and the greatest Chain that are taken', () => {
    const greatest = [
      frame('Snapshot', chunks(new Array(4_096).fill(good))),
      frame('Chain', checkpoints(new Array(128).fill({ height: 2 ** 52, id: good }))),
    ];
    for (const bytes of greatest) {
      expect(decode(bytes).outcome).toBe('decoded');
      expect(costOf(bytes)).toBeLessThan(10);
    }
  });

  const units: readonly (readonly [string, string])[] = [
    ['nested lists', '91'],
    ['nested records', '81 a161'],
    ['empty lists', '90'],
    ['nils', 'c0'],
    ['lists that claim much', 'dd ffffffff'],
    ['texts that claim much', 'db ffffffff'],
  ];
  for (const [what, unit] of units) {
    it(`costs less than 10 ms: every kind at its greatest size, full of ${what}`, () => {
      for (const kind of Object.keys(KINDS) as (keyof typeof KINDS)[]) {
        const bytes = filled(kind, hex(unit));
        expect(decode(bytes).outcome).toBe('refused');
        expect([kind, costOf(bytes) < 10]).toEqual([kind, true]);
      }
    });
  }
});

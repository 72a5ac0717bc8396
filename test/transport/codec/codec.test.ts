import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../../src/base/bytes.ts';
import { sha256 } from '../../../src/crypto/hash.ts';
import { OPERATIONS_MAX, STATES_MAX } from '../../../src/protocol/bridge/messages.ts';
import { ORDINAL_MAX } from '../../../src/protocol/chain/ordinals.ts';
import type { Digest, Height } from '../../../src/protocol/chain/types.ts';
import {
  CHECKPOINTS_MAX,
  SNAPSHOT_CHUNK_BYTES_MAX,
  SNAPSHOT_CHUNKS_MAX,
} from '../../../src/protocol/sync/messages.ts';
import { KINDS } from '../../../src/protocol/transport/kinds.ts';
import type { WireMessage } from '../../../src/protocol/transport/messages.ts';
import { PROTOCOL_VERSION } from '../../../src/protocol/transport/version.ts';
import { decode, encode, readEnvelope } from '../../../src/transport/codec/codec.ts';
import { anyMessage, MESSAGES } from './arbitraries.ts';

const most = ORDINAL_MAX;
const foreign = new Packr({ useRecords: false, variableMapSize: true });

const frameOf = (message: WireMessage): Uint8Array => {
  const encoding = encode(message);
  if (encoding.outcome === 'refused') throw new Error(JSON.stringify(encoding.refusal));
  return encoding.frame.bytes;
};

/** Hashes that LZ4 makes little of. */
const randomStates = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    height: (most - 1 - index) as Height,
    appHash: toHex(sha256(Uint8Array.of(index))) as Digest,
  }));
const submission = { kind: 'SubmitOperations', tag: most } as const;
const longestAdmission = {
  accepted: false,
  code: 'x'.repeat(64),
  log: 'ð'.repeat(128),
  applicationCode: 2 ** 32 - 1,
} as const;

const shuffledKeys = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(shuffledKeys);
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, inner]) => [key, shuffledKeys(inner)]),
  );
};

const sample = <Kind extends WireMessage['kind']>(kind: Kind): Extract<WireMessage, { kind: Kind }> => {
  const [message] = fc.sample<Extract<WireMessage, { kind: Kind }>>(MESSAGES[kind], { numRuns: 1, seed: 7 });
  if (message === undefined) throw new Error('fast-check gave no sample');
  return message;
};

describe('codec: round trip (TP-8)', () => {
  for (const [kind, arbitrary] of Object.entries(MESSAGES)) {
    it(`gives back every ${kind} that it encodes, from the same bytes`, () => {
      fc.assert(
        fc.property(arbitrary as fc.Arbitrary<WireMessage>, (message) => {
          const bytes = frameOf(message);
          const decoding = decode(bytes);
          expect(decoding).toEqual({ outcome: 'decoded', message });
          expect(frameOf(message)).toEqual(bytes);
        }),
        { numRuns: 50 },
      );
    });
  }

  it('encodes a message alike whatever the order of its keys in memory', () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        expect(frameOf(shuffledKeys(message) as WireMessage)).toEqual(frameOf(message));
      }),
      { numRuns: 50 },
    );
  });

  it('reads the same from a Buffer inside a larger pool', () => {
    const message = sample('Vote');
    const bytes = frameOf(message);
    const pool = Buffer.alloc(bytes.byteLength + 64, 0xff);
    pool.set(bytes, 31);
    expect(decode(pool.subarray(31, 31 + bytes.byteLength))).toEqual({ outcome: 'decoded', message });
  });

  it('gives a large batch as a view of its frame, and a small one apart from it', () => {
    const large = frameOf({ kind: 'Batch', bytes: new Uint8Array(100_000) });
    const decoded = decode(large);
    if (decoded.outcome !== 'decoded' || decoded.message.kind !== 'Batch') throw new Error('not a batch');
    expect(decoded.message.bytes.buffer).toBe(large.buffer);
    const small = frameOf({ kind: 'Batch', bytes: new Uint8Array(100) });
    const apart = decode(small);
    if (apart.outcome !== 'decoded' || apart.message.kind !== 'Batch') throw new Error('not a batch');
    expect(apart.message.bytes.buffer).not.toBe(small.buffer);
  });

  it('returns plain byte arrays, never Buffers', () => {
    const decoded = decode(Buffer.from(frameOf(sample('Vote'))));
    if (decoded.outcome !== 'decoded' || decoded.message.kind !== 'Vote') throw new Error('not a vote');
    expect(decoded.message.vote.signature.constructor).toBe(Uint8Array);
  });
});

describe('codec: one encoding only (TP-8)', () => {
  it('accepts a mutated frame only if it is the encoding of what it decodes to', () => {
    fc.assert(
      fc.property(
        anyMessage,
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 }),
        (message, edits) => {
          const bytes = new Uint8Array(frameOf(message));
          for (const [place, value] of edits) bytes[place % bytes.byteLength] = value;
          const decoding = decode(bytes);
          if (decoding.outcome !== 'decoded') return;
          const again = frameOf(decoding.message);
          if (decoding.message.kind === 'StateSync') {
            // Another LZ4 block, perhaps, of the same list (BR-5).
            expect(decode(again)).toEqual(decoding);
            return;
          }
          expect(again.subarray(2)).toEqual(bytes.subarray(2));
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it('refuses keys in another order, though every value is right', () => {
    const { kind: _, ...body } = sample('Vote');
    const bytes = foreign.pack([0, KINDS.Vote.number, shuffledKeys(body)]);
    expect(decode(bytes)).toMatchObject({ refusal: { code: 'NOT_CANONICAL', kind: 'Vote' } });
  });

  it('refuses keys in another order of a message with blocks, which is not encoded again', () => {
    const bytes = frameOf({ ...sample('Blocks'), batches: [Uint8Array.of(1)] });
    const [, , body] = foreign.unpack(bytes) as [number, number, object];
    expect(foreign.pack([PROTOCOL_VERSION.minor, KINDS.Blocks.number, body])).toEqual(Buffer.from(bytes));
    const shuffled = foreign.pack([0, KINDS.Blocks.number, shuffledKeys(body)]);
    expect(decode(shuffled)).toMatchObject({ refusal: { code: 'NOT_CANONICAL', kind: 'Blocks' } });
  });

  it('refuses blocks that are not the encoding of what they say', () => {
    const body = { requestId: 1, blocks: Uint8Array.of(0, 0, 0), batches: [], height: 1 };
    expect(decode(foreign.pack([0, KINDS.Blocks.number, body]))).toMatchObject({
      refusal: { code: 'SCHEMA', kind: 'Blocks', path: 'blocks.0', problem: 'bytes after the last block' },
    });
  });

  it('refuses bytes after the message', () => {
    const bytes = Buffer.concat([frameOf(sample('Vote')), Buffer.from([0xc0])]);
    expect(decode(bytes)).toMatchObject({ refusal: { code: 'STRUCTURE', fault: 'TRAILING_BYTES' } });
  });

  it('refuses a field that the shape does not have', () => {
    const bytes = foreign.pack([0, KINDS.Ping.number, { nonce: 1, extra: 1 }]);
    expect(decode(bytes)).toMatchObject({ refusal: { code: 'SCHEMA', kind: 'Ping' } });
  });

  it('refuses __proto__ as a field, and leaves no prototype changed', () => {
    const bytes = Buffer.from([0x93, 0, KINDS.Ping.number, 0x81, 0xa9, ...Buffer.from('__proto__'), 0x80]);
    expect(decode(bytes)).toMatchObject({ refusal: { code: 'SCHEMA', kind: 'Ping' } });
    expect(Object.prototype).not.toHaveProperty('nonce');
  });
});

describe('codec: totality (TP-11)', () => {
  it('ends every byte string in an outcome, without a throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        expect(['decoded', 'ignored', 'refused']).toContain(decode(bytes).outcome);
      }),
      { numRuns: 5_000 },
    );
  });

  it('ends every body behind a good envelope in an outcome, without a throw', () => {
    const numbers = Object.values(KINDS).map((rule) => rule.number);
    fc.assert(
      fc.property(
        fc.constantFrom(...numbers),
        fc.uint8Array({ minLength: 1, maxLength: 200 }),
        (number, body) => {
          expect(decode(Buffer.concat([Buffer.from([0x93, 0, number]), body])).outcome).not.toBe('ignored');
        },
      ),
      { numRuns: 5_000 },
    );
  });

  it('ends any JavaScript value that msgpackr can write in an outcome: no RegExp, Error, Set, Date, cycle', () => {
    const rich = new Packr({
      moreTypes: true,
      structuredClone: true,
      useRecords: false,
      variableMapSize: true,
    });
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    const values = [
      /x/g,
      new Error('x'),
      new Set([1]),
      new Date(0),
      cycle,
      2n ** 70n,
      undefined,
      new Map([[1, 2]]),
    ];
    for (const value of values) {
      const decoding = decode(rich.pack([0, KINDS.Ping.number, { nonce: value }]));
      expect(decoding).toMatchObject({ outcome: 'refused', refusal: { kind: 'Ping' } });
    }
  });
});

describe('codec: packets (BR-6)', () => {
  it('refuses one without a payload: Packet has no payload', () => {
    const problem = 'Packet has no payload';
    for (const bytes of [
      [0x93, 0, KINDS.Vote.number],
      [0x93, 0, KINDS.Vote.number, 0xc0],
    ]) {
      expect(decode(Uint8Array.from(bytes))).toEqual({
        outcome: 'refused',
        refusal: { code: 'PACKET_EMPTY', kind: 'Vote', problem },
      });
    }
  });

  it('says where a payload cannot be read: Failed to deserialize', () => {
    expect(decode(frameOf(sample('Vote')).subarray(0, -1))).toMatchObject({
      refusal: {
        code: 'STRUCTURE',
        problem: expect.stringMatching(/^Failed to deserialize: TRUNCATED at byte \d+$/),
      },
    });
  });
});

describe('codec: kinds (TP-9, TP-10)', () => {
  it('gives each kind a number of its own', () => {
    const numbers = Object.values(KINDS).map((rule) => rule.number);
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  it('gives no number to a kind whose bodies another version had otherwise: 48 and 50 stay empty (TP-10)', () => {
    for (const number of [48, 50]) {
      expect(decode(foreign.pack([1, number, {}]))).toMatchObject({
        refusal: { code: 'KIND_UNKNOWN', number },
      });
    }
  });

  it('has room in each kind for the greatest message of it', () => {
    const qc = { ...sample('QC').qc, signers: new Uint8Array(64), signature: new Uint8Array(96) };
    const widest = { ...qc, epoch: most, round: most, height: most, parentRound: most } as typeof qc;
    const id = 'ab'.repeat(32) as (typeof qc)['blockId'];
    const greatest: readonly WireMessage[] = [
      { kind: 'GetBlocks', requestId: most, from: most as Height, limit: 256, withBatches: true },
      { kind: 'GetBlockHeight', requestId: most },
      {
        kind: 'BlockHeight',
        requestId: most,
        base: most as Height,
        height: most as Height,
        tipId: id,
        proof: widest,
      },
      { kind: 'GenesisHash', requestId: most, genesisHash: id },
      { kind: 'GetBlockHash', requestId: most, height: most as Height },
      { kind: 'BlockHash', requestId: most, height: most as Height, id },
      {
        kind: 'Chain',
        requestId: most,
        base: most as Height,
        proof: widest,
        checkpoints: new Array(CHECKPOINTS_MAX).fill({ height: most, id }),
      },
      {
        kind: 'Snapshot',
        requestId: most,
        manifest: {
          height: most as Height,
          format: most,
          bytes: SNAPSHOT_CHUNKS_MAX * SNAPSHOT_CHUNK_BYTES_MAX,
          chunks: new Array(SNAPSHOT_CHUNKS_MAX).fill(id),
        },
      },
      { kind: 'GetSnapshotChunk', requestId: most, height: most as Height, format: most, chunk: 4_095 },
      { kind: 'SnapshotChunk', requestId: most, bytes: new Uint8Array(SNAPSHOT_CHUNK_BYTES_MAX) },
      {
        kind: 'StateSync',
        stateHash: id as string as Digest,
        sequenceNumber: most as Height,
        partialState: randomStates(STATES_MAX),
      },
      { ...submission, operations: new Array(OPERATIONS_MAX).fill(new Uint8Array(256)) },
      { kind: 'OperationsAnswered', tag: most, admissions: new Array(OPERATIONS_MAX).fill(longestAdmission) },
    ];
    for (const message of greatest) {
      const encoding = encode(message);
      expect([message.kind, encoding.outcome]).toEqual([message.kind, 'encoded']);
      if (encoding.outcome === 'encoded')
        expect(decode(encoding.frame.bytes)).toMatchObject({ outcome: 'decoded' });
    }
    const beyond: readonly WireMessage[] = [
      { kind: 'SnapshotChunk', requestId: 1, bytes: new Uint8Array(SNAPSHOT_CHUNK_BYTES_MAX + 1) },
      { kind: 'GetSnapshotChunk', requestId: 1, height: most as Height, format: 1, chunk: 4_096 },
      {
        kind: 'Chain',
        requestId: 1,
        base: most as Height,
        checkpoints: new Array(129).fill({ height: 1, id }),
      },
      { kind: 'GetBlocks', requestId: 1, from: most as Height, limit: 257, withBatches: true },
      { ...submission, operations: [new Uint8Array()] },
      { ...submission, operations: new Array(OPERATIONS_MAX + 1).fill(Uint8Array.of(1)) },
      { kind: 'OperationsAnswered', tag: 1, admissions: [{ ...longestAdmission, code: 'x'.repeat(65) }] },
      { kind: 'OperationsAnswered', tag: 1, admissions: [{ ...longestAdmission, log: 'ð'.repeat(129) }] },
    ];
    for (const message of beyond) expect(encode(message)).toMatchObject({ refusal: { code: 'SCHEMA' } });
    expect(encode({ ...submission, operations: [new Uint8Array(256 * 1_024)] })).toMatchObject({
      refusal: { code: 'FRAME_TOO_LARGE', kind: 'SubmitOperations' },
    });
  });

  it('ignores an unknown kind of a newer minor version', () => {
    const version = PROTOCOL_VERSION.minor + 1;
    expect(decode(foreign.pack([version, 99, {}]))).toEqual({ outcome: 'ignored', number: 99, version });
  });

  it('refuses an unknown kind of its own version', () => {
    expect(decode(foreign.pack([PROTOCOL_VERSION.minor, 99, {}]))).toMatchObject({
      refusal: { code: 'KIND_UNKNOWN', number: 99 },
    });
  });

  it('reads a known kind of a newer minor version', () => {
    expect(decode(foreign.pack([PROTOCOL_VERSION.minor + 1, KINDS.Ping.number, { nonce: 5 }]))).toEqual({
      outcome: 'decoded',
      message: { kind: 'Ping', nonce: 5 },
    });
  });

  it('refuses a frame above the cap of its kind before looking into it', () => {
    const bytes = new Uint8Array(KINDS.Vote.bytesMax + 1);
    bytes.set([0x93, 0, KINDS.Vote.number]);
    expect(readEnvelope(bytes)).toMatchObject({ refusal: { code: 'FRAME_TOO_LARGE', kind: 'Vote' } });
  });

  it('does not encode what it would not decode', () => {
    const vote = { ...sample('Vote').vote, signature: new Uint8Array(95) };
    expect(encode({ kind: 'Vote', vote })).toMatchObject({
      refusal: { code: 'SCHEMA', path: 'vote.signature' },
    });
    const bytes = new Uint8Array(KINDS.Batch.bytesMax);
    expect(encode({ kind: 'Batch', bytes })).toMatchObject({ refusal: { code: 'FRAME_TOO_LARGE' } });
  });
});

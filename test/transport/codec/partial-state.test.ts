/** How the executed states of a StateSync travel, and what of them is refused. Rules BR-4, BR-5, TP-8. */
import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { divergenceFrom } from '../../../src/protocol/bridge/state-sync.ts';
import type { Digest, Height } from '../../../src/protocol/chain/types.ts';
import { KINDS } from '../../../src/protocol/transport/kinds.ts';
import type { WireMessage } from '../../../src/protocol/transport/messages.ts';
import { decode, encode } from '../../../src/transport/codec/codec.ts';
import { type CompressedState, compressState } from '../../../src/transport/codec/compressed-state.ts';
import { ENGINES } from '../lz4/engines.ts';

const foreign = new Packr({ useRecords: false, variableMapSize: true });

const frameOf = (message: WireMessage): Uint8Array => {
  const encoding = encode(message);
  if (encoding.outcome === 'refused') throw new Error(JSON.stringify(encoding.refusal));
  return encoding.frame.bytes;
};

describe('codec: executed states in a StateSync (BR-5, TP-8)', () => {
  const stateHash = 'ab'.repeat(32) as Digest;
  const sequenceNumber = 300 as Height;
  const listOf = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ height: 299 - index, appHash: 'cd'.repeat(32) }));
  const sync = (partialState: readonly { readonly height: number; readonly appHash: string }[]) =>
    ({ kind: 'StateSync', stateHash, sequenceNumber, partialState }) as WireMessage;
  const bodyOf = (message: WireMessage) =>
    foreign.unpack(frameOf(message)) as [number, number, { partialState: Uint8Array | CompressedState }];
  const frameWith = (partialState: unknown): Uint8Array =>
    foreign.pack([0, KINDS.StateSync.number, { stateHash, sequenceNumber, partialState }]);
  const compressedOf = (value: unknown): unknown =>
    compressState(new Uint8Array(foreign.pack(value)), sequenceNumber);

  it('travel raw up to 1,024 bytes and compressed above, and the cell sees the list either way', () => {
    const [few, many] = [sync(listOf(5)), sync(listOf(256))];
    expect(bodyOf(few)[2].partialState).toBeInstanceOf(Uint8Array);
    expect(bodyOf(many)[2].partialState).toMatchObject({ sequence: 300, originalSize: expect.any(Number) });
    expect(frameOf(many).byteLength).toBeLessThan(4_000);
    for (const message of [few, many])
      expect(decode(frameOf(message))).toEqual({ outcome: 'decoded', message });
  });

  it('are taken raw above 1,024 bytes too: not everything becomes shorter', () => {
    const raw = new Uint8Array(foreign.pack(listOf(200)));
    expect(decode(frameWith(raw))).toMatchObject({ message: { partialState: listOf(200) } });
  });

  it('have a refusal of their own for each lie about their compression', () => {
    const honest = bodyOf(sync(listOf(256)))[2].partialState as CompressedState;
    const lies: Readonly<Record<string, Partial<CompressedState>>> = {
      STATE_CHECKSUM_MISMATCH: { checksum: 1 },
      STATE_SIZE_MISMATCH: { originalSize: honest.originalSize - 1 },
      STATE_TOO_LARGE: { originalSize: 2 ** 40 },
      STATE_BLOCK_MALFORMED: { data: honest.data.subarray(0, -1) },
      STATE_SEQUENCE_MISMATCH: { sequence: 301 },
      STATE_COMPRESSED_NEEDLESSLY: { originalSize: 1_024 },
      STATE_EMPTY: { data: new Uint8Array() },
    };
    expect(decode(frameWith(honest))).toMatchObject({ outcome: 'decoded' });
    for (const [code, lie] of Object.entries(lies)) {
      const decoding = decode(frameWith({ ...honest, ...lie }));
      expect(decoding).toMatchObject({ refusal: { code, kind: 'StateSync' } });
    }
  });

  it.each(ENGINES)(
    'with a right checksum and another hash name the divergence; with the right hash and a wrong checksum are not heard: $name',
    (engine) => {
      const honest = listOf(200);
      const ours = honest.map(({ height, appHash }) => ({
        height: height as Height,
        appHash: appHash as Digest,
      }));
      const other = honest.map((each) =>
        each.height === 250 ? { ...each, appHash: 'ef'.repeat(32) } : each,
      );
      const compressedBy = (value: unknown) =>
        compressState(new Uint8Array(foreign.pack(value)), sequenceNumber, engine) as CompressedState;
      const heard = decode(frameWith(compressedBy(other)));
      if (heard.outcome !== 'decoded' || heard.message.kind !== 'StateSync') throw new Error('not decoded');
      expect(divergenceFrom(ours, 'a peer', heard.message)).toEqual({
        ...{ height: 250, ours: 'cd'.repeat(32), theirs: 'ef'.repeat(32), by: 'a peer' },
      });
      const { checksum } = compressedBy(other);
      expect(decode(frameWith({ ...compressedBy(honest), checksum }))).toMatchObject({
        refusal: { code: 'STATE_CHECKSUM_MISMATCH', problem: 'State checksum mismatch', expected: checksum },
      });
    },
  );

  it('are refused when they do not fall, reach the sequence number, or are too many', () => {
    const at = (height: number) => ({ height, appHash: stateHash });
    for (const [list, path] of [
      [[at(300)], 'partialState.0.height'],
      [[at(20), at(20)], 'partialState.1.height'],
      [[at(20), at(21)], 'partialState.1.height'],
    ] as const) {
      const refusal = { code: 'SCHEMA', kind: 'StateSync', path };
      expect(encode(sync(list))).toMatchObject({ refusal });
      expect(decode(frameWith(compressedOf(list)))).toMatchObject({ refusal });
    }
    expect(encode(sync(listOf(257)))).toMatchObject({ refusal: { code: 'SCHEMA', path: 'partialState' } });
    expect(decode(frameWith(compressedOf(listOf(257))))).toMatchObject({
      refusal: { fault: 'TOO_MANY_NODES' },
    });
  });

  it('are refused when what was decompressed is no list, or not its one encoding', () => {
    const shuffled = listOf(200).map(({ height, appHash }) => ({ appHash, height }));
    expect(decode(frameWith(compressedOf(shuffled)))).toMatchObject({ refusal: { code: 'NOT_CANONICAL' } });
    const noise = compressState(new Uint8Array(2_000).fill(0xc1), sequenceNumber);
    expect(decode(frameWith(noise))).toMatchObject({
      refusal: { code: 'STRUCTURE', problem: 'Failed to deserialize: BYTE_UNUSED at byte 0 of partialState' },
    });
    const behind = compressState(new Uint8Array([...foreign.pack(listOf(200)), 0xc0]), sequenceNumber);
    expect(decode(frameWith(behind))).toMatchObject({ refusal: { fault: 'TRAILING_BYTES' } });
  });
});

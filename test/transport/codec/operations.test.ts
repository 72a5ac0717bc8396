import fc from 'fast-check';
import { expect, it } from 'vitest';
import { OPERATIONS_MAX } from '../../../src/protocol/bridge/messages.ts';
import { decode, encode } from '../../../src/transport/codec/codec.ts';
import { announcedOperations } from '../../../src/transport/codec/operations.ts';
import { MESSAGES } from './arbitraries.ts';

const frameOf = (tag: number, count: number): Uint8Array => {
  const operations = Array.from({ length: count }, () => new Uint8Array(1));
  const encoding = encode({ kind: 'SubmitOperations', tag, operations });
  if (encoding.outcome === 'refused') throw new Error(encoding.refusal.code);
  return encoding.frame.bytes;
};

it.each([0, 127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 52])(
  'reads how many operations a frame with tag %i announces, as decoding would (TP-5)',
  (tag) => {
    for (const count of [1, 15, 16, 255, 256, OPERATIONS_MAX]) {
      expect(announcedOperations(frameOf(tag, count))).toBe(count);
    }
  },
);

it('charges no frame that decodes less than it holds, whatever is done to its bytes (TP-5)', () => {
  const flips = fc.array(fc.tuple(fc.nat({ max: 60 }), fc.nat({ max: 255 })), { maxLength: 3 });
  fc.assert(
    fc.property(MESSAGES.SubmitOperations, flips, (message, changes) => {
      const encoding = encode(message);
      if (encoding.outcome === 'refused') return;
      const bytes = new Uint8Array(encoding.frame.bytes);
      for (const [at, value] of changes) if (at < bytes.byteLength && at > 2) bytes[at] = value;
      const decoding = decode(bytes);
      if (decoding.outcome !== 'decoded' || decoding.message.kind !== 'SubmitOperations') return;
      expect(announcedOperations(bytes)).toBe(decoding.message.operations.length);
    }),
    { numRuns: 500 },
  );
});

it('charges a frame in any other order as the greatest (TP-5)', () => {
  for (const bytes of [new Uint8Array(), new Uint8Array([0x93, 3, 81]), frameOf(1, 3).slice(0, 12)]) {
    expect(announcedOperations(bytes)).toBe(OPERATIONS_MAX);
  }
});

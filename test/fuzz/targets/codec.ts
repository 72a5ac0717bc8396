/** Frames: decoding is total, and what is decoded encodes to the same bytes again. Rules TP-8 to TP-11. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { KINDS } from '../../../src/protocol/transport/kinds.ts';
import type { WireMessage } from '../../../src/protocol/transport/messages.ts';
import { decode, encode } from '../../../src/transport/codec/codec.ts';
import { MESSAGES } from '../../transport/codec/arbitraries.ts';
import { blocksChanged } from '../forms/chain.ts';
import { MSGPACK } from '../forms/msgpack.ts';
import { claim, type Target } from '../target.ts';

/** A frame of each kind, and a second one that is larger or smaller. */
export const frames = (): readonly Uint8Array[] =>
  Object.values(MESSAGES).flatMap((arbitrary) =>
    fc.sample<WireMessage>(arbitrary, { numRuns: 2, seed: 7 }).flatMap((message) => {
      const encoding = encode(message);
      return encoding.outcome === 'encoded' ? [encoding.frame.bytes] : [];
    }),
  );

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));

/** Heads of every kind, names of every field with their heads. */
export const words = (): readonly Uint8Array[] => {
  const fields = new Set(
    frames().flatMap(
      (frame) =>
        Buffer.from(frame)
          .toString('latin1')
          .match(/[a-zA-Z]{2,18}/g) ?? [],
    ),
  );
  return [
    ...Object.values(KINDS).map(({ number }) => Uint8Array.of(0x93, 0, number)),
    ...[...fields, '__proto__', 'constructor', 'toString'].map((name) =>
      bytesOf(String.fromCharCode(0xa0 + name.length) + name),
    ),
  ];
};

export const codec: Target = {
  name: 'codec',
  what: 'frames of every kind into the decoder, and what it gives into the encoder',
  covers: ['/src/transport/codec/', '/src/protocol/transport/kinds'],
  mutations: [...MSGPACK, blocksChanged],
  dictionary: words(),
  bytesMax: 2 * 1024 * 1024 + 64,
  // Of so many kinds the code is compiled only after some 40,000 runs.
  window: 6_000,
  seeds: frames,
  open: async () => ({ run: runFrame }),
};

export function runFrame(bytes: Uint8Array): string {
  const before = Buffer.from(bytes).toString('latin1', 0, 256);
  const decoding = decode(bytes);
  claim(before === Buffer.from(bytes).toString('latin1', 0, 256), 'decoding leaves the frame as it is');
  switch (decoding.outcome) {
    case 'ignored':
      return 'ignored';
    case 'refused':
      return `refused ${decoding.refusal.code}${'fault' in decoding.refusal ? ` ${decoding.refusal.fault}` : ''}`;
    case 'decoded': {
      const encoding = encode(decoding.message);
      claim(encoding.outcome === 'encoded', 'what was decoded can be encoded');
      const again = encoding.frame.bytes;
      if (decoding.message.kind === 'StateSync') {
        claim(isDeepStrictEqual(decode(again), decoding), 'a state has one meaning, if many LZ4 blocks');
        return 'decoded StateSync';
      }
      // The minor version of the sender is not the encoder's.
      claim(
        Buffer.compare(again.subarray(2), bytes.subarray(2)) === 0,
        'what was decoded encodes to the same bytes',
      );
      return `decoded ${decoding.message.kind}`;
    }
  }
}

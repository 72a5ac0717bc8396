/** What the wire's description shows is what is sent. Rules AP-1, AP-2; docs/application-protocol.md. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BLOCK_ANSWER_BYTES_MAX } from '../../../src/application/answer-shapes.ts';
import { checkResult } from '../../../src/application/answers.ts';
import { parseSocketAddress, SOCKET_ADDRESS_OR_NONE } from '../../../src/application/socket/address.ts';
import { CHECK } from '../../../src/application/socket/bodies.ts';
import {
  encodeFrame,
  FRAME_BYTES_MAX,
  FrameSplitter,
  openFrame,
  PART_BYTES,
  type Packable,
  whole,
} from '../../../src/application/socket/frames.ts';
import { partsOf } from '../../../src/application/socket/parts.ts';
import { FRAME_VALUES_MAX, WireReader } from '../../../src/application/socket/reader.ts';
import { concatBytes, toHex, utf8 } from '../../../src/base/bytes.ts';

const DOCUMENT = readFileSync(join(import.meta.dirname, '../../../docs/application-protocol.md'), 'utf8');

describe('docs/application-protocol.md', () => {
  it.each<[string, Parameters<typeof encodeFrame>]>([
    ['greeting of the node', ['greeting', 0, ['althing-application', 2, 'c']]],
    ['of the application', ['greeting', 0, ['althing-application', 2, []]]],
    ['checkTx of "a=1"', ['checkTx', 7, utf8('a=1')]],
    ['its answer', ['answer', 7, CHECK.write(checkResult())]],
    ['or its failure, "no"', ['failure', 7, 'no']],
  ])('shows the bytes of %s', (name, frame) => {
    const line = DOCUMENT.split('\n').find((one) => one.startsWith(`${name}  `));
    expect(line?.slice(name.length).replaceAll(' ', '')).toBe(toHex(concatBytes(...encodeFrame(...frame))));
  });

  it('states the bounds that hold', () => {
    const bounds = [FRAME_BYTES_MAX, PART_BYTES, FRAME_VALUES_MAX, BLOCK_ANSWER_BYTES_MAX];
    for (const bound of [...bounds, 65_536, 16_777_216])
      expect(DOCUMENT).toContain(bound.toLocaleString('en'));
  });
});

describe('frames (AP-2)', () => {
  it('come out as they went in, however the stream is cut (seeded)', () => {
    const bodies = fc.array(fc.uint8Array({ maxLength: 100_000, size: 'max' }), {
      minLength: 1,
      maxLength: 5,
    });
    fc.assert(
      fc.property(bodies, fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1 }), (given, cuts) => {
        const stream = concatBytes(...given.flatMap((body) => [...encodeFrame('chunk', 1, body)]));
        const splitter = new FrameSplitter();
        splitter.admitAll();
        const frames: Uint8Array[] = [];
        for (let at = 0, turn = 0; at < stream.byteLength; turn += 1) {
          const length = cuts[turn % cuts.length] ?? 1;
          splitter.push(stream.subarray(at, at + length), (frame) => frames.push(frame));
          at += length;
        }
        expect(frames.map((frame) => toHex(openFrame(frame).reader.bytes('body')))).toEqual(given.map(toHex));
      }),
      { numRuns: 50 },
    );
  });

  it('are refused where they are made when they are too large for the other side', () => {
    expect(() => encodeFrame('answer', 1, new Uint8Array(FRAME_BYTES_MAX))).toThrow(
      /answer has 67108\d+ bytes; a frame has at most 67108864 \(AP-2\)/,
    );
  });

  it('read back every whole number, text and byte string (seeded)', () => {
    const number = fc.oneof(
      fc.bigInt(-(2n ** 63n), 2n ** 64n - 1n),
      fc.bigInt(-300n, 300n),
      fc.bigInt(-70_000n, 70_000n),
    );
    fc.assert(
      fc.property(
        number,
        fc.string({ unit: 'binary', maxLength: 400 }),
        fc.uint8Array({ maxLength: 400 }),
        (n, text, bytes) => {
          const clean = Buffer.from(text).toString();
          const { reader } = openFrame(encodeFrame('answer', 1, [whole(n), clean, bytes])[1]);
          reader.tuple('body', 3);
          expect([reader.wide('number'), reader.text('text'), toHex(reader.bytes('bytes'))]).toEqual([
            n,
            clean,
            toHex(bytes),
          ]);
          reader.end();
        },
      ),
    );
  });

  it('refuse a text that is not UTF-8, and what a frame ends within', () => {
    expect(() => new WireReader(Uint8Array.of(0xa2, 0xc3, 0x28)).text('log')).toThrow(
      'log: the text at byte 1 is not UTF-8',
    );
    expect(() => new WireReader(Uint8Array.of(0xcd, 1)).whole('code')).toThrow(
      'code: the frame ends within it; it begins at byte 0',
    );
    expect(() => new WireReader(new Uint8Array()).flag('index')).toThrow(
      'index: the frame ends before it, at byte 0',
    );
  });

  it('hold a block in parts: all of it, in order, none empty', () => {
    const items: Packable[] = Array.from({ length: 1_000 }, (_, index) => index);
    const parts = [...partsOf(items, () => 1_000)];
    expect(parts.flat()).toEqual(items);
    expect(parts.map(({ length }) => length)).toEqual([263, 263, 263, 211]);
    expect([...partsOf([], () => 1)]).toEqual([]);
  });
});

describe('the addresses that a configuration admits (AP-1)', () => {
  it.each([
    'unix:/run/app.sock',
    'tcp:127.0.0.1:26658',
    'tcp:[::1]:1',
    'tcp:127.1.2.255:0',
    'tcp:10.0.0.1:5',
    'tcp:127.0.0.256:5',
    'unix:app',
    'http://x',
    'tcp:localhost:1',
  ])('are those that can be connected to: %s', (text) =>
    expect(SOCKET_ADDRESS_OR_NONE.test(text)).toBe(parseSocketAddress(text) !== undefined),
  );
});

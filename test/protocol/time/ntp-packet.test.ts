import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../../src/base/bytes.ts';
import { wallTime } from '../../../src/base/units.ts';
import {
  encodeNtpRequest,
  endsExchange,
  isNtpRefusal,
  NTP_NONCE_BYTES,
  NTP_PACKET_BYTES,
  type NtpAnswer,
  type NtpRefusal,
  readNtpAnswer,
} from '../../../src/protocol/time/ntp-packet.ts';

const bytesOf = (hex: string): Uint8Array => {
  const bytes = fromHex(hex.replaceAll(/[ \n]/g, ''));
  if (bytes === undefined) throw new Error(`no hex: ${hex}`);
  return bytes;
};
const NONCE = bytesOf('a1b2c3d4e5f60718');
const NEAR = wallTime(Date.UTC(2026, 6, 1));

/** By the layout of RFC 5905 figure 8, a line a word or a timestamp. Stratum 1, GPS, 2026-07-01T00:00:00.5Z. */
const VECTOR = bytesOf(`
  24 01 06 ec
  00 00 00 00
  00 00 00 42
  47 50 53 00
  ed ee d6 f0 00 00 00 00
  a1 b2 c3 d4 e5 f6 07 18
  ed ee d7 00 80 00 00 00
  ed ee d7 00 80 41 89 37
`);
/** As a server of a server answers, in version 3, with a leap second near and a MAC behind. */
const SECONDARY = bytesOf(`
  5c 02 0a e8
  00 00 08 00
  00 00 10 80
  c0 00 02 07
  ed ee d6 80 12 34 56 78
  a1 b2 c3 d4 e5 f6 07 18
  ed ee d7 01 00 00 00 00
  ed ee d7 01 00 00 10 00
  00 00 00 01 00 11 22 33 44 55 66 77 88 99 aa bb cc dd ee ff
`);

const changed = (at: number, hex: string): Uint8Array => {
  const bytes = VECTOR.slice();
  bytes.set(bytesOf(hex), at);
  return bytes;
};
const read = (bytes: Uint8Array, near = NEAR) => readNtpAnswer(bytes, NONCE, near);
function answerOf(bytes: Uint8Array, near = NEAR): NtpAnswer {
  const answer = read(bytes, near);
  if (isNtpRefusal(answer)) throw new Error(JSON.stringify(answer));
  return answer;
}

/** 32.32 bits of a time, in whichever era, by integers. */
function timestampOf(ms: number): string {
  const BITS = 1n << 32n;
  const seconds = BigInt(Math.floor(ms / 1_000)) + 2_208_988_800n;
  const fraction = (BigInt(Math.round((ms - Math.floor(ms / 1_000) * 1_000) * 1e6)) * BITS) / 1_000_000_000n;
  return [seconds % BITS, fraction].map((part) => part.toString(16).padStart(8, '0')).join('');
}

describe('question to an NTP server (TM-3)', () => {
  it('tells nothing but its version and the nonce', () => {
    expect(toHex(encodeNtpRequest(NONCE))).toBe(`23${'00'.repeat(39)}a1b2c3d4e5f60718`);
  });

  it('is 48 bytes for a nonce of any length', () => {
    for (const length of [0, 1, 9, 100]) {
      expect(encodeNtpRequest(new Uint8Array(length).fill(7)).byteLength).toBe(NTP_PACKET_BYTES);
    }
  });
});

describe('answer of an NTP server (TM-3)', () => {
  it('is read from a primary server', () => {
    const answer = answerOf(VECTOR);
    expect(answer).toMatchObject({ leap: 0, stratum: 1, reference: 'GPS', rootDelay: 0 });
    expect(answer.rootDispersion).toBe((0x42 / 65_536) * 1_000);
    expect(answer.precision).toBe(1_000 / 2 ** 20);
    expect(answer.receivedAt).toBe(Date.UTC(2026, 6, 1) + 500);
    expect(answer.repliedAt - answer.receivedAt).toBeCloseTo(1, 3);
  });

  it('is read from a secondary server, in version 3, with more bytes behind', () => {
    const answer = answerOf(SECONDARY);
    expect(answer).toMatchObject({ leap: 1, stratum: 2, reference: '192.0.2.7', rootDelay: 31.25 });
    expect(answer.rootDispersion).toBeCloseTo(64.453, 3);
    expect(answer.receivedAt).toBe(Date.UTC(2026, 6, 1) + 1_000);
    expect(answer).toEqual(answerOf(SECONDARY.slice(0, 48)));
  });

  it('is read where the bytes lie within others', () => {
    const around = new Uint8Array(100).fill(0xff);
    around.set(VECTOR, 13);
    expect(read(around.subarray(13, 61))).toEqual(answerOf(VECTOR));
  });

  it('has the time in the nearest era, across 2036-02-07T06:28:16Z', () => {
    const rollover = Date.UTC(2036, 1, 7, 6, 28, 16);
    expect(timestampOf(rollover)).toBe('0000000000000000');
    const around = fc.record({
      time: fc.integer({ min: -3_000_000, max: 3_000_000 }),
      near: fc.integer({ min: -3_000_000_000, max: 3_000_000_000 }),
    });
    fc.assert(
      fc.property(around, ({ time, near }) => {
        fc.pre(time !== 0);
        const at = rollover + time / 8;
        const bytes = changed(32, timestampOf(at) + timestampOf(at + 1_000));
        const { receivedAt, repliedAt } = answerOf(bytes, wallTime(rollover + near));
        expect(Math.abs(receivedAt - at)).toBeLessThan(0.001);
        expect(Math.abs(repliedAt - at - 1_000)).toBeLessThan(0.001);
      }),
    );
    const later = Date.UTC(2200, 0, 1);
    expect(answerOf(changed(32, timestampOf(later).repeat(2)), wallTime(later)).receivedAt).toBe(later);
  });

  it('has the right era though this machine believes in 1970, or in nothing', () => {
    const time = Date.UTC(2045, 0, 1);
    const bytes = changed(32, timestampOf(time).repeat(2));
    for (const near of [0, -1e15, Number.NaN, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]) {
      expect(answerOf(bytes, wallTime(near)).receivedAt).toBe(time);
    }
  });
});

describe('refused answer (TM-3)', () => {
  const refusals: readonly (readonly [string, Uint8Array, NtpRefusal])[] = [
    ['of mode 3', changed(0, '23'), { code: 'MODE', mode: 3, expected: 4 }],
    ['of mode 5 (broadcast)', changed(0, '25'), { code: 'MODE', mode: 5, expected: 4 }],
    [
      'to another question',
      changed(24, 'a1b2c3d4e5f60719'),
      { code: 'ORIGIN_MISMATCH', origin: 'a1b2c3d4e5f60719', nonce: 'a1b2c3d4e5f60718' },
    ],
    ['of version 2', changed(0, '14'), { code: 'VERSION', version: 2, expected: [4, 3] }],
    ['of version 5', changed(0, '2c'), { code: 'VERSION', version: 5, expected: [4, 3] }],
    ['of leap 3', changed(0, 'e4'), { code: 'UNSYNCHRONISED', leap: 3, stratum: 1, reference: 'GPS' }],
    [
      'of stratum 16',
      changed(1, '10'),
      { code: 'UNSYNCHRONISED', leap: 0, stratum: 16, reference: '71.80.83.0' },
    ],
    [
      'of stratum 0 without a code (chrony)',
      changed(0, 'e400 0000 00000000 00000000 00000000'),
      { code: 'UNSYNCHRONISED', leap: 3, stratum: 0, reference: '' },
    ],
    [
      'of stratum 0 with INIT (ntpd)',
      changed(0, 'e400 0000 00000000 00000000 494e4954'),
      { code: 'UNSYNCHRONISED', leap: 3, stratum: 0, reference: 'INIT' },
    ],
    [
      'of stratum 0 with what are no letters',
      changed(0, '2400 0000 00000000 00000000 ff000102'),
      { code: 'UNSYNCHRONISED', leap: 0, stratum: 0, reference: '' },
    ],
    [
      'that is the kiss RATE',
      changed(0, 'e400 0000 00000000 00000000 52415445'),
      { code: 'KISS', kiss: 'RATE' },
    ],
    [
      'that is the kiss DENY',
      changed(0, 'e400 0000 00000000 00000000 44454e59'),
      { code: 'KISS', kiss: 'DENY' },
    ],
    [
      'that is an unknown kiss',
      changed(0, 'e400 0000 00000000 00000000 58595a00'),
      { code: 'KISS', kiss: 'XYZ' },
    ],
    [
      'without a receive timestamp',
      changed(32, '0000000000000000'),
      { code: 'NO_TIME', receive: '0000000000000000', transmit: 'edeed70080418937' },
    ],
    [
      'without a transmit timestamp',
      changed(40, '0000000000000000'),
      { code: 'NO_TIME', receive: 'edeed70080000000', transmit: '0000000000000000' },
    ],
    [
      'with a root delay beyond 16 s',
      changed(4, '00104000'),
      { code: 'ABSURD', field: 'rootDelay', value: 16_250, least: 0, most: 16_000 },
    ],
    [
      'with a negative root delay',
      changed(4, 'ffff8000'),
      { code: 'ABSURD', field: 'rootDelay', value: -500, least: 0, most: 16_000 },
    ],
    [
      'with a root dispersion beyond 16 s',
      changed(8, 'ffff8000'),
      { code: 'ABSURD', field: 'rootDispersion', value: 65_535_500, least: 0, most: 16_000 },
    ],
    [
      'with a clock read to 32 s',
      changed(3, '05'),
      { code: 'ABSURD', field: 'precision', value: 32_000, least: 0, most: 16_000 },
    ],
    [
      'that left before the question came',
      changed(40, 'edeed70040000000'),
      {
        code: 'ABSURD',
        field: 'repliedAt',
        value: Date.UTC(2026, 6, 1) + 250,
        least: Date.UTC(2026, 6, 1) + 500,
        most: Date.UTC(2026, 6, 1) + 16_500,
      },
    ],
    [
      'that was kept for more than 16 s',
      changed(40, 'edeed710c0000000'),
      {
        code: 'ABSURD',
        field: 'repliedAt',
        value: Date.UTC(2026, 6, 1) + 16_750,
        least: Date.UTC(2026, 6, 1) + 500,
        most: Date.UTC(2026, 6, 1) + 16_500,
      },
    ],
  ];
  for (const [name, bytes, refusal] of refusals) {
    it(`${name} is refused with every operand`, () => expect(read(bytes)).toEqual(refusal));
  }

  it('is short at every length below 48', () => {
    for (let bytes = 0; bytes < NTP_PACKET_BYTES; bytes += 1) {
      expect(read(VECTOR.slice(0, bytes))).toEqual({ code: 'SHORT', bytes, bytesMin: 48 });
    }
  });

  it('takes root delay and dispersion of 16 s, and a precision of 8 s', () => {
    expect(answerOf(changed(4, '00100000 00100000'))).toMatchObject({
      rootDelay: 16_000,
      rootDispersion: 16_000,
    });
    expect(answerOf(changed(3, '03')).precision).toBe(8_000);
  });

  it('ends the exchange when it knows the nonce, and only then: a forged kiss does nothing', () => {
    for (const [, , refusal] of refusals) {
      expect(endsExchange(refusal)).toBe(refusal.code !== 'MODE' && refusal.code !== 'ORIGIN_MISMATCH');
    }
    expect(endsExchange({ code: 'SHORT', bytes: 0, bytesMin: 48 })).toBe(false);
    for (const [, bytes] of refusals) {
      const forged = bytes.slice();
      forged[31] = 0x19;
      const refusal = read(forged);
      expect(isNtpRefusal(refusal) && !endsExchange(refusal)).toBe(true);
    }
  });

  it('is that of a nonce that was not 8 bytes long', () => {
    for (const length of [0, 7, 9]) {
      const nonce = new Uint8Array(length);
      nonce.set(NONCE.subarray(0, Math.min(length, NTP_NONCE_BYTES)));
      expect(readNtpAnswer(VECTOR, nonce, NEAR)).toMatchObject({ code: 'ORIGIN_MISMATCH' });
    }
  });

  it('or an answer within its bounds is what any bytes give', () => {
    const body = fc.uint8Array({ minLength: 0, maxLength: 80 });
    const head = fc.constantFrom(0x24, 0x1c, 0x64, 0xa4, 0xe4, 0x23);
    fc.assert(
      fc.property(body, head, fc.boolean(), (drawn, first, isSealed) => {
        const bytes = drawn.slice();
        if (isSealed && bytes.byteLength >= 48) {
          bytes[0] = first;
          bytes.set(NONCE, 24);
        }
        const answer = read(bytes);
        if (isNtpRefusal(answer)) return;
        expect(answer.stratum).toBeGreaterThanOrEqual(1);
        expect(answer.stratum).toBeLessThan(16);
        expect(answer.leap).toBeLessThan(3);
        const { rootDelay, rootDispersion, precision, receivedAt, repliedAt } = answer;
        for (const each of [rootDelay, rootDispersion, precision, repliedAt - receivedAt]) {
          expect(each).toBeGreaterThanOrEqual(0);
          expect(each).toBeLessThanOrEqual(16_000);
        }
        expect(Math.abs(receivedAt - NEAR)).toBeLessThanOrEqual(2 ** 31 * 1_000);
      }),
      { numRuns: 500 },
    );
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { monotonic } from '../../../src/base/units.ts';
import type { Address, ChainDomain, Digest, Epoch } from '../../../src/protocol/chain/types.ts';
import { DIAL_BACKOFF, dialDelay } from '../../../src/protocol/transport/backoff.ts';
import { fullBucket, oweTokens, refilled, takeTokens } from '../../../src/protocol/transport/bucket.ts';
import {
  CLOSE_CODES,
  closeReason,
  closeReasonByName,
  isLasting,
} from '../../../src/protocol/transport/closing.ts';
import {
  type HelloExpectation,
  helloStatement,
  ruleOnHello,
} from '../../../src/protocol/transport/handshake.ts';
import type { HelloMessage, NodeId } from '../../../src/protocol/transport/messages.ts';
import { breakTie } from '../../../src/protocol/transport/tie-break.ts';

const id = (letter: string): NodeId => letter.repeat(40) as Address;

describe('token bucket (TP-5)', () => {
  const rate = { ratePerSecond: 10, burst: 5 };

  it('never lets more through than burst + rate × time, and lets that through', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 500 }), { maxLength: 200 }), (waits) => {
        let bucket = fullBucket(rate, monotonic(0));
        let now = 0;
        let taken = 0;
        for (const wait of waits) {
          now += wait;
          const taking = takeTokens(bucket, rate, monotonic(now));
          bucket = taking.bucket;
          if (taking.taken) taken += 1;
          expect(taken).toBeLessThanOrEqual(rate.burst + (now * rate.ratePerSecond) / 1000 + 1e-6);
        }
      }),
    );
    const drained = takeTokens(fullBucket(rate, monotonic(0)), rate, monotonic(0), 5).bucket;
    expect(takeTokens(drained, rate, monotonic(99)).taken).toBe(false);
    expect(takeTokens(drained, rate, monotonic(100)).taken).toBe(true);
  });

  it('refills nothing when the clock steps back', () => {
    const bucket = { tokens: 1, at: monotonic(1_000) };
    expect(refilled(bucket, rate, monotonic(0))).toEqual(bucket);
  });

  it('says how long to rest for what was taken on credit', () => {
    const { bucket, rest } = oweTokens(fullBucket(rate, monotonic(0)), rate, monotonic(0), 25);
    expect(rest).toBe(2_000);
    expect(oweTokens(bucket, rate, monotonic(2_000), 0).rest).toBe(0);
    expect(oweTokens(bucket, rate, monotonic(1_500), 0).rest).toBe(500);
  });
});

describe('dial backoff (TP-2)', () => {
  it('stays within 1 ms and the longest wait, and grows with the failures', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 1_000 }),
        fc.boolean(),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (failures, lasting, draw) => {
          const delay = dialDelay(failures, lasting, draw);
          expect(delay).toBeGreaterThanOrEqual(1);
          expect(delay).toBeLessThanOrEqual(DIAL_BACKOFF.max);
          expect(dialDelay(failures + 1, lasting, draw)).toBeGreaterThanOrEqual(delay);
        },
      ),
    );
  });

  it('is the shortest wait after one failure, and the longest at once when dialing cannot help', () => {
    expect(dialDelay(1, false, 0.5)).toBe(DIAL_BACKOFF.min);
    expect(dialDelay(1, true, 0.5)).toBe(DIAL_BACKOFF.max);
  });

  it('spreads by the draw', () => {
    expect(dialDelay(1, false, 0)).toBe(DIAL_BACKOFF.min * (1 - DIAL_BACKOFF.jitter));
    expect(dialDelay(1, false, 0.999999)).toBeCloseTo(DIAL_BACKOFF.min * (1 + DIAL_BACKOFF.jitter), -1);
  });
});

describe('tie break (TP-2)', () => {
  const old = new Uint8Array(8).fill(1);
  const young = new Uint8Array(8).fill(2);

  it('lets both ends keep the same one of two connections', () => {
    const hex = fc
      .uint8Array({ minLength: 20, maxLength: 20 })
      .map((bytes) => Buffer.from(bytes).toString('hex') as Address);
    fc.assert(
      fc.property(hex, hex, fc.boolean(), (left, right, leftDialedFirst) => {
        fc.pre(left !== right);
        // Two connections, one dialed by each; both ends hold the first and are offered the second.
        const ends = {
          left: leftDialedFirst ? 'dialer' : 'listener',
          right: leftDialedFirst ? 'listener' : 'dialer',
        } as const;
        const other = { dialer: 'listener', listener: 'dialer' } as const;
        const verdicts = [
          breakTie(left, right, { end: ends.left, instance: old }, { end: other[ends.left], instance: old }),
          breakTie(
            right,
            left,
            { end: ends.right, instance: old },
            { end: other[ends.right], instance: old },
          ),
        ];
        expect(verdicts[0]).toBe(verdicts[1]);
      }),
    );
  });

  it('keeps what the lower id dialed', () => {
    const dialed = { end: 'dialer', instance: old } as const;
    const taken = { end: 'listener', instance: old } as const;
    expect(breakTie(id('a'), id('b'), dialed, taken)).toBe('keep');
    expect(breakTie(id('a'), id('b'), taken, dialed)).toBe('replace');
    expect(breakTie(id('b'), id('a'), dialed, taken)).toBe('replace');
  });

  it('always takes the connection of a restarted peer, and the newer of one dialer', () => {
    const dialed = { end: 'dialer', instance: old } as const;
    expect(breakTie(id('a'), id('b'), dialed, { end: 'listener', instance: young })).toBe('replace');
    expect(breakTie(id('a'), id('b'), dialed, dialed)).toBe('replace');
  });
});

describe('close reasons (TP-1)', () => {
  it('gives each reason a private code of its own, readable both ways', () => {
    const codes = Object.values(CLOSE_CODES);
    expect(new Set(codes).size).toBe(codes.length);
    for (const [reason, code] of Object.entries(CLOSE_CODES)) {
      expect(code).toBeGreaterThanOrEqual(4_000);
      expect(code).toBeLessThan(5_000);
      expect(closeReason(code)).toBe(reason);
      expect(closeReasonByName(reason)).toBe(reason);
    }
    expect(closeReason(1_006)).toBe('CONNECTION_LOST');
    expect(closeReason(1_000)).toBe('CONNECTION_CLOSED');
    expect(closeReasonByName('toString')).toBeUndefined();
  });

  it('waits long after what will not change by itself, and not after a lost connection', () => {
    expect(isLasting('WRONG_GENESIS')).toBe(true);
    expect(isLasting('CONNECTION_LOST')).toBe(false);
    expect(isLasting('DUPLICATE')).toBe(false);
  });
});

describe('verdict on a Hello (TP-1)', () => {
  const chain: ChainDomain = { chainId: 'one', genesisHash: 'ab'.repeat(32) as Digest };
  const hello: HelloMessage = {
    kind: 'Hello',
    version: { major: 1, minor: 0 },
    chainId: 'one',
    genesisHash: chain.genesisHash,
    epoch: 3 as Epoch,
    role: 'validator',
    nodeKey: new Uint8Array(32).fill(5),
    instance: new Uint8Array(8),
    moniker: 'm',
    signature: new Uint8Array(64),
  };
  const expectation: HelloExpectation = {
    chain,
    version: { major: 1, minor: 0 },
    self: id('a'),
    certificateKey: hello.nodeKey,
    expectedPeer: id('b'),
  };
  const proof = { id: id('b'), signatureVerifies: true };

  it('is undefined for the expected peer, in whatever epoch and minor version it is', () => {
    expect(ruleOnHello(hello, proof, expectation)).toBeUndefined();
    const far = { ...hello, epoch: 999 as Epoch, version: { major: 1, minor: 7 } };
    expect(ruleOnHello(far, proof, expectation)).toBeUndefined();
  });

  const faults: readonly (readonly [
    string,
    Partial<HelloMessage>,
    Partial<typeof proof>,
    Partial<HelloExpectation>,
  ])[] = [
    ['WRONG_VERSION', { version: { major: 2, minor: 0 } }, {}, {}],
    ['WRONG_CHAIN', { chainId: 'two' }, {}, {}],
    ['WRONG_GENESIS', { genesisHash: 'cd'.repeat(32) as Digest }, {}, {}],
    ['WRONG_IDENTITY', {}, {}, { certificateKey: new Uint8Array(32) }],
    ['WRONG_IDENTITY', {}, { id: id('c') }, {}],
    ['WRONG_SIGNATURE', {}, { signatureVerifies: false }, {}],
    ['SELF_CONNECTION', {}, { id: id('a') }, { expectedPeer: undefined }],
  ];
  for (const [code, change, proven, expected] of faults) {
    it(`names ${code} for ${JSON.stringify({ ...change, ...proven, ...Object.keys(expected) })}`, () => {
      const refusal = ruleOnHello(
        { ...hello, ...change },
        { ...proof, ...proven },
        { ...expectation, ...expected },
      );
      expect(refusal?.code).toBe(code);
    });
  }

  it('signs every field that binds it, each into other bytes', () => {
    const exporter = new Uint8Array(32);
    const changes: readonly Partial<HelloMessage>[] = [
      { chainId: 'onf' },
      { genesisHash: 'ac'.repeat(32) as Digest },
      { epoch: 4 as Epoch },
      { version: { major: 1, minor: 1 } },
      { version: { major: 0, minor: 0 } },
      { role: 'full' },
      { nodeKey: new Uint8Array(32) },
      { instance: new Uint8Array(8).fill(1) },
    ];
    const statements = [
      helloStatement(hello, 'dialer', exporter),
      helloStatement(hello, 'listener', exporter),
      helloStatement(hello, 'dialer', exporter.slice().fill(1)),
      ...changes.map((change) => helloStatement({ ...hello, ...change }, 'dialer', exporter)),
    ].map((bytes) => Buffer.from(bytes).toString('hex'));
    expect(new Set(statements).size).toBe(statements.length);
  });
});

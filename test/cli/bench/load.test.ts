/** What the generator sends and how it counts answers; what is read of a validator's metrics. */
import { describe, expect, it } from 'vitest';
import { LoadTally, settle } from '../../../src/cli/bench/load.ts';
import { BodyWriter, TRANSACTION_BYTES, transactionOf } from '../../../src/cli/bench/payload.ts';
import { readingOf, useOf } from '../../../src/cli/bench/readings.ts';

const answered = (status: number, body: unknown) =>
  ({ kind: 'answered', status, text: JSON.stringify(body) }) as const;

describe('bodies', () => {
  it('carry the very transactions that are looked up afterwards, whatever was written before', () => {
    const writer = new BodyWriter('broadcast_tx_sync', 4);
    for (const [first, count] of [
      [0, 4],
      [99_999, 2],
      [123_456_789, 4],
      [7, 1],
    ] as const) {
      const calls: readonly { readonly params: { readonly tx: string } }[] = JSON.parse(
        writer.write(first, count).toString(),
      );
      const expected = Array.from({ length: count }, (_, index) => transactionOf(first + index).toString());
      expect(calls.map(({ params }) => Buffer.from(params.tx, 'base64').toString())).toEqual(expected);
    }
  });

  it('hold pairs of 256 bytes, unique, over a bounded number of keys', () => {
    const numbers = [0, 1, 100_000, 100_001, 9e11];
    const texts = numbers.map((number) => transactionOf(number).toString());
    expect(new Set(texts).size).toBe(numbers.length);
    expect(new Set(texts.map((text) => text.split('=')[0])).size).toBe(2);
    for (const text of texts) {
      expect(Buffer.byteLength(text)).toBe(TRANSACTION_BYTES);
      expect(text.split('=').length).toBe(2);
    }
  });
});

describe('the tally', () => {
  it('tells admitted, refused with the reason, and unanswered apart', () => {
    const tally = new LoadTally();
    settle(tally, answered(200, [{ result: { code: 0, log: '' } }, { result: { code: 0, log: '' } }]), 0, 2);
    const mixed = [
      { result: { code: 0, log: '' } },
      { error: { message: 'Internal error', data: 'mempool is full (MEMPOOL_FULL): 9 are pending' } },
      { result: { code: 3, log: 'no' } },
    ];
    settle(tally, answered(200, mixed), 2, 3);
    settle(tally, answered(429, { error: { message: 'Server error' } }), 5, 10);
    settle(tally, { kind: 'broken', detail: 'reset' }, 15, 5);
    expect(tally).toMatchObject({ admitted: 3, refused: 12, unknown: 5, samples: [0] });
    expect(Object.fromEntries(tally.reasons)).toEqual({
      'mempool is full (MEMPOOL_FULL)': 1,
      no: 1,
      'HTTP 429': 10,
    });
  });
});

describe('readings', () => {
  const text = (cpu: number, lag: number): string =>
    [
      '# HELP process_cpu_seconds_total x',
      `process_cpu_seconds_total ${cpu}`,
      'process_resident_memory_bytes 104857600',
      `nodejs_eventloop_lag_max_seconds ${lag * 2}`,
      `nodejs_eventloop_lag_p50_seconds 0.0095`,
      `nodejs_eventloop_lag_p99_seconds ${lag}`,
    ].join('\n');

  it('take the histogram’s own interval off the lag', () => {
    expect(readingOf(text(1, 0.025))).toMatchObject({ rssBytes: 104_857_600, lagMsP50: 0, lagMsP99: 15 });
  });

  it('are of the time between the first and the last: its lags belong to the time before', () => {
    const use = useOf([text(1, 9), text(2, 0.02), text(4, 0.03)].map(readingOf));
    expect(use).toMatchObject({ cpuSeconds: 3, lagMsMax: 50 });
    expect(useOf([readingOf(text(1, 1))])).toBeUndefined();
  });
});

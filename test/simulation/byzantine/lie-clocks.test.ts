/** Each way to lie about time is kept for a whole run, is what it is called, and is met. Rules SM-3, TM-4. */
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../src/actors/runtime/index.ts';
import { createLiar } from '../../../src/simulation/byzantine/index.ts';
import { encode } from '../../../src/transport/codec/codec.ts';
import { correspondence, LIAR, type TimeLetter, timeReplies } from './letters.ts';

const { epoch, bls, signer } = correspondence();
const REPLIES = timeReplies(correspondence());
const SEEDS = Array.from({ length: 240 }, (_, seed) => seed);
/** @unit µs */
const MS = 1_000;
const HOUR = 3_600_000 * MS;

interface Told {
  readonly truth: TimeLetter;
  /** Undefined: nothing left. */
  readonly said: TimeLetter | undefined;
  /** How much later the stamps are than the truth. @unit µs */
  readonly received: number;
  readonly replied: number;
}

/** What the liar of a seed says for each of the answers. */
function told(seed: number, answers = REPLIES): readonly Told[] {
  const voice = createLiar(
    { validator: LIAR, lies: ['lie-clocks'], rate: 1 },
    {
      signer,
      epoch,
      draws: seededRandom('clocks').stream(String(seed)),
      aggregate: (signatures) => bls.aggregateSignatures(signatures),
    },
  );
  return answers.map((truth) => {
    const all = voice.outgoing(truth);
    const [one] = all;
    expect(all.length).toBeLessThan(2);
    const message = one?.message.kind === 'TimeReply' ? one.message : truth.message;
    return {
      truth,
      said: one === undefined ? undefined : { ...one, message },
      received: message.receivedMicros - truth.message.receivedMicros,
      replied: message.repliedMicros - truth.message.repliedMicros,
    };
  });
}

const isShift = (micros: number): boolean => Math.abs(micros) >= MS && Math.abs(micros) <= HOUR;

const flips = ({ truth, said }: Told): boolean =>
  said !== undefined && said.message.isSynchronised !== truth.message.isSynchronised;

/** The share of the time since the first answer by which the stamps of the last are off. */
function driftOf(all: readonly Told[]): number {
  const [first, last] = [all[0], all.at(-1)];
  const since = first?.truth.message.receivedMicros ?? 0;
  return (last?.received ?? 0) / ((last?.truth.message.receivedMicros ?? 0) - since);
}

const WAYS: Readonly<Record<string, (all: readonly Told[]) => boolean>> = {
  silent: (all) => all.every(({ said }) => said === undefined),
  'false synchronised': (all) => all.every((one) => flips(one) && one.received === 0 && one.replied === 0),
  constant: ([first, ...others]) =>
    first !== undefined &&
    isShift(first.received) &&
    [first, ...others].every(({ received, replied }) => received === first.received && replied === received),
  absurd: (all) =>
    [0, Number.MAX_SAFE_INTEGER].some((at) =>
      all.every(({ said }) => said?.message.receivedMicros === at && said.message.repliedMicros === at),
    ),
  drifting: (all) => {
    const drift = driftOf(all);
    const since = all[0]?.truth.message.receivedMicros ?? 0;
    const isOff = (by: number, at: number): boolean => Math.abs(by - (at - since) * drift) < 2;
    return (
      all[0]?.received === 0 &&
      drift !== 0 &&
      Math.abs(drift) <= 0.05 &&
      all.every(
        ({ truth: { message }, received, replied }) =>
          isOff(received, message.receivedMicros) && isOff(replied, message.repliedMicros),
      )
    );
  },
  'two-faced': (all) => {
    const perPeer = [...Map.groupBy(all, ({ truth }) => truth.to).values()].map(([first, ...others]) => ({
      by: first?.received ?? 0,
      isKept: others.every(({ received }) => received === first?.received),
    }));
    const shifts = perPeer.map(({ by }) => by);
    return (
      all.every(({ received, replied }) => isShift(received) && received === replied) &&
      perPeer.every(({ isKept }) => isKept) &&
      new Set(shifts).size === 3 &&
      shifts.some((by) => by > 0) &&
      shifts.some((by) => by < 0)
    );
  },
  'one way': (all) => {
    const [first] = all;
    return (
      first !== undefined &&
      isShift(first.received + first.replied) &&
      (first.received === 0 || first.replied === 0) &&
      all.every(({ received, replied }) => received === first.received && replied === first.replied)
    );
  },
  swapped: (all) =>
    all.every(
      ({ truth, said }) =>
        said?.message.receivedMicros === truth.message.repliedMicros &&
        said.message.repliedMicros === truth.message.receivedMicros,
    ),
};

const wayOf = (all: readonly Told[]): string =>
  Object.entries(WAYS)
    .filter(([, is]) => is(all))
    .map(([name]) => name)
    .join(' and ');

const RUNS = SEEDS.map((seed) => told(seed));
const ofWay = (way: string): readonly (readonly Told[])[] => RUNS.filter((all) => wayOf(all) === way);

describe('a liar about time', () => {
  it('keeps to one way of lying, and each is drawn (SM-3)', () => {
    expect([...new Set(RUNS.map(wayOf))].sort()).toEqual(Object.keys(WAYS).sort());
  });

  it('leaves request, receiver and, but for one way, `isSynchronised` as they were', () => {
    for (const all of RUNS) {
      const falsely = wayOf(all) === 'false synchronised';
      for (const one of all.filter(({ said }) => said !== undefined)) {
        const { truth, said } = one;
        expect([said?.from, said?.to, said?.message.requestId]).toEqual([
          truth.from,
          truth.to,
          truth.message.requestId,
        ]);
        expect(flips(one)).toBe(falsely);
      }
    }
  });

  it('is off by a constant from below a second to above a minute, ahead or behind', () => {
    const shifts = ofWay('constant').map(([first]) => first?.received ?? 0);
    for (const sign of [1, -1]) {
      expect(shifts.some((by) => by * sign > 0 && by * sign < 1_000 * MS)).toBe(true);
      expect(shifts.some((by) => by * sign > HOUR / 60)).toBe(true);
    }
  });

  it('drifts by up to five in a hundred, fast or slow', () => {
    const drifts = ofWay('drifting').map(driftOf);
    expect(Math.max(...drifts)).toBeGreaterThan(0.03);
    expect(Math.min(...drifts)).toBeLessThan(-0.03);
  });

  it('names the first moment or the last', () => {
    const named = ofWay('absurd').map(([first]) => first?.said?.message.receivedMicros);
    expect(new Set(named)).toEqual(new Set([0, Number.MAX_SAFE_INTEGER]));
  });

  it('moves either stamp alone, either way', () => {
    const signs = ofWay('one way').map(([first]) =>
      [Math.sign(first?.received ?? 0), Math.sign(first?.replied ?? 0)].join(' '),
    );
    expect(new Set(signs)).toEqual(new Set(['1 0', '-1 0', '0 1', '0 -1']));
  });

  it('two-faced, is ahead to one and behind to the next whom it answers', () => {
    for (const all of ofWay('two-faced')) {
      const [first, second, third] = all.map(({ received }) => Math.sign(received));
      expect([second, third]).toEqual([-(first ?? 0), first]);
    }
  });

  it('says what the codec carries, also of the first and of the last moment', () => {
    const ends = REPLIES.map((letter, place): TimeLetter => {
      const at = place % 2 === 0 ? 0 : Number.MAX_SAFE_INTEGER;
      return { ...letter, message: { ...letter.message, receivedMicros: at, repliedMicros: at } };
    });
    for (const seed of SEEDS) {
      for (const { said } of [...told(seed), ...told(seed, ends)]) {
        if (said !== undefined) expect(encode(said.message)).toMatchObject({ outcome: 'encoded' });
      }
    }
  });
});

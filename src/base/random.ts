/**
 * Random numbers that one seed decides, in streams by name: a new stream never shifts the draws of another.
 * Deterministic; not for keys or nonces. Source: sfc32 (PractRand), seeded through cyrb128.
 */

/** A stream of draws. */
export interface RandomStream {
  /** Uniform in [0, 1) with 32 bits. */
  next(): number;
  /** Uniform whole number in [0, bound); bound >= 1. */
  below(bound: number): number;
  /** Four words that restore this stream by `restoreStream`. */
  state(): RandomState;
}

export type RandomState = readonly [number, number, number, number];

/** Streams by name under one seed. */
export interface Random {
  readonly seed: string;
  /** Continues the stream of that name from a state. */
  restore(name: string, state: RandomState): void;
  /** The stream of that name; the same object for the same name. The owner bounds how many names it uses. */
  stream(name: string): RandomStream;
}

/** Random numbers decided by `seed` alone. */
export function seededRandom(seed: string | number): Random {
  const text = String(seed);
  const streams = new Map<string, RandomStream>();
  return {
    seed: text,
    restore(name, state) {
      streams.set(name, restoreStream(state));
    },
    stream(name) {
      const known = streams.get(name);
      if (known !== undefined) return known;
      const stream = restoreStream(mixSeed(`${text}/${name}`));
      for (let draw = 0; draw < WARM_UP_DRAWS; draw += 1) stream.next();
      streams.set(name, stream);
      return stream;
    },
  };
}

/** @unit draws @source sfc32's author: discard about a dozen after seeding */
const WARM_UP_DRAWS = 15;

/** A stream that continues from a state. */
export function restoreStream(state: RandomState): RandomStream {
  let [a, b, c, counter] = state;
  const word = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  const next = (): number => word() / 4_294_967_296;
  return { next, below: (bound) => Math.floor(next() * bound), state: () => [a, b, c, counter] };
}

function mixSeed(text: string): RandomState {
  let [h1, h2, h3, h4] = [1_779_033_703, 3_144_134_277, 1_013_904_242, 2_773_480_762];
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    h1 = h2 ^ Math.imul(h1 ^ code, 597_399_067);
    h2 = h3 ^ Math.imul(h2 ^ code, 2_869_860_233);
    h3 = h4 ^ Math.imul(h3 ^ code, 951_274_213);
    h4 = h1 ^ Math.imul(h4 ^ code, 2_716_044_179);
  }
  return [
    Math.imul(h3 ^ (h1 >>> 18), 597_399_067),
    Math.imul(h4 ^ (h2 >>> 22), 2_869_860_233),
    Math.imul(h1 ^ (h3 >>> 17), 951_274_213),
    Math.imul(h2 ^ (h4 >>> 19), 2_716_044_179),
  ];
}

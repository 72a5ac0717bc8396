/** Numbers and choices of the chaos suite: from the environment, and from one seed, which every file prints. */
import { type RandomStream, seededRandom } from '../../../src/base/random.ts';

/** Of the environment variable, or `fallback`. @throws when it is no whole number */
export function countFrom(name: string, fallback: number): number {
  const text = process.env[name];
  const value = text === undefined ? fallback : Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`${name}: "${text}" is no whole number`);
  return value;
}

/** ALTHING_CHAOS_SEED; drawn from the clock without. Time decides too: a seed repeats the choices, not the run. */
export const SEED = process.env['ALTHING_CHAOS_SEED'] ?? String(Date.now() % 1_000_000_000);

/** Choices of one kind. */
export class Choices {
  readonly #stream: RandomStream;

  constructor(name: string) {
    console.log(`${name}: ALTHING_CHAOS_SEED=${SEED} draws the same again`);
    this.#stream = seededRandom(SEED).stream(name);
  }

  /** Uniform in [0, bound). */
  below(bound: number): number {
    return this.#stream.below(bound);
  }

  /** Uniform in [from, to). */
  between(from: number, to: number): number {
    return from + this.#stream.below(to - from);
  }

  one<Value>(values: readonly [Value, ...Value[]]): Value {
    return values[this.#stream.below(values.length)] ?? values[0];
  }

  /** All of them in some order. */
  shuffled<Value>(values: readonly Value[]): readonly Value[] {
    const keyed = values.map((value) => ({ value, key: this.#stream.next() }));
    return keyed.sort((left, right) => left.key - right.key).map(({ value }) => value);
  }
}

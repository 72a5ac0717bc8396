/**
 * What one configuration key is: its type, default, unit, source, and how text from a flag or the environment
 * becomes its value. Pure. Every key of `config/default.toml` and `config/sync.toml` is one of these.
 */
import { z } from 'zod';
import { type Millis, millis } from '../../base/units.ts';

/** A value as TOML and JSON write it. */
export type RawValue = boolean | number | string | readonly string[];

/** `Value` is what the program sees, `RawValue` what the file says. */
export interface Setting<Value> {
  readonly type: z.ZodType<Value>;
  readonly default: RawValue;
  /** `ms`, `bytes`, …; `text` and the like for values without one. */
  readonly unit: string;
  /** What it does and where the default comes from, in one line. */
  readonly note: string;
  readonly source: string;
  /** What a flag or variable must look like, for messages. */
  readonly form: string;
  /** The value that a flag or variable writes as `text`; undefined when it cannot be one. */
  readonly fromText: (text: string) => RawValue | undefined;
}

interface Described {
  readonly note: string;
  readonly source: string;
}

interface Range {
  readonly default: number;
  readonly min: number;
  readonly max: number;
}

/** @unit bytes */
export const MEBIBYTE = 1_048_576;

const HOST_PORT = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})$/;
const PORT_MAX = 65_535;

/** A whole number of some unit. */
export const integer = (given: Range & Described & { readonly unit: string }): Setting<number> => ({
  type: z
    .int(`must be a whole number from ${given.min} to ${given.max}`)
    .min(given.min, `must be at least ${given.min} (${given.unit})`)
    .max(given.max, `must be at most ${given.max} (${given.unit})`),
  ...described(given),
  unit: given.unit,
  form: `a whole number (${given.unit})`,
  fromText: (text) => (/^-?[0-9]{1,15}$/.test(text) ? Number(text) : undefined),
});

/** A duration in whole milliseconds. */
export const duration = (given: Range & Described): Setting<Millis> => {
  const setting = integer({ ...given, unit: 'ms' });
  return { ...setting, type: setting.type.transform(millis) };
};

/** A number that need not be whole. */
export const ratio = (given: Range & Described & { readonly unit?: string }): Setting<number> => ({
  type: z
    .number('must be a number')
    .min(given.min, `must be at least ${given.min}`)
    .max(given.max, `must be at most ${given.max}`),
  ...described(given),
  unit: given.unit ?? 'factor',
  form: given.unit === undefined ? 'a number' : `a number (${given.unit})`,
  fromText: (text) => (/^-?[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) : undefined),
});

export const text = (
  given: Described & { default: string; pattern: RegExp; shape: string },
): Setting<string> => ({
  type: z.string(`must be ${given.shape}`).regex(given.pattern, `must be ${given.shape}`),
  ...described(given),
  unit: 'text',
  form: given.shape,
  fromText: (raw) => raw,
});

/** `host:port`, port 0 for any free one; empty where `optional`. */
export const address = (given: Described & { default: string; optional: boolean }): Setting<string> => {
  const shape = `an address "host:port"${given.optional ? ', or "" for none' : ''}`;
  const fits = (raw: string): boolean => (raw === '' ? given.optional : isHostPort(raw));
  return {
    type: z.string(`must be ${shape}`).refine(fits, `must be ${shape}`),
    ...described(given),
    unit: 'host:port',
    form: shape,
    fromText: (raw) => raw,
  };
};

export const choice = <Choice extends string>(
  given: Described & { default: Choice; choices: readonly [Choice, ...Choice[]] },
): Setting<Choice> => ({
  type: z.enum(given.choices, `must be one of ${given.choices.map((one) => `"${one}"`).join(', ')}`),
  ...described(given),
  unit: given.choices.join(' | '),
  form: `one of ${given.choices.join(', ')}`,
  fromText: (raw) => raw,
});

export const flag = (given: Described & { default: boolean }): Setting<boolean> => ({
  type: z.boolean('must be true or false'),
  ...described(given),
  unit: 'true | false',
  form: 'true or false',
  fromText: (raw) => (raw === 'true' ? true : raw === 'false' ? false : undefined),
});

/** A list of texts of one shape; a flag or variable separates them by commas. */
export const list = (
  given: Described & { pattern: RegExp; shape: string; lengthMax: number },
): Setting<readonly string[]> => ({
  type: z
    .array(
      z.string(`must be ${given.shape}`).regex(given.pattern, `each must be ${given.shape}`),
      'must be a list',
    )
    .max(given.lengthMax, `must have at most ${given.lengthMax} entries`),
  note: given.note,
  source: given.source,
  default: [],
  unit: `list of ${given.shape}`,
  form: `a list of ${given.shape}, separated by commas`,
  fromText: (raw) => (raw === '' ? [] : raw.split(',').map((entry) => entry.trim())),
});

function isHostPort(raw: string): boolean {
  const port = HOST_PORT.exec(raw)?.[2];
  return port !== undefined && Number(port) <= PORT_MAX;
}

function described<Default extends RawValue>(
  given: Described & { readonly default: Default },
): Described & { readonly default: Default } {
  return { note: given.note, source: given.source, default: given.default };
}

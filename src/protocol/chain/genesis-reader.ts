/**
 * Reads untrusted JSON field by field and collects every problem with its path, so that one look at a
 * genesis file names all that is wrong with it. Total: a wrong field reads as an empty one. Pure from outside.
 */
import { fromHex } from '../../base/bytes.ts';
import { type WallTime, wallTime } from '../../base/units.ts';
import { isJsonValue, JSON_DEPTH_MAX, type JsonValue } from './canonical-json.ts';

/** What is wrong, where (`validators[0].power`), and the value there, shortened for a message. */
export interface GenesisProblem {
  readonly path: string;
  readonly value: string;
  readonly message: string;
}

/** Problems collected before the reader stops adding. @unit problems @source a terminal's screen */
const PROBLEMS_MAX = 20;
/** @unit letters @source a line of an error message */
const SHOWN_VALUE_MAX = 60;

export class GenesisReader {
  readonly problems: GenesisProblem[] = [];

  report(path: string, value: unknown, message: string): void {
    if (this.problems.length < PROBLEMS_MAX) this.problems.push({ path, value: shown(value), message });
  }

  /** The members of an object; unknown and missing ones are problems. */
  object(path: string, raw: unknown, keys: readonly string[]): Readonly<Record<string, unknown>> {
    if (raw === null || typeof raw !== 'object' || Array.isArray(raw)) {
      this.report(path, raw, `must be an object with the keys ${keys.join(', ')}`);
      return {};
    }
    const members = Object.fromEntries(Object.entries(raw));
    const prefix = path === '' ? '' : `${path}.`;
    for (const key of Object.keys(members)) {
      if (!keys.includes(key)) {
        this.report(`${prefix}${key}`, members[key], `unknown key; the keys here are ${keys.join(', ')}`);
      }
    }
    return members;
  }

  array(path: string, raw: unknown, lengthMax: number): readonly unknown[] {
    if (!Array.isArray(raw)) {
      this.report(path, raw, 'must be a list');
      return [];
    }
    if (raw.length <= lengthMax) return raw;
    this.report(path, `${raw.length} entries`, `must have at most ${lengthMax} entries`);
    return raw.slice(0, lengthMax);
  }

  text(
    path: string,
    raw: unknown,
    { pattern, shape }: { readonly pattern: RegExp; readonly shape: string },
  ): string {
    if (typeof raw === 'string' && pattern.test(raw)) return raw;
    this.report(path, raw, `must be ${shape}`);
    return '';
  }

  choice<Choice extends string>(path: string, raw: unknown, choices: readonly [Choice, ...Choice[]]): Choice {
    const found = choices.find((choice) => choice === raw);
    if (found === undefined) {
      this.report(path, raw, `must be one of ${choices.map((choice) => `"${choice}"`).join(', ')}`);
    }
    return found ?? choices[0];
  }

  /** What is left away is false. */
  flag(path: string, raw: unknown): boolean {
    if (raw !== undefined && typeof raw !== 'boolean') this.report(path, raw, 'must be true or false');
    return raw === true;
  }

  integer(path: string, raw: unknown, min: number, max: number): number {
    if (typeof raw === 'number' && Number.isSafeInteger(raw) && raw >= min && raw <= max) return raw;
    this.report(path, raw, `must be a whole number from ${min} to ${max}`);
    return min;
  }

  /** A positive integer, as a decimal string or a safe JSON number. */
  power(path: string, raw: unknown): bigint {
    const decimal = typeof raw === 'number' && Number.isSafeInteger(raw) ? raw.toString() : raw;
    if (typeof decimal === 'string' && /^[1-9][0-9]{0,18}$/.test(decimal)) return BigInt(decimal);
    this.report(path, raw, 'must be a whole number above 0, as a string of digits ("10")');
    return 0n;
  }

  bytes(path: string, raw: unknown, length: number): Uint8Array {
    const bytes = typeof raw === 'string' ? fromHex(raw) : undefined;
    if (bytes?.length === length) return bytes;
    this.report(path, raw, `must be ${length} bytes as ${2 * length} hexadecimal digits`);
    return new Uint8Array();
  }

  /** RFC 3339 in UTC, whole milliseconds. */
  time(path: string, raw: unknown): WallTime {
    const parts =
      typeof raw === 'string' ? /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(\.\d{1,3}0*)?Z$/.exec(raw) : null;
    const time = parts === null ? Number.NaN : Date.parse(`${parts[1]}${(parts[2] ?? '').slice(0, 4)}Z`);
    // Date.parse takes 30 February for 2 March.
    const exists = Number.isFinite(time) && new Date(time).toISOString().slice(0, 19) === parts?.[1];
    if (exists && time >= 0) return wallTime(time);
    this.report(path, raw, 'must be a UTC time in whole milliseconds, for example "2026-01-31T12:00:00Z"');
    return wallTime(0);
  }

  json(path: string, raw: unknown): JsonValue {
    if (isJsonValue(raw)) return raw;
    this.report(path, raw, `must be a JSON value of at most ${JSON_DEPTH_MAX} levels; use {} for none`);
    return null;
  }

  /** Each value must not exceed the next. */
  ordered(path: string, chain: readonly { readonly key: string; readonly value: number }[]): void {
    chain.slice(1).forEach((larger, index) => {
      const smaller = chain[index];
      if (smaller === undefined || smaller.value <= larger.value) return;
      this.report(`${path}.${smaller.key}`, smaller.value, `must not exceed ${larger.key} (${larger.value})`);
    });
  }
}

function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  const text = typeof value === 'object' && value !== null ? describeObject(value) : JSON.stringify(value);
  return text.length <= SHOWN_VALUE_MAX ? text : `${text.slice(0, SHOWN_VALUE_MAX - 1)}…`;
}

const describeObject = (value: object): string =>
  Array.isArray(value) ? `a list of ${value.length}` : 'an object';

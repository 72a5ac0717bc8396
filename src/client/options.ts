/** What a client is given, checked once, with the name and the value of what is wrong; and the defaults. Pure. docs/client.md. */
import type { ClientOptions } from './types.ts';

export const CLIENT_DEFAULTS = {
  pendingMax: 10_000,
  whenFull: 'wait',
  whenRefused: 'retry',
  expiryHeights: 500,
  callTimeoutMs: 10_000,
  resubmitAfterMs: 5_000,
  bodyBytesMax: 786_432,
  answerBytesMax: 33_554_432,
} as const satisfies Omit<Required<ClientOptions>, 'endpoints'>;

/** Whole numbers from 1 on. @source timers take no more milliseconds; the others need no more to be without a bound */
const GREATEST = 2 ** 31 - 1;
const NUMBERS = [
  'pendingMax',
  'expiryHeights',
  'callTimeoutMs',
  'resubmitAfterMs',
  'bodyBytesMax',
  'answerBytesMax',
] as const satisfies readonly (keyof ClientOptions)[];

const WORDS = {
  whenFull: ['wait', 'reject'],
  whenRefused: ['retry', 'reject'],
} as const satisfies Partial<Record<keyof ClientOptions, readonly string[]>>;

/**
 * With every default; one that is `undefined` counts as left out.
 * @throws TypeError
 */
export function checkedOptions(options: ClientOptions): Required<ClientOptions> {
  const known = new Set(['endpoints', ...Object.keys(CLIENT_DEFAULTS)]);
  for (const name of Object.keys(options)) {
    if (known.has(name)) continue;
    throw new TypeError(`${name} is no option of a client: there are ${[...known].join(', ')}`);
  }
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const checked: Required<ClientOptions> = { ...CLIENT_DEFAULTS, endpoints: options.endpoints, ...given };
  for (const name of NUMBERS) checkedNumber(name, checked[name]);
  requireWord('whenFull', checked.whenFull);
  requireWord('whenRefused', checked.whenRefused);
  return { ...checked, endpoints: checkedEndpoints(checked.endpoints) };
}

function requireWord(name: keyof typeof WORDS, value: string): void {
  const words: readonly string[] = WORDS[name];
  if (words.includes(value)) return;
  throw new TypeError(`${name} ${shown(value)}: give ${words.map(shown).join(' or ')}`);
}

export function checkedEndpoints(endpoints: unknown): readonly string[] {
  if (!Array.isArray(endpoints) || endpoints.length === 0)
    throw new TypeError('endpoints: name the URL of one node at least, in a list');
  return endpoints.map(checkedUrl);
}

function checkedUrl(url: unknown): string {
  const parsed = typeof url === 'string' ? URL.parse(url) : null;
  if (parsed?.protocol === 'http:' || parsed?.protocol === 'https:') return parsed.href;
  throw new TypeError(`endpoint ${typeof url === 'string' ? url : shown(url)}: give an http or https URL`);
}

/** @throws TypeError unless it is a whole number from 1 on that a timer takes */
export function checkedNumber(name: string, value: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= GREATEST) return value;
  throw new TypeError(`${name} ${shown(value)}: give a whole number from 1 to ${GREATEST}`);
}

/** A text in quotes, so that "5" is not taken for 5. */
const shown = (value: unknown): string => (typeof value === 'string' ? JSON.stringify(value) : String(value));

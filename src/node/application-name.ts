/** The name of an application, as a genesis or a command line gives it. Pure. */
import { BUILT_IN_NAMES, type BuiltInName } from '../application/built-in-names.ts';
import { nearest } from './config/suggest.ts';

export type ApplicationName =
  | { readonly status: 'built-in'; readonly name: BuiltInName }
  | { readonly status: 'unknown'; readonly message: string };

export function parseApplicationName(raw: string): ApplicationName {
  const name = BUILT_IN_NAMES.find((each) => each === raw);
  if (name !== undefined) return { status: 'built-in', name };
  const near = nearest(raw, BUILT_IN_NAMES);
  const advice = near === undefined ? '' : `; did you mean "${near}"?`;
  const shown = JSON.stringify(raw.slice(0, NAME_LETTERS_SHOWN));
  return { status: 'unknown', message: `no application ${shown} is built in; there is ${listed()}${advice}` };
}

/** @unit letters @source a line of a terminal */
const NAME_LETTERS_SHOWN = 64;

const listed = (): string => BUILT_IN_NAMES.map((name) => `"${name}"`).join(', ');

/** What the commands share: options of the same name and meaning, and parsers that speak to the reader. Pure. */
import { type Command, InvalidArgumentError } from 'commander';
import type { BuiltInName } from '../application/built-in-names.ts';
import { parseApplicationName } from '../node/application-name.ts';
import type { ConfigOverride } from '../node/config/load.ts';
import { OWN_APPLICATION_HINT } from './new-application.ts';

export interface CommonOptions {
  readonly json?: boolean;
}

export interface TargetOptions extends CommonOptions {
  readonly rpc?: string;
  readonly home?: string;
}

export const withJson = (command: Command): Command =>
  command.option('--json', 'print JSON on stdout instead of text');

/** For commands that ask a running node. */
export const withTarget = (command: Command): Command =>
  withJson(command)
    .option('--rpc <address>', 'RPC of the node to ask (default: that of --home, else 127.0.0.1:26657)')
    .option('--home <dir>', "the node's home: its configuration and operator token");

/** Parser of a whole number within bounds, for `command.option`. */
export const wholeNumber =
  (min: number, max: number) =>
  (raw: string): number => {
    const value = /^[0-9]{1,15}$/.test(raw) ? Number(raw) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`give a whole number from ${min} to ${max}.`);
  };

/** Parser of the name of a built-in application. */
export function applicationName(raw: string): BuiltInName {
  const parsed = parseApplicationName(raw);
  if (parsed.status === 'built-in') return parsed.name;
  throw new InvalidArgumentError(`${parsed.message}; ${OWN_APPLICATION_HINT}`);
}

/** Parser of an option that may be repeated. */
export const collectText = (raw: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  raw,
];

/** Parser of repeated `--set section.key=value`. */
export function collectSetting(
  raw: string,
  before: readonly ConfigOverride[] = [],
): readonly ConfigOverride[] {
  const equals = raw.indexOf('=');
  if (equals <= 0) throw new InvalidArgumentError('give section.key=value, for example log.level=debug.');
  return [
    ...before,
    { path: raw.slice(0, equals).trim(), text: raw.slice(equals + 1).trim(), flag: '--set' },
  ];
}

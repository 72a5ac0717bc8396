/**
 * The configuration of a node from its four sources: flag > environment (`ALTHING_P2P__LISTEN`) > file > default.
 * `resolveConfig` is pure; `loadConfig` reads the home's two files. A wrong or unknown key refuses the whole, with its place.
 */
import { readFileSync } from 'node:fs';
import { parse, TomlError } from 'smol-toml';
import { homePaths } from './home.ts';
import { locate } from './locate.ts';
import {
  type Config,
  type ConfigFile,
  fileOf,
  ORDERED_SETTINGS,
  SETTINGS,
  type SettingEntry,
} from './schema.ts';
import type { RawValue } from './setting.ts';
import { nearest } from './suggest.ts';

/** A flag's value: `{ path: 'p2p.listen', text: '127.0.0.1:0', flag: '--p2p-listen' }`. */
export interface ConfigOverride {
  readonly path: string;
  readonly text: string;
  readonly flag: string;
}

export interface TomlText {
  readonly path: string;
  readonly text: string;
}

export interface ConfigSources {
  readonly file?: TomlText;
  /** `config/sync.toml`: [sync], and nothing else. */
  readonly syncFile?: TomlText;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly overrides: readonly ConfigOverride[];
}

export type ConfigOrigin =
  | { readonly kind: 'default' }
  | { readonly kind: 'file'; readonly path: string; readonly line: number }
  | { readonly kind: 'environment'; readonly name: string }
  | { readonly kind: 'flag'; readonly name: string };

export interface ResolvedSetting {
  readonly section: string;
  readonly key: string;
  readonly value: RawValue;
  readonly origin: ConfigOrigin;
}

export interface LoadedConfig {
  readonly config: Config;
  /** Every key in the schema's order, with where its value came from. */
  readonly settings: readonly ResolvedSetting[];
}

/** `where` is `althing.toml:12:3`, a variable's name, or a flag. */
export interface ConfigProblem {
  readonly where: string;
  readonly message: string;
}

export type ConfigResult =
  | { readonly status: 'loaded'; readonly loaded: LoadedConfig }
  | { readonly status: 'refused'; readonly problems: readonly ConfigProblem[] };

/** Variables of the form `ALTHING_SECTION__KEY` are settings; other `ALTHING_…` are not this module's. */
const VARIABLE = /^ALTHING_([A-Z0-9_]+?)__([A-Z0-9_]+)$/;

/** Reads `config/althing.toml` and `config/sync.toml` of the home, where they are, and resolves them with the other sources. */
export function loadConfig(
  home: string,
  environment: ConfigSources['environment'] = {},
  overrides: readonly ConfigOverride[] = [],
): ConfigResult {
  const { configFile, syncConfigFile } = homePaths(home);
  const unread: ConfigProblem[] = [];
  const [file, syncFile] = [readToml(configFile, unread), readToml(syncConfigFile, unread)];
  const result = resolveConfig({
    ...(file === undefined ? {} : { file }),
    ...(syncFile === undefined ? {} : { syncFile }),
    environment,
    overrides,
  });
  if (unread.length === 0) return result;
  return {
    status: 'refused',
    problems: [...unread, ...(result.status === 'refused' ? result.problems : [])],
  };
}

/** The first source that names a key gives its value; every problem of every source is reported. */
export function resolveConfig(sources: ConfigSources): ConfigResult {
  const problems: ConfigProblem[] = [];
  const given = new Map<string, Candidate>();
  const sets = [
    fromFile(sources.file, 'althing.toml', problems),
    fromFile(sources.syncFile, 'sync.toml', problems),
    fromEnvironment(sources, problems),
    fromFlags(sources, problems),
  ];
  for (const candidate of sets.flat()) given.set(candidate.entry.path, candidate);
  const sections: Record<string, Record<string, unknown>> = {};
  const settings = SETTINGS.map((entry): ResolvedSetting => {
    const candidate = given.get(entry.path) ?? defaultOf(entry);
    const checked = entry.setting.type.safeParse(candidate.value);
    if (!checked.success)
      problems.push(problemOf(candidate, checked.error.issues[0]?.message ?? 'is not valid'));
    sections[entry.section] = { ...sections[entry.section], [camelCase(entry.key)]: checked.data };
    return { section: entry.section, key: entry.key, value: candidate.value, origin: candidate.origin };
  });
  if (problems.length === 0) problems.push(...disorder(settings));
  if (problems.length > 0) return { status: 'refused', problems };
  // The gateway: every key of the schema was read above, in the schema's own types.
  return { status: 'loaded', loaded: { config: sections as unknown as Config, settings } };
}

/** `p2p.dial_backoff_ms_min` as the environment spells it. */
export const variableOf = (section: string, key: string): string =>
  `ALTHING_${section.toUpperCase()}__${key.toUpperCase()}`;

/** Where a value came from, in words. */
export function describeOrigin(origin: ConfigOrigin): string {
  switch (origin.kind) {
    case 'default':
      return 'default';
    case 'file':
      return `${origin.path}:${origin.line}`;
    case 'environment':
      return `environment ${origin.name}`;
    case 'flag':
      return `flag ${origin.name}`;
  }
}

interface Candidate {
  readonly entry: SettingEntry;
  readonly value: RawValue;
  readonly origin: ConfigOrigin;
  readonly where: string;
}

function readToml(path: string, problems: ConfigProblem[]): TomlText | undefined {
  try {
    return { path, text: readFileSync(path, 'utf8') };
  } catch (cause) {
    if (!isMissing(cause)) problems.push({ where: path, message: `cannot be read: ${messageOf(cause)}` });
    return undefined;
  }
}

/** @param holds whose sections may be in it */
function fromFile(
  file: TomlText | undefined,
  holds: ConfigFile,
  problems: ConfigProblem[],
): readonly Candidate[] {
  if (file === undefined) return [];
  const place = (section: string, key?: string): string => {
    const { line, column } = locate(file.text, section, key) ?? { line: 1, column: 1 };
    return `${file.path}:${line}:${column}`;
  };
  const table = parseToml(file, problems);
  return Object.entries(table).flatMap(([section, members]): readonly Candidate[] => {
    if (!isSection(section)) {
      const known = [...new Set(SETTINGS.map((entry) => entry.section))];
      problems.push({
        where: place(section),
        message: sectionless(section) ?? `unknown section [${section}]${hint(section, known)}`,
      });
      return [];
    }
    if (fileOf(section) !== holds) {
      problems.push({ where: place(section), message: `[${section}] belongs in config/${fileOf(section)}` });
      return [];
    }
    if (typeof members !== 'object' || members === null || Array.isArray(members)) {
      problems.push({
        where: place(section),
        message: `${section} must be a section: write [${section}] on a line of its own`,
      });
      return [];
    }
    return Object.entries(members).flatMap(([key, value]): readonly Candidate[] => {
      const where = place(section, key);
      const entry = entryOf(`${section}.${key}`);
      if (entry === undefined) {
        problems.push({ where, message: unknownKey(section, key) });
        return [];
      }
      const line = locate(file.text, section, key)?.line ?? 1;
      return [{ entry, value: value as RawValue, origin: { kind: 'file', path: file.path, line }, where }];
    });
  });
}

function fromEnvironment({ environment }: ConfigSources, problems: ConfigProblem[]): readonly Candidate[] {
  return Object.entries(environment).flatMap(([name, text]): readonly Candidate[] => {
    const [, section, key] = VARIABLE.exec(name) ?? [];
    if (section === undefined || key === undefined || text === undefined) return [];
    const entry = entryOf(`${section.toLowerCase()}.${key.toLowerCase()}`);
    if (entry === undefined) {
      const known = SETTINGS.map((setting) => variableOf(setting.section, setting.key));
      problems.push({ where: name, message: `names no setting${hint(name, known)}` });
      return [];
    }
    return fromText(entry, text, { kind: 'environment', name }, name, problems);
  });
}

function fromFlags({ overrides }: ConfigSources, problems: ConfigProblem[]): readonly Candidate[] {
  return overrides.flatMap(({ path, text, flag }): readonly Candidate[] => {
    const entry = entryOf(path);
    if (entry === undefined) {
      problems.push({
        where: flag,
        message: `names no setting: ${path}${hint(
          path,
          SETTINGS.map((known) => known.path),
        )}`,
      });
      return [];
    }
    return fromText(entry, text, { kind: 'flag', name: flag }, flag, problems);
  });
}

function fromText(
  entry: SettingEntry,
  text: string,
  origin: ConfigOrigin,
  where: string,
  problems: ConfigProblem[],
): readonly Candidate[] {
  const value = entry.setting.fromText(text);
  if (value !== undefined) return [{ entry, value, origin, where }];
  problems.push({ where, message: `${entry.path} = "${text}": must be ${entry.setting.form}` });
  return [];
}

function parseToml({ path, text }: TomlText, problems: ConfigProblem[]): Readonly<Record<string, unknown>> {
  try {
    return parse(text, { unsafeKeyBehaviour: 'throw', maxDepth: 8 });
  } catch (cause) {
    const where = cause instanceof TomlError ? `${path}:${cause.line}:${cause.column}` : path;
    problems.push({ where, message: `is not TOML: ${messageOf(cause).split('\n', 1)[0]}` });
    return {};
  }
}

function disorder(settings: readonly ResolvedSetting[]): readonly ConfigProblem[] {
  const byPath = new Map(settings.map((setting) => [`${setting.section}.${setting.key}`, setting]));
  return ORDERED_SETTINGS.flatMap(({ lesser, greater }): ConfigProblem[] => {
    const [low, high] = [byPath.get(lesser), byPath.get(greater)];
    if (low === undefined || high === undefined || Number(low.value) <= Number(high.value)) return [];
    const culprit = low.origin.kind === 'default' ? high : low;
    return [
      {
        where: describeOrigin(culprit.origin),
        message: `${lesser} = ${low.value} must not exceed ${greater} = ${high.value}`,
      },
    ];
  });
}

function problemOf({ entry, value, where }: Candidate, message: string): ConfigProblem {
  return { where, message: `${entry.path} = ${JSON.stringify(value)}: ${message}` };
}

/** A key that stands where a section should. */
function sectionless(name: string): string | undefined {
  const entry = SETTINGS.find(({ key }) => key === name);
  return entry && `${name} stands in no section: write [${entry.section}] above it`;
}

function unknownKey(section: string, key: string): string {
  const here = SETTINGS.filter((entry) => entry.section === section).map((entry) => entry.key);
  const near = nearest(key, here);
  if (near !== undefined) return `unknown key ${key} in [${section}]; did you mean ${near}?`;
  const elsewhere = SETTINGS.find((entry) => entry.key === key);
  return elsewhere === undefined
    ? `unknown key ${key} in [${section}]; the keys there are ${here.join(', ')}`
    : `unknown key ${key} in [${section}]; it belongs to [${elsewhere.section}]`;
}

/** So many names a reader still takes in at a glance; beyond them the command that lists them is named. @unit names */
const LISTED_MAX = 16;

function hint(word: string, known: readonly string[]): string {
  const near = nearest(word, known);
  if (near !== undefined) return `; did you mean ${near}?`;
  return known.length <= LISTED_MAX
    ? `; known are ${known.join(', ')}`
    : '; `althing config print` lists them';
}

function defaultOf(entry: SettingEntry): Candidate {
  return { entry, value: entry.setting.default, origin: { kind: 'default' }, where: 'default' };
}

const entryOf = (path: string): SettingEntry | undefined => SETTINGS.find((entry) => entry.path === path);
const isSection = (name: string): boolean => SETTINGS.some((entry) => entry.section === name);
const camelCase = (key: string): string =>
  key.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
const isMissing = (cause: unknown): boolean =>
  cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';

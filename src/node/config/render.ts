/** The configuration in writing: the annotated TOML of `config/default.toml`, `config/sync.toml` and of a new home. Pure. */
import { type ConfigFile, fileOf, SETTINGS } from './schema.ts';
import type { RawValue } from './setting.ts';

const PREAMBLES: Readonly<Record<ConfigFile, string>> = {
  'althing.toml': `# Configuration of an Althing node. Every key is here with its default; those of [sync] are in sync.toml.
# Precedence: flag > environment (ALTHING_P2P__LISTEN) > this file > default.
# Unknown keys are errors. \`althing config print --effective\` shows what a node would use, and why.
`,
  'sync.toml': `# How an Althing node catches up with its network: config/sync.toml, beside althing.toml. Every key is here with its default.
# Precedence: flag > environment (ALTHING_SYNC__TIER1_MAX_GAP) > this file > default.
# Unknown keys and other sections are errors. docs/operator-guide.md, "Catching up".
`,
};

/** Every key of one file with its unit, note and source; `values` (by path, `p2p.listen`) replace defaults. */
export function renderToml(
  values: ReadonlyMap<string, RawValue> = new Map(),
  file: ConfigFile = 'althing.toml',
): string {
  const sections = [...new Set(SETTINGS.map((entry) => entry.section))].filter(
    (section) => fileOf(section) === file,
  );
  const parts = sections.map((section) => {
    const keys = SETTINGS.filter((entry) => entry.section === section).map(({ key, path, setting }) =>
      [
        `# ${setting.note}`,
        `# Unit: ${setting.unit}. Default: ${tomlValue(setting.default)}. Source: ${setting.source}.`,
        `${key} = ${tomlValue(values.get(path) ?? setting.default)}`,
      ].join('\n'),
    );
    return `[${section}]\n\n${keys.join('\n\n')}\n`;
  });
  return `${PREAMBLES[file]}\n${parts.join('\n')}`;
}

/** A value as TOML; JSON's strings are TOML's basic strings. */
export function tomlValue(value: RawValue): string {
  if (typeof value === 'object') {
    if (value.length < 2) return `[${value.map((entry) => JSON.stringify(entry)).join('')}]`;
    return `[\n${value.map((entry) => `  ${JSON.stringify(entry)},\n`).join('')}]`;
  }
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

/** The configuration in writing: the annotated TOML of `config/default.toml` and of a new home. Pure. */
import { SETTINGS } from './schema.ts';
import type { RawValue } from './setting.ts';

const PREAMBLE = `# Configuration of an Althing node. Every key is here with its default.
# Precedence: flag > environment (ALTHING_P2P__LISTEN) > this file > default.
# Unknown keys are errors. \`althing config print --effective\` shows what a node would use, and why.
`;

/** Every key with its unit, note and source; `values` (by path, \`p2p.listen\`) replace defaults. */
export function renderToml(values: ReadonlyMap<string, RawValue> = new Map()): string {
  const sections = [...new Set(SETTINGS.map((entry) => entry.section))];
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
  return `${PREAMBLE}\n${parts.join('\n')}`;
}

/** A value as TOML; JSON's strings are TOML's basic strings. */
export function tomlValue(value: RawValue): string {
  if (typeof value === 'object') {
    if (value.length < 2) return `[${value.map((entry) => JSON.stringify(entry)).join('')}]`;
    return `[\n${value.map((entry) => `  ${JSON.stringify(entry)},\n`).join('')}]`;
  }
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

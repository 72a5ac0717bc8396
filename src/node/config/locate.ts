/** Where a key stands in a TOML text, for error messages: the parser itself keeps no positions. Pure. */

export interface Position {
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
}

const HEADER = /^\s*\[{1,2}\s*([^\]]*?)\s*\]{1,2}/;
const KEY = /^(\s*)([A-Za-z0-9_.-]+|"[^"]*"|'[^']*')\s*=/;

/** Position of `section.key`, or of the section's header where no key is given; undefined when not found. */
export function locate(toml: string, section: string, key?: string): Position | undefined {
  let current = '';
  for (const [index, line] of toml.split('\n').entries()) {
    const header = HEADER.exec(line)?.[1];
    if (header !== undefined) {
      current = unquoted(header);
      if (key === undefined && (current === section || current.startsWith(`${section}.`))) {
        return { line: index + 1, column: line.indexOf('[') + 1 };
      }
      continue;
    }
    const [, indent = '', name] = KEY.exec(line) ?? [];
    if (name === undefined) continue;
    const path = current === '' ? unquoted(name) : `${current}.${unquoted(name)}`;
    const wanted = key === undefined ? section : `${section}.${key}`;
    if (path === wanted || path.startsWith(`${wanted}.`))
      return { line: index + 1, column: indent.length + 1 };
  }
  return undefined;
}

const unquoted = (name: string): string => name.replaceAll(/["']/g, '');

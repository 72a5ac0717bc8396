/** What commands print: data on stdout, as readable lines or (`--json`) one JSON value; notes on stderr. Boundary. */
import { stripVTControlCharacters } from 'node:util';
import pc from 'picocolors';

export interface Output {
  readonly json: boolean;
  /** The command's answer: `value` with --json, else `lines`. */
  readonly data: (value: unknown, lines: readonly string[]) => void;
  /** Said beside the data, never part of it. */
  readonly note: (line: string) => void;
}

/** The reader of a pipe has seen enough: nothing is wrong. */
const pipeEnded = ({ code }: NodeJS.ErrnoException): void => {
  if (code === 'EPIPE') process.exit(0);
};

export function createOutput(json: boolean): Output {
  // Once, however many outputs there are.
  process.stdout.off('error', pipeEnded).on('error', pipeEnded);
  return {
    json,
    data: (value, lines) => {
      const text = json ? JSON.stringify(value) : lines.join('\n');
      process.stdout.write(`${text}\n`);
    },
    note: (line) => {
      if (!json) process.stderr.write(`${line}\n`);
    },
  };
}

/** `label: value` lines with the values in one column. */
export function fields(entries: readonly (readonly [label: string, value: string])[]): readonly string[] {
  const width = Math.max(...entries.map(([label]) => label.length));
  return entries.map(([label, value]) => `${pc.dim(label.padEnd(width))}  ${value}`);
}

/** Columns as wide as their widest cell; the first row is the head. */
export function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows.map((row, index) => {
    const line = row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
    return index === 0 ? pc.dim(line) : line;
  });
}

/** As `512 B`, `1.5 KiB`, `2.0 MiB`. */
export function bytesText(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`;
  return bytes < 1_048_576 ? `${(bytes / 1_024).toFixed(1)} KiB` : `${(bytes / 1_048_576).toFixed(1)} MiB`;
}

/** At most so many columns; what is too long loses its colours with its end. */
export function clipped(line: string, columns: number): string {
  const visible = stripVTControlCharacters(line);
  return visible.length <= columns ? line : visible.slice(0, Math.max(0, columns));
}

/** Without what steers a terminal: names come from the genesis, and reasons from what peers said. */
export const plainText = (text: string): string => stripVTControlCharacters(text).replaceAll(/\p{Cc}/gu, '');

/** UTF-8 text where it is one, else hexadecimal. */
export function readableBytes(given: Uint8Array): string {
  const bytes = Buffer.from(given.buffer, given.byteOffset, given.byteLength);
  const text = bytes.toString('utf8');
  // Control characters would let stored data steer the reader's terminal.
  const plain = !/\p{Cc}/u.test(text.replaceAll(/[\t\n]/g, ''));
  return plain && Buffer.from(text, 'utf8').equals(bytes) ? text : `0x${bytes.toString('hex')}`;
}

/** Bytes as rows of offset, hexadecimal and letters, as people read dumps. Pure. */

const BYTES_PER_ROW = 12;

export function hexRows(encoded: string): readonly string[] {
  const pairs = encoded.match(/[0-9a-fA-F]{2}/g) ?? [];
  const rows: string[] = [];
  for (let from = 0; from < pairs.length; from += BYTES_PER_ROW) {
    const row = pairs.slice(from, from + BYTES_PER_ROW);
    const letters = row.map((pair) => {
      const code = Number.parseInt(pair, 16);
      return code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : '·';
    });
    const offset = from.toString(16).padStart(4, '0');
    rows.push(`${offset}  ${row.join(' ').padEnd(BYTES_PER_ROW * 3 - 1)}  ${letters.join('')}`);
  }
  return rows;
}

/** Rows that hold blocks, as values: each is checked against its CRC-32 before it is believed. Pure. Rule ST-6, docs/storage.md. */
import { equalBytes, toHex } from '../base/bytes.ts';
import { digestBytes, parseBlockId, parseHeight } from '../protocol/chain/parse.ts';
import type { BlockId, Height, QuorumCertificate } from '../protocol/chain/types.ts';
import type { CommittedBlock } from '../protocol/ports/storage.ts';
import type { HeldBlock } from './ancestry.ts';
import { DamagedData, verifyRow } from './checksum.ts';
import { decodeBlock, decodeCommitted, decodeQc } from './codec.ts';
import { blobOf, integerOf, type Row } from './rows.ts';

export const committedKey = (height: number, idHex: string): string => `committed/${height}/${idHex}`;
export const uncommittedKey = (idHex: string): string => `uncommitted/${idHex}`;
export const certificateKey = (idHex: string): string => `certificate/${idHex}`;

export function committedOf(row: Row): CommittedBlock {
  const height = integerOf(row, 'height');
  const id = blobOf(row, 'id');
  const body = blobOf(row, 'body');
  const where = `committed_blocks, height ${height}`;
  verifyRow(where, committedKey(height, toHex(id)), body, integerOf(row, 'crc'));
  const committed = decodeCommitted(body, where);
  if (committed.block.header.height !== height || !equalBytes(digestBytes(committed.id), id)) {
    throw new DamagedData(`${where}: the row holds block ${committed.id}`);
  }
  return committed;
}

export function uncommittedOf(row: Row): HeldBlock {
  const id = blockIdIn(row, 'id', 'uncommitted_blocks.id');
  const body = blobOf(row, 'body');
  const where = `uncommitted_blocks, ${id}`;
  verifyRow(where, uncommittedKey(id), body, integerOf(row, 'crc'));
  const block = decodeBlock(body, where);
  const qc = certificateOf(row, id, where);
  return { id, block, ...(qc === undefined ? {} : { qc }) };
}

function certificateOf(row: Row, id: BlockId, where: string): QuorumCertificate | undefined {
  if (row['qc'] === null) return undefined;
  const body = blobOf(row, 'qc');
  verifyRow(`${where}, certificate`, certificateKey(id), body, integerOf(row, 'qc_crc'));
  return decodeQc(body, where);
}

export const heightOf = (row: Row, column = 'height'): Height => parsed(parseHeight(row[column]), column);
export const blockIdIn = (row: Row, column: string, where: string): BlockId =>
  parsed(parseBlockId(toHex(blobOf(row, column))), where);

export function parsed<Value>(value: Value | 'malformed', where: string): Value {
  if (value === 'malformed') throw new DamagedData(`${where} is malformed`);
  return value;
}

/**
 * The mark of a side store that is whole: which chain it is, and how far. Without it, what lies there is half done.
 * Boundary: disk. Rule SY-9, docs/protocol/sync.md; ST-10, docs/storage.md.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseBlockId, parseDigest, parseHeight } from '../protocol/chain/parse.ts';
import type { BlockId, ChainDomain, Height } from '../protocol/chain/types.ts';
import { crc32, hex32 } from './checksum.ts';
import { errnoOf } from './device-errors.ts';
import { syncDirectory } from './segments.ts';

const SEAL_FILE = 'sealed.json';

export interface Seal extends ChainDomain {
  /** Of the newest block. */
  readonly height: Height;
  readonly id: BlockId;
}

/** Durable when this returns. */
export function writeSeal(dir: string, { genesisHash, chainId, height, id }: Seal): void {
  const body = JSON.stringify({ genesisHash, chainId, height, id });
  const path = join(dir, SEAL_FILE);
  const file = openSync(`${path}.new`, 'w', 0o600);
  try {
    writeFileSync(file, `${body}\n${hex32(crc32(Buffer.from(body)))}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.new`, path);
  syncDirectory(dir);
}

/** Undefined where there is none, or none that can be read. */
export function readSeal(dir: string): Seal | undefined {
  let text: string;
  try {
    text = readFileSync(join(dir, SEAL_FILE), 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
  const [body = '', crc = ''] = text.split('\n');
  if (crc !== hex32(crc32(Buffer.from(body)))) return undefined;
  return sealOf(body);
}

function sealOf(body: string): Seal | undefined {
  let raw: unknown;
  try {
    raw = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (typeof raw !== 'object' || raw === null) return undefined;
  const { genesisHash, chainId, height, id } = Object.fromEntries<unknown>(Object.entries(raw));
  const parsed = {
    genesisHash: parseDigest(genesisHash),
    height: parseHeight(height),
    id: parseBlockId(id),
  };
  if (parsed.genesisHash === 'malformed' || parsed.height === 'malformed' || parsed.id === 'malformed') {
    return undefined;
  }
  if (typeof chainId !== 'string') return undefined;
  return { genesisHash: parsed.genesisHash, chainId, height: parsed.height, id: parsed.id };
}

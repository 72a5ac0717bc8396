/** Committed blocks as they lie on the disk: one, a run of them, and what they carry of evidence. Boundary: disk. Rules ST-8, ST-11, CS-14, docs/storage.md. */
import { GENESIS_HEIGHT, heightPlus } from '../protocol/chain/ordinals.ts';
import { digestBytes } from '../protocol/chain/parse.ts';
import type { BlockId, Height } from '../protocol/chain/types.ts';
import { type ChainEvidence, type Moment, momentOf } from '../protocol/consensus/evidence-pool.ts';
import type { CommittedBlock } from '../protocol/ports/storage.ts';
import { committedOf, heightOf } from './block-rows.ts';
import { DamagedData } from './checksum.ts';
import { blobOf } from './rows.ts';
import type { Statements } from './statements.ts';

export function readCommittedAt(sql: Statements, height: Height): CommittedBlock | undefined {
  const row = sql.committedAt.get(height);
  return row === undefined ? undefined : committedOf(row);
}

export function readCommittedById(sql: Statements, id: BlockId): CommittedBlock | undefined {
  const row = sql.committedById.get(digestBytes(id));
  return row === undefined ? undefined : committedOf(row);
}

/** Of the lowest block that is held; undefined where none is. */
export function readEarliest(sql: Statements): Height | undefined {
  const row = sql.earliest.get();
  return row === undefined ? undefined : heightOf(row);
}

/** Gapless from `from` on; the first whatever its size, the others within `bytesMax`. @throws DamagedData where one is missing */
export function readCommittedFrom(
  sql: Statements,
  from: Height,
  limit: number,
  bytesMax: number,
): readonly CommittedBlock[] {
  const blocks: CommittedBlock[] = [];
  let bytes = 0;
  for (const row of sql.committedFrom.iterate(from, limit)) {
    bytes += blobOf(row, 'body').byteLength;
    if (blocks.length > 0 && bytes > bytesMax) break;
    const committed = committedOf(row);
    const expected = from + blocks.length;
    // ST-11: the chain that is held may begin above.
    if (committed.block.header.height > expected && blocks.length === 0) break;
    if (committed.block.header.height !== expected && blocks.length > 0) {
      throw new DamagedData(`committed_blocks: height ${expected} is missing`);
    }
    blocks.push(committed);
  }
  return blocks;
}

/** What the newest `heights` carry, and the time of every `stride`th of them (CS-14). @param tip newest height */
export function readChainEvidence(
  sql: Statements,
  tip: Height,
  heights: number,
  stride: number,
): ChainEvidence {
  const base = readEarliest(sql) ?? GENESIS_HEIGHT;
  const newest = readCommittedAt(sql, tip);
  const from = Math.max(base, tip - heights);
  const moments: Moment[] = [];
  for (let height = Math.ceil(from / stride) * stride; height <= tip; height += stride) {
    const found = readCommittedAt(sql, heightPlus(GENESIS_HEIGHT, height));
    if (found !== undefined) moments.push(momentOf(found));
  }
  return {
    base,
    ...(newest === undefined ? {} : { tip: momentOf(newest) }),
    blocks: sql.evidenceFrom.all(from).map(committedOf),
    moments,
  };
}

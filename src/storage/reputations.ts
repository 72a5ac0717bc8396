/**
 * What is kept of peers over restarts, one row a peer; each write takes the place of all before. Boundary: disk.
 * Rules SY-6, SY-9, docs/protocol/sync.md; ST-6, docs/storage.md.
 */
import { toHex } from '../base/bytes.ts';
import { type WallTime, wallTime } from '../base/units.ts';
import { addressBytes, type Malformed, parseAddress } from '../protocol/chain/parse.ts';
import type { Address } from '../protocol/chain/types.ts';
import type { Reputation } from '../protocol/sync/types.ts';
import { DamagedData, rowChecksum, verifyRow } from './checksum.ts';
import { pack, unpack } from './packed.ts';
import { blobOf, integerOf, type Row } from './rows.ts';
import type { Statements } from './statements.ts';

/** Peers that are kept; those after it are not. @unit peers @source SyncStorageRequest, protocol/ports/sync.ts */
export const REPUTATIONS_MAX = 1_024;

/** The newest statement of each peer, by rising address, as many as are kept. */
export function keptReputations(given: readonly Reputation[]): readonly Reputation[] {
  const byPeer = new Map<Address, Reputation>();
  for (const reputation of given.slice(0, REPUTATIONS_MAX)) byPeer.set(reputation.peer, reputation);
  return [...byPeer.values()].sort((left, right) => (left.peer < right.peer ? -1 : 1));
}

/** Inside a transaction. */
export function writeReputations(sql: Statements, given: readonly Reputation[]): void {
  sql.forgetReputations.run();
  for (const { peer, score, at, consistentSince, removedUntil } of keptReputations(given)) {
    const body = pack([score, at, consistentSince, removedUntil ?? null]);
    sql.putReputation.run(addressBytes(peer), body, rowChecksum(reputationKey(peer), body));
  }
}

/** By rising address. @throws DamagedData */
export const readReputations = (sql: Statements): readonly Reputation[] =>
  sql.reputations.all().map(reputationOf);

const reputationKey = (peer: string): string => `reputation/${peer}`;

function reputationOf(row: Row): Reputation {
  const body = blobOf(row, 'body');
  const peer = parseAddress(toHex(blobOf(row, 'peer')));
  if (peer === 'malformed') throw new DamagedData('reputations.peer is malformed');
  const where = `reputations, peer ${peer}`;
  verifyRow(where, reputationKey(peer), body, integerOf(row, 'crc'));
  const fields = unpack(body, where);
  const known = {
    peer,
    score: fields.take(finite),
    at: fields.take(time),
    consistentSince: fields.take(time),
  };
  const removedUntil = fields.take((raw) => (raw === null ? undefined : time(raw)));
  return { ...known, ...(removedUntil === undefined ? {} : { removedUntil }) };
}

const finite = (raw: unknown): number | Malformed =>
  typeof raw === 'number' && Number.isFinite(raw) ? raw : 'malformed';

function time(raw: unknown): WallTime | Malformed {
  const value = finite(raw);
  return value === 'malformed' ? value : wallTime(value);
}

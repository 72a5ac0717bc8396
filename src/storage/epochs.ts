/**
 * How epochs ended and what executed blocks asked for, as rows. Each is checked against its CRC-32 before it is believed (ST-6).
 * Boundary: disk. Rules CS-16, docs/protocol/consensus.md; ST-12, docs/storage.md.
 */
import { genesisCertificate } from '../protocol/chain/canonical.ts';
import { FIRST_EPOCH, previousEpoch } from '../protocol/chain/ordinals.ts';
import { type Malformed, parseDigest, parseEpoch } from '../protocol/chain/parse.ts';
import type { Epoch, EpochChange, EpochDescriptor, Height } from '../protocol/chain/types.ts';
import { rootCertificate } from '../protocol/consensus/epoch.ts';
import { emptyRecord } from '../protocol/consensus/safety.ts';
import type { EpochStanding } from '../protocol/consensus/standing.ts';
import type { SafetyRecord } from '../protocol/consensus/types.ts';
import { encodeEpochProof, parseEpochProof } from '../protocol/light/encoding.ts';
import type { ValidatorUpdate } from '../protocol/ports/application.ts';
import type { UpdatesAt } from '../protocol/ports/storage.ts';
import { heightOf } from './block-rows.ts';
import { DamagedData, rowChecksum, verifyRow } from './checksum.ts';
import { decodeQc, encodeQc } from './codec.ts';
import { type Fields, pack, unpack } from './packed.ts';
import { blobOf, integerOf, type Row } from './rows.ts';
import type { Statements } from './statements.ts';
import type { StoreIdentity } from './store.ts';

/** Epochs of one answer, whatever is asked. @unit epochs @source chosen: 64 of 4 validators are 60 KiB */
export const EPOCHS_MAX = 64;

/** What a validator has signed before it ever signed: nothing. */
export const genesisRecord = (identity: StoreIdentity): SafetyRecord =>
  emptyRecord(genesisCertificate(identity, FIRST_EPOCH));

/** The record of a validator that has signed nothing in the epoch to which the change leads. */
export function recordAfter({ qc: { height, blockId: id, parentId }, proof }: EpochChange): SafetyRecord {
  return emptyRecord(rootCertificate(proof.next.epoch, { height, id, parentId }));
}

/** Inside a transaction. */
export function writeChange(sql: Statements, change: EpochChange): void {
  const { epoch } = change.qc;
  const body = pack([encodeQc(change.qc), encodeEpochProof(change.proof)]);
  sql.putEpoch.run(epoch, body, rowChecksum(epochKey(epoch), body));
}

/** By rising epoch. @throws DamagedData */
export const readChanges = (sql: Statements, from: Epoch, limit: number): readonly EpochChange[] =>
  sql.epochs.all(from, Math.min(limit, EPOCHS_MAX)).map(changeOf);

/** How the epoch before the present one ended. @throws DamagedData */
export function readNewestChange(sql: Statements): EpochChange | undefined {
  const row = sql.newestEpoch.get();
  return row === undefined ? undefined : changeOf(row);
}

/** The epoch that a stored change ended; the first is no row's. @throws DamagedData */
export function readEpochEndedBy(
  sql: Statements,
  { qc: { epoch } }: EpochChange,
): EpochDescriptor | undefined {
  const before = previousEpoch(epoch);
  const [row] = before === undefined ? [] : sql.epochs.all(before, 1);
  const next = row === undefined ? undefined : changeOf(row).proof.next;
  return next?.epoch === epoch ? next : undefined;
}

/** Inside a transaction. */
export function writeUpdates(sql: Statements, { height, updates }: UpdatesAt): void {
  const body = pack(
    updates.map(({ nodeKey, consensusKey, possessionProof, power }) => [
      nodeKey,
      consensusKey,
      possessionProof,
      power,
    ]),
  );
  sql.putUpdates.run(height, body, rowChecksum(updatesKey(height), body));
}

/** By rising height. @throws DamagedData */
export const readUpdates = (sql: Statements): readonly UpdatesAt[] => sql.updates.all().map(updatesOf);

/** Inside a transaction. @param height of the newest block that counts in it */
export function writeStanding(
  sql: Statements,
  height: Height,
  { epoch, seed, led, failed }: EpochStanding,
): void {
  const body = pack([epoch, seed, led, failed]);
  sql.putStanding.run(height, body, rowChecksum(standingKey(height), body));
}

/** As of this height; undefined where none was kept with it. @throws DamagedData */
export function readStanding(sql: Statements, at: Height): EpochStanding | undefined {
  const row = sql.standing.get();
  if (row === undefined || heightOf(row) !== at) return undefined;
  const body = blobOf(row, 'body');
  verifyRow('standing', standingKey(at), body, integerOf(row, 'crc'));
  const fields = unpack(body, 'standing');
  const epoch = fields.take(parseEpoch);
  const seed = fields.take(parseDigest);
  return { epoch, seed, led: fields.take(counts), failed: fields.take(counts) };
}

const counts = (raw: unknown): readonly number[] | Malformed =>
  Array.isArray(raw) && raw.every((one) => Number.isSafeInteger(one) && one >= 0) ? raw : 'malformed';

const standingKey = (height: number): string => `standing/${height}`;
const epochKey = (epoch: number): string => `epoch/${epoch}`;
const updatesKey = (height: number): string => `validator-updates/${height}`;

function changeOf(row: Row): EpochChange {
  const epoch = integerOf(row, 'epoch');
  const body = blobOf(row, 'body');
  const where = `epochs, epoch ${epoch}`;
  verifyRow(where, epochKey(epoch), body, integerOf(row, 'crc'));
  const fields = unpack(body, where);
  const qc = decodeQc(fields.bytes(), where);
  const proof = parseEpochProof(fields.bytes());
  if (proof === 'malformed' || qc.epoch !== epoch) throw new DamagedData(`${where} is malformed`);
  return { qc, proof };
}

function updatesOf(row: Row): UpdatesAt {
  const height: Height = heightOf(row);
  const body = blobOf(row, 'body');
  const where = `validator_updates, height ${height}`;
  verifyRow(where, updatesKey(height), body, integerOf(row, 'crc'));
  return { height, updates: unpack(body, where).all(readUpdate) };
}

const readUpdate = (fields: Fields): ValidatorUpdate => ({
  nodeKey: fields.bytes(),
  consensusKey: fields.bytes(),
  possessionProof: fields.bytes(),
  power: fields.take(power),
});

const power = (raw: unknown): bigint | Malformed =>
  typeof raw === 'bigint'
    ? raw
    : typeof raw === 'number' && Number.isSafeInteger(raw)
      ? BigInt(raw)
      : 'malformed';

/**
 * A second, small statement of how far the safety record has come, beside the consensus key and not beside the database:
 * who loses the one keeps the other. It is written after the record is durable and never synced, so it is never ahead of
 * what was acknowledged: a database that is behind it was lost, cut, or is an old copy, and must not sign (ST-7). Boundary: disk.
 */
import {
  closeSync,
  constants,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Digest } from '../protocol/chain/types.ts';
import { crc32, hex32 } from './checksum.ts';
import { errnoOf } from './device-errors.ts';
import { syncDirectory } from './segments.ts';

export const WITNESS_FILE = 'record.witness';
const LINE = /^([0-9a-f]{64}) version +(\d+) crc ([0-9a-f]{8})\n$/;
/** Of a home made before the witness stood with the key: one chain, in `data/`. */
const FORMER = /^version +(\d+) crc ([0-9a-f]{8})\n$/;
/** The widest version has 16 digits: every line has the same length, written in one call. @unit letters */
const VERSION_WIDTH = 16;
/** A genesis hash, the words, a version, a checksum. @unit bytes */
const LINE_BYTES = 64 + ' version '.length + VERSION_WIDTH + ' crc '.length + 8 + 1;

/** Where a home's witness is, and where it was. */
export interface WitnessPlace {
  /** The folder of the consensus key. */
  readonly dir: string;
  /** The folder of the store. */
  readonly former: string;
}

/** The version last witnessed, 0 for none; `torn` when something is there that a power loss has left unreadable. */
export type Witnessed = number | 'torn';

export class Witness {
  readonly #file: number;
  readonly #chain: Digest;
  readonly #offset: number;

  /** One key may have signed on several chains: each has its line. */
  constructor(dir: string, chain: Digest) {
    const slots = slotsIn(dir);
    const own = slots.findIndex((line) => line.startsWith(chain));
    this.#offset = (own === -1 ? slots.length : own) * LINE_BYTES;
    this.#chain = chain;
    this.#file = openSync(join(dir, WITNESS_FILE), constants.O_RDWR | constants.O_CREAT, 0o600);
    syncDirectory(dir);
  }

  /** Call after the record of this version became durable. */
  write(version: number): void {
    writeSync(this.#file, lineOf(this.#chain, version), this.#offset);
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** What is witnessed of a chain; of the chain furthest ahead when it is not known which it is. */
export function readWitness({ dir, former }: WitnessPlace, chain?: Digest): Witnessed {
  const before = formerVersion(former) ?? 0;
  const slots = formerVersion(dir) === undefined ? slotsIn(dir) : [];
  let [found, torn] = [before, false];
  for (const slot of slots) {
    const [, of, version] = LINE.exec(slot) ?? [];
    if (of === undefined || slot !== lineOf(of, Number(version))) torn = true;
    else if (chain === undefined || of === chain) found = Math.max(found, Number(version));
  }
  return found === 0 && torn ? 'torn' : found;
}

/** Moves a former witness to the key; durable there before it is gone here. The store must be that of `chain`. */
export function adoptFormerWitness(place: WitnessPlace, chain: Digest): void {
  const former = formerVersion(place.former);
  if (former === undefined) return;
  const others =
    place.dir === place.former ? [] : slotsIn(place.dir).filter((slot) => !slot.startsWith(chain));
  const known = readWitness(place, chain);
  const lines = [lineOf(chain, known === 'torn' ? former : known), ...others];
  const path = join(place.dir, WITNESS_FILE);
  const file = openSync(`${path}.new`, 'w', 0o600);
  try {
    writeFileSync(file, lines.join(''));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.new`, path);
  syncDirectory(place.dir);
  if (place.dir !== place.former) rmSync(join(place.former, WITNESS_FILE), { force: true });
}

/** Of every chain. */
export function removeWitness({ dir, former }: WitnessPlace): void {
  for (const folder of [dir, former]) rmSync(join(folder, WITNESS_FILE), { force: true });
}

function lineOf(chain: string, version: number): string {
  const body = `${chain} version ${String(version).padStart(VERSION_WIDTH)}`;
  return `${body} crc ${hex32(crc32(Buffer.from(body)))}\n`;
}

/** The file in pieces of a line's length, whatever is in them. */
function slotsIn(dir: string): readonly string[] {
  const text = textIn(dir);
  const count = Math.ceil(text.length / LINE_BYTES);
  return Array.from({ length: count }, (_, index) =>
    text.slice(index * LINE_BYTES, (index + 1) * LINE_BYTES),
  );
}

function formerVersion(dir: string): number | undefined {
  const [, version, crc] = FORMER.exec(textIn(dir)) ?? [];
  if (version === undefined || crc === undefined) return undefined;
  const body = `version ${version.padStart(VERSION_WIDTH)}`;
  return crc === hex32(crc32(Buffer.from(body))) ? Number(version) : undefined;
}

function textIn(dir: string): string {
  try {
    return readFileSync(join(dir, WITNESS_FILE), 'latin1');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return '';
    throw error;
  }
}

/**
 * A second, small statement of how far the safety record has come, beside the database. It is written after the record
 * is durable and never synced, so it is never ahead of what was acknowledged: a database that is behind it was cut,
 * or is an old copy, and must not sign (ST-7). Boundary: disk.
 */
import { closeSync, constants, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { crc32, hex32 } from './checksum.ts';
import { errnoOf } from './device-errors.ts';

const WITNESS_FILE = 'record.witness';
const FORM = /^version +(\d+) crc ([0-9a-f]{8})\n$/;
/** The widest version has 16 digits: every line has the same length, written in one call. @unit letters */
const VERSION_WIDTH = 16;

export class Witness {
  readonly #file: number;

  constructor(dir: string) {
    this.#file = openSync(join(dir, WITNESS_FILE), constants.O_RDWR | constants.O_CREAT, 0o600);
  }

  /** Call after the record of this version became durable. */
  write(version: number): void {
    const body = `version ${String(version).padStart(VERSION_WIDTH)}`;
    writeSync(this.#file, `${body} crc ${hex32(crc32(Buffer.from(body)))}\n`, 0);
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** The version last witnessed; undefined when there is no file, or a power loss tore it. */
export function readWitness(dir: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(join(dir, WITNESS_FILE), 'latin1');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  const [, version, crc] = FORM.exec(text) ?? [];
  if (version === undefined || crc === undefined) return undefined;
  const body = `version ${version.padStart(VERSION_WIDTH)}`;
  return crc === hex32(crc32(Buffer.from(body))) ? Number(version) : undefined;
}

export function removeWitness(dir: string): void {
  rmSync(join(dir, WITNESS_FILE), { force: true });
}

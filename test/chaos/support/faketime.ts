/**
 * Gives a validator a wall clock of its own, which can be changed while it runs; timers stay true. Debian: `libfaketime`.
 * Boundary: a preloaded library, a file for each clock. Source: libfaketime's README.
 */
import { existsSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Launch } from '../../cluster/support/validators.ts';

const LIBRARY = 'faketime/libfaketimeMT.so.1';

/** How often a process looks at its file. @unit s @source the least that libfaketime offers beside every call */
const CACHE_S = '1';
export const CLOCK_LOOKED_AT_MS = 1_000 * Number(CACHE_S);

/** Offset in seconds and rate: `+10 x1`, `+0 x1.05`. Without a rate the last one would stay in force. */
export type ClockError = `${'+' | '-'}${number} x${number}`;
export const TRUE_CLOCK: ClockError = '+0 x1';

/** @throws when libfaketime is not installed: a fault that cannot be made is a failure, not a test less */
export function requireFaketime(): string {
  const [found] = readdirSync('/usr/lib')
    .map((folder) => join('/usr/lib', folder, LIBRARY))
    .filter((path) => existsSync(path));
  if (found === undefined)
    throw new Error(`/usr/lib/*/${LIBRARY} missing: apt-get install libfaketime, then again`);
  return found;
}

export function clockLaunch(directory: string, index: number, library: string): Launch {
  return {
    env: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: clockFile(directory, index),
      FAKETIME_CACHE_DURATION: CACHE_S,
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    },
  };
}

/** In force within CLOCK_LOOKED_AT_MS. */
export function setClock(directory: string, index: number, error: ClockError): void {
  const path = clockFile(directory, index);
  writeFileSync(`${path}.new`, `${error}\n`);
  renameSync(`${path}.new`, path);
}

const clockFile = (directory: string, index: number): string => join(directory, `clock-${index}`);

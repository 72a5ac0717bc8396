/**
 * Where the segments of a journal lie: a folder for each run, in it numbered files; which are there, and which are too many. Boundary: disk.
 * Rule RP-2, docs/journal.md.
 */
import { readdirSync, statSync } from 'node:fs';
import { readdir, rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

const SEGMENT = /^(\d{6,})\.journal$/;

export const segmentPath = (dir: string, run: string, segment: number): string =>
  join(dir, run, `${String(segment).padStart(6, '0')}.journal`);

export interface SegmentInfo {
  readonly path: string;
  readonly number: number;
  /** @unit bytes */
  readonly bytes: number;
}

/** The segments of one run, in order. Empty for a folder that holds none. */
export function segmentsOf(runDir: string): readonly SegmentInfo[] {
  return readdirSync(runDir)
    .flatMap((name): SegmentInfo[] => {
      const number = SEGMENT.exec(name)?.[1];
      const path = join(runDir, name);
      return number === undefined ? [] : [{ path, number: Number(number), bytes: statSync(path).size }];
    })
    .sort((left, right) => left.number - right.number);
}

/** Folders below `dir`, and `dir` itself, that hold segments; by name, which begins with the time. At most two levels down. */
export function runsIn(dir: string, depth = 3): readonly string[] {
  const names = readdirSync(dir, { withFileTypes: true });
  const own = names.some(({ name }) => SEGMENT.test(name)) ? [dir] : [];
  if (depth === 0) return own;
  const below = names
    .filter((entry) => entry.isDirectory())
    .sort((left, right) => (left.name < right.name ? -1 : 1))
    .flatMap((entry) => runsIn(join(dir, entry.name), depth - 1));
  return [...own, ...below];
}

export interface Retention {
  /** @unit bytes */
  readonly bytesMax: number;
  /** @unit ms */
  readonly ageMax: number;
}

/** Deletes the oldest segments until the folder keeps to its bounds; never the one that is being written. */
export async function deleteOldSegments(
  dir: string,
  { bytesMax, ageMax }: Retention,
  run: string,
  segment: number,
): Promise<{ readonly segments: number; readonly bytes: number }> {
  const present = segmentPath(dir, run, segment);
  const found: { path: string; folder: string; bytes: number; changed: number }[] = [];
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const folder = join(dir, entry.name);
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      if (!SEGMENT.test(name) || path === present) continue;
      const { size, mtimeMs } = await stat(path);
      found.push({ path, folder, bytes: size, changed: mtimeMs });
    }
  }
  found.sort((left, right) => left.changed - right.changed || (left.path < right.path ? -1 : 1));
  let kept = found.reduce((sum, { bytes }) => sum + bytes, 0);
  const deleted = { segments: 0, bytes: 0 };
  for (const { path, folder, bytes, changed } of found) {
    if (kept <= bytesMax && Date.now() - changed <= ageMax) break;
    await rm(path, { force: true });
    await rmdir(folder).catch(() => undefined);
    kept -= bytes;
    deleted.segments += 1;
    deleted.bytes += bytes;
  }
  return deleted;
}

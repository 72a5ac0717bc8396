/**
 * Where the segments of a journal lie: a folder for each run, in it numbered files; which are there, and which are too many. Boundary: disk.
 * Rule RP-2, docs/journal.md.
 */
import { type Dirent, readdirSync, statSync } from 'node:fs';
import { readdir, rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** As `segmentPath` writes them. */
const SEGMENT = /^(\d{6}|[1-9]\d{6,14})\.journal$/;

export const segmentPath = (dir: string, run: string, segment: number): string =>
  join(dir, run, `${String(segment).padStart(6, '0')}.journal`);

export interface SegmentInfo {
  readonly path: string;
  readonly number: number;
}

/** The segments of one run, in order. Empty for a folder that holds none. */
export function segmentsOf(runDir: string): readonly SegmentInfo[] {
  return readdirSync(runDir)
    .flatMap((name): SegmentInfo[] => {
      const number = SEGMENT.exec(name)?.[1];
      return number === undefined ? [] : [{ path: join(runDir, name), number: Number(number) }];
    })
    .sort((left, right) => left.number - right.number);
}

/**
 * Folders below `dir`, and `dir` itself, that hold segments; by name, which begins with the time. At most three levels down: the data of a
 * network, a home, its journal, a run.
 */
export function runsIn(dir: string): readonly string[] {
  return runsBelow(dir, readdirSync(dir, { withFileTypes: true }), DEPTH);
}

/** @unit folders @source data, home, journal, run */
const DEPTH = 3;

function runsBelow(dir: string, names: readonly Dirent[], depth: number): readonly string[] {
  const own = names.some(({ name }) => SEGMENT.test(name)) ? [dir] : [];
  if (depth === 0) return own;
  const below = names
    .filter((entry) => isFolder(dir, entry))
    .sort((left, right) => (left.name < right.name ? -1 : 1))
    .flatMap(({ name }) => runsBelow(join(dir, name), namesIn(join(dir, name)), depth - 1));
  return [...own, ...below];
}

/** A link to one, too: a journal may lie on a disk of its own. One that leads in a circle, or where nobody may look, is none. */
function isFolder(dir: string, entry: Dirent): boolean {
  if (!entry.isSymbolicLink()) return entry.isDirectory();
  try {
    return statSync(join(dir, entry.name)).isDirectory();
  } catch {
    return false;
  }
}

/** Of a folder that may not be read, as `lost+found` on a disk of its own, and of one that is gone: nothing. */
function namesIn(dir: string): readonly Dirent[] {
  try {
    return readdirSync(dir, { withFileTypes: true });
  } catch {
    return [];
  }
}

export interface Retention {
  /** @unit bytes */
  readonly bytesMax: number;
  /** What the segment that is being written may come to take. @unit bytes */
  readonly segmentBytes: number;
  /** @unit ms */
  readonly ageMax: number;
}

interface Candidate {
  readonly path: string;
  readonly folder: string;
  readonly bytes: number;
  readonly changed: number;
}

/** Deletes the oldest segments until the folder keeps to its bounds; never the one that is being written, nor one after it. */
export async function deleteOldSegments(
  dir: string,
  { bytesMax, segmentBytes, ageMax }: Retention,
  run: string,
  segment: number,
): Promise<{ readonly segments: number; readonly bytes: number }> {
  const found: Candidate[] = [];
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    if (entry.isDirectory())
      found.push(...(await segmentsIn(join(dir, entry.name), entry.name === run ? segment : undefined)));
  }
  found.sort((left, right) => left.changed - right.changed || (left.path < right.path ? -1 : 1));
  let kept = found.reduce((sum, { bytes }) => sum + bytes, 0);
  const deleted = { segments: 0, bytes: 0 };
  for (const { path, folder, bytes, changed } of found) {
    if (kept + segmentBytes <= bytesMax && Date.now() - changed <= ageMax) break;
    await rm(path, { force: true });
    await rmdir(folder).catch(() => undefined);
    kept -= bytes;
    deleted.segments += 1;
    deleted.bytes += bytes;
  }
  return deleted;
}

/** @param present number of the one that is being written, where it is in this folder */
async function segmentsIn(folder: string, present: number | undefined): Promise<readonly Candidate[]> {
  const found: Candidate[] = [];
  // One that the node may not read is none of its own: `lost+found`, on a disk of its own.
  for (const name of await readdir(folder).catch(() => [])) {
    const number = SEGMENT.exec(name)?.[1];
    if (number === undefined || (present !== undefined && Number(number) >= present)) continue;
    const path = join(folder, name);
    const info = await stat(path).catch(unlessGone(undefined));
    if (info !== undefined) found.push({ path, folder, bytes: info.size, changed: info.mtimeMs });
  }
  return found;
}

/** Somebody else deleted it meanwhile: that is what was wanted. */
const unlessGone =
  <Instead>(instead: Instead) =>
  (error: unknown): Instead => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return instead;
    throw error;
  };

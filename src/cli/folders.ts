/** Folders that the user has named: made, or required to be there. Boundary: the disk. */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { messageOf, usageFailure } from './failure.ts';

/**
 * `path` and what is missing above it. One by one, and not by `recursive`: that one tries for ever where a file system
 * lets nobody make anything (/proc). `named` is what the user called it.
 */
export function makeFolder(path: string, named = path): void {
  if (existsSync(path)) return;
  const parent = dirname(path);
  if (parent !== path) makeFolder(parent);
  try {
    mkdirSync(path);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') return;
    throw usageFailure(`the directory ${named} cannot be made (${messageOf(cause)}): choose another`);
  }
}

/** @throws a usage failure where there is no such home */
export function requireHome(home: string): void {
  if (!existsSync(home)) throw usageFailure(`--home ${home}: there is no such directory`);
}

/** The home whose files a command works on. @param command as it was typed. @throws a usage failure */
export function stoppedHome(home: string | undefined, command: string): string {
  if (home === undefined)
    throw usageFailure(`${command} works on the files of a stopped node: give --home DIR`);
  requireHome(home);
  return home;
}

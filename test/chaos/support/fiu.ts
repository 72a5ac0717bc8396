/**
 * Makes system calls of a running validator fail: libfiu's preload library, told what to do through its named pipes.
 * Debian: `libfiu0`. Boundary. Source: fiu-ctrl(1), fiu-run(1), libfiu's fiu-rc.c.
 */
import { closeSync, constants, existsSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Launch } from '../../cluster/support/validators.ts';

const LIBRARIES = ['/usr/lib/fiu/fiu_run_preload.so', '/usr/lib/fiu/fiu_posix_preload.so'] as const;

/** @source errno(3), Linux */
export const ERRNO = { EIO: 5, ENOSPC: 28 } as const;
export type Errno = keyof typeof ERRNO;

/** Calls of the C library that SQLite and Node make for files only: a failing write(2) would hit sockets too. */
export type FailurePoint =
  | 'posix/io/rw/pwrite'
  | 'posix/io/rw/pwrite/reduce'
  | 'posix/io/rw/pread'
  | 'posix/io/sync/fsync'
  | 'posix/io/sync/fdatasync';

/** Longest wait for the process's answer. @unit ms */
const ANSWER_MS_MAX = 5_000;

/** @throws when libfiu is not installed: a fault that cannot be made is a failure, not a test less */
export function requireFiu(): void {
  const missing = LIBRARIES.filter((path) => !existsSync(path));
  if (missing.length > 0) {
    throw new Error(`${missing.join(', ')} missing: apt-get install libfiu0, then again`);
  }
}

/** Starts a validator under libfiu; `commands` are in force from its first moment. */
export function fiuLaunch(directory: string, commands: readonly string[] = []): Launch {
  return {
    env: {
      LD_PRELOAD: LIBRARIES.join(' '),
      FIU_CTRL_FIFO: prefixIn(directory),
      ...(commands.length > 0 ? { FIU_ENABLE: commands.join('\n') } : {}),
    },
  };
}

const prefixIn = (directory: string): string => join(directory, 'fiu');

/** Fails the next call, or all, or some, until told otherwise. */
export function failing(point: FailurePoint, errno: Errno, how: 'once' | 'always' | number): string {
  const what = `name=${point},failinfo=${ERRNO[errno]}`;
  if (how === 'once') return `enable ${what},onetime`;
  return how === 'always' ? `enable ${what}` : `enable_random ${what},probability=${how}`;
}

export const healed = (point: FailurePoint): string => `disable name=${point}`;

/** Tells a process of `directory`; false when it has ended, or ended meanwhile. */
export async function tellFiu(directory: string, pid: number, command: string): Promise<boolean> {
  const path = `${prefixIn(directory)}-${pid}`;
  const until = Date.now() + ANSWER_MS_MAX;
  // Neither end blocks: a process that is gone reads no pipe.
  const answers = opened(`${path}.out`, constants.O_RDONLY | constants.O_NONBLOCK);
  if (answers === undefined) return false;
  try {
    const commands = opened(`${path}.in`, constants.O_WRONLY | constants.O_NONBLOCK);
    if (commands === undefined) return false;
    try {
      writeSync(commands, `${command}\n`);
      for (; Date.now() < until; await sleep(2)) {
        const answer = readable(answers);
        if (answer === undefined || answer === '') continue;
        if (answer.trim() !== '0') throw new Error(`libfiu answered "${answer.trim()}" to: ${command}`);
        return true;
      }
      return false;
    } finally {
      closeSync(commands);
    }
  } finally {
    closeSync(answers);
  }
}

function opened(path: string, flags: number): number | undefined {
  try {
    return openSync(path, flags);
  } catch {
    return undefined;
  }
}

/** Undefined while there is nothing. */
function readable(file: number): string | undefined {
  const bytes = Buffer.alloc(64);
  try {
    return bytes.toString('latin1', 0, readSync(file, bytes));
  } catch {
    return undefined;
  }
}

/**
 * A small file system for one validator's data: a tmpfs in a mount namespace of its own, which a sleeping process holds
 * over the validator's lives. Boundary: needs `unshare` and `nsenter` (util-linux), and a kernel that lets them.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../../../src/storage/device-errors.ts';
import type { Launch } from '../../cluster/support/validators.ts';

/** Of util-linux, as `nsenter`. */
const UNSHARE = 'unshare';
const BALLAST = 'ballast';
const PIECE = Buffer.alloc(4_096, 0xa5);
const MOUNT = 'mount -t tmpfs -o size="$2" tmpfs "$1" && echo mounted && exec sleep infinity';

/** As a user of one's own namespace; as root, where that is forbidden. */
const WAYS = [
  { unshare: ['-Urm'], nsenter: ['-U', '-m', '--preserve-credentials'] },
  { unshare: ['-m'], nsenter: ['-m'] },
] as const;

export class SmallDisk {
  readonly #holder: ChildProcess;
  readonly #pid: number;
  readonly #enter: readonly string[];
  readonly #mountPoint: string;

  private constructor(holder: ChildProcess, pid: number, enter: readonly string[], mountPoint: string) {
    this.#holder = holder;
    this.#pid = pid;
    this.#enter = enter;
    this.#mountPoint = mountPoint;
  }

  /** Mounts over an empty folder. @throws why not: what the kernel said to each way */
  static async mount(mountPoint: string, bytes: number): Promise<SmallDisk> {
    const refusals: string[] = [];
    for (const { unshare, nsenter } of WAYS) {
      const holder = spawn(UNSHARE, [...unshare, 'sh', '-c', MOUNT, 'sh', mountPoint, String(bytes)], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const refusal = await answerOf(holder);
      if (refusal === undefined && holder.pid !== undefined) {
        return new SmallDisk(holder, holder.pid, nsenter, mountPoint);
      }
      refusals.push(`unshare ${unshare.join(' ')}: ${refusal}`);
    }
    throw new Error(`no file system of one's own can be mounted here: ${refusals.join('; ')}`);
  }

  /** How a process sees the disk. */
  launch(): Launch {
    return { wrapper: ['nsenter', '-t', String(this.#pid), ...this.#enter, '--'] };
  }

  /** A path under the mount point, or above it, as this process sees it. */
  seen(path: string): string {
    return `/proc/${this.#pid}/root${path}`;
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.seen(this.#mountPoint));
    return bavail * bsize;
  }

  /** Takes all space but so many bytes; the validator may be faster. */
  fill(leaveBytes: number): void {
    const file = openSync(this.seen(join(this.#mountPoint, BALLAST)), 'a');
    try {
      while (this.freeBytes >= leaveBytes + PIECE.byteLength) writeSync(file, PIECE);
    } catch (error) {
      if (errnoOf(error) !== 'ENOSPC') throw error;
    } finally {
      closeSync(file);
    }
  }

  makeRoom(): void {
    rmSync(this.seen(join(this.#mountPoint, BALLAST)), { force: true });
  }

  /** The last of its processes takes the file system with it. */
  unmount(): void {
    this.#holder.kill('SIGKILL');
  }
}

/** Undefined when it is mounted; else what was said. */
function answerOf(holder: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve) => {
    let said = '';
    holder.stdout?.on('data', () => resolve(undefined));
    holder.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    holder.once('error', (error) => resolve(error.message));
    holder.once('close', (code) => resolve(said.trim() || `it ended with ${code}`));
  });
}

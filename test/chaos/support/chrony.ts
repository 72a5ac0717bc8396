/**
 * Real NTP servers on loopback: Debian's chrony, unpacked and never installed, since the package's daemon would set this
 * machine's clock; ours leave it alone (`-x`). Boundary: apt-get, processes. Source: chrony.conf(5), chronyd(8).
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { requireFaketime } from './faketime.ts';

export interface ChronyOptions {
  /** How wrong its clock is, in libfaketime's words: `+5s`. Needs libfaketime. */
  readonly offset?: `${'+' | '-'}${number}s`;
  /** It takes this machine's clock as its reference; false: it is not synchronised, and says so. Default true. */
  readonly local?: boolean;
  /** After 4 questions at once it lets most of them go unanswered. */
  readonly ratelimit?: boolean;
}

export interface ChronyServer {
  /** `127.0.0.1:port` */
  readonly server: string;
  stop(): Promise<void>;
}

/** From its start until it listens. @unit ms @source measured: 0.1 s; slow machines */
const START_MS_MAX = 10_000;

/** Starts a server on a free port and waits until it listens. @throws when chrony is missing and cannot be fetched */
export async function chronyServer(options: ChronyOptions = {}): Promise<ChronyServer> {
  const program = requireChrony();
  const directory = mkdtempSync(join(tmpdir(), 'althing-chrony-run-'));
  // Started by root, it goes on as the user `nobody`, who removes the pid file at the end.
  chmodSync(directory, 0o777);
  const port = await freePort();
  const daemon = spawn(program, ['-d', '-x', '-U', '-u', 'nobody', ...directives(options, port, directory)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: options.offset === undefined ? process.env : wrongClock(options.offset),
  });
  const stop = stopper(daemon, directory);
  let said = '';
  for (const stream of [daemon.stdout, daemon.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
  }
  daemon.on('error', (error) => {
    said += error.message;
  });
  const end = performance.now() + START_MS_MAX;
  while (!isBound(port)) {
    if (daemon.exitCode !== null || daemon.pid === undefined || performance.now() > end) {
      await stop();
      throw new Error(`${program} does not listen on UDP port ${port}: ${said}`);
    }
    await sleep(10);
  }
  return { server: `127.0.0.1:${port}`, stop };
}

function directives(
  { local = true, ratelimit = false }: ChronyOptions,
  port: number,
  directory: string,
): readonly string[] {
  return [
    `port ${port}`,
    'bindaddress 127.0.0.1',
    'allow 127.0.0.1',
    ...(local ? ['local stratum 1'] : []),
    ...(ratelimit ? ['ratelimit interval 3 burst 4 leak 4'] : []),
    'cmdport 0',
    'bindcmdaddress /',
    `pidfile ${join(directory, 'pid')}`,
  ];
}

const wrongClock = (offset: string): NodeJS.ProcessEnv => ({
  ...process.env,
  LD_PRELOAD: requireFaketime(),
  FAKETIME: offset,
});

/** Its end is awaited; a test process that just exits takes it along. */
function stopper(daemon: ChildProcess, directory: string): () => Promise<void> {
  const kill = (): void => void daemon.kill('SIGKILL');
  const ended = new Promise<void>((resolve) => {
    daemon.once('exit', () => resolve());
    daemon.once('error', () => resolve());
  });
  process.once('exit', kill);
  return async () => {
    kill();
    await ended;
    process.off('exit', kill);
    rmSync(directory, { recursive: true, force: true });
  };
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}

/** Without asking it, which would count against its rate limit. Source: proc(5), /proc/net/udp. */
function isBound(port: number): boolean {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return readFileSync('/proc/net/udp', 'latin1').includes(` ${local} `);
}

const userId = process.getuid?.() ?? 0;
/** Where it is unpacked, once for all runs of one user. */
const CACHE = join(tmpdir(), `althing-chrony-${userId}`);
const DAEMON = 'usr/sbin/chronyd';

/** The path of chronyd. @throws when it cannot be had: a server that cannot be asked is a failure, not a test less */
export function requireChrony(): string {
  const program = join(CACHE, DAEMON);
  if (!existsSync(program)) unpack();
  if (lstatSync(CACHE).uid !== userId) throw new Error(`${CACHE} is another user's: remove it`);
  const missing = missingLibraries(program);
  if (missing.length > 0) {
    throw new Error(
      `${program} needs ${missing.join(', ')}: apt-get install ${LIBRARY_PACKAGES}, then again`,
    );
  }
  return program;
}

const LIBRARY_PACKAGES = 'libcap2 libgnutls30 libnettle8 libseccomp2';

function missingLibraries(program: string): readonly string[] {
  const lines = run('ldd', [program]).split('\n');
  return lines.filter((line) => line.includes('not found')).map((line) => line.trim());
}

function unpack(): void {
  const scratch = mkdtempSync(join(tmpdir(), 'althing-chrony-get-'));
  try {
    download(scratch);
    const archive = readdirSync(scratch).find((name) => name.endsWith('.deb'));
    if (archive === undefined) throw new Error('apt-get download chrony left no .deb');
    const root = join(scratch, 'root');
    run('dpkg-deb', ['-x', join(scratch, archive), root]);
    // In one step, so that a test beside this one finds all of it or nothing.
    if (!existsSync(join(CACHE, DAEMON))) renameSync(root, CACHE);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function download(cwd: string): void {
  const apt = (...words: readonly string[]): string => run('apt-get', ['-qq', ...words], cwd);
  try {
    apt('download', 'chrony');
  } catch {
    // The lists are missing or old.
    try {
      apt('update');
      apt('download', 'chrony');
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`chrony missing: apt-get update && apt-get download chrony, then again\n${why}`);
    }
  }
}

/** What a program of the system prints. @throws what it says on stderr */
const run = (program: string, words: readonly string[], cwd?: string): string =>
  execFileSync(program, words, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

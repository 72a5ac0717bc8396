/** The validators that a benchmark measures: processes of their own with homes in a temporary directory. Boundary. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type CommandFailure, runtimeFailure } from '../failure.ts';
import { openLocalHomes } from '../local-network/homes.ts';
import { requireFreePorts } from '../local-network/ports.ts';
import { type LaunchOptions, startValidatorProcess } from '../local-network/validator-process.ts';
import { CommitBook, quorumOf } from './commits.ts';

export interface BenchValidators {
  readonly rpcAddresses: readonly string[];
  readonly commits: CommitBook;
  /** Rejects when a validator ends that nobody stopped. */
  readonly failed: Promise<never>;
  /** Stops them all; resolves when they are gone. */
  readonly stop: () => Promise<void>;
  /** Deletes the homes. */
  readonly remove: () => void;
}

/** @unit ms @source a cold start on a busy machine */
const START_TIMEOUT = 60_000;
/** Also for writing a profile. @unit ms */
const STOP_GRACE = 30_000;

/** Starts `count` validators with homes below `parent`; resolves once all listen and two blocks are committed. */
export async function startBenchValidators(
  parent: string,
  count: number,
  launch: LaunchOptions,
): Promise<BenchValidators> {
  const directory = mkdtempSync(join(parent, 'althing-bench-'));
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  try {
    const basePort = await freeBasePort(count);
    const { homes } = await openLocalHomes({
      directory,
      validators: count,
      basePort,
      application: 'kv',
    });
    return await start(homes, launch, remove);
  } catch (cause) {
    remove();
    throw cause;
  }
}

async function start(
  homes: readonly string[],
  launch: LaunchOptions,
  remove: () => void,
): Promise<BenchValidators> {
  const commits = new CommitBook(quorumOf(homes.length));
  const addresses = new Map<number, string>();
  const up = Promise.withResolvers<void>();
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  let stopping = false;
  const processes = homes.map((home, index) =>
    startValidatorProcess(
      index,
      home,
      (event) => {
        if (event.type === 'ready') addresses.set(index, event.rpc_address);
        if (event.type === 'block')
          commits.observe(index, event.height, event.transactions, performance.now());
        if (event.type === 'view-change') commits.failRound(event.round, event.reason, performance.now());
        if (addresses.size === homes.length && commits.height >= 2) up.resolve();
      },
      launch,
    ),
  );
  for (const { index, ended } of processes) {
    void ended.then(({ code, signal, lastWords = '' }) => {
      if (!stopping) failed.reject(endFailure(index, code ?? signal ?? 'unknown', lastWords));
    });
  }
  const stop = async (): Promise<void> => {
    stopping = true;
    await Promise.all(processes.map((validator) => validator.stop(STOP_GRACE)));
  };
  const late = setTimeout(
    () => up.reject(runtimeFailure(`no second block within ${START_TIMEOUT / 1_000} s`)),
    START_TIMEOUT,
  );
  try {
    await Promise.race([up.promise, failed.promise]);
  } catch (cause) {
    await stop();
    throw cause;
  } finally {
    clearTimeout(late);
  }
  const rpcAddresses = homes.flatMap((_, index) => addresses.get(index) ?? []);
  return { rpcAddresses, commits, failed: failed.promise, stop, remove };
}

const endFailure = (index: number, how: number | string, words: string): CommandFailure =>
  runtimeFailure(`validator ${index} ended (${how}) in the middle of the benchmark: ${words}`);

/** Port ranges that are tried. */
const ATTEMPTS_MAX = 20;

/** Ports of a local network that are free now, beginning where the system gives a free one. */
async function freeBasePort(validators: number): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    try {
      await requireFreePorts(port, validators);
      return port;
    } catch (cause) {
      if (attempt === ATTEMPTS_MAX) throw cause;
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const bound = server.address();
      server.close(() => resolve(typeof bound === 'object' && bound !== null ? bound.port : 0));
    });
  });
}

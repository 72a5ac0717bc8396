/**
 * Runs one validator in this process until it is told to stop, and turns its end into an exit code. Boundary.
 * The node itself is composed in `src/node/`; this is the seam between the two.
 */
import { type ConfigOverride, loadConfig } from '../node/config/load.ts';
import type { Config } from '../node/config/schema.ts';
import { StartRefused } from '../node/config/start-refused.ts';
import type { NodeEnd, RunningNode } from '../node/start.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { CommandFailure, configFailure, usageFailure } from './failure.ts';
import { progressEvent, type RunnerEvent, readyEvent, runnerEvent } from './node-events.ts';

/** Throws `StartRefused` for what the user can mend; a port in use is the system's own error. */
export type StartNode = (home: string, config: Config) => Promise<RunningNode>;

export interface RunOptions {
  readonly home: string;
  readonly overrides: readonly ConfigOverride[];
  /** Aborted to stop the node. */
  readonly signal: AbortSignal;
  /** Told of every event; must not throw. */
  readonly emit: (event: RunnerEvent) => void;
  /** Hands over the node, whenever one runs, to whoever may order what becomes of its links. */
  readonly orders?: (node: Pick<RunningNode, 'disturb'> | undefined) => void;
}

/** @unit ms @source what a reader of a terminal notices */
const PROGRESS_INTERVAL = 500;

/** Loads the home's configuration, runs the node, and answers the process's exit code. */
export async function runNode(
  { home, overrides, ...options }: RunOptions,
  startNode: StartNode,
): Promise<number> {
  const result = loadConfig(home, process.env, overrides);
  if (result.status === 'refused') throw configFailure(result.problems);
  for (;;) {
    const end = await runOnce({ home, ...options }, result.loaded.config, startNode);
    if (end.kind === 'stopped') return EXIT_CODES.ok;
    // SY-9: the node goes on with its new chain.
    if (end.kind === 'resynced') continue;
    throw new CommandFailure(FAILURES[end.kind].words + end.detail, FAILURES[end.kind].exitCode);
  }
}

async function runOnce(
  { home, signal, emit, orders }: Omit<RunOptions, 'overrides'>,
  config: Config,
  startNode: StartNode,
): Promise<NodeEnd> {
  const node = await startNode(home, config).catch((cause: unknown) => {
    throw explained(cause);
  });
  const stop = (): void => void node.stop();
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  orders?.(node);
  emit(readyEvent(node.port.status(), node.inspectorUrl()));
  const unsubscribe = node.port.subscribe((event) => emit(runnerEvent(event)));
  const timer = setInterval(() => emit(progressEvent(node.port)), PROGRESS_INTERVAL);
  const end = await node.ended;
  orders?.(undefined);
  clearInterval(timer);
  unsubscribe();
  signal.removeEventListener('abort', stop);
  emit({ type: 'stopped', reason: reasonOf(end) });
  return end;
}

function reasonOf(end: NodeEnd): string {
  if (end.kind === 'stopped') return 'stopped';
  return end.kind === 'resynced'
    ? `resynced: it starts again on the new chain of ${end.height} blocks`
    : `${end.kind}: ${end.detail}`;
}

const FAILURES = {
  failed: { words: 'the node failed: ', exitCode: EXIT_CODES.runtime },
  'store-corrupt': { words: 'the store is corrupt: ', exitCode: EXIT_CODES.corruptStore },
  'safety-violation': {
    words: 'SAFETY VIOLATION, this validator has stopped voting for good: ',
    exitCode: EXIT_CODES.safetyViolation,
  },
} as const;

const REFUSED_EXIT_CODES = {
  config: EXIT_CODES.badConfig,
  store: EXIT_CODES.corruptStore,
  safety: EXIT_CODES.safetyViolation,
} as const;

/** A start that the user can mend, in words; anything else unchanged. */
function explained(cause: unknown): unknown {
  if (cause instanceof StartRefused) return new CommandFailure(cause.message, REFUSED_EXIT_CODES[cause.kind]);
  if (!(cause instanceof Error && 'code' in cause)) return cause;
  const place = placeOf(cause);
  if (place === undefined) return cause;
  if (cause.code === 'EADDRINUSE') {
    return usageFailure(
      `${place} is in use: stop what holds it, or choose another address (p2p.listen, rpc.listen)`,
    );
  }
  return usageFailure(
    `cannot listen on ${place} (${cause.code}): choose an address of this machine (p2p.listen, rpc.listen)`,
  );
}

/** What could not be listened on: an address, or the name of a host that nobody knows. */
function placeOf(cause: Error): string | undefined {
  if ('port' in cause) return `${'address' in cause ? cause.address : ''}:${cause.port}`;
  return 'hostname' in cause ? String(cause.hostname) : undefined;
}

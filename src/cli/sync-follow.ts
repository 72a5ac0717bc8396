/** Shows what the node is catching up with until it is done: a bar that is redrawn on a terminal, lines elsewhere. Boundary: stderr. */
import { CommandFailure } from './failure.ts';
import { pause } from './pause.ts';
import { callRpc, type RpcTarget } from './rpc-client.ts';
import { SYNC } from './shapes.ts';
import { exitCodeOf, stopSignal } from './signals.ts';
import { progressLine, type Sync } from './sync-lines.ts';
import { columns, failureOf, WATCH_INTERVAL } from './watch.ts';

export interface Followed {
  readonly json: boolean;
  /** The last report is given back when this is false. */
  readonly goesOn: (sync: Sync) => boolean;
}

/** Lines of a progress that is no terminal's. @unit ms @source a log of hours stays readable */
const LINE_INTERVAL = 5_000;
/** A node that does not answer may be starting anew. @unit ms @source a start with replay of the newest blocks */
const SILENCE_MAX = 60_000;
/** Other columns, for the cursor. */
const EDGE = 1;

export const readSync = (target: RpcTarget): Promise<Sync> => callRpc(target, 'althing_sync', {}, SYNC);

/** Checking or catching up. */
export const isBusy = ({ activity }: Sync): boolean => activity !== 'resting' && activity !== 'critical';

/** Undefined: the node has not answered for SILENCE_MAX. Ctrl-C ends the command, never what the node does: exit 130. */
export async function followSync(target: RpcTarget, { json, goesOn }: Followed): Promise<Sync | undefined> {
  const signal = stopSignal();
  const tell = teller(json);
  let answeredAt = performance.now();
  try {
    for (;;) {
      const sync = await readSync(target).catch(failureOf);
      const now = performance.now();
      if (sync instanceof CommandFailure) {
        if (now - answeredAt > SILENCE_MAX) return undefined;
      } else {
        answeredAt = now;
        if (!goesOn(sync)) return sync;
        tell.show(sync, now);
      }
      await pause(WATCH_INTERVAL, signal);
      if (signal.aborted) {
        const words = 'not watched any more; the node goes on, and `althing sync` shows it';
        throw new CommandFailure(words, exitCodeOf(signal.reason));
      }
    }
  } finally {
    tell.end();
  }
}

function teller(json: boolean) {
  const live = process.stderr.isTTY === true && !json;
  let drawn = false;
  let shownAt = Number.NEGATIVE_INFINITY;
  return {
    show({ progress }: Sync, now: number): void {
      if (json || progress === null) return;
      if (live) {
        process.stderr.write(`\r\u001b[K${progressLine(progress, columns() - EDGE)}`);
        drawn = true;
      } else if (now - shownAt >= LINE_INTERVAL) {
        shownAt = now;
        process.stderr.write(`${progressLine(progress, columns())}\n`);
      }
    },
    end(): void {
      if (drawn) process.stderr.write('\n');
    },
  };
}

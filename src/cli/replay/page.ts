/** `althing replay --page`: a recorded run in the page, until the user stops it. Boundary: sockets, signals. Rules IN-1, IN-2, RP-5, docs/inspector.md. */
import { basename, resolve } from 'node:path';
import { newToken } from '../../observe/feed/access.ts';
import type { Mark } from '../../observe/feed/feed.ts';
import { PAGE_FOLDER, pageFiles } from '../../observe/feed/page-files.ts';
import { startFeedServer } from '../../observe/feed/server.ts';
import { Playback } from '../../replay/playback.ts';
import type { PlayerOptions } from '../../replay/player.ts';
import { RecordedSource } from '../../replay/recorded-source.ts';
import { RunTimeline } from '../../replay/run-timeline.ts';
import { WaypointsByRun } from '../../replay/waypoints.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { usageFailure } from '../failure.ts';
import { createOutput } from '../output.ts';
import { stopSignal } from '../signals.ts';
import type { Session } from './locate.ts';
import { INSTANT_FORMS, instantOf } from './times.ts';
import { flawLine } from './verify-log.ts';

export interface PageOptions {
  readonly json?: boolean;
  readonly port?: number;
  readonly until?: string;
  /** Known beforehand, as what a checker found. */
  readonly marks?: readonly Mark[];
}

/** @returns the exit code, when the user has stopped it */
export async function showPage(
  path: string,
  { nodes, flaws }: Session,
  by: Pick<PlayerOptions, 'charts' | 'pure'>,
  { json = false, port = 0, until, marks = [] }: PageOptions,
): Promise<number> {
  // What the timeline passes on its way, the viewers' playback comes back to.
  const waypoints = new WaypointsByRun();
  const playback = new Playback(nodes, by, waypoints);
  // A run begins with nodes that are not there yet: whoever opens it sees how it came out, and goes back from there.
  const at = until === undefined ? playback.lastWhole : instantOf(until, playback.span.from);
  if (at === undefined) throw usageFailure(`--until ${until}: give ${INSTANT_FORMS}`);
  const source = new RecordedSource({
    playback,
    timeline: new RunTimeline(new Playback(nodes, by, waypoints), marks),
    title: basename(resolve(path)),
    at,
  });
  const server = await startFeedServer({
    ...{ source, host: '127.0.0.1', port, token: newToken() },
    pages: (listening) => pageFiles(PAGE_FOLDER, listening),
  });
  createOutput(json).data({ page: server.url }, [
    `page  ${server.url}`,
    ...flaws.map(flawLine),
    'Ctrl-C ends it',
  ]);
  const signal = stopSignal();
  await new Promise<void>((ended) => signal.addEventListener('abort', () => ended(), { once: true }));
  source.close();
  await server.close();
  return EXIT_CODES.ok;
}

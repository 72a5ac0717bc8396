/** One validator of a local network: a child process, its events, its log file, its end. Boundary: processes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { extname, join } from 'node:path';
import { RUNNER_EVENT, type RunnerEvent } from '../node-events.ts';

/** How a child ended. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Last line of its log, where it failed by itself. */
  readonly lastWords?: string;
}

export interface ValidatorProcess {
  readonly index: number;
  readonly home: string;
  readonly logFile: string;
  /** Settles once the process is gone. */
  readonly ended: Promise<ProcessEnd>;
  /** Asks it to stop; kills it after `graceMs`. */
  readonly stop: (graceMs: number) => Promise<ProcessEnd>;
  /** As kill -9. */
  readonly kill: () => void;
  /** Over the channel between the processes; false when it is closed. */
  readonly tell: (message: object) => boolean;
}

/** How a child is started beside its home. */
export interface LaunchOptions {
  /** Of Node itself: `--cpu-prof`. */
  readonly nodeFlags: readonly string[];
  /** `section.key=value`, above the configuration file. */
  readonly settings: readonly string[];
}

/** Compiled where this module is. */
const MAIN = join(import.meta.dirname, '..', `main${extname(import.meta.filename)}`);

/** Starts `start --home HOME --managed`. The child ends by itself when this process is gone. */
export function startValidatorProcess(
  index: number,
  home: string,
  onEvent: (event: RunnerEvent) => void,
  { nodeFlags, settings }: LaunchOptions = { nodeFlags: [], settings: [] },
): ValidatorProcess {
  const logFile = join(home, 'node.log');
  // Started anew at each start, so that it stays bounded by one run.
  const log = openSync(logFile, 'w');
  const words = [MAIN, 'start', '--home', home, '--managed', ...settings.flatMap((text) => ['--set', text])];
  const child = spawn(process.execPath, [...process.execArgv, ...nodeFlags, ...words], {
    stdio: ['ignore', log, log, 'ipc'],
  });
  closeSync(log);
  child.on('message', (message) => {
    const event = RUNNER_EVENT.safeParse(message);
    if (event.success) onEvent(event.data);
  });
  const ended = new Promise<ProcessEnd>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal, ...lastWords(code, logFile) }));
    child.once('error', () => resolve({ code: 1, signal: null }));
  });
  return {
    ...{ index, home, logFile, ended },
    stop: (graceMs) => stop(child, ended, graceMs),
    kill: () => void child.kill('SIGKILL'),
    tell: (message) => child.connected && child.send(message, () => undefined),
  };
}

function lastWords(code: number | null, logFile: string): Pick<ProcessEnd, 'lastWords'> {
  if (code === null || code === 0) return {};
  const file = openSync(logFile, 'r');
  const tail = Buffer.alloc(LAST_WORDS_BYTES);
  const length = readSync(file, tail, 0, tail.length, Math.max(0, fstatSync(file).size - tail.length));
  closeSync(file);
  const line = tail.toString('utf8', 0, length).trimEnd().split('\n').at(-1);
  return line === undefined || line === '' ? {} : { lastWords: line.replace(/^althing: /, '') };
}

/** @unit bytes @source a few lines of a terminal */
const LAST_WORDS_BYTES = 400;

async function stop(child: ChildProcess, ended: Promise<ProcessEnd>, graceMs: number): Promise<ProcessEnd> {
  // Closing the channel is the request to stop: a signal would be its second one after Ctrl-C on a terminal.
  if (child.connected) child.disconnect();
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
  const end = await ended;
  clearTimeout(timer);
  return end;
}

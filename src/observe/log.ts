/** The node's log: pino, JSON lines, or one readable line each on a terminal. Always stderr: stdout is for data. Boundary. */

import pc from 'picocolors';
import { destination, type Level, type Logger, pino } from 'pino';

export type LogLevel = Level | 'silent';

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: 'auto' | 'json' | 'pretty';
  /** Levels of single components: `consensus:debug`. */
  readonly components: readonly string[];
  readonly moniker: string;
}

export interface NodeLog {
  /** A logger whose lines name their component, at that component's level. */
  readonly of: (component: string) => Logger;
  /** Writes what is buffered; call before the process ends. */
  readonly flush: () => void;
}

/** Opens the log on stderr. */
export function openLog({ level, format, components, moniker }: LogOptions): NodeLog {
  const levels = new Map(components.map((entry) => splitOnce(entry)));
  const stream = destination({ dest: 2, sync: true });
  const pretty = format === 'pretty' || (format === 'auto' && process.stderr.isTTY === true);
  const target = pretty ? { write: (line: string) => stream.write(prettyLine(line)) } : stream;
  const root = pino({ level, base: { node: moniker }, timestamp: pino.stdTimeFunctions.isoTime }, target);
  return {
    of: (component) => {
      const own = levels.get(component);
      return root.child({ component }, own === undefined ? {} : { level: own });
    },
    flush: () => stream.flushSync(),
  };
}

const LEVEL_WORDS: Readonly<Record<number, string>> = {
  10: pc.gray('trace'),
  20: pc.gray('debug'),
  30: pc.green('info '),
  40: pc.yellow('warn '),
  50: pc.red('error'),
  60: pc.bgRed('fatal'),
};

/** One line of JSON as `12:00:00.123 info  consensus message key=value`. */
function prettyLine(line: string): string {
  const { level, time, node, component, msg, ...rest }: Record<string, unknown> = JSON.parse(line);
  const clock = typeof time === 'string' ? time.slice(11, 23) : '';
  const operands = Object.entries(rest).map(([key, value]) => pc.dim(`${key}=`) + shown(value));
  const head = [
    clock,
    LEVEL_WORDS[Number(level)] ?? String(level),
    pc.cyan(`${node}/${component ?? 'node'}`),
  ];
  return `${[...head, String(msg ?? ''), ...operands].join(' ')}\n`;
}

const shown = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

function splitOnce(entry: string): readonly [string, string] {
  const colon = entry.indexOf(':');
  return [entry.slice(0, colon), entry.slice(colon + 1)];
}

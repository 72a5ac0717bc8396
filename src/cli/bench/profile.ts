/**
 * Where the time goes: reads V8's CPU profiles (`--cpu-prof`) and tells the functions with the most time of their own,
 * and the time of each part of the program, as shares of the busy time. Pure but for `readProfiles`.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const PROFILE = z.object({
  nodes: z.array(
    z.object({
      id: z.number(),
      callFrame: z.object({ functionName: z.string(), url: z.string(), lineNumber: z.number() }),
      children: z.array(z.number()).optional(),
    }),
  ),
  startTime: z.number(),
  endTime: z.number(),
  samples: z.array(z.number()),
  timeDeltas: z.array(z.number()),
});
export type CpuProfile = z.infer<typeof PROFILE>;

/** A time in V8's clock, which is the system's monotonic one. @unit µs */
export interface ProfileWindow {
  readonly from: number;
  readonly to: number;
}

export interface Share {
  readonly name: string;
  /** Of the busy time. */
  readonly share: number;
  /** @unit ms */
  readonly milliseconds: number;
}

export interface TimeReport {
  /** Of all profiled threads together. @unit ms */
  readonly busyMs: number;
  readonly idleMs: number;
  /** By time of their own, most first. */
  readonly functions: readonly Share[];
  /** By folder of `src/`: the innermost function of the program that was running, natives and libraries with their caller. */
  readonly parts: readonly Share[];
}

/** All profiles in a folder. */
export const readProfiles = (directory: string): readonly CpuProfile[] =>
  readdirSync(directory)
    .filter((name) => name.endsWith('.cpuprofile'))
    .map((name) => PROFILE.parse(JSON.parse(readFileSync(join(directory, name), 'utf8'))));

/** Samples outside `window` do not count, where it overlaps the profile. */
export function whereTimeGoes(profiles: readonly CpuProfile[], window?: ProfileWindow): TimeReport {
  const functions = new Map<string, number>();
  const parts = new Map<string, number>();
  let busy = 0;
  let idle = 0;
  for (const profile of profiles) {
    const frames = framesOf(profile);
    const overlaps = window !== undefined && window.from < profile.endTime && window.to > profile.startTime;
    let at = profile.startTime;
    profile.samples.forEach((sample, index) => {
      const spent = profile.timeDeltas[index] ?? 0;
      at += spent;
      const frame = frames.get(sample);
      if (frame === undefined || (overlaps && (at < window.from || at > window.to))) return;
      if (frame.name === IDLE) {
        idle += spent;
        return;
      }
      busy += spent;
      functions.set(frame.name, (functions.get(frame.name) ?? 0) + spent);
      parts.set(frame.part, (parts.get(frame.part) ?? 0) + spent);
    });
  }
  return {
    busyMs: busy / 1_000,
    idleMs: idle / 1_000,
    functions: shares(functions, busy),
    parts: shares(parts, busy),
  };
}

/** Lines for a reader: the `count` functions with the most time of their own. */
export const inWords = (report: TimeReport, count: number): readonly string[] =>
  report.functions.slice(0, count).map(({ name, share, milliseconds }, index) => {
    const rank = `${index + 1}.`.padStart(3);
    return `${rank} ${percent(share)} of the busy time (${Math.round(milliseconds)} ms) in ${name}`;
  });

export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`.padStart(7);

const IDLE = 'nothing (idle)';
const SPECIAL: Readonly<Record<string, string>> = {
  '(idle)': IDLE,
  '(garbage collector)': 'garbage collection',
  '(program)': 'V8 and the system outside of JavaScript',
  '(root)': 'the root of the profile',
};

interface Frame {
  readonly name: string;
  readonly part: string;
}

function framesOf({ nodes }: CpuProfile): ReadonlyMap<number, Frame> {
  const parents = new Map<number, number>();
  for (const { id, children = [] } of nodes) for (const child of children) parents.set(child, id);
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parts = new Map<number, string>();
  const partOf = (id: number): string => {
    const known = parts.get(id);
    if (known !== undefined) return known;
    const node = byId.get(id);
    const parent = parents.get(id);
    const own = node === undefined ? undefined : ownPart(node.callFrame);
    const part = own ?? (parent === undefined ? 'Node itself (no function of the program)' : partOf(parent));
    parts.set(id, part);
    return part;
  };
  return new Map(nodes.map(({ id, callFrame }) => [id, { name: nameOf(callFrame), part: partOf(id) }]));
}

type CallFrame = CpuProfile['nodes'][number]['callFrame'];

function ownPart({ functionName, url }: CallFrame): string | undefined {
  if (functionName === '(garbage collector)') return 'garbage collection';
  const inProgram = /\/src\/([a-z-]+)\/(?:([a-z-]+)\/)?[^/]*\.ts$/.exec(url);
  if (inProgram === null) return undefined;
  const [, layer = '', room] = inProgram;
  return room !== undefined && SPLIT_LAYERS.includes(layer) ? `${layer}/${room}` : layer;
}

/** Layers whose rooms are told apart. */
const SPLIT_LAYERS = ['protocol', 'machines', 'actors'];

function nameOf({ functionName, url, lineNumber }: CallFrame): string {
  const special = SPECIAL[functionName];
  if (special !== undefined) return special;
  const name = functionName === '' ? 'an unnamed function' : functionName;
  const place = /(?:\/(src\/.*)|\/node_modules\/(.*))$/.exec(url);
  if (place !== null) return `${name} (${place[1] ?? place[2]}:${lineNumber + 1})`;
  return url === '' ? `${name} (native)` : `${name} (${url.replace(/^.*\/(?=[^/]+$)/, '')})`;
}

const shares = (times: ReadonlyMap<string, number>, busy: number): readonly Share[] =>
  [...times]
    .map(([name, spent]) => ({ name, share: busy === 0 ? 0 : spent / busy, milliseconds: spent / 1_000 }))
    .sort((left, right) => right.share - left.share);

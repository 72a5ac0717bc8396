/** What a replay says where it stands: to its user, and as data. Pure. Rules RP-4, RP-5. */
import { canonicalText } from '../../actors/runtime/index.ts';
import { BREAKPOINT_FORMS, type Breakpoint, parseBreakpoint, statePaths } from '../../replay/breakpoint.ts';
import { standingOf } from '../../replay/facts.ts';
import type { Playback, Stop } from '../../replay/playback.ts';
import type { Player } from '../../replay/player.ts';
import { type CommandFailure, usageFailure } from '../failure.ts';
import { table } from '../output.ts';
import { instantText } from './times.ts';

/** @throws CommandFailure for an expression that is not understood */
export function breakpointOf(text: string | undefined): Breakpoint {
  if (text === undefined || text === '') return [];
  const parsed = parseBreakpoint(text);
  if (!('notUnderstood' in parsed)) return parsed;
  throw usageFailure(
    `--break: "${parsed.notUnderstood}" is not understood; conditions, joined by "and": ${BREAKPOINT_FORMS.join('; ')}`,
  );
}

export function stopLines(playback: Playback, stop: Stop | undefined): readonly string[] {
  const where = instantText(playback.at, playback.span.from);
  if (stop === undefined || stop.kind === 'end') return [`${where}${stop === undefined ? '' : ', the end'}`];
  const node = playback.lanes[stop.lane]?.player.run.opening.node.moniker ?? '';
  return [where, `${stop.kind} at ${node}: ${stop.because}`];
}

export const trackTable = (playback: Playback): readonly string[] =>
  table([
    ['node', 'turn', 'epoch', 'round', 'height', 'block', 'cells'],
    ...playback.lanes.map(({ player: track }) => {
      const { epoch, round, height, block } = standingOf(track.system);
      const numbers = [track.turn, epoch, round, height].map(String);
      return [
        track.run.opening.node.moniker,
        ...numbers,
        block.slice(0, 12),
        String(track.system.cells().length),
      ];
    }),
  ]);

export function trackData(track: Player, cell: string | undefined) {
  const cells = track.system.cells().filter(({ address }) => cell === undefined || isNamed(address, cell));
  if (cell !== undefined && cells.length === 0) throw unknownCell(track, cell);
  return {
    node: track.run.opening.node,
    turn: track.turn,
    ...standingOf(track.system),
    cells: cells.map(({ address, status, snapshot, counters: { queued } }) => ({
      ...{ address, status, queued, states: statePaths(snapshot) },
      ...(cell === undefined ? {} : { knows: canonicalText(contextOf(snapshot)) }),
    })),
  };
}

const isNamed = (address: string, cell: string): boolean => address === cell || address.endsWith(`/${cell}`);

const contextOf = (snapshot: unknown): unknown =>
  typeof snapshot === 'object' && snapshot !== null ? Reflect.get(snapshot, 'context') : undefined;

const unknownCell = (track: Player, cell: string): CommandFailure =>
  usageFailure(
    `no cell ${cell} at ${track.run.opening.node.moniker} then; there are ${track.system
      .cells()
      .map(({ address }) => address)
      .join(', ')}`,
  );

/** What a cell knows, a field a line. */
export function cellLines(track: Player, cell: string): readonly string[] {
  const found = track.system.cells().filter(({ address }) => isNamed(address, cell));
  if (found.length === 0) throw unknownCell(track, cell);
  return found.flatMap(({ address, status, snapshot }) => {
    const context = contextOf(snapshot);
    const fields = typeof context === 'object' && context !== null ? Object.entries(context) : [];
    return [
      `${track.run.opening.node.moniker} ${address}: ${statePaths(snapshot).join(', ') || status}`,
      ...fields.map(([name, value]) => `  ${name}: ${canonicalText(value).slice(0, 200)}`),
    ];
  });
}

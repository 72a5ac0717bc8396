/**
 * The game in the application's pairs: which key holds what, and the gateway at which their texts become typed values again.
 * The texts are this file's own, below a certified hash. No pair is ever taken away: their number is bounded (DC-4).
 */
import type { StateReader, StateWriter } from '../state/rules.ts';
import { ROUNDS_KEPT, TABLES_MAX } from './limits.ts';
import type { House, PlayedRound, Player, Table } from './table.ts';

/** What changes with almost every operation. */
export interface Desk {
  /** Chips that the house has left. */
  readonly chips: number;
  readonly players: number;
  /** Id of the next table. */
  readonly nextTable: number;
  /** Grows with every change: who has seen this number has seen everything. */
  readonly version: number;
  /** Open tables: the slot that each stands in, and when its phase is over. By rising id; at most TABLES_MAX. */
  readonly tables: readonly { readonly id: number; readonly slot: number; readonly lastHeight: number }[];
}

const HOUSE = 'house';
const DESK = 'desk';
const playerKey = (key: string): string => `player/${key}`;
const slotKey = (slot: number): string => `table/${slot}`;
const roundKey = (slot: number, round: number): string => `round/${slot}/${round % ROUNDS_KEPT}`;

export const firstPairs = (house: House, desk: Desk): readonly (readonly [string, string])[] => [
  [HOUSE, pack(house)],
  [DESK, pack(desk)],
];

export const houseOf = (state: StateReader): House => required(state, HOUSE) as House;
export const deskOf = (state: StateReader): Desk => required(state, DESK) as Desk;

export const playerOf = (state: StateReader, key: string): Player | undefined =>
  unpack(state.get(playerKey(key))) as Player | undefined;

export const tableAt = (state: StateReader, slot: number): Table => required(state, slotKey(slot)) as Table;

export function tableOf(state: StateReader, desk: Desk, id: number): Table | undefined {
  const found = desk.tables.find((table) => table.id === id);
  return found === undefined ? undefined : tableAt(state, found.slot);
}

/** The newest first; at most ROUNDS_KEPT. */
export function roundsOf(state: StateReader, desk: Desk, id: number): readonly PlayedRound[] {
  const slot = desk.tables.find((table) => table.id === id)?.slot;
  if (slot === undefined) return [];
  return Array.from({ length: ROUNDS_KEPT }, (_, index) => unpack(state.get(roundKey(slot, index))))
    .map((round) => round as PlayedRound | undefined)
    .filter((round) => round !== undefined)
    .filter(({ table }) => table === id)
    .toSorted((left, right) => right.round - left.round);
}

export const saveDesk = (state: StateWriter, desk: Desk): void => state.set(DESK, pack(desk));
export const savePlayer = (state: StateWriter, player: Player): void =>
  state.set(playerKey(player.key), pack(player));
export const saveTable = (state: StateWriter, slot: number, table: Table): void =>
  state.set(slotKey(slot), pack(table));
export const saveRound = (state: StateWriter, slot: number, round: PlayedRound): void =>
  state.set(roundKey(slot, round.round), pack(round));

/** The lowest slot where no table stands; undefined when TABLES_MAX are open. */
export function freeSlot({ tables }: Desk): number | undefined {
  const taken = new Set(tables.map(({ slot }) => slot));
  return Array.from({ length: TABLES_MAX }, (_, slot) => slot).find((slot) => !taken.has(slot));
}

/** Pairs are latin1 texts, names any letters: the bytes of UTF-8, one letter each. */
const pack = (value: object): string => Buffer.from(JSON.stringify(value), 'utf8').toString('latin1');

const unpack = (text: string | undefined): unknown =>
  text === undefined ? undefined : JSON.parse(Buffer.from(text, 'latin1').toString('utf8'));

function required(state: StateReader, key: string): unknown {
  const value = unpack(state.get(key));
  if (value === undefined)
    throw new Error(`dice: the state has no pair "${key}": it was not begun by the rules of dice`);
  return value;
}

/** What queries answer, as JSON. Types only; the page reads them too. docs/dice.md, "Queries". */
import type { House, Phase, PlayedRound, Player, Table } from './table.ts';

/** `/tables`. With the number of a version as data and nothing changed since: the version alone. */
export type TablesView = { readonly version: number } | LobbyView;

export interface LobbyView {
  readonly version: number;
  readonly house: House & { readonly chips: number; readonly players: number };
  readonly tables: readonly TableSummary[];
}

export interface TableSummary {
  readonly id: number;
  readonly title: string;
  readonly seatsMax: number;
  readonly ante: number;
  readonly stakeMin: number;
  readonly round: number;
  readonly phase: Phase['kind'];
  readonly pot: number;
  readonly players: readonly string[];
}

/** `/table` with an id as data; null when there is none any more. */
export type TableView = null | {
  readonly table: Table & { readonly stakeMin: number };
  /** The newest first. */
  readonly rounds: readonly PlayedRound[];
};

/** `/player` with a key in hexadecimal as data; null when it is not registered. */
export type PlayerView = null | Player;

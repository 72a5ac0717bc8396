/** Answers to `/tables`, `/table` and `/player` as JSON. Pure. docs/dice.md, "Queries". */
import { utf8 } from '../../base/bytes.ts';
import type { StateReader } from '../state/rules.ts';
import { stakeMinOf } from './limits.ts';
import { CODES } from './refusal.ts';
import { deskOf, houseOf, playerOf, roundsOf, tableAt, tableOf } from './state.ts';
import type { PlayerView, TableSummary, TablesView, TableView } from './views.ts';

interface Answer {
  readonly code: number;
  readonly log: string;
  readonly value: Uint8Array;
}

export function answerQuery(path: string, data: Uint8Array, state: StateReader): Answer {
  const asked = Buffer.from(data).toString('latin1');
  switch (path) {
    case '/tables':
      return answer(tablesView(state, asked));
    case '/table':
      return answer(tableView(state, /^[1-9][0-9]{0,15}$/.test(asked) ? Number(asked) : 0));
    case '/player':
      return answer(playerView(state, /^[0-9a-f]{64}$/.test(asked) ? asked : ''));
    default: {
      const log = `there is no path "${path.slice(0, 80)}": ask /tables, /table or /player`;
      return { code: CODES.UNKNOWN_PATH, log, value: new Uint8Array() };
    }
  }
}

const answer = (view: object | null): Answer => ({ code: 0, log: '', value: utf8(JSON.stringify(view)) });

function tablesView(state: StateReader, seen: string): TablesView {
  const { version, chips, players, tables } = deskOf(state);
  if (seen === String(version)) return { version };
  return {
    version,
    house: { ...houseOf(state), chips, players },
    tables: tables.map(({ slot }): TableSummary => {
      const { id, title, seatsMax, ante, round, phase, pot, seats } = tableAt(state, slot);
      const stakeMin = stakeMinOf(ante, seatsMax);
      const names = seats.map(({ name }) => name);
      return { ...{ id, title, seatsMax, ante, stakeMin, round, phase: phase.kind, pot }, players: names };
    }),
  };
}

function tableView(state: StateReader, id: number): TableView {
  const desk = deskOf(state);
  const table = tableOf(state, desk, id);
  if (table === undefined) return null;
  return {
    table: { ...table, stakeMin: stakeMinOf(table.ante, table.seatsMax) },
    rounds: roundsOf(state, desk, id),
  };
}

const playerView = (state: StateReader, key: string): PlayerView => playerOf(state, key) ?? null;

/**
 * The application `dice`: players, tables, and rounds whose dice nobody chose. Deterministic; beside the state it keeps a bounded
 * memory of signatures.
 * Rules DC-1 to DC-10, docs/dice.md.
 */
import { concatBytes, toHex, utf8 } from '../../base/bytes.ts';
import { invariant } from '../../base/invariant.ts';
import { ed25519Verify } from '../../crypto/ed25519.ts';
import { createRecentCache } from '../../crypto/recent-cache.ts';
import type { ApplicationEvent } from '../../protocol/ports/storage.ts';
import { checkResult, transactionResult } from '../answers.ts';
import type { BlockContext, StateRules, StateWriter } from '../state/rules.ts';
import { admit, check, type Permitted, permit, type SignatureCheck } from './admission.ts';
import { readGenesis } from './genesis.ts';
import { SIGNATURES_KEPT_MAX, TABLES_A_BLOCK_MAX } from './limits.ts';
import type { Action } from './operation.ts';
import { answerQuery } from './queries.ts';
import { CODES } from './refusal.ts';
import { commit, getUp, reveal, sitDown, type Turn, timeOut } from './round.ts';
import {
  type Desk,
  deskOf,
  firstPairs,
  freeSlot,
  houseOf,
  playerOf,
  saveDesk,
  savePlayer,
  saveRound,
  saveTable,
  tableAt,
  tableOf,
} from './state.ts';
import type { House, Player, Table } from './table.ts';

const CODESPACE = 'dice';

export function diceRules(): StateRules {
  const signatures = createRecentCache<boolean>(SIGNATURES_KEPT_MAX);
  const isSigned: SignatureCheck = (player, message, signature) =>
    signatures.of(concatBytes(player, signature, message), () => ed25519Verify(player, message, signature));
  return {
    name: 'dice',
    version: '2',
    begin(request) {
      const { house, chips } = readGenesis(request);
      return firstPairs(house, { chips, players: 0, nextTable: 1, version: 1, tables: [] });
    },
    check(transaction, state, executedHeight) {
      const refusal = check(transaction, state, executedHeight, isSigned);
      if (refusal === undefined) return checkResult({ codespace: CODESPACE });
      return checkResult({ code: CODES[refusal.refused], log: refusal.log, codespace: CODESPACE });
    },
    execute(transaction, state, { height }) {
      const admitted = admit(transaction, state, height, isSigned);
      const ruling = 'refused' in admitted ? admitted : permit(admitted, state, height);
      if ('refused' in ruling)
        return transactionResult({ code: CODES[ruling.refused], log: ruling.log, codespace: CODESPACE });
      const { table, events } = act(ruling, state, height);
      return transactionResult({ codespace: CODESPACE, data: utf8(String(table)), events });
    },
    // DC-2: who has signed it has had it, so that it is refused once.
    settleFailed(transaction, state, { height }) {
      const admitted = admit(transaction, state, height, isSigned);
      if ('refused' in admitted || admitted.player === undefined) return;
      savePlayer(state, { ...admitted.player, nonce: admitted.player.nonce + 1 });
    },
    endBlock: (state, block) => endPhases(state, block),
    query: (path, data, state) => answerQuery(path, data, state),
  };
}

interface Done {
  /** 0: none. */
  readonly table: number;
  readonly events: readonly ApplicationEvent[];
}

type SeatedAction = Extract<Action, { kind: 'leave' | 'commit' | 'reveal' }>;

/** Nothing speaks against it: it happens. */
function act({ key, player, action }: Permitted, state: StateWriter, height: number): Done {
  if (player === undefined) return register(state, key, action.name);
  if (action.kind === 'open') return open(state, player, action, height);
  const table = tableOf(state, deskOf(state), action.table);
  invariant(table !== undefined, 'what is permitted has its table (DC-4)', { table: action.table });
  if (action.kind === 'join') return seat(state, player, table, action.stake, height, 'join');
  savePlayer(state, { ...player, nonce: player.nonce + 1 });
  const turn = turnOf(action, table, player, houseOf(state), height);
  return {
    table: table.id,
    events: [...eventsOf(action.kind, key, table.id), ...apply(state, turn, height)],
  };
}

/** DC-5 to DC-7 */
function turnOf(action: SeatedAction, table: Table, { key }: Player, house: House, height: number): Turn {
  switch (action.kind) {
    case 'leave':
      return getUp(table, key);
    case 'commit':
      return commit(table, key, toHex(action.commitment), house, height);
    case 'reveal':
      return reveal(table, key, toHex(action.secret), house, height);
  }
}

/** DC-3 */
function register(state: StateWriter, key: string, name: string): Done {
  const desk = deskOf(state);
  const { grant } = houseOf(state);
  savePlayer(state, { key, name, chips: grant, nonce: 1, table: 0 });
  saveDesk(state, {
    ...desk,
    chips: desk.chips - grant,
    players: desk.players + 1,
    version: desk.version + 1,
  });
  return { table: 0, events: eventsOf('register', key, 0) };
}

/** DC-4 */
function open(
  state: StateWriter,
  player: Player,
  { title, seats, ante, stake }: Extract<Action, { kind: 'open' }>,
  height: number,
): Done {
  const desk = deskOf(state);
  const slot = freeSlot(desk);
  invariant(slot !== undefined, 'what is permitted has a place (DC-4)', { tables: desk.tables.length });
  const table: Table = {
    ...{ id: desk.nextTable, title, seatsMax: seats, ante, round: 1, pot: 0, seats: [] },
    phase: { kind: 'open', lastHeight: height },
  };
  const tables = [...desk.tables, { id: table.id, slot, lastHeight: height }];
  saveDesk(state, { ...desk, nextTable: table.id + 1, tables });
  return seat(state, player, table, stake, height, 'open');
}

function seat(
  state: StateWriter,
  player: Player,
  table: Table,
  stake: number,
  height: number,
  kind: 'open' | 'join',
): Done {
  savePlayer(state, { ...player, chips: player.chips - stake, nonce: player.nonce + 1, table: table.id });
  apply(state, sitDown(table, player, stake), height);
  return { table: table.id, events: eventsOf(kind, player.key, table.id) };
}

/** DC-8: a bounded number of tables; those that are over longest come first. */
function endPhases(state: StateWriter, { height }: BlockContext): readonly ApplicationEvent[] {
  const due = deskOf(state)
    .tables.filter(({ lastHeight }) => lastHeight <= height)
    .toSorted((left, right) => left.lastHeight - right.lastHeight || left.id - right.id)
    .slice(0, TABLES_A_BLOCK_MAX);
  if (due.length === 0) return [];
  const house = houseOf(state);
  return due.flatMap(({ slot }) => apply(state, timeOut(tableAt(state, slot), house, height), height));
}

/** Writes a turn down: the table in its slot, what it played, who got up, and when it is due next. */
function apply(
  state: StateWriter,
  { table, left, played }: Turn,
  height: number,
): readonly ApplicationEvent[] {
  const desk = deskOf(state);
  const slot = desk.tables.find(({ id }) => id === table.id)?.slot;
  if (slot === undefined) throw new Error(`dice: table ${table.id} stands nowhere`);
  const phase =
    table.phase.kind === 'open'
      ? { ...table.phase, lastHeight: height + houseOf(state).idleHeights }
      : table.phase;
  saveTable(state, slot, { ...table, phase });
  if (played !== undefined) saveRound(state, slot, played);
  for (const { key, chips } of left) {
    const player = playerOf(state, key);
    if (player !== undefined) savePlayer(state, { ...player, chips: player.chips + chips, table: 0 });
  }
  const entry = { id: table.id, slot, lastHeight: phase.lastHeight };
  saveDesk(state, {
    ...desk,
    version: desk.version + 1,
    tables: withEntry(desk, entry, table.seats.length > 0),
  });
  if (played === undefined) return [];
  const winners = played.seats.filter(({ won }) => won);
  return winners.flatMap(({ key }) => eventsOf('win', key, table.id));
}

const withEntry = ({ tables }: Desk, entry: Desk['tables'][number], isOpen: boolean): Desk['tables'] =>
  isOpen
    ? tables.map((other) => (other.id === entry.id ? entry : other))
    : tables.filter(({ id }) => id !== entry.id);

const eventsOf = (
  type: Action['kind'] | 'win',
  player: string,
  table: number,
): readonly ApplicationEvent[] => [
  {
    type: `dice.${type}`,
    attributes: [
      { key: 'player', value: player, index: true },
      { key: 'table', value: String(table), index: true },
    ],
  },
];

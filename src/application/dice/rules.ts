/**
 * The application `dice`: players, tables, and rounds whose dice nobody chose. Pure but for the state that it is given.
 * Rules DC-1 to DC-10, docs/dice.md.
 */
import { equalBytes, fromHex, toHex, utf8 } from '../../base/bytes.ts';
import type { ApplicationEvent } from '../../protocol/ports/storage.ts';
import { checkResult, transactionResult } from '../answers.ts';
import type { BlockContext, StateRules, StateWriter } from '../state/rules.ts';
import { type Admitted, admit, CODES, check, type Refusal, refuse } from './admission.ts';
import { commitmentOf } from './fairness.ts';
import { readGenesis } from './genesis.ts';
import {
  ANTE_MAX,
  problemOfName,
  SEATS_MAX,
  SEATS_MIN,
  stakeMinOf,
  TABLES_A_BLOCK_MAX,
  TABLES_MAX,
} from './limits.ts';
import type { Action } from './operation.ts';
import { answerQuery } from './queries.ts';
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

export const diceRules: StateRules = {
  name: 'dice',
  version: '1',
  begin({ chainId, appState }) {
    const { house, chips } = readGenesis(chainId, appState);
    return firstPairs(house, { chips, players: 0, nextTable: 1, version: 1, tables: [] });
  },
  check(transaction, state) {
    const refusal = check(transaction, state);
    if (refusal === undefined) return checkResult({ codespace: CODESPACE });
    return checkResult({ code: CODES[refusal.refused], log: refusal.log, codespace: CODESPACE });
  },
  execute(transaction, state, { height }) {
    const admitted = admit(transaction, state, height);
    const ruling = 'refused' in admitted ? admitted : execute(admitted, state, height);
    if ('refused' in ruling) {
      return transactionResult({ code: CODES[ruling.refused], log: ruling.log, codespace: CODESPACE });
    }
    return transactionResult({
      codespace: CODESPACE,
      data: utf8(String(ruling.table)),
      events: ruling.events,
    });
  },
  endBlock: (state, block) => endPhases(state, block),
  query: (path, data, state) => answerQuery(path, data, state),
};

interface Done {
  /** 0: none. */
  readonly table: number;
  readonly events: readonly ApplicationEvent[];
}

type SeatedAction = Extract<Action, { kind: 'leave' | 'commit' | 'reveal' }>;

/** Nothing is written before nothing can be refused any more. */
function execute(admitted: Admitted, state: StateWriter, height: number): Done | Refusal {
  if (admitted.player === undefined) return register(state, admitted.key, admitted.action.name);
  const { player, action } = admitted;
  if (action.kind === 'open') return open(state, player, action, height);
  if (action.kind === 'join') return join(state, player, action, height);
  const at = deskOf(state).tables.find(({ id }) => id === action.table);
  if (at === undefined || player.table !== action.table) {
    return refuse(
      'NOT_SEATED',
      `you do not sit at table ${action.table}${player.table === 0 ? '' : `, but at ${player.table}`}`,
    );
  }
  const house = houseOf(state);
  const turn = seatedTurn(action, tableAt(state, at.slot), player, house, height);
  if ('refused' in turn) return turn;
  savePlayer(state, { ...player, nonce: player.nonce + 1 });
  return {
    table: action.table,
    events: [...eventsOf(action.kind, player.key, action.table), ...apply(state, turn, height)],
  };
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
): Done | Refusal {
  const problem = problemOfName(title);
  if (problem !== undefined) return refuse('BAD_NAME', problem);
  if (seats < SEATS_MIN || seats > SEATS_MAX)
    return refuse('BAD_TABLE', `${seats} seats: a table has ${SEATS_MIN} to ${SEATS_MAX}`);
  if (ante < 1 || ante > ANTE_MAX)
    return refuse('BAD_TABLE', `an ante of ${ante}: it is 1 to ${ANTE_MAX} chips`);
  const refusal = problemOfStake(player, stake, stakeMinOf(ante, seats));
  if (refusal !== undefined) return refusal;
  const desk = deskOf(state);
  const slot = freeSlot(desk);
  if (slot === undefined)
    return refuse('TABLES_FULL', `all ${TABLES_MAX} tables are taken: join one, or wait until one closes`);
  const table: Table = {
    ...{ id: desk.nextTable, title, seatsMax: seats, ante, round: 1, pot: 0, seats: [] },
    phase: { kind: 'open', lastHeight: height },
  };
  const tables = [...desk.tables, { id: table.id, slot, lastHeight: height }];
  saveDesk(state, { ...desk, nextTable: table.id + 1, tables });
  return seat(state, player, table, stake, height, 'open');
}

/** DC-4 */
function join(
  state: StateWriter,
  player: Player,
  { table: id, stake }: Extract<Action, { kind: 'join' }>,
  height: number,
): Done | Refusal {
  const table = tableOf(state, deskOf(state), id);
  if (table === undefined) return refuse('NO_TABLE', `there is no table ${id} any more: choose another`);
  if (table.seats.length >= table.seatsMax)
    return refuse('TABLE_FULL', `all ${table.seatsMax} seats of table ${id} are taken: choose another`);
  const refusal = problemOfStake(player, stake, stakeMinOf(table.ante, table.seatsMax));
  return refusal ?? seat(state, player, table, stake, height, 'join');
}

function problemOfStake(player: Player, stake: number, stakeMin: number): Refusal | undefined {
  if (player.table !== 0) return refuse('SEATED_ALREADY', `you sit at table ${player.table}: leave it first`);
  if (stake < stakeMin)
    return refuse('BAD_STAKE', `a stake of ${stake}: this table asks for ${stakeMin} or more`);
  if (stake > player.chips) return refuse('BAD_STAKE', `a stake of ${stake}: you have ${player.chips} chips`);
  return undefined;
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

/** DC-5 to DC-7 */
function seatedTurn(
  action: SeatedAction,
  table: Table,
  player: Player,
  house: House,
  height: number,
): Turn | Refusal {
  const part = table.seats.find(({ key }) => key === player.key)?.part.kind;
  if (action.kind === 'leave') {
    if (part === 'watching') return getUp(table, player.key);
    return refuse('NOT_NOW', `round ${table.round} is being played: leave when it is over`);
  }
  if (action.round !== table.round)
    return refuse('WRONG_ROUND', `that was for round ${action.round}, and this is round ${table.round}`);
  if (table.phase.kind !== 'open' && height > table.phase.lastHeight)
    return refuse('TOO_LATE', `the time was over at height ${table.phase.lastHeight}, and this is ${height}`);
  if (action.kind === 'commit') {
    if (table.seats.length < SEATS_MIN)
      return refuse('NOT_NOW', 'you are alone at this table: wait for another player');
    if (table.phase.kind !== 'open' && part !== 'due')
      return refuse(
        'NOT_NOW',
        `you ${part === 'watching' ? 'are not part of' : 'have committed in'} round ${table.round} already`,
      );
    return commit(table, player.key, toHex(action.commitment), house, height);
  }
  if (table.phase.kind !== 'revealing')
    return refuse('NOT_NOW', 'others have not committed yet: reveal after them');
  return revealed(action.secret, table, player, house, height);
}

/** DC-6 */
function revealed(
  secret: Uint8Array,
  table: Table,
  player: Player,
  house: House,
  height: number,
): Turn | Refusal {
  const part = table.seats.find(({ key }) => key === player.key)?.part;
  if (part?.kind !== 'committed')
    return refuse('NOT_NOW', `you have nothing to reveal in round ${table.round}`);
  const name = { chainId: house.chainId, table: table.id, round: table.round };
  const key = fromHex(player.key) ?? new Uint8Array();
  const commitment = fromHex(part.commitment) ?? new Uint8Array();
  if (!equalBytes(commitmentOf(name, key, secret), commitment))
    return refuse('WRONG_SECRET', `this is not the secret that you committed to in round ${table.round}`);
  return reveal(table, player.key, toHex(secret), house, height);
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

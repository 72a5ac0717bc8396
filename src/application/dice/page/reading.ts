/** Views out of a node's JSON: what has another shape is no answer. Pure. The gateway of the page. */
import type { LobbyView, PlayerView, TablesView, TableView } from '../views.ts';

type Check = (value: unknown) => boolean;

const text: Check = (value) => typeof value === 'string' && value.length <= 200;
const key: Check = (value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
const secret: Check = (value) => value === '' || key(value);
const whole: Check = (value) => Number.isSafeInteger(value);
const flag: Check = (value) => typeof value === 'boolean';
const oneOf =
  (...words: readonly string[]): Check =>
  (value) =>
    typeof value === 'string' && words.includes(value);
const list =
  (check: Check, most: number): Check =>
  (value) =>
    Array.isArray(value) && value.length <= most && value.every(check);
const shape =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value) => {
    if (typeof value !== 'object' || value === null) return false;
    const found = new Map<string, unknown>(Object.entries(value));
    return Object.entries(checks).every(([name, check]) => check(found.get(name)));
  };

const phaseKind = oneOf('open', 'committing', 'revealing');
const PLAYER = shape({ key, name: text, chips: whole, nonce: whole, table: whole });
const LOBBY = shape({
  version: whole,
  house: shape({
    chainId: text,
    grant: whole,
    patienceHeights: whole,
    idleHeights: whole,
    chips: whole,
    players: whole,
  }),
  tables: list(
    shape({
      ...{ id: whole, title: text, seatsMax: whole, ante: whole, stakeMin: whole, round: whole, pot: whole },
      phase: phaseKind,
      players: list(text, 6),
    }),
    64,
  ),
});
const SEAT = shape({
  ...{ index: whole, key, name: text, stake: whole },
  part: shape({ kind: oneOf('watching', 'due', 'committed', 'revealed', 'absent') }),
});
const PLAYED = shape({
  ...{ index: whole, key, name: text, secret, sum: whole, won: flag, gain: whole },
  part: oneOf('revealed', 'refused', 'absent', 'alone'),
  dice: list((face) => whole(face) && Number(face) >= 1 && Number(face) <= 6, 3),
});
const TABLE = shape({
  table: shape({
    ...{ id: whole, title: text, seatsMax: whole, ante: whole, round: whole, pot: whole, stakeMin: whole },
    phase: shape({ kind: phaseKind, lastHeight: whole }),
    seats: list(SEAT, 6),
  }),
  rounds: list(shape({ table: whole, round: whole, height: whole, pot: whole, seats: list(PLAYED, 6) }), 8),
});

function read<View>(value: unknown, check: Check, what: string): View {
  if (check(value)) return value as View;
  throw new Error(`the node gives something that is no ${what}`);
}

export const readTables = (value: unknown): TablesView =>
  read(value, shape({ version: whole }), 'list of tables');
export const readLobby = (value: unknown): LobbyView => read(value, LOBBY, 'list of tables');
export const readTable = (value: unknown): TableView => (value === null ? null : read(value, TABLE, 'table'));
export const readPlayer = (value: unknown): PlayerView =>
  value === null ? null : read(value, PLAYER, 'player');

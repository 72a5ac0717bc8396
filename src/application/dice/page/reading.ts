/** Views out of a node's JSON: what has another shape is no answer. Pure. The gateway of the page. */
import { DICE_EACH, ROUNDS_KEPT, SEATS_MAX, TABLES_MAX } from '../limits.ts';
import type { PlayerView, TablesView, TableView } from '../views.ts';

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
    genesisHash: key,
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
      players: list(text, SEATS_MAX),
    }),
    TABLES_MAX,
  ),
});
const anyOf =
  (...checks: readonly Check[]): Check =>
  (value) =>
    checks.some((check) => check(value));
const UNCHANGED: Check = (value) =>
  typeof value === 'object' && value !== null && !('house' in value) && shape({ version: whole })(value);
const SEAT = shape({
  ...{ index: whole, key, name: text, stake: whole },
  part: anyOf(
    shape({ kind: oneOf('watching', 'due', 'absent') }),
    shape({ kind: oneOf('committed'), commitment: key }),
    shape({ kind: oneOf('revealed'), commitment: key, secret: key }),
  ),
});
const PLAYED = shape({
  ...{ index: whole, key, name: text, secret, sum: whole, won: flag, gain: whole },
  part: oneOf('revealed', 'refused', 'absent', 'alone'),
  dice: list((face) => whole(face) && Number(face) >= 1 && Number(face) <= 6, DICE_EACH),
});
const TABLE = shape({
  table: shape({
    ...{ id: whole, title: text, seatsMax: whole, ante: whole, round: whole, pot: whole, stakeMin: whole },
    phase: shape({ kind: phaseKind, lastHeight: whole }),
    seats: list(SEAT, SEATS_MAX),
  }),
  rounds: list(
    shape({ table: whole, round: whole, height: whole, pot: whole, seats: list(PLAYED, SEATS_MAX) }),
    ROUNDS_KEPT,
  ),
});

function read<View>(value: unknown, check: Check, what: string): View {
  if (check(value)) return value as View;
  throw new Error(`the node gives something that is no ${what}`);
}

/** @throws also where it is of another chain than that of the page */
export function readTables(value: unknown, genesisHash: string): TablesView {
  const view: TablesView = read(value, anyOf(LOBBY, UNCHANGED), 'list of tables');
  if ('house' in view && view.house.genesisHash !== genesisHash)
    throw new Error(`the node is of another chain: its genesis hash is ${view.house.genesisHash}`);
  return view;
}
export const readTable = (value: unknown): TableView => (value === null ? null : read(value, TABLE, 'table'));
export const readPlayer = (value: unknown): PlayerView =>
  value === null ? null : read(value, PLAYER, 'player');

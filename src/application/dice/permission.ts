/**
 * What a player may do now, and if not, what could still make it right. Pure: it reads the state and changes nothing.
 * Rules DC-4 to DC-8, docs/dice.md.
 */
import { equalBytes, fromHex } from '../../base/bytes.ts';
import type { StateReader } from '../state/rules.ts';
import type { PlayerAction } from './admission.ts';
import { commitmentOf } from './fairness.ts';
import { ANTE_MAX, problemOfName, SEATS_MAX, SEATS_MIN, stakeMinOf, TABLES_MAX } from './limits.ts';
import { type Refusal, refuse } from './refusal.ts';
import { deskOf, freeSlot, houseOf, tableOf } from './state.ts';
import type { Part, Player, Table } from './table.ts';

type Of<Kind extends PlayerAction['kind']> = Extract<PlayerAction, { readonly kind: Kind }>;

/** Undefined: in the block of `height`, this player may. */
export function problemOf(
  player: Player,
  action: PlayerAction,
  state: StateReader,
  height: number,
): Refusal | undefined {
  if (action.kind === 'open') return problemOfOpening(player, action, state);
  const desk = deskOf(state);
  const table = tableOf(state, desk, action.table);
  if (table === undefined) {
    const until = action.table < desk.nextTable ? 'never' : 'others';
    return refuse('NO_TABLE', `there is no table ${action.table} any more: choose another`, until);
  }
  if (action.kind === 'join') return problemOfJoining(player, action, table);
  const isPast = action.kind !== 'leave' && action.round < table.round;
  if (isPast) return wrongRound(action, table);
  const part = table.seats.find(({ key }) => key === player.key)?.part;
  if (part === undefined) {
    const where = player.table === 0 ? '' : `, but at ${player.table}`;
    return refuse('NOT_SEATED', `you do not sit at table ${table.id}${where}`, 'own');
  }
  switch (action.kind) {
    case 'leave':
      if (part.kind === 'watching') return undefined;
      return refuse('NOT_NOW', `round ${table.round} is being played: leave when it is over`, 'others');
    case 'commit':
      return problemOfCommitting(action, table, part, height);
    case 'reveal':
      return problemOfRevealing(action, table, part, player, state, height);
  }
}

/** DC-4 */
function problemOfOpening(
  player: Player,
  { title, seats, ante, stake }: Of<'open'>,
  state: StateReader,
): Refusal | undefined {
  const problem = problemOfName(title);
  if (problem !== undefined) return refuse('BAD_NAME', problem);
  if (seats < SEATS_MIN || seats > SEATS_MAX)
    return refuse('BAD_TABLE', `${seats} seats: a table has ${SEATS_MIN} to ${SEATS_MAX}`);
  if (ante < 1 || ante > ANTE_MAX)
    return refuse('BAD_TABLE', `an ante of ${ante}: it is 1 to ${ANTE_MAX} chips`);
  const refusal = problemOfStake(player, stake, stakeMinOf(ante, seats));
  if (refusal !== undefined) return refusal;
  if (freeSlot(deskOf(state)) !== undefined) return undefined;
  const log = `all ${TABLES_MAX} tables are taken: join one, or wait until one closes`;
  return refuse('TABLES_FULL', log, 'others');
}

/** DC-4 */
function problemOfJoining(player: Player, { stake }: Of<'join'>, table: Table): Refusal | undefined {
  const refusal = problemOfStake(player, stake, stakeMinOf(table.ante, table.seatsMax));
  if (refusal !== undefined) return refusal;
  if (table.seats.length < table.seatsMax) return undefined;
  const log = `all ${table.seatsMax} seats of table ${table.id} are taken: choose another`;
  return refuse('TABLE_FULL', log, 'others');
}

/** DC-7. A seat and chips may come back before: by leaving, or by the end of a round. */
function problemOfStake(player: Player, stake: number, stakeMin: number): Refusal | undefined {
  if (stake < stakeMin)
    return refuse('BAD_STAKE', `a stake of ${stake}: this table asks for ${stakeMin} or more`);
  if (player.table !== 0)
    return refuse('SEATED_ALREADY', `you sit at table ${player.table}: leave it first`, 'others');
  if (stake > player.chips)
    return refuse('BAD_STAKE', `a stake of ${stake}: you have ${player.chips} chips`, 'own');
  return undefined;
}

const wrongRound = ({ round }: Of<'commit' | 'reveal'>, table: Table): Refusal =>
  refuse(
    'WRONG_ROUND',
    `that was for round ${round}, and this is round ${table.round}`,
    round < table.round ? 'never' : 'others',
  );

/** DC-5. A round goes from open to committing to revealing, and never back. */
function problemOfCommitting(
  action: Of<'commit'>,
  table: Table,
  part: Part,
  height: number,
): Refusal | undefined {
  if (action.round > table.round) return wrongRound(action, table);
  if (table.phase.kind === 'open') {
    if (table.seats.length >= SEATS_MIN) return undefined;
    return refuse('NOT_NOW', 'you are alone at this table: wait for another player', 'others');
  }
  if (height > table.phase.lastHeight) return tooLate(table, height);
  if (part.kind === 'due' && table.phase.kind === 'committing') return undefined;
  const has = part.kind === 'watching' ? 'are not part of' : 'have committed in';
  return refuse('NOT_NOW', `you ${has} round ${table.round} already`);
}

/** DC-6 */
function problemOfRevealing(
  action: Of<'reveal'>,
  table: Table,
  part: Part,
  player: Player,
  state: StateReader,
  height: number,
): Refusal | undefined {
  if (action.round > table.round) return wrongRound(action, table);
  if (part.kind !== 'committed') {
    const until = table.phase.kind === 'revealing' ? 'never' : 'own';
    return refuse('NOT_NOW', `you have nothing to reveal in round ${table.round}`, until);
  }
  const name = { genesisHash: houseOf(state).genesisHash, table: table.id, round: table.round };
  const key = fromHex(player.key) ?? new Uint8Array();
  const commitment = fromHex(part.commitment) ?? new Uint8Array();
  if (!equalBytes(commitmentOf(name, key, action.secret), commitment))
    return refuse('WRONG_SECRET', `this is not the secret that you committed to in round ${table.round}`);
  if (table.phase.kind !== 'revealing')
    return refuse('NOT_NOW', 'others have not committed yet: reveal after them', 'others');
  return height > table.phase.lastHeight ? tooLate(table, height) : undefined;
}

const tooLate = ({ phase }: Table, height: number): Refusal =>
  refuse('TOO_LATE', `the time was over at height ${phase.lastHeight}, and this is ${height}`);

/**
 * What happens to a table: sitting down and getting up, committing, revealing, and how a round ends. Pure: a table goes in, the
 * table after it comes out, with the chips that leave it. No chip appears or vanishes (DC-10). Rules DC-5 to DC-9, docs/dice.md.
 */
import { hexToBytes } from '@noble/hashes/utils.js';
import { diceOf, type Reveal } from './fairness.ts';
import { stakeMinOf } from './limits.ts';
import type { House, Part, PlayedRound, PlayedSeat, Seat, Table } from './table.ts';

/** A table after something happened. Without seats it is closed. */
export interface Turn {
  readonly table: Table;
  /** Who got up, with all that was theirs. */
  readonly left: readonly { readonly key: string; readonly chips: number }[];
  readonly played?: PlayedRound;
}

const WATCHING: Part = { kind: 'watching' };

/** DC-7. The seat is the lowest that is free; who sits down while a round is played watches it. */
export function sitDown(table: Table, player: { key: string; name: string }, stake: number): Turn {
  const taken = new Set(table.seats.map(({ index }) => index));
  let index = 0;
  while (taken.has(index)) index += 1;
  const seat: Seat = { index, key: player.key, name: player.name, stake, part: WATCHING };
  return stays({
    ...table,
    seats: [...table.seats, seat].toSorted((left, right) => left.index - right.index),
  });
}

/** DC-7. For a player who watches. */
export const getUp = (table: Table, key: string): Turn => without(table, (seat) => seat.key === key);

/** DC-5. The first commitment of a round begins it: everybody at the table pays the ante. */
export function commit(table: Table, key: string, commitment: string, house: House, height: number): Turn {
  const begun = table.phase.kind === 'open' ? begin(table, house, height) : table;
  const committed = withPart(begun, key, { kind: 'committed', commitment });
  const isComplete = committed.seats.every(({ part }) => part.kind !== 'due');
  return stays(isComplete ? awaitReveals(committed, house, height) : committed);
}

/** DC-6. The last reveal ends the round. */
export function reveal(table: Table, key: string, secret: string, house: House, height: number): Turn {
  const seat = table.seats.find((found) => found.key === key);
  if (seat?.part.kind !== 'committed') return stays(table);
  const revealed = withPart(table, key, { kind: 'revealed', commitment: seat.part.commitment, secret });
  const isComplete = revealed.seats.every(({ part }) => part.kind !== 'committed');
  return isComplete ? settle(revealed, house, height) : stays(revealed);
}

/** DC-8. The time of the phase is over. */
export function timeOut(table: Table, house: House, height: number): Turn {
  if (table.phase.kind === 'open') return without(table, () => true);
  if (table.phase.kind === 'revealing') return settle(table, house, height);
  const seats = table.seats.map(
    (seat): Seat => (seat.part.kind === 'due' ? { ...seat, part: { kind: 'absent' } } : seat),
  );
  const committed = seats.filter(({ part }) => part.kind === 'committed');
  const late = { ...table, seats };
  return committed.length < 2 ? settle(late, house, height) : stays(awaitReveals(late, house, height));
}

function begin(table: Table, house: House, height: number): Table {
  return {
    ...table,
    phase: { kind: 'committing', lastHeight: height + house.patienceHeights },
    pot: table.seats.length * table.ante,
    seats: table.seats.map((seat) => ({ ...seat, stake: seat.stake - table.ante, part: { kind: 'due' } })),
  };
}

const awaitReveals = (table: Table, house: House, height: number): Table => ({
  ...table,
  phase: { kind: 'revealing', lastHeight: height + house.patienceHeights },
});

/** DC-8, DC-9: forfeits, dice, pot; then those leave who were late or have too few chips for another round. */
function settle(table: Table, house: House, height: number): Turn {
  const { pot } = table;
  const revealed = table.seats.filter(({ part }) => part.kind === 'revealed');
  const committed = table.seats.filter(({ part }) => part.kind === 'committed');
  const dice = thrown(table, revealed, house);
  const best = Math.max(0, ...[...dice.values()].map(sumOf));
  const winners =
    revealed.length === 0 ? committed : revealed.filter(({ key }) => sumOf(dice.get(key)) === best);
  const gains = new Map(shares(pot, winners));
  // A refusal costs a full pot for every other one who committed, however many of them reveal.
  const forfeit = revealed.length === 0 ? 0 : pot * (revealed.length + committed.length - 1);
  for (const { key } of committed) if (forfeit > 0) gains.set(key, -forfeit);
  for (const [key, chips] of shares(forfeit * committed.length, revealed)) {
    gains.set(key, (gains.get(key) ?? 0) + chips);
  }
  const seats = table.seats.map((seat) => ({ ...seat, stake: seat.stake + (gains.get(seat.key) ?? 0) }));
  const isRevealing = table.phase.kind === 'revealing';
  const played: PlayedRound = {
    ...{ table: table.id, round: table.round, height, pot },
    seats: table.seats
      .filter(({ part }) => part.kind !== 'watching')
      .map((seat) => {
        const gain = (gains.get(seat.key) ?? 0) - table.ante;
        const won = winners.includes(seat);
        return playedSeat(seat, dice.get(seat.key) ?? [], won, gain, isRevealing);
      }),
  };
  const stakeMin = stakeMinOf(table.ante, table.seatsMax);
  const { table: next, left } = without({ ...table, seats }, ({ part, stake }) => {
    const isLate = part.kind === 'absent' || (isRevealing && part.kind === 'committed');
    return isLate || stake < stakeMin;
  });
  return {
    table: {
      ...next,
      round: table.round + 1,
      phase: { kind: 'open', lastHeight: height + house.idleHeights },
      pot: 0,
      seats: next.seats.map((seat) => ({ ...seat, part: WATCHING })),
    },
    left,
    played,
  };
}

function thrown(
  table: Table,
  revealed: readonly Seat[],
  house: House,
): ReadonlyMap<string, readonly number[]> {
  const reveals = revealed.map(
    ({ index, key, part }): Reveal => ({
      seat: index,
      player: hexToBytes(key),
      secret: hexToBytes(part.kind === 'revealed' ? part.secret : ''),
    }),
  );
  const dice = diceOf({ genesisHash: house.genesisHash, table: table.id, round: table.round }, reveals);
  return new Map(revealed.map(({ key }, position) => [key, dice[position] ?? []]));
}

/** DC-9: equal parts; what is left over goes chip by chip to the lowest seats. */
function shares(chips: number, seats: readonly Seat[]): readonly (readonly [key: string, chips: number])[] {
  const each = Math.floor(chips / Math.max(1, seats.length));
  const rest = chips - each * seats.length;
  return seats.map(({ key }, position) => [key, each + (position < rest ? 1 : 0)]);
}

function playedSeat(
  { index, key, name, part }: Seat,
  dice: readonly number[],
  won: boolean,
  gain: number,
  isRevealing: boolean,
): PlayedSeat {
  const secret = part.kind === 'revealed' ? part.secret : '';
  const known = { index, key, name, secret, dice, sum: sumOf(dice), won, gain };
  if (part.kind === 'revealed' || part.kind === 'absent') return { ...known, part: part.kind };
  return { ...known, part: isRevealing ? 'refused' : 'alone' };
}

const sumOf = (dice: readonly number[] = []): number => dice.reduce((sum, face) => sum + face, 0);

const withPart = (table: Table, key: string, part: Part): Table => ({
  ...table,
  seats: table.seats.map((seat) => (seat.key === key ? { ...seat, part } : seat)),
});

const stays = (table: Table): Turn => ({ table, left: [] });

function without(table: Table, leaves: (seat: Seat) => boolean): Turn {
  const left = table.seats.filter(leaves).map(({ key, stake }) => ({ key, chips: stake }));
  return { table: { ...table, seats: table.seats.filter((seat) => !leaves(seat)) }, left };
}

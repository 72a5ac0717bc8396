/** What the page says. Pure. */
import type { Outcome } from '../../../client/index.ts';
import { SEATS_MIN } from '../limits.ts';
import type { PlayedRound, PlayedSeat } from '../table.ts';
import type { TableView } from '../views.ts';

export function outcomeWords(outcome: Outcome, took: number): string {
  const after = `${Math.round(took)} ms`;
  switch (outcome.status) {
    case 'committed':
      return outcome.result.code === 0
        ? `committed at height ${outcome.height}, ${after}`
        : `did not count (height ${outcome.height}): ${outcome.result.log}`;
    case 'expired':
      return `never happened: no block took it up to height ${outcome.height}`;
    case 'rejected':
      return `refused: ${outcome.reason}`;
  }
}

type Table = NonNullable<TableView>['table'];

/** What the table waits for, said to the player with this key. */
export function phaseWords(table: Table, key: string): string {
  const mine = table.seats.find((seat) => seat.key === key)?.part.kind;
  const late = table.seats.filter(
    ({ part }) => part.kind === (table.phase.kind === 'committing' ? 'due' : 'committed'),
  );
  const names = listed(late.map((seat) => (seat.key === key ? 'you' : seat.name)));
  switch (table.phase.kind) {
    case 'open':
      if (table.seats.length < SEATS_MIN) return 'Waiting for another player to sit down.';
      return mine === undefined
        ? 'Waiting for somebody to roll.'
        : 'Press Roll whenever you like: the first roll starts the round.';
    case 'committing':
      return mine === 'due'
        ? 'The round has begun: roll, or lose your ante.'
        : `Waiting for ${names} to roll.`;
    case 'revealing':
      return `All are locked in. Opening the dice of ${names}…`;
  }
}

export function roundWords({ seats, pot }: PlayedRound): string {
  const winners = seats.filter(({ won }) => won);
  const names = listed(winners.map(({ name }) => name));
  const [first] = winners;
  if (first === undefined) return 'Nobody won.';
  if (first.part === 'alone') return `${names} alone rolled, and takes the pot of ${pot}.`;
  if (first.part === 'refused') return `Nobody opened the dice: ${names} get the pot of ${pot} back.`;
  return winners.length === 1
    ? `${names} wins the pot of ${pot} with ${first.sum}.`
    : `${names} share the pot of ${pot}, with ${first.sum} each.`;
}

export function partWords({ part, sum }: PlayedSeat): string {
  switch (part) {
    case 'revealed':
      return String(sum);
    case 'refused':
      return 'did not open';
    case 'absent':
      return 'did not roll';
    case 'alone':
      return 'alone';
  }
}

export const signed = (count: number): string => (count > 0 ? `+${count}` : count < 0 ? `−${-count}` : '±0');

export const blocks = (count: number): string => (count === 1 ? '1 block' : `${count} blocks`);

export function listed(names: readonly string[]): string {
  const last = names.at(-1) ?? 'nobody';
  return names.length < 2 ? last : `${names.slice(0, -1).join(', ')} and ${last}`;
}

/** The table that is shown: seats with their dice, the pot, the countdown, and what one can press. Boundary: the document. */
import { SEATS_MAX, SEATS_MIN } from '../limits.ts';
import type { PlayedRound, PlayedSeat, Seat } from '../table.ts';
import { avatar, byId, chips, element, place } from './elements.ts';
import { isStill } from './panels.ts';
import { SeatCard } from './seat-card.ts';
import type { Model } from './session.ts';
import { blocks, phaseWords, roundWords } from './words.ts';

/** How long a result is looked at before the next round's dice are shown. @unit ms */
const RESULT_MS = 4_500;

export class Board {
  readonly #key: string;
  readonly #cards = Array.from({ length: SEATS_MAX }, () => new SeatCard());
  readonly #seats = byId('seats', HTMLElement);
  readonly #result = byId('result', HTMLElement);
  /** Table and round of the newest result that was shown, and until when it is. */
  #shown = '';
  #until = 0;

  constructor(key: string) {
    this.#key = key;
    this.#seats.append(...this.#cards.map(({ root }) => root));
  }

  draw(model: Model): void {
    const { table: view, height, player, busy } = model;
    if (view === null) return;
    const { table, rounds } = view;
    const mine = table.seats.find(({ key }) => key === this.#key)?.part.kind;
    // Who has rolled again looks ahead.
    const isOver = table.phase.kind === 'open';
    const result = this.#resultToShow(table.id, rounds[0], isOver, mine === 'committed');
    place(byId('table-title', HTMLElement), [table.title, table.id], () => [table.title]);
    byId('table-facts', HTMLElement).textContent =
      `Table ${table.id} · ante ${chips(table.ante)} · round\u00a0${table.round}`;
    byId('pot', HTMLElement).textContent = chips(result === undefined ? table.pot : result.pot);
    byId('pot-label', HTMLElement).textContent = result === undefined ? 'in the pot' : 'was in the pot';
    byId('phase', HTMLElement).textContent = phaseWords(table, this.#key);
    this.#result.hidden = result === undefined;
    if (result !== undefined)
      place(this.#result, [table.id, result.round], () => [
        element('span', { class: 'known' }, roundWords(result)),
      ]);
    this.#drawCountdown(table.phase, height);
    for (const [index, card] of this.#cards.entries()) {
      const seat = table.seats.find((found) => found.index === index);
      const played = result?.seats.find((found) => found.index === index);
      card.root.hidden = index >= table.seatsMax;
      card.draw(merged(seat, played), played, seat, result?.round ?? table.round, this.#key);
    }
    this.#seats.dataset['seats'] = String(table.seatsMax);
    this.#drawButtons(table, player?.table === table.id, busy !== undefined || isStill(model));
  }

  /** The newest result stays for a while, and then as long as nobody has rolled again. */
  #resultToShow(
    id: number,
    round: PlayedRound | undefined,
    isOpen: boolean,
    isPast: boolean,
  ): PlayedRound | undefined {
    if (round === undefined) return undefined;
    const name = `${id}/${round.round}`;
    if (this.#shown !== name) {
      this.#shown = name;
      this.#until = performance.now() + RESULT_MS;
    }
    return isOpen || (!isPast && performance.now() < this.#until) ? round : undefined;
  }

  #drawCountdown({ kind, lastHeight }: { kind: string; lastHeight: number }, height: number): void {
    const countdown = byId('countdown', HTMLElement);
    countdown.hidden = kind === 'open';
    if (kind === 'open') return;
    const left = Math.max(0, lastHeight - height);
    byId('countdown-text', HTMLElement).textContent = `${blocks(left)} left`;
    const bar = byId('countdown-bar', HTMLProgressElement);
    bar.max = Math.max(left, Number(countdown.dataset['of'] ?? 0));
    if (countdown.dataset['phase'] !== `${kind}/${lastHeight}`) {
      countdown.dataset['phase'] = `${kind}/${lastHeight}`;
      countdown.dataset['of'] = String(left);
      bar.max = Math.max(1, left);
    }
    bar.value = left;
  }

  #drawButtons(
    table: { seats: readonly Seat[]; phase: { kind: string } },
    isMine: boolean,
    isBusy: boolean,
  ): void {
    const part = table.seats.find(({ key }) => key === this.#key)?.part.kind;
    const canRoll =
      isMine && table.seats.length >= SEATS_MIN && (table.phase.kind === 'open' || part === 'due');
    const roll = byId('roll', HTMLButtonElement);
    roll.hidden = !isMine;
    roll.disabled = !canRoll || isBusy;
    roll.textContent = part === 'committed' || part === 'revealed' ? 'Locked in' : 'Roll';
    roll.dataset['urgent'] = String(part === 'due');
    const leave = byId('leave', HTMLButtonElement);
    leave.hidden = !isMine;
    leave.disabled = part !== 'watching' || isBusy;
  }
}

/** Who sits there now, or sat there in the round that is shown. */
const merged = (
  seat: Seat | undefined,
  played: PlayedSeat | undefined,
): { key: string; name: string } | undefined => played ?? seat;

/** Past rounds of the table, newest first. */
export function drawHistory(rounds: readonly PlayedRound[], isFair: (round: PlayedRound) => boolean): void {
  place(
    byId('rounds', HTMLElement),
    rounds.map(({ table, round }) => [table, round]),
    () =>
      rounds.map((round) =>
        element(
          'li',
          {},
          element('span', { class: 'round-number' }, `#${round.round}`),
          element(
            'span',
            { class: 'round-faces' },
            ...round.seats.map((seat) =>
              element(
                'span',
                { class: seat.won ? 'mini won' : 'mini', title: `${seat.name}: ${seat.dice.join(' ')}` },
                avatar(seat.key, seat.name),
                seat.sum === 0 ? '–' : String(seat.sum),
              ),
            ),
          ),
          element('span', { class: 'round-words' }, roundWords(round)),
          isFair(round)
            ? element(
                'span',
                { class: 'checked', title: 'This page threw the dice again from the secrets: the same.' },
                '✓ dice checked',
              )
            : element('span', { class: 'unfair' }, '✗ the dice do not follow from the secrets'),
        ),
      ),
  );
}

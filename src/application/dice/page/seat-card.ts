/** One seat of the shown table. It lives as long as the page, so that its dice can roll from state to state. Boundary: the document. */
import { DICE_EACH } from '../limits.ts';
import type { PlayedSeat, Seat } from '../table.ts';
import { Die, type DieState } from './die.ts';
import { avatar, chips, element, place } from './elements.ts';
import { partWords, signed } from './words.ts';

/** Between the dice of one seat, and between seats. @unit ms */
const DIE_DELAY = 90;
const SEAT_DELAY = 160;

export class SeatCard {
  readonly root: HTMLElement;
  readonly #who = element('div', { class: 'seat-who' });
  readonly #state = element('div', { class: 'seat-state' });
  readonly #dice = Array.from({ length: DICE_EACH }, () => new Die());

  constructor() {
    const dice = element('div', { class: 'seat-dice' }, ...this.#dice.map(({ root }) => root));
    this.root = element('li', { class: 'seat' }, this.#who, dice, this.#state);
  }

  draw(
    who: { readonly key: string; readonly name: string } | undefined,
    played: PlayedSeat | undefined,
    seat: Seat | undefined,
    round: number,
    key: string,
  ): void {
    const isMe = who?.key === key;
    this.root.classList.toggle('free', who === undefined);
    this.root.classList.toggle('me', isMe);
    this.root.classList.toggle('won', played?.won === true);
    this.root.classList.toggle('lost', played?.won === false);
    const stake = seat?.key === who?.key ? seat?.stake : undefined;
    place(this.#who, [who, isMe, stake], () => {
      if (who === undefined) return [element('span', { class: 'seat-name' }, 'free seat')];
      return [
        avatar(who.key, who.name),
        element('span', { class: 'seat-name' }, who.name),
        isMe ? element('span', { class: 'you' }, 'you') : undefined,
        element('span', { class: 'seat-stake' }, stake === undefined ? 'left' : chips(stake)),
      ];
    });
    const [text, gain] = seatWords(played, seat);
    place(this.#state, [text, gain, played === undefined ? 0 : round], () => [
      element('span', { class: played === undefined ? undefined : 'known' }, text),
      gain === 0
        ? undefined
        : element('strong', { class: gain > 0 ? 'gain known' : 'loss known' }, signed(gain)),
    ]);
    for (const [position, die] of this.#dice.entries()) {
      const delay = SEAT_DELAY * (played?.index ?? 0) + DIE_DELAY * position;
      die.show(dieState(played, seat, position), delay);
    }
  }
}

function dieState(played: PlayedSeat | undefined, seat: Seat | undefined, position: number): DieState {
  if (played !== undefined) return played.dice[position] ?? 'empty';
  switch (seat?.part.kind) {
    case 'committed':
      return 'hidden';
    case 'revealed':
      return 'tumbling';
    default:
      return 'empty';
  }
}

function seatWords(
  played: PlayedSeat | undefined,
  seat: Seat | undefined,
): readonly [text: string, gain: number] {
  if (played !== undefined) return [partWords(played), played.gain];
  switch (seat?.part.kind) {
    case undefined:
      return ['', 0];
    case 'watching':
      return ['ready', 0];
    case 'due':
      return ['has not rolled yet', 0];
    case 'committed':
      return ['rolled, locked in', 0];
    case 'revealed':
      return ['opened', 0];
    case 'absent':
      return ['did not roll', 0];
  }
}

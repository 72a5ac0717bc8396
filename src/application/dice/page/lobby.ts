/** The list of tables, and the form that opens one. Boundary: the document. */
import { NAME_BYTES_MAX, stakeMinOf } from '../limits.ts';
import type { LobbyView, TableSummary } from '../views.ts';
import { button, byId, chips, element, place } from './elements.ts';
import type { Model, Session } from './session.ts';

/** Rounds that the chips one sits down with are good for, at the least. @unit least stakes */
const STAKES_AT_FIRST = 3;
const PHASES = { open: 'between rounds', committing: 'rolling', revealing: 'opening dice' } as const;

export function startLobby(session: Session): void {
  const form = byId('open-form', HTMLFormElement);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const { player } = session.model;
    if (player === null) return;
    const { seats, ante } = chosen(form);
    const title = byId('open-title', HTMLInputElement).value.trim() || titleOf(player.name);
    const stake = stakeOf(player.chips, stakeMinOf(ante, seats));
    void session.act({ kind: 'open', title, seats, ante, stake }, `Open the table “${title}”`);
  });
  form.addEventListener('input', () => drawStake(session.model));
}

export function drawLobby({ lobby, player, busy }: Model, session: Session): void {
  const isBusy = busy !== undefined;
  place(byId('tables', HTMLElement), [lobby?.tables, player?.chips, player?.table, isBusy], () =>
    (lobby?.tables ?? []).map((table) => tableCard(table, player, isBusy, session)),
  );
  byId('no-tables', HTMLElement).hidden = lobby === undefined || lobby.tables.length > 0;
  byId('open-form', HTMLFormElement).hidden = player === null || player.table !== 0;
  drawStake(session.model);
}

function tableCard(
  table: TableSummary,
  player: Model['player'],
  isBusy: boolean,
  session: Session,
): HTMLElement {
  const { id, title, seatsMax, ante, stakeMin, players, phase } = table;
  const isMine = player?.table === id;
  const problem = problemOf(table, player);
  const stake = stakeOf(player?.chips ?? 0, stakeMin);
  const sit = button(
    { class: 'primary', id: `join-${id}`, disabled: problem !== undefined || isBusy, title: problem },
    `Sit down with ${chips(stake)}`,
    () => void session.act({ kind: 'join', table: id, stake }, `Sit down at “${title}”`),
  );
  const look = button(
    { class: isMine ? 'primary' : 'quiet', id: `look-${id}` },
    isMine ? 'Back to my seat' : 'Watch',
    () => void session.show(id),
  );
  return element(
    'li',
    { class: 'table-card' },
    element('h3', {}, title),
    element('p', { class: 'muted' }, `Ante ${chips(ante)} · ${PHASES[phase]}`),
    element(
      'p',
      { class: 'pips-of-seats', role: 'img', 'aria-label': `${players.length} of ${seatsMax} seats taken` },
      ...Array.from({ length: seatsMax }, (_, index) =>
        element('span', { class: index < players.length ? 'taken' : '' }),
      ),
    ),
    element('p', { class: 'names' }, players.join(', ')),
    element('div', { class: 'row' }, isMine || player === null ? undefined : sit, look),
    problem === undefined || isMine || player === null
      ? undefined
      : element('p', { class: 'muted small' }, problem),
  );
}

function problemOf(
  { players, seatsMax, stakeMin }: TableSummary,
  player: Model['player'],
): string | undefined {
  if (player === null) return 'Choose a name first.';
  if (player.table !== 0) return 'You sit at a table already: leave it first.';
  if (players.length >= seatsMax) return 'All seats are taken.';
  if (player.chips < stakeMin) return `It takes ${chips(stakeMin)} chips to sit here.`;
  return undefined;
}

function drawStake({ player, busy }: Model): void {
  const { seats, ante } = chosen(byId('open-form', HTMLFormElement));
  const stakeMin = stakeMinOf(ante, seats);
  const held = player?.chips ?? 0;
  const isEnough = held >= stakeMin;
  byId('open-stake', HTMLElement).textContent = isEnough
    ? `You sit down with ${chips(stakeOf(held, stakeMin))} chips.`
    : `It takes ${chips(stakeMin)} chips, and you have ${chips(held)}: choose a lower ante or fewer seats.`;
  byId('open-table', HTMLButtonElement).disabled = !isEnough || busy !== undefined;
}

function chosen(form: HTMLFormElement): { readonly seats: number; readonly ante: number } {
  const data = new FormData(form);
  return { seats: Number(data.get('seats') ?? 4), ante: Number(data.get('ante') ?? 5) };
}

const stakeOf = (held: number, stakeMin: number): number =>
  Math.max(stakeMin, Math.min(held, STAKES_AT_FIRST * stakeMin));

/** Fits whatever the name is long. */
function titleOf(name: string): string {
  const letters = [...name];
  const bytes = (text: string): number => new TextEncoder().encode(text).byteLength;
  while (bytes(`${letters.join('').trim()}’s table`) > NAME_BYTES_MAX) letters.pop();
  return `${letters.join('').trim()}’s table`;
}

export const houseWords = ({ house }: LobbyView): string =>
  `${chips(house.players)} players · the house has ${chips(house.chips)} chips`;

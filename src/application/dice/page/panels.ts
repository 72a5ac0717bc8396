/** The head of the page and its side: who plays, how the network is, what was sent. Boundary: the document. */
import { avatar, byId, chips, element, place } from './elements.ts';
import type { Identity } from './identity.ts';
import type { Endpoint, Network } from './network.ts';
import type { Model } from './session.ts';
import { outcomeWords } from './words.ts';

const hostOf = (origin: string): string => new URL(origin).host;

export function drawIdentity({ player, table }: Model, identity: Identity): void {
  const seat = table?.table.seats.find(({ key }) => key === identity.key);
  const laid = seat === undefined ? '' : ` + ${chips(seat.stake)} on the table`;
  place(byId('me', HTMLElement), [player?.name, player?.chips, laid], () =>
    player === null
      ? []
      : [
          avatar(identity.key, player.name),
          element('span', { class: 'me-name' }, player.name),
          element('span', { class: 'me-chips' }, `${chips(player.chips)} chips${laid}`),
        ],
  );
}

export function drawNetwork(model: Model, network: Network, identity: Identity): void {
  const { endpoints, current } = network;
  const home = endpoints[0];
  const pill = byId('network-pill', HTMLElement);
  pill.dataset['status'] = model.isAlone ? 'down' : current.status;
  byId('network-name', HTMLElement).textContent = model.isAlone ? 'no node answers' : hostOf(current.origin);
  byId('network-height', HTMLElement).textContent = `height ${model.height.toLocaleString('en')}`;
  place(byId('endpoints', HTMLElement), [endpoints, current.origin], () =>
    endpoints.map((endpoint) => endpointRow(endpoint, endpoint.origin === current.origin, identity)),
  );
  const notice = byId('notice', HTMLElement);
  const text = noticeOf(model, home, current);
  notice.hidden = text === '';
  if (notice.textContent !== text) notice.textContent = text;
}

function noticeOf({ isAlone }: Model, home: Endpoint | undefined, current: Endpoint): string {
  if (isAlone)
    return 'No node of the network answers. The page goes on trying; your seat and chips are safe on the chain.';
  if (home === undefined || home.status !== 'down' || home.origin === current.origin) return '';
  return `${hostOf(home.origin)} does not answer. You are playing on through ${hostOf(current.origin)}.`;
}

function endpointRow(
  { origin, status, height }: Endpoint,
  isCurrent: boolean,
  identity: Identity,
): HTMLElement {
  const words =
    status === 'down' ? 'does not answer' : status === 'untried' ? 'not asked yet' : `height ${height}`;
  return element(
    'li',
    { 'data-status': status },
    element('span', { class: 'dot', 'aria-hidden': 'true' }),
    element('span', { class: 'endpoint-name' }, hostOf(origin)),
    element('span', { class: 'muted' }, isCurrent && status === 'up' ? `${words} · in use` : words),
    origin === location.origin || status === 'down'
      ? undefined
      : element(
          'a',
          { href: identity.linkTo(origin), title: 'Open this page there, as the same player' },
          'open',
        ),
  );
}

export function drawLog({ log }: Model): void {
  place(byId('log', HTMLElement), log, () =>
    log.map(({ what, outcome, took }) => {
      const isGood = outcome?.status === 'committed' && outcome.code === 0;
      const status = outcome === undefined ? 'pending' : isGood ? 'good' : 'bad';
      return element(
        'li',
        { 'data-status': status },
        element('span', { class: 'dot', 'aria-hidden': 'true' }),
        element('span', {}, what),
        element(
          'span',
          { class: 'muted' },
          outcome === undefined ? 'on its way…' : outcomeWords(outcome, took),
        ),
      );
    }),
  );
}

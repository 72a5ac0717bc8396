/** The head of the page and its side: who plays, how the network is, what was sent. Boundary: the document. */
import { avatar, byId, chips, element, place } from './elements.ts';
import type { Identity } from './identity.ts';
import type { Endpoint, Network } from './network.ts';
import type { Model } from './session.ts';
import { listed, outcomeWords } from './words.ts';

/** A chain at rest makes a block a second. @unit ms @source three of them: a round whose leader is down seldom takes as long */
const STILL_MS = 3_000;

/** Nothing has been decided lately: what is sent now would wait. */
export const isStill = ({ lobby, heightAt }: Pick<Model, 'lobby' | 'heightAt'>): boolean =>
  lobby !== undefined && performance.now() - heightAt > STILL_MS;

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
  const pill = byId('network-pill', HTMLElement);
  pill.dataset['status'] = model.isAlone ? 'down' : current.status;
  byId('network-name', HTMLElement).textContent = model.isAlone ? 'no node answers' : hostOf(current.origin);
  byId('network-height', HTMLElement).textContent = `height ${model.height.toLocaleString('en')}`;
  const up = endpoints.filter(({ status }) => status !== 'down').length;
  byId('network-up', HTMLElement).textContent = `${up} of ${endpoints.length} nodes`;
  pill.dataset['whole'] = String(up === endpoints.length);
  byId('needed', HTMLElement).textContent = neededWords(network);
  place(byId('endpoints', HTMLElement), [endpoints, current.origin], () =>
    endpoints.map((endpoint) => endpointRow(endpoint, endpoint.origin === current.origin, identity)),
  );
  const notice = byId('notice', HTMLElement);
  const text = noticeOf(model, network);
  notice.hidden = text === '';
  if (notice.textContent !== text) notice.textContent = text;
}

/** The gravest alone. */
function noticeOf(model: Model, { endpoints, current, needed }: Network): string {
  if (model.isAlone)
    return 'No node of the network answers. The page goes on trying; your seat and chips are safe on the chain.';
  if (isStill(model))
    return `No new block for ${Math.round((performance.now() - model.heightAt) / 1_000)} seconds: too few validators agree now. The game waits, nothing is lost, and it goes on when they are back.`;
  if (model.isContradicted)
    return `${hostOf(current.origin)} says that all have rolled, and the other nodes do not say so. It is not believed: your dice stay closed.`;
  if (model.isUnsure)
    return `Waiting until ${needed} of ${endpoints.length} nodes say the same: one alone is not believed in what you sign, and your dice stay closed so long.`;
  const down = endpoints.filter(({ status }) => status === 'down').map(({ origin }) => origin);
  const [home] = endpoints;
  if (home?.status === 'down' && home.origin !== current.origin)
    return `${hostOf(home.origin)} does not answer. You are playing on through ${hostOf(current.origin)}.`;
  if (down.length === 0) return '';
  return `${listed(down.map(hostOf))} ${down.length === 1 ? 'does' : 'do'} not answer. The game goes on while enough others do.`;
}

const neededWords = ({ endpoints, needed }: Network): string =>
  needed === 1
    ? 'This page knows too few nodes to compare them: it believes the one it asks.'
    : `Before it signs, this page wants ${needed} of ${endpoints.length} nodes to say the same: one that lies cannot have your dice opened early.`;

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
    element('span', { class: 'muted' }, isCurrent && status === 'up' ? 'in use' : words),
    origin === location.origin || status === 'down'
      ? undefined
      : element(
          'a',
          {
            href: identity.linkTo(origin),
            title: 'Open this page there, as the same player. The link holds your key: keep it to yourself.',
          },
          'open',
        ),
  );
}

export function drawLog({ log }: Model): void {
  place(byId('log', HTMLElement), log, () =>
    log.map(({ what, outcome, took }) => {
      const isGood = outcome?.status === 'committed' && outcome.result.code === 0;
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

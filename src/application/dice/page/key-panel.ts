/** Whose key the page uses, those it used before, and the question whether a link's key is to be used. Boundary: the document. */
import { avatar, button, byId, chips, element } from './elements.ts';
import type { Keys, OtherKey } from './identity.ts';
import type { Network } from './network.ts';
import { readPlayer } from './reading.ts';

/** As people compare keys: the beginning and the end. */
export const shortKey = (key: string): string => `${key.slice(0, 8)}…${key.slice(-4)}`;

export function startKeyPanel({ identity, earlier, offered }: Keys, network: Network): void {
  byId('own-key', HTMLElement).replaceChildren(...keyLine(identity.key));
  byId('own-key', HTMLElement).title = identity.key;
  byId('earlier', HTMLElement).hidden = earlier.length === 0;
  byId('earlier-keys', HTMLElement).replaceChildren(
    ...earlier.map((other) => {
      const again = button({ class: 'quiet' }, 'Use again', () => take(other));
      const words = element('span', { class: 'muted' });
      void nameOf(other.key, network).then((name) => words.append(name));
      return element('li', {}, ...keyLine(other.key), words, again);
    }),
  );
  // A link that is opened in this very tab loads nothing anew by itself.
  addEventListener('hashchange', () => location.reload());
  if (offered !== undefined) ask(offered, identity.key, network);
}

function ask(offered: OtherKey, ownKey: string, network: Network): void {
  const dialog = byId('handover', HTMLDialogElement);
  const fill = (id: string, key: string): void => {
    const words = element('span', { class: 'muted' });
    byId(id, HTMLElement).replaceChildren(...keyLine(key), words);
    void nameOf(key, network).then((name) => words.append(name));
  };
  fill('handover-offered', offered.key);
  fill('handover-own', ownKey);
  byId('handover-keep', HTMLButtonElement).addEventListener('click', () => dialog.close());
  byId('handover-use', HTMLButtonElement).addEventListener('click', () => take(offered));
  dialog.showModal();
}

function take(other: OtherKey): void {
  try {
    other.use();
    location.reload();
  } catch (failure) {
    byId('key-problem', HTMLElement).textContent =
      failure instanceof Error ? failure.message : String(failure);
    byId('handover', HTMLDialogElement).close();
  }
}

const keyLine = (key: string): readonly HTMLElement[] => [
  avatar(key, ''),
  element('code', {}, shortKey(key)),
];

/** One node's word, and only shown. */
async function nameOf(key: string, network: Network): Promise<string> {
  try {
    const { view } = await network.query('/player', key, readPlayer);
    return view === null ? 'has no name here yet' : `${view.name}, ${chips(view.chips)} chips`;
  } catch {
    return 'no node says whose it is';
  }
}

/** The page of dice: opens the player's key, connects, and draws what it learns. Boundary: the document. docs/dice.md. */
import { hexToBytes } from '@noble/hashes/utils.js';
import { diceOf, type Reveal } from '../fairness.ts';
import { problemOfName } from '../limits.ts';
import type { PlayedRound } from '../table.ts';
import { Board, drawHistory } from './board.ts';
import { Die } from './die.ts';
import { byId, chips } from './elements.ts';
import { openKeys } from './identity.ts';
import { startKeyPanel } from './key-panel.ts';
import { drawLobby, houseWords, startLobby } from './lobby.ts';
import { connectTo } from './network.ts';
import { drawIdentity, drawLog, drawNetwork } from './panels.ts';
import { Session } from './session.ts';

/** Between two looks at the chain. @unit ms @source faster than blocks come */
const POLL_MS = 300;
/** … while nobody sees the page and no round waits for it. @unit ms @source a tenth of the default patience at rest */
const POLL_HIDDEN_MS = 2_000;
/** Between two looks at the nodes that are not in use. @unit ms */
const PROBE_MS = 2_500;

const ORIGIN = /^https?:\/\/[A-Za-z0-9.:[\]-]+$/;

interface Surroundings {
  /** In hexadecimal: what the page signs for, as the node says it that also gives the page itself. */
  readonly genesisHash: string;
  /** `http://host:port` of the other nodes. */
  readonly otherNodes: readonly string[];
}

async function surroundings(): Promise<Surroundings> {
  const answer: unknown = await (await fetch('/dice/network.json')).json();
  const given = new Map<string, unknown>(Object.entries(Object(answer)));
  const [genesisHash, others] = [given.get('genesis_hash'), given.get('other_nodes')];
  if (typeof genesisHash !== 'string' || !/^[0-9a-f]{64}$/.test(genesisHash) || !Array.isArray(others))
    throw new Error('the node does not say which chain this is');
  const otherNodes = others.filter((origin) => typeof origin === 'string' && ORIGIN.test(origin));
  return { genesisHash, otherNodes: otherNodes.filter((origin) => origin !== location.origin) };
}

async function start(): Promise<void> {
  const keys = openKeys();
  const { identity } = keys;
  let drawing = false;
  const changed = (): void => {
    if (drawing) return;
    drawing = true;
    queueMicrotask(() => {
      drawing = false;
      draw();
    });
  };
  const { genesisHash, otherNodes } = await surroundings();
  const network = connectTo([location.origin, ...otherNodes], changed);
  const session = new Session(identity, network, genesisHash, changed);
  const board = new Board(identity.key);
  const draw = (): void => {
    const { model } = session;
    const isAtTable = model.shown !== 0;
    byId('welcome', HTMLElement).hidden = model.lobby === undefined || model.player !== null;
    byId('lobby', HTMLElement).hidden = isAtTable;
    byId('board', HTMLElement).hidden = !isAtTable || model.table === null;
    byId('history', HTMLElement).hidden = !isAtTable;
    byId('gone', HTMLElement).hidden = !isAtTable || model.table !== null || model.isAlone;
    byId('register', HTMLButtonElement).disabled = model.busy !== undefined;
    byId('grant', HTMLElement).textContent = chips(model.lobby?.house.grant ?? 0);
    byId('house', HTMLElement).textContent = model.lobby === undefined ? '' : houseWords(model.lobby);
    drawIdentity(model, identity);
    drawNetwork(model, network, identity);
    drawLog(model);
    drawLobby(model, session);
    board.draw(model);
    drawHistory(model.table?.rounds ?? [], (round) => followsFromSecrets(round, genesisHash));
  };
  listen(session);
  startKeyPanel(keys, network);
  throwHero();
  startLobby(session);
  draw();
  await session.poll();
  byId('loading', HTMLElement).hidden = true;
  void repeat(
    () => session.poll().then(draw),
    () => (document.hidden && !session.isInRound ? POLL_HIDDEN_MS : POLL_MS),
  );
  void repeat(
    () => network.probe(),
    () => PROBE_MS,
  );
}

/** Three sixes for who comes in. */
function throwHero(): void {
  const dice = [0, 1, 2].map(() => new Die());
  byId('hero', HTMLElement).replaceChildren(...dice.map(({ root }) => root));
  // After a first frame, or there is nothing to roll from.
  requestAnimationFrame(() => {
    for (const [position, die] of dice.entries()) die.show(6, 150 * position);
  });
}

function listen(session: Session): void {
  const form = byId('register-form', HTMLFormElement);
  const input = byId('name', HTMLInputElement);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const name = input.value.trim();
    const problem = problemOfName(name);
    byId('name-problem', HTMLElement).textContent = problem ?? '';
    input.setAttribute('aria-invalid', String(problem !== undefined));
    if (problem === undefined) void session.act({ kind: 'register', name }, `Come in as ${name}`);
  });
  byId('roll', HTMLButtonElement).addEventListener('click', () => void session.roll());
  byId('leave', HTMLButtonElement).addEventListener('click', () => {
    const table = session.model.table?.table;
    if (table === undefined) return;
    void session.act({ kind: 'leave', table: table.id }, `Leave “${table.title}”`).then(() => {
      if (session.model.player?.table === 0) void session.show(0);
    });
  });
  for (const id of ['to-lobby', 'gone-to-lobby'])
    byId(id, HTMLButtonElement).addEventListener('click', () => void session.show(0));
}

/** DC-6: throws the dice of a round again. */
function followsFromSecrets({ table, round, seats }: PlayedRound, genesisHash: string): boolean {
  const revealed = seats.filter(({ part }) => part === 'revealed');
  const reveals = revealed.map(
    ({ index, key, secret }): Reveal => ({
      seat: index,
      player: hexToBytes(key),
      secret: hexToBytes(secret),
    }),
  );
  const dice = diceOf({ genesisHash, table, round }, reveals);
  return JSON.stringify(dice) === JSON.stringify(revealed.map((seat) => seat.dice));
}

/** For as long as the page is open. */
async function repeat(act: () => Promise<void>, pauseMs: () => number): Promise<void> {
  for (;;) {
    await act();
    await new Promise((resolve) => setTimeout(resolve, pauseMs()));
  }
}

start().catch((failure: unknown) => {
  byId('loading', HTMLElement).textContent =
    `The page could not start: ${failure instanceof Error ? failure.message : String(failure)}. Load it again.`;
});

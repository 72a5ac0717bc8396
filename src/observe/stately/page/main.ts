/**
 * Hands the relay's stream on to Stately's inspector, in a frame of this page or a window: when it says `@statelyai.connected`, the
 * stream is opened, and each message posted to it. It says so again when it is loaded anew, and is told all again. Rule IN-3.
 */
import { listenToInspector, type Post } from './inspector-window.ts';

/** In which the inspector is expected to say something. @unit ms @source chosen: a large page over a slow line */
const SILENCE_MS = 10_000;
/** Before the stream is opened again, doubled each time. @unit ms */
const RETRY_MS_MIN = 1_000;
const RETRY_MS_MAX = 10_000;
/** How often it is looked whether the window is there, and the count is shown. @unit ms */
const LOOK_MS = 500;
/** Of this tab's storage. */
const TOKEN_KEY = 'althing.stately.token';

type State = 'opening' | 'connected' | 'lost';

/** Where the inspector runs, and the stream that it is handed. */
interface Shown {
  readonly target: Window;
  readonly isFrame: boolean;
  readonly forget: () => void;
  stream?: WebSocket;
}

const inspector = new URL(document.querySelector<HTMLMetaElement>('meta[name=inspector]')?.content ?? '');
const token = takeToken();
const frame = part('frame', HTMLIFrameElement);
const [inWindow, inFrame] = [part('in-window', HTMLButtonElement), part('in-frame', HTMLButtonElement)];
const sessions = new Set<string>();
let shown: Shown | undefined;
let messages = 0;

inWindow.addEventListener('click', () => {
  const opened = window.open(inspector, 'althing-stately');
  if (opened === null) {
    say('lost', 'The browser did not let a window open: allow it for this page.');
    return;
  }
  frame.removeAttribute('src');
  show(opened, false);
});
inFrame.addEventListener('click', openFrame);
setInterval(look, LOOK_MS);
begin();

function begin(): void {
  part('inspector', HTMLElement).textContent = inspector.href;
  if (token === null) {
    say('lost', 'No token');
    explain('This address has no token: open the one that `althing inspect --stately` printed.');
    return;
  }
  openFrame();
  // Tells at once what a frame never does: that there is no way to it.
  fetch(inspector, { mode: 'no-cors', cache: 'no-store', credentials: 'omit' }).catch(() => {
    if (shown?.stream === undefined) failed(`There is no way to ${inspector.host}: is this machine offline?`);
  });
}

/** Out of the address, which history and bookmarks keep, into this tab, so that it can be loaded anew. */
function takeToken(): string | null {
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (given === null) return sessionStorage.getItem(TOKEN_KEY);
  sessionStorage.setItem(TOKEN_KEY, given);
  history.replaceState(null, '', location.pathname);
  return given;
}

function openFrame(): void {
  frame.src = inspector.href;
  if (frame.contentWindow !== null) show(frame.contentWindow, true);
}

function show(target: Window, isFrame: boolean): void {
  leave();
  const forget = listenToInspector(inspector, target, (post) => open(own, post, RETRY_MS_MIN));
  const own: Shown = { target, isFrame, forget };
  shown = own;
  inWindow.hidden = !isFrame;
  inFrame.hidden = isFrame;
  part('note', HTMLElement).hidden = false;
  say('opening', `Waiting for ${inspector.host}…`);
  setTimeout(() => {
    if (shown !== own || own.stream !== undefined) return;
    failed(`The page at ${inspector.host} has not answered for ${SILENCE_MS / 1_000} seconds.`);
  }, SILENCE_MS);
}

function leave(): void {
  shown?.forget();
  shown?.stream?.close();
  shown = undefined;
}

function open(own: Shown, post: Post, retryMs: number): void {
  own.stream?.close();
  const stream = new WebSocket(`ws://${location.host}/stream?token=${encodeURIComponent(token ?? '')}`);
  own.stream = stream;
  let wait = retryMs;
  stream.onopen = () => {
    sessions.clear();
    messages = 0;
    wait = RETRY_MS_MIN;
    say('connected', `Connected to ${inspector.host}`);
    explain(undefined);
    part('note', HTMLElement).hidden = own.isFrame;
  };
  stream.onmessage = ({ data }: MessageEvent<string>) => {
    const message: { readonly sessionId: string; readonly snapshot?: { readonly status: string } } =
      JSON.parse(data);
    if (message.snapshot?.status === 'active') sessions.add(message.sessionId);
    else if (message.snapshot !== undefined) sessions.delete(message.sessionId);
    messages += 1;
    post(message);
  };
  stream.onclose = ({ reason }) => {
    if (shown !== own || own.stream !== stream) return;
    say('lost', `The stream has ended${reason === '' ? '' : `: ${reason}`}. Trying again…`);
    setTimeout(() => {
      if (shown === own && own.stream === stream) open(own, post, Math.min(2 * wait, RETRY_MS_MAX));
    }, wait);
  };
}

function look(): void {
  if (shown === undefined) return;
  const isOpen = shown.stream?.readyState === WebSocket.OPEN;
  part('count', HTMLElement).textContent = isOpen ? `${sessions.size} cells, ${messages} messages` : '';
  if (shown.isFrame || !shown.target.closed) return;
  leave();
  say('lost', 'The window was closed');
}

function failed(words: string): void {
  say('lost', 'No inspector');
  explain(words);
}

function say(state: State, words: string): void {
  const told = part('state', HTMLElement);
  told.dataset['state'] = state;
  told.textContent = words;
}

function explain(words: string | undefined): void {
  const why = part('why', HTMLElement);
  why.hidden = words === undefined;
  why.textContent = words ?? '';
  part('stream', HTMLElement).hidden = words === undefined;
}

function part<Part extends HTMLElement>(id: string, kind: new () => Part): Part {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new Error(`index.html has no ${kind.name} #${id}`);
}

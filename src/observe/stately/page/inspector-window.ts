/**
 * The handshake of Stately's inspector, as `@statelyai/inspect` has it: its page says `@statelyai.connected` to who opened it, once it
 * is loaded, and takes messages from then on. In a browser. Rules IN-2, IN-3, docs/inspector.md.
 */

/** Hands a message to the inspector. */
export type Post = (message: object) => void;

/**
 * Calls `connected` each time that the inspector in `target` says that it is there: it is loaded anew then, and knows nothing.
 * Only that window is listened to, and only while its page is the inspector's; to no other page is anything posted.
 * @returns ends it
 */
export function listenToInspector(
  inspector: URL,
  target: Window,
  connected: (post: Post) => void,
): () => void {
  const hear = ({ source, origin, data }: MessageEvent<unknown>): void => {
    if (source !== target || !isInspectors(inspector, origin)) return;
    if (typeof data !== 'object' || data === null || !('type' in data)) return;
    if (data.type === '@statelyai.connected') connected((message) => target.postMessage(message, origin));
  };
  window.addEventListener('message', hear);
  return () => window.removeEventListener('message', hear);
}

/** Its own origin, or one below its name that it was redirected to. */
function isInspectors(inspector: URL, origin: string): boolean {
  const { protocol, host } = URL.parse(origin) ?? { protocol: '', host: '' };
  return protocol === inspector.protocol && (host === inspector.host || host.endsWith(`.${inspector.host}`));
}

/** Gateway: text from the feed's socket becomes a message of the contract. The server is our own; what is no message of this version is named. */
import { FEED_VERSION, type FeedMessage } from '../../../src/observe/feed/feed.ts';

export type Read =
  | { readonly ok: true; readonly message: FeedMessage }
  | { readonly ok: false; readonly code: string; readonly detail: string };

const TYPES: ReadonlySet<string> = new Set(['hello', 'moment', 'delta', 'playing', 'answer', 'refused']);

export function readFeedMessage(text: string): Read {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return {
      ok: false,
      code: 'NOT_JSON',
      detail: `the feed sent ${text.length} characters that are no JSON`,
    };
  }
  const type = field(value, 'type');
  if (typeof type !== 'string' || !TYPES.has(type)) {
    return { ok: false, code: 'UNKNOWN_MESSAGE', detail: `the feed sent a message of type ${String(type)}` };
  }
  const version = field(value, 'version');
  if (type === 'hello' && version !== FEED_VERSION) {
    return {
      ok: false,
      code: 'OTHER_VERSION',
      detail: `the node's feed has version ${String(version)}, this page ${FEED_VERSION}: reload the page`,
    };
  }
  return { ok: true, message: value as FeedMessage };
}

const field = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;

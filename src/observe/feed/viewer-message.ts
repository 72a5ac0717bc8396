/** What comes from a viewer, read as something from outside: one of the contract's messages, or why not. Total. Rules IN-1, IN-2. */
import { z } from 'zod';
import type { ViewerMessage } from './feed.ts';

/** Of one message; a transaction in hexadecimal must fit. @unit bytes @source twice the genesis's greatest transaction, and its envelope */
export const VIEWER_MESSAGE_BYTES_MAX = 262_144;
/** @unit cells @source the contract */
const WATCHED_MAX = 16;
/** @unit nodes @source more than a page shows */
const NODES_MAX = 256;
/** Later than any run. @unit ms since 1970 @source the year 2286 */
const AT_MAX = 1e13;
/** @unit ms @source longer than any round waits */
const DELAY_MAX = 60_000;

const node = z
  .int()
  .min(0)
  .max(NODES_MAX - 1);
const id = z.int().min(0);
const height = z.int().min(0);
const text = (most: number) => z.string().max(most);

const question = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('message'), node, id: text(256) }),
  z.strictObject({ kind: z.literal('block'), node, height }),
  z.strictObject({ kind: z.literal('certificate'), node, height, fromEpoch: height.exactOptional() }),
]);

const control = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('submit'), node, transaction: text(VIEWER_MESSAGE_BYTES_MAX) }),
  z.strictObject({ kind: z.enum(['stop', 'kill', 'start']), node }),
  z.strictObject({
    kind: z.literal('partition'),
    groups: z.array(z.array(node).max(NODES_MAX)).max(NODES_MAX),
  }),
  z.strictObject({ kind: z.literal('delay'), node, ms: z.number().min(0).max(DELAY_MAX) }),
]);

const MESSAGE = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('watch'),
    cells: z.array(z.strictObject({ node, address: text(256) })).max(WATCHED_MAX),
  }),
  z.strictObject({ type: z.literal('ask'), id, question }),
  z.strictObject({ type: z.literal('order'), id, control }),
  z.strictObject({ type: z.literal('seek'), at: z.number().min(0).max(AT_MAX) }),
  z.strictObject({ type: z.literal('play'), speed: z.number().min(0.001).max(1_000) }),
  z.strictObject({ type: z.literal('pause') }),
  z.strictObject({
    type: z.literal('step'),
    by: z.union([z.literal(1), z.literal(-1)]),
    node: node.exactOptional(),
  }),
  z.strictObject({ type: z.literal('break'), expression: text(1_024) }),
]);

export type ReadMessage =
  | { readonly status: 'read'; readonly message: ViewerMessage }
  /** `id`: of the question or order, where it can be seen. */
  | { readonly status: 'malformed'; readonly detail: string; readonly id?: number };

export function readViewerMessage(given: string): ReadMessage {
  let json: unknown;
  try {
    json = JSON.parse(given);
  } catch {
    return { status: 'malformed', detail: 'not JSON: send one JSON object in one text frame' };
  }
  const parsed = MESSAGE.safeParse(json);
  if (parsed.success) return { status: 'read', message: parsed.data };
  const [issue] = parsed.error.issues;
  const where = issue?.path.join('.') ?? '';
  const detail = `${where === '' ? 'the message' : where}: ${issue?.message ?? 'not of its shape'}`;
  const id = typeof json === 'object' && json !== null && 'id' in json ? json.id : undefined;
  return {
    status: 'malformed',
    detail,
    ...(typeof id === 'number' && Number.isSafeInteger(id) ? { id } : {}),
  };
}

/**
 * The newest messages between nodes, for whoever asks what was in one: bounded in number and bytes. Kept while somebody looks, and off the
 * steps alone, so that a replay answers too. Rule IN-1, docs/inspector.md.
 */
import { ADDRESSES } from '../../actors/addresses.ts';
import type { Transition } from '../../actors/runtime/index.ts';
import type { MessageAnswer } from '../../observe/feed/feed.ts';
import { toView } from '../../observe/feed/view.ts';
import type { PeerMessage, PeerMessageKind } from '../../protocol/consensus/types.ts';

/** The oldest goes first. @unit messages @source what a reader can have in view */
const MESSAGES_MAX = 1_024;
/** Of a frame. @unit bytes @source a vote is 300; the contract allows four times as much */
const FRAME_BYTES_MAX = 1_024;
/** Kinds that may hold megabytes: of these the bounded view is kept, and not the message. */
const HEAVY: ReadonlySet<PeerMessageKind> = new Set([
  ...(['Batch', 'Blocks', 'EpochChange', 'Epochs', 'Snapshot', 'SnapshotChunk'] as const),
  ...(['SubmitOperations', 'OperationsAnswered', 'Chain'] as const),
]);

const NOTHING = new Uint8Array(0);

interface Kept {
  readonly kind: string;
  readonly message: PeerMessage | { readonly view: unknown };
  readonly frame?: { readonly front: Uint8Array; readonly length: number };
  readonly cause?: NonNullable<MessageAnswer['cause']>;
}

export class MessageMemory {
  /** By the wire event's id, oldest first. */
  readonly #kept = new Map<string, Kept>();

  sent(
    id: string,
    message: PeerMessage,
    frame: Uint8Array,
    { event, from, turn, wall: at }: Transition,
  ): void {
    // One frame for all receivers; sent again it is the same message.
    if (this.#kept.get(id)?.frame !== undefined) return;
    const cause = { event: event.type, cell: from ?? ADDRESSES.router, turn, at };
    const { length } = frame;
    // Of what may be megabytes, only how long it was.
    const front = HEAVY.has(message.kind) ? NOTHING : frame.slice(0, FRAME_BYTES_MAX);
    this.#keep(id, { ...keptOf(message), frame: { front, length }, cause });
  }

  received(id: string, message: PeerMessage): void {
    if (!this.#kept.has(id)) this.#keep(id, keptOf(message));
  }

  /** Undefined: it is not among the newest. */
  answer(id: string): MessageAnswer | undefined {
    const kept = this.#kept.get(id);
    if (kept === undefined) return undefined;
    const { kind, message, frame, cause } = kept;
    return {
      kind,
      message: 'view' in message ? message.view : toView(message),
      ...(frame === undefined
        ? {}
        : {
            bytes: frame.length,
            ...(frame.front.length === 0 ? {} : { encoded: Buffer.from(frame.front).toString('hex') }),
          }),
      ...(cause === undefined ? {} : { cause }),
    };
  }

  #keep(id: string, kept: Kept): void {
    this.#kept.set(id, kept);
    if (this.#kept.size <= MESSAGES_MAX) return;
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined) this.#kept.delete(oldest);
  }
}

const keptOf = (message: PeerMessage): Pick<Kept, 'kind' | 'message'> => ({
  kind: message.kind,
  message: HEAVY.has(message.kind) ? { view: toView(message) } : message,
});

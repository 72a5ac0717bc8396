/**
 * Messages between nodes as rows of the feed: sent ones off the router's steps, received ones off the steps of the cells that took
 * them, so that a replay shows them too. What a node tells itself (CS-18) is none. Pure. Rules IN-1, TP-4, TP-6, docs/inspector.md.
 */
import { ADDRESSES, PEERS_ADDRESS } from '../../actors/addresses.ts';
import type { CellAddress, Transition } from '../../actors/runtime/index.ts';
import type { RefusalRow, WireEvent } from '../../observe/feed/feed.ts';
import type { Seen } from '../../observe/feed/lens.ts';
import { refusalOf } from '../../observe/feed/rows.ts';
import type { Address } from '../../protocol/chain/types.ts';
import type { PeerMessage } from '../../protocol/consensus/types.ts';
import type { MessageMemory } from './messages.ts';
import { type Told, tellsOf, toldOf } from './told.ts';

const SENDING: ReadonlySet<string> = new Set<Told['type']>([
  'network.sendRequested',
  'guests.tellRequested',
  'guest.askRequested',
]);

/** Inside the turn: whether a message between nodes left or came in it. */
export const concernsWire = (address: CellAddress, type: string): boolean =>
  type === 'message.received' ||
  type === 'frame.refused' ||
  (address === ADDRESSES.router && SENDING.has(type));

export function readWire(transition: Transition, seen: Seen, memory: MessageMemory): void {
  const told = toldOf(transition.event);
  switch (told?.type) {
    case 'network.sendRequested':
      readSent(
        transition,
        told.outgoing.map(({ message }) => message),
        seen,
        memory,
      );
      return;
    case 'guests.tellRequested':
    case 'guest.askRequested':
      readSent(transition, [told.message], seen, memory);
      return;
    case 'message.received':
      // What a node tells itself comes from the router, what others tell it from a link (CS-18).
      if (transition.from !== ADDRESSES.router)
        readReceived(transition, told.from, told.message, seen, memory);
      return;
    case 'frame.refused':
      readRefusedFrame(transition, told.refusal, seen);
      return;
    default:
  }
}

/** The frames of a step are of its messages, in their order; equal ones follow each other. */
function readSent(
  transition: Transition,
  messages: readonly PeerMessage[],
  seen: Seen,
  memory: MessageMemory,
): void {
  const { effects, wall: at, turn } = transition;
  let next = 0;
  let frame: object | undefined;
  let about = messages[0];
  for (const { to, told } of tellsOf(effects)) {
    if (told.type !== 'frame.sendRequested') continue;
    if (told.frame !== frame) {
      frame = told.frame;
      while (next < messages.length && messages[next]?.kind !== told.frame.kind) next += 1;
      about = messages[next];
      next += 1;
    }
    if (about === undefined) return;
    const peer = peerOf(to);
    const bytes = told.frame.bytes.length;
    if (!seen.hasRoomFor(sortOf(about.kind))) continue;
    const label = labelOf(about);
    memory.sent(label.id, about, told.frame.bytes, transition);
    seen.wire({ ...label, turn, direction: 'sent', peer, at, kind: about.kind, bytes });
  }
}

function readReceived(
  { effects, wall: at, turn }: Transition,
  from: Address,
  message: PeerMessage,
  seen: Seen,
  memory: MessageMemory,
): void {
  const refused = blameFor(effects, from);
  if (!seen.hasRoomFor(refused === undefined ? sortOf(message.kind) : 'deciding')) return;
  const label = labelOf(message);
  memory.received(label.id, message);
  seen.wire({
    ...label,
    ...{ turn, direction: 'received', peer: from, at, kind: message.kind },
    ...(refused === undefined ? {} : { refused }),
  });
}

/** Who sent it is charged in the step that takes it (TP-6). */
function blameFor(effects: Transition['effects'], from: Address): RefusalRow | undefined {
  for (const { told } of tellsOf(effects)) {
    if (told.type === 'peer.misbehaved' && told.peer === from) return refusalOf(told);
  }
  return undefined;
}

function readRefusedFrame({ address, event, wall: at, turn }: Transition, refusal: object, seen: Seen): void {
  if (!seen.hasRoomFor('deciding')) return;
  const refused = refusalOf(event);
  const kind = 'kind' in refusal && typeof refusal.kind === 'string' ? refusal.kind : 'frame';
  seen.wire({
    ...{ id: `${kind}/${turn}`, turn, direction: 'received', peer: peerOf(address), at, kind },
    ...(refused === undefined ? {} : { refused }),
  });
}

/** What moves rounds on; the rest comes with the load. */
const DECIDING: ReadonlySet<PeerMessage['kind']> = new Set([
  ...(['Proposal', 'Vote', 'QC', 'ViewChange', 'NewView', 'EpochChange', 'Evidence', 'VoteShown'] as const),
]);

const sortOf = (kind: PeerMessage['kind']): 'deciding' | 'bulk' => (DECIDING.has(kind) ? 'deciding' : 'bulk');

/** Of the peer's own cell, or of one below it. */
const peerOf = (address: CellAddress): string =>
  address.slice(PEERS_ADDRESS.length + 1).split('/', 1)[0] ?? address;

type Label = Pick<WireEvent, 'id' | 'epoch' | 'round' | 'height' | 'block'>;

/** What a message is about; its id is made of what both ends see, and the same for each that it goes to. */
export function labelOf(message: PeerMessage): Label {
  switch (message.kind) {
    case 'Proposal': {
      const { blockId, epoch, round, height } = message.vote;
      return { id: `Proposal/${epoch}/${round}/${short(blockId)}`, epoch, round, height, block: blockId };
    }
    case 'Vote':
    case 'VoteShown': {
      const { blockId, epoch, round, height, validator } = message.vote;
      const id = `${message.kind}/${epoch}/${round}/${short(validator)}/${short(blockId)}`;
      return { id, epoch, round, height, block: blockId };
    }
    case 'QC':
    case 'EpochChange': {
      const { blockId, epoch, round, height } = message.qc;
      return {
        id: `${message.kind}/${epoch}/${round}/${short(blockId)}`,
        epoch,
        round,
        height,
        block: blockId,
      };
    }
    case 'ViewChange': {
      const { epoch, round, validator, tick } = message;
      return { id: `ViewChange/${epoch}/${round}/${short(validator)}/${tick}`, epoch, round };
    }
    case 'NewView': {
      const { epoch, round, leader } = message;
      return { id: `NewView/${epoch}/${round}/${short(leader)}`, epoch, round };
    }
    default:
      return { id: `${message.kind}/${fieldsOf(message)}` };
  }
}

const short = (hex: string): string => hex.slice(0, 12);

/** Of a message that has no place in a round. @unit fields */
const FIELDS_MAX = 6;

/** Its fields by their names, since a decoder may give them in another order: requests and answers have numbers, batches begin with author and sequence. */
function fieldsOf({ kind: _, ...fields }: PeerMessage): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .slice(0, FIELDS_MAX)
    .map(([, value]) => fieldOf(value))
    .join('/');
}

function fieldOf(value: unknown): string {
  if (typeof value === 'string') return short(value);
  if (value instanceof Uint8Array) return `${value.length}-${fingerprint(value)}`;
  if (Array.isArray(value)) return `${value.length}${value.length === 0 ? '' : `-${fieldOf(value[0])}`}`;
  return typeof value === 'object' && value !== null ? '' : String(value);
}

/** Of a batch: its author and its sequence stand in front. @unit bytes */
const FRONT_BYTES = 96;

/** FNV-1a over the front. Source: draft-eastlake-fnv. */
function fingerprint(bytes: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (const byte of bytes.subarray(0, FRONT_BYTES)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(36);
}

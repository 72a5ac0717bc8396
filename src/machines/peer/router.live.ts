/**
 * What the router knows, how it sends, and who hears of whom. Pure. Rules TP-2, TP-4, TP-9, SY-15, CS-18, docs/protocol/transport.md.
 */
import type { Monotonic } from '../../base/units.ts';
import type { Address } from '../../protocol/chain/types.ts';
import type { Outgoing, PeerMessage } from '../../protocol/consensus/types.ts';
import type { ConnectivityEvent, PeerMessageReceived } from '../../protocol/ports/network.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';
import type { AddressBook } from '../../protocol/transport/addresses.ts';
import type { DialBackoff } from '../../protocol/transport/backoff.ts';
import type { Encode, Frame } from '../../protocol/transport/frame.ts';
import { KINDS } from '../../protocol/transport/kinds.ts';
import type { NodeId } from '../../protocol/transport/messages.ts';
import type {
  LinkRequest,
  PeerRequest,
  Route,
  SignAddress,
  VerifyAddress,
} from '../../protocol/transport/peering.ts';
import type { Decision } from '../vocabulary/index.ts';

export interface RouterInput {
  readonly self: NodeId;
  /** The present set, this node too if it is in it. */
  readonly validators: readonly Address[];
  readonly route: Route;
  /** Cells that are told which validators can be reached. */
  readonly connectivity: readonly CellAddress[];
  /** Nodes that the configuration names: dialed and kept, whatever their standing. Default: none. */
  readonly kept?: readonly NodeId[];
  /** Of `connectivity`, the cells that hear of kept nodes too that are no validators: these hold the chain. Default: none. */
  readonly sources?: readonly CellAddress[];
  /** The supervisor of the peers: their cells are its children, by id; its templates are named by standing. */
  readonly peers: CellAddress;
  readonly listener: CellAddress;
  /** Where others reach this node; undefined: at the listener's own port on `host`. */
  readonly advertised: { readonly host: string; readonly port: number | undefined } | undefined;
  readonly encode: Encode;
  readonly signAddress: SignAddress;
  readonly idOf: (nodeKey: Uint8Array) => NodeId;
  readonly verifyAddress: VerifyAddress;
  /** Of peers that are started later; default DIAL_BACKOFF. */
  readonly backoff?: DialBackoff;
}

export interface RouterCounts {
  /** Messages that this node's own codec refused: too large, or not of their shape. Our fault, never the peer's. */
  readonly unsendable: number;
  /** What only a validator may say (TP-9), of a node that is none: not sent. */
  readonly voiceless: number;
  /** Copies for peers that were not connected. */
  readonly unreachable: number;
  readonly addressesRefused: number;
}

interface Guest {
  /** When its cell was asked for, or had started. */
  readonly since: Monotonic;
  /** Whose connections are counted together; undefined: it was not asked who it is here. */
  readonly network: string | undefined;
}

export interface RouterContext extends RouterInput {
  readonly links: ReadonlyMap<NodeId, CellAddress>;
  /** Guests whose cells run. At most GUESTS_MAX. */
  readonly guests: ReadonlyMap<NodeId, Guest>;
  /** Guests that are banned. At most BANS_KEPT_MAX, the oldest goes first. */
  readonly bans: ReadonlyMap<NodeId, Monotonic>;
  readonly book: AddressBook;
  /** Records learned since the last gossip. */
  readonly fresh: ReadonlySet<NodeId>;
  readonly counts: RouterCounts;
}

export const newRouter = (input: RouterInput): RouterContext => ({
  ...input,
  links: new Map(),
  guests: new Map(),
  bans: new Map(),
  book: new Map(),
  fresh: new Set(),
  counts: { unsendable: 0, voiceless: 0, unreachable: 0, addressesRefused: 0 },
});

export const peerCell = (context: RouterContext, peer: NodeId): CellAddress => `${context.peers}/${peer}`;

export const toPeer = (context: RouterContext, peer: NodeId, request: PeerRequest): Effect =>
  telling(peerCell(context, peer), request);
export const toLink = (link: CellAddress, request: LinkRequest): Effect => telling(link, request);

export const isValidator = (context: RouterContext, peer: NodeId): boolean =>
  context.validators.includes(peer);
export const isKept = ({ kept = [] }: RouterContext, peer: NodeId): boolean => kept.includes(peer);
export const isKnown = (context: RouterContext, peer: NodeId): boolean =>
  peer !== context.self && (isValidator(context, peer) || isKept(context, peer) || context.guests.has(peer));

/** Whoever is connected and is no validator. */
export const linkedGuests = (context: RouterContext): readonly NodeId[] =>
  [...context.links.keys()].filter((peer) => !isValidator(context, peer));

const NOBODY: readonly CellAddress[] = [];

/** Who hears of a peer that comes and goes. */
function listenersOf(context: RouterContext, peer: NodeId): readonly CellAddress[] {
  if (isValidator(context, peer)) return context.connectivity;
  return isKept(context, peer) ? (context.sources ?? NOBODY) : NOBODY;
}

export const tellListeners = (context: RouterContext, event: ConnectivityEvent): Effect[] =>
  listenersOf(context, event.peer).map((cell) => telling(cell, event));

interface Sending {
  readonly effects: Effect[];
  unsendable: number;
  voiceless: number;
  unreachable: number;
}

/** To oneself without the wire; to others as one frame for all (CS-18, TP-4). */
function send(context: RouterContext, { to, message }: Outgoing, sending: Sending): void {
  // TP-9: its receivers would refuse it, and charge this node for it.
  if (KINDS[message.kind].from === 'validator' && !isValidator(context, context.self)) {
    sending.voiceless += 1;
    return;
  }
  const receivers = to === 'all' ? context.validators : to;
  let frame: Frame | undefined;
  for (const receiver of receivers) {
    if (receiver === context.self) {
      sending.effects.push(telling(context.route(message.kind), received(context.self, message)));
      continue;
    }
    const link = context.links.get(receiver);
    if (link === undefined) {
      sending.unreachable += 1;
      continue;
    }
    if (frame === undefined) {
      const encoding = context.encode(message);
      if (encoding.outcome === 'refused') {
        sending.unsendable += 1;
        return;
      }
      frame = encoding.frame;
    }
    sending.effects.push(toLink(link, { type: 'frame.sendRequested', frame }));
  }
}

export function sendEach(context: RouterContext, outgoing: readonly Outgoing[]): Decision<RouterContext> {
  const sending: Sending = { effects: [], unsendable: 0, voiceless: 0, unreachable: 0 };
  for (const one of outgoing) send(context, one, sending);
  const { effects, unsendable, voiceless, unreachable } = sending;
  if (unsendable + voiceless + unreachable === 0) return { effects };
  const counts: RouterCounts = {
    ...context.counts,
    unsendable: context.counts.unsendable + unsendable,
    voiceless: context.counts.voiceless + voiceless,
    unreachable: context.counts.unreachable + unreachable,
  };
  return { context: { counts }, effects };
}

const received = (from: Address, message: PeerMessage): PeerMessageReceived => ({
  type: 'message.received',
  from,
  message,
});

/** What is left when the link at `address` is gone; a link that was replaced before changes nothing. */
export function withoutLink(context: RouterContext, address: CellAddress) {
  const gone = [...context.links].find(([, link]) => link === address)?.[0];
  const links = new Map(context.links);
  if (gone !== undefined) links.delete(gone);
  return {
    links,
    effects: gone === undefined ? [] : tellListeners(context, { type: 'peer.disconnected', peer: gone }),
  };
}

/** Links that stand while their peers enter or leave the set: each cell hears of whom it cares for now, or no more. */
export function connectivityChanges(
  before: RouterContext,
  after: RouterContext,
  peers: readonly NodeId[],
): readonly Effect[] {
  return peers
    .filter((peer) => before.links.has(peer))
    .flatMap((peer) => {
      const [left, heard] = [listenersOf(before, peer), listenersOf(after, peer)];
      return [
        ...heard
          .filter((cell) => !left.includes(cell))
          .map((cell) => telling(cell, { type: 'peer.connected', peer })),
        ...left
          .filter((cell) => !heard.includes(cell))
          .map((cell) => telling(cell, { type: 'peer.disconnected', peer })),
      ];
    });
}

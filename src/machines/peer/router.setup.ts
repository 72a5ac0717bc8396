/**
 * Parts of the router chart: what cells ask of the network goes out by the peers' links, encoded once; who is
 * connected, who may come, and where all are found. Pure; the codec and the signatures come with its input.
 * Rules TP-2, TP-4, TP-6, TP-7, CS-18, docs/protocol/transport.md.
 */
import { setup } from 'xstate';
import type { Monotonic } from '../../base/units.ts';
import type { Address } from '../../protocol/chain/types.ts';
import type { Outgoing, PeerMessage } from '../../protocol/consensus/types.ts';
import type {
  ConnectivityEvent,
  ConnectivityTold,
  NetworkRequest,
  PeerMessageReceived,
} from '../../protocol/ports/network.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';
import { type AddressBook, recordsOf, ruleOnRecord, withRecord } from '../../protocol/transport/addresses.ts';
import type { DialBackoff } from '../../protocol/transport/backoff.ts';
import type { Encode, Frame } from '../../protocol/transport/frame.ts';
import {
  ADDRESS_GOSSIP_MS,
  ADDRESS_RECORDS_MAX,
  BANS_KEPT_MAX,
  GUESTS_MAX,
} from '../../protocol/transport/limits.ts';
import type { AddressRecord, NodeId } from '../../protocol/transport/messages.ts';
import type {
  AddressesReceived,
  ConnectionOffered,
  ConnectionRefused,
  LinkRequest,
  ListenerOpened,
  PeerReport,
  PeerRequest,
  Route,
  SignAddress,
  Standing,
  ValidatorsChanged,
  VerifyAddress,
} from '../../protocol/transport/peering.ts';
import { type CellDown, declare, on, type StepArgs, step, types } from '../vocabulary/index.ts';
import type { PeerInput } from './peer.setup.ts';

export interface RouterInput {
  readonly self: NodeId;
  /** The present set, this node too if it is in it. */
  readonly validators: readonly Address[];
  readonly route: Route;
  /** Cells that are told which validators can be reached. */
  readonly connectivity: readonly CellAddress[];
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
  /** Copies for peers that were not connected. */
  readonly unreachable: number;
  readonly addressesRefused: number;
}

export interface RouterContext extends RouterInput {
  readonly links: ReadonlyMap<NodeId, CellAddress>;
  /** Guests whose cells run, and when they were asked for. At most GUESTS_MAX. */
  readonly guests: ReadonlyMap<NodeId, Monotonic>;
  /** Guests that are banned. At most BANS_KEPT_MAX, the oldest goes first. */
  readonly bans: ReadonlyMap<NodeId, Monotonic>;
  readonly book: AddressBook;
  /** Records learned since the last gossip. */
  readonly fresh: ReadonlySet<NodeId>;
  readonly counts: RouterCounts;
}

type RouterPublicEvent =
  | NetworkRequest
  | ConnectionOffered
  | PeerReport
  | ListenerOpened
  | AddressesReceived
  | ValidatorsChanged;
type RouterPrivateEvent = { readonly type: 'gossip.due' };

/** Event types that other cells may send (RT-16). */
export const ROUTER_EVENTS = declare<RouterPublicEvent>()(
  'network.sendRequested',
  'peer.misbehaved',
  'connectivity.requested',
  'connection.offered',
  'guest.started',
  'link.up',
  'link.down',
  'peer.banned',
  'listener.opened',
  'addresses.received',
  'validators.changed',
);

export const newRouter = (input: RouterInput): RouterContext => ({
  ...input,
  links: new Map(),
  guests: new Map(),
  bans: new Map(),
  book: new Map(),
  fresh: new Set(),
  counts: { unsendable: 0, unreachable: 0, addressesRefused: 0 },
});

const peerCell = (context: RouterContext, peer: NodeId): CellAddress => `${context.peers}/${peer}`;

const toPeer = (context: RouterContext, peer: NodeId, request: PeerRequest): Effect =>
  telling(peerCell(context, peer), request);
const toLink = (link: CellAddress, request: LinkRequest): Effect => telling(link, request);

const isValidator = (context: RouterContext, peer: NodeId): boolean => context.validators.includes(peer);
const isKnown = (context: RouterContext, peer: NodeId): boolean =>
  peer !== context.self && (isValidator(context, peer) || context.guests.has(peer));

const tellAll = (context: RouterContext, event: ConnectivityEvent): Effect[] =>
  context.connectivity.map((cell) => telling(cell, event));

interface Sending {
  readonly effects: Effect[];
  unsendable: number;
  unreachable: number;
}

/** To oneself without the wire; to others as one frame for all (CS-18, TP-4). */
function send(context: RouterContext, { to, message }: Outgoing, sending: Sending): void {
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

const received = (from: Address, message: PeerMessage): PeerMessageReceived => ({
  type: 'message.received',
  from,
  message,
});

/** Address records to some links; nothing when there are none (TP-7). */
function tellAddresses(
  context: RouterContext,
  links: Iterable<CellAddress>,
  all: readonly AddressRecord[],
): Effect[] {
  const records = all.slice(0, ADDRESS_RECORDS_MAX);
  const encoding = context.encode({ kind: 'Addresses', records });
  if (records.length === 0 || encoding.outcome === 'refused') return [];
  const { frame } = encoding;
  return [...links].map((link) => toLink(link, { type: 'frame.sendRequested', frame }));
}

type Stepping = Pick<StepArgs<RouterContext, RouterEvent, RouterEvent>, 'context' | 'now' | 'address'>;
type RouterEvent = RouterPublicEvent | RouterPrivateEvent | CellDown;

/** A guest that was asked for and never started does not hold its place for ever. @unit ms */
const GUEST_START_MS = 30_000;

/** What to do with someone proven who has no cell yet (TP-2, TP-6). */
function admitGuest(args: Stepping, { peer, card }: ConnectionOffered) {
  const { context, now } = args;
  const refuse = (reason: ConnectionRefused['reason']) => {
    const refusal: ConnectionRefused = { type: 'connection.refused', connection: card.connection, reason };
    return { effects: [telling(context.listener, refusal)] };
  };
  const bannedUntil = context.bans.get(peer);
  if (bannedUntil !== undefined && now < bannedUntil) return refuse('BANNED');
  const guests = new Map(
    [...context.guests].filter(([guest, since]) => context.links.has(guest) || now - since < GUEST_START_MS),
  );
  if (guests.size >= GUESTS_MAX) return refuse('TOO_MANY_CONNECTIONS');
  guests.set(peer, now);
  return { context: { guests }, effects: [startPeer(args, peer, 'guest', card)] };
}

function startPeer(
  { context, address }: Pick<Stepping, 'context' | 'address'>,
  peer: NodeId,
  standing: Standing,
  offer?: ConnectionOffered['card'],
): Effect {
  const { self, listener } = context;
  const record = context.book.get(peer);
  const input: PeerInput = {
    self,
    peer,
    standing,
    router: address,
    listener,
    ...(context.backoff === undefined ? {} : { backoff: context.backoff }),
    ...(offer === undefined ? {} : { offer }),
    ...(record === undefined ? {} : { endpoint: { host: record.host, port: record.port } }),
  };
  return telling(context.peers, { type: 'child.start', template: standing, id: peer, input });
}

/** Takes what is new and proven; strangers, repetitions and forgeries change nothing (TP-7). */
function learn(context: RouterContext, from: NodeId, records: readonly AddressRecord[]) {
  const admitted = new Set(context.validators);
  const fresh = new Set(context.fresh);
  const effects: Effect[] = [];
  let { book } = context;
  let refused = 0;
  for (const record of records) {
    const id = context.idOf(record.nodeKey);
    if (id === context.self || ruleOnRecord(book, admitted, id, record) !== 'newer') continue;
    if (!context.verifyAddress(record)) {
      refused += 1;
      effects.push(toPeer(context, from, { type: 'peer.misbehaved', code: 'ADDRESS_SIGNATURE' }));
      break;
    }
    book = withRecord(book, id, record);
    fresh.add(id);
    const { host, port } = record;
    effects.push(toPeer(context, id, { type: 'endpoint.learned', endpoint: { host, port } }));
  }
  if (fresh.size > context.fresh.size) effects.push(gossipLater);
  const counts = { ...context.counts, addressesRefused: context.counts.addressesRefused + refused };
  return { context: { book, fresh, counts }, effects };
}

const gossipLater: Effect = {
  kind: 'startTimer',
  key: 'gossip',
  delayMs: ADDRESS_GOSSIP_MS,
  message: { type: 'gossip.due' },
};

/** The newest BANS_KEPT_MAX bans that still hold. */
function keepBans(context: RouterContext, peer: NodeId, until: Monotonic, now: Monotonic) {
  const bans = [...context.bans].filter(([other, end]) => other !== peer && end > now);
  return new Map([...bans, [peer, until] as const].slice(-BANS_KEPT_MAX));
}

export const routerSetup = setup({
  types: types<RouterContext, RouterEvent, RouterInput>(),
  guards: {
    isKnown: ({ context, event }) => 'peer' in event && isKnown(context, event.peer),
  },
  actions: {
    greetPeers: step(({ context }) => ({
      effects: context.validators
        .filter((peer) => peer !== context.self)
        .map((peer) => toPeer(context, peer, { type: 'router.started' })),
    })),
    sendAll: step(
      on('network.sendRequested', ({ context, event: { outgoing } }) => {
        const sending: Sending = { effects: [], unsendable: 0, unreachable: 0 };
        for (const one of outgoing) send(context, one, sending);
        const { effects, unsendable, unreachable } = sending;
        if (unsendable + unreachable === 0) return { effects };
        const counts = {
          ...context.counts,
          unsendable: context.counts.unsendable + unsendable,
          unreachable: context.counts.unreachable + unreachable,
        };
        return { context: { counts }, effects };
      }),
    ),
    forwardMisbehaviour: step(
      on('peer.misbehaved', ({ context, event: { peer, code } }) => ({
        effects: [toPeer(context, peer, { type: 'peer.misbehaved', code })],
      })),
    ),
    tellConnectivity: step(
      on('connectivity.requested', ({ context, event: { replyTo } }) => {
        const connected = [...context.links.keys()].filter((peer) => isValidator(context, peer));
        const message: ConnectivityTold = { type: 'connectivity.told', connected };
        return { effects: [telling(replyTo, message)] };
      }),
    ),
    forwardOffer: step(
      on('connection.offered', ({ context, event }) => ({
        effects: [telling(peerCell(context, event.peer), event)],
      })),
    ),
    admitOffer: step(on('connection.offered', (args) => admitGuest(args, args.event))),
    recordGuest: step(
      on('guest.started', ({ context, event: { peer }, now }) => ({
        context: { guests: new Map(context.guests).set(peer, now) },
        effects: [{ kind: 'watch', address: peerCell(context, peer) }],
      })),
    ),
    recordLink: step(
      on('link.up', ({ context, event: { peer, link } }) => {
        const wasUp = context.links.has(peer);
        const links = new Map(context.links).set(peer, link);
        return {
          context: { links },
          effects: [
            { kind: 'watch', address: link },
            ...(wasUp || !isValidator(context, peer)
              ? []
              : tellAll(context, { type: 'peer.connected', peer })),
            ...tellAddresses(context, [link], recordsOf(context.book)),
          ],
        };
      }),
    ),
    recordCellDown: step(
      on('cell.down', ({ context, event: { address } }) => {
        const guest = [...context.guests.keys()].find((peer) => peerCell(context, peer) === address);
        const guests = new Map(context.guests);
        if (guest !== undefined) guests.delete(guest);
        const { links, effects } = withoutLink(context, address);
        return { context: { links, guests }, effects };
      }),
    ),
    recordLinkDown: step(
      on('link.down', ({ context, event: { link } }) => {
        const { links, effects } = withoutLink(context, link);
        return { context: { links }, effects: [...effects, { kind: 'unwatch', address: link }] };
      }),
    ),
    recordBan: step(
      on('peer.banned', ({ context, event: { peer, until }, now }) => ({
        context: { bans: keepBans(context, peer, until, now) },
      })),
    ),
    recordOwnAddress: step(
      on('listener.opened', ({ context, event, wall }) => {
        if (context.advertised === undefined) return {};
        const { host, port } = context.advertised;
        const record = context.signAddress({ host, port: port ?? event.port }, wall);
        return {
          context: {
            book: withRecord(context.book, context.self, record),
            fresh: new Set(context.fresh).add(context.self),
          },
          effects: [gossipLater],
        };
      }),
    ),
    learnAddresses: step(
      on('addresses.received', ({ context, event: { from, message } }) =>
        learn(context, from, message.records),
      ),
    ),
    gossipAddresses: step(({ context }) => {
      const records = [...context.fresh].flatMap((id) => context.book.get(id) ?? []);
      return {
        context: { ...context, fresh: new Set<NodeId>() },
        effects: tellAddresses(context, context.links.values(), records),
      };
    }),
    recordValidators: step(
      on('validators.changed', ({ context, event: { validators }, now, address }) => {
        const others = validators.filter((peer) => peer !== context.self);
        const fresh = others.filter((peer) => !isKnown(context, peer));
        const promoted = others.filter((peer) => context.guests.has(peer));
        const demoted = context.validators.filter(
          (peer) => peer !== context.self && !validators.includes(peer),
        );
        const guests = new Map(context.guests);
        for (const peer of promoted) guests.delete(peer);
        for (const peer of demoted) guests.set(peer, now);
        return {
          context: { validators, guests },
          effects: [
            ...fresh.map((peer) => startPeer({ context, address }, peer, 'validator')),
            ...promoted.map((peer) =>
              toPeer(context, peer, { type: 'standing.changed', standing: 'validator' }),
            ),
            ...demoted.map((peer) => toPeer(context, peer, { type: 'standing.changed', standing: 'guest' })),
            ...connectivityChanges(context, promoted, demoted),
            // What was told of the new ones while they were strangers was not kept.
            ...tellAddresses(context, context.links.values(), recordsOf(context.book)),
          ],
        };
      }),
    ),
  },
});

/** What is left when the link at `address` is gone; a link that was replaced before changes nothing. */
function withoutLink(context: RouterContext, address: CellAddress) {
  const gone = [...context.links].find(([, link]) => link === address)?.[0];
  const links = new Map(context.links);
  if (gone !== undefined) links.delete(gone);
  const isTold = gone !== undefined && isValidator(context, gone);
  return { links, effects: isTold ? tellAll(context, { type: 'peer.disconnected', peer: gone }) : [] };
}

/** Links that stand while their peers enter or leave the set. */
function connectivityChanges(
  context: RouterContext,
  promoted: readonly NodeId[],
  demoted: readonly NodeId[],
): Effect[] {
  const linked = (peers: readonly NodeId[]) => peers.filter((peer) => context.links.has(peer));
  return [
    ...linked(promoted).flatMap((peer) => tellAll(context, { type: 'peer.connected', peer })),
    ...linked(demoted).flatMap((peer) => tellAll(context, { type: 'peer.disconnected', peer })),
  ];
}

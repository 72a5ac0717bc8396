/**
 * Parts of the router chart: what cells ask of the network goes out by the peers' links, encoded once; who is
 * connected, who may come, and where all are found. Pure; the codec and the signatures come with its input.
 * Rules TP-2, TP-4, TP-6, TP-7, CS-18, docs/protocol/transport.md.
 */
import { setup } from 'xstate';
import type { Monotonic } from '../../base/units.ts';
import type { Address } from '../../protocol/chain/types.ts';
import type { EpochBegan } from '../../protocol/ports/consensus.ts';
import type { ConnectivityTold, NetworkRequest } from '../../protocol/ports/network.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';
import { recordsOf, ruleOnRecord, withRecord } from '../../protocol/transport/addresses.ts';
import {
  ADDRESS_GOSSIP_MS,
  ADDRESS_RECORDS_MAX,
  BANS_KEPT_MAX,
  GUESTS_MAX,
  GUESTS_PER_HOST_MAX,
} from '../../protocol/transport/limits.ts';
import type { AddressRecord, NodeId } from '../../protocol/transport/messages.ts';
import { isOwnMachine, networkOfEndpoint } from '../../protocol/transport/networks.ts';
import type {
  AddressesReceived,
  ConnectionOffered,
  ConnectionRefused,
  ListenerOpened,
  PeerReport,
  Standing,
} from '../../protocol/transport/peering.ts';
import { type CellDown, declare, on, type StepArgs, step, types } from '../vocabulary/index.ts';
import type { PeerInput } from './peer.setup.ts';
import {
  connectivityChanges,
  isKept,
  isKnown,
  isValidator,
  linkedGuests,
  peerCell,
  type RouterContext,
  type RouterInput,
  sendEach,
  tellListeners,
  toLink,
  toPeer,
  withoutLink,
} from './router.live.ts';

export { newRouter, type RouterContext, type RouterInput } from './router.live.ts';

type RouterPublicEvent =
  | NetworkRequest
  | ConnectionOffered
  | PeerReport
  | ListenerOpened
  | AddressesReceived
  | EpochBegan;
type RouterPrivateEvent = { readonly type: 'gossip.due' };

/** Event types that other cells may send (RT-16). */
export const ROUTER_EVENTS = declare<RouterPublicEvent>()(
  'network.sendRequested',
  'guests.tellRequested',
  'guest.askRequested',
  'peer.misbehaved',
  'connectivity.requested',
  'sources.requested',
  'connection.offered',
  'guest.started',
  'link.up',
  'link.down',
  'peer.banned',
  'listener.opened',
  'addresses.received',
  'epoch.began',
);

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
    [...context.guests].filter(
      ([guest, { since }]) => context.links.has(guest) || now - since < GUEST_START_MS,
    ),
  );
  const network = networkOfEndpoint(card.remote);
  const near = [...guests.values()].filter((guest) => guest.network === network).length;
  if (guests.size >= GUESTS_MAX || (near >= GUESTS_PER_HOST_MAX && !isOwnMachine(network))) {
    return refuse('TOO_MANY_CONNECTIONS');
  }
  guests.set(peer, { since: now, network });
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

const isSameList = (left: readonly Address[], right: readonly Address[]): boolean =>
  left.length === right.length && left.every((one) => right.includes(one));

export const routerSetup = setup({
  types: types<RouterContext, RouterEvent, RouterInput>(),
  guards: {
    isKnown: ({ context, event }) => 'peer' in event && isKnown(context, event.peer),
  },
  actions: {
    greetPeers: step(({ context }) => ({
      effects: [...new Set([...context.validators, ...(context.kept ?? [])])]
        .filter((peer) => peer !== context.self)
        .map((peer) => toPeer(context, peer, { type: 'router.started' })),
    })),
    sendAll: step(
      on('network.sendRequested', ({ context, event: { outgoing } }) => sendEach(context, outgoing)),
    ),
    sendToGuests: step(
      on('guests.tellRequested', ({ context, event: { message } }) => {
        const guests = linkedGuests(context);
        return guests.length === 0 ? {} : sendEach(context, [{ to: guests, message }]);
      }),
    ),
    sendToGuest: step(
      on('guest.askRequested', ({ context, event: { message, turn } }) => {
        const guests = [...linkedGuests(context)].sort();
        const guest = guests[turn % Math.max(1, guests.length)];
        return guest === undefined ? {} : sendEach(context, [{ to: [guest], message }]);
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
    tellSources: step(
      on('sources.requested', ({ context, event: { replyTo } }) => ({
        effects: [...context.links.keys()]
          .filter((peer) => isKept(context, peer) && !isValidator(context, peer))
          .map((peer) => telling(replyTo, { type: 'peer.connected', peer })),
      })),
    ),
    forwardOffer: step(
      on('connection.offered', ({ context, event }) => ({
        effects: [telling(peerCell(context, event.peer), event)],
      })),
    ),
    admitOffer: step(on('connection.offered', (args) => admitGuest(args, args.event))),
    recordGuest: step(
      on('guest.started', ({ context, event: { peer }, now }) =>
        // A kept node has a place of its own.
        isKept(context, peer)
          ? {}
          : {
              context: {
                guests: new Map(context.guests).set(peer, {
                  since: now,
                  network: context.guests.get(peer)?.network,
                }),
              },
              effects: [{ kind: 'watch', address: peerCell(context, peer) }],
            },
      ),
    ),
    recordLink: step(
      on('link.up', ({ context, event: { peer, link } }) => {
        const wasUp = context.links.has(peer);
        const links = new Map(context.links).set(peer, link);
        return {
          context: { links },
          effects: [
            { kind: 'watch', address: link },
            ...(wasUp ? [] : tellListeners(context, { type: 'peer.connected', peer })),
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
      on('epoch.began', ({ context, event: { epoch }, now, address }) => {
        const validators = epoch.set.validators.map((validator) => validator.address);
        if (isSameList(validators, context.validators)) return {};
        const others = validators.filter((peer) => peer !== context.self);
        const fresh = others.filter((peer) => !isKnown(context, peer));
        const promoted = others.filter(
          (peer) => !isValidator(context, peer) && (context.guests.has(peer) || isKept(context, peer)),
        );
        const demoted = context.validators.filter(
          (peer) => peer !== context.self && !validators.includes(peer),
        );
        const guests = new Map(context.guests);
        for (const peer of promoted) guests.delete(peer);
        for (const peer of demoted) {
          if (!isKept(context, peer)) guests.set(peer, { since: now, network: undefined });
        }
        const changed: RouterContext = { ...context, validators, guests };
        return {
          context: changed,
          effects: [
            ...fresh.map((peer) => startPeer({ context, address }, peer, 'validator')),
            ...promoted.map((peer) =>
              toPeer(context, peer, { type: 'standing.changed', standing: 'validator' }),
            ),
            ...demoted.map((peer) => toPeer(context, peer, { type: 'standing.changed', standing: 'guest' })),
            ...connectivityChanges(context, changed, [...promoted, ...demoted]),
            // What was told of the new ones while they were strangers was not kept.
            ...tellAddresses(context, context.links.values(), recordsOf(context.book)),
          ],
        };
      }),
    ),
  },
});

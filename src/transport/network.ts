/**
 * The wiring of a node's network: router, peers, listener, as children of the tree's `network` supervisor.
 * Composes; decides nothing. Rules TP-1 to TP-7, docs/protocol/transport.md.
 */
import { randomBytes } from 'node:crypto';
import { type CellSpec, child, type SupervisorLogic, supervisor } from '../actors/runtime/spec.ts';
import { millis, type WallTime } from '../base/units.ts';
import { ed25519Verify } from '../crypto/ed25519.ts';
import { peerMachine } from '../machines/peer/peer.machine.ts';
import { PEER_EVENTS } from '../machines/peer/peer.setup.ts';
import { routerMachine } from '../machines/peer/router.machine.ts';
import { ROUTER_EVENTS, type RouterInput } from '../machines/peer/router.setup.ts';
import type { Address, ChainDomain, Epoch } from '../protocol/chain/types.ts';
import type { CellAddress } from '../protocol/supervision/effect.ts';
import { addressStatement } from '../protocol/transport/addresses.ts';
import type { DialBackoff } from '../protocol/transport/backoff.ts';
import { GUEST_RATES_DEFAULT, type GuestRates, INSTANCE_BYTES } from '../protocol/transport/limits.ts';
import type { Endpoint, NodeId, Role } from '../protocol/transport/messages.ts';
import type { Route, Standing } from '../protocol/transport/peering.ts';
import { type Carrier, dialerLogic, linkLogic, listenerLogic } from './cells.ts';
import type { CarrierClock } from './clock.ts';
import { encode } from './codec/codec.ts';
import { Disturbance, type LinksOrder } from './disturbance.ts';
import { type NodeIdentity, nodeIdentity, nodeIdOf } from './identity.ts';
import type { ListenerCounts } from './listener.ts';
import { RateBook } from './rates.ts';
import { type PeerConnection, Room } from './room.ts';

export interface NetworkOptions {
  /** Address of the supervisor that these cells will be children of: `node/network`. */
  readonly address: CellAddress;
  /** The node's Ed25519 secret, 32 bytes. */
  readonly secret: Uint8Array;
  readonly chain: ChainDomain;
  /** Of the present epoch, asked at each start of the router, which hears of later ones by `epoch.began` (CS-16). */
  readonly validators: () => readonly Address[];
  /** Where some nodes are found: these are dialed and kept, validators or not. Other validators are learned of (TP-7). */
  readonly endpoints: ReadonlyMap<Address, Endpoint>;
  /** Port 0: the system chooses. */
  readonly listen: Endpoint;
  /** What others are told; left out, they are told nothing. A missing port is the one listened on. */
  readonly advertise?: { readonly host: string; readonly port?: number };
  readonly moniker: string;
  /** The node's epoch now, told in Hellos; informational. */
  readonly epoch: () => Epoch;
  readonly route: Route;
  /** Cells that are told which validators can be reached. */
  readonly connectivity: readonly CellAddress[];
  /** Of them, those that are told of kept nodes too that are no validators. Default: none. */
  readonly sources?: readonly CellAddress[];
  readonly clock: CarrierClock & { wall(): WallTime };
  /** Waits between dials; default DIAL_BACKOFF. */
  readonly backoff?: DialBackoff;
  /** Plain `ws`: for development, on loopback only. */
  readonly insecure?: boolean;
  /** What nodes that are no validators may hand over; those of `endpoints` have a share of their own. Default GUEST_RATES_DEFAULT. */
  readonly guests?: GuestRates;
}

export interface Network {
  readonly id: NodeId;
  /** For the tree's `network` supervisor, in this order. */
  readonly cells: readonly CellSpec[];
  /** Live connections now. */
  connections(): readonly PeerConnection[];
  /** Operations of guests above their rate, since the start (TP-5). @unit operations */
  operationsTurnedAway(): number;
  /** For networks on one machine: what their page does to this node's links. */
  disturb(order: LinksOrder): void;
  /** Undefined while the listener is not open. */
  listening(): (ListenerCounts & { readonly port: number }) | undefined;
  /** The system's error of the last try to listen that failed: EADDRINUSE, EADDRNOTAVAIL, … */
  notListening(): Error | undefined;
}

/** A network that carries over TLS WebSockets. */
export function createNetwork(options: NetworkOptions): Network {
  const { address, clock, route, insecure = false } = options;
  const identity = nodeIdentity(options.secret);
  const role = (): Role => (options.validators().includes(identity.id) ? 'validator' : 'full');
  const instance = new Uint8Array(randomBytes(INSTANCE_BYTES));
  const { chain, moniker, epoch } = options;
  const room = new Room(clock);
  const router = `${address}/router`;
  const self = { identity, chain, role, moniker, instance, epoch };
  const { guests = GUEST_RATES_DEFAULT } = options;
  const carrier: Carrier = {
    ...{ self, clock, room, insecure, route, router },
    disturbance: new Disturbance(),
    ...{ rates: new RateBook(guests, new Set(options.endpoints.keys())), operationsTurnedAway: 0 },
  };
  return {
    id: identity.id,
    cells: [
      child('peer', peers(options, identity.id, carrier)),
      routerCell(routerInput(options, identity)),
      child('listener', listenerLogic(carrier), { input: options.listen, backoff: LISTEN_BACKOFF }),
    ],
    connections: () => room.connections(),
    operationsTurnedAway: () => carrier.operationsTurnedAway,
    disturb(order) {
      carrier.disturbance.set(order);
      room.closeTo(order.cut, 'STALLED', 'the link is cut by order');
    },
    listening: () => carrier.listening?.(),
    notListening: () => carrier.notListening,
  };
}

/** A port that is still taken by the process before. @unit ms */
const LISTEN_BACKOFF = {
  min: millis(200),
  max: millis(5_000),
  factor: 2,
  jitter: 0.2,
  resetAfter: millis(30_000),
};

/** Messages that wait for the router: what a burst of consensus sends at once. @unit messages */
const ROUTER_MAILBOX = { capacity: 16_384, overflow: 'drop_newest' } as const;

/** The router as a child; the same for every carrier. */
export function routerCell(input: RouterInput): CellSpec {
  return child('router', routerMachine, { input, publicEvents: ROUTER_EVENTS, mailbox: ROUTER_MAILBOX });
}

function routerInput(options: NetworkOptions, identity: NodeIdentity): RouterInput {
  const { address, chain, validators, route, connectivity, sources = [], advertise } = options;
  return {
    self: identity.id,
    get validators() {
      return validators();
    },
    route,
    connectivity,
    sources,
    kept: [...options.endpoints.keys()],
    peers: `${address}/peer`,
    listener: `${address}/listener`,
    ...(options.backoff === undefined ? {} : { backoff: options.backoff }),
    advertised: advertise === undefined ? undefined : { host: advertise.host, port: advertise.port },
    encode,
    idOf: nodeIdOf,
    signAddress: (endpoint, sequence) => {
      const unsigned = { ...endpoint, nodeKey: identity.nodeKey, sequence };
      return { ...unsigned, signature: identity.sign(addressStatement(unsigned, chain)) };
    },
    verifyAddress: (record) =>
      ed25519Verify(record.nodeKey, addressStatement(record, chain), record.signature),
  };
}

/** Restarts of peers within a minute before the network is asked. @unit restarts */
const PEER_RESTARTS_MAX = 20;

function peers(options: NetworkOptions, self: NodeId, carrier: Carrier): SupervisorLogic {
  const { address, endpoints } = options;
  const validators = options.validators();
  const machine = peerMachine.provide({
    actors: { dialer: dialerLogic(carrier), link: linkLogic(carrier) },
  });
  const backoff = options.backoff === undefined ? {} : { backoff: options.backoff };
  const common = { self, router: `${address}/router`, listener: `${address}/listener`, ...backoff };
  return supervisor({
    strategy: 'one_for_one',
    intensity: PEER_RESTARTS_MAX,
    period: millis(60_000),
    children: [...new Set([...validators, ...endpoints.keys()])]
      .filter((peer) => peer !== self)
      .map((peer) => {
        const endpoint = endpoints.get(peer);
        const known = endpoint === undefined ? {} : { endpoint, kept: true };
        const standing: Standing = validators.includes(peer) ? 'validator' : 'guest';
        return child(peer, machine, {
          restart: 'transient',
          publicEvents: PEER_EVENTS,
          input: { ...common, peer, standing, ...known },
        });
      }),
    // Their input is replaced by that of each `child.start`.
    templates: (['validator', 'guest'] as const).map((standing) =>
      child(standing, machine, {
        restart: standing === 'validator' ? 'transient' : 'temporary',
        publicEvents: PEER_EVENTS,
        input: { ...common, peer: self, standing },
      }),
    ),
  });
}

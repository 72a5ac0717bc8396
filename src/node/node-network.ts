/** The links of one node, as its configuration names them, and what readers see of them. Boundary; composes only. Rules TP-*, docs/protocol/transport.md. */
import { CONNECTIVITY_LISTENERS, routeOf, SOURCE_LISTENERS } from '../actors/addresses.ts';
import type { Clock } from '../actors/runtime/index.ts';
import { parseAddress } from '../protocol/chain/parse.ts';
import type { Address, ValidatorSet } from '../protocol/chain/types.ts';
import { powerOf } from '../protocol/chain/validator-set.ts';
import type { EpochContext } from '../protocol/consensus/epoch.ts';
import { DIAL_BACKOFF } from '../protocol/transport/backoff.ts';
import { handingRates } from '../protocol/transport/limits.ts';
import type { Endpoint } from '../protocol/transport/messages.ts';
import type { PeerStatus } from '../rpc/node-port.ts';
import { createNetwork, type Network } from '../transport/network.ts';
import type { Config } from './config/schema.ts';
import { refusal } from './read-home.ts';

/** @throws StartRefused for a peer without an id */
export const nodeNetwork = (
  { p2p, node }: Config,
  secret: Uint8Array,
  clock: Clock,
  /** The present epoch. */
  present: () => EpochContext,
): Network =>
  createNetwork({
    address: 'node/network',
    secret,
    chain: present().domain,
    validators: () => present().set.validators.map(({ address }) => address),
    endpoints: endpointsOf(p2p.peers),
    listen: endpointOf(p2p.listen),
    advertise: endpointOf(p2p.externalAddress || p2p.listen),
    moniker: node.moniker,
    epoch: () => present().epoch,
    route: routeOf,
    connectivity: CONNECTIVITY_LISTENERS,
    sources: SOURCE_LISTENERS,
    clock,
    backoff: { ...DIAL_BACKOFF, min: p2p.dialBackoffMsMin, max: p2p.dialBackoffMsMax },
    insecure: p2p.plaintextOnLoopback,
    guests: {
      each: handingRates(p2p.guestOperationsPerSecond, p2p.guestOperationBytesPerSecond),
      all: handingRates(p2p.allGuestsOperationsPerSecond, p2p.allGuestsOperationBytesPerSecond),
    },
  });

/** `id@host:port` entries, as the configuration has checked them. */
export function endpointsOf(entries: readonly string[]): ReadonlyMap<Address, Endpoint> {
  const endpoints = new Map<Address, Endpoint>();
  for (const entry of entries) {
    const [id = '', place = ''] = entry.split('@');
    const address = parseAddress(id);
    if (address === 'malformed')
      throw refusal('p2p.peers', `"${entry}" has no node id of 40 hexadecimal digits`);
    endpoints.set(address, endpointOf(place));
  }
  return endpoints;
}

/** `host:port` or `[::1]:port`. */
function endpointOf(place: string): Endpoint {
  const colon = place.lastIndexOf(':');
  return { host: place.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(place.slice(colon + 1)) };
}

/** Where others reach this node. */
export function peerAddress({ p2p }: Config, network: Network): string {
  if (p2p.externalAddress !== '') return p2p.externalAddress;
  const { host, port } = endpointOf(p2p.listen);
  return `${host}:${network.listening()?.port ?? port}`;
}

export function peersOf(network: Network, set: ValidatorSet): readonly PeerStatus[] {
  return network.connections().map((connection) => ({
    id: connection.id,
    moniker: connection.moniker,
    address: connection.remote,
    outbound: connection.outbound,
    connectedAt: connection.connectedAt,
    bytesSent: connection.bytesSent,
    bytesReceived: connection.received.bytes,
    power: powerOf(set, connection.id),
  }));
}

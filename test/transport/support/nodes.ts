/** Nodes on loopback with nothing but a network: what they receive lands in lists. */
import {
  type Clock,
  child,
  createSystem,
  handler,
  type Message,
  realClock,
  type System,
  seededRandom,
  supervisor,
} from '../../../src/actors/runtime/index.ts';
import { millis } from '../../../src/base/units.ts';
import type { Address, ChainDomain, Digest, Epoch } from '../../../src/protocol/chain/types.ts';
import type { PeerMessage } from '../../../src/protocol/consensus/types.ts';
import type { PeerMessageReceived } from '../../../src/protocol/ports/network.ts';
import type { Endpoint, NodeId } from '../../../src/protocol/transport/messages.ts';
import { nodeIdentity } from '../../../src/transport/identity.ts';
import { createNetwork, type Network, type NetworkOptions } from '../../../src/transport/network.ts';

export const CHAIN: ChainDomain = { chainId: 'althing-test', genesisHash: 'ab'.repeat(32) as Digest };

export const secretOf = (index: number): Uint8Array => new Uint8Array(32).fill(index + 1);
/** Ids of nodes 0 to count − 1, in the order of their numbers. */
export const idsOf = (count: number): readonly Address[] =>
  Array.from({ length: count }, (_, index) => nodeIdentity(secretOf(index)).id);

export interface TestNode {
  readonly id: NodeId;
  readonly system: System;
  readonly network: Network;
  readonly received: PeerMessageReceived[];
  /** `+id` and `-id`, in order. */
  readonly connectivity: string[];
  readonly port: number;
  send(to: 'all' | readonly Address[], message: PeerMessage): void;
  tellRouter(message: Message): void;
  stop(): Promise<void>;
}

/** Messages of the sink's own: those of the network. */
type SinkMessage =
  | PeerMessageReceived
  | { readonly type: 'peer.connected' | 'peer.disconnected'; readonly peer: Address };

export interface TestNodeOptions {
  readonly index: number;
  readonly validators: readonly Address[];
  readonly endpoints?: ReadonlyMap<Address, Endpoint>;
  readonly clock?: Clock;
  readonly change?: Partial<NetworkOptions>;
}

/** Starts a node and waits for its port. */
export async function startNode(options: TestNodeOptions): Promise<TestNode> {
  const { index, validators, endpoints = new Map(), clock = realClock(), change = {} } = options;
  const received: PeerMessageReceived[] = [];
  const connectivity: string[] = [];
  const network = createNetwork({
    address: 'node/network',
    secret: secretOf(index),
    chain: CHAIN,
    validators: () => validators,
    endpoints,
    listen: { host: '127.0.0.1', port: 0 },
    advertise: { host: '127.0.0.1' },
    moniker: `node-${index}`,
    epoch: () => 0 as Epoch,
    route: () => 'node/sink',
    connectivity: ['node/sink'],
    clock,
    ...change,
  });
  const sink = handler<undefined, SinkMessage>({
    init: () => undefined,
    receive(message) {
      if (message.type === 'message.received') received.push(message);
      else connectivity.push(`${message.type === 'peer.connected' ? '+' : '-'}${message.peer}`);
    },
  });
  const system = createSystem({ name: `node-${index}`, clock, random: seededRandom(index) });
  const bounded = { intensity: 20, period: millis(60_000) };
  const root = system.start(
    child(
      'node',
      supervisor({
        ...bounded,
        children: [
          child('sink', sink),
          child('network', supervisor({ ...bounded, children: network.cells })),
        ],
      }),
    ),
  );
  await root.started();
  const router = system.ref('node/network/router');
  return {
    id: network.id,
    system,
    network,
    received,
    connectivity,
    port: network.listening()?.port ?? 0,
    send: (to, message) => void router.tell({ type: 'network.sendRequested', outgoing: [{ to, message }] }),
    tellRouter: (message) => void router.tell(message),
    stop: () => system.stop(),
  };
}

/** Waits until `condition` holds; fails with `what` after `timeoutMs`. */
export async function until(what: string, condition: () => boolean, timeoutMs = 10_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

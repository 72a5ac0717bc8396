/**
 * A node's network on the in-memory hub: the production router, and a link cell for each peer at the address where the
 * peer's chart is otherwise. Deterministic under a virtual clock. Rules CS-18, TP-4, docs/protocol/transport.md.
 */
import { type BoundaryContext, type BoundaryLogic, handler } from '../actors/runtime/boundary.ts';
import { type CellSpec, child, supervisor } from '../actors/runtime/spec.ts';
import { millis } from '../base/units.ts';
import type { RouterInput } from '../machines/peer/router.setup.ts';
import type { Address } from '../protocol/chain/types.ts';
import type { PeerMessageReceived } from '../protocol/ports/network.ts';
import type { CellAddress } from '../protocol/supervision/effect.ts';
import { isPeerMessage } from '../protocol/transport/kinds.ts';
import type { NodeId, WireMessage } from '../protocol/transport/messages.ts';
import type { LinkRequest, PeerReport, PeerRequest, Route } from '../protocol/transport/peering.ts';
import type { Hub, HubNode } from './hub.ts';
import { nodeIdOf } from './identity.ts';
import { routerCell } from './network.ts';

export interface HubNetworkOptions {
  readonly hub: Hub;
  /** Address of the supervisor that these cells will be children of: `node/network`. */
  readonly address: CellAddress;
  readonly self: NodeId;
  /** Of the present epoch, asked at each start of the router. */
  readonly validators: () => readonly Address[];
  /** Nodes that are linked too, though they are no validators. Default: none. */
  readonly kept?: readonly Address[];
  /** Of `connectivity`, the cells that hear of these too. Default: none. */
  readonly sources?: readonly CellAddress[];
  readonly route: Route;
  /** Cells that are told which validators can be reached. */
  readonly connectivity: readonly CellAddress[];
}

/** For the tree's `network` supervisor, in this order: as `createNetwork(…).cells`. */
export function hubCells(options: HubNetworkOptions): readonly CellSpec[] {
  const { hub, address, self, validators, kept = [] } = options;
  const port = new HubPort(hub, options);
  const link = hubLink(port);
  const bounded = { intensity: 20, period: millis(60_000) };
  const others = [...new Set([...validators(), ...kept])].filter((peer) => peer !== self);
  return [
    child(
      'peer',
      supervisor({
        ...bounded,
        children: others.map((peer) => child(peer, link, { input: { peer } })),
        templates: (['validator', 'guest'] as const).map((standing) =>
          child(standing, link, { restart: 'temporary', input: { peer: self } }),
        ),
      }),
    ),
    routerCell(hubRouterInput(options, address)),
  ];
}

function hubRouterInput(
  { hub, self, validators, kept = [], sources = [], route, connectivity }: HubNetworkOptions,
  address: CellAddress,
): RouterInput {
  return {
    self,
    get validators() {
      return validators();
    },
    kept,
    sources,
    route,
    connectivity,
    peers: `${address}/peer`,
    listener: `${address}/listener`,
    advertised: undefined,
    encode: hub.encode,
    idOf: nodeIdOf,
    // There are no addresses to learn in a hub.
    signAddress: (endpoint, sequence) => ({
      ...endpoint,
      nodeKey: new Uint8Array(32),
      sequence,
      signature: new Uint8Array(64),
    }),
    verifyAddress: () => false,
  };
}

interface HubLinkInput {
  readonly peer: NodeId;
}

type LinkContext = BoundaryContext<HubLinkInput>;

/** One node's end of the hub: the link cells that live now, by peer. */
class HubPort implements HubNode {
  readonly hub: Hub;
  readonly #options: HubNetworkOptions;
  readonly #links = new Map<NodeId, LinkContext>();
  readonly #up = new Set<NodeId>();
  #detach: (() => void) | undefined;
  #routerRuns = false;

  constructor(hub: Hub, options: HubNetworkOptions) {
    this.hub = hub;
    this.#options = options;
  }

  get self(): NodeId {
    return this.#options.self;
  }

  open(link: LinkContext): void {
    const { peer } = link.input;
    this.#links.set(peer, link);
    // The first link brings the node into the hub, the last one takes it out.
    if (this.#detach === undefined) this.#detach = this.hub.attach(this.self, this);
    else this.#report(peer);
  }

  /** The router runs, and asks how things stand. */
  greet(peer: NodeId): void {
    this.#routerRuns = true;
    this.#report(peer);
  }

  close(link: LinkContext): void {
    const { peer } = link.input;
    if (this.#links.get(peer) !== link) return;
    this.#links.delete(peer);
    if (this.#links.size > 0) return;
    this.#up.clear();
    this.#detach?.();
    this.#detach = undefined;
  }

  linked(peer: NodeId, up: boolean): void {
    if (up) this.#up.add(peer);
    else this.#up.delete(peer);
    this.#report(peer);
  }

  /** Tells the router how the link to `peer` stands. */
  #report(peer: NodeId): void {
    const link = this.#links.get(peer);
    if (link === undefined || !this.#routerRuns) return;
    const type = this.#up.has(peer) ? 'link.up' : 'link.down';
    const report: PeerReport = { type, peer, link: link.self };
    link.tell(`${this.#options.address}/router`, report);
  }

  receive(from: NodeId, message: WireMessage): boolean {
    const link = this.#links.get(from);
    if (link === undefined || !isPeerMessage(message)) return false;
    const received: PeerMessageReceived = { type: 'message.received', from, message };
    return link.tell(this.#options.route(message.kind), received) === 'accepted';
  }
}

function hubLink(port: HubPort): BoundaryLogic<HubLinkInput> {
  return handler<undefined, LinkRequest | PeerRequest, HubLinkInput>({
    init(context) {
      port.open(context);
      // A kill does not terminate: the hub must not keep the dead.
      context.signal.addEventListener('abort', () => port.close(context), { once: true });
      return undefined;
    },
    receive(request, { input: { peer } }) {
      if (request.type === 'frame.sendRequested') port.hub.send(port.self, peer, request.frame);
      if (request.type === 'router.started') port.greet(peer);
    },
    terminate: () => undefined,
  });
}

/**
 * An in-memory network on a clock that all its nodes share: links with delay, loss, duplication, reordering and
 * partitions, all drawn from one seed. Under a virtual clock a run repeats to the bit. The nodes' routers are the
 * production ones; only the links differ. Rules TP-4, SM-2, docs/protocol/transport.md.
 */
import type { Clock } from '../actors/runtime/clock.ts';
import { type Random, seededRandom } from '../base/random.ts';
import { type Millis, type Monotonic, millis, monotonic } from '../base/units.ts';
import type { Encode, Frame } from '../protocol/transport/frame.ts';
import type { NodeId, WireMessage } from '../protocol/transport/messages.ts';
import { decode, encode } from './codec/codec.ts';

/** How one direction of a link behaves. */
export interface LinkFaults {
  /** Shortest delay. @unit ms */
  readonly delayMin: Millis;
  /** Mean of the delay above the shortest, exponentially distributed; 0: every frame takes `delayMin`. @unit ms */
  readonly delayMean: Millis;
  /** Share of frames that are lost. 0 to 1 */
  readonly drop: number;
  /** Share of frames that arrive more than once. 0 to 1 */
  readonly duplicate: number;
  /** How often such a frame arrives besides. Default 1. */
  readonly copies?: number;
  /** False: frames of one direction arrive in the order in which they were sent. */
  readonly reorder: boolean;
}

/** @source a LAN */
export const CALM: LinkFaults = {
  delayMin: millis(1),
  delayMean: millis(0),
  drop: 0,
  duplicate: 0,
  reorder: false,
};

export interface HubOptions {
  readonly clock: Pick<Clock, 'now' | 'schedule'>;
  /** Decides every draw. */
  readonly seed: string | number;
  /** For all links until `setFaults` says otherwise. Default CALM. */
  readonly faults?: LinkFaults;
  /** `codec`: what arrives has been encoded and decoded. `reference`: the object itself, for speed. Default `codec`. */
  readonly carry?: 'codec' | 'reference';
  /** Sees every message before it goes; what it says of it goes before the faults. */
  readonly filter?: (transit: Transit) => 'pass' | 'drop' | { readonly delay: Millis };
}

/** One message on its way between two nodes. */
export interface Transit {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly message: WireMessage;
}

export interface HubCounts {
  readonly sent: number;
  readonly delivered: number;
  /** Lost by chance or by the filter. */
  readonly dropped: number;
  readonly duplicated: number;
  /** Lost because the direction was cut, when it was sent or when it would have arrived. */
  readonly cut: number;
  /** No such node, or not any more. */
  readonly unreachable: number;
  /** The receiver had no room. */
  readonly refused: number;
  /** What the codec does not read back. */
  readonly garbled: number;
  readonly inFlight: number;
  /** @unit bytes */
  readonly bytes: number;
}

/** A node's end of the hub. */
export interface HubNode {
  /** False when there was no room for the message. */
  receive(from: NodeId, message: WireMessage): boolean;
  /** The other node has come or gone. */
  linked(peer: NodeId, up: boolean): void;
}

export interface Hub {
  /** Adds a node; the result takes it away. Everyone present is told of everyone. */
  attach(id: NodeId, node: HubNode): () => void;
  send(from: NodeId, to: NodeId, frame: Frame): void;
  /** The codec that frames of this hub are made with. */
  readonly encode: Encode;
  /** Behaviour of one direction, or of all links. */
  setFaults(faults: LinkFaults, direction?: { readonly from: NodeId; readonly to: NodeId }): void;
  /** Cuts one direction. */
  block(from: NodeId, to: NodeId): void;
  /** Cuts every link between nodes of different groups, both ways; a node in no group is alone. */
  partition(...groups: readonly (readonly NodeId[])[]): void;
  /** Joins everything again; faults stay as they are. */
  heal(): void;
  /** Joins these nodes with each other, until the next partition; what is cut between them and others stays cut. */
  join(nodes: readonly NodeId[]): void;
  /** Ids of the nodes that are attached, in order. */
  nodes(): readonly NodeId[];
  readonly counts: HubCounts;
}

export function createHub(options: HubOptions): Hub {
  return new MemoryHub(options);
}

class MemoryHub implements Hub {
  readonly #clock: HubOptions['clock'];
  readonly #random: Random;
  readonly #filter: NonNullable<HubOptions['filter']>;
  readonly #nodes = new Map<NodeId, HubNode>();
  readonly #blocked = new Set<string>();
  readonly #lastArrival = new Map<string, Monotonic>();
  readonly #faultsOf = new Map<string, LinkFaults>();
  #faults: LinkFaults;
  #groups: readonly (readonly NodeId[])[] = [];
  #joined: ReadonlySet<NodeId> = new Set();
  /** What each frame holds: decoded once, or never encoded at all. */
  readonly #contents = new WeakMap<Frame, WireMessage>();
  readonly #counts = {
    sent: 0,
    delivered: 0,
    dropped: 0,
    duplicated: 0,
    cut: 0,
    unreachable: 0,
    refused: 0,
    garbled: 0,
    inFlight: 0,
    bytes: 0,
  };
  readonly encode: Encode;

  constructor({ clock, seed, faults = CALM, carry = 'codec', filter = () => 'pass' }: HubOptions) {
    this.#clock = clock;
    this.#random = seededRandom(seed);
    this.#faults = faults;
    this.#filter = filter;
    this.encode = carry === 'codec' ? encode : (message) => this.#reference(message);
  }

  get counts(): HubCounts {
    return { ...this.#counts };
  }

  nodes(): readonly NodeId[] {
    return [...this.#nodes.keys()].sort();
  }

  attach(id: NodeId, node: HubNode): () => void {
    this.#nodes.set(id, node);
    for (const [other, otherNode] of this.#nodes) {
      if (other === id) continue;
      otherNode.linked(id, true);
      node.linked(other, true);
    }
    return () => {
      if (this.#nodes.get(id) !== node) return;
      this.#nodes.delete(id);
      for (const other of this.#nodes.values()) other.linked(id, false);
    };
  }

  setFaults(faults: LinkFaults, direction?: { readonly from: NodeId; readonly to: NodeId }): void {
    if (direction === undefined) {
      this.#faults = faults;
      this.#faultsOf.clear();
    } else this.#faultsOf.set(keyOf(direction.from, direction.to), faults);
  }

  block(from: NodeId, to: NodeId): void {
    this.#blocked.add(keyOf(from, to));
  }

  partition(...groups: readonly (readonly NodeId[])[]): void {
    this.#groups = groups;
    this.#joined = new Set();
  }

  join(nodes: readonly NodeId[]): void {
    this.#joined = new Set(nodes);
    for (const from of nodes) for (const to of nodes) this.#blocked.delete(keyOf(from, to));
  }

  heal(): void {
    this.#groups = [];
    this.#blocked.clear();
  }

  send(from: NodeId, to: NodeId, frame: Frame): void {
    const message = this.#contentOf(frame);
    this.#counts.sent += 1;
    this.#counts.bytes += frame.bytes.byteLength;
    if (message === undefined) {
      this.#counts.garbled += 1;
      return;
    }
    const transit: Transit = { from, to, message };
    if (this.#isCut(from, to)) {
      this.#counts.cut += 1;
      return;
    }
    const verdict = this.#filter(transit);
    const faults = this.#faultsOf.get(keyOf(from, to)) ?? this.#faults;
    const draws = this.#random.stream(keyOf(from, to));
    // Always the same number of draws for a frame: a rate that changes shifts no other frame's luck.
    const [lossDraw, twiceDraw, delayDraw, secondDraw] = [
      draws.next(),
      draws.next(),
      draws.next(),
      draws.next(),
    ];
    if (verdict === 'drop' || lossDraw < faults.drop) {
      this.#counts.dropped += 1;
      return;
    }
    const extra = typeof verdict === 'object' ? verdict.delay : 0;
    this.#schedule(transit, faults, extra + delayOf(faults, delayDraw));
    if (twiceDraw >= faults.duplicate) return;
    for (let copy = 0; copy < (faults.copies ?? 1); copy += 1) {
      this.#counts.duplicated += 1;
      this.#schedule(transit, faults, extra + delayOf(faults, (secondDraw + copy * SPREAD) % 1));
    }
  }

  #schedule(transit: Transit, faults: LinkFaults, delay: number): void {
    const { from, to } = transit;
    const key = keyOf(from, to);
    const now = this.#clock.now();
    const earliest = faults.reorder ? 0 : (this.#lastArrival.get(key) ?? 0);
    const arrival = Math.max(now + delay, earliest);
    this.#lastArrival.set(key, monotonic(arrival));
    this.#counts.inFlight += 1;
    this.#clock.schedule(arrival - now, () => this.#arrive(transit));
  }

  #arrive({ from, to, message }: Transit): void {
    const node = this.#nodes.get(to);
    this.#counts.inFlight -= 1;
    if (this.#isCut(from, to)) this.#counts.cut += 1;
    else if (node === undefined || !this.#nodes.has(from)) this.#counts.unreachable += 1;
    else if (node.receive(from, message)) this.#counts.delivered += 1;
    else this.#counts.refused += 1;
  }

  #isCut(from: NodeId, to: NodeId): boolean {
    if (this.#blocked.has(keyOf(from, to))) return true;
    if (this.#groups.length === 0 || (this.#joined.has(from) && this.#joined.has(to))) return false;
    return !this.#groups.some((group) => group.includes(from) && group.includes(to));
  }

  #contentOf(frame: Frame): WireMessage | undefined {
    const known = this.#contents.get(frame);
    if (known !== undefined) return known;
    const decoding = decode(frame.bytes);
    if (decoding.outcome !== 'decoded') return undefined;
    this.#contents.set(frame, decoding.message);
    return decoding.message;
  }

  #reference(message: WireMessage): ReturnType<Encode> {
    const frame: Frame = { kind: message.kind, bytes: NOTHING };
    this.#contents.set(frame, message);
    return { outcome: 'encoded', frame };
  }
}

const NOTHING = new Uint8Array();
/** Further copies of a frame draw from its one draw: multiples of this fill [0, 1) evenly. @source golden ratio */
const SPREAD = 0.618_033_988_75;
const keyOf = (from: NodeId, to: NodeId): string => `${from}>${to}`;

/** A draw in [0, 1) as a delay: the shortest, and an exponential part of the given mean, at most ten times it. */
function delayOf({ delayMin, delayMean }: LinkFaults, draw: number): number {
  return delayMin + Math.min(10, -Math.log(1 - draw)) * delayMean;
}

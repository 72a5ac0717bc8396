/**
 * The hub as one process sees it: peers go by their validator's address, behind which there may be two instances; its
 * attachments end with it, and what arrives while it is paused waits. Deterministic. Rules SM-2, SM-3.
 */
import type { Address } from '../protocol/chain/types.ts';
import type { Frame } from '../protocol/transport/frame.ts';
import { isPeerMessage } from '../protocol/transport/kinds.ts';
import type { NodeId, WireMessage } from '../protocol/transport/messages.ts';
import type { Hub, HubNode, Transit } from '../transport/hub.ts';
import type { Directory, Instance } from './instance.ts';
import type { Observer } from './observer.ts';

/** What an instance that may lie makes of its traffic. Names in a transit are addresses. */
export interface Voice {
  /** What leaves instead of what its code sent; `[]`: nothing does. */
  outgoing(sent: Transit): readonly Transit[];
  /** A message has arrived. */
  heard(arriving: Transit): void;
}

export interface ProcessHubOptions {
  /** Its nodes are instances. */
  readonly hub: Hub;
  readonly directory: Directory;
  readonly self: Instance;
  readonly observer: Pick<Required<Observer>, 'sent'>;
  /** Without it, what is sent leaves as it is. */
  readonly voice: Voice | undefined;
  /** Does it now, or when the process goes on; false when it is lost. */
  readonly whenRunning: (work: () => void) => boolean;
}

export interface ProcessHub extends Hub {
  /** The process is gone, and its connections with it. */
  detachAll(): void;
}

export function processHub(options: ProcessHubOptions): ProcessHub {
  const { hub, directory, self } = options;
  const detachers = new Set<() => void>();
  const contents = new WeakMap<Frame, WireMessage>();
  const idsOf = (address: Address): readonly NodeId[] => directory.of(address).map(({ id }) => id);

  function transmit(to: Address, frame: Frame): void {
    for (const { id } of directory.of(to)) hub.send(self.id, id, frame);
  }

  function lie(transit: Transit, voice: Voice, frame: Frame): void {
    for (const { to, message } of voice.outgoing(transit)) {
      if (message === transit.message) transmit(to, frame);
      else {
        const encoding = hub.encode(message);
        if (encoding.outcome === 'encoded') transmit(to, encoding.frame);
      }
    }
  }

  return {
    encode(message) {
      const encoding = hub.encode(message);
      if (encoding.outcome === 'encoded') contents.set(encoding.frame, message);
      return encoding;
    },
    send(from, to, frame) {
      const message = contents.get(frame);
      if (message === undefined) return transmit(to, frame);
      if (isPeerMessage(message)) options.observer.sent(self, to, message);
      if (options.voice === undefined) transmit(to, frame);
      else lie({ from, to, message }, options.voice, frame);
    },
    attach(_, node) {
      const detach = hub.attach(self.id, endOf(options, node));
      detachers.add(detach);
      return () => {
        detachers.delete(detach);
        detach();
      };
    },
    detachAll() {
      for (const detach of [...detachers]) detach();
      detachers.clear();
    },
    setFaults: (faults, direction) => hub.setFaults(faults, direction),
    block: (from, to) => hub.block(from, to),
    partition: (...groups) => hub.partition(...groups.map((group) => group.flatMap(idsOf))),
    heal: () => hub.heal(),
    join: (addresses) => hub.join(addresses.flatMap(idsOf)),
    nodes: () => hub.nodes(),
    get counts() {
      return hub.counts;
    },
  };
}

/** A node's end, for which a peer is up when any of its instances is. */
function endOf({ directory, self, voice, whenRunning }: ProcessHubOptions, node: HubNode): HubNode {
  const up = new Set<NodeId>();
  const isUp = (address: Address): boolean => directory.of(address).some(({ id }) => up.has(id));
  return {
    receive(from, message) {
      const sender = directory.byId(from);
      if (sender === undefined || sender.address === self.address) return false;
      voice?.heard({ from: sender.address, to: self.address, message });
      let taken = true;
      // A paused process has not read it yet: the link has delivered all the same.
      const kept = whenRunning(() => {
        taken = node.receive(sender.address, message);
      });
      return kept && taken;
    },
    linked(id, present) {
      const peer = directory.byId(id);
      if (peer === undefined || peer.address === self.address) return;
      const before = isUp(peer.address);
      if (present) up.add(id);
      else up.delete(id);
      const now = isUp(peer.address);
      if (before !== now) whenRunning(() => node.linked(peer.address, now));
    },
  };
}

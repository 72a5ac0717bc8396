import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  child,
  createSystem,
  handler,
  seededRandom,
  supervisor,
  virtualClock,
} from '../../src/actors/runtime/index.ts';
import { millis } from '../../src/base/units.ts';
import type { Address, BatchDigest, Digest } from '../../src/protocol/chain/types.ts';
import type { PeerMessage } from '../../src/protocol/consensus/types.ts';
import type { ConnectivityEvent, PeerMessageReceived } from '../../src/protocol/ports/network.ts';
import { CALM, createHub, type HubOptions } from '../../src/transport/hub.ts';
import { hubCells } from '../../src/transport/hub-cells.ts';
import { idsOf } from './support/nodes.ts';

const ids = idsOf(4);
const [first, second, third, fourth] = ids as readonly [Address, Address, Address, Address];
const ack = (letter: string): PeerMessage => ({
  kind: 'BatchAck',
  digests: [letter.repeat(64) as Digest as BatchDigest],
});

/** Four nodes on one virtual clock; `log` has every arrival as `time to<from letter`. */
function cluster(options: Partial<HubOptions> = {}) {
  const clock = virtualClock();
  const hub = createHub({ clock, seed: 1, ...options });
  const log: string[] = [];
  const connectivity: string[] = [];
  const name = (id: Address): string => `n${ids.indexOf(id)}`;
  const systems = ids.map((self, index) => {
    const system = createSystem({ name: name(self), clock, random: seededRandom(index) });
    const sink = handler<undefined, PeerMessageReceived | ConnectivityEvent>({
      init: () => undefined,
      receive(message) {
        if (message.type !== 'message.received') {
          connectivity.push(
            `${name(self)}:${message.type === 'peer.connected' ? '+' : '-'}${name(message.peer)}`,
          );
          return;
        }
        const letter =
          message.message.kind === 'BatchAck' ? String(message.message.digests[0]).slice(0, 1) : '?';
        log.push(`${clock.now()} ${name(self)}<${name(message.from)} ${letter}`);
      },
    });
    const network = hubCells({
      hub,
      address: 'node/network',
      self,
      validators: () => ids,
      route: () => 'node/sink',
      connectivity: ['node/sink'],
    });
    system.start(
      child(
        'node',
        supervisor({ children: [child('sink', sink), child('network', supervisor({ children: network }))] }),
      ),
    );
    return system;
  });
  clock.settle();
  const send = (from: Address, to: 'all' | readonly Address[], letter: string): void => {
    systems[ids.indexOf(from)]
      ?.ref('node/network/router')
      .tell({ type: 'network.sendRequested', outgoing: [{ to, message: ack(letter) }] });
    clock.settle();
  };
  return { clock, hub, log, connectivity, systems, send };
}

describe('hub', () => {
  it('tells every node of every other once all have started', () => {
    const { connectivity } = cluster();
    expect(connectivity.length).toBe(12);
    expect(new Set(connectivity).size).toBe(12);
  });

  it('loses no message to a dead letter while nodes start', () => {
    const { systems } = cluster();
    expect(systems.map((system) => [...system.deadLetters.counts()])).toEqual([[], [], [], []]);
  });

  it('carries a broadcast to all, to oneself at once, after the delay to the others', () => {
    const { clock, log, send } = cluster();
    send(first, 'all', 'a');
    expect(log).toEqual(['0 n0<n0 a']);
    clock.advance(1);
    expect([...log].sort()).toEqual(['0 n0<n0 a', '1 n1<n0 a', '1 n2<n0 a', '1 n3<n0 a']);
  });

  it('hands over what the codec gave, not the object that was sent', () => {
    const sent: PeerMessage = { kind: 'Batch', bytes: new Uint8Array([1, 2, 3]) };
    const arrived: unknown[] = [];
    const clock = virtualClock();
    const hub = createHub({ clock, seed: 1 });
    hub.attach(second, { linked: () => undefined, receive: (_, message) => arrived.push(message) > 0 });
    hub.attach(first, { linked: () => undefined, receive: () => true });
    const encoding = hub.encode(sent);
    if (encoding.outcome === 'refused') throw new Error('not encoded');
    hub.send(first, second, encoding.frame);
    clock.advance(1);
    expect(arrived).toEqual([sent]);
    expect(arrived[0]).not.toBe(sent);
  });

  it('refuses in `codec` mode what the wire would refuse', () => {
    const { systems, send, clock, log, hub } = cluster();
    systems[0]?.ref('node/network/router').tell({
      type: 'network.sendRequested',
      outgoing: [{ to: [second], message: { kind: 'BatchAck', digests: [] } }],
    });
    send(first, [second], 'b');
    clock.advance(5);
    expect(log).toEqual(['1 n1<n0 b']);
    expect(hub.counts.sent).toBe(1);
  });

  it('cuts both ways between groups, until it heals', () => {
    const { clock, hub, log, send } = cluster();
    hub.partition([first, second], [third, fourth]);
    send(first, 'all', 'a');
    send(third, 'all', 'b');
    clock.advance(10);
    expect([...log].sort()).toEqual(['0 n0<n0 a', '0 n2<n2 b', '1 n1<n0 a', '1 n3<n2 b']);
    hub.heal();
    send(first, [third], 'c');
    clock.advance(1);
    expect(log.at(-1)).toBe('11 n2<n0 c');
    expect(hub.counts.cut).toBe(4);
  });

  it('cuts one way only', () => {
    const { clock, hub, log, send } = cluster();
    hub.block(first, second);
    send(first, [second], 'a');
    send(second, [first], 'b');
    clock.advance(5);
    expect(log).toEqual(['1 n0<n1 b']);
  });

  it('loses what is under way when the cut comes', () => {
    const { clock, hub, log, send } = cluster({ faults: { ...CALM, delayMin: millis(10) } });
    send(first, [second], 'a');
    clock.advance(5);
    hub.block(first, second);
    clock.advance(50);
    expect(log).toEqual([]);
  });

  it('keeps the order of each direction unless it may reorder', () => {
    const letters = 'abcdef0123456789';
    const order = (reorder: boolean): string => {
      const faults = { ...CALM, delayMean: millis(50), reorder };
      const { clock, log, send } = cluster({ faults, seed: 9 });
      for (const letter of letters) send(first, [second], letter);
      clock.advance(10_000);
      return log.map((line) => line.at(-1)).join('');
    };
    expect(order(false)).toBe(letters);
    expect(order(true)).not.toBe(letters);
    expect([...order(true)].sort()).toEqual([...letters].sort());
  });

  it('drops and duplicates at the given rates', () => {
    const { clock, hub, send } = cluster({ faults: { ...CALM, drop: 0.5, duplicate: 0.25 } });
    for (let count = 0; count < 1_000; count += 1) send(first, [second], 'a');
    clock.advance(10);
    const { dropped, duplicated, delivered } = hub.counts;
    expect(dropped).toBeGreaterThan(420);
    expect(dropped).toBeLessThan(580);
    expect(duplicated).toBeGreaterThan(80);
    expect(duplicated).toBeLessThan(170);
    expect(delivered).toBe(1_000 - dropped + duplicated);
  });

  it('repeats a run to the bit from its seed (SM-1)', () => {
    const run = (seed: number): readonly string[] => {
      const faults = { delayMin: millis(1), delayMean: millis(20), drop: 0.2, duplicate: 0.2, reorder: true };
      const { clock, log, send } = cluster({ seed, faults });
      for (const letter of 'abcdef') for (const id of ids) send(id, 'all', letter);
      clock.advance(1_000);
      return log;
    };
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        expect(run(seed)).toEqual(run(seed));
      }),
      { numRuns: 10 },
    );
    expect(run(1)).not.toEqual(run(2));
  });

  it('lets a filter drop or delay chosen messages', () => {
    const { clock, log, send } = cluster({
      filter: ({ from, to }) => (to === second ? 'drop' : from === first ? { delay: millis(100) } : 'pass'),
    });
    send(first, 'all', 'a');
    clock.advance(1_000);
    expect([...log].sort()).toEqual(['0 n0<n0 a', '101 n2<n0 a', '101 n3<n0 a']);
  });

  it('tells the others when a node leaves, and counts what is sent to it', async () => {
    const { clock, hub, connectivity, systems, send } = cluster();
    connectivity.length = 0;
    const stopping = systems[3]?.stop();
    await clock.advanceAsync(10);
    await stopping;
    expect([...connectivity].sort()).toEqual(['n0:-n3', 'n1:-n3', 'n2:-n3']);
    send(first, [fourth], 'a');
    expect(hub.nodes().length).toBe(3);
    expect(hub.counts.sent).toBe(0);
  });
});

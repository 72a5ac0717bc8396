import { describe, expect, it } from 'vitest';
import {
  child,
  createSystem,
  type DeadLetter,
  handler,
  type Message,
  seededRandom,
  supervisor,
  virtualClock,
} from '../../../src/actors/runtime/index.ts';
import { heightSyncMachine } from '../../../src/machines/sync/height-sync.machine.ts';
import { HEIGHT_SYNC_EVENTS } from '../../../src/machines/sync/height-sync.setup.ts';
import { networkSyncMachine } from '../../../src/machines/sync/network-sync.machine.ts';
import { NETWORK_SYNC_EVENTS } from '../../../src/machines/sync/network-sync.setup.ts';
import { syncCoordinatorMachine } from '../../../src/machines/sync/sync-coordinator.machine.ts';
import { SYNC_COORDINATOR_EVENTS } from '../../../src/machines/sync/sync-coordinator.setup.ts';
import type { Height } from '../../../src/protocol/chain/types.ts';
import type {
  CatchUpRequested,
  StateSyncRequest,
  SyncStatusChanged,
  SyncStorageRequest,
} from '../../../src/protocol/ports/sync.ts';
import { SYNC_DEFAULTS } from '../../../src/protocol/sync/config.ts';
import { GENESIS_EXECUTED, height, world } from '../../protocol/consensus/fixture.ts';
import { committedChain, peerState, type Said, strangeId } from '../../protocol/sync/peer-states.ts';

const place = world();
const CHAIN = committedChain(place, 60);
const SECOND = 1_000;

/** What the node's surroundings do; a test changes them as it goes. */
interface Surroundings {
  own: Height;
  /** Who is connected, and what each of them says; undefined: silent. */
  peers: readonly (Said | undefined)[];
  /** Whether blocks come when they are asked for. */
  delivers: boolean;
  /** Nobody answers any question. */
  isSilent: boolean;
}

/** The coordinator, network-sync and height-sync of one node, in a real system; the rest does as the test says. */
function node(given: Partial<Surroundings> = {}) {
  const around: Surroundings = { own: height(9), peers: [], delivers: true, isSilent: false, ...given };
  const statuses: SyncStatusChanged[] = [];
  const asked: Message[] = [];
  const dead: DeadLetter[] = [];
  const answering = <M extends Message & { readonly replyTo?: string }>(
    answer: (message: M) => readonly Message[],
  ) =>
    handler<undefined, M>({
      init: () => undefined,
      receive(message, { tell }) {
        asked.push(message);
        if (around.isSilent || message.replyTo === undefined) return;
        for (const one of answer(message)) tell(message.replyTo, one);
      },
    });
  const storage = answering<Extract<SyncStorageRequest, { replyTo: string }>>((message) => {
    const { tag } = message;
    const tip = { base: height(1), height: around.own, id: idAt(around.own), executed: GENESIS_EXECUTED };
    if (message.type === 'tip.requested') return [{ type: 'tip.found', tag, ...tip }];
    const heights = message.type === 'blockIds.requested' ? message.heights : [];
    return [{ type: 'blockIds.found', tag, ids: heights.map((at) => ({ height: at, id: idAt(at) })) }];
  });
  const stateSync = answering<Extract<StateSyncRequest, { replyTo: string; tag: number }>>((message) => {
    const { type, tag } = message;
    const peers = around.peers.map((said, index) => peerState(place.addressAt(index + 1), said));
    const answered = peers.filter(({ claim }) => claim !== undefined).map(({ peer }) => peer);
    if (type === 'peers.pollRequested') return [{ type: 'peers.polled', tag, peers, answered }];
    if (type === 'hash.verifyRequested') {
      return [{ type: 'hash.verified', tag, outcome: { status: 'agreed', answered: answered.length } }];
    }
    const error = { code: 'NoPeersAvailable', detail: 'nobody' };
    const outcome =
      answered.length === 0
        ? { status: 'unanswered', error }
        : { status: 'unanimous', asked: peers.length, answered: answered.length };
    return [{ type: 'genesis.verified', tag, outcome }];
  });
  const blockSync = handler<undefined, CatchUpRequested>({
    init: () => undefined,
    receive({ target, replyTo, tag }, { tell }) {
      asked.push({ type: 'blocks.catchUpRequested' });
      const to = target.kind === 'proved' ? target.tip.height : target.height;
      if (!around.delivers) {
        const error = { code: 'BlockNotFound', detail: 'nobody has it' };
        tell(replyTo, { type: 'catchUp.ended', tag, outcome: { status: 'failed', error } });
        return;
      }
      around.own = to;
      tell('node/network-sync', { type: 'blocks.committed', blocks: [CHAIN.block(to)] });
      tell(replyTo, { type: 'catchUp.ended', tag, outcome: { status: 'reached', height: to } });
    },
  });
  const heard = handler<undefined, Message>({
    init: () => undefined,
    receive(message) {
      if (isStatus(message)) statuses.push(message);
    },
  });
  const clock = virtualClock();
  const system = createSystem({
    name: 'node',
    clock,
    random: seededRandom(1),
    onDeadLetter: (letter) => void dead.push(letter),
  });
  const [epoch, config] = [place.epoch, SYNC_DEFAULTS];
  const cells = { storage: 'node/storage', stateSync: 'node/state-sync', blockSync: 'node/block-sync' };
  const listening = (id: string) =>
    child(id, heard, {
      publicEvents: ['sync.statusChanged', 'sync.alertsChanged', 'safety.violated', 'sync.done'],
    });
  system.start(
    child(
      'node',
      supervisor({
        strategy: 'one_for_all',
        children: [
          child('storage', storage, { publicEvents: ['tip.requested', 'blockIds.requested'] }),
          child('state-sync', stateSync, {
            publicEvents: ['peers.pollRequested', 'hash.verifyRequested', 'genesis.verifyRequested'],
          }),
          child('block-sync', blockSync, { publicEvents: ['blocks.catchUpRequested'] }),
          listening('round-manager'),
          listening('alarm'),
          listening('operator'),
          child('height-sync', heightSyncMachine, {
            input: { self: place.addressAt(0), epoch, config, ...cells, roundManager: 'node/round-manager' },
            publicEvents: HEIGHT_SYNC_EVENTS,
          }),
          child('network-sync', networkSyncMachine, {
            input: {
              ...{ epoch, config, ...cells, self: place.addressAt(0) },
              ...{ heightSync: 'node/height-sync', chainSync: 'node/chain-sync', safety: 'node/alarm' },
              ...{ alarm: 'node/alarm', operator: 'node/operator', listeners: ['node/round-manager'] },
              roundManager: 'node/round-manager',
            },
            publicEvents: NETWORK_SYNC_EVENTS,
          }),
          child('sync-coordinator', syncCoordinatorMachine, {
            input: {
              ...{ config, epoch, self: place.addressAt(0), roundManager: 'node/round-manager' },
              ...{ stateSync: cells.stateSync, networkSync: 'node/network-sync' },
            },
            publicEvents: SYNC_COORDINATOR_EVENTS,
          }),
        ],
      }),
    ),
  );
  clock.settle();
  const coordinator = system.ref('node/sync-coordinator');
  const connected = () => {
    coordinator.tell({ type: 'peer.connected', peer: place.addressAt(1) });
    clock.settle();
  };
  const kinds = () => statuses.map(({ status }) => status.kind);
  const count = (type: string) => asked.filter((message) => message.type === type).length;
  return { around, clock, system, coordinator, connected, kinds, count, dead };
}

const idAt = (at: Height) => (at === 0 ? strangeId('genesis') : CHAIN.tip(at).id);
const isStatus = (message: Message): message is SyncStatusChanged => message.type === 'sync.statusChanged';
const all = (at: number): readonly Said[] => [CHAIN.tip(at), CHAIN.tip(at), CHAIN.tip(at)];

describe('the coordinator, network-sync and height-sync together', () => {
  it('"No peers" taken for "synced": alone for an hour it is never InSync, and asks ever more seldom (SY-2)', () => {
    const { clock, kinds, count, dead } = node();
    clock.advance(3_600 * SECOND);
    expect(new Set(kinds())).toEqual(new Set(['Unknown']));
    expect(count('genesis.verifyRequested')).toBeGreaterThan(100);
    expect(count('genesis.verifyRequested')).toBeLessThan(130);
    expect(dead).toEqual([]);
  });

  it('the first connection is followed by a sync within a second, and it ends in sync (seed 001: syncOnJoin)', () => {
    const { around, clock, connected, kinds } = node();
    clock.advance(25 * SECOND);
    around.peers = all(40);
    connected();
    clock.advance(SECOND);
    expect(kinds().at(-1)).toBe('InSync');
    expect(around.own).toBe(40);
  });

  it('a small gap is closed by tier 1 itself, a larger one by tier 2, one look after the other', () => {
    const { around, clock, connected, count, kinds } = node();
    around.peers = all(12);
    connected();
    clock.advance(SECOND);
    expect([around.own, count('blocks.catchUpRequested'), count('peers.pollRequested')]).toEqual([12, 1, 1]);
    around.peers = all(50);
    clock.advance(SYNC_DEFAULTS.checkInterval);
    expect([around.own, count('blocks.catchUpRequested'), count('peers.pollRequested')]).toEqual([50, 2, 3]);
    expect(kinds().at(-1)).toBe('InSync');
  });

  it('`syncing = true` left behind by an early return: after everybody was silent for long, it syncs again', () => {
    const { around, clock, connected, kinds, system } = node();
    around.peers = all(9);
    connected();
    clock.advance(SECOND);
    around.isSilent = true;
    clock.advance(600 * SECOND);
    expect(kinds().at(-1)).toBe('Unknown');
    around.isSilent = false;
    around.peers = all(30);
    clock.advance(70 * SECOND);
    expect([kinds().at(-1), around.own]).toEqual(['InSync', 30]);
    expect(system.cells().filter(({ address }) => address.startsWith('node/')).length).toBe(9);
  });

  it('Competing loops: a storm of manual syncs is one', () => {
    const { around, clock, coordinator, count } = node();
    around.peers = all(40);
    around.delivers = false;
    const before = count('peers.pollRequested');
    for (let tag = 0; tag < 10; tag += 1)
      coordinator.tell({ type: 'sync.manualRequested', replyTo: 'node/operator', tag });
    clock.settle();
    expect(count('peers.pollRequested') - before).toBe(1);
    expect(count('blocks.catchUpRequested')).toBe(1);
  });

  it('after a crash all begin anew: Unknown, then in sync within a second, though no peer is announced again', () => {
    const { around, clock, connected, kinds, system } = node();
    around.peers = all(9);
    connected();
    clock.advance(SECOND);
    expect(kinds()).toEqual(['Unknown', 'Unknown', 'InSync']);
    system.ref('node/network-sync').tell({ type: 'blocks.committed' });
    clock.settle();
    clock.advance(100);
    expect(kinds().slice(3)).toEqual(['Unknown', 'Unknown']);
    clock.advance(SECOND);
    expect(kinds().at(-1)).toBe('InSync');
  });
});

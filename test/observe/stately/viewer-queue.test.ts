/** What viewers of the relay are told of a real cluster's cells, early and late. IN-3. */
import { describe, expect, it } from 'vitest';
import { createMachine } from 'xstate';
import type { CellRow, Delta, Hello, TransitionRow } from '../../../src/observe/feed/feed.ts';
import type { StatelyMessage } from '../../../src/observe/stately/messages.ts';
import { SESSIONS_MAX, Sessions } from '../../../src/observe/stately/sessions.ts';
import { ViewerQueue } from '../../../src/observe/stately/viewer-queue.ts';
import { ClusterFeed } from './cluster-feed.ts';

const ALL = Number.POSITIVE_INFINITY;
const SAFETY = 'node/consensus/safety';

/** Holds what it was told, as an inspector does. */
class Inspector {
  readonly actors = new Map<string, Extract<StatelyMessage, { type: '@xstate.actor' }>>();
  readonly values = new Map<string, unknown>();
  readonly statuses = new Map<string, string>();
  readonly events: Extract<StatelyMessage, { type: '@xstate.event' }>[] = [];

  hear(messages: readonly StatelyMessage[]): void {
    for (const message of messages) {
      const { sessionId: id } = message;
      if (message.type === '@xstate.actor') this.actors.set(id, message);
      else expect(this.actors.has(id), `${id} was registered before its ${message.type}`).toBe(true);
      if (message.type === '@xstate.event') {
        this.events.push(message);
        continue;
      }
      this.values.set(id, message.snapshot.value);
      this.statuses.set(id, message.snapshot.status);
    }
  }

  get active(): readonly string[] {
    return [...this.statuses].filter(([, status]) => status === 'active').map(([id]) => id);
  }
}

/** What the registry of each node says itself. */
const registered = (feed: ClusterFeed): ReadonlyMap<string, unknown> =>
  new Map(
    feed.infos().map(({ node, info: { address, machine, snapshot, status } }) => {
      const value =
        machine !== undefined && typeof snapshot === 'object' && snapshot !== null && 'value' in snapshot
          ? snapshot.value
          : status;
      return [`validator-${node}/${address}`, value];
    }),
  );

describe('what a viewer of a cluster is told (IN-3)', () => {
  it('is every cell with its definition, its parent and its state, early and late', () => {
    const feed = new ClusterFeed(4);
    const sessions = new Sessions({ only: [] });
    sessions.take(feed.hello());
    sessions.take(feed.moment());
    const early = { queue: new ViewerQueue(sessions), inspector: new Inspector() };
    for (let tick = 0; tick < 60; tick += 1) {
      feed.cluster.advance(50);
      early.queue.note(sessions.take(feed.delta()));
      early.inspector.hear(early.queue.take(ALL));
    }
    const late = new Inspector();
    late.hear(new ViewerQueue(sessions).take(ALL));
    const expected = registered(feed);
    expect(expected.size).toBeGreaterThan(120);
    for (const { values, active, actors } of [early.inspector, late]) {
      expect(active.toSorted()).toEqual([...expected.keys()].toSorted());
      for (const [id, value] of expected) {
        expect(values.get(id), id).toEqual(value);
        const { definition = '', parentId, rootId } = actors.get(id) ?? {};
        const machine = createMachine(JSON.parse(definition));
        expect(machine.resolveState({ value: values.get(id) as never, context: {} }).value).toEqual(value);
        if (id.endsWith('/node')) expect(parentId).toBeUndefined();
        else expect(expected.has(parentId ?? '')).toBe(true);
        expect(rootId).toBe(`${id.split('/')[0]}/node`);
      }
    }
    expect(early.inspector.statuses.size).toBeGreaterThan(expected.size);
  });
});

const hello = (...monikers: readonly string[]): Hello => ({
  ...{ type: 'hello', version: 1, run: { kind: 'live', title: '' }, charts: {}, controls: [] },
  nodes: monikers.map((moniker, index) => ({
    ...{
      id: `${index}`.repeat(40),
      moniker,
      chainId: '',
      genesisHash: '',
      version: '',
      power: '1',
      isUp: true,
    },
  })),
});

const row = (address: string, over: Partial<CellRow> = {}): CellRow => ({
  ...{ node: 0, address, kind: 'boundary', status: 'running', incarnation: 1, restarts: 0 },
  ...{ accepted: 0, processed: 0, queued: 0, postponed: 0, lost: {} },
  ...over,
});

const delta = (over: Partial<Delta>): Delta => ({ type: 'delta', at: 5_000, turns: 0, dropped: 0, ...over });

function stage(only: readonly string[] = [], ...monikers: readonly string[]) {
  const sessions = new Sessions({ only });
  sessions.take(hello(...(monikers.length === 0 ? ['ada'] : monikers)));
  const queue = new ViewerQueue(sessions);
  return { sessions, queue, take: (over: Partial<Delta>) => queue.note(sessions.take(delta(over))) };
}

const step = (turn: number, over: Partial<TransitionRow> = {}): TransitionRow => ({
  ...{ at: 5_000 + turn, turn, event: `event.${turn}`, taken: [], effects: [] },
  ...over,
});

const detail = (address: string, transitions: readonly TransitionRow[]) => ({
  ...{ node: 0, address, view: { total: 3 }, timers: [{ key: 'pause', dueInMs: 40 }] },
  transitions,
});

const described = (messages: readonly StatelyMessage[]): readonly string[] =>
  messages.map((message) => {
    if (message.type === '@xstate.actor') return `actor ${message.sessionId}`;
    if (message.type === '@xstate.event') return `event ${message.sessionId} ${message.event.type}`;
    return `snapshot ${message.sessionId} ${message.snapshot.status}`;
  });

describe('the sessions of a feed (IN-3)', () => {
  it('are named by address alone for one node, by node and address for several', () => {
    const { sessions, queue } = stage();
    queue.note(sessions.take(delta({ cells: [row('node')] })));
    expect(described(queue.take(ALL))).toEqual(['actor node']);
    queue.note(sessions.take(hello('ada', 'ada', 'bob')));
    queue.note(sessions.take(delta({ cells: [row('node', { node: 2 })] })));
    expect(described(queue.take(ALL))).toEqual([
      'snapshot node stopped',
      'actor ada-00000000/node',
      'actor bob/node',
    ]);
  });

  it('tell each step of a watched cell, with its sender and its refusal, and the last step of any other', () => {
    const { sessions, queue, take } = stage();
    take({ cells: [row(SAFETY, { kind: 'machine' }), row('node/x')] });
    expect(sessions.rewatch()).toEqual([{ node: 0, address: SAFETY }]);
    queue.take(ALL);
    take({
      cells: [
        row(SAFETY, { last: { at: 5_002, turn: 2, event: 'event.2' } }),
        row('node/x', { last: { at: 5_009, turn: 9, event: 'asked', from: '@ask/1' } }),
      ],
      details: [
        detail(SAFETY, [
          step(1, { from: 'node/x#3' }),
          step(2, { refused: { code: 'TOO_OLD', detail: 'round 3 of 4' }, effects: ['tell node/x x'] }),
        ]),
      ],
    });
    const messages = queue.take(ALL);
    expect(described(messages)).toEqual([
      `event ${SAFETY} event.1`,
      `event ${SAFETY} event.2`,
      'event node/x asked',
      `snapshot ${SAFETY} active`,
      'snapshot node/x active',
    ]);
    expect(messages[0]).toMatchObject({ sourceId: 'node/x', event: { turn: 1 }, createdAt: '5001' });
    expect(messages[1]).toMatchObject({
      event: { refused: { code: 'TOO_OLD' }, effects: ['tell node/x x'] },
    });
    expect(messages[2]).not.toHaveProperty('sourceId');
    expect(messages[3]).toMatchObject({
      snapshot: { context: { view: { total: 3 }, cell: { status: 'running' } } },
    });
  });

  it('tell a step once, and a restart as a registration', () => {
    const { queue, take } = stage();
    const last = { at: 1, turn: 4, event: 'once' };
    take({ cells: [row('node', { last })] });
    queue.take(ALL);
    take({ cells: [row('node', { last, accepted: 5 })] });
    expect(described(queue.take(ALL))).toEqual(['snapshot node active']);
    take({ at: 9_000, cells: [row('node', { last, incarnation: 2, restarts: 1 })] });
    expect(described(queue.take(ALL))).toEqual(['actor node', 'event node once']);
  });

  it('have the chart of a cell as soon as the feed tells it', () => {
    const { queue, take } = stage();
    const chart = { ...new ClusterFeed(1).hello().charts };
    const [hash = '', { root } = { root: undefined }] = Object.entries(chart)[0] ?? [];
    take({ cells: [row('node', { chart: hash, states: [] })] });
    expect(queue.take(ALL)[0]).toMatchObject({ snapshot: { value: 'running' } });
    take({ charts: chart, cells: [row('node', { chart: hash, states: [] })] });
    const [message] = queue.take(ALL);
    expect(message?.type).toBe('@xstate.actor');
    expect(message).toMatchObject({ definition: expect.stringContaining(`"id":"${root?.id}"`) });
  });

  it('end when the cell is gone, and when a moment does not have it', () => {
    const { sessions, queue, take } = stage();
    take({ cells: [row('node'), row('node/a'), row('node/b')] });
    queue.take(ALL);
    take({ gone: [{ node: 0, address: 'node/b' }] });
    const moment = { cells: [row('node')], chains: [], health: [], wire: [], steps: [] } as const;
    queue.note(sessions.take({ type: 'moment', at: 6_000, ...moment }));
    expect(described(queue.take(ALL))).toEqual([
      'snapshot node/b stopped',
      'snapshot node/a stopped',
      'snapshot node active',
    ]);
  });

  it('can be a part of the tree alone, with what is above it', () => {
    const cells = ['node', 'node/a', 'node/a/x', 'node/ab', 'node/b'].map((address) => row(address));
    const everywhere = stage(['node/a']);
    everywhere.take({ cells });
    expect(described(everywhere.queue.take(ALL))).toEqual(['actor node', 'actor node/a', 'actor node/a/x']);
    const ofBob = stage(['bob'], 'ada', 'bob');
    ofBob.take({ cells: [...cells, row('node', { node: 1 })] });
    expect(described(ofBob.queue.take(ALL))).toEqual(['actor bob/node']);
  });

  it('ask for details of consensus in every node, or of what was named, and of no more than 16', () => {
    const feed = new ClusterFeed(5);
    const sessions = new Sessions({ only: [] });
    sessions.take(feed.hello());
    sessions.take(feed.moment());
    const watched = sessions.rewatch() ?? [];
    expect(watched).toHaveLength(16);
    expect(watched.slice(0, 5)).toEqual(
      [0, 1, 2, 3, 4].map((node) => ({ node, address: 'node/consensus/round-manager' })),
    );
    expect(sessions.rewatch()).toBeUndefined();
    const named = new Sessions({ only: ['validator-2/node/sync/block-sync'] });
    named.take(feed.hello());
    named.take(feed.moment());
    expect(named.rewatch()).toEqual([{ node: 2, address: 'node/sync/block-sync' }]);
  });

  it('are bounded, and what found no room is counted', () => {
    const { sessions } = stage();
    const cells = Array.from({ length: SESSIONS_MAX + 3 }, (_, index) => row(`node/${index}`));
    sessions.take({ type: 'moment', at: 1, cells, chains: [], health: [], wire: [], steps: [] });
    sessions.take(delta({ cells: cells.slice(-3) }));
    expect([sessions.size, sessions.leftOut]).toEqual([SESSIONS_MAX, 3]);
  });
});

describe('a viewer that reads slowly (IN-1, IN-3)', () => {
  it('is told the newest snapshot of each cell, the newest events, and how many were left out', () => {
    const { queue, take } = stage();
    take({ cells: [row('node')] });
    queue.take(ALL);
    const stalled = 3_000;
    for (let turn = 1; turn <= stalled; turn += 1)
      take({ cells: [row('node', { accepted: turn, last: { at: turn, turn, event: 'x' } })], dropped: 1 });
    const messages = queue.take(ALL);
    expect(messages).toHaveLength(1_024 + 1);
    expect(messages[0]).toMatchObject({ event: { dropped: stalled - 1_024 + stalled } });
    expect(messages[1]).not.toHaveProperty('event.dropped');
    expect(messages.at(-1)).toMatchObject({ snapshot: { context: { cell: { accepted: stalled } } } });
    expect(queue.take(ALL)).toEqual([]);
  });

  it('costs no more when cells come and go that it was never told of', () => {
    const { queue, take } = stage();
    take({ cells: [row('node')] });
    queue.take(ALL);
    for (let round = 1; round <= 500; round += 1) {
      const address = `node/round/${round}`;
      take({ cells: [row(address)] });
      take({ gone: [{ node: 0, address }] });
    }
    expect(queue.take(ALL)).toEqual([]);
  });

  it('is told little by little, registrations first, and no cell waits for ever behind events', () => {
    const { sessions, queue, take } = stage();
    const cells = ['node', SAFETY, 'node/x'].map((address) => row(address));
    take({ cells });
    sessions.rewatch();
    expect(described(queue.take(2))).toEqual(['actor node', `actor ${SAFETY}`]);
    expect(described(queue.take(2))).toEqual(['actor node/x']);
    take({ cells, details: [detail(SAFETY, [step(1), step(2), step(3)])] });
    expect(described(queue.take(2))).toEqual([`event ${SAFETY} event.1`, 'snapshot node active']);
    expect(described(queue.take(2))).toEqual([`event ${SAFETY} event.2`, `snapshot ${SAFETY} active`]);
    expect(described(queue.take(2))).toEqual([`event ${SAFETY} event.3`, 'snapshot node/x active']);
    expect(queue.take(2)).toEqual([]);
  });
});

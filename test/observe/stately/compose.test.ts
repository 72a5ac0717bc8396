/** The relay's messages beside those that Stately's own package sends of the same machine. IN-3. */
import { createInspector, type StatelyInspectionEvent } from '@statelyai/inspect';
import { describe, expect, it } from 'vitest';
import { createActor, createMachine } from 'xstate';
import { chartOf } from '../../../src/actors/runtime/chart.ts';
import type { CellRow } from '../../../src/observe/feed/feed.ts';
import type { StatelyMessage } from '../../../src/observe/stately/messages.ts';
import { Sessions } from '../../../src/observe/stately/sessions.ts';
import { ViewerQueue } from '../../../src/observe/stately/viewer-queue.ts';

// Keys in the order of letters: the package sorts them.
const machine = createMachine({
  id: 'door',
  initial: 'closed',
  states: {
    closed: { on: { 'door.opened': 'open' } },
    open: { tags: ['draughty'], initial: 'wide', states: { ajar: {}, wide: {} } },
  },
});

/** What the package sends of an actor that takes one event. */
async function sentByPackage(): Promise<readonly StatelyInspectionEvent[]> {
  const sent: StatelyInspectionEvent[] = [];
  const inspector = createInspector({ send: (message) => void sent.push(message) });
  const actor = createActor(machine, { inspect: inspector.inspect });
  actor.start();
  actor.send({ type: 'door.opened' });
  await expect.poll(() => sent.length).toBeGreaterThanOrEqual(5);
  // As it leaves the process.
  return JSON.parse(JSON.stringify(sent));
}

/** What a viewer of a cell with the same chart is told. */
function toldByRelay(): readonly StatelyMessage[] {
  const sessions = new Sessions({ only: [] });
  const queue = new ViewerQueue(sessions);
  const { hash } = chartOf(machine);
  const row = (turn: number, event: string, states: readonly string[]): CellRow => ({
    ...{ node: 0, address: 'door', kind: 'machine', status: 'running', incarnation: 1, restarts: 0 },
    ...{ accepted: turn, processed: turn, queued: 0, postponed: 0, lost: {} },
    ...{ chart: hash, states, last: { at: 0, turn, event } },
  });
  const tell = (cell: CellRow): void =>
    queue.note(sessions.take({ type: 'delta', at: 1_000, cells: [cell], turns: 1, dropped: 0 }));
  const card = { id: 'a', moniker: 'ada', chainId: '', genesisHash: '', version: '', power: '1', isUp: true };
  queue.note(
    sessions.take({
      ...{ type: 'hello', version: 1, run: { kind: 'live', title: '' }, controls: [] },
      ...{ nodes: [card], charts: { [hash]: chartOf(machine) } },
    }),
  );
  tell(row(1, 'xstate.init', ['door.closed']));
  const registered = queue.take(9);
  tell(row(2, 'door.opened', ['door.open.wide']));
  return [...registered, ...queue.take(9)];
}

const last = <Type extends StatelyMessage['type']>(
  messages: readonly (StatelyMessage | StatelyInspectionEvent)[],
  type: Type,
) => {
  const found = messages.findLast((message) => message.type === type);
  if (found === undefined) throw new Error(`no ${type} was sent`);
  return found;
};

const shapeOf = (value: object): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(value).map(([key, field]) => [key, field === null ? 'null' : typeof field]),
  );

describe('the messages of the relay (IN-3)', () => {
  it.each(['@xstate.actor', '@xstate.event', '@xstate.snapshot'] as const)(
    "%s has the fields that the package's own has, of the same types",
    async (type) => {
      expect(shapeOf(last(toldByRelay(), type))).toEqual(shapeOf(last(await sentByPackage(), type)));
    },
  );

  it('tell the same value, status and tags, and a definition of the same chart', async () => {
    const [told, sent] = [toldByRelay(), await sentByPackage()];
    const stateOf = (message: object) => {
      const { snapshot } = message as { readonly snapshot: Readonly<Record<string, unknown>> };
      const { context: _, ...state } = snapshot;
      return state;
    };
    expect(stateOf(last(told, '@xstate.snapshot'))).toEqual(stateOf(last(sent, '@xstate.snapshot')));
    const chartIn = (message: object) => {
      const { definition } = message as { readonly definition: string };
      return chartOf(createMachine(JSON.parse(definition)));
    };
    expect(chartIn(last(told, '@xstate.actor'))).toEqual(chartIn(last(sent, '@xstate.actor')));
  });
});

import { describe, expect, it } from 'vitest';
import { child, supervisor } from '../../../src/actors/runtime/index.ts';
import { Collector } from '../../../src/observe/feed/collector.ts';
import type { Lens } from '../../../src/observe/feed/lens.ts';
import { puppet, rig } from '../../actors/runtime/harness.ts';

const BLIND: Lens = {
  read: () => undefined,
  chain: () => undefined,
  health: () => undefined,
};

/** Everything that is collected at the latest after a second. */
const SWEEP = 20;

function looking(lens: Lens = BLIND) {
  const found = rig(
    child('top', supervisor({ intensity: 99, children: [child('a', puppet), child('b', puppet)] })),
  );
  const collector = new Collector({ system: found.system, lens: () => lens, node: 3 });
  const tell = (id: string, message: { readonly type: string; readonly [field: string]: unknown }): void => {
    found.system.ref(`top/${id}`).tell(message);
    found.clock.settle();
  };
  return { ...found, collector, detach: collector.attach(), tell };
}

describe('a collector', () => {
  it('tells all cells in a moment, with their charts and active states (IN-1)', () => {
    const { collector } = looking();
    const { cells } = collector.moment();
    expect(cells.map(({ node, address, parent, kind }) => [node, address, parent, kind])).toEqual([
      [3, 'top', undefined, 'supervisor'],
      [3, 'top/a', 'top', 'machine'],
      [3, 'top/b', 'top', 'machine'],
    ]);
    const a = cells.find(({ address }) => address === 'top/a');
    expect(a).toMatchObject({ states: ['puppet.left'], status: 'running', queued: 0, restarts: 0, lost: {} });
    expect(collector.charts()[a?.chart ?? '']?.id).toBe('puppet');
  });

  it('tells only what changed since the last collection, once for many steps (IN-1)', () => {
    const { collector, tell } = looking();
    collector.collect();
    for (const value of [1, 2, 3]) tell('a', { type: 'note', value });
    tell('a', { type: 'go', to: 'right' });
    const delta = collector.collect();
    expect(delta.cells).toMatchObject([
      { address: 'top/a', processed: 4, states: ['puppet.right'], last: { event: 'go' } },
    ]);
    expect(delta).toMatchObject({ turns: 4, dropped: 0 });
    expect(collector.collect()).toEqual({ type: 'delta', at: delta.at, turns: 0, dropped: 0 });
  });

  it('tells of a mailbox that fills without a turn, at the next sweep', () => {
    const { collector, system } = looking();
    for (let count = 0; count < SWEEP; count += 1) collector.collect();
    system.ref('top/a').tell({ type: 'note', value: 1 });
    const rows = Array.from({ length: SWEEP }, () => collector.collect()).flatMap(({ cells = [] }) => cells);
    expect(rows).toMatchObject([{ address: 'top/a', queued: 1, processed: 0 }]);
  });

  it('tells of crashes, restarts, dead letters and cells that are gone', () => {
    const { collector, tell, system, clock } = looking();
    collector.moment();
    tell('a', { type: 'throw' });
    const delta = collector.collect();
    expect(delta.steps).toMatchObject([
      { kind: 'crashed', cell: 'top/a', detail: 'Error: told to throw' },
      { kind: 'restarted', cell: 'top/a' },
    ]);
    expect(delta.deadLetters).toMatchObject([{ reason: 'poison', to: 'top/a', message: 'throw' }]);
    expect(delta.cells?.find(({ address }) => address === 'top/a')).toMatchObject({
      restarts: 1,
      lost: { poison: 1 },
    });
    void system.stop();
    clock.settle();
    expect(
      collector
        .collect()
        .gone?.map(({ address }) => address)
        .sort(),
    ).toEqual(['top', 'top/a', 'top/b']);
  });

  it('tells that a cell is gone, also when the collection is one that looks at all cells', () => {
    const { collector, system, clock } = looking();
    collector.moment();
    for (let count = 1; count < SWEEP; count += 1) collector.collect();
    void system.stop();
    clock.settle();
    expect(collector.collect().gone).toHaveLength(3);
    expect(collector.collect().gone).toBeUndefined();
  });

  it('tells details of watched cells alone: view, timers, transitions with guards, refusals and effects (IN-1)', () => {
    const { collector, tell, clock } = looking();
    collector.watch(['top/a']);
    tell('a', { type: 'go', to: 'right' });
    tell('a', {
      type: 'do',
      effects: [
        { kind: 'startTimer', key: 'tea', delayMs: 40, message: { type: 'note', value: 1 } },
        { kind: 'tell', to: 'top/b', message: { type: 'vote.refused', code: 'TOO_LATE', round: 4 } },
      ],
    });
    tell('b', { type: 'note', value: 7 });
    clock.advance(10);
    const [detail, ...others] = [collector.collect(), collector.collect()].flatMap(
      ({ details = [] }) => details,
    );
    expect(others).toEqual([]);
    expect(detail).toMatchObject({
      node: 3,
      address: 'top/a',
      view: { notes: [], others: [], at: 0 },
      timers: [{ key: 'tea', dueInMs: 40 }],
      transitions: [
        {
          event: 'go',
          from: '@outside',
          taken: [{ source: 'puppet', target: ['puppet.right'], on: 'go', index: 1 }],
          guards: [{ transition: 'puppet go 0', guard: 'inline', held: false }],
        },
        {
          event: 'do',
          effects: ['timer tea in 40 ms', 'tell top/b vote.refused'],
          refused: { code: 'TOO_LATE', detail: 'round=4' },
        },
      ],
    });
    collector.watch([]);
    tell('a', { type: 'note', value: 1 });
    expect([collector.collect(), collector.collect()].flatMap(({ details = [] }) => details)).toEqual([]);
  });

  it('keeps a bounded number of steps between collections, and counts what it drops', () => {
    const { collector, tell } = looking();
    collector.watch(['top/a']);
    for (let value = 0; value < 100; value += 1) tell('a', { type: 'note', value });
    const [first, second] = [collector.collect(), collector.collect()];
    expect(second.details?.[0]?.transitions).toHaveLength(64);
    expect(first.dropped + second.dropped).toBe(36);
  });

  it('bounds what its lens makes, what decides apart from the bulk, and counts the rest', () => {
    let id = 0;
    const { collector, tell } = looking({
      ...BLIND,
      read({ turn, wall: at, event }, { hasRoomFor, wire }) {
        if (event.type !== 'note') return;
        for (let copy = 0; copy < 3_000; copy += 1) {
          id += 1;
          if (!hasRoomFor(copy % 3 === 0 ? 'deciding' : 'bulk')) continue;
          wire({ id: `m${id}`, turn, at, direction: 'sent', peer: 'x', kind: 'Note' });
        }
      },
    });
    tell('a', { type: 'note', value: 1 });
    const { wire = [], dropped } = collector.collect();
    expect([wire.length, dropped, wire.at(-1)?.id]).toEqual([256 + 48, 3_000 - 256 - 48, 'm766']);
    expect(collector.moment().wire.at(-1)?.id).toBe('m766');
    tell('a', { type: 'note', value: 2 });
    expect(collector.collect().wire).toHaveLength(256 + 48);
  });

  it('asks nothing of the system once it is detached (IN-1, IN-4)', () => {
    const { collector, tell, detach } = looking({
      ...BLIND,
      read: () => {
        throw new Error('nobody looks');
      },
    });
    detach();
    tell('a', { type: 'note', value: 1 });
    expect(collector.collect()).toMatchObject({ turns: expect.any(Number), dropped: 0 });
    expect(collector.collect().cells).toBeUndefined();
  });
});

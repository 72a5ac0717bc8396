import { describe, expect, it } from 'vitest';
import {
  type BoundaryContext,
  type CellSpec,
  child,
  handler,
  supervisor,
  type TellOutcome,
} from '../../../src/actors/runtime/index.ts';
import { contextAt, puppet, rig } from './harness.ts';

const SHARE = 8;
const MAILBOX = { capacity: 100, perSender: SHARE, overflow: 'reject' } as const;
const numbers = (count: number): number[] => Array.from({ length: count }, (_, value) => value);

interface Flood {
  readonly type: 'flood';
  readonly values: readonly number[];
}

/** Sends as a socket does: what finds no room waits, and nothing behind it is read meanwhile. */
function socket(outcomes: TellOutcome[] = [], live: { context?: BoundaryContext<undefined> } = {}) {
  return handler<null, Flood>({
    init: (context) => {
      live.context = context;
      return null;
    },
    receive({ values }, { tell, ready, signal }) {
      const send = async () => {
        for (const value of values) {
          let outcome = tell('top/w', { type: 'note', value });
          while (outcome === 'full' && !signal.aborted) {
            outcomes.push(outcome);
            await ready('top/w');
            outcome = tell('top/w', { type: 'note', value });
          }
          outcomes.push(outcome);
        }
      };
      void send();
    },
  });
}

const tree = (...others: readonly CellSpec[]): CellSpec =>
  child('top', supervisor({ intensity: 5, children: [child('w', puppet, { mailbox: MAILBOX }), ...others] }));

describe("a sender above its share of a mailbox that says 'reject' (RT-7)", () => {
  it('waits until half of its share is free, and loses nothing of 500 messages', async () => {
    const outcomes: TellOutcome[] = [];
    const { clock, system } = rig(tree(child('fast', socket(outcomes))));
    system.ref('top/fast').tell({ type: 'flood', values: numbers(500) });
    let most = 0;
    for (let turn = 0; turn < 500; turn += 1) {
      await clock.advanceAsync(1);
      most = Math.max(most, system.ref('top/w').info()?.counters.queued ?? 0);
    }
    expect(contextAt(system, 'top/w').notes).toEqual(numbers(500));
    // Nobody had to hear it more often than once a half share.
    expect(outcomes.filter((outcome) => outcome === 'full').length).toBeLessThanOrEqual(500 / (SHARE / 2));
    expect(outcomes.filter((outcome) => outcome !== 'full')).toEqual(numbers(500).map(() => 'accepted'));
    expect(most).toBeLessThanOrEqual(SHARE);
  });

  it('holds up nobody else: the next one is let in while that one is at its share', () => {
    const outcomes: TellOutcome[] = [];
    const { clock, system } = rig(tree(child('calm', socket(outcomes))));
    system.ref('top/calm').tell({ type: 'flood', values: [101, 102, 103] });
    const flood = numbers(20).map((value) => system.ref('top/w').tell({ type: 'note', value }));
    clock.settle();
    expect(flood.map((outcome) => outcome === 'accepted')).toEqual(numbers(20).map((value) => value < SHARE));
    expect(new Set(flood)).toEqual(new Set(['accepted', 'full']));
    expect(outcomes).toEqual(['accepted', 'accepted', 'accepted']);
    expect(contextAt(system, 'top/w').notes).toHaveLength(SHARE + 3);
  });

  it('goes on waiting through a restart of the receiver, which keeps the queue', async () => {
    const { clock, system, log } = rig(tree(child('fast', socket())));
    system.ref('top/w').tell({ type: 'throw' });
    system.ref('top/fast').tell({ type: 'flood', values: numbers(30) });
    for (let turn = 0; turn < 30; turn += 1) await clock.advanceAsync(1);
    expect(log).toContain('-top/w crash');
    expect(contextAt(system, 'top/w').notes).toEqual(numbers(30));
  });

  it('waits no more once the receiver is gone, and hears that', async () => {
    const outcomes: TellOutcome[] = [];
    const stopped = child('w', puppet, { mailbox: MAILBOX, restart: 'temporary' });
    const { clock, system } = rig(
      child('top', supervisor({ children: [stopped, child('fast', socket(outcomes))] })),
    );
    system.ref('top/w').tell({ type: 'throw' });
    system.ref('top/fast').tell({ type: 'flood', values: numbers(SHARE + 1) });
    for (let turn = 0; turn < 5; turn += 1) await clock.advanceAsync(1);
    expect(outcomes.slice(-2)).toEqual(['full', 'dead']);
  });

  it('leaves nothing behind when it ends while it waits', async () => {
    const live: { context?: BoundaryContext<undefined> } = {};
    const fast = child('fast', socket([], live), { restart: 'temporary' });
    const stuck = handler<null, { type: 'note' }>({ init: () => null, receive: () => new Promise(() => {}) });
    const { clock, system } = rig(
      child('top', supervisor({ children: [child('w', stuck, { mailbox: MAILBOX }), fast] })),
    );
    const ended: string[] = [];
    system.ref('top/fast').tell({ type: 'flood', values: numbers(SHARE + 2) });
    clock.settle();
    void live.context?.ready('top/w').then(() => ended.push('the wait of who ended'));
    live.context?.exit({ kind: 'normal' });
    await clock.advanceAsync(1);
    expect(ended).toEqual([]);
    // The next one that waits sweeps it out: waits are those of living senders.
    for (const value of numbers(SHARE + 1)) system.ref('top/w').tell({ type: 'note', value });
    void system.ref('top/w').ready();
    await clock.advanceAsync(1);
    expect(ended).toEqual(['the wait of who ended']);
  });
});

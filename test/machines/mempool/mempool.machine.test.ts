import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { millis, monotonic } from '../../../src/base/units.ts';
import { mempoolMachine } from '../../../src/machines/mempool/mempool.machine.ts';
import { MEMPOOL_EVENTS, MEMPOOL_TIMERS } from '../../../src/machines/mempool/mempool.setup.ts';
import { probe } from '../../../src/machines/vocabulary/probe.ts';
import { transactionHashOf } from '../../../src/protocol/chain/batch.ts';
import { GENESIS_HEIGHT } from '../../../src/protocol/chain/ordinals.ts';
import type { MempoolEvent } from '../../../src/protocol/mempool/step.ts';
import { addressAt, height, SMALL, setOf } from '../../protocol/mempool/world.ts';

const set = setOf([1]);

const begin = () =>
  probe(mempoolMachine, {
    address: 'node/consensus/mempool',
    now: monotonic(0),
    input: {
      config: SMALL,
      author: addressAt(set, 0),
      validators: set,
      addresses: {
        storage: 'node/storage',
        executor: 'node/executor',
        network: 'node/network',
        bridge: 'bridge',
        pacemakers: ['node/consensus/view-change'],
        listeners: [],
      },
    },
  });

const found = (more: boolean): MempoolEvent => ({
  type: 'batches.uncommittedFound',
  tag: 1,
  batches: [],
  more,
  height: height(0),
});

function submitted(count: number): MempoolEvent {
  const transactions = Array.from({ length: count }, (_, index) => utf8(`transaction ${index}`));
  const hashes = transactions.map(transactionHashOf);
  return { type: 'transactions.submitted', client: 'c', replyTo: 'rpc', tag: 9, transactions, hashes };
}

type Told = { readonly to: string; readonly type: string };
const toldBy = (effects: readonly { readonly kind: string }[]): readonly Told[] =>
  effects.flatMap((effect) => {
    if (effect.kind !== 'tell' || !('to' in effect) || !('message' in effect)) return [];
    const { to, message } = effect;
    if (typeof to !== 'string' || typeof message !== 'object' || message === null) return [];
    return 'type' in message && typeof message.type === 'string' ? [{ to, type: message.type }] : [];
  });

describe('the mempool chart', () => {
  it('asks storage first, and judges nothing before everything durable is back', () => {
    const chart = begin();
    expect(chart.snapshot.value).toBe('recovering');
    expect(toldBy(chart.effects)).toEqual([{ to: 'node/storage', type: 'batches.uncommittedRequested' }]);
    expect(chart.send(submitted(1))).toEqual([{ kind: 'postpone' }]);
    chart.send(found(true));
    expect(chart.snapshot.value).toBe('recovering');
    chart.send(found(false));
    expect(chart.snapshot.value).toEqual({ running: 'accepting' });
    expect(toldBy(chart.send(submitted(1)))).toContainEqual({ to: 'node/executor', type: 'check.requested' });
  });

  it('asks again after a pause when storage failed to read', () => {
    const chart = begin();
    const effects = chart.send({
      type: 'storage.failed',
      tag: 1,
      request: 'batches.uncommittedRequested',
      code: 'IO',
      detail: 'gone',
    });
    expect(effects).toMatchObject([{ kind: 'startTimer', key: 'recovery' }]);
    expect(chart.snapshot.value).toBe('recovering');
    expect(toldBy(chart.send({ type: 'recovery.due' }))).toEqual([
      { to: 'node/storage', type: 'batches.uncommittedRequested' },
    ]);
  });

  it('keeps how far a quorum is, for the size of blocks, also while it recovers (BR-11)', () => {
    const chart = begin();
    expect(chart.send({ type: 'roundTrip.measured', roundTripMs: millis(80) })).toEqual([
      { kind: 'postpone' },
    ]);
    chart.send(found(false));
    chart.send({ type: 'roundTrip.measured', roundTripMs: millis(80) });
    expect(chart.snapshot.context.mempool.pacing.roundTrips).toEqual([80]);
  });

  it('shows that it is full, and that it has room again', () => {
    const chart = begin();
    chart.send(found(false));
    chart.send(submitted(SMALL.pendingCountMax));
    expect(chart.snapshot.value).toEqual({ running: 'full' });
    chart.send({ type: 'execution.failed', tag: 2, code: 'APPLICATION_FAILED', detail: 'gone' });
    expect(chart.snapshot.value).toEqual({ running: 'accepting' });
  });

  it('has a transition in both states for every message that it declares, and for no other (RT-8)', () => {
    const declared = [...MEMPOOL_EVENTS, ...MEMPOOL_TIMERS].sort();
    for (const state of ['recovering', 'running'] as const) {
      expect([...(mempoolMachine.states[state]?.ownEvents ?? [])].sort()).toEqual(declared);
    }
  });

  it('throws nothing away at a message of the wrong moment', () => {
    const chart = begin();
    chart.send(found(false));
    for (const type of MEMPOOL_TIMERS) chart.send({ type });
    chart.send({ type: 'check.answered', tag: 77, results: [], height: GENESIS_HEIGHT });
    chart.send({ type: 'batches.found', tag: 77, batches: [], missing: [] });
    chart.send({ type: 'batches.persisted', tag: 77, digests: [] });
    expect(chart.snapshot.value).toEqual({ running: 'accepting' });
  });
});

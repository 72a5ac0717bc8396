import { afterAll, describe, expect, it } from 'vitest';
import { monotonic } from '../../../src/base/units.ts';
import { breakerMachine } from '../../../src/machines/bridge/breaker.machine.ts';
import { BREAKER_STATES, openFor } from '../../../src/machines/bridge/breaker.setup.ts';
import { BRIDGE_DEFAULTS } from '../../../src/protocol/bridge/config.ts';
import type { SubmitOperationsMessage } from '../../../src/protocol/bridge/messages.ts';
import { ANSWER_MS, HANDED_TO_MAX } from '../../../src/protocol/bridge/times.ts';
import { plain } from '../../protocol/bridge/operations-of.ts';
import { world } from '../../protocol/consensus/fixture.ts';
import { ofKind, type Reach, reachOf, toldTo } from '../reach.ts';

const PEER = world().addressAt(1);
type BreakerReach = Reach<typeof breakerMachine>;
const reach: BreakerReach = reachOf(breakerMachine, `bridge/${PEER}`);

const call = (tag: number): SubmitOperationsMessage => ({
  kind: 'SubmitOperations',
  tag,
  operations: [plain(`operation ${tag}`)],
});

const breaker = () =>
  reach.start(
    { peer: PEER, bridge: 'bridge', router: 'router', config: BRIDGE_DEFAULTS },
    { now: monotonic(0) },
  );
type Chart = ReturnType<typeof breaker>;

const ask = (chart: Chart, tag: number) => chart.send({ type: 'call.requested', message: call(tag) });
const fail = (chart: Chart, times = 1): void => {
  for (let time = 0; time < times; time += 1) chart.send({ type: 'peer.failed' });
};
/** Opened `times` times, each probe in between lost. */
function opened(times: number): Chart {
  const chart = breaker();
  fail(chart, BRIDGE_DEFAULTS.breakerFailures);
  for (let time = 1; time < times; time += 1) {
    chart.elapse();
    fail(chart);
  }
  return chart;
}

describe('closed (BR-8)', () => {
  it('sends a call, and waits for its answer a bounded time', () => {
    const chart = breaker();
    const effects = ask(chart, 1);
    expect(toldTo(effects, 'router')).toEqual([
      { type: 'network.sendRequested', outgoing: [{ to: [PEER], message: call(1) }] },
    ]);
    expect(ofKind(effects, 'startTimer')).toMatchObject([
      { key: 'call-1', delayMs: BRIDGE_DEFAULTS.forwardTimeout },
    ]);
    const answered = chart.send({ type: 'call.answered', tag: 1 });
    expect(ofKind(answered, 'cancelTimer')).toMatchObject([{ key: 'call-1' }]);
    expect(chart.snapshot.context.calls.size).toBe(0);
  });

  it('tells of a call without an answer once, and passes over what comes for it later', () => {
    const chart = breaker();
    ask(chart, 1);
    expect(toldTo(chart.send({ type: 'call.expired', tag: 1 }), 'bridge')).toEqual([
      { type: 'call.failed', peer: PEER, tag: 1, reason: 'timeout' },
    ]);
    expect(chart.send({ type: 'call.answered', tag: 1 })).toEqual([]);
    expect(chart.snapshot.context.failures).toBe(1);
  });

  it('opens after five failures in a row, whatever their kind', () => {
    const chart = breaker();
    ask(chart, 1);
    chart.send({ type: 'call.expired', tag: 1 });
    fail(chart, 3);
    expect(chart.snapshot.value).toBe('closed');
    const effects = chart.send({ type: 'peer.failed' });
    expect(chart.snapshot.value).toBe('open');
    expect(toldTo(effects, 'bridge')).toEqual([{ type: 'breaker.changed', peer: PEER, state: 'open' }]);
  });

  it.each([
    ['an answer', (chart: Chart) => void chart.send({ type: 'call.answered', tag: 1 })],
    ['valid gossip', (chart: Chart) => void chart.send({ type: 'peer.spoke' })],
  ])('%s ends the row', (_, succeed) => {
    const chart = breaker();
    ask(chart, 1);
    fail(chart, 4);
    succeed(chart);
    fail(chart, 4);
    expect(chart.snapshot.value).toBe('closed');
  });

  it('keeps 64 calls at most, and refuses the next without sending it', () => {
    const chart = breaker();
    for (let tag = 1; tag <= 64; tag += 1) ask(chart, tag);
    const effects = ask(chart, 65);
    expect(toldTo(effects, 'router')).toEqual([]);
    expect(toldTo(effects, 'bridge')).toEqual([
      { type: 'call.failed', peer: PEER, tag: 65, reason: 'refused' },
    ]);
    expect(chart.snapshot.context.calls.size).toBe(64);
  });
});

it('an answer to a call that is over changes nothing, in any state', () => {
  const closed = breaker();
  const open = opened(1);
  const halfOpen = opened(1);
  halfOpen.elapse(10_000);
  for (const chart of [closed, open, halfOpen]) {
    const { value } = chart.snapshot;
    expect(chart.send({ type: 'call.answered', tag: 7 })).toEqual([]);
    expect(chart.snapshot.value).toBe(value);
  }
});

describe('open (BR-8)', () => {
  it('sends nothing, and says so', () => {
    const chart = opened(1);
    const effects = ask(chart, 1);
    expect(toldTo(effects, 'router')).toEqual([]);
    expect(toldTo(effects, 'bridge')).toMatchObject([{ type: 'call.failed', tag: 1, reason: 'refused' }]);
    expect(chart.snapshot.context.calls.size).toBe(0);
  });

  it('hears what was on its way, and stays open for it', () => {
    const chart = breaker();
    ask(chart, 1);
    ask(chart, 2);
    fail(chart, BRIDGE_DEFAULTS.breakerFailures);
    chart.send({ type: 'call.answered', tag: 1 });
    expect(toldTo(chart.send({ type: 'call.expired', tag: 2 }), 'bridge')).toMatchObject([{ tag: 2 }]);
    chart.send({ type: 'peer.spoke' });
    chart.send({ type: 'peer.failed' });
    expect(chart.snapshot.value).toBe('open');
    expect(chart.snapshot.context.calls.size).toBe(0);
  });

  it('half-opens after 10 s, doubling to 120 s while it opens again', () => {
    const pauses = [1, 2, 3, 4, 5, 6, 20].map((times) => openFor(opened(times).snapshot.context));
    expect(pauses).toEqual([10_000, 20_000, 40_000, 80_000, 120_000, 120_000, 120_000]);
    const chart = opened(2);
    const effects = chart.elapse(20_000);
    expect(chart.snapshot.value).toBe('halfOpen');
    expect(toldTo(effects, 'bridge')).toEqual([{ type: 'breaker.changed', peer: PEER, state: 'halfOpen' }]);
  });
});

describe('half-open (BR-8)', () => {
  const halfOpen = (): Chart => {
    const chart = opened(1);
    chart.elapse(10_000);
    return chart;
  };

  it('lets one call through, and no second', () => {
    const chart = halfOpen();
    expect(toldTo(ask(chart, 1), 'router')).toHaveLength(1);
    const second = ask(chart, 2);
    expect(toldTo(second, 'router')).toEqual([]);
    expect(toldTo(second, 'bridge')).toMatchObject([{ tag: 2, reason: 'refused' }]);
  });

  it('closes for good with the answer: the next pause is the first again', () => {
    const chart = halfOpen();
    ask(chart, 1);
    const effects = chart.send({ type: 'call.answered', tag: 1 });
    expect(chart.snapshot.value).toBe('closed');
    expect(toldTo(effects, 'bridge')).toEqual([{ type: 'breaker.changed', peer: PEER, state: 'closed' }]);
    fail(chart, BRIDGE_DEFAULTS.breakerFailures);
    expect(openFor(chart.snapshot.context)).toBe(10_000);
  });

  it('closes with valid gossip too', () => {
    const chart = halfOpen();
    chart.send({ type: 'peer.spoke' });
    expect(chart.snapshot.value).toBe('closed');
  });

  it('opens again with the first failure, for twice as long', () => {
    const lost = halfOpen();
    ask(lost, 1);
    lost.send({ type: 'call.expired', tag: 1 });
    const gone = halfOpen();
    gone.send({ type: 'peer.failed' });
    for (const chart of [lost, gone]) {
      expect(chart.snapshot.value).toBe('open');
      expect(openFor(chart.snapshot.context)).toBe(20_000);
    }
  });
});

afterAll(() => {
  expect(reach.missing()).toEqual([]);
  expect(Object.keys(breakerMachine.states)).toEqual([...BREAKER_STATES]);
});

it('all validators that a submission is handed to may be silent in turn, and its asker still hears in time (BR-8)', () => {
  expect(HANDED_TO_MAX * BRIDGE_DEFAULTS.forwardTimeout).toBeLessThanOrEqual(ANSWER_MS);
});

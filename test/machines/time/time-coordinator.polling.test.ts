import { describe, expect, it } from 'vitest';
import { millis } from '../../../src/base/units.ts';
import { SCHEMA } from '../../../src/node/config/schema.ts';
import { EXCHANGES_PER_POLL } from '../../../src/protocol/time/poll.ts';
import { KINDS } from '../../../src/protocol/transport/kinds.ts';
import { ofKind, toldTo } from '../reach.ts';
import { newReach, type PeerModel, peerAt, Rig, type RigOptions, START, silent } from './rig.ts';

const reach = newReach();
const rigOf = (options: RigOptions = {}) => new Rig(reach, options);
const present = <T>(value: T | undefined): T => {
  if (value === undefined) throw new Error('missing');
  return value;
};
const infoOf = (rig: Rig, index: number) => present(rig.context.peers.get(rig.peer(index)));

/** One question to peer 0 is under way, for 4 ms; the others are silent. */
function awaiting() {
  const rig = rigOf({ peers: [silent, silent, silent] });
  rig.advance(4);
  const { requestId } = present(rig.asked.find(({ to }) => to === rig.peer(0)));
  const micros = (START + 2) * 1_000;
  const answer = { requestId, receivedMicros: micros, repliedMicros: micros, isSynchronised: true };
  return { rig, answer, from: rig.peer(0) };
}

describe('a poll of the time-coordinator (TM-4)', () => {
  it('makes four exchanges with each peer, one after the other, of which the quickest counts', () => {
    const unsteady: PeerModel = ({ exchange }) => {
      const [offset, delay] = [
        [90, 100],
        [5, 4],
        [20, 40],
        [1, 6],
      ][(exchange - 1) % 4] ?? [0, 0];
      return { offset: offset ?? 0, delay: delay ?? 0, isSynchronised: true };
    };
    const rig = rigOf({ peers: [unsteady, peerAt(0), peerAt(0)] });
    rig.advance(900);
    const asked = rig.asked.filter(({ to }) => to === rig.peer(0));
    expect(asked.map(({ at }) => at)).toEqual([0, 100, 104, 144]);
    expect(asked).toHaveLength(EXCHANGES_PER_POLL);
    expect(new Set(rig.asked.map(({ requestId }) => requestId)).size).toBe(rig.asked.length);
    const { timeOffset = Number.NaN, roundTripTime, lastUpdate, isSynchronised } = infoOf(rig, 0);
    expect(timeOffset - START).toBeCloseTo(5, 2);
    expect(roundTripTime).toBeCloseTo(4, 2);
    expect([lastUpdate, isSynchronised]).toEqual([104, true]);
  });

  it('keeps nothing of a poll for the next one', () => {
    const rig = rigOf();
    rig.advance(500);
    expect(rig.context.poll.heard.size).toBe(3);
    rig.models.fill(silent);
    rig.advance(501);
    expect(rig.context.poll.heard.size).toBe(0);
  });

  it('takes an answer for no other’s, and none twice', () => {
    const { rig, answer, from } = awaiting();
    for (const stranger of [rig.peer(1), rig.self]) expect(rig.reply(stranger, answer)).toEqual([]);
    expect(rig.reply(from, { ...answer, requestId: 999 })).toEqual([]);
    rig.reply(from, answer);
    expect([...rig.context.poll.heard.keys()]).toEqual([from]);
    expect(rig.reply(from, { ...answer, receivedMicros: 0, repliedMicros: 0 })).toEqual([]);
    expect(rig.misbehaved).toEqual([]);
  });

  it('hears who answers after the update and before the next poll, and makes no second update of it', () => {
    const rig = rigOf({ peers: [peerAt(0), peerAt(0), peerAt(0, true, 120)] });
    rig.advance(300);
    expect([rig.context.updates, infoOf(rig, 2).reliabilityScore]).toEqual([1, 0.5]);
    rig.advance(600);
    expect([rig.context.updates, infoOf(rig, 2).reliabilityScore]).toEqual([1, 0.6]);
    expect(rig.context.poll.heard.size).toBe(3);
  });

  it('takes no answer after the poll: its time is over', () => {
    const { rig, answer, from } = awaiting();
    rig.advance(1_000);
    const before = rig.context;
    expect(rig.reply(from, answer)).toEqual([]);
    expect(rig.context).toBe(before);
  });

  it.each([
    ['answered before it was asked', { repliedMicros: -1 }],
    ['had the question for longer than it was away', { repliedMicros: 6_000 }],
  ])('blames a peer that %s, and does not wait for it', (_what, { repliedMicros }) => {
    const { rig, answer, from } = awaiting();
    const effects = rig.reply(from, { ...answer, repliedMicros: answer.repliedMicros + repliedMicros });
    expect(toldTo(effects, 'router')).toEqual([
      { type: 'peer.misbehaved', peer: from, code: 'TIME_REPLY_MALFORMED' },
    ]);
    expect(rig.context.poll.heard.size).toBe(0);
    expect([...rig.context.poll.asked.values()].map(({ peer }) => peer)).toEqual([rig.peer(1), rig.peer(2)]);
    expect(infoOf(rig, 0).reliabilityScore).toBeCloseTo(0.5 * 0.85);
  });

  it('goes on at once when the last that it waited for is malformed', () => {
    const { rig, answer, from } = awaiting();
    rig.restart();
    rig.models[1] = peerAt(0);
    rig.models[2] = peerAt(0);
    rig.advance(20);
    expect([rig.state, rig.context.poll.asked.size]).toEqual(['acquiring', 1]);
    const [requestId = 0] = rig.context.poll.asked.keys();
    rig.reply(from, { ...answer, requestId, repliedMicros: 0 });
    rig.advance(0);
    expect(rig.state).toBe('synchronised');
  });

  it('scores a peer by each poll, not by each exchange; the silent when the next poll begins', () => {
    const rig = rigOf({ peers: [peerAt(0), silent, silent] });
    const scores = () => [0, 1].map((index) => infoOf(rig, index).reliabilityScore);
    rig.advance(999);
    expect(scores()).toEqual([0.6, 0.5]);
    rig.advance(0.5);
    rig.models.fill(silent);
    rig.advance(0.5);
    expect(scores()).toEqual([0.6, 0.45]);
  });

  it('scores who answered some of its questions as slow, not as late, when the next poll begins', () => {
    const rig = rigOf({ peers: [peerAt(0, true, 280), silent, silent] });
    rig.advance(999);
    expect(infoOf(rig, 0)).toMatchObject({ reliabilityScore: 0.5, timeOffset: undefined });
    rig.advance(1);
    const { reliabilityScore, timeOffset = Number.NaN, roundTripTime } = infoOf(rig, 0);
    expect([reliabilityScore, roundTripTime]).toEqual([0.6, 280]);
    expect(timeOffset - START).toBeCloseTo(0, 2);
  });

  it('scores nobody as late whose poll an NTP server ended', () => {
    const far = peerAt(0, true, 60);
    const rig = rigOf({
      config: { source: 'hybrid' },
      servers: { a: () => 'ntp.failed' },
      peers: [far, far, far],
    });
    rig.advance(999);
    expect([rig.state, infoOf(rig, 0).reliabilityScore]).toEqual(['synchronised', 0.6]);
  });

  it('asks an unreliable peer seldom, counts it no more, and has it back after a success', () => {
    const config = { updateIntervalMs: millis(2_000) };
    const rig = rigOf({ powers: [1n, 1n, 1n, 1n, 1n, 1n, 1n], config });
    rig.advance(10_000);
    rig.models[0] = silent;
    rig.advance(120_000);
    const asked = rig.asked.filter(({ to, at }) => to === rig.peer(0) && at > 90_000).map(({ at }) => at);
    expect(asked.slice(1).map((at, index) => at - (asked[index] ?? 0))).toEqual(
      asked.slice(1).map(() => 8_000),
    );
    expect(asked.length).toBeGreaterThan(1);
    expect(infoOf(rig, 0).reliabilityScore).toBeLessThan(0.1);
    rig.models[0] = peerAt(0);
    rig.advance(16_000);
    const { reliabilityScore } = infoOf(rig, 0);
    expect(reliabilityScore).toBeGreaterThan(0.2);
    rig.advance(2_000);
    expect(infoOf(rig, 0).reliabilityScore).toBeGreaterThan(reliabilityScore);
  });

  it('admits a peer again that is too slow for four exchanges', () => {
    const rig = rigOf({ peers: [peerAt(0), peerAt(0), silent] });
    rig.advance(300_000);
    expect(infoOf(rig, 2).reliabilityScore).toBeLessThan(0.2);
    rig.models[2] = peerAt(0, true, 280);
    rig.advance(600_000);
    expect(infoOf(rig, 2).reliabilityScore).toBeGreaterThan(0.2);
  });

  it('counts no system clock once enough peers are synchronised', () => {
    const rig = rigOf({ systemError: 700, peers: [peerAt(0), peerAt(0), peerAt(700, false)] });
    rig.advance(8_000);
    expect(infoOf(rig, 2).isSynchronised).toBe(false);
    expect(Math.abs(rig.error)).toBeLessThan(2);
  });
});

describe('how long the time-coordinator waits for answers (TM-4)', () => {
  it('acquires time of peers with a round trip of 300 ms', () => {
    const far = peerAt(0, true, 300);
    const rig = rigOf({ peers: [far, far, far] });
    rig.advance(60_000);
    expect([rig.state, rig.told]).toEqual(['synchronised', [true]]);
  });

  it('goes on as soon as one more peer answered, when those of the first 250 ms were too few', () => {
    const late: PeerModel = ({ exchange }) => ({
      offset: 0,
      delay: exchange === 1 ? 300 : 10,
      isSynchronised: true,
    });
    const rig = rigOf({ peers: [peerAt(0), late, silent] });
    rig.advance(329);
    expect(rig.state).toBe('acquiring');
    rig.advance(1);
    expect(rig.state).toBe('synchronised');
  });

  it('waits no longer than nine tenths of the time to the next poll', () => {
    const rig = rigOf({ peers: [peerAt(0), peerAt(0, true, 280), silent] });
    rig.advance(899);
    expect(rig.state).toBe('acquiring');
    rig.advance(1);
    expect(rig.state).toBe('synchronised');
  });

  it('goes on with who answers later than that, before the next poll, when the others were too few', () => {
    const late: PeerModel = ({ exchange }) => ({
      offset: 0,
      delay: exchange === 1 ? 920 : 10,
      isSynchronised: true,
    });
    const rig = rigOf({ peers: [peerAt(0), late, silent] });
    rig.advance(949);
    expect([rig.state, rig.context.verdict]).toEqual(['acquiring', 'none']);
    rig.advance(1);
    expect(rig.state).toBe('synchronised');
  });

  it('waits no longer than the operator says', () => {
    const config = { answerTimeoutMs: millis(600) };
    const rig = rigOf({ config, peers: [peerAt(0), peerAt(0, true, 280), silent] });
    rig.advance(599);
    expect(rig.state).toBe('acquiring');
    rig.advance(1);
    expect(rig.state).toBe('synchronised');
  });

  it('waits as long as the operator says', () => {
    const slow = peerAt(0, true, 400);
    const rig = rigOf({ config: { answerTimeoutMs: millis(2_000) }, peers: [slow, slow, slow] });
    rig.advance(60_000);
    expect([rig.state, rig.told]).toEqual(['synchronised', [true]]);
  });

  it.each([
    ['a second', 1_000, 10_000, 1_000],
    ['the time to answer, where that is longer', 2_000, 10_000, 2_000],
    ['the usual interval, where that is shorter', 500, 800, 800],
  ])('asks quickly at intervals of %s', (_what, answerTimeout, updateInterval, wait) => {
    const config = { answerTimeoutMs: millis(answerTimeout), updateIntervalMs: millis(updateInterval) };
    const rig = rigOf({ config, peers: [silent, silent, silent] });
    rig.advance(3 * wait);
    const asked = rig.asked.filter(({ to }) => to === rig.peer(0)).map(({ at }) => at);
    expect(asked).toEqual([0, wait, 2 * wait, 3 * wait]);
  });

  it('is not kept from acquiring time by a peer that comes and goes', () => {
    const rig = rigOf({ peers: [peerAt(0), peerAt(0), silent] });
    rig.advance(0);
    for (let turn = 0; turn < 10; turn += 1) {
      const effects = rig.send({ type: 'peer.connected', peer: rig.peer(2) });
      expect(ofKind(effects, 'startTimer')).toEqual([]);
      rig.advance(100);
    }
    expect([rig.state, rig.context.updates]).toEqual(['synchronised', 1]);
  });

  it('lets nobody set an interval at which honest validators pass each other’s rate (TP-5)', () => {
    const shortest = (EXCHANGES_PER_POLL * 1_000) / KINDS.TimeRequest.ratePerSecond;
    expect(SCHEMA.time.update_interval_ms.type.safeParse(shortest).success).toBe(true);
    expect(SCHEMA.time.update_interval_ms.type.safeParse(shortest - 1).success).toBe(false);
  });

  it('asks each of many validators more seldom, so that a node has no more to do than among 16', () => {
    const perSecond = (validators: number): number => {
      const powers = Array.from({ length: validators }, () => 1n);
      const rig = rigOf({ powers, peers: powers.slice(1).map(() => peerAt(0)) });
      rig.advance(600_000);
      return rig.asked.filter(({ at }) => at > 100_000).length / 500;
    };
    expect(perSecond(4)).toBeCloseTo(1.2, 1);
    expect(perSecond(16)).toBeCloseTo(6, 0);
    expect(perSecond(64)).toBeLessThan(7);
  });

  it('tells after each poll how far a quorum is, once enough have answered (CS-11, BR-11)', () => {
    const far = rigOf({ peers: [peerAt(0, true, 30), peerAt(0, true, 90), peerAt(0, true, 200)] });
    far.advance(25_000);
    expect(far.roundTrips.length).toBeGreaterThan(2);
    expect(far.roundTrips.at(-1)).toBeCloseTo(90, 0);
    const alone = rigOf({ peers: [peerAt(0, true, 30), silent, silent] });
    alone.advance(25_000);
    expect(alone.roundTrips).toEqual([]);
  });
});

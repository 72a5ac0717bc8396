import { describe, expect, it } from 'vitest';
import { millis, monotonic } from '../../../src/base/units.ts';
import { errorNow } from '../../../src/machines/time/time-coordinator.live.ts';
import { toldTo } from '../reach.ts';
import { newReach, type PeerModel, peerAt, Rig, type RigOptions, START, sentIn, silent } from './rig.ts';

const reach = newReach();
const rigOf = (options: RigOptions = {}) => new Rig(reach, options);
const HOUR = 3_600_000;
const errorOf = (rig: Rig): number => errorNow(rig.context, monotonic(rig.now));

/** All peers are so far ahead in the first poll, and right from then on: the clock is held until time comes up with it. */
function heldAbove(ms: number, options: RigOptions = {}) {
  const ahead: PeerModel = ({ now }) => ({ offset: now < 500 ? ms : 0, delay: 2, isSynchronised: true });
  const rig = rigOf({ peers: [ahead, ahead, ahead], ...options });
  rig.advance(1_500);
  return rig;
}

describe('time-coordinator chart: a clock that is held because it must not fall (TM-6, TM-7)', () => {
  it('does not propose while that is an hour ahead', () => {
    const rig = rigOf({ powers: [1n], config: { source: 'system' } });
    rig.advance(5_000);
    rig.systemError = HOUR;
    rig.advance(5_000);
    rig.systemError = 0;
    rig.advance(5_000);
    expect(rig.error).toBeGreaterThan(3_000_000);
    expect(errorOf(rig)).toBeGreaterThan(10_000);
    expect(rig.mayPropose).toBe(false);
  });

  it('waits half a minute for peers that might overrule a wrong NTP server, ten minutes ahead', () => {
    // A node starts among three that have time; one says that it has none, and the NTP server is wrong.
    const rig = rigOf({
      config: { source: 'hybrid' },
      peers: [peerAt(0), peerAt(0), peerAt(0, false)],
      servers: { wrong: () => ({ offset: 600_000 }) },
    });
    for (let second = 0; second < 29; second += 1) {
      rig.advance(1_000);
      expect(Math.abs(rig.error) < 10_000 || !rig.mayPropose).toBe(true);
    }
    rig.models[2] = peerAt(0);
    rig.advance(2_000);
    expect([rig.state, rig.mayPropose]).toEqual(['synchronised', true]);
    expect(Math.abs(rig.error)).toBeLessThan(5);
  });

  it('loses its time at the update that leaves it 60 s ahead, and has it back when 10 s are left', () => {
    const rig = heldAbove(60_000);
    expect([rig.state, rig.told, rig.context.contradictions]).toEqual(['acquiring', [true, false], 0]);
    expect(Math.abs(rig.error - 60_000)).toBeLessThan(1_000);
    expect(Math.abs(errorOf(rig) - rig.error)).toBeLessThan(10);
    rig.advance(48_000);
    expect([rig.state, rig.told, rig.error > 10_000]).toEqual(['acquiring', [true, false], true]);
    rig.advance(3_000);
    expect([rig.state, rig.told, rig.error > 0]).toEqual(['synchronised', [true, false, true], true]);
  });

  it('asks every second while it is lost, and says that it is far off', () => {
    const rig = heldAbove(60_000);
    rig.advance(20_000);
    const asked = rig.asked.filter(({ to, at }) => to === rig.peer(0) && at > 10_000).map(({ at }) => at);
    const polls = new Set(asked.map((at) => Math.floor(at / 1_000)));
    expect(polls.size).toBe(12);
    rig.elapse(10_000);
    expect([...rig.context.alerts.keys()]).toEqual(['AdjustedTimeFarOff']);
  });

  it('goes on proposing while it is 5 s ahead, and tells others the time, not what is shown', () => {
    const rig = heldAbove(5_000);
    expect([rig.state, rig.told]).toEqual(['synchronised', [true]]);
    expect(rig.error).toBeGreaterThan(4_000);
    const from = rig.peer(0);
    const question = { kind: 'TimeRequest', requestId: 7 } as const;
    const sent = sentIn(rig.send({ type: 'message.received', from, message: question }));
    expect(sent).toMatchObject([{ message: { kind: 'TimeReply', isSynchronised: true } }]);
    const said = sent[0]?.message.kind === 'TimeReply' ? sent[0].message.receivedMicros : Number.NaN;
    expect(Math.abs(said / 1_000 - START - rig.now)).toBeLessThan(2);
  });

  it('knows what was shown through updates and a step of the system clock', () => {
    const rig = heldAbove(60_000);
    rig.advance(5_000);
    expect(Math.abs(errorOf(rig) - rig.error)).toBeLessThan(10);
    rig.systemError = 1_000;
    rig.advance(5_000);
    expect([rig.state, rig.mayPropose]).toEqual(['acquiring', false]);
    expect(Math.abs(errorOf(rig) - rig.error)).toBeLessThan(10);
  });

  it('says to others that it is not synchronised while it is lost', () => {
    const rig = heldAbove(60_000);
    const from = rig.peer(0);
    const question = { kind: 'TimeRequest', requestId: 7 } as const;
    const sent = sentIn(rig.send({ type: 'message.received', from, message: question }));
    expect(sent).toMatchObject([{ message: { isSynchronised: false } }]);
    const status = toldTo(rig.send({ type: 'time.statusRequested', replyTo: 'asker' }), 'asker');
    expect(status).toEqual([{ type: 'time.changed', mayPropose: false }]);
  });
});

describe('time-coordinator chart: a clock that is far behind or held over (TM-7)', () => {
  it('counts what is left of a slew in its error', () => {
    const rig = rigOf({ config: { driftPpmMax: 100 } });
    rig.advance(30_000);
    rig.models.fill(peerAt(-4_000));
    rig.restart();
    rig.advance(5_000);
    expect(rig.context.discipline?.slewMs).toBeLessThan(-3_900);
    expect(errorOf(rig)).toBeGreaterThan(3_900);
    expect(errorOf(rig)).toBeLessThan(4_010);
  });

  it('does not propose after a correction back of 12 s, until 10 s of it are left', () => {
    const rig = rigOf();
    rig.advance(30_000);
    rig.models.fill(peerAt(-12_000));
    rig.restart();
    rig.advance(380_000);
    expect([rig.state, rig.mayPropose]).toEqual(['acquiring', false]);
    rig.advance(40_000);
    expect([rig.state, rig.mayPropose]).toEqual(['synchronised', true]);
  });

  it('gets its time again though its peers were silent while it was lost and differ afterwards (TM-4)', () => {
    const rig = heldAbove(60_000);
    rig.advance(20_000);
    rig.models.fill(silent);
    rig.advance(60_000);
    rig.models.fill(peerAt(20_000));
    rig.advance(60_000);
    expect([rig.state, rig.mayPropose]).toEqual(['synchronised', true]);
    expect(Math.abs(rig.error - 20_000)).toBeLessThan(2);
  });

  it('tells who asks what it told its listeners', () => {
    const rig = heldAbove(60_000, { config: { answerTimeoutMs: millis(500) } });
    rig.models.fill(silent);
    for (let second = 0; second < 90; second += 1) {
      rig.advance(1_000);
      const status = toldTo(rig.send({ type: 'time.statusRequested', replyTo: 'asker' }), 'asker');
      expect(status).toEqual([{ type: 'time.changed', mayPropose: rig.mayPropose }]);
    }
  });
});

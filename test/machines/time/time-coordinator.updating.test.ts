import { describe, expect, it } from 'vitest';
import { millis, monotonic } from '../../../src/base/units.ts';
import { errorNow } from '../../../src/machines/time/time-coordinator.live.ts';
import { BURST_ANSWERS } from '../../../src/protocol/time/ntp-association.ts';
import { newReach, type PeerModel, peerAt, Rig, type RigOptions, type ServerModel, silent } from './rig.ts';

const reach = newReach();
const rigOf = (options: RigOptions = {}) => new Rig(reach, options);
const right: ServerModel = () => ({ offset: 0 });
const wrong: ServerModel = () => ({ offset: 5_000 });
const dead: ServerModel = () => 'ntp.failed';
const three = { a: right, b: right, c: right };
const SILENT = [silent, silent, silent];
const ntp = { config: { source: 'ntp' }, peers: SILENT } as const;
const hybrid = { config: { source: 'hybrid' } } as const;

describe('the system clock as the source', () => {
  const system = { config: { source: 'system' } } as const;

  it('is taken as it is, and the peers only warn (seed 000: checkDriftWithPeers)', () => {
    const rig = rigOf({ ...system, systemError: 2_000 });
    rig.advance(30_000);
    expect([rig.state, rig.error]).toEqual(['synchronised', 2_000]);
    expect(rig.raised).toEqual(['PeersDisagree']);
    rig.models.fill(peerAt(2_000));
    rig.advance(20_000);
    expect(rig.cleared).toEqual(['PeersDisagree']);
  });

  it('needs no peer', () => {
    const rig = rigOf({ ...system, peers: SILENT });
    rig.advance(300);
    expect([rig.state, rig.told]).toEqual(['synchronised', [true]]);
  });

  it('contradicts nothing, though it moves by almost a step every second', () => {
    const rig = rigOf(system);
    rig.advance(30_000);
    for (let second = 0; second < 60; second += 1) {
      rig.systemError += 40;
      rig.models.fill(peerAt(rig.systemError));
      rig.advance(1_000);
    }
    expect(rig.told).toEqual([true]);
    expect(rig.raised).not.toContain('UpdateContradicted');
    expect(rig.context.discipline?.slewMs).toBeGreaterThan(1_000);
  });

  it('is followed when it is set forward', () => {
    const rig = rigOf({ ...system, powers: [1n] });
    rig.advance(20_000);
    rig.systemError = 90_000;
    rig.advance(2_000);
    expect([rig.error, rig.told]).toEqual([90_000, [true, false, true]]);
  });
});

describe('peers as the source (TM-4)', () => {
  it('keeps to synchronised time when as many peers restart and show their system clocks', () => {
    const rig = rigOf();
    rig.advance(30_000);
    rig.models[1] = peerAt(60_000, false);
    rig.models[2] = peerAt(60_000, false);
    rig.advance(30_000);
    expect(Math.abs(rig.error)).toBeLessThan(5);
  });

  it('follows honest peers that slew, without losing its time again and again', () => {
    const rig = rigOf();
    rig.advance(30_000);
    rig.models.fill(({ now }) => ({
      offset: Math.min(600, (now - 30_000) * 0.005),
      delay: 2,
      isSynchronised: true,
    }));
    rig.advance(200_000);
    expect(rig.told).toEqual([true]);
    expect(Math.abs(rig.error - 600)).toBeLessThan(2);
    expect(rig.raised).toEqual(['ClockDrift']);
  });

  it('contradicts peers that are further away than they may have been slewed', () => {
    const rig = rigOf();
    rig.advance(30_000);
    // In 10 s: 50 ms slewed, 5 ms by the rate, and a few by drift and delay.
    rig.models.fill(peerAt(90));
    rig.advance(10_000);
    expect([rig.context.verdict, rig.context.contradictions]).toEqual(['contradicted', 1]);
  });
});

describe('NTP as the source (TM-3)', () => {
  it('asks its servers 2 s apart until their registers are full, and leads the clock with the fourth answer', () => {
    const rig = rigOf({ ...ntp, systemError: 700, servers: three });
    rig.advance(6_001);
    expect(rig.state).toBe('acquiring');
    rig.advance(1);
    expect(rig.state).toBe('synchronised');
    expect(rig.context.history.map(({ by }) => by)).toEqual(['ntp']);
    expect(Math.abs(rig.error)).toBeLessThan(2);
    rig.advance(200_000);
    const polls = rig.polled.filter(({ server }) => server === 'a').map(({ at }) => at);
    const waits = polls.slice(1).map((at, index) => at - (polls[index] ?? 0));
    const burst = Array.from({ length: BURST_ANSWERS - 1 }, () => 2_000);
    expect(waits).toEqual([...burst, ...waits.slice(burst.length).map(() => 64_000)]);
    expect(waits.length).toBeGreaterThan(burst.length + 1);
  });

  it('changes nothing while its servers contradict each other', () => {
    const rig = rigOf({ ...ntp, servers: { a: right, b: wrong } });
    rig.advance(30_000);
    expect([rig.state, rig.told, rig.disciplined]).toEqual(['acquiring', [], []]);
    expect(rig.raised).toContain('NoMajority');
    expect(rig.context.alerts.has('NoMajority')).toBe(true);
  });

  it('overrules one of three', () => {
    const rig = rigOf({ ...ntp, servers: { a: right, b: right, c: wrong } });
    rig.advance(30_000);
    expect(rig.state).toBe('synchronised');
    expect(Math.abs(rig.error)).toBeLessThan(2);
  });

  it('does without servers that say no, and says when none can be used', () => {
    const one = rigOf({ ...ntp, servers: { a: () => 'DENY', b: dead, c: right } });
    one.advance(30_000);
    expect(one.state).toBe('synchronised');
    const none = rigOf({ ...ntp, servers: { a: () => 'DENY', b: dead } });
    none.advance(30_000);
    expect([none.state, none.raised[0]]).toEqual(['acquiring', 'NtpUnavailable']);
  });

  it('raises that none can be used once, as long as that lasts (TM-7)', () => {
    const rig = rigOf({ ...ntp, servers: { dead, denying: () => 'DENY' } });
    rig.advance(120_000);
    expect(rig.raised).toEqual(['NtpUnavailable']);
  });

  it('learns how fast its own clock drifts, and forgets that when somebody sets the clock (TM-1, TM-6)', () => {
    const drifting: ServerModel = (now) => ({ offset: now * 0.0001 });
    const rig = rigOf({ ...ntp, servers: { a: drifting, b: drifting, c: drifting } });
    rig.advance(1_000_000);
    expect(rig.context.discipline?.ratePpm).toBeCloseTo(100, -1);
    expect(rig.context.rate.length).toBeGreaterThan(10);
    rig.systemError = 1_000;
    rig.look();
    expect(rig.context.rate).toEqual([]);
    rig.advance(60_000);
    expect([rig.mayPropose, rig.context.rate.length]).toEqual([true, 1]);
    expect(rig.context.discipline?.ratePpm).toBeCloseTo(100, -1);
  });

  it('goes by no answer from before the system clock was set (TM-1)', () => {
    const rig = rigOf({ ...ntp, servers: three });
    rig.advance(600_000);
    rig.servers = { a: dead, b: dead, c: dead };
    rig.systemError = 1_000;
    rig.look();
    rig.advance(10_000);
    expect([rig.state, rig.told, rig.context.updates]).toEqual(['acquiring', [true, false], 0]);
  });

  it('proposes again soon after a step of the system clock, by ntp (TM-1)', () => {
    const rig = rigOf({ config: { source: 'ntp' }, servers: { a: right, b: right, c: right } });
    rig.advance(60_000);
    rig.systemError = 1_000;
    rig.advance(30_000);
    expect(rig.mayPropose).toBe(true);
  });

  it('bounds its error by its own drift too when NTP is gone (TM-4)', () => {
    let isThere = true;
    const server = () => (isThere ? { offset: 0 } : ('ntp.failed' as const));
    const rig = rigOf({ config: { source: 'ntp' }, servers: { a: server, b: server, c: server } });
    rig.advance(700_000);
    isThere = false;
    rig.advance(4_000_000);
    const drift = (rig.context.config.driftPpmMax * 4_000_000) / 1_000_000;
    expect(errorNow(rig.context, monotonic(rig.now))).toBeGreaterThan(drift);
  });

  it('raises no alert at a start at which everything answers', () => {
    const rig = rigOf({ config: { source: 'ntp' }, servers: { a: right, b: right, c: right } });
    rig.advance(30_000);
    expect(rig.state).toBe('synchronised');
    expect(rig.raised).toEqual([]);
  });

  it('is not led by peers, and warns when they disagree', () => {
    const rig = rigOf({
      config: { source: 'ntp' },
      peers: [peerAt(5_000), peerAt(5_000), peerAt(5_000)],
      servers: three,
    });
    rig.advance(40_000);
    expect(Math.abs(rig.error)).toBeLessThan(2);
    expect(rig.context.alerts.has('PeersDisagree')).toBe(true);
  });
});

describe('hybrid (TM-5)', () => {
  it('hears NTP before it goes by system clocks', () => {
    const rig = rigOf({
      ...hybrid,
      systemError: 3_000,
      servers: three,
      peers: [peerAt(3_000, false), peerAt(3_000, false), peerAt(3_000, false)],
    });
    rig.advance(5_900);
    expect([rig.state, rig.context.verdict]).toEqual(['acquiring', 'none']);
    rig.advance(200);
    expect(rig.context.history.map(({ by }) => by)).toEqual(['ntp']);
    expect(Math.abs(rig.error)).toBeLessThan(2);
  });

  it('goes by system clocks once its servers have failed', () => {
    const cold = [peerAt(40, false), peerAt(40, false), peerAt(40, false)];
    const rig = rigOf({ ...hybrid, servers: { a: dead, b: dead }, peers: cold });
    rig.advance(3_000);
    expect(rig.state).toBe('synchronised');
    expect(rig.context.history[0]?.by).toBe('peers');
  });

  it('goes by synchronised peers without waiting for NTP', () => {
    const rig = rigOf({ ...hybrid, servers: three, systemError: 3_000 });
    rig.advance(500);
    expect([rig.state, rig.context.history[0]?.by]).toEqual(['synchronised', 'peers']);
  });

  it('is peers where no server is named', () => {
    const starting: PeerModel = ({ now }) => ({ offset: 40, delay: 2, isSynchronised: now > 500 });
    const rig = rigOf({ ...hybrid, peers: [starting, starting, starting] });
    rig.advance(500);
    expect(rig.state).toBe('synchronised');
    rig.advance(60_000);
    expect(rig.raised).toEqual([]);
    expect(Math.abs(rig.error - 40)).toBeLessThan(2);
  });

  it('goes by no system clock once it has time: it holds over, and says so', () => {
    const rig = rigOf({ ...hybrid, peers: [peerAt(40, false), peerAt(40, false), peerAt(40, false)] });
    rig.advance(500);
    expect(rig.state).toBe('synchronised');
    rig.models.fill(peerAt(5_000, false));
    rig.advance(60_000);
    expect([rig.state, rig.told, rig.context.updates]).toEqual(['holdingOver', [true], 1]);
    expect(rig.raised).toEqual(['TooFewPeers', 'HoldOver']);
    expect(rig.error).toBeLessThan(50);
  });

  it('holds what the peers agree on against a wrong server, says so, and goes on proposing', () => {
    const rig = rigOf({ ...hybrid, servers: { a: wrong } });
    rig.advance(60_000);
    expect(Math.abs(rig.error)).toBeLessThan(20);
    expect([rig.told, rig.context.alerts.has('TimeSourceConflict')]).toEqual([[true], true]);
    rig.servers = { a: right };
    rig.advance(600_000);
    expect([rig.told, rig.context.alerts.has('TimeSourceConflict')]).toEqual([[true], false]);
    expect(rig.raised.filter((alert) => alert === 'TimeSourceConflict')).toHaveLength(1);
  });

  it('needs no peer while NTP answers', () => {
    const rig = rigOf({ ...hybrid, servers: three, peers: SILENT, systemError: 3_000 });
    rig.advance(7_000);
    expect([rig.state, rig.context.history[0]?.by]).toEqual(['synchronised', 'ntp']);
  });
});

describe('a correction beyond the panic threshold (TM-6)', () => {
  const config = { panicThresholdMs: millis(1_000_000) };

  it('is refused, and said so', () => {
    const rig = rigOf({ config, systemError: -1_000_100 });
    rig.advance(60_000);
    expect([rig.state, rig.told, rig.disciplined]).toEqual(['acquiring', [], []]);
    expect(rig.raised.filter((alert) => alert === 'PanicThreshold')).toHaveLength(1);
  });

  it('is made once somebody has set the clock', () => {
    const rig = rigOf({ config, systemError: -1_000_100 });
    rig.advance(20_000);
    rig.systemError = 0;
    rig.advance(2_000);
    expect([rig.state, rig.told]).toEqual(['synchronised', [true]]);
    expect(Math.abs(rig.error)).toBeLessThan(2);
    expect(rig.context.alerts.has('PanicThreshold')).toBe(false);
  });

  it('makes a node that had time hold over', () => {
    const rig = rigOf({ config });
    rig.advance(2_500);
    rig.models.fill(peerAt(2_000_000));
    rig.advance(40_000);
    expect(rig.raised).toContain('PanicThreshold');
    expect(Math.abs(rig.error)).toBeLessThan(2);
  });
});

describe('what the operator hears (TM-7)', () => {
  it('is told of a system clock that is off, once or at every check, and when it is right again', () => {
    const drift = [
      [400, []],
      [600, ['ClockDrift']],
      [6_000, ['ClockDriftSevere']],
      [11_000, ['ClockDriftCritical']],
    ] as const;
    for (const [systemError, raised] of drift) {
      const rig = rigOf({ systemError });
      rig.advance(60_000);
      expect(rig.raised).toEqual(raised);
      expect(rig.repeated.length > 3).toBe(systemError > 5_000);
      rig.systemError = 0;
      rig.advance(60_000);
      expect(rig.cleared.filter((alert) => alert.startsWith('ClockDrift'))).toEqual(raised);
      expect(rig.context.alerts.size).toBe(0);
    }
  });

  it('hears nothing of sources during the first polls', () => {
    const rig = rigOf({ peers: SILENT });
    rig.advance(4_300);
    expect(rig.raised).toEqual([]);
    rig.advance(60_000);
    expect(rig.raised).toEqual(['TooFewPeers']);
  });

  it('hears nothing of sources during the first polls after its time was lost', () => {
    const rig = rigOf();
    rig.advance(30_000);
    rig.models.fill(silent);
    rig.systemError = 100;
    rig.look();
    rig.advance(4_900);
    expect(rig.raised).toEqual(['SystemClockStepped']);
    rig.advance(10_000);
    expect(rig.raised).toEqual(['SystemClockStepped', 'TooFewPeers']);
  });
});

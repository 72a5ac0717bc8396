import { describe, expect, it } from 'vitest';
import { millis } from '../../../src/base/units.ts';
import { newReach, peerAt, Rig, type RigOptions, silent } from './rig.ts';

const reach = newReach();
const rigOf = (options: RigOptions = {}) => new Rig(reach, options);
const MINUTE = 60_000;

/** A node that its peers hold at true time, against servers that went `ms` ahead. */
function inConflict(ms: number) {
  let offset = 0;
  const server = () => ({ offset });
  const config = { source: 'hybrid', ntpPollIntervalMs: millis(2_000) } as const;
  const rig = rigOf({ config, servers: { a: server, b: server, c: server } });
  rig.advance(MINUTE);
  offset = ms;
  rig.advance(MINUTE);
  return {
    rig,
    mend: () => {
      offset = 0;
    },
  };
}

describe('time-coordinator chart: NTP that the peers contradict (TM-5)', () => {
  it('is not believed because the peers went silent: the node holds over, and has not moved when they are back', () => {
    const { rig, mend } = inConflict(900_000);
    expect(rig.raised).toContain('TimeSourceConflict');
    expect(Math.abs(rig.error)).toBeLessThan(10);
    rig.models.fill(silent);
    rig.advance(10 * MINUTE);
    expect(rig.state).toBe('holdingOver');
    expect(Math.abs(rig.error)).toBeLessThan(50);
    rig.models.fill(peerAt(0));
    mend();
    rig.advance(5 * MINUTE);
    expect([rig.state, Math.abs(rig.error) < 10]).toEqual(['synchronised', true]);
  });

  it('teaches no rate (TM-6), and no drift of a system clock that may be right (TM-7)', () => {
    const { rig } = inConflict(900_000);
    rig.advance(10 * MINUTE);
    expect(rig.context.discipline?.ratePpm).toBe(0);
    expect(rig.context.rate).toEqual([]);
    expect(rig.raised.filter((alert) => alert.startsWith('ClockDrift'))).toEqual([]);
  });
});

describe('time-coordinator chart: NTP that is gone (TM-3)', () => {
  it('is told within five minutes, and used again within as much', () => {
    let there = true;
    const server = () => (there ? { offset: 0 } : 'silent');
    const config = { source: 'ntp' } as const;
    const rig = rigOf({
      config,
      servers: { a: server, b: server, c: server },
      peers: [silent, silent, silent],
    });
    rig.advance(2 * MINUTE);
    expect(rig.state).toBe('synchronised');
    there = false;
    rig.advance(6 * MINUTE);
    expect([rig.state, rig.raised.includes('NtpUnavailable')]).toEqual(['holdingOver', true]);
    rig.advance(60 * MINUTE);
    there = true;
    rig.advance(5 * MINUTE);
    expect(rig.state).toBe('synchronised');
  });
});

describe('time-coordinator chart: what an operator hears (TM-7)', () => {
  it('repeats a grave drift once an update, whatever else changes', () => {
    const rig = rigOf({ systemError: 30_000 });
    rig.advance(MINUTE);
    const updates = rig.context.history.length;
    expect(rig.raised).toEqual(['ClockDriftCritical']);
    expect(rig.repeated).toHaveLength(updates - 1);
  });

  it('says nothing of a system clock that is followed and half a millisecond beside the peers', () => {
    const rig = rigOf({ config: { source: 'system' }, systemError: 0.5 });
    rig.advance(10 * MINUTE);
    expect(rig.raised).toEqual([]);
    rig.systemError = 40;
    rig.advance(MINUTE);
    expect(rig.raised).toEqual([]);
    rig.models.fill(peerAt(2_000));
    rig.advance(MINUTE);
    expect(rig.raised).toEqual(['PeersDisagree']);
  });

  it('counts a validator that comes back as if it had never been asked', () => {
    const rig = rigOf({ peers: [peerAt(0), peerAt(0), silent] });
    rig.advance(5 * MINUTE);
    const score = () => rig.context.peers.get(rig.peer(2))?.reliabilityScore ?? 0;
    expect(score()).toBeLessThan(0.2);
    rig.models[2] = peerAt(0);
    rig.send({ type: 'peer.connected', peer: rig.peer(2) });
    rig.advance(10_000);
    expect(score()).toBeGreaterThan(0.5);
  });
});

import { describe, expect, it } from 'vitest';
import { millis, monotonic, wallTime } from '../../../src/base/units.ts';
import { newReach, peerAt, Rig, type RigOptions, START, silent } from './rig.ts';

const reach = newReach();
const rigOf = (options: RigOptions = {}) => new Rig(reach, options);

function settled(options: RigOptions = {}) {
  const rig = rigOf(options);
  rig.advance(30_000);
  expect(rig.state).toBe('synchronised');
  return rig;
}
const alone = () => rigOf({ peers: [silent, silent, silent] });

describe('time-coordinator chart: a new life (TM-6, TM-7)', () => {
  it('takes mayPropose back while the clock goes on, and steps it forward only', () => {
    for (const move of [-5_000, 5_000]) {
      const rig = settled();
      const before = rig.clock.read();
      rig.models.fill(peerAt(move));
      rig.restart();
      rig.advance(0);
      expect([rig.state, rig.told, rig.clock.read()]).toEqual(['acquiring', [true, false], before]);
      rig.advance(3_500);
      expect([rig.state, rig.mayPropose]).toEqual(['synchronised', true]);
      expect(rig.clock.read()).toBeGreaterThan(before);
      expect(rig.disciplined.filter(({ isFirst }) => isFirst)).toHaveLength(1);
      expect(Math.abs(rig.error - 5_000) < 2).toBe(move > 0);
    }
  });

  it('tells nobody that time is taken back which was never there', () => {
    const rig = alone();
    rig.advance(3_000);
    rig.restart();
    rig.advance(3_000);
    expect(rig.told).toEqual([]);
  });

  it('leads the clock on as it shows itself, whatever an earlier life corrected', () => {
    const rig = settled();
    rig.models.fill(peerAt(-600));
    rig.restart();
    rig.advance(5_000);
    expect(rig.context.discipline?.slewMs).toBeLessThan(-500);
    rig.models.fill(silent);
    rig.restart();
    rig.advance(0);
    expect(rig.disciplined.at(-1)).toEqual({
      type: 'clock.disciplined',
      discipline: { at: rig.now, time: rig.clock.read(), ratePpm: 0, slewMs: 0 },
      isFirst: false,
    });
    rig.advance(20_500);
    const { discipline } = rig.context;
    const known = (discipline?.time ?? 0) - (discipline?.at ?? 0) + rig.now;
    expect(known).toBe(rig.clock.read());
  });

  it('leads no clock that nobody led before', () => {
    const rig = alone();
    rig.advance(3_000);
    rig.restart();
    rig.advance(3_000);
    expect(rig.disciplined).toEqual([]);
  });

  it('does not forget how far the clock is held above the time', () => {
    const rig = settled();
    // The earlier life led the clock a minute ahead, and saw that.
    rig.clock.discipline(
      { at: monotonic(rig.now), time: wallTime(START + rig.now + 60_000), ratePpm: 0, slewMs: 0 },
      false,
    );
    rig.restart();
    rig.advance(40_000);
    expect(rig.error).toBeGreaterThan(50_000);
    expect([rig.state, rig.mayPropose]).toEqual(['acquiring', false]);
  });

  it('goes on from what the clock shows, not from what the system clock shows', () => {
    const rig = settled({ systemError: 500_000 });
    rig.restart();
    rig.models.fill(silent);
    rig.advance(10);
    const { discipline } = rig.context;
    expect(Math.abs((discipline?.time ?? 0) - START - (discipline?.at ?? 0))).toBeLessThan(2);
  });
});

describe('time-coordinator chart: what a reader finds', () => {
  it('keeps the newest 128 updates, each alert once, and counts how often it was raised', () => {
    const rig = rigOf({
      config: { updateIntervalMs: millis(500), answerTimeoutMs: millis(250) },
      systemError: 6_000,
    });
    rig.advance(100_000);
    expect(rig.context.updates).toBeGreaterThan(150);
    expect(rig.context.history).toHaveLength(128);
    expect(rig.context.history.at(-1)).toMatchObject({ by: 'peers', outcome: 'slewed' });
    expect(Math.abs((rig.context.history.at(-1)?.systemOffset ?? 0) - 6_000)).toBeLessThan(2);
    expect(rig.raised).toEqual(['ClockDriftSevere']);
    expect(rig.repeated.length).toBeGreaterThan(100);
    expect([...rig.context.alertCounts]).toEqual([['ClockDriftSevere', 1]]);
  });
});

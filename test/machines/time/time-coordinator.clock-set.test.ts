import { describe, expect, it } from 'vitest';
import { monotonic } from '../../../src/base/units.ts';
import { adjustedTime } from '../../../src/protocol/time/adjusted.ts';
import { newReach, peerAt, Rig, type RigOptions, START, silent } from './rig.ts';

const reach = newReach();
const rigOf = (options: RigOptions = {}) => new Rig(reach, options);
const HOUR = 3_600_000;

function settled(options: RigOptions = {}) {
  const rig = rigOf(options);
  rig.advance(30_000);
  expect(rig.state).toBe('synchronised');
  return rig;
}
/** What the coordinator believes of the clock minus true time. @unit ms */
const believedError = ({ context: { discipline }, now }: Rig): number =>
  discipline === undefined ? Number.NaN : adjustedTime(discipline, monotonic(now)) - START - now;

describe('time-coordinator chart: the system clock is set while there is time (TM-1)', () => {
  it('takes mayPropose back until it has time again, and does not move adjusted time', () => {
    const rig = settled();
    rig.systemError = -HOUR;
    rig.models.fill(silent);
    rig.look();
    expect([rig.told, Math.abs(rig.error) < 2]).toEqual([[true, false], true]);
    rig.models.fill(peerAt(0));
    rig.advance(2_000);
    expect([rig.told, Math.abs(rig.error) < 2]).toEqual([[true, false, true], true]);
    expect(rig.disciplined.filter(({ isFirst }) => isFirst)).toHaveLength(1);
  });

  it('steps adjusted time forward only, once it was handed out (TM-6)', () => {
    for (const move of [-1_000, 1_000]) {
      const rig = settled();
      rig.models.fill(peerAt(move));
      rig.systemError = 60;
      rig.look();
      rig.advance(500);
      const last = rig.context.history.at(-1);
      expect([last?.outcome, Math.sign(last?.correction ?? 0)]).toEqual([
        move > 0 ? 'stepped' : 'slewed',
        Math.sign(move),
      ]);
    }
  });

  it('lets 50 ms pass: that is drift', () => {
    const rig = settled();
    rig.systemError = 50;
    rig.look();
    expect(rig.state).toBe('synchronised');
    rig.systemError = 0;
    rig.look();
    rig.systemError = -51;
    rig.look();
    expect(rig.state).toBe('acquiring');
  });

  it('counts no sample from before the step', () => {
    const rig = settled();
    rig.systemError = HOUR;
    rig.models.fill(silent);
    rig.look();
    rig.advance(300);
    expect([rig.state, rig.context.verdict]).toEqual(['acquiring', 'none']);
  });

  it('knows that time was handed out, though the look is from before the first update (TM-6)', () => {
    const rig = rigOf({ looks: false, systemError: 5_000 });
    rig.look();
    const { look } = rig.context;
    if (look === undefined) throw new Error('it looked');
    rig.advance(100);
    expect(rig.mayPropose).toBe(true);
    rig.models.fill(silent);
    // Taken when the clock was not adjusted yet, handled after it was.
    rig.send({ ...look, systemTime: rig.systemTime, at: look.at });
    expect([rig.state, rig.mayPropose]).toEqual(['acquiring', false]);
    expect(Math.abs(believedError(rig))).toBeLessThan(2);
    rig.models.fill(peerAt(-5_000));
    rig.advance(1_500);
    expect(rig.context.history.at(-1)?.outcome).toBe('slewed');
    expect(rig.disciplined.filter(({ isFirst }) => isFirst)).toHaveLength(1);
  });

  it('goes on forward only when it is set twice in a row (TM-6)', () => {
    const rig = rigOf({ looks: false });
    rig.look();
    const { look } = rig.context;
    if (look === undefined) throw new Error('it looked');
    rig.advance(100);
    rig.models.fill(silent);
    const late = { ...look, systemTime: rig.systemTime };
    rig.send(late);
    rig.send({ ...late, systemTime: look.systemTime });
    expect(rig.told).toEqual([true, false, false]);
    rig.models.fill(peerAt(-5_000));
    rig.advance(1_500);
    expect(rig.context.history.at(-1)?.outcome).toBe('slewed');
  });
});

describe('time-coordinator chart: the system clock is set before the first update (TM-1)', () => {
  it('begins anew with what it shows now', () => {
    const rig = rigOf({ peers: [silent, silent, silent], systemError: -HOUR });
    rig.advance(2_500);
    expect(believedError(rig)).toBe(-HOUR);
    rig.systemError = 0;
    rig.advance(2_500);
    expect([believedError(rig), rig.told, rig.disciplined]).toEqual([0, [], []]);
  });

  it('does not begin anew with what it shows once time was handed out', () => {
    const rig = settled();
    rig.models.fill(silent);
    rig.systemError = HOUR;
    rig.advance(2_500);
    expect(Math.abs(believedError(rig))).toBeLessThan(2);
    rig.systemError = 2 * HOUR;
    rig.advance(2_500);
    expect(Math.abs(believedError(rig))).toBeLessThan(2);
  });
});

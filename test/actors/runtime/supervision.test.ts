import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  child,
  type ExitReason,
  handler,
  millis,
  type RestartType,
  type Strategy,
  supervisor,
} from '../../../src/actors/runtime/index.ts';
import { endPuppet, puppet, type Rig, rig } from './harness.ts';

/** OTP's supervisor in thirty lines: what starts and ends, in order. */
class Model {
  readonly log: string[] = [];
  #restarts: number[] = [];
  #children: { id: string; restart: RestartType; up: boolean }[];
  over = false;
  readonly strategy: Strategy;
  readonly intensity: number;
  readonly period: number;
  constructor(strategy: Strategy, intensity: number, period: number, restarts: readonly RestartType[]) {
    this.strategy = strategy;
    this.intensity = intensity;
    this.period = period;
    this.#children = restarts.map((restart, index) => ({ id: `c${index}`, restart, up: false }));
    this.#start(this.#children);
    this.log.push('+top');
  }

  isUp(id: string): boolean {
    return this.#children.some((other) => other.id === id && other.up);
  }

  end(id: string, reason: ExitReason, now: number): void {
    const failed = this.#children.find((other) => other.id === id);
    if (this.over || failed === undefined || !failed.up) return;
    failed.up = false;
    this.log.push(`-top/${id} ${reason.kind}`);
    const orderly = reason.kind === 'normal' || reason.kind === 'shutdown';
    if (failed.restart === 'temporary' || (failed.restart === 'transient' && orderly)) {
      if (failed.restart === 'temporary') this.#children = this.#children.filter((other) => other !== failed);
      return;
    }
    this.#restarts = [...this.#restarts.filter((at) => at >= now - this.period), now];
    if (this.#restarts.length > this.intensity) {
      this.#stop(this.#children);
      this.log.push('-top shutdown');
      this.over = true;
      return;
    }
    const from = this.#children.indexOf(failed);
    const all = this.strategy === 'one_for_all' ? [...this.#children] : this.#children.slice(from);
    const group = this.strategy === 'one_for_one' ? [failed] : all;
    this.#stop(group);
    this.#children = this.#children.filter(
      (other) => !(group.includes(other) && other.restart === 'temporary'),
    );
    this.#start(group.filter((other) => other.restart !== 'temporary'));
  }

  #stop(group: readonly { id: string; up: boolean }[]): void {
    for (const one of [...group].reverse().filter(({ up }) => up)) {
      one.up = false;
      this.log.push(`-top/${one.id} shutdown`);
    }
  }

  #start(group: readonly { id: string; up: boolean }[]): void {
    for (const one of group) {
      one.up = true;
      this.log.push(`+top/${one.id}`);
    }
  }
}

const restartTypes = fc.constantFrom<RestartType>('permanent', 'transient', 'temporary');
const reasons = fc.constantFrom<ExitReason>(
  { kind: 'normal' },
  { kind: 'shutdown' },
  { kind: 'crash', error: 'x' },
);

describe('a supervisor', () => {
  it('starts, stops, restarts and gives up exactly as OTP does (RT-1, RT-2, RT-3, RT-4)', () => {
    const incidents = fc.array(
      fc.record({ who: fc.nat({ max: 4 }), wait: fc.nat({ max: 40 }), reason: reasons }),
      {
        maxLength: 25,
      },
    );
    fc.assert(
      fc.property(
        fc.constantFrom<Strategy>('one_for_one', 'one_for_all', 'rest_for_one'),
        fc.nat({ max: 4 }),
        fc.integer({ min: 1, max: 100 }),
        fc.array(restartTypes, { minLength: 1, maxLength: 5 }),
        incidents,
        (strategy, intensity, period, restarts, plan) => {
          const children = restarts.map((restart, index) => child(`c${index}`, puppet, { restart }));
          const tree = supervisor({ strategy, intensity, period: millis(period), children });
          const { clock, system, log } = rig(child('top', tree));
          const model = new Model(strategy, intensity, period, restarts);
          for (const { who, wait, reason } of plan) {
            clock.advance(wait);
            if (model.isUp(`c${who}`)) endPuppet(system, `top/c${who}`, reason);
            clock.settle();
            model.end(`c${who}`, reason, clock.now());
            expect(log).toEqual(model.log);
          }
          expect(system.ref('top').info() === undefined).toBe(model.over);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('counts one incident once, also when all children restart (RT-1)', () => {
    const children = ['a', 'b', 'c'].map((id) => child(id, puppet));
    const tree = supervisor({ strategy: 'one_for_all', intensity: 1, period: millis(100), children });
    const { clock, system, log } = rig(child('top', tree));
    endPuppet(system, 'top/b', { kind: 'crash', error: 'x' });
    clock.advance(101);
    endPuppet(system, 'top/c', { kind: 'crash', error: 'x' });
    clock.settle();
    expect(log.filter((line) => line === '+top/a')).toHaveLength(3);
    expect(log).not.toContain('-top shutdown');
  });

  it('counts a failed restart again, and escalates when they are too many (RT-1)', () => {
    let starts = 0;
    const fragile = handler<null, { type: 'die' }>({
      init() {
        starts += 1;
        if (starts > 1) throw new Error('will not start again');
        return null;
      },
      receive(_message, { exit }) {
        exit({ kind: 'crash', error: 'died' });
      },
    });
    const tree = supervisor({ intensity: 3, period: millis(1_000), children: [child('fragile', fragile)] });
    const { clock, system, log } = rig(child('top', tree));
    system.ref('top/fragile').tell({ type: 'die' });
    clock.settle();
    expect(starts).toBe(4);
    expect(log.at(-1)).toBe('-top shutdown');
  });

  it('does not start when a child does not, and stops those that did, in reverse (RT-3, RT-4)', async () => {
    const broken = handler<null, { type: 'none' }>({
      init() {
        throw new Error('no disk');
      },
      receive: () => undefined,
    });
    const inner = supervisor({ children: [child('a', puppet), child('b', puppet), child('broken', broken)] });
    const { system, clock, log } = rig(child('top', supervisor({ children: [child('inner', inner)] })));
    const started = system.ref('top').started();
    clock.settle();
    await expect(started).rejects.toThrow('no disk');
    expect(log).toEqual([
      '+top/inner/a',
      '+top/inner/b',
      '-top/inner/broken crash',
      '-top/inner/b shutdown',
      '-top/inner/a shutdown',
      '-top/inner escalated',
      '-top escalated',
    ]);
  });

  it('escalates by shutdown, and the parent decides by the restart type (RT-4)', () => {
    const inner = supervisor({ intensity: 0, children: [child('w', puppet)] });
    for (const [restart, expected] of [
      ['permanent', ['-top/inner/w crash', '-top/inner shutdown', '+top/inner/w', '+top/inner']],
      ['transient', ['-top/inner/w crash', '-top/inner shutdown']],
    ] as const) {
      const { clock, system, log } = rig(
        child('top', supervisor({ intensity: 1, children: [child('inner', inner, { restart })] })),
      );
      log.length = 0;
      endPuppet(system, 'top/inner/w', { kind: 'crash', error: 'x' });
      clock.settle();
      expect(log, restart).toEqual(expected);
    }
  });

  it('shuts itself down after significant children, any or all (RT-4)', () => {
    const significant = { restart: 'transient', significant: true } as const;
    const make = (autoShutdown: 'any_significant' | 'all_significant'): Rig =>
      rig(
        child(
          'top',
          supervisor({
            autoShutdown,
            children: [child('a', puppet, significant), child('b', puppet, significant), child('c', puppet)],
          }),
        ),
      );
    const any = make('any_significant');
    endPuppet(any.system, 'top/a', { kind: 'normal' });
    any.clock.settle();
    expect(any.log.slice(-4)).toEqual([
      '-top/a normal',
      '-top/c shutdown',
      '-top/b shutdown',
      '-top shutdown',
    ]);
    const all = make('all_significant');
    endPuppet(all.system, 'top/b', { kind: 'normal' });
    all.clock.settle();
    expect(all.system.ref('top').info()?.status).toBe('running');
    endPuppet(all.system, 'top/a', { kind: 'normal' });
    all.clock.settle();
    expect(all.log.slice(-3)).toEqual(['-top/a normal', '-top/c shutdown', '-top shutdown']);
  });
});

describe('a delayed restart', () => {
  const backoff = { min: millis(100), max: millis(400), factor: 2, jitter: 0, resetAfter: millis(1_000) };
  it('waits within [min, max], grows, and starts over after health (RT-5)', () => {
    const tree = supervisor({
      intensity: 100,
      period: millis(1),
      children: [child('w', puppet, { backoff })],
    });
    const { clock, system, log } = rig(child('top', tree));
    const waits: number[] = [];
    for (const health of [0, 10, 999, 0, 1_000, 0]) {
      clock.advance(health);
      endPuppet(system, 'top/w', { kind: 'crash', error: 'x' });
      clock.settle();
      const from = clock.now();
      while (log.at(-1) !== '+top/w') clock.advance(1);
      waits.push(clock.now() - from);
    }
    expect(waits).toEqual([100, 200, 400, 400, 100, 200]);
  });

  it('grows while restarts fail, however long the child was healthy before (RT-5)', () => {
    const starts: number[] = [];
    let clockNow: () => number = () => 0;
    const fragile = handler<null, { type: 'die' }>({
      init() {
        starts.push(clockNow());
        if (starts.length > 1) throw new Error('will not start again');
        return null;
      },
      receive: (_message, { exit }) => exit({ kind: 'crash', error: 'died' }),
    });
    const tree = supervisor({
      intensity: 4,
      period: millis(9_000),
      children: [child('f', fragile, { backoff })],
    });
    const { clock, system } = rig(child('top', tree));
    clockNow = () => clock.now();
    clock.advance(5_000);
    system.ref('top/f').tell({ type: 'die' });
    clock.advance(5_000);
    expect(starts).toEqual([0, 5_100, 5_300, 5_700, 6_100]);
  });

  it('counts toward the intensity (RT-5)', () => {
    const tree = supervisor({
      intensity: 1,
      period: millis(1_000),
      children: [child('w', puppet, { backoff })],
    });
    const { clock, system, log } = rig(child('top', tree));
    endPuppet(system, 'top/w', { kind: 'crash', error: 'x' });
    clock.advance(100);
    endPuppet(system, 'top/w', { kind: 'crash', error: 'x' });
    clock.advance(10_000);
    expect(log.at(-1)).toBe('-top shutdown');
  });

  it('of a later child waits for the earlier one that it depends on, under rest_for_one (RT-4, RT-5)', () => {
    const slow = { ...backoff, min: millis(100), max: millis(100) };
    const quick = { ...backoff, min: millis(50), max: millis(50) };
    const children = [
      child('a', puppet, { backoff: slow }),
      child('b', puppet),
      child('c', puppet, { backoff: quick }),
    ];
    const tree = supervisor({ strategy: 'rest_for_one', intensity: 9, children });
    const { clock, system, log } = rig(child('top', tree));
    log.length = 0;
    endPuppet(system, 'top/c', { kind: 'crash', error: 'x' });
    clock.settle();
    endPuppet(system, 'top/a', { kind: 'crash', error: 'x' });
    clock.advance(99);
    expect(log).toEqual(['-top/c crash', '-top/a crash', '-top/b shutdown']);
    clock.advance(1);
    expect(log.slice(3)).toEqual(['+top/a', '+top/b', '+top/c']);
  });

  it('draws its jitter from the seed: same seed, same waits (RT-5, RT-15)', () => {
    const run = (seed: string): number => {
      const jittery = { ...backoff, min: millis(10), max: millis(10_000), factor: 1_000, jitter: 1 };
      const tree = supervisor({ intensity: 9, children: [child('w', puppet, { backoff: jittery })] });
      const { clock, system, log } = rig(child('top', tree), { seed });
      for (let failure = 0; failure < 2; failure += 1) {
        endPuppet(system, 'top/w', { kind: 'crash', error: 'x' });
        clock.settle();
        while (log.at(-1) !== '+top/w') clock.advance(1);
      }
      return clock.now();
    };
    expect(run('one')).toBe(run('one'));
    expect(run('one')).not.toBe(run('two'));
  });
});

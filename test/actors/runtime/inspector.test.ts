import { describe, expect, it } from 'vitest';
import { child, digestOf, supervisor, type Transition } from '../../../src/actors/runtime/index.ts';
import { puppet, rig } from './harness.ts';

describe('an inspector', () => {
  it('may keep a step: its effects stay what they were (IN-1)', () => {
    const { clock, system } = rig(child('w', puppet));
    const kept: Transition[] = [];
    system.inspect({ transition: (transition) => kept.push(transition), wantsMicrosteps: () => false });
    const ref = system.ref('w');
    // Without effects, twice with, without.
    ref.tell({ type: 'note', value: 1 });
    for (const value of [2, 3]) {
      ref.tell({ type: 'do', effects: [{ kind: 'tell', to: 'w', message: { type: 'note', value } }] });
    }
    clock.settle();
    expect(kept.map(({ event, effects }) => [event.type, effects.length])).toEqual([
      ['note', 0],
      ['do', 1],
      ['do', 1],
      ['note', 0],
      ['note', 0],
    ]);
  });

  it('is given microsteps of the cells that it wants them of, and of no others (IN-4)', () => {
    const { clock, system } = rig(
      child('top', supervisor({ children: [child('a', puppet), child('b', puppet)] })),
    );
    const taken = new Map<string, number>();
    system.inspect({
      transition: ({ address, microsteps }) => void taken.set(address, microsteps.length),
      wantsMicrosteps: (address) => address === 'top/b',
    });
    for (const address of ['top/a', 'top/b']) system.ref(address).tell({ type: 'note', value: 1 });
    clock.settle();
    expect([...taken]).toEqual([
      ['top/a', 0],
      ['top/b', 1],
    ]);
  });

  it('is told how long messages lay in the mailbox, from when it began to look (IN-1)', () => {
    const { clock, system } = rig(child('w', puppet));
    const ref = system.ref('w');
    ref.tell({ type: 'note', value: 1 });
    const waits: number[] = [];
    system.inspect({ waited: (_, ms) => waits.push(ms) });
    ref.tell({ type: 'note', value: 2 });
    clock.settle();
    expect(waits).toEqual([0]);
  });

  it('leaves no trace in a keyframe (IN-4, RP-1)', () => {
    const frame = (isLookedAt: boolean): string => {
      const { system, clock } = rig(child('w', puppet));
      clock.advance(5);
      if (isLookedAt) system.inspect({ transition: () => undefined, waited: () => undefined });
      system.ref('w').tell({ type: 'note', value: 1 });
      return digestOf(system.keyframe());
    };
    expect(frame(true)).toBe(frame(false));
  });
});

/** A message that the present state has no enabled transition for is a dead letter `unhandled`, and nothing else is. RT-8. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assign, fromTransition, setup } from 'xstate';
import {
  child,
  type DeadLetter,
  type Keyframe,
  millis,
  postpone,
  replay,
  restoreSystem,
  seededRandom,
  supervisor,
  types,
  virtualClock,
} from '../../../src/actors/runtime/index.ts';
import { rig } from './harness.ts';

const TYPES = [
  'light',
  'dim',
  'count',
  'same',
  'quiet',
  'never',
  'wait',
  'open',
  'close',
  'strange',
] as const;
type Type = (typeof TYPES)[number];

/** After so long in `lit`. @unit ms */
const TIRED_MS = 10;

/** One of each way to handle a message, and not to. */
const lamp = setup({
  types: types<{ readonly n: number }, { readonly type: Type }>(),
  actions: { add: assign({ n: ({ context }) => context.n + 1 }), postpone: postpone() },
  guards: { isBright: ({ context }) => context.n >= 2, isWorn: ({ context }) => context.n >= 4 },
}).createMachine({
  id: 'lamp',
  context: { n: 0 },
  initial: 'dark',
  on: { never: undefined, close: '.dark' },
  states: {
    dark: { on: { light: 'lit', wait: { actions: 'postpone' } } },
    lit: {
      after: { [TIRED_MS]: { guard: 'isWorn', target: 'dark' } },
      on: {
        light: {},
        dim: { guard: 'isBright', target: 'dark' },
        count: { actions: 'add' },
        wait: { actions: 'add' },
        same: { target: 'lit' },
        quiet: { actions: [] },
        open: 'open',
      },
    },
    open: { on: { '*': { actions: 'add' } } },
  },
});

/** What the lamp does, said a second time and without XState. */
class Model {
  state: 'dark' | 'lit' | 'open' = 'dark';
  n = 0;
  now = 0;
  processed = 0;
  postponed: Type[] = [];
  readonly lost: { readonly type: string; readonly state: string }[] = [];
  #litAt = 0;

  tell(type: Type): void {
    const queue: Type[] = [type];
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const before = this.state;
      const fate = this.#step(next);
      if (fate === 'postponed') this.postponed.push(next);
      else if (fate === 'processed') this.processed += 1;
      else this.lost.push({ type: next, state: before });
      if (this.state !== before) queue.unshift(...this.postponed.splice(0));
    }
  }

  advance(ms: number): void {
    const due = this.#litAt + TIRED_MS;
    const end = this.now + ms;
    if (this.state === 'lit' && due > this.now && due <= end) {
      this.now = due;
      if (this.n < 4) this.lost.push({ type: `xstate.after.${TIRED_MS}.lamp.lit`, state: 'lit' });
      else {
        this.processed += 1;
        this.state = 'dark';
      }
    }
    this.now = end;
  }

  #step(type: Type): 'processed' | 'unhandled' | 'postponed' {
    switch (this.state) {
      case 'dark':
        if (type === 'wait') return 'postponed';
        if (type === 'light') this.#light();
        return type === 'light' || type === 'never' || type === 'close' ? 'processed' : 'unhandled';
      case 'lit':
        if (type === 'count' || type === 'wait') this.n += 1;
        if (type === 'dim' && this.n < 2) return 'unhandled';
        if (type === 'dim' || type === 'close') this.state = 'dark';
        if (type === 'open') this.state = 'open';
        return type === 'strange' ? 'unhandled' : 'processed';
      case 'open':
        this.n += 1;
        return 'processed';
    }
  }

  #light(): void {
    this.state = 'lit';
    this.#litAt = this.now;
  }
}

const spec = child('top', supervisor({ children: [child('lamp', lamp, { publicEvents: TYPES })] }));
const shown = (letters: readonly DeadLetter[]) =>
  letters.map(({ reason, message, state }) => ({ reason, type: message.type, state }));

describe('a message that no transition takes', () => {
  it('is a dead letter with its state; false guards too, forbidden, empty and wildcard transitions not (RT-8)', () => {
    const commands = fc.array(fc.oneof(fc.constantFrom(...TYPES), fc.nat({ max: 12 })), { maxLength: 60 });
    fc.assert(
      fc.property(commands, (list) => {
        const { clock, system, dead, journal } = rig(spec);
        const model = new Model();
        for (const one of list) {
          if (typeof one === 'number') {
            model.advance(one);
            clock.advance(one);
          } else {
            model.tell(one);
            expect(system.ref('top/lamp').tell({ type: one })).toBe('accepted');
            clock.settle();
          }
          const info = system.ref('top/lamp').info();
          expect(info?.snapshot).toMatchObject({ value: model.state, context: { n: model.n } });
          expect(info?.counters).toMatchObject({
            processed: model.processed,
            postponed: model.postponed.length,
            queued: 0,
          });
          expect(info?.counters.lost.get('unhandled') ?? 0).toBe(model.lost.length);
          expect(info?.counters.accepted).toBe(model.processed + model.postponed.length + model.lost.length);
        }
        expect(shown(dead)).toEqual(model.lost.map((one) => ({ reason: 'unhandled', ...one })));
        const again: DeadLetter[] = [];
        const repeated = replay({
          name: 'again',
          random: seededRandom('rig'),
          roots: [spec],
          digestEvery: 1,
          onDeadLetter: (letter) => void again.push(letter),
        });
        for (const entry of journal.entries) repeated.feed(entry);
        repeated.runTo(system.counters().turns);
        expect(repeated.divergence()).toBeUndefined();
        expect(again).toEqual(dead);
      }),
    );
  });

  it('is handled after all when it enables an eventless transition (RT-8)', () => {
    const chart = setup({
      types: types<object, { readonly type: 'go' | 'stay' }>(),
      guards: { isGo: ({ event }) => event.type === 'go' },
    }).createMachine({
      context: {},
      initial: 'here',
      states: { here: { always: { guard: 'isGo', target: 'there' } }, there: {} },
    });
    const { clock, system, dead } = rig(child('w', chart, { publicEvents: ['go', 'stay'] }));
    for (const type of ['stay', 'go', 'go']) system.ref('w').tell({ type });
    clock.settle();
    expect(shown(dead)).toEqual([
      { reason: 'unhandled', type: 'stay', state: 'here' },
      { reason: 'unhandled', type: 'go', state: 'there' },
    ]);
  });

  it('still counts after a restore in another process (RT-8, RT-15)', () => {
    const { clock, system } = rig(spec);
    for (const type of ['dim', 'strange', 'light']) system.ref('top/lamp').tell({ type });
    clock.settle();
    const keyframe: Keyframe = JSON.parse(JSON.stringify(system.keyframe()));
    const options = { name: 'later', clock: virtualClock(), random: seededRandom('rig') };
    const later = restoreSystem(options, [spec], keyframe);
    expect(later.ref('top/lamp').info()?.counters).toEqual(system.ref('top/lamp').info()?.counters);
    expect(later.counters()).toEqual(system.counters());
  });

  it('fails its ask at once, and not by the timeout (RT-8)', async () => {
    const { clock, system } = rig(spec);
    const asked = system.ref('top/lamp').ask({ type: 'dim' }, { timeout: millis(1_000) });
    clock.settle();
    await expect(asked).rejects.toThrow("top/lamp does not handle 'dim' in its present state");
    await expect(asked).rejects.toMatchObject({ code: 'refused' });
  });

  it('ends the cell at once when it is the stop, and does not wait for its shutdown time (RT-3)', () => {
    const chart = setup({
      types: types<object, { readonly type: 'cell.stop' | 'go' }>(),
    }).createMachine({
      context: {},
      initial: 'open',
      states: { open: {}, careful: { on: { 'cell.stop': 'open' } } },
    });
    const { clock, system, log, dead } = rig(child('w', chart));
    void system.stop();
    clock.settle();
    expect(log).toEqual(['+w', '-w shutdown']);
    expect(dead).toEqual([]);
  });

  it('cannot be told of a fromTransition reducer, which takes all that comes', () => {
    const still = fromTransition((state: { readonly n: number }) => state, { n: 0 });
    const { clock, system, dead } = rig(child('w', still));
    system.ref('w').tell({ type: 'anything' });
    clock.settle();
    expect(system.ref('w').info()?.counters).toMatchObject({ accepted: 1, processed: 1 });
    expect(dead).toEqual([]);
  });
});

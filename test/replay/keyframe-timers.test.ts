/** Keyframes of a recorded system and of its replay are the same when the systems are. Rules RT-12, RP-4. */
import { expect, it } from 'vitest';
import { setup } from 'xstate';
import type { Clock } from '../../src/actors/runtime/clock.ts';
import {
  child,
  createSystem,
  type Keyframe,
  memoryJournal,
  replay,
  type System,
  seededRandom,
  step,
  types,
  virtualClock,
} from '../../src/actors/runtime/index.ts';
import { differenceOf } from '../../src/replay/keyframes.ts';

type Event = { readonly type: 'begin' } | { readonly type: 'rung'; readonly key: string };

/** Arms a timer that waits long, and then a short one. */
const waiting = setup({
  types: types<{ readonly rung: readonly string[] }, Event>(),
  actions: {
    arm: step(({ context }) => ({
      context,
      effects: [
        { kind: 'startTimer', key: 'long', delayMs: 60_000, message: { type: 'rung', key: 'long' } },
        { kind: 'startTimer', key: 'short', delayMs: 1, message: { type: 'rung', key: 'short' } },
      ],
    })),
    note: step(({ context: { rung }, event }) => ({
      context: { rung: event.type === 'rung' ? [...rung, event.key] : rung },
    })),
  },
}).createMachine({
  id: 'waiting',
  context: { rung: [] },
  on: { begin: { actions: 'arm' }, rung: { actions: 'note' } },
});

it('a timer whose message waits in the mailbox is the same in a replay (RT-12)', () => {
  const journal = memoryJournal();
  const roots = [child('cell', waiting)];
  const recorded: Keyframe[] = [];
  const clock = virtualClock();
  // A timer fires before the turns that it brings about: the node may be looked at between.
  const watched: Clock = {
    ...clock,
    scheduleAt: (due, fire) =>
      clock.scheduleAt(due, () => {
        fire();
        recorded.push(system.keyframe());
      }),
  };
  const random = seededRandom('waiting');
  const system: System = createSystem({ name: 'waiting', clock: watched, random, journal });
  for (const root of roots) system.start(root);
  system.ref('cell').tell({ type: 'begin' });
  clock.advance(10);
  const [keyframe] = recorded;
  if (keyframe === undefined) throw new Error('the short timer has fired');
  expect(keyframe.cells[0]?.timers.map(({ isQueued }) => isQueued)).toEqual([false, true]);

  const again = { name: 'waiting', roots, digestEvery: journal.digestEvery };
  const whole = replay({ ...again, random: seededRandom('waiting') });
  for (const entry of journal.entries) if (entry.turn <= keyframe.turn) whole.feed(entry);
  expect(differenceOf(keyframe, whole.system.keyframe())).toBeUndefined();
  const onward = replay({ ...again, random: seededRandom('waiting'), from: keyframe });
  expect(differenceOf(keyframe, onward.system.keyframe())).toBeUndefined();
});

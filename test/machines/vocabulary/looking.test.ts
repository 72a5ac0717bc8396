import { describe, expect, it } from 'vitest';
import { and, createActor, not, setup } from 'xstate';
import { activeStates, guardsAsked } from '../../../src/machines/vocabulary/looking.ts';

const asked: string[] = [];
const noted =
  (name: string, held: boolean) =>
  ({ event }: { event: { readonly type: string } }): boolean => {
    asked.push(`${name}/${event.type}`);
    return held;
  };

/** Two regions, one with a nested state; guards say what they are named for. */
const chart = setup({
  guards: { yes: noted('yes', true), no: noted('no', false), never: noted('never', false) },
}).createMachine({
  id: 'c',
  type: 'parallel',
  on: { go: { guard: 'yes' }, other: { guard: 'yes' } },
  states: {
    left: {
      initial: 'outer',
      states: {
        outer: {
          initial: 'inner',
          on: { go: [{ guard: 'no' }, { guard: 'yes', target: 'done' }, { guard: 'never' }] },
          states: { inner: { on: { go: { guard: 'never' }, '*': { guard: not('yes') } } } },
        },
        done: {},
      },
    },
    right: { initial: 'idle', states: { idle: { on: { go: { guard: and(['no', 'yes']) } } } } },
  },
});

describe('guards that were asked', () => {
  const snapshot = createActor(chart).getSnapshot();

  it('come from the inner states outwards, region by region, up to the first that held (IN-1)', () => {
    expect(guardsAsked(chart, snapshot, { type: 'go' })).toEqual([
      { source: 'c.left.outer.inner', on: 'go', index: 0, held: false },
      { source: 'c.left.outer.inner', on: '*', index: 0, held: false },
      { source: 'c.left.outer', on: 'go', index: 0, held: false },
      { source: 'c.left.outer', on: 'go', index: 1, held: true },
      { source: 'c.right.idle', on: 'go', index: 0, held: false },
    ]);
  });

  it('are those that XState asks, in its order', () => {
    const actor = createActor(chart).start();
    asked.length = 0;
    guardsAsked(chart, actor.getSnapshot(), { type: 'go' });
    const ours = asked.splice(0);
    actor.send({ type: 'go' });
    expect(ours).toEqual(asked);
    expect(ours).toEqual(['never/go', 'yes/go', 'no/go', 'yes/go', 'no/go']);
  });

  it('are the ancestors’ where no region takes the message', () => {
    expect(guardsAsked(chart, snapshot, { type: 'other' }).map(({ source, held }) => [source, held])).toEqual(
      [
        ['c.left.outer.inner', false],
        ['c', true],
      ],
    );
  });

  it('are none of what is no snapshot of a chart', () => {
    expect(guardsAsked(chart, undefined, { type: 'go' })).toEqual([]);
    expect(activeStates({ context: {} })).toBeUndefined();
    expect(activeStates(snapshot)).toEqual(['c.left.outer.inner', 'c.right.idle']);
  });
});

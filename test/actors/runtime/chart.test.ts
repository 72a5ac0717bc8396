/** A statechart as data: everything that a machine declares, by names, the same in every process. RP-7, IN-1. */
import { describe, expect, it } from 'vitest';
import { and, assign, not, or, raise, setup, stateIn } from 'xstate';
import { type ChartState, chartOf, descriptorOf } from '../../../src/actors/runtime/chart.ts';
import { postpone, types } from '../../../src/machines/vocabulary/index.ts';

type DoorEvent =
  | { readonly type: 'key.turned'; readonly by: string }
  | { readonly type: 'door.pushed' }
  | { readonly type: 'alarm.rang' };

const doorSetup = setup({
  types: types<{ readonly turns: number }, DoorEvent>(),
  actions: {
    count: assign({ turns: ({ context }) => context.turns + 1 }),
    tellGuard: (_args, _params: { readonly word: string; readonly times: number }) => undefined,
    sing: (_args, _params: { readonly song: string }) => undefined,
  },
  guards: {
    isWorn: ({ context }) => context.turns > 9,
    isBy: (_args, _params: { readonly who: string }) => true,
  },
  delays: { spring: 100 },
});

/** Every kind of state and of transition that XState has for a cell. */
const door = doorSetup.createMachine({
  id: 'door',
  context: { turns: 0 },
  initial: 'closed',
  on: { '*': { actions: ({ context }) => void context } },
  states: {
    closed: {
      id: 'shut',
      description: 'nobody passes',
      tags: ['safe'],
      entry: ['count', { type: 'tellGuard', params: { word: 'shut', times: 2 } }],
      exit: { type: 'sing', params: ({ context }) => ({ song: `turn ${context.turns}` }) },
      always: [
        { guard: and(['isWorn', or([not('isWorn'), stateIn({ open: 'wide' })])]), target: 'broken' },
        { guard: ({ context }) => context.turns > 99, target: 'broken' },
      ],
      on: {
        'key.turned': [
          {
            guard: { type: 'isBy', params: { who: 'the keeper of all the keys of this house' } },
            target: 'open',
          },
          { actions: [postpone(), raise({ type: 'alarm.rang' })], description: 'a stranger' },
        ],
        'door.pushed': {},
      },
    },
    open: {
      initial: 'ajar',
      after: { spring: { target: 'closed' }, 2000: { target: 'open', reenter: true } },
      onDone: 'broken',
      states: {
        ajar: { on: { 'door.pushed': 'wide' } },
        wide: { on: { 'door.pushed': 'unhinged' } },
        unhinged: { type: 'final' },
        before: { type: 'history', history: 'deep', target: 'wide' },
      },
    },
    broken: { type: 'parallel', states: { panel: {}, frame: {} } },
  },
});

const find = (state: ChartState, id: string): ChartState | undefined =>
  state.id === id
    ? state
    : state.states.reduce<ChartState | undefined>((found, child) => found ?? find(child, id), undefined);

describe('chartOf', () => {
  const { root, hash, id } = chartOf(door);

  it('tells states with their kinds, places and names (RP-7)', () => {
    expect([id, root.type, root.initial]).toEqual(['door', 'compound', 'shut']);
    expect(root.states.map(({ id: one, key, type }) => [one, key, type])).toEqual([
      ['shut', 'closed', 'atomic'],
      ['door.open', 'open', 'compound'],
      ['door.broken', 'broken', 'parallel'],
    ]);
    expect(find(root, 'shut')).toMatchObject({ description: 'nobody passes', tags: ['safe'] });
    expect(find(root, 'door.open.unhinged')?.type).toBe('final');
    expect(find(root, 'door.open.before')).toMatchObject({
      type: 'history',
      history: 'deep',
      transitions: [{ on: '', target: ['door.open.wide'] }],
    });
  });

  it('names actions with what they are given, and leaves out the timers that XState adds for `after`', () => {
    const closed = find(root, 'shut');
    expect(closed?.entry).toEqual(['count', 'tellGuard(shut, 2)']);
    expect(closed?.exit).toEqual(['sing(…)']);
    expect(find(root, 'door.open')?.entry).toEqual([]);
    expect(closed?.transitions.find(({ index, on }) => on === 'key.turned' && index === 1)).toEqual({
      on: 'key.turned',
      index: 1,
      target: [],
      actions: ['postpone', 'raise(alarm.rang)'],
      reenter: false,
      description: 'a stranger',
    });
    expect(root.transitions).toEqual([
      { on: '*', index: 0, target: [], actions: ['inline'], reenter: false },
    ]);
  });

  it('tells guards by name, also those made of others, and cuts a long parameter', () => {
    const guards = find(root, 'shut')?.transitions.map(({ on, index, guard }) => [on, index, guard]);
    expect(guards).toEqual([
      ['', 0, 'isWorn and (not isWorn or in {"open":"wide"})'],
      ['', 1, 'inline'],
      ['key.turned', 0, 'isBy(the keeper of all the keys of t…)'],
      ['key.turned', 1, undefined],
      ['door.pushed', 0, undefined],
    ]);
  });

  it('tells delays by name or in milliseconds, and the end of what is inside as done', () => {
    const transitions = find(root, 'door.open')?.transitions ?? [];
    expect(transitions.map(({ on, target, reenter }) => [on, target, reenter])).toEqual([
      ['done', ['door.broken'], false],
      ['after 2000 ms', ['door.open'], true],
      ['after spring', ['shut'], false],
    ]);
  });

  it('has the same hash in every process, and for the same chart with other implementations (IN-1)', () => {
    expect(hash).toBe('0cb9affef5537c06e968257ef5f3');
    const provided = door.provide({ guards: { isWorn: () => false } });
    expect(chartOf(provided)).toBe(chartOf(door));
  });

  it('has another hash for each change of the chart, in a long parameter too', () => {
    const variant = (say: string, target: 'one' | 'two') =>
      chartOf(
        doorSetup.createMachine({
          id: 'door',
          context: { turns: 0 },
          initial: 'one',
          states: {
            one: {
              entry: { type: 'sing', params: { song: `${'la '.repeat(20)}${say}` } },
              on: { 'door.pushed': target },
            },
            two: {},
          },
        }),
      );
    expect(variant('a', 'one').hash).toBe(variant('a', 'one').hash);
    const hashes = [variant('a', 'one'), variant('b', 'one'), variant('a', 'two')].map((one) => one.hash);
    expect(new Set(hashes).size).toBe(3);
    expect(variant('a', 'one').root).toEqual(variant('b', 'one').root);
  });

  it('is plain data: what JSON keeps of it is all of it', () => {
    expect(JSON.parse(JSON.stringify(chartOf(door)))).toEqual(chartOf(door));
  });
});

describe('descriptorOf', () => {
  it.each([
    ['vote.seen', 'round', 'vote.seen'],
    ['', 'round', ''],
    ['*', 'round', '*'],
    ['xstate.after.pause.breaker.open', 'breaker.open', 'after pause'],
    ['xstate.after.1500.breaker.open', 'breaker.open', 'after 1500 ms'],
    ['xstate.done.state.a.b', 'a.b', 'done'],
    ['xstate.done.actor.child', 'a', 'done child'],
    ['xstate.error.actor.child', 'a', 'error child'],
  ])('tells %j of the state %s as %j', (eventType, source, told) => {
    expect(descriptorOf(eventType, source)).toBe(told);
  });
});

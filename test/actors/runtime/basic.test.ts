import { describe, expect, it } from 'vitest';
import { assign, setup } from 'xstate';
import {
  child,
  createSystem,
  millis,
  seededRandom,
  supervisor,
  virtualClock,
} from '../../../src/actors/runtime/index.ts';
import { crash, on, probe, reply, spawn, step, tell, types } from '../../../src/machines/vocabulary/index.ts';
import { announcing } from '../../../src/protocol/supervision/effect.ts';

interface Ask {
  readonly type: 'work.requested';
  readonly size: number;
}
interface Finished {
  readonly type: 'work.finished';
  readonly size: number;
}
interface Down {
  readonly type: 'cell.down';
  readonly address: string;
}
const job = setup({
  types: types<
    { readonly size: number; readonly boss: string },
    { readonly type: 'never' },
    { readonly size: number; readonly boss: string }
  >(),
  actions: {
    report: tell(
      ({ context }) => context.boss,
      ({ context }) => ({ type: 'work.finished', size: context.size }),
    ),
  },
}).createMachine({
  id: 'job',
  context: ({ input }) => input,
  initial: 'busy',
  states: { busy: { after: { 50: { target: 'done', actions: 'report' } } }, done: { type: 'final' } },
});
const boss = setup({
  types: types<
    { readonly sum: number; readonly downs: number; readonly jobs: number },
    Ask | Finished | Down
  >(),
  actors: { job },
  actions: {
    startJob: spawn('job', {
      id: ({ context }) => `job/${context.jobs}`,
      input: on('work.requested', ({ event }) => ({ size: event.size, boss: 'node/boss' })),
    }),
    countJob: assign(({ context }) => ({ jobs: context.jobs + 1 })),
    add: step(
      on('work.finished', ({ context, event, now }) => ({
        context: { sum: context.sum + event.size },
        effects: [{ kind: 'tell', to: 'node/nobody', message: { type: 'log', at: now } }],
      })),
    ),
    countDown: assign(({ context }) => ({ downs: context.downs + 1 })),
    answer: reply(({ context }) => ({ type: 'sum', sum: context.sum })),
  },
}).createMachine({
  id: 'boss',
  context: { sum: 0, downs: 0, jobs: 0 },
  on: {
    'work.requested': { actions: ['startJob', 'countJob', 'answer'] },
    'work.finished': { actions: 'add' },
    'cell.down': { actions: 'countDown' },
  },
});
describe('a system', () => {
  it('runs charts that spawn charts, with exact virtual time', () => {
    const clock = virtualClock();
    const dead: unknown[] = [];
    const system = createSystem({
      name: 'n',
      clock,
      random: seededRandom('s'),
      onDeadLetter: (l) => dead.push(l),
    });
    system.start(child('node', supervisor({ children: [child('boss', boss)] })));
    const ref = system.ref('node/boss');
    clock.settle();
    ref.tell({ type: 'work.requested', size: 3 });
    ref.tell({ type: 'work.requested', size: 4 });
    clock.advance(49);
    expect(system.ref('node/boss/job/0').info()?.status).toBe('running');
    clock.advance(1);
    expect(system.ref('node/boss').info()?.snapshot).toMatchObject({
      context: { sum: 7, downs: 2, jobs: 2 },
    });
    expect(system.ref('node/boss/job/0').info()).toBeUndefined();
    expect(dead).toMatchObject([
      { reason: 'no_such_cell', to: '@outside' },
      { reason: 'no_such_cell', to: '@outside' },
      { to: 'node/nobody', message: { at: 50 } },
      { to: 'node/nobody' },
    ]);
    expect(crash('x').kind).toBe('crash');
    expect(millis(1)).toBe(1);
  });
  it('announces to whoever is up, and counts no loss where nobody is (RT-8)', () => {
    const clock = virtualClock();
    const dead: unknown[] = [];
    const onDeadLetter = (letter: unknown): number => dead.push(letter);
    const system = createSystem({ name: 'n', clock, random: seededRandom('s'), onDeadLetter });
    const herald = setup({
      types: types<object, Ask>(),
      actions: {
        announce: step(() => ({
          effects: ['node/ear', 'node/nobody'].map((to) => announcing(to, { type: 'said' })),
        })),
      },
    }).createMachine({ id: 'herald', on: { 'work.requested': { actions: 'announce' } } });
    const ear = setup({
      types: types<{ readonly heard: number }, { readonly type: 'said' }>(),
    }).createMachine({
      id: 'ear',
      context: { heard: 0 },
      on: { said: { actions: assign(({ context }) => ({ heard: context.heard + 1 })) } },
    });
    system.start(child('node', supervisor({ children: [child('herald', herald), child('ear', ear)] })));
    clock.settle();
    system.ref('node/herald').tell({ type: 'work.requested', size: 1 });
    clock.settle();
    expect(system.ref('node/ear').info()?.snapshot).toMatchObject({ context: { heard: 1 } });
    expect(dead).toEqual([]);
  });
  it('is stepped purely by a probe', () => {
    const test = probe(boss, { address: 'node/boss' });
    expect(test.send({ type: 'work.requested', size: 9 })).toMatchObject([
      { kind: 'spawn', id: 'job/0', logic: 'job', input: { size: 9, boss: 'node/boss' } },
      { kind: 'reply' },
    ]);
    const one = probe(job, { input: { size: 1, boss: 'b' } });
    expect(one.elapse(50)).toMatchObject([{ kind: 'cancelStateTimer' }, { kind: 'tell', to: 'b' }]);
    expect(one.snapshot.status).toBe('done');
  });
});

import { expect, it } from 'vitest';
import { assign, setup } from 'xstate';
import {
  cancelTimer,
  declare,
  draw,
  type Effect,
  exit,
  NORMAL,
  now,
  on,
  perform,
  postpone,
  reply,
  spawn,
  startTimer,
  step,
  stop,
  tell,
  tellEach,
  types,
  watch,
} from '../../../src/machines/vocabulary/index.ts';

interface Ping {
  readonly type: 'ping.received';
  readonly count: number;
}
interface Tick {
  readonly type: 'tick.due';
}
interface Context {
  readonly seen: number;
  readonly peers: readonly string[];
  readonly outbox: readonly Effect[];
}
const worker = setup({ types: types<{ readonly n: number }, Ping, { readonly n: number }>() }).createMachine({
  context: ({ input }) => ({ n: input.n }),
});
const chart = setup({
  types: types<Context, Ping | Tick, { readonly peers: readonly string[] }>(),
  actors: { worker },
  actions: {
    recordPing: assign(on('ping.received', ({ context, event }) => ({ seen: context.seen + event.count }))),
    tellPeer: tell(
      'node/peer',
      on('ping.received', ({ event }) => ({ type: 'pong', count: event.count, note: 'x' })),
    ),
    tellAll: tellEach(({ context }) =>
      context.peers.map((to) => ({ to, message: { type: 'hello', from: 'me' } })),
    ),
    decide: step(
      on('ping.received', ({ context, event, now, draw }) => ({
        context: { seen: context.seen + event.count },
        effects: [{ kind: 'tell', to: 'a', message: { type: 'x', at: now, luck: draw() } }],
      })),
    ),
    decidePlain: step(({ context, event }) =>
      event.type === 'tick.due' ? { context: { seen: context.seen + 1 } } : { effects: [] },
    ),
    startWorker: spawn('worker', {
      id: ({ context }) => `worker/${context.seen}`,
      input: ({ context }) => ({ n: context.seen }),
    }),
    stopWorker: stop('worker'),
    arm: startTimer('tick', 100, { type: 'tick.due' }),
    disarm: cancelTimer('tick'),
    answer: reply(({ context }) => ({ type: 'count', seen: context.seen })),
    follow: watch('node/peer'),
    later: postpone(),
    flush: perform(({ context }) => context.outbox),
    leave: exit(NORMAL),
  },
  guards: { isBig: on('ping.received', ({ event }) => event.count > 3) },
  delays: { patience: ({ context }) => context.seen * 10 },
}).createMachine({
  id: 'chart',
  context: ({ input, self }) => ({
    seen: now({ self }) + draw({ self }) * 0,
    peers: input.peers,
    outbox: [],
  }),
  initial: 'idle',
  states: {
    idle: {
      on: {
        'ping.received': { guard: 'isBig', actions: ['recordPing', 'tellPeer', 'decide', 'startWorker'] },
      },
      after: { patience: 'idle' },
    },
  },
});
const publicEvents = declare<Ping | Tick>()('ping.received', 'tick.due');
// @ts-expect-error tick.due is missing
declare<Ping | Tick>()('ping.received');
// @ts-expect-error not an event
declare<Ping | Tick>()('ping.received', 'tick.due', 'other');
// @ts-expect-error no such actor
setup({ actors: { worker }, actions: { bad: spawn('wrker', { id: 'x', input: { n: 1 } }) } });
// @ts-expect-error input missing
setup({ actors: { worker }, actions: { bad: spawn('worker', { id: 'x' }) } });
it('types charts without casts', () => {
  expect(publicEvents).toHaveLength(2);
  expect(chart.id).toBe('chart');
});

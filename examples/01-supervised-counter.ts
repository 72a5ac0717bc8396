/** A statechart that crashes, and the supervisor that brings it back: same address, same mailbox, fresh state. */
import {
  child,
  createSystem,
  millis,
  on,
  realClock,
  reply,
  seededRandom,
  step,
  supervisor,
  types,
} from 'althing/runtime';
import { setup } from 'xstate';

type CounterEvent =
  | { readonly type: 'add.requested'; readonly by: number }
  | { readonly type: 'total.asked' };

const counter = setup({
  types: types<{ readonly total: number }, CounterEvent>(),
  actions: {
    add: step(
      on('add.requested', ({ context, event }) => {
        if (event.by < 0) throw new Error(`cannot add ${event.by}`);
        return { context: { total: context.total + event.by } };
      }),
    ),
    answerTotal: reply(({ context }) => ({ type: 'total', total: context.total })),
  },
}).createMachine({
  id: 'counter',
  context: { total: 0 },
  on: {
    'add.requested': { actions: 'add' },
    'total.asked': { actions: 'answerTotal' },
  },
});

const system = createSystem({
  name: 'example',
  clock: realClock(),
  random: seededRandom('example'),
  onDeadLetter: ({ reason, to, message }) => console.log(`dead letter (${reason}) to ${to}: ${message.type}`),
});
const root = system.start(
  child(
    'app',
    supervisor({
      strategy: 'one_for_one',
      intensity: 3,
      period: millis(5_000),
      children: [child('counter', counter)],
    }),
  ),
);
await root.started();

const ref = system.ref('app/counter');
for (const by of [1, 2, -1, 40, 2]) console.log(`add ${by}: ${ref.tell({ type: 'add.requested', by })}`);
console.log(await ref.ask({ type: 'total.asked' }, { timeout: millis(1_000) }));
console.log(`restarts: ${ref.info()?.restarts}`);
console.log(`unknown event: ${ref.tell({ type: 'xstate.stop' })}`);
await system.stop();

// Prints:
// add 1: accepted
// add 2: accepted
// add -1: accepted
// add 40: accepted
// add 2: accepted
// dead letter (poison) to app/counter: add.requested
// { type: 'total', total: 42 }
// restarts: 1
// dead letter (event_reserved) to app/counter: xstate.stop
// unknown event: dropped

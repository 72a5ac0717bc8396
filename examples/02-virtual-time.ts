/** Ten minutes of retries in a millisecond: the same chart under a virtual clock, and stepped by hand without any system. */
import {
  child,
  createSystem,
  probe,
  seededRandom,
  step,
  supervisor,
  types,
  virtualClock,
} from 'althing/runtime';
import { setup } from 'xstate';

const dialer = setup({
  types: types<{ readonly attempts: number }, { readonly type: 'call.answered' }>(),
  actions: {
    requestCall: step(({ context, now, draw }) => ({
      context: { attempts: context.attempts + 1 },
      effects: [{ kind: 'tell', to: 'app/line', message: { type: 'call', at: now, luck: draw() } }],
    })),
  },
  delays: { patience: ({ context }) => Math.min(60_000, 1_000 * 2 ** context.attempts) },
}).createMachine({
  id: 'dialer',
  context: { attempts: 0 },
  initial: 'dialing',
  states: {
    dialing: {
      entry: 'requestCall',
      after: { patience: { target: 'dialing', reenter: true } },
      on: { 'call.answered': 'talking' },
    },
    talking: {},
  },
});

const clock = virtualClock();
const system = createSystem({ name: 'example', clock, random: seededRandom('luck') });
const calls: number[] = [];
system.deadLetters.listen(({ message }) => {
  if ('at' in message) calls.push(Number(message['at']));
});
system.start(child('app', supervisor({ children: [child('dialer', dialer)] })));

clock.advance(600_000);
console.log(`calls at: ${calls.slice(0, 8).join(', ')} … ${calls.length} in all`);
system.ref('app/dialer').tell({ type: 'call.answered' });
clock.advance(600_000);
console.log(
  `after the answer: ${calls.length}, armed timers: ${system.ref('app/dialer').info()?.timers.length}`,
);

const stepped = probe(dialer, { draws: [0.25] });
console.log(stepped.effects[0]);
stepped.elapse(2_000);
console.log(stepped.snapshot.context);

// Prints:
// calls at: 0, 2000, 6000, 14000, 30000, 62000, 122000, 182000 … 14 in all
// after the answer: 14, armed timers: 0
// {
//   kind: 'tell',
//   to: 'app/line',
//   message: { type: 'call', at: 0, luck: 0.25 }
// }
// { attempts: 2 }

/** The world comes in through boundary actors only: here a source that waits for room, and a sink with callbacks. */
import {
  boundary,
  child,
  createSystem,
  handler,
  on,
  realClock,
  seededRandom,
  step,
  supervisor,
  types,
} from 'althing/runtime';
import { setup } from 'xstate';

type Line = { readonly type: 'line.read'; readonly text: string };

/** Reads as fast as the chart takes: `ready` holds it back, so nothing is dropped. */
const source = boundary<{ readonly type: 'none' }, { readonly lines: number }>(
  async ({ input, tell, ready, signal }) => {
    for (let line = 1; line <= input.lines && !signal.aborted; line += 1) {
      await ready('app/parser');
      tell('app/parser', { type: 'line.read', text: `line ${line}` });
    }
    tell('app/parser', { type: 'line.read', text: '' });
  },
);

/** Pure: it counts, and says what is to be written. */
const parser = setup({
  types: types<{ readonly lines: number }, Line>(),
  actions: {
    recordLine: step(
      on('line.read', ({ context, event }) =>
        event.text === ''
          ? { effects: [{ kind: 'tell', to: 'app/sink', message: { type: 'sum', lines: context.lines } }] }
          : { context: { lines: context.lines + 1 } },
      ),
    ),
  },
}).createMachine({ id: 'parser', context: { lines: 0 }, on: { 'line.read': { actions: 'recordLine' } } });

const printed = Promise.withResolvers<void>();
const sink = handler<{ readonly opened: string }, { readonly type: 'sum'; readonly lines: number }>({
  init: ({ self }) => ({ opened: self }),
  receive(message, { state }) {
    console.log(`${state.opened}: ${message.lines} lines`);
    printed.resolve();
  },
  terminate: () => console.log('sink closed'),
});

const system = createSystem({ name: 'example', clock: realClock(), random: seededRandom('example') });
system.start(
  child(
    'app',
    supervisor({
      strategy: 'rest_for_one',
      children: [
        child('sink', sink),
        child('parser', parser, { mailbox: { capacity: 16, overflow: 'reject' } }),
        child('source', source, { restart: 'transient', input: { lines: 1_000 } }),
      ],
    }),
  ),
);
await printed.promise;
console.log(`dead letters: ${system.deadLetters.recent().length}`);
await system.stop();

// Prints:
// app/sink: 1000 lines
// dead letters: 0
// sink closed

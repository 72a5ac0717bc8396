/** A journal of what came from outside is enough to repeat a whole system, from the start or from a keyframe. */
import {
  child,
  createSystem,
  memoryJournal,
  on,
  replay,
  seededRandom,
  step,
  supervisor,
  types,
  virtualClock,
} from 'althing/runtime';
import { setup } from 'xstate';

const gambler = setup({
  types: types<
    { readonly purse: number; readonly last: number },
    { readonly type: 'bet.placed'; readonly stake: number }
  >(),
  actions: {
    settleBet: step(
      on('bet.placed', ({ context, event, draw, now }) => ({
        context: { purse: context.purse + (draw() < 0.5 ? event.stake : -event.stake), last: now },
      })),
    ),
  },
}).createMachine({
  id: 'gambler',
  context: { purse: 100, last: 0 },
  on: { 'bet.placed': { actions: 'settleBet' } },
});

const roots = [child('casino', supervisor({ children: [child('gambler', gambler)] }))];
const clock = virtualClock();
const journal = memoryJournal({ digestEvery: 1 });
const live = createSystem({ name: 'live', clock, random: seededRandom(7), journal });
for (const root of roots) live.start(root);
clock.settle();

function place(bets: number): void {
  for (let bet = 0; bet < bets; bet += 1) {
    live.ref('casino/gambler').tell({ type: 'bet.placed', stake: bet + 1 });
    clock.advance(10);
  }
}

const purse = (system: typeof live): unknown => system.ref('casino/gambler').info()?.snapshot;
place(5);
const keyframe = live.keyframe();
const entriesBefore = journal.entries.length;
place(5);

const again = replay({ name: 'again', random: seededRandom(7), roots, digestEvery: 1 });
for (const entry of journal.entries) again.feed(entry);
again.runTo(live.counters().turns);

const later = replay({ name: 'later', random: seededRandom(7), roots, digestEvery: 1, from: keyframe });
for (const entry of journal.entries.slice(entriesBefore)) later.feed(entry);
later.runTo(live.counters().turns);

const states = [live, again.system, later.system].map((system) => JSON.stringify(purse(system)));
console.log(`inputs: ${journal.entries.filter(({ kind }) => kind === 'message').length}`);
console.log(`three times the same: ${new Set(states).size === 1}`);
console.log(`divergence: ${again.divergence() ?? later.divergence() ?? 'none'}`);

const other = replay({ name: 'other', random: seededRandom(8), roots, digestEvery: 1 });
for (const entry of journal.entries) other.feed(entry);
console.log(`with another seed it diverges at turn ${other.divergence()?.turn}`);

// Prints:
// inputs: 10
// three times the same: true
// divergence: none
// with another seed it diverges at turn 3

/** The herald's chart: silent → telling, and after a pause again what is newest, while there is news. Pure. SY-15, docs/protocol/sync.md. */
import { heraldSetup, initialHerald } from './herald.setup.ts';

export const heraldMachine = heraldSetup.createMachine({
  id: 'herald',
  context: ({ input }) => initialHerald(input),
  initial: 'silent',
  states: {
    silent: {
      always: { guard: 'thereIsNews', target: 'pausing', actions: 'tellFollowers' },
      on: { 'blocks.committed': { actions: 'recordNewest' } },
    },
    /** However fast blocks come, guests cost a validator no more than this. */
    pausing: {
      after: { pause: 'silent' },
      on: { 'blocks.committed': { actions: 'recordNewest' } },
    },
  },
});

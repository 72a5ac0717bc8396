/** The circuit breaker of one peer: closed → open → halfOpen, where one probe decides → closed or open again. Pure. BR-8. */
import { breakerSetup, newBreaker } from './breaker.setup.ts';

export const breakerMachine = breakerSetup.createMachine({
  id: 'breaker',
  context: ({ input }) => newBreaker(input),
  initial: 'closed',
  states: {
    closed: {
      always: { guard: 'isOnceTooOften', target: 'open' },
      on: {
        'call.requested': [{ guard: 'hasPlace', actions: 'sendCall' }, { actions: 'refuseCall' }],
        // Its time was over when the bridge had heard of it.
        'call.answered': [{ guard: 'isOpenCall', actions: 'recordAnswer' }, {}],
        'call.expired': { guard: 'isOpenCall', actions: 'recordExpiry' },
        'peer.spoke': { actions: 'recordSuccess' },
        'peer.failed': { actions: 'recordFailure' },
      },
    },
    /** Nothing is sent. What was on its way may still be answered: its operations may be taken. */
    open: {
      entry: 'recordOpening',
      after: { pause: 'halfOpen' },
      on: {
        'call.requested': { actions: 'refuseCall' },
        'call.answered': [{ guard: 'isOpenCall', actions: 'recordAnswer' }, {}],
        'call.expired': { guard: 'isOpenCall', actions: 'recordExpiry' },
        'peer.spoke': {},
        'peer.failed': {},
      },
    },
    /** The next call is the probe; valid gossip of the peer is as good. */
    halfOpen: {
      entry: 'recordHalfOpen',
      on: {
        'call.requested': [{ guard: 'probes', actions: 'refuseCall' }, { actions: 'sendCall' }],
        'call.answered': [
          { guard: 'isOpenCall', target: 'closed', actions: ['recordAnswer', 'recordClosing'] },
          {},
        ],
        'call.expired': { guard: 'isOpenCall', target: 'open', actions: 'recordExpiry' },
        'peer.spoke': { target: 'closed', actions: 'recordClosing' },
        'peer.failed': { target: 'open' },
      },
    },
  },
});

/** The router chart: one state, since what it knows of each peer is that peer's chart's. Pure. */
import { newRouter, routerSetup } from './router.setup.ts';

export const routerMachine = routerSetup.createMachine({
  id: 'router',
  context: ({ input }) => newRouter(input),
  initial: 'routing',
  states: {
    routing: {
      entry: 'greetPeers',
      on: {
        'network.sendRequested': { actions: 'sendAll' },
        'guests.tellRequested': { actions: 'sendToGuests' },
        'guest.askRequested': { actions: 'sendToGuest' },
        // Whoever has gone meanwhile, or is this node, cannot be charged.
        'peer.misbehaved': [{ guard: 'isKnown', actions: 'forwardMisbehaviour' }, {}],
        'connectivity.requested': { actions: 'tellConnectivity' },
        'sources.requested': { actions: 'tellSources' },
        'connection.offered': [{ guard: 'isKnown', actions: 'forwardOffer' }, { actions: 'admitOffer' }],
        'guest.started': { actions: 'recordGuest' },
        'link.up': { actions: 'recordLink' },
        'link.down': { actions: 'recordLinkDown' },
        'cell.down': { actions: 'recordCellDown' },
        'peer.banned': { actions: 'recordBan' },
        'listener.opened': { actions: 'recordOwnAddress' },
        'addresses.received': { actions: 'learnAddresses' },
        'gossip.due': { actions: 'gossipAddresses' },
        'epoch.began': { actions: 'recordValidators' },
      },
    },
  },
});

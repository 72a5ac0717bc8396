/** The peer chart: unreachable | dialing → handshaking → connected → backingOff → dialing …, and banned. Pure. */
import { newPeer, peerSetup } from './peer.setup.ts';

const whenBanned = { guard: 'isBanned', target: 'banned' } as const;
const offerAgainstDial = [
  { guard: 'ownDialIsPreferred', actions: 'holdOffer' },
  { target: 'connected', actions: ['giveUpDial', 'recordOffered'] },
] as const;
const dialFails = [
  { guard: 'hasHeldOffer', target: 'connected', actions: ['stopDialer', 'recordDialFailure', 'recordHeld'] },
  { target: 'backingOff', actions: ['stopDialer', 'recordDialFailure'] },
] as const;
const presentDialFails = [{ guard: 'isLateDial' }, ...dialFails] as const;
const dialerCrashes = [{ guard: 'isOtherCell' }, ...dialFails] as const;

export const peerMachine = peerSetup.createMachine({
  id: 'peer',
  context: ({ input }) => newPeer(input),
  initial: 'deciding',
  entry: 'greetRouter',
  on: {
    'endpoint.learned': { actions: 'recordEndpoint' },
    'standing.changed': { actions: 'recordStanding' },
    'peer.misbehaved': { actions: 'chargeMisbehaviour' },
    'frame.refused': { actions: 'chargeFrame' },
    'syncBan.ended': { actions: 'reopenSyncLane' },
    'router.started': { actions: 'greetRouter' },
    // Late words of dialers and links that are no longer this peer's.
    'dial.upgrading': {},
    'dial.succeeded': { actions: ['stopDialer', 'refuseLateDial'] },
    'dial.failed': { actions: 'stopDialer' },
    'link.opened': {},
    'link.closed': { actions: ['stopLink', 'chargeLinkEnd'] },
    'cell.down': {},
  },
  states: {
    deciding: {
      always: [
        { guard: 'hasHeldOffer', target: 'connected', actions: 'recordHeld' },
        { guard: 'isLeaving', target: 'left' },
        { guard: 'knowsEndpoint', target: 'dialing' },
        { target: 'unreachable' },
      ],
    },
    /** Nothing tells where it is: it must come, or its address record must. */
    unreachable: {
      always: [whenBanned, { guard: 'isLeaving', target: 'left' }],
      on: {
        'endpoint.learned': { target: 'dialing', actions: 'recordEndpoint' },
        'connection.offered': { target: 'connected', actions: 'recordOffered' },
      },
    },
    /** TCP and TLS are on their way. */
    dialing: {
      entry: 'startDial',
      always: whenBanned,
      on: {
        'dial.upgrading': { guard: 'isPresentDial', target: 'handshaking' },
        'dial.failed': presentDialFails,
        'cell.down': dialerCrashes,
        'connection.offered': offerAgainstDial,
      },
    },
    /** The other end has the expected key; both Hellos are on their way. */
    handshaking: {
      always: whenBanned,
      on: {
        'dial.succeeded': {
          guard: 'isPresentDial',
          target: 'connected',
          actions: ['stopDialer', 'refuseHeld', 'recordDialed'],
        },
        'dial.failed': presentDialFails,
        'cell.down': dialerCrashes,
        'connection.offered': offerAgainstDial,
      },
    },
    connected: {
      entry: 'openLink',
      always: whenBanned,
      on: {
        'link.opened': { guard: 'isPresentLink', actions: ['recordLinkUp', 'reportLinkUp'] },
        'link.closed': {
          guard: 'isPresentLink',
          target: 'backingOff',
          actions: ['stopLink', 'chargeLinkEnd', 'recordLinkEnd'],
        },
        'cell.down': { guard: 'linkIsDown', target: 'backingOff', actions: 'recordLinkEnd' },
        'connection.offered': [
          {
            guard: 'offerReplacesLink',
            target: 'connected',
            reenter: true,
            actions: ['replaceLink', 'recordOffered'],
          },
          { actions: 'refuseOfferAndProbe' },
        ],
        'router.started': { actions: ['greetRouter', 'reportLinkUp'] },
      },
    },
    backingOff: {
      always: [whenBanned, { guard: 'isLeaving', target: 'left' }],
      after: { dialBackoff: 'deciding' },
      on: { 'connection.offered': { target: 'connected', actions: 'recordOffered' } },
    },
    banned: {
      entry: 'imposeBan',
      after: { banTime: { target: 'deciding', actions: 'liftBan' } },
      on: { 'connection.offered': { actions: 'refuseOfferOfBanned' } },
    },
    /** A guest that has gone; its cell ends. */
    left: { type: 'final' },
  },
});

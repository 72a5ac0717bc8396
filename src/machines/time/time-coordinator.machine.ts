/** The TimeCoordinator chart: starting → acquiring → synchronised ⇄ holdingOver; back to acquiring when time is lost. Pure. */
import { now } from '../vocabulary/index.ts';
import { initialTime, timeCoordinatorSetup } from './time-coordinator.setup.ts';

/** TM-1: what was measured by a clock that was stepped is worth nothing. */
const look = [
  { guard: 'systemClockStepped', target: '#acquiring', reenter: true, actions: 'discardSamples' },
  { actions: 'recordLook' },
] as const;

export const timeCoordinatorMachine = timeCoordinatorSetup.createMachine({
  id: 'time-coordinator',
  context: ({ input, self }) => initialTime(input, now({ self })),
  initial: 'starting',
  on: {
    'message.received': { actions: 'takePeerMessage' },
    'ntp.answered': { actions: 'takeNtpReply' },
    'ntp.failed': { actions: 'takeNtpReply' },
    'time.statusRequested': { actions: 'answerMayPropose' },
    'poll.due': { actions: 'syncWithPeers' },
    'servers.due': { actions: 'syncWithNtp' },
    'update.due': { actions: ['applyTimeOffset', 'tellRoundTrip'] },
    'peer.connected': { actions: 'askNewcomer' },
    'epoch.began': { actions: 'recordEpoch' },
    // Whoever is gone does not answer, and is scored for that.
    'peer.disconnected': {},
  },
  states: {
    starting: {
      entry: 'startSyncLoop',
      on: {
        'clock.looked': { target: 'acquiring', actions: 'beginWithLook' },
        'peer.connected': {},
      },
    },
    /** No adjusted time: this node proposes nothing. */
    acquiring: {
      id: 'acquiring',
      entry: ['forgetBound', 'takeBackMayPropose', 'syncWithPeers', 'syncWithNtp'],
      exit: 'lowerNoTime',
      always: {
        guard: 'thereIsTime',
        target: 'synchronised',
        actions: { type: 'lower', params: { alert: 'SystemClockStepped' } },
      },
      after: {
        patience: { actions: 'raiseNoTime' },
      },
      on: { 'clock.looked': look },
    },
    synchronised: {
      entry: 'tellMayPropose',
      always: [
        { guard: 'boundIsWrong', target: 'acquiring' },
        { guard: 'clockIsLost', target: 'acquiring' },
        { guard: 'nothingComes', target: 'holdingOver' },
      ],
      on: { 'clock.looked': look },
    },
    /** The clock goes on as it was led last; the error bound grows. */
    holdingOver: {
      entry: {
        type: 'raise',
        params: {
          alert: 'HoldOver',
          detail:
            'no source of time can be used or believed; the clock goes on as it was led last, less surely every second',
        },
      },
      exit: { type: 'lower', params: { alert: 'HoldOver' } },
      always: [
        { guard: 'boundIsWrong', target: 'acquiring' },
        { guard: 'clockIsLost', target: 'acquiring' },
        { guard: 'updateWasAccepted', target: 'synchronised' },
      ],
      on: { 'clock.looked': look },
    },
  },
});

/**
 * A supervisor as a chart: it works off a plan of stops and starts, one awaited after the other, and else it listens.
 * Pure. Rules RT-1 to RT-5, RT-17, docs/runtime.md; source: OTP's supervisor.erl.
 */
import { openRoster } from '../../protocol/supervision/roster.ts';
import { supervisorSetup } from './supervisor.setup.ts';

export const supervisorMachine = supervisorSetup.createMachine({
  id: 'supervisor',
  context: ({ input }) => ({ roster: openRoster(input) }),
  initial: 'working',
  states: {
    working: {
      initial: 'next',
      on: {
        'child.exited': { actions: 'deferExit' },
        'restart.due': { actions: 'deferRestart' },
        'cell.stop': { actions: 'planTheEnd', target: '.next' },
        'child.start': { actions: 'postpone' },
        'child.stop': { actions: 'postpone' },
      },
      states: {
        next: {
          always: [
            { guard: 'planIsStop', target: 'stopping' },
            { guard: 'isEnding', target: '#supervisor.stopped' },
            { guard: 'planIsStart', target: 'starting' },
            { target: '#supervisor.running' },
          ],
        },
        starting: {
          entry: 'beginTask',
          on: {
            'child.started': { guard: 'isCurrentChild', actions: 'recordStarted', target: 'next' },
            'child.exited': { guard: 'isCurrentChild', actions: 'decideStartFailure', target: 'next' },
          },
        },
        stopping: {
          entry: 'beginTask',
          after: { shutdownTime: 'killing' },
          on: {
            'child.exited': { guard: 'isCurrentChild', actions: 'recordStopped', target: 'next' },
            'cell.stop': { actions: 'planTheEnd' },
          },
        },
        killing: {
          entry: 'killCurrent',
          on: {
            'child.exited': { guard: 'isCurrentChild', actions: 'recordStopped', target: 'next' },
            'cell.stop': { actions: 'planTheEnd' },
          },
        },
      },
    },
    running: {
      entry: 'announceStarted',
      always: { guard: 'somethingWasDeferred', actions: 'decideDeferred', target: 'working' },
      on: {
        'child.exited': { actions: 'decideExit', target: 'working' },
        'restart.due': { actions: 'decideRestart', target: 'working' },
        'child.start': { actions: 'decideStartRequest', target: 'working' },
        'child.stop': { actions: 'decideStopRequest', target: 'working' },
        'cell.stop': { actions: 'planTheEnd', target: 'working' },
      },
    },
    stopped: { entry: 'leave', type: 'final' },
  },
  // A child.started that comes too late (its stop was asked meanwhile) changes nothing.
  on: { 'child.started': {} },
});

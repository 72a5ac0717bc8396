/** What a simulated run tells whoever watches it: checkers, counters. Types, and how several watch at once. */
import type { WallTime } from '../base/units.ts';
import type { Address, Round } from '../protocol/chain/types.ts';
import type { PeerMessage } from '../protocol/consensus/types.ts';
import type { BlockResults } from '../protocol/ports/execution.ts';
import type { Admission } from '../protocol/ports/mempool.ts';
import type { CommittedBlock } from '../protocol/ports/storage.ts';
import type { Instance } from './instance.ts';
import type { SimulatedProcess } from './validator.ts';

/** Callbacks run inside the run: they change nothing and must be quick. Each is called in the order of the run. */
export interface Observer {
  /** A process has begun on what its disk held. Its first turn has not run. */
  started?(instance: Instance, process: SimulatedProcess): void;
  /** kill -9; `process` answers nothing any more. */
  crashed?(instance: Instance, process: SimulatedProcess): void;
  /** A turn of a process's cells begins: what they see as time in it. */
  timeSeen?(instance: Instance, time: WallTime, isAdjusted: boolean): void;
  /** A message leaves an instance, as its own code made it (before it is lied about, whether or not it arrives). */
  sent?(instance: Instance, to: Address, message: PeerMessage): void;
  /** A block became durable as committed, and was executed. */
  executed?(instance: Instance, executed: BlockResults): void;
  committed?(instance: Instance, block: CommittedBlock): void;
  /** An instance itself saw two commits at a height. */
  alarmed?(instance: Instance, detail: string): void;
  /** Answer to a submission. */
  admitted?(instance: Instance, admissions: readonly Admission[]): void;
  /** A round failed at an instance. */
  roundFailed?(instance: Instance, round: Round): void;
}

/** All observers as one; each callback goes only to those that have it. */
export function together(observers: readonly Observer[]): Required<Observer> {
  const calls = <Name extends keyof Observer>(name: Name) =>
    observers.flatMap((observer) => (observer[name] === undefined ? [] : [observer]));
  const [started, crashed, sent, executed] = [
    calls('started'),
    calls('crashed'),
    calls('sent'),
    calls('executed'),
  ];
  const timeSeen = calls('timeSeen');
  const [committed, alarmed, admitted, roundFailed] = [
    calls('committed'),
    calls('alarmed'),
    calls('admitted'),
    calls('roundFailed'),
  ];
  return {
    started: (instance, process) => {
      for (const observer of started) observer.started?.(instance, process);
    },
    crashed: (instance, process) => {
      for (const observer of crashed) observer.crashed?.(instance, process);
    },
    timeSeen: (instance, time, isAdjusted) => {
      for (const observer of timeSeen) observer.timeSeen?.(instance, time, isAdjusted);
    },
    sent: (instance, to, message) => {
      for (const observer of sent) observer.sent?.(instance, to, message);
    },
    executed: (instance, message) => {
      for (const observer of executed) observer.executed?.(instance, message);
    },
    committed: (instance, block) => {
      for (const observer of committed) observer.committed?.(instance, block);
    },
    alarmed: (instance, detail) => {
      for (const observer of alarmed) observer.alarmed?.(instance, detail);
    },
    admitted: (instance, admissions) => {
      for (const observer of admitted) observer.admitted?.(instance, admissions);
    },
    roundFailed: (instance, round) => {
      for (const observer of roundFailed) observer.roundFailed?.(instance, round);
    },
  };
}

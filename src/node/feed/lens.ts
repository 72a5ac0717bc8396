/**
 * A node as the feed sees it, beside what the runtime knows: messages between nodes, steps, chain, health. It needs the node's system
 * alone, live, simulated or replayed; what a live node knows besides is given. Rules IN-1, IN-4, docs/inspector.md.
 */
import type { System } from '../../actors/runtime/index.ts';
import type { MessageAnswer } from '../../observe/feed/feed.ts';
import type { Lens } from '../../observe/feed/lens.ts';
import { ChainReader, type CommittedBelow } from './chain.ts';
import { type Beside, HealthReader } from './health.ts';
import { MessageMemory } from './messages.ts';
import { RoundTimes } from './round-times.ts';
import { mayStep, StepReader } from './steps.ts';
import { concernsWire, readWire } from './wire.ts';
import { worthALook } from './worth.ts';

export interface NodeLensParts extends Beside {
  readonly system: System;
  readonly committedBelow?: CommittedBelow;
  /** Called when nobody looks any more. */
  readonly end?: () => void;
}

export interface NodeLens extends Lens {
  /** What was in a message, by the id of its wire event; undefined: it is not among the newest. */
  message(id: string): MessageAnswer | undefined;
}

/** For a `Collector`: `new Collector({ system, lens: () => nodeLens({ system }) })`. */
export function nodeLens({ system, committedBelow = () => [], end, ...beside }: NodeLensParts): NodeLens {
  const memory = new MessageMemory();
  const chain = new ChainReader(system, committedBelow);
  const rounds = new RoundTimes();
  const steps = new StepReader(system, (blocks) => chain.commit(blocks), rounds);
  const health = new HealthReader(system, beside, rounds);
  return {
    read(transition, seen) {
      const { address, event } = transition;
      if (concernsWire(address, event.type)) readWire(transition, seen, memory);
      if (mayStep(address)) steps.read(transition, seen);
    },
    chain: (ifChanged) => chain.read(ifChanged),
    health: () => health.read(),
    message: (id) => memory.answer(id),
    ...(end === undefined ? {} : { end }),
    worthALook: (_, context) => worthALook(context),
  };
}

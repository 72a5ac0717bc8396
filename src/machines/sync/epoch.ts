/**
 * How the cells of sync learn in which epoch the chain goes on: round-manager tells them, and whoever starts anew asks it. Pure.
 * Rule CS-16, docs/protocol/consensus.md.
 */
import type { EpochContext } from '../../protocol/consensus/epoch.ts';
import type { EpochBegan, EpochRequested } from '../../protocol/ports/consensus.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';

export interface EpochAsker {
  /** Until round-manager says which it is. */
  readonly epoch: EpochContext;
  readonly roundManager: CellAddress;
}

export function askingEpoch({ roundManager }: EpochAsker, replyTo: CellAddress): Effect {
  const request: EpochRequested = { type: 'epoch.requested', replyTo };
  return telling(roundManager, request);
}

/** It is told again whenever round-manager starts anew. */
export const isNextEpoch = ({ epoch }: Pick<EpochAsker, 'epoch'>, began: EpochBegan): boolean =>
  began.epoch.epoch > epoch.epoch;

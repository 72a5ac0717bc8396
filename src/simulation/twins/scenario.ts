/**
 * A Twins scenario as data (Bano et al., "Twins: BFT Systems Made Robust", OPODIS 2021): some validators run as two
 * instances with one key; for each round who leads it, and who hears whom. Types only; docs/simulation/twins.md.
 */
import type { PeerMessageKind } from '../../protocol/consensus/types.ts';

/** A direction on which messages of a round are dropped. Numbers are instances. */
export interface Wall {
  readonly from: number;
  readonly to: number;
  /** All kinds without. */
  readonly kind?: PeerMessageKind;
}

export type Partition = readonly (readonly number[])[];

export interface ScenarioRound {
  /** Index of the validator; both instances of a twinned one lead. */
  readonly leader: number;
  /** Messages of this round pass within a group only. An instance in no group is alone. */
  readonly groups: Partition;
  /** For the round's timeouts (ViewChange) in place of `groups`: who hears whom may change while a round lasts. */
  readonly timeoutGroups?: Partition;
  readonly firewall?: readonly Wall[];
}

export interface TwinsScenario {
  readonly validators: number;
  /** Indices of the validators that run twice. The second instance of the i-th of them has the number validators + i. */
  readonly twins: readonly number[];
  /** Rounds 1, 2, … */
  readonly rounds: readonly [ScenarioRound, ...ScenarioRound[]];
}

export const instancesOf = ({ validators, twins }: Pick<TwinsScenario, 'validators' | 'twins'>): number =>
  validators + twins.length;

/** Index of the validator whose key an instance has. */
export function validatorOfInstance(
  { validators, twins }: Pick<TwinsScenario, 'validators' | 'twins'>,
  instance: number,
): number {
  return instance < validators ? instance : (twins[instance - validators] ?? instance);
}

/** What is left of a quorum when validators go. Integers only, never 2f+1 from their number. Pure. Source: glossary, "quorum". */
import type { NodeCard, NodeIndex } from '../../../../src/observe/feed/feed.ts';

export interface Remaining {
  readonly power: bigint;
  readonly quorum: bigint;
  readonly isEnough: boolean;
}

/** `without` is about to go as well. */
export function remainingPower(nodes: readonly NodeCard[], without?: NodeIndex): Remaining {
  const total = nodes.reduce((sum, { power }) => sum + powerOf(power), 0n);
  const power = nodes.reduce(
    (sum, node, place) => (node.isUp && place !== without ? sum + powerOf(node.power) : sum),
    0n,
  );
  const quorum = (2n * total) / 3n + 1n;
  return { power, quorum, isEnough: power >= quorum };
}

const powerOf = (decimal: string): bigint => (/^\d+$/.test(decimal) ? BigInt(decimal) : 0n);

/** A sentence for whoever is about to take a validator away. */
export function afterLosing(nodes: readonly NodeCard[], node: NodeIndex): string {
  const { power, quorum, isEnough } = remainingPower(nodes, node);
  return isEnough
    ? `The others go on: they have power ${power}, and a quorum is ${quorum}.`
    : `The network will stand still: the others have power ${power}, and a quorum is ${quorum}. It goes on when enough are back.`;
}

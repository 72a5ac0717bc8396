/** Which messages of a round arrive where: the partitions and the firewall of a Twins scenario. Pure. Rule SM-3. */
import type { WireMessage } from '../protocol/transport/messages.ts';
import type { Transit } from '../transport/hub.ts';
import type { Directory } from './instance.ts';
import type { RoundRule } from './plan.ts';

export class RoundRules {
  readonly #rules: readonly RoundRule[];
  readonly #directory: Directory;

  /** @param rules of the rounds 1, 2, … */
  constructor(rules: readonly RoundRule[], directory: Directory) {
    this.#rules = rules;
    this.#directory = directory;
  }

  /** True when the rule of the message's round forbids it. Names in `transit` are instances. */
  stops({ from, to, message }: Transit): boolean {
    const round = roundOf(message);
    const rule = round === undefined ? undefined : this.#rules[round - 1];
    if (rule === undefined) return false;
    const sender = this.#directory.byId(from)?.node ?? -1;
    const receiver = this.#directory.byId(to)?.node ?? -1;
    const { groups, firewall = [] } = rule;
    const joined = groups?.some((group) => group.includes(sender) && group.includes(receiver)) ?? true;
    return (
      !joined ||
      firewall.some(
        (wall) =>
          wall.from === sender &&
          wall.to === receiver &&
          (wall.kind === undefined || wall.kind === message.kind),
      )
    );
  }
}

/** The round that a message speaks of; undefined for what serves all rounds. A QC speaks of the round that it opens. */
export function roundOf(message: WireMessage): number | undefined {
  switch (message.kind) {
    case 'Proposal':
      return message.block.header.round;
    case 'Vote':
      return message.vote.round;
    case 'QC':
      return message.qc.round + 1;
    case 'ViewChange':
    case 'NewView':
      return message.round;
    default:
      return undefined;
  }
}

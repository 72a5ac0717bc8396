/** What a node holds of others' words stays bounded, whatever they send. Read off its snapshots. Rules CS-13, SM-4. */
import type { System } from '../../actors/runtime/index.ts';
import { epochOf, evidencePoolOf, treeOf, viewOf } from '../../node/views.ts';
import type { Report } from './claim.ts';

export const BOUNDED = 'what a node holds of others is bounded';

/** Rounds of one validator in a book, verified certificates, failed rounds, blocks. @source docs/protocol/consensus.md */
const ROUNDS_PER_VALIDATOR = 4;
const VERIFIED = 128;
const BLOCKS = 4_096;
const WAITING_PER_LEADER = 2;

/** @param nodes all that can ever be validators, at least */
export function checkBounds(node: string, system: System, nodes: number, report: Report): void {
  const epoch = epochOf(system);
  const validators = epoch?.set.validators.length ?? nodes;
  const tree = treeOf(system);
  const view = viewOf(system);
  const pool = evidencePoolOf(system)?.pool;
  const held: readonly (readonly [what: string, size: number, limit: number])[] = [
    ['rounds of votes', tree?.votes.rounds.size ?? 0, ROUNDS_PER_VALIDATOR * validators],
    ['rounds of timeouts', view?.book.rounds.size ?? 0, ROUNDS_PER_VALIDATOR * validators],
    ['verified certificates', tree?.verified.digests.length ?? 0, VERIFIED],
    ['verified certificates of view-change', view?.verified.digests.length ?? 0, VERIFIED],
    ['blocks', tree?.tree.blocks.size ?? 0, BLOCKS],
    ['evidence', pool?.pending.size ?? 0, 2 * nodes * 2],
    // Two of each validator in an epoch (CS-14).
    ['offences that the chain carries', pool?.carried.size ?? 0, 2 * nodes * (1 + (epoch?.epoch ?? 0))],
    ['newest votes', tree?.newestVotes.size ?? 0, validators],
    ['newest timeouts', tree?.timeouts.size ?? 0, validators],
    ['waiting proposals', waitingIn(tree), WAITING_PER_LEADER * validators],
  ];
  for (const [what, size, limit] of held) {
    if (size > limit) report(BOUNDED, `${node}: ${size} ${what}, at most ${limit}`);
  }
}

const waitingIn = (tree: ReturnType<typeof treeOf>): number =>
  [...(tree?.waiting.values() ?? [])].reduce((sum, proposals) => sum + proposals.length, 0);

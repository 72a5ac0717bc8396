/**
 * Equivocation: of one round one half is told one block or vote, the other half another; now and then someone is told
 * both, and can prove it (CS-14). Rule SM-3.
 */
import { utf8 } from '../../base/bytes.ts';
import { digestOf, sameStatement } from '../../protocol/chain/canonical.ts';
import { parseBlockId } from '../../protocol/chain/parse.ts';
import type { BlockId, Round, VoteStatement } from '../../protocol/chain/types.ts';
import type { ProposalMessage } from '../../protocol/consensus/types.ts';
import { instead, type Letter, type LieModule, type LieTools } from './lie.ts';
import { timeBy } from './pen.ts';

/** Share of the second half that is told the first statement too. @source chosen */
const BOTH_SHARE = 0.25;

export const equivocate: LieModule = {
  concerns: ['Proposal', 'Vote'],
  lie(sent, tools) {
    const { message } = sent;
    if (message.kind === 'Proposal' && message.vote.validator === tools.signer.address) {
      if (!isInSecondHalf(sent, message.block.header.round, tools)) return [sent];
      return told(sent, instead(sent, secondProposal(message, tools)), tools);
    }
    if (message.kind === 'Vote' && message.vote.validator === tools.signer.address) {
      if (!isInSecondHalf(sent, message.vote.round, tools)) return [sent];
      const vote = tools.pen.vote(secondStatement(message.vote, tools));
      return told(sent, instead(sent, { kind: 'Vote', vote }), tools);
    }
    return [sent];
  },
};

const told = (first: Letter, second: ReturnType<typeof instead>, { draws }: LieTools) =>
  draws.next() < BOTH_SHARE ? [first, second] : [second];

/** Each round another half. */
function isInSecondHalf({ to }: Letter, round: Round, { epoch }: LieTools): boolean {
  const index = epoch.set.indexByAddress.get(to) ?? 0;
  return (index + round) % 2 === 0;
}

/** As valid as the first: without its batches, or a millisecond later where it has none. */
function secondProposal(first: ProposalMessage, { pen }: LieTools): ProposalMessage {
  const { batches, time } = first.block.header;
  return pen.proposal(first, { header: batches.length > 0 ? { batches: [] } : { time: timeBy(time, 1) } });
}

/** Another block of the round that it heard of, or one that nobody has. */
function secondStatement(first: VoteStatement, { memory }: LieTools): VoteStatement {
  const other = memory.votes.findLast(
    (vote) => vote.round === first.round && vote.epoch === first.epoch && !sameStatement(vote, first),
  );
  return other ?? { ...first, blockId: inventedId(`equivocation of ${first.blockId}`) ?? first.parentId };
}

/** The id of a block that does not exist. */
export function inventedId(text: string): BlockId | undefined {
  const id = parseBlockId(digestOf(utf8(text)));
  return id === 'malformed' ? undefined : id;
}

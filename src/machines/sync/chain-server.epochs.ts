/** What the chain-server tells of epochs that have ended, for those who come to them without their blocks. Pure. Rules SY-10, SY-16, docs/protocol/sync.md. */
import type { Monotonic } from '../../base/units.ts';
import { ANSWER_COST_BYTES_MIN, changesThatFit } from '../../protocol/sync/serving.ts';
import {
  answered,
  type ChainServerContext,
  charged,
  type Decided,
  type Found,
  taken,
} from './chain-server.live.ts';

/** What storage keeps was verified before; its bytes cost the asker's share, as those of blocks do. */
export function answerEpochs(
  context: ChainServerContext,
  { tag, changes: found }: Found<'epochs.found'>,
  now: Monotonic,
): Decided {
  const { asked, rest } = taken(context, tag);
  if (asked?.step !== 'epochs') return {};
  const { changes, bytes } = changesThatFit(asked.question.from, found);
  const done = answered(context, rest, asked, { kind: 'Epochs', changes });
  const shares = charged(context, asked.peer, Math.max(ANSWER_COST_BYTES_MIN, bytes), now);
  return { ...done, context: { ...done.context, shares } };
}

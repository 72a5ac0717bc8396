/** What the chain-server tells of the whole chain: the tip with its proof, ids, checkpoints. Pure. Rules SY-3, SY-9, docs/protocol/sync.md. */
import { GENESIS_HEIGHT } from '../../protocol/chain/ordinals.ts';
import type { CellAddress } from '../../protocol/supervision/effect.ts';
import { statesCommitOf } from '../../protocol/sync/claims.ts';
import type { ChainCheckpoint } from '../../protocol/sync/messages.ts';
import { checkpointHeights } from '../../protocol/sync/serving.ts';
import {
  answered,
  type ChainServerContext,
  type Decided,
  type Found,
  taken,
  type Waiting,
} from './chain-server.live.ts';
import { read } from './chain-server.questions.ts';

/** SY-3: the newest committed block with the proof of its commit; or the first step of a chain's description. */
export function takeTip(
  context: ChainServerContext,
  { tag, base, height, id, proof }: Found<'tip.found'>,
  replyTo: CellAddress,
): Decided {
  const { asked, rest } = taken(context, tag);
  const noted = { ...context, height };
  // That of an epoch's last block may be high above it: it says at least in which epoch this node is (CS-16).
  const proven = proof === undefined ? {} : { proof };
  if (asked?.step === 'tip') {
    return answered(noted, rest, asked, { kind: 'BlockHeight', base, height, tipId: id, ...proven });
  }
  if (asked?.step !== 'chainTip') return {};
  if (height === GENESIS_HEIGHT) {
    return answered(noted, rest, asked, { kind: 'Chain', base, checkpoints: [{ height, id }] });
  }
  const heights = checkpointHeights(base, height);
  const { peer, requestId, size, stage } = asked;
  // Of a whole chain's description only a proof of its tip counts: what is above the end of an epoch was discarded.
  const direct = proof !== undefined && statesCommitOf(proof, { height, id }) ? proof : undefined;
  const next: Waiting = { step: 'checkpoints', base, proof: direct, heights, peer, requestId, size, stage };
  return read({ ...noted, waiting: rest }, next, replyTo);
}

export function answerIds(context: ChainServerContext, { tag, ids }: Found<'blockIds.found'>): Decided {
  const { asked, rest } = taken(context, tag);
  if (asked?.step === 'id') {
    const id = ids.find(({ height }) => height === asked.height)?.id;
    const message = { kind: 'BlockHash', height: asked.height } as const;
    return answered(context, rest, asked, id === undefined ? message : { ...message, id });
  }
  if (asked?.step !== 'checkpoints') return {};
  const checkpoints: readonly ChainCheckpoint[] = ids.map(({ height, id }) => ({ height, id }));
  const proven = asked.proof === undefined ? {} : { proof: asked.proof };
  return answered(context, rest, asked, { kind: 'Chain', base: asked.base, ...proven, checkpoints });
}

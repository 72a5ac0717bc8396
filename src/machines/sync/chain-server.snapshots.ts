/** What the chain-server gives of the snapshots that this node keeps. Pure. Rule SY-10, docs/protocol/sync.md. */
import type { Monotonic } from '../../base/units.ts';
import type { SnapshotKeeperReply } from '../../protocol/ports/snapshots.ts';
import { ANSWER_COST_BYTES_MIN } from '../../protocol/sync/serving.ts';
import { answered, type ChainServerContext, charged, type Decided, taken } from './chain-server.live.ts';

type FromKeeper<Type extends SnapshotKeeperReply['type']> = Extract<SnapshotKeeperReply, { type: Type }>;

/** SY-10: the newest snapshot that this node keeps. */
export function answerManifest(
  context: ChainServerContext,
  { tag, manifest }: FromKeeper<'manifest.found'>,
): Decided {
  const { asked, rest } = taken(context, tag);
  if (asked?.step !== 'manifest') return {};
  const message = { kind: 'Snapshot', ...(manifest === undefined ? {} : { manifest }) } as const;
  return keeperAnswered(answered(context, rest, asked, message), tag);
}

/** SY-10: its bytes cost the asker's share, as those of blocks do. */
export function answerChunk(
  context: ChainServerContext,
  { tag, bytes }: FromKeeper<'chunk.found'>,
  now: Monotonic,
): Decided {
  const { asked, rest } = taken(context, tag);
  if (asked?.step !== 'chunk') return {};
  const message = { kind: 'SnapshotChunk', ...(bytes === undefined ? {} : { bytes }) } as const;
  const done = answered(context, rest, asked, message);
  const cost = Math.max(ANSWER_COST_BYTES_MIN, bytes?.byteLength ?? 0);
  const shares = charged(context, asked.peer, cost, now);
  return keeperAnswered({ ...done, context: { ...done.context, shares } }, tag);
}

const keeperAnswered = (done: Decided, tag: number): Decided => ({
  ...done,
  effects: [...(done.effects ?? []), { kind: 'cancelTimer', key: `keeper/${tag}` }],
});

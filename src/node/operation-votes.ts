/**
 * Votes on the blocks that carry pending operations: operation → batch → block → the votes of its round, read off their owners'
 * snapshots whenever somebody asks. Pure. Rule BR-1, docs/protocol/bridge.md.
 */
import type { LiveTree } from '../machines/consensus/round-manager.setup.ts';
import { powerOfSigners } from '../protocol/chain/signers.ts';
import type {
  Block,
  BlockId,
  Digest,
  Power,
  QuorumCertificate,
  ValidatorSet,
} from '../protocol/chain/types.ts';
import { isValidator, powerOf } from '../protocol/chain/validator-set.ts';
import { votesIn } from '../protocol/consensus/vote-book.ts';
import { lookup } from '../protocol/mempool/sharded-map.ts';
import type { MempoolState } from '../protocol/mempool/state.ts';

/** What is read, of whom; a cell that is down gives nothing. */
export interface VoteOwners {
  readonly validators: ValidatorSet;
  readonly mempool:
    | Pick<MempoolState, 'author' | 'batches' | 'committedHeight' | 'executedHeight'>
    | undefined;
  readonly live: Pick<LiveTree, 'tree' | 'votes' | 'committing'> | undefined;
}

interface Carrier {
  readonly id: BlockId;
  readonly block: Block;
  readonly qc: QuorumCertificate | undefined;
}

/**
 * Power of the votes for the newest block that carries each; 0 where none does. Undefined where this node does not know which block
 * does: the batch is another's, or the block is committed and waits for its execution.
 */
export function votesReceived(
  ids: ReadonlySet<Digest>,
  { validators, mempool, live }: VoteOwners,
): (id: Digest) => Power | undefined {
  if (ids.size === 0 || mempool === undefined || live === undefined) return () => undefined;
  const votes = new Map<Digest, Power>();
  for (const carrier of carriersOf(live)) {
    const carried = carrier.block.header.batches
      .flatMap(({ digest }) => lookup(mempool.batches, digest)?.own?.hashes ?? [])
      .filter((hash) => ids.has(hash));
    if (carried.length === 0) continue;
    const power = votesFor(carrier, live, validators);
    for (const hash of carried) votes.set(hash, power);
  }
  const isWholeTruth =
    isValidator(validators, mempool.author) && mempool.executedHeight >= mempool.committedHeight;
  return (id) => votes.get(id) ?? (isWholeTruth ? 0n : undefined);
}

/** Blocks that are not durable as committed, in the order of their rounds. */
function carriersOf({ tree, committing }: NonNullable<VoteOwners['live']>): readonly Carrier[] {
  const decided = committing.flatMap(({ blocks }) => blocks);
  const open = [...tree.blocks.values()].map(({ id, block }) => ({
    ...{ id, block, qc: tree.certificates.get(id) },
  }));
  return [...decided, ...open].sort(
    ({ block: one }, { block: other }) => one.header.round - other.header.round,
  );
}

/** A vote in that round for another block is none for this one. Who does not collect votes sees those of the QC. */
function votesFor(
  { id, block, qc }: Carrier,
  { votes }: NonNullable<VoteOwners['live']>,
  validators: ValidatorSet,
): Power {
  let seen = 0n;
  for (const [validator, { blockId }] of votesIn(votes, block.header.round)) {
    if (blockId === id) seen += powerOf(validators, validator);
  }
  const certified = qc === undefined ? 0n : powerOfSigners(validators, qc.signers);
  return certified !== 'malformed' && certified > seen ? certified : seen;
}

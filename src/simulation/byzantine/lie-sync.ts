/**
 * A validator that serves those who catch up badly, and is honest otherwise. In which ways is drawn at its first answer and
 * kept: false claims, other blocks, gaps, orphans, endless chains, silence. Deterministic. Rules SM-3, SY-3 to SY-8.
 */
import { utf8 } from '../../base/bytes.ts';
import { digestOf } from '../../protocol/chain/canonical.ts';
import { GENESIS_HEIGHT, ORDINAL_MAX } from '../../protocol/chain/ordinals.ts';
import type { PeerMessage } from '../../protocol/consensus/types.ts';
import type { BlockHeightMessage, BlocksMessage, SyncAnswer } from '../../protocol/sync/messages.ts';
import type { NodeId } from '../../protocol/transport/messages.ts';
import { inventedId } from './equivocate.ts';
import { instead, type LieModule, type LieTools } from './lie.ts';
import { BLOCKS_WAYS } from './lie-sync-blocks.ts';
import { heightBy } from './pen.ts';
import { anyOf } from './stale-certificates.ts';

type AnswerKind = SyncAnswer['kind'];
type AnswerOf<Kind extends AnswerKind> = Extract<SyncAnswer, { kind: Kind }>;

/** What leaves instead of one answer of each kind that the way concerns. */
type Way = {
  readonly [Kind in AnswerKind]?: (
    told: AnswerOf<Kind>,
    tools: LieTools,
    to: NodeId,
  ) => readonly SyncAnswer[];
};

const KINDS = [
  'Blocks',
  'BlockHeight',
  'GenesisHash',
  'BlockHash',
  'Chain',
  'Snapshot',
  'SnapshotChunk',
  'Epochs',
] as const satisfies readonly AnswerKind[];

/** Heights that an endless chain is ahead, more with every claim. @unit heights */
const AHEAD = 500;
/** Answers that nobody asked for, with each that somebody did. @unit answers */
const EXTRAS = 3;
/** Answers that a trickle holds back; above it the oldest is never given. @unit answers */
const HELD_MAX = 16;
/** Each further way is drawn for one liar in so many. @unit liars */
const ONE_IN = 8;

const FIRST = heightBy(GENESIS_HEIGHT, 1);
const LAST = heightBy(GENESIS_HEIGHT, ORDINAL_MAX);

const nothing = (): readonly SyncAnswer[] => [];

const blocks = (lie: (told: BlocksMessage, tools: LieTools) => BlocksMessage): Way => ({
  Blocks: (told, tools) => [lie(told, tools)],
});
const claim = (lie: (told: BlockHeightMessage, tools: LieTools) => BlockHeightMessage): Way => ({
  BlockHeight: (told, tools) => [lie(told, tools)],
});

/** By name, so that a test can choose one. */
export const SYNC_WAYS = {
  'all-heights': claim(({ proof: _, ...told }) => ({ ...told, base: FIRST, height: LAST })),
  'all-heights-proved': claim((told) => ({ ...told, base: FIRST, height: LAST })),
  'base-above': claim((told) => ({ ...told, base: heightBy(told.height, 1) })),
  'proof-of-another': claim((told, { memory, draws }) => {
    const proof = anyOf(memory.qcs, draws) ?? told.proof;
    return proof === undefined ? told : { ...told, height: heightBy(told.height, 1), proof };
  }),
  'certified-as-committed': claim((told, { memory }) => {
    const newest = memory.qcs.at(-1);
    return newest === undefined
      ? told
      : { ...told, height: newest.height, tipId: newest.blockId, proof: newest };
  }),
  endless: {
    BlockHeight: (told, { memory }) => {
      const by = AHEAD * (1 + memory.ofKind('BlockHeight').length);
      return [{ ...told, height: heightBy(told.height, by) }];
    },
    Blocks: (told) => [{ ...told, height: heightBy(told.height, AHEAD) }],
  },
  'falls-back': claim((told, { draws }) =>
    draws.below(2) === 0 ? told : { ...told, height: heightBy(told.height, -1) },
  ),
  'nothing-held': {
    BlockHeight: ({ requestId }, { epoch: { rootQC } }) => [
      {
        kind: 'BlockHeight',
        requestId,
        base: GENESIS_HEIGHT,
        height: GENESIS_HEIGHT,
        tipId: rootQC.blockId,
      },
    ],
    Blocks: (told) => [{ ...told, blocks: [], batches: [] }],
  },
  'other-genesis': {
    GenesisHash: (told) => [{ ...told, genesisHash: digestOf(utf8(`not ${told.genesisHash}`)) }],
  },
  'other-ids': {
    BlockHeight: ({ proof: _, ...told }) => [{ ...told, tipId: inventedId(told.tipId) ?? told.tipId }],
    BlockHash: (told) => {
      const id = inventedId(`at ${told.height}`);
      return [id === undefined ? told : { ...told, id }];
    },
    Chain: (told) => [
      {
        ...told,
        checkpoints: told.checkpoints.map(({ height, id }) => ({ height, id: inventedId(id) ?? id })),
      },
    ],
  },
  'field-changed': blocks(BLOCKS_WAYS.fieldChanged),
  rewritten: blocks(BLOCKS_WAYS.rewritten),
  'inner-certificate': blocks(BLOCKS_WAYS.innerCertificate),
  'newest-certificate': blocks(BLOCKS_WAYS.newestCertificate),
  'other-batches': blocks(BLOCKS_WAYS.otherBatches),
  gap: blocks(BLOCKS_WAYS.gap),
  orphans: blocks(BLOCKS_WAYS.orphans),
  'other-blocks': blocks(BLOCKS_WAYS.otherBlocks),
  'too-many': blocks(BLOCKS_WAYS.tooMany),
  trickle: {
    Blocks: (told, tools, to) => {
      hold(to, BLOCKS_WAYS.trickle(told), tools);
      return [];
    },
    BlockHeight: (told, tools, to) => [told, ...release(to, tools)],
    GenesisHash: (told, tools, to) => [told, ...release(to, tools)],
    BlockHash: (told, tools, to) => [told, ...release(to, tools)],
  },
  seam: blocks(BLOCKS_WAYS.seam),
  'silent-to-blocks': { Blocks: nothing },
  silent: Object.fromEntries(KINDS.map((kind) => [kind, nothing])),
  unasked: Object.fromEntries(KINDS.map((kind) => [kind, repeated])),
} as const satisfies Readonly<Record<string, Way>>;

export type SyncWay = keyof typeof SYNC_WAYS;
export const SYNC_WAY_NAMES = Object.keys(SYNC_WAYS).filter((name): name is SyncWay =>
  Object.hasOwn(SYNC_WAYS, name),
);

/** The tools are a liar's own. */
const chosen = new WeakMap<LieTools, readonly Way[]>();

export const lieSync: LieModule = {
  concerns: KINDS,
  lie(sent, tools) {
    const { message } = sent;
    if (!isAnswer(message)) return [sent];
    const ways = chosen.get(tools) ?? drawWays(tools);
    chosen.set(tools, ways);
    const lies = ways.flatMap((way) => (way[message.kind] === undefined ? [] : [way]));
    const way = anyOf(lies, tools.draws);
    return way === undefined
      ? [sent]
      : told(way, message, tools, sent.to).map((answer) => instead(sent, answer));
  },
};

/** One way, and now and then others besides. */
function drawWays({ draws }: LieTools): readonly Way[] {
  const first = draws.below(SYNC_WAY_NAMES.length);
  return SYNC_WAY_NAMES.filter((_, place) => draws.below(ONE_IN) === 0 || place === first).map(
    (name): Way => SYNC_WAYS[name],
  );
}

function told(way: Way, message: SyncAnswer, tools: LieTools, to: NodeId): readonly SyncAnswer[] {
  switch (message.kind) {
    case 'Blocks':
      return way.Blocks?.(message, tools, to) ?? [message];
    case 'BlockHeight':
      return way.BlockHeight?.(message, tools, to) ?? [message];
    case 'GenesisHash':
      return way.GenesisHash?.(message, tools, to) ?? [message];
    case 'BlockHash':
      return way.BlockHash?.(message, tools, to) ?? [message];
    case 'Chain':
      return way.Chain?.(message, tools, to) ?? [message];
    case 'Snapshot':
      return way.Snapshot?.(message, tools, to) ?? [message];
    case 'SnapshotChunk':
      return way.SnapshotChunk?.(message, tools, to) ?? [message];
    case 'Epochs':
      return way.Epochs?.(message, tools, to) ?? [message];
  }
}

interface Held {
  readonly to: NodeId;
  readonly answer: BlocksMessage;
}
/** Answers that wait until their asker asks for something else: a liar has no clock. The tools are its own. */
const held = new WeakMap<LieTools, readonly Held[]>();

function hold(to: NodeId, answer: BlocksMessage, tools: LieTools): void {
  held.set(tools, [...(held.get(tools) ?? []), { to, answer }].slice(-HELD_MAX));
}

function release(to: NodeId, tools: LieTools): readonly BlocksMessage[] {
  const all = held.get(tools) ?? [];
  held.set(
    tools,
    all.filter((one) => one.to !== to),
  );
  return all.flatMap((one) => (one.to === to ? [one.answer] : []));
}

/** The truth, and the same under other numbers. */
function repeated(answer: SyncAnswer): readonly SyncAnswer[] {
  const { requestId } = answer;
  return Array.from({ length: EXTRAS + 1 }, (_, more) => ({ ...answer, requestId: requestId + more }));
}

const isAnswer = (message: PeerMessage): message is SyncAnswer => KINDS.some((kind) => kind === message.kind);

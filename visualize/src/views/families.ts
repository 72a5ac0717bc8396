/**
 * The kinds of messages between nodes in families: what a legend has room for, what has a colour and a head of its own. Pure data.
 * Kinds are those of src/protocol/transport/kinds.ts; an unknown one is 'other', so that a newer node is still shown.
 */

export type Family =
  | 'proposal'
  | 'vote'
  | 'certificate'
  | 'viewChange'
  | 'batch'
  | 'operation'
  | 'sync'
  | 'clock'
  | 'gossip'
  | 'other';

/** How the end of an arrow looks: a family is told by its shape without its colour. */
export type Head = 'triangle' | 'open' | 'diamond' | 'square' | 'dot' | 'bar';

export interface FamilyCard {
  readonly family: Family;
  readonly label: string;
  readonly says: string;
  readonly head: Head;
  /** Shown before anybody chose. */
  readonly isShown: boolean;
}

/** In the order of a legend. */
export const FAMILIES: readonly FamilyCard[] = [
  {
    family: 'proposal',
    label: 'proposal',
    says: 'the leader proposes a block',
    head: 'triangle',
    isShown: true,
  },
  {
    family: 'vote',
    label: 'vote',
    says: 'a validator votes, to the next leader',
    head: 'open',
    isShown: true,
  },
  {
    family: 'certificate',
    label: 'QC',
    says: 'a quorum’s votes, in one certificate',
    head: 'diamond',
    isShown: true,
  },
  {
    family: 'viewChange',
    label: 'view change',
    says: 'a round had no QC: ViewChange, NewView',
    head: 'square',
    isShown: true,
  },
  { family: 'batch', label: 'batch', says: 'transactions, ahead of their block', head: 'dot', isShown: true },
  {
    family: 'operation',
    label: 'operation',
    says: 'handed on by the bridge, and answered',
    head: 'dot',
    isShown: true,
  },
  {
    family: 'sync',
    label: 'sync',
    says: 'blocks, epochs, snapshots for who is behind',
    head: 'bar',
    isShown: true,
  },
  { family: 'clock', label: 'clock', says: 'one clock asks another', head: 'dot', isShown: false },
  {
    family: 'gossip',
    label: 'gossip',
    says: 'addresses, states, evidence, pings',
    head: 'dot',
    isShown: false,
  },
  { family: 'other', label: 'other', says: 'kinds that this page does not know', head: 'dot', isShown: true },
];

const OF_KIND: Readonly<Record<string, Family>> = {
  Proposal: 'proposal',
  Vote: 'vote',
  QC: 'certificate',
  ViewChange: 'viewChange',
  NewView: 'viewChange',
  Batch: 'batch',
  BatchAck: 'batch',
  GetBatch: 'batch',
  SubmitOperations: 'operation',
  OperationsAnswered: 'operation',
  EpochChange: 'sync',
  GetEpochChange: 'sync',
  GetBlock: 'sync',
  GetBlocks: 'sync',
  Blocks: 'sync',
  GetBlockHeight: 'sync',
  BlockHeight: 'sync',
  GetGenesisHash: 'sync',
  GenesisHash: 'sync',
  GetBlockHash: 'sync',
  BlockHash: 'sync',
  GetChain: 'sync',
  Chain: 'sync',
  GetSnapshot: 'sync',
  Snapshot: 'sync',
  GetSnapshotChunk: 'sync',
  SnapshotChunk: 'sync',
  GetEpochs: 'sync',
  Epochs: 'sync',
  TimeRequest: 'clock',
  TimeReply: 'clock',
  StateSync: 'gossip',
  Evidence: 'gossip',
  VoteShown: 'gossip',
  Hello: 'gossip',
  Ping: 'gossip',
  Pong: 'gossip',
  Addresses: 'gossip',
};

export const familyOf = (kind: string): Family => OF_KIND[kind] ?? 'other';

const CARDS: ReadonlyMap<Family, FamilyCard> = new Map(FAMILIES.map((card) => [card.family, card]));

export const headOf = (family: Family): Head => CARDS.get(family)?.head ?? 'dot';

export const FIRST_SHOWN: ReadonlySet<Family> = new Set(
  FAMILIES.filter(({ isShown }) => isShown).map(({ family }) => family),
);

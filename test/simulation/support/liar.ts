/** A cluster of four of which validator 3 lies: its process runs, and what it says is tampered with on the way. */
import { ADDRESSES } from '../../../src/actors/addresses.ts';
import { millis } from '../../../src/base/units.ts';
import {
  blockIdOf,
  statementOf,
  viewChangeStatementBytes,
  voteStatementBytes,
} from '../../../src/protocol/chain/canonical.ts';
import type { Block, Header, Vote, VoteStatement } from '../../../src/protocol/chain/types.ts';
import type {
  PeerMessage,
  ProposalMessage,
  ViewChangeMessage,
} from '../../../src/protocol/consensus/types.ts';
import { Cluster } from '../../../src/simulation/cluster.ts';
import type { Transit } from '../../../src/transport/hub.ts';

export const LIAR = 3;
export const HONEST = [0, 1, 2] as const;

/** What happens to one message of the liar's. */
export type Lie = (message: PeerMessage, to: number, liar: Liar) => 'pass' | 'drop';

export class Liar {
  readonly run: Cluster;
  /** Blames by honest validators: `<code> <index of the blamed>` → times. */
  readonly blames = new Map<string, number>();
  /** What the liar heard and said, newest last; at most 10,000. */
  readonly overheard: PeerMessage[] = [];
  #lie: Lie = () => 'pass';
  readonly #own = new WeakSet<PeerMessage>();

  constructor(seed: string) {
    this.run = new Cluster({
      seed,
      liars: [LIAR],
      timeouts: { emptyBlockIntervalMs: millis(200) },
      tamper: (transit) => this.#tamper(transit),
    });
    for (const index of HONEST) {
      this.run.node(index).process?.system.inspect({
        transition: ({ address, event }) => {
          if (address === ADDRESSES.router && event.type === 'peer.misbehaved') this.#blame(event);
        },
      });
    }
  }

  lies(lie: Lie): void {
    this.#lie = lie;
  }

  say(to: number, message: PeerMessage): void {
    this.#own.add(message);
    this.run.inject(LIAR, to, message);
  }

  sayToAll(message: PeerMessage): void {
    for (const to of HONEST) this.say(to, message);
  }

  #tamper({ from, to, message }: Transit): 'pass' | 'drop' {
    const { run } = this;
    const indexOf = (id: string): number => run.nodes.findIndex(({ address }) => address === id);
    if (!isOfConsensus(message)) return 'pass';
    if (indexOf(to) === LIAR || indexOf(from) === LIAR) {
      this.overheard.push(message);
      if (this.overheard.length > 10_000) this.overheard.shift();
    }
    if (indexOf(from) !== LIAR || this.#own.has(message)) return 'pass';
    return this.#lie(message, indexOf(to), this);
  }

  #blame(event: object): void {
    if (!('peer' in event && 'code' in event)) return;
    const index = this.run.nodes.findIndex(({ address }) => address === event.peer);
    const key = `${String(event.code)} ${index}`;
    this.blames.set(key, (this.blames.get(key) ?? 0) + 1);
  }

  /** The honest validators that someone honest has blamed. */
  get slandered(): readonly string[] {
    return [...this.blames.keys()].filter((key) => !key.endsWith(` ${LIAR}`));
  }

  /** How often the liar was blamed for `code`. */
  blamed(code: string): number {
    return this.blames.get(`${code} ${LIAR}`) ?? 0;
  }

  /** A block with another header, signed by the liar. */
  proposal(original: ProposalMessage, change: Partial<Header>, qc = original.block.qc): ProposalMessage {
    const block: Block = { header: { ...original.block.header, ...change }, qc };
    const vote = this.vote(statementOf(block, blockIdOf(this.run.epoch.domain, block)));
    return { ...original, block, vote };
  }

  vote(statement: VoteStatement): Vote {
    const { address, sign } = this.run.signerOf(LIAR);
    const { epoch, round, height, blockId, parentId, parentRound } = statement;
    const signature = sign(voteStatementBytes(this.run.epoch.domain, statement)) ?? new Uint8Array();
    return { epoch, round, height, blockId, parentId, parentRound, validator: address, signature };
  }

  /** A timeout that the liar signs, whatever it says. */
  timeout(content: Omit<ViewChangeMessage, 'kind' | 'epoch' | 'validator' | 'signature'>): ViewChangeMessage {
    const { domain, epoch } = this.run.epoch;
    const { address, sign } = this.run.signerOf(LIAR);
    const statement = viewChangeStatementBytes(domain, epoch, content.round, content.highQC.round);
    const signature = sign(statement) ?? new Uint8Array();
    return { kind: 'ViewChange', epoch, ...content, validator: address, signature };
  }
}

const KINDS: Readonly<Record<PeerMessage['kind'], true>> = {
  Proposal: true,
  Vote: true,
  QC: true,
  ViewChange: true,
  NewView: true,
  EpochChange: true,
  GetEpochChange: true,
  Evidence: true,
  VoteShown: true,
  Batch: true,
  BatchAck: true,
  GetBatch: true,
  GetBlocks: true,
  GetBlock: true,
  Blocks: true,
  GetBlockHeight: true,
  BlockHeight: true,
  GetGenesisHash: true,
  GenesisHash: true,
  GetBlockHash: true,
  BlockHash: true,
  GetChain: true,
  Chain: true,
  GetSnapshot: true,
  Snapshot: true,
  GetSnapshotChunk: true,
  SnapshotChunk: true,
  GetEpochs: true,
  Epochs: true,
  TimeRequest: true,
  TimeReply: true,
  StateSync: true,
  SubmitOperations: true,
  OperationsAnswered: true,
};

const isOfConsensus = (message: Transit['message']): message is PeerMessage =>
  Object.hasOwn(KINDS, message.kind);

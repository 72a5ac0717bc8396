/**
 * What a liar remembers of what it said and heard: the newest messages, and the certificates in them. Bounded: the oldest
 * goes first. Deterministic. Rule SM-3.
 */
import type { QuorumCertificate, Round, TimeoutCertificate, Vote } from '../../protocol/chain/types.ts';
import type { PeerMessage, PeerMessageKind } from '../../protocol/consensus/types.ts';

/** @unit messages @source chosen: a few rounds of n = 16 */
const MESSAGES_MAX = 256;
/** Of each sort, one a round. @unit certificates @source chosen */
const CERTIFICATES_MAX = 32;
/** @unit votes */
const VOTES_MAX = 256;

type OfKind<Kind extends PeerMessageKind> = Extract<PeerMessage, { kind: Kind }>;

export class Memory {
  readonly #messages: PeerMessage[] = [];
  readonly #qcs = new Map<Round, QuorumCertificate>();
  readonly #tcs = new Map<Round, TimeoutCertificate>();
  readonly #votes: Vote[] = [];

  note(message: PeerMessage): void {
    // One message to many is noted once.
    if (this.#messages.at(-1) === message) return;
    push(this.#messages, message, MESSAGES_MAX);
    switch (message.kind) {
      case 'Proposal':
        this.#noteQc(message.block.qc);
        this.#noteTc(message.tc);
        push(this.#votes, message.vote, VOTES_MAX);
        return;
      case 'Vote':
        push(this.#votes, message.vote, VOTES_MAX);
        return;
      case 'QC':
        this.#noteQc(message.qc);
        return;
      case 'ViewChange':
        this.#noteQc(message.highQC);
        this.#noteTc(message.lastTC);
        if (message.lastVote !== undefined) push(this.#votes, message.lastVote, VOTES_MAX);
        return;
      case 'NewView':
        this.#noteTc(message.tc);
        return;
      case 'Blocks':
        for (const { block, qc } of message.blocks) for (const one of [block.qc, qc]) this.#noteQc(one);
        return;
      case 'BlockHeight':
      case 'Chain':
        if (message.proof !== undefined) this.#noteQc(message.proof);
        return;
      default:
    }
  }

  /** Oldest first. */
  get messages(): readonly PeerMessage[] {
    return this.#messages;
  }

  ofKind<Kind extends PeerMessageKind>(kind: Kind): readonly OfKind<Kind>[] {
    return this.#messages.filter((message): message is OfKind<Kind> => message.kind === kind);
  }

  /** Ascending by round. */
  get qcs(): readonly QuorumCertificate[] {
    return [...this.#qcs.values()].sort((left, right) => left.round - right.round);
  }

  /** Ascending by round. */
  get tcs(): readonly TimeoutCertificate[] {
    return [...this.#tcs.values()].sort((left, right) => left.round - right.round);
  }

  qcsBelow(round: Round): readonly QuorumCertificate[] {
    return this.qcs.filter((qc) => qc.round < round);
  }

  tcsBelow(round: Round): readonly TimeoutCertificate[] {
    return this.tcs.filter((tc) => tc.round < round);
  }

  /** In the order in which they were seen. */
  get votes(): readonly Vote[] {
    return this.#votes;
  }

  #noteQc(qc: QuorumCertificate): void {
    remember(this.#qcs, qc.round, qc);
  }

  #noteTc(tc: TimeoutCertificate | undefined): void {
    if (tc === undefined) return;
    remember(this.#tcs, tc.round, tc);
    this.#noteQc(tc.highQC);
  }
}

function push<Item>(list: Item[], item: Item, max: number): void {
  list.push(item);
  if (list.length > max) list.shift();
}

function remember<Value>(map: Map<Round, Value>, round: Round, value: Value): void {
  if (map.has(round)) return;
  map.set(round, value);
  const oldest = map.keys().next();
  if (map.size > CERTIFICATES_MAX && !oldest.done) map.delete(oldest.value);
}

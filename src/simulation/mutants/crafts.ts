/**
 * Lies that no honest program ever starts, told besides the truth by one validator: each is the one thing that a rule
 * forbids, and everything else about it is right. For mutants of that rule. Rules SM-3, SM-8.
 */

import { utf8 } from '../../base/bytes.ts';
import { digestOf, epochHashOf, linkIdOf, viewChangeStatementBytes } from '../../protocol/chain/canonical.ts';
import { parseBlockId } from '../../protocol/chain/parse.ts';
import { bitmapOf } from '../../protocol/chain/signers.ts';
import type {
  Address,
  QuorumCertificate,
  Round,
  TimeoutCertificate,
  Vote,
} from '../../protocol/chain/types.ts';
import { validatorSet } from '../../protocol/chain/validator-set.ts';
import { doubleVote } from '../../protocol/consensus/evidence.ts';
import type { PeerMessage, ProposalMessage } from '../../protocol/consensus/types.ts';
import { encodeEpochProof } from '../../protocol/light/encoding.ts';
import type { BlocksMessage } from '../../protocol/sync/messages.ts';
import { epochBy, heightBy, type Pen, penOf, roundBy, timeBy } from '../byzantine/pen.ts';
import type { Cluster } from '../cluster.ts';
import type { Observer } from '../observer.ts';

/** What a craft is made with. */
interface Workshop {
  readonly run: Cluster;
  readonly self: Address;
  readonly pen: Pen;
  /** Seen go by, newest last. */
  readonly qcs: readonly QuorumCertificate[];
  readonly tcs: readonly TimeoutCertificate[];
}

type Make = (message: PeerMessage, shop: Workshop) => PeerMessage | undefined;

const ofProposal =
  (make: (message: ProposalMessage, shop: Workshop) => PeerMessage | undefined): Make =>
  (message, shop) =>
    message.kind === 'Proposal' ? make(message, shop) : undefined;

const HOUR_MICROS = 3_600_000_000;

const later = ({ block }: ProposalMessage) => ({ time: timeBy(block.header.time, 1) });

const MAKES = {
  /** A proposal in the round of another. */
  usurper: ofProposal((message, { pen, self }) =>
    pen.proposal(message, { header: { ...later(message), proposer: self } }),
  ),
  /** With the right TC, on an older QC than its signers reported. */
  'below-the-tc': ofProposal((message, { pen, qcs }) => {
    const best = message.tc?.highQC.round ?? 0;
    const older = qcs.findLast(({ round }) => round < best);
    return older === undefined ? undefined : pen.proposal(message, { header: later(message), qc: older });
  }),
  /** Its parent is not the block that its QC certifies. */
  'other-parent': ofProposal((message, { pen, qcs }) => {
    const other = qcs.findLast(({ round }) => round < message.block.qc.round);
    return other === undefined
      ? undefined
      : pen.proposal(message, { header: { ...later(message), parentId: other.blockId } });
  }),
  /** A vote or timeout under the signature of another statement. */
  'other-signature': (message, { pen }) => {
    if (message.kind === 'Vote') {
      const { signature } = pen.vote({ ...message.vote, parentRound: message.vote.round });
      return { kind: 'Vote', vote: { ...message.vote, signature } };
    }
    if (message.kind !== 'ViewChange') return undefined;
    const { signature } = pen.timeout(message, { round: roundBy(message.round, 1) });
    return { ...message, signature };
  },
  /** A TC of the present round in which the liar is everybody, once in each group. */
  'one-in-all-groups': (message, shop) =>
    message.kind === 'Vote' ? inflatedView(message.vote, shop) : undefined,
  /** A QC in which the liar is everybody: its bit, and bits beyond the set. */
  'one-in-all-places': (message, shop) =>
    message.kind === 'Vote' ? inflatedQC(message.vote, shop) : undefined,
  /** Besides its own answer about time one to the next question, which is another's to answer, an hour off. */
  'answer-for-another': (message) =>
    message.kind === 'TimeReply'
      ? {
          ...message,
          requestId: message.requestId + 1,
          receivedMicros: message.receivedMicros + HOUR_MICROS,
          repliedMicros: message.repliedMicros + HOUR_MICROS,
        }
      : undefined,
  /** Two votes of another in one round, under the liar's signature. */
  'false-evidence': (message, { run, self }) => {
    if (message.kind !== 'Vote') return undefined;
    const accused = run.epoch.set.validators.find(({ address }) => address !== self);
    const blockId = parseBlockId(digestOf(utf8(`never voted for, ${message.vote.blockId}`)));
    if (accused === undefined || blockId === 'malformed') return undefined;
    const vote = { ...message.vote, validator: accused.address };
    const evidence = doubleVote(vote, { ...vote, blockId });
    return evidence === undefined ? undefined : { kind: 'Evidence', evidence };
  },
  /** A block that ends its epoch when nothing asked for it, and names a next one that nobody computes. */
  'other-next-epoch': ofProposal((message, { pen }) => {
    const nextValidatorsHash = digestOf(utf8('another epoch'));
    if (message.block.header.batches.length > 0) return undefined;
    return pen.proposal(message, { header: { ...later(message), nextValidatorsHash } });
  }),
  /** The end of the present epoch, by nobody's certificate: the liar alone is the next set. */
  'false-epoch-change': ofProposal(({ block: { header, qc } }, { run, self }) => {
    const { validators } = run.epoch.set;
    const set = validatorSet(validators.filter(({ address }) => address === self));
    if ('code' in set) return undefined;
    const next = { epoch: epochBy(header.epoch, 1), validators: set, seed: run.epoch.hash, passedOver: [] };
    const last = { ...header, batches: [], nextValidatorsHash: epochHashOf(next) };
    const link = { header: last, parentRound: qc.round };
    const blockId = linkIdOf(run.epoch.domain, link);
    const { epoch, round, height, parentId } = last;
    const certified = { ...qc, epoch, round, height, blockId, parentId, parentRound: qc.round };
    const certificate = {
      ...certified,
      round: roundBy(round, 1),
      height: heightBy(height, 1),
      parentId: blockId,
    };
    const proof = {
      last: { path: [link], certificate: { ...certificate, parentRound: round } },
      next,
    } as const;
    return { kind: 'EpochChange', qc: certified, proof: encodeEpochProof(proof) };
  }),
  /** Blocks that nobody voted for, in answer to who has missed some. */
  'unproven-blocks': (message) => (message.kind === 'Blocks' ? unproven(message) : undefined),
} as const satisfies Readonly<Record<string, Make>>;

export type Craft = keyof typeof MAKES;
export const CRAFTS = Object.keys(MAKES).filter((name): name is Craft => Object.hasOwn(MAKES, name));

/** The usurper answers the proposals of others; any other craft goes before the liar's own message. */
export function crafting(cluster: () => Cluster, liar: number, craft: Craft): Observer {
  const qcs: QuorumCertificate[] = [];
  const tcs: TimeoutCertificate[] = [];
  let isCrafting = false;
  return {
    sent(instance, to, message) {
      if (isCrafting) return;
      if (message.kind === 'Proposal') {
        const { block, tc } = message;
        if (qcs.at(-1) !== block.qc) qcs.push(block.qc);
        if (tc !== undefined && tcs.at(-1) !== tc) tcs.push(tc);
      }
      if ((instance.validator === liar) === (craft === 'usurper')) return;
      const run = cluster();
      const { address: self } = run.node(liar).instance;
      const receiver = run.nodes.find(({ address }) => address === to)?.index;
      const lie = MAKES[craft](message, { run, self, pen: penOf(run.epoch, run.signerOf(liar)), qcs, tcs });
      if (lie === undefined || receiver === undefined || receiver === liar) return;
      isCrafting = true;
      run.inject(liar, receiver, lie);
      isCrafting = false;
    },
  };
}

function inflatedView({ round }: Vote, { run, self, qcs }: Workshop): PeerMessage | undefined {
  const { domain, epoch, set } = run.epoch;
  const known = [...new Set(qcs)]
    .filter((qc) => qc.round < round)
    .slice(-set.validators.length)
    .reverse();
  const [best] = known;
  if (best === undefined || known.length < set.validators.length - 1) return undefined;
  const signer = run.signerOf(run.nodes.findIndex(({ address }) => address === self));
  const sign = (highQcRound: Round) =>
    signer.sign(viewChangeStatementBytes(domain, epoch, round, highQcRound));
  const signature = run.bls.aggregateSignatures(known.flatMap((qc) => sign(qc.round) ?? []));
  const group = (qc: QuorumCertificate) => ({ highQcRound: qc.round, signers: bitmapOf(set, [self]) });
  if (signature === undefined) return undefined;
  const tc: TimeoutCertificate = {
    epoch,
    round,
    highQC: best,
    groups: [group(best), ...known.slice(1).map(group)],
    signature,
  };
  const next = roundBy(round, 1);
  return {
    kind: 'NewView',
    epoch,
    height: heightBy(best.height, 1),
    round: next,
    leader: run.leaderOf(next),
    tc,
  };
}

function inflatedQC(vote: Vote, { run, self, pen }: Workshop): PeerMessage | undefined {
  const { set } = run.epoch;
  const blockId = parseBlockId(digestOf(utf8(`everybody is one, ${vote.blockId}`)));
  if (blockId === 'malformed') return undefined;
  const { validator: _, ...voted } = pen.vote({ ...vote, blockId });
  const count = set.validators.length;
  const own = set.indexByAddress.get(self) ?? 0;
  const places = Array.from({ length: count }, (_, turn) => own + turn * count);
  const signers = new Uint8Array((count * count + 7) >> 3);
  for (const place of places) signers[place >> 3] = (signers[place >> 3] ?? 0) | (1 << (place & 7));
  const signature = run.bls.aggregateSignatures(places.map(() => voted.signature));
  return signature === undefined ? undefined : { kind: 'QC', qc: { ...voted, signers, signature } };
}

function unproven(message: BlocksMessage): PeerMessage | undefined {
  const last = message.blocks.at(-1);
  const blockId =
    last === undefined ? 'malformed' : parseBlockId(digestOf(utf8(`unproven ${last.qc.blockId}`)));
  if (last === undefined || blockId === 'malformed') return undefined;
  const signature = last.block.qc.signature;
  return { ...message, blocks: [...message.blocks.slice(0, -1), { ...last, qc: { ...last.qc, signature } }] };
}

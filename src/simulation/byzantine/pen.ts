/**
 * How a liar writes: messages of its own with other content, signed again with its own key, so that they pass every check
 * that looks at signatures alone. Pure but for the signer. Rule SM-3.
 */

import type { WallTime } from '../../base/units.ts';
import {
  blockIdOf,
  merkleRootOf,
  statementOf,
  viewChangeStatementBytes,
  voteStatementBytes,
} from '../../protocol/chain/canonical.ts';
import { nextHeight } from '../../protocol/chain/ordinals.ts';
import { parseBlockTime, parseEpoch, parseHeight, parseRound } from '../../protocol/chain/parse.ts';
import type {
  Block,
  Epoch,
  Header,
  Height,
  QuorumCertificate,
  Round,
  TimeoutCertificate,
  Vote,
  VoteStatement,
} from '../../protocol/chain/types.ts';
import type { EpochContext } from '../../protocol/consensus/epoch.ts';
import type { Signer } from '../../protocol/consensus/safety.ts';
import type { ProposalMessage, ViewChangeMessage } from '../../protocol/consensus/types.ts';

/** What stays away from a field that may be absent. */
export const NONE = 'none';

export interface ProposalChange {
  readonly header?: Partial<Header>;
  /** The header's parent and height follow it unless `header` says otherwise. */
  readonly qc?: QuorumCertificate;
  readonly tc?: TimeoutCertificate | typeof NONE;
}

export interface TimeoutChange {
  readonly round?: Round;
  readonly highQC?: QuorumCertificate;
  readonly lastTC?: TimeoutCertificate | typeof NONE;
  readonly lastVote?: Vote | typeof NONE;
  readonly tick?: number;
  readonly height?: Height;
  readonly reason?: ViewChangeMessage['reason'];
}

export interface Pen {
  /** The liar's vote for whatever. */
  vote(statement: VoteStatement): Vote;
  /** The liar's own proposal with another block. */
  proposal(original: ProposalMessage, change: ProposalChange): ProposalMessage;
  /** The liar's own timeout with other content. */
  timeout(original: ViewChangeMessage, change: TimeoutChange): ViewChangeMessage;
}

export function penOf({ domain }: EpochContext, { address, sign }: Signer): Pen {
  // A key that is not there signs with nothing: the receiver refuses it, as it should.
  const signed = (bytes: Uint8Array): Uint8Array => sign(bytes) ?? new Uint8Array(0);
  const vote = ({ epoch, round, height, blockId, parentId, parentRound }: VoteStatement): Vote => {
    const statement: VoteStatement = { epoch, round, height, blockId, parentId, parentRound };
    return { ...statement, validator: address, signature: signed(voteStatementBytes(domain, statement)) };
  };
  return {
    vote,
    proposal(original, change) {
      const { tc: before, ...rest } = original;
      const { block, tc } = changed(original, before, change);
      return {
        ...rest,
        block,
        vote: vote(statementOf(block, blockIdOf(domain, block))),
        ...(tc === undefined ? {} : { tc }),
      };
    },
    timeout(original, change) {
      const { lastTC: tcBefore, lastVote: voteBefore, ...rest } = original;
      const lastTC = chosen(change.lastTC, tcBefore);
      const lastVote = chosen(change.lastVote, voteBefore);
      const { round = original.round, highQC = original.highQC } = change;
      return {
        ...rest,
        round,
        highQC,
        tick: change.tick ?? original.tick,
        height: change.height ?? original.height,
        reason: change.reason ?? original.reason,
        ...(lastTC === undefined ? {} : { lastTC }),
        ...(lastVote === undefined ? {} : { lastVote }),
        validator: address,
        signature: signed(viewChangeStatementBytes(domain, original.epoch, round, highQC.round)),
      };
    },
  };
}

function changed(
  { block }: ProposalMessage,
  tcBefore: TimeoutCertificate | undefined,
  { header = {}, qc, tc }: ProposalChange,
): { readonly block: Block; readonly tc: TimeoutCertificate | undefined } {
  const link = qc === undefined ? {} : { parentId: qc.blockId, height: nextHeight(qc.height) };
  const root =
    header.batches === undefined
      ? {}
      : { batchesRoot: merkleRootOf(header.batches.map(({ digest }) => digest)) };
  return {
    block: { header: { ...block.header, ...link, ...root, ...header }, qc: qc ?? block.qc },
    tc: chosen(tc, tcBefore),
  };
}

const chosen = <Value>(
  change: Value | typeof NONE | undefined,
  before: Value | undefined,
): Value | undefined => (change === undefined ? before : change === NONE ? undefined : change);

/** `round + by`, or the round itself where that is no round. */
export function roundBy(round: Round, by: number): Round {
  const parsed = parseRound(round + by);
  return parsed === 'malformed' ? round : parsed;
}

/** `height + by`, or the height itself where that is no height. */
export function heightBy(height: Height, by: number): Height {
  const parsed = parseHeight(height + by);
  return parsed === 'malformed' ? height : parsed;
}

/** `epoch + by`, or the epoch itself where that is none. */
export function epochBy(epoch: Epoch, by: number): Epoch {
  const parsed = parseEpoch(epoch + by);
  return parsed === 'malformed' ? epoch : parsed;
}

/** `time + by`, or the time itself where that is none. @param by unit ms */
export function timeBy(time: WallTime, by: number): WallTime {
  const parsed = parseBlockTime(time + by);
  return parsed === 'malformed' ? time : parsed;
}

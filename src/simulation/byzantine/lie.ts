/**
 * What a lie is: a function from what a liar's honest program sends to what leaves instead, with nobody's key but the
 * liar's own. Types only. Rule SM-3; docs/simulation/byzantine.md.
 */

import type { RandomStream } from '../../base/random.ts';
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import type { EpochContext } from '../../protocol/consensus/epoch.ts';
import type { Signer } from '../../protocol/consensus/safety.ts';
import type { PeerMessage, PeerMessageKind } from '../../protocol/consensus/types.ts';
import type { NodeId } from '../../protocol/transport/messages.ts';
import type { Transit } from '../../transport/hub.ts';
import type { Memory } from './memory.ts';
import type { Pen } from './pen.ts';

/** What a liar has. Adding signatures up needs no key. */
export interface LiarTools {
  readonly signer: Signer;
  /** That its own process is in. */
  readonly epoch: EpochContext;
  /** A stream of this liar alone. */
  readonly draws: RandomStream;
  readonly aggregate: BlsEngine['aggregateSignatures'];
}

export interface LieTools extends LiarTools {
  readonly memory: Memory;
  readonly pen: Pen;
}

/** A transit whose message is between validators, of one of the kinds. */
export interface Letter<Kind extends PeerMessageKind = PeerMessageKind> {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly message: Extract<PeerMessage, { kind: Kind }>;
}

/** What leaves instead of `sent`: it may be nothing, more than one, to others. `[sent]` is the truth. */
export type Lie = (sent: Letter, tools: LieTools) => readonly Transit[];

export interface LieModule {
  /** Kinds of message that it can lie about. */
  readonly concerns: readonly PeerMessageKind[];
  readonly lie: Lie;
}

/** `sent` with other content. */
export const instead = (sent: Transit, message: PeerMessage): Transit => ({ ...sent, message });

/**
 * What the conformance checker reads: what validators said and what was found durable, of a simulated run, of tapped wires
 * of real processes, or of journals. Types. Rule SM-9; docs/simulation/conformance.md.
 */
import type { Address, Block, TimeoutCertificate } from '../../../protocol/chain/types.ts';
import type {
  EpochChangeMessage,
  NewViewMessage,
  PeerMessage,
  ProposalMessage,
  QcMessage,
  SafetyRecord,
  ViewChangeMessage,
  VoteMessage,
} from '../../../protocol/consensus/types.ts';
import type { CommittedBlock } from '../../../protocol/ports/storage.ts';
import type { BlocksMessage } from '../../../protocol/sync/messages.ts';

/** The messages that the rules of consensus speak of. */
export type JudgedMessage =
  | ProposalMessage
  | VoteMessage
  | QcMessage
  | ViewChangeMessage
  | NewViewMessage
  | EpochChangeMessage
  | BlocksMessage;

/** The entries of one validator are in the order in which they happened; those of several need not be. */
export type LogEntry =
  /**
   * A message left a process of `by` for `to`, whatever names it; repetitions may be left out. `life` counts its processes.
   * Those to one receiver are in the order in which they were signed; a broadcast may overtake what goes to another.
   */
  | {
      readonly kind: 'sent';
      readonly by: Address;
      readonly life: number;
      readonly to: string;
      readonly message: JudgedMessage;
    }
  /** What was durable when nothing more of `life` was sent, or later. */
  | {
      readonly kind: 'record';
      readonly by: Address;
      readonly life: number;
      readonly record: Omit<SafetyRecord, 'lastTC'>;
    }
  /** A block that was proposed, learned otherwise than from its leader's message. */
  | { readonly kind: 'block'; readonly block: Block; readonly tc?: TimeoutCertificate | undefined }
  /** `by` holds it for committed. */
  | { readonly kind: 'committed'; readonly by: Address; readonly block: CommittedBlock };

const JUDGED: ReadonlySet<PeerMessage['kind']> = new Set<PeerMessage['kind']>([
  'Proposal',
  'Vote',
  'QC',
  'ViewChange',
  'NewView',
  'EpochChange',
  'Blocks',
]);

export const isJudged = (message: PeerMessage): message is JudgedMessage => JUDGED.has(message.kind);

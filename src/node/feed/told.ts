/**
 * Gateway: what the cells of consensus tell each other, as the feed meets it in the runtime's untyped steps. By a message's type it
 * is known what it is, since each type has one owner (src/protocol/ports/). Pure.
 */
import type { CellEffect, Message } from '../../actors/runtime/index.ts';
import type {
  QcFormed,
  RoundEntered,
  SafetyAnswer,
  SafetyViolated,
  VoteRequested,
} from '../../protocol/ports/consensus.ts';
import type { BlockExecuted, ExecutionRequest } from '../../protocol/ports/execution.ts';
import type {
  GuestAskRequested,
  GuestsTellRequested,
  NetworkRequest,
  PeerMessageReceived,
} from '../../protocol/ports/network.ts';
import type { StorageRequest } from '../../protocol/ports/storage.ts';
import type { LinkEvent, LinkRequest } from '../../protocol/transport/peering.ts';

/** Those of which the feed makes rows. */
export type Told =
  | SafetyAnswer
  | RoundEntered
  | QcFormed
  | SafetyViolated
  | VoteRequested
  | BlockExecuted
  | Extract<ExecutionRequest, { type: 'blocks.committed' }>
  | Extract<NetworkRequest, { type: 'network.sendRequested' | 'peer.misbehaved' }>
  | GuestsTellRequested
  | GuestAskRequested
  | PeerMessageReceived
  | Extract<StorageRequest, { type: 'batches.persistRequested' }>
  | Extract<LinkEvent, { type: 'frame.refused' }>
  | Extract<LinkRequest, { type: 'frame.sendRequested' }>;

const TYPES: ReadonlySet<string> = new Set<Told['type']>([
  ...(['vote.cast', 'vote.refused', 'proposal.sent', 'proposal.refused'] as const),
  ...(['timeout.sent', 'timeout.refused', 'proof.made', 'proof.refused'] as const),
  ...(['round.entered', 'qc.formed', 'safety.violated', 'vote.requested', 'block.executed'] as const),
  ...(['blocks.committed', 'network.sendRequested', 'peer.misbehaved', 'guests.tellRequested'] as const),
  ...([
    'batches.persistRequested',
    'guest.askRequested',
    'message.received',
    'frame.refused',
    'frame.sendRequested',
  ] as const),
]);

/** Undefined for a message of another type. */
export const toldOf = (message: Message): Told | undefined =>
  TYPES.has(message.type) ? (message as Told) : undefined;

/** What a step told others, with whom, in order. */
export function* tellsOf(
  effects: readonly CellEffect[],
): Generator<{ readonly to: string; readonly told: Told }> {
  for (const effect of effects) {
    if (effect.kind !== 'tell') continue;
    const told = toldOf(effect.message);
    if (told !== undefined) yield { to: effect.to, told };
  }
}

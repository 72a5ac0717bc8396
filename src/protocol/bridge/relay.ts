/**
 * What a relayer does next between two chains, out of what both say of each other. It keeps nothing: whoever begins anew, or
 * beside another one, finds the same next step. Pure. LG-31 to LG-34, LG-37, docs/sharding.md.
 */

/** What the chain that transfers come from says of the other one. */
export interface SourceFacts {
  /** Its trusted epoch's number is compared with this. */
  readonly epoch: number;
  /** It knows the other's genesis hash. */
  readonly isOpen: boolean;
  /** It has seen the other one contradict itself (LG-37), and takes no acknowledgement of it. */
  readonly isHalted: boolean;
  readonly nextToSend: bigint;
  readonly firstUnacknowledged: bigint;
}

/** What the chain that transfers go to says of the source. */
export interface DestinationFacts {
  readonly isOpen: boolean;
  /** It has seen the source contradict itself (LG-37), and takes nothing of it. */
  readonly isHalted: boolean;
  readonly trustedEpoch: number;
  readonly nextToReceive: bigint;
}

/** The first three are submitted to the destination, the last one to the source. */
export type RelayStep =
  | { readonly kind: 'open' }
  /** @param from number of the epoch that is trusted */
  | { readonly kind: 'follow'; readonly from: number }
  | { readonly kind: 'receive'; readonly first: bigint }
  | { readonly kind: 'acknowledge' }
  | { readonly kind: 'rest' };

/** Fewer are left in the outbox: an acknowledgement costs as much as receiving. @unit transfers @source half of what one transaction brings */
export const ACKNOWLEDGED_MIN = 64n;

export function nextRelayStep(source: SourceFacts, destination: DestinationFacts): RelayStep {
  if (!destination.isOpen) return { kind: 'open' };
  if (!destination.isHalted && source.epoch > destination.trustedEpoch)
    return { kind: 'follow', from: destination.trustedEpoch };
  if (!source.isOpen) return { kind: 'rest' };
  const { nextToReceive } = destination;
  if (!source.isHalted && nextToReceive - source.firstUnacknowledged >= ACKNOWLEDGED_MIN)
    return { kind: 'acknowledge' };
  if (destination.isHalted || nextToReceive >= source.nextToSend) return { kind: 'rest' };
  return { kind: 'receive', first: nextToReceive };
}

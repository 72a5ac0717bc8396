/**
 * Whom a full download asks. Two certified answers that do not hang together are a dispute: one peer alone is asked, its guide,
 * until a proof commits what is in dispute; then it is known whose answer was not of this chain. Who keeps it waiting is asked
 * last. Pure and total. Rules SY-8, SY-9, docs/protocol/sync.md.
 */
import { type Millis, millis } from '../../base/units.ts';
import type { Address, BlockId, Height } from '../chain/types.ts';
import { HURRY_MS } from './patience.ts';

/** A guide is waited for at the most; twice as long after each that was waited for in vain. @unit ms @source config, block_fetch_timeout_secs */
const GUIDE_MS_MAX = 60_000;

/** Where two answers meet: which block each has at the height. None: too much came without a proof of a commit. */
export interface Seam {
  readonly height: Height;
  readonly claims: readonly { readonly peer: Address; readonly id: BlockId }[];
}

export interface Dispute {
  readonly seam: Seam;
  readonly guide: Address;
  /** Guides before it, which kept it waiting. */
  readonly passes: number;
}

/** Who is asked first: those who kept nobody waiting, or all where there is none. */
export function askable(holders: readonly Address[], slow: readonly Address[]): readonly Address[] {
  const quick = holders.filter((peer) => !slow.includes(peer));
  return quick.length === 0 ? holders : quick;
}

/** With one more that kept it waiting. When all did, the others have another chance. */
export function slowWith(
  slow: readonly Address[],
  peer: Address,
  holders: readonly Address[],
): readonly Address[] {
  const all = slow.includes(peer) ? slow : [...slow, peer];
  return holders.every((holder) => all.includes(holder)) ? [peer] : all;
}

/** @param holders at least one, by rising address */
export function openDispute(
  seam: Seam,
  holders: readonly Address[],
  slow: readonly Address[],
): Dispute | undefined {
  const [guide] = askable(holders, slow);
  return guide === undefined ? undefined : { seam, guide, passes: 0 };
}

/** The next one by address guides, beginning anew after the last. */
export function withNextGuide(
  dispute: Dispute,
  holders: readonly Address[],
  slow: readonly Address[],
): Dispute | undefined {
  const peers = askable(holders, slow);
  const guide = peers.find((peer) => peer > dispute.guide) ?? peers[0];
  return guide === undefined ? undefined : { ...dispute, guide, passes: dispute.passes + 1 };
}

/** Both sides are one peer's: its chain does not hang together, and nobody else need be asked. */
export function contradictsItself({ claims: [below, above] }: Seam): Address | undefined {
  return below !== undefined && below.peer === above?.peer ? below.peer : undefined;
}

/** A proof commits `id` at the seam's height: who said otherwise. */
export const refutedBy = ({ claims }: Seam, id: BlockId): readonly Address[] =>
  claims.filter((claim) => claim.id !== id).map(({ peer }) => peer);

/** How long the lowest piece waits for whom it is asked of. */
export const patienceFor = (dispute: Dispute | undefined): Millis =>
  millis(Math.min(GUIDE_MS_MAX, HURRY_MS * 2 ** Math.min(dispute?.passes ?? 0, 16)));

/**
 * What is pending of each sender that the application names: one transaction a sequence, together no dearer than its funds, and
 * few that wait for one before them. Such a one costs its sender nothing if that never comes. A plain value. Pure. MP-13.
 */
import { emptyMap, getIn, type PersistentMap, removeIn, setIn } from '../../base/persistent-map.ts';
import type { Digest } from '../chain/types.ts';
import type { SenderPlace } from '../ports/application.ts';
import type { NodeRefusalCode } from '../ports/mempool.ts';
import type { MempoolConfig } from './config.ts';

interface Claim {
  readonly hash: Digest;
  readonly sequence: bigint;
  readonly cost: bigint;
  /** Something before it was not pending here when its sender was last heard of. */
  readonly waits: boolean;
}

/** At most an entry for each pending transaction: `pendingCountMax` bounds it. */
export interface Senders {
  /** By sender; each one's by sequence. */
  readonly claims: PersistentMap<readonly Claim[]>;
  /** The sender of a hash. */
  readonly owners: PersistentMap<string>;
  /** Claims that wait, of all senders. */
  readonly waiting: number;
}

export type SenderLimits = Pick<MempoolConfig, 'senderPendingMax' | 'senderWaitingMax' | 'waitingMax'>;

export type ClaimRuling =
  /** `isNext`: all before it are executed or pending here, so that it can execute. */
  | { readonly status: 'claimed'; readonly senders: Senders; readonly isNext: boolean }
  | { readonly status: 'refused'; readonly code: NodeRefusalCode; readonly log: string };

export const NO_SENDERS: Senders = { claims: emptyMap(), owners: emptyMap(), waiting: 0 };

/** Takes the place of a transaction among its sender's, or says why it cannot be had. */
export function claimed(
  senders: Senders,
  hash: Digest,
  place: SenderPlace,
  limits: SenderLimits,
): ClaimRuling {
  const { id, sequence, next, cost, funds } = place;
  const pending = pendingOf(senders, id, next);
  const taken = pending.find((claim) => claim.sequence === sequence);
  if (taken !== undefined) return busy(`sequence ${sequence} of ${id} is pending already, as ${taken.hash}`);
  if (pending.length >= limits.senderPendingMax) {
    return busy(`${pending.length} transactions of ${id} are pending, at most ${limits.senderPendingMax}`);
  }
  const spent = pending.reduce((sum, claim) => sum + claim.cost, 0n);
  if (spent + cost > funds) {
    return busy(`what is pending of ${id} takes ${spent} of ${funds}, and this one ${cost}`);
  }
  const after = withClaim(senders, hash, place);
  const claims = pendingOf(after, id, next);
  const isNext = claims.some((claim) => claim.hash === hash && !claim.waits);
  if (isNext) return { status: 'claimed', senders: after, isNext };
  const waiting = claims.filter(({ waits }) => waits).length;
  if (waiting > limits.senderWaitingMax) {
    const missing = next + BigInt(claims.length - waiting);
    return busy(
      `${waiting - 1} of ${id} wait for sequence ${missing}, at most ${limits.senderWaitingMax}: send that first`,
    );
  }
  if (after.waiting > limits.waitingMax) {
    const log = `${after.waiting - 1} transactions wait for one before them, at most ${limits.waitingMax}: send ${next} first`;
    return { status: 'refused', code: 'MEMPOOL_FULL', log };
  }
  return { status: 'claimed', senders: after, isNext };
}

/** As `claimed`, of what was admitted in an earlier life: nothing is refused any more. */
export const reclaimed = (senders: Senders, hash: Digest, place: SenderPlace): Senders =>
  pendingOf(senders, place.id, place.next).some(({ sequence }) => sequence === place.sequence)
    ? senders
    : withClaim(senders, hash, place);

/** These transactions ended. */
export function released(senders: Senders, hashes: readonly Digest[]): Senders {
  if (senders.owners.size === 0) return senders;
  let { claims, owners, waiting } = senders;
  for (const hash of hashes) {
    const id = getIn(owners, hash);
    if (id === undefined) continue;
    const all = getIn(claims, id) ?? [];
    const rest = all.filter((claim) => claim.hash !== hash);
    owners = removeIn(owners, hash);
    claims = rest.length === 0 ? removeIn(claims, id) : setIn(claims, id, rest);
    waiting -= countWaiting(all) - countWaiting(rest);
  }
  return { claims, owners, waiting };
}

/** Those below `next` were executed, by whatever copy: their end is on its way here. */
const pendingOf = ({ claims }: Senders, id: string, next: bigint): readonly Claim[] =>
  (getIn(claims, id) ?? []).filter(({ sequence }) => sequence >= next);

function withClaim(senders: Senders, hash: Digest, { id, sequence, next, cost }: SenderPlace): Senders {
  const before = getIn(senders.claims, id) ?? [];
  const place = before.findIndex((claim) => claim.sequence > sequence);
  const claim = { hash, sequence, cost, waits: true };
  let expected = next;
  const after = before.toSpliced(place < 0 ? before.length : place, 0, claim).map((each) => {
    const waits = each.sequence > expected;
    if (each.sequence === expected) expected += 1n;
    return waits === each.waits ? each : { ...each, waits };
  });
  return {
    claims: setIn(senders.claims, id, after),
    owners: setIn(senders.owners, hash, id),
    waiting: senders.waiting + countWaiting(after) - countWaiting(before),
  };
}

const countWaiting = (claims: readonly Claim[]): number => claims.filter(({ waits }) => waits).length;

const busy = (log: string): ClaimRuling => ({
  status: 'refused',
  code: 'SENDER_BUSY',
  log: log.endsWith('first') ? log : `${log}: send it when they have ended`,
});

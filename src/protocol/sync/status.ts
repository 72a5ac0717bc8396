/**
 * Are we in sync? The answer is computed from facts each time, so nothing can forget to take it back. Pure.
 * Rules SY-1 to SY-3, SY-5, docs/protocol/sync.md.
 */
import type { Height } from '../chain/types.ts';
import type { SyncStanding } from '../ports/sync.ts';
import { MEDIUM_GAP_MAX, type SyncConfig } from './config.ts';
import type { ForkEvidence, SyncError, SyncStatus } from './types.ts';

/** What the newest check found; `none` before the first. */
export type CheckFact =
  | { readonly status: 'none' }
  | { readonly status: 'agreed' }
  | { readonly status: 'failed'; readonly error: SyncError };

export interface SyncFacts {
  /** Of the newest block that is durable here; undefined until storage has said. */
  readonly own: Height | undefined;
  /** The highest with a verified commit proof. */
  readonly proved: Height | undefined;
  /** >= 67 % of the answers report at or above it. */
  readonly supported: Height | undefined;
  /** Peers with J(W) of this epoch's power claim, with proofs of later epochs, to be there: behind, however far (CS-16). */
  readonly later?: Height | undefined;
  readonly check: CheckFact;
  /** This validator alone is a quorum: nobody else could be ahead. */
  readonly isSolo: boolean;
  /** Two proofs contradict each other: what of. */
  readonly fork: string | undefined;
  /** >= 67 % name, without proof, another block at this height of ours. */
  readonly differsAt: Height | undefined;
  /** What the newest look at the peers' genesis found wrong. */
  readonly genesis: string | undefined;
}

/** Seed 001's words for what its fork detection finds. */
export const TIP_DIFFERS = 'Fork detected! Our tip differs from 67%+ peers';

/** SY-2, SY-3, SY-5: a proved gap of any size is a LargeGap at most, since tier 2 closes it without the operator. */
export function statusOf(
  facts: SyncFacts,
  config: Pick<SyncConfig, 'tier1MaxGap' | 'tier2MaxGap'>,
): SyncStatus {
  const { own, proved, supported, check, isSolo, fork, differsAt, genesis } = facts;
  if (fork !== undefined) return { kind: 'Critical', reason: `Fork detected! ${fork}` };
  if (own === undefined) return { kind: 'Unknown', reason: 'starting: the chain on this disk is being read' };
  if (genesis !== undefined) return { kind: 'Unknown', reason: genesis };
  if (differsAt !== undefined) return { kind: 'Critical', reason: TIP_DIFFERS };
  if (!isBelievable(facts, config) && (proved ?? 0) <= own) {
    const reason = `67%+ of the peers report height ${supported} without proof, more than tier2_max_gap = ${config.tier2MaxGap} above ours`;
    return { kind: 'Critical', reason };
  }
  const gap = (highestOf([own, ...othersIn(facts, config)]) ?? own) - own;
  if (gap > 0) return gapStatus(gap, config);
  if (isSolo) return { kind: 'InSync' };
  if (check.status === 'none') return { kind: 'Unknown', reason: 'joining: no peer has been asked yet' };
  if (check.status === 'agreed') return { kind: 'InSync' };
  return { kind: 'Unknown', reason: `${check.error.code}: ${check.error.detail}` };
}

/** SY-3: what is not proved is not believed beyond what a probe could look at. */
const isBelievable = (
  { own, supported }: SyncFacts,
  { tier2MaxGap }: Pick<SyncConfig, 'tier2MaxGap'>,
): boolean => (supported ?? 0) - (own ?? 0) <= tier2MaxGap;

const othersIn = (
  facts: SyncFacts,
  config: Pick<SyncConfig, 'tier2MaxGap'>,
): readonly (Height | undefined)[] =>
  isBelievable(facts, config) ? [facts.proved, facts.later, facts.supported] : [facts.proved, facts.later];

const highestOf = (heights: readonly (Height | undefined)[]): Height | undefined =>
  heights.reduce<Height | undefined>(
    (best, height) => (height === undefined || (best !== undefined && best >= height) ? best : height),
    undefined,
  );

function gapStatus(gap: number, { tier1MaxGap }: Pick<SyncConfig, 'tier1MaxGap'>): SyncStatus {
  if (gap <= tier1MaxGap) return { kind: 'SmallGap', gap };
  return gap <= Math.max(MEDIUM_GAP_MAX, tier1MaxGap)
    ? { kind: 'MediumGap', gap }
    : { kind: 'LargeGap', gap };
}

/** As near as a node that follows a busy chain ever is: what it judges by its state is worth what others would say. */
export const isNearTip = ({ kind }: SyncStatus): boolean => kind === 'InSync' || kind === 'SmallGap';

/** SY-2. `solo`: this validator alone is a quorum; `bootstrap`: nothing is committed, and nobody is known to be higher. */
export type SyncMode = 'solo' | 'bootstrap' | 'network';

export function modeOf({ own, proved, later, supported, isSolo }: SyncFacts): SyncMode {
  if (isSolo) return 'solo';
  return own === 0 && (proved ?? later ?? 0) === 0 && (supported ?? 0) === 0 ? 'bootstrap' : 'network';
}

/**
 * The height of the network as far as it is known: proved, supported, or this node's own, which a quorum has certified. While
 * nobody can tell whether there is more, only what is above this node's own.
 */
export function consensusHeightOf(
  facts: SyncFacts,
  config: Pick<SyncConfig, 'tier2MaxGap'>,
): Height | undefined {
  const { own, check, isSolo } = facts;
  const others = othersIn(facts, config);
  if (isSolo || check.status === 'agreed') return highestOf([own, ...others]);
  return highestOf(others.filter((height) => (height ?? 0) > (own ?? 0)));
}

/** Which tier is due. 3 is the operator's alone (SY-9): nothing begins it by itself. */
export function tierFor({ kind }: SyncStatus): 1 | 2 | 3 | undefined {
  switch (kind) {
    case 'InSync':
      return undefined;
    case 'SmallGap':
    case 'Unknown':
      return 1;
    case 'MediumGap':
    case 'LargeGap':
      return 2;
    case 'Critical':
      return 3;
  }
}

/** Seed 001's health check, in its words and signs. Heights are shown as `-` while they are not known. */
export function healthLine(
  status: SyncStatus,
  height: Height | undefined,
  consensusHeight: Height | undefined,
): string {
  const heights = `Height ${height ?? '-'} (consensus: ${consensusHeight ?? '-'}`;
  switch (status.kind) {
    case 'InSync':
      return `✅ In Sync: ${heights})`;
    case 'SmallGap':
      return `⚠️ Small Gap: ${heights}, gap: ${status.gap})`;
    case 'MediumGap':
      return `🟠 Medium Gap: ${heights}, gap: ${status.gap})`;
    case 'LargeGap':
      return `🔴 Large Gap: ${heights}, gap: ${status.gap})`;
    case 'Critical':
      return `🚨 Critical: ${status.reason}`;
    case 'Unknown':
      return `❔ Unknown: ${heights}), ${status.reason}`;
  }
}

/** What contradicts what, for the reader. */
export function describeFork(evidence: ForkEvidence): string {
  switch (evidence.kind) {
    case 'CommitProofs':
      return `Two commit proofs for height ${evidence.height}: ${evidence.first.id} and ${evidence.second.id}`;
    case 'RoundCertificates':
      return `Two certificates of round ${evidence.first.round}: ${evidence.first.blockId} and ${evidence.second.blockId}`;
  }
}

/** A gap that grows or shrinks within its kind is no news: it would be told with every block. */
export const saysTheSame = (left: SyncStanding, right: SyncStanding): boolean =>
  left.forkProved === right.forkProved &&
  left.status.kind === right.status.kind &&
  reasonOf(left.status) === reasonOf(right.status);

const reasonOf = (status: SyncStatus): string | undefined => ('reason' in status ? status.reason : undefined);

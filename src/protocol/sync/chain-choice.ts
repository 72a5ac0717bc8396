/**
 * Whose chain a full re-sync takes: peers that were consistent for long enough, and of those the highest proved tip whose chain
 * more than half of their power agrees with. Pure and total. Rules SY-3, SY-5, SY-9, docs/protocol/sync.md.
 */
import { type Millis, millis, type WallTime } from '../../base/units.ts';
import { GENESIS_HEIGHT } from '../chain/ordinals.ts';
import type { Address, BlockId, Height, Power } from '../chain/types.ts';
import { statesCommitOf } from './claims.ts';
import type { ChainCheckpoint, ChainMessage } from './messages.ts';
import { consistentUptime, isDistrusted } from './reputation.ts';
import type { PeerState, ProvedTip, SyncError } from './types.ts';

/** Peers that an error names. @unit peers @source chosen: a line of a terminal or two */
const NAMED_MAX = 8;
/** The first block of a chain: whoever begins above it cannot give all of it. */
const LOWEST_BASE_MAX = 1;

/** `all`: from its first block. `upper`: from wherever the peer has it; who has enough is seen later (SY-10). */
export type ChainPart = 'all' | 'upper';

export type TrustOutcome =
  /** By rising address. */
  | { readonly status: 'trusted'; readonly peers: readonly Address[] }
  | { readonly status: 'refused'; readonly error: SyncError };

/** SY-9 (seed 001: findTrustedPeer). Who has been consistent for `trustTime`; if nobody, who has how much. */
export function findTrustedPeers(
  peers: readonly PeerState[],
  trustTime: Millis,
  wall: WallTime,
): TrustOutcome {
  if (peers.length === 0) {
    return refuse('NoPeersAvailable', 'no validator is connected to take a chain from');
  }
  const trusted = peers.filter((peer) => isTrusted(peer, trustTime, wall)).map(({ peer }) => peer);
  if (trusted.length > 0) return { status: 'trusted', peers: trusted.sort() };
  const known = [...peers]
    .sort((left, right) => (left.peer < right.peer ? -1 : 1))
    .slice(0, NAMED_MAX)
    .map(({ peer, reputation }) => {
      const uptime = hoursAndMinutes(consistentUptime(reputation, wall));
      return `${peer} ${isDistrusted(reputation, wall) ? 'was caught' : uptime}`;
    });
  const more = peers.length > NAMED_MAX ? `, and ${peers.length - NAMED_MAX} more` : '';
  return refuse(
    'CriticalSyncRequired',
    `no peer has been consistent for ${hoursAndMinutes(trustTime)}: ${known.join(', ')}${more}; wait, or lower tier3_trust_hours in sync.toml if you know these peers`,
  );
}

const isTrusted = ({ reputation }: PeerState, trustTime: Millis, wall: WallTime): boolean =>
  !isDistrusted(reputation, wall) && consistentUptime(reputation, wall) >= trustTime;

export interface DescribedChain {
  readonly peer: Address;
  readonly power: Power;
  readonly chain: ChainMessage;
}

/** A peer whose chain is not taken, and from which height on it is known to be another one. */
export interface PartedPeer {
  readonly peer: Address;
  readonly at: Height;
}

export type ChainChoice =
  | {
      readonly status: 'chosen';
      readonly target: ProvedTip;
      /** Whose chain it is, by rising address: blocks are taken of nobody else. */
      readonly holders: readonly Address[];
      readonly parted: readonly PartedPeer[];
      /** As described by the one whose tip is the target. */
      readonly checkpoints: readonly ChainCheckpoint[];
    }
  | { readonly status: 'refused'; readonly error: SyncError };

interface Candidate {
  readonly peer: Address;
  readonly power: Power;
  readonly tip: ProvedTip;
  readonly ids: ReadonlyMap<Height, BlockId>;
  readonly checkpoints: readonly ChainCheckpoint[];
}

/**
 * Seed 001: validateFullChain, before anything is fetched. Chains contradict each other where both name a height and the
 * blocks differ. More than half of the power that answered must agree with the chain that is taken; of such chains it is the
 * highest, since a short one agrees with all that go on from it. The operator's `checkpoint` excludes whoever names another
 * block there, or does not reach so far.
 */
export function chooseChain(
  described: readonly DescribedChain[],
  checkpoint: ChainCheckpoint | undefined,
  part: ChainPart = 'all',
): ChainChoice {
  const sound = described
    .filter(({ chain }) => part === 'upper' || chain.base <= LOWEST_BASE_MAX)
    .flatMap(candidateOf);
  if (sound.length === 0) {
    const from = part === 'all' ? 'from its first block ' : '';
    return refuse('NoPeersAvailable', `no trusted peer described a chain ${from}to a proved tip`);
  }
  const allowed = sound.filter(({ ids, tip }) => admits(ids, tip, checkpoint));
  if (checkpoint !== undefined && allowed.length === 0) {
    const { height, id } = checkpoint;
    return refuse('CriticalSyncRequired', `no trusted peer's chain has block ${id} at height ${height}`);
  }
  const total = powerOf(allowed);
  const ranked = allowed
    .map((candidate) => ({
      candidate,
      agreeing: allowed.filter((other) => partingOf(candidate, other) === undefined),
    }))
    .map((one) => ({ ...one, power: powerOf(one.agreeing) }))
    .map((one) => ({ ...one, isAgreed: one.power * 2n > total }))
    .sort(
      (left, right) =>
        Number(right.isAgreed) - Number(left.isAgreed) ||
        right.candidate.tip.height - left.candidate.tip.height ||
        Number(right.power - left.power) ||
        (left.candidate.peer < right.candidate.peer ? -1 : 1),
    );
  const [best] = ranked;
  if (best === undefined || !best.isAgreed) {
    return refuse(
      'CriticalSyncRequired',
      `the trusted peers have different chains, and none of them stands for more than half of their power: ${partings(allowed)}; give a checkpoint (althing resync --checkpoint HEIGHT:ID)`,
    );
  }
  const { candidate, agreeing } = best;
  const holders = new Set(agreeing.map(({ peer }) => peer));
  const parted = sound
    .filter(({ peer }) => !holders.has(peer))
    .map(
      (other): PartedPeer => ({
        peer: other.peer,
        at: partingOf(candidate, other) ?? checkpoint?.height ?? other.tip.height,
      }),
    );
  return {
    status: 'chosen',
    target: candidate.tip,
    holders: [...holders].sort(),
    parted: parted.sort((left, right) => (left.peer < right.peer ? -1 : 1)),
    checkpoints: candidate.checkpoints,
  };
}

/** How far this node's own chain is the one that is taken, as far as both are known. */
export interface OwnParting {
  readonly agreesTo: Height;
  readonly partsBy?: Height;
}

export function comparedWithOwn(
  checkpoints: readonly ChainCheckpoint[],
  own: readonly ChainCheckpoint[],
): OwnParting {
  const ids = new Map(own.map(({ height, id }) => [height, id]));
  let agreesTo: Height = GENESIS_HEIGHT;
  for (const { height, id } of checkpoints) {
    const ours = ids.get(height);
    if (ours !== undefined && ours !== id) return { agreesTo, partsBy: height };
    if (ours !== undefined) agreesTo = height;
  }
  return { agreesTo };
}

function candidateOf({ peer, power, chain }: DescribedChain): readonly Candidate[] {
  const { proof, checkpoints } = chain;
  const newest = checkpoints.at(-1);
  if (newest === undefined || newest.height === GENESIS_HEIGHT) return [];
  if (proof === undefined || !statesCommitOf(proof, newest)) return [];
  const ids = new Map(checkpoints.map(({ height, id }) => [height, id]));
  return [{ peer, power, tip: { ...newest, proof }, ids, checkpoints }];
}

function admits(
  ids: ReadonlyMap<Height, BlockId>,
  tip: ProvedTip,
  checkpoint: ChainCheckpoint | undefined,
): boolean {
  if (checkpoint === undefined) return true;
  const named = ids.get(checkpoint.height);
  return tip.height >= checkpoint.height && (named === undefined || named === checkpoint.id);
}

/** The lowest height that both name with different blocks. */
function partingOf(left: Candidate, right: Candidate): Height | undefined {
  for (const { height, id } of left.checkpoints) {
    const other = right.ids.get(height);
    if (other !== undefined && other !== id) return height;
  }
  return undefined;
}

function partings(candidates: readonly Candidate[]): string {
  const [first, ...others] = [...candidates].sort((left, right) => (left.peer < right.peer ? -1 : 1));
  if (first === undefined) return '';
  return others
    .flatMap((other) => {
      const at = partingOf(first, other);
      return at === undefined ? [] : [`${first.peer} and ${other.peer} part by height ${at}`];
    })
    .slice(0, NAMED_MAX)
    .join(', ');
}

const powerOf = (candidates: readonly Candidate[]): Power =>
  candidates.reduce((sum, { power }) => sum + power, 0n);

function hoursAndMinutes(time: Millis): string {
  const minutes = Math.floor(millis(time) / 60_000);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const refuse = (
  code: Exclude<SyncError['code'], 'SyncGapTooLarge'>,
  detail: string,
): { readonly status: 'refused'; readonly error: SyncError } => ({
  status: 'refused',
  error: { code, detail },
});

/**
 * What the peers' answers say together about the height of the chain, by integers in validator power. This node's own height
 * is no answer: the question is what the others say. Pure. Rules SY-1 to SY-3, docs/protocol/sync.md.
 */
import { maxHeight } from '../chain/ordinals.ts';
import type { Address, BlockId, Height, Power, ValidatorSet } from '../chain/types.ts';
import { powerOf } from '../chain/validator-set.ts';
import type { PeerClaim, PeerState, ProvedTip, SyncError } from './types.ts';

/** Parts of one that a threshold is given in. @unit parts @source chosen: six decimals */
const PARTS = 1_000_000;

/** An answer to "how far are you?" and what it weighs. */
export interface HeightVote {
  readonly height: Height;
  readonly power: Power;
}

export type Agreement =
  | {
      readonly status: 'agreed';
      /** Seed 001's: reported by so many, exactly. */
      readonly exact?: Height;
      /** The largest height that so many report at or above: it does not stall while the tip moves. */
      readonly supported: Height;
      /** Power that had to agree. */
      readonly needed: Power;
    }
  | { readonly status: 'failed'; readonly error: SyncError };

/** Whom a poll heard. `connected`: those that could have answered, the ones that did among them; full nodes weigh 0. */
export interface Poll {
  readonly connected: readonly { readonly power: Power }[];
  readonly votes: readonly HeightVote[];
}

/**
 * Power that must agree: max(⌈threshold · answered⌉, ⌊2 · answered / 3⌋ + 1). `threshold` is taken to six decimals, so that
 * 0.67 is 67 of 100 and no float is rounded the wrong way.
 */
export function agreePower(threshold: number, answered: Power): Power {
  const parts = BigInt(Math.round(threshold * PARTS));
  const share = (parts * answered + BigInt(PARTS) - 1n) / BigInt(PARTS);
  const majority = (2n * answered) / 3n + 1n;
  return share > majority ? share : majority;
}

/** Seed 001: the height that so much power reports exactly; none if the votes are split. */
export function findConsensusHeight(votes: readonly HeightVote[], needed: Power): Height | undefined {
  const byHeight = new Map<Height, Power>();
  for (const { height, power } of votes) byHeight.set(height, (byHeight.get(height) ?? 0n) + power);
  // `needed` is more than half of the answers: two heights cannot both have it.
  return [...byHeight].find(([, power]) => power >= needed)?.[0];
}

/** The largest height that so much power reports at or above. */
export function supportedHeight(votes: readonly HeightVote[], needed: Power): Height | undefined {
  let power = 0n;
  for (const vote of [...votes].sort((left, right) => right.height - left.height)) {
    power += vote.power;
    if (power >= needed) return vote.height;
  }
  return undefined;
}

/**
 * Power of others that must agree for one of them to be honest: J(W). Where all others together have less, whoever has the
 * rest is asked for every quorum, and no word of theirs can be sure: all of them.
 */
export const honestPowerFor = (set: ValidatorSet, self: Address): Power =>
  min(set.totalPower - powerOf(set, self), set.honestPower);

/**
 * SY-1. More than half of the connected validators must answer, by count and by power, since many small ones or a single
 * large one speak for nobody else; and those that agree have `honestPower` or more, so that an honest one is among them.
 */
export function agreementOf(honestPower: Power, threshold: number, { connected, votes }: Poll): Agreement {
  const validators = connected.filter(({ power }) => power > 0n);
  const counted = votes.filter(({ power }) => power > 0n);
  const power = sum(validators);
  const answered = sum(counted);
  const heard = `${counted.length} of ${validators.length} connected validators answered, with power ${answered} of ${power}`;
  if (validators.length === 0)
    return failed('NoPeersAvailable', 'no validator is connected; check the network and the peers');
  if (counted.length === 0) return failed('Timeout', heard);
  if (2 * counted.length <= validators.length || 2n * answered <= power)
    return failed('NoConsensusReached', `${heard}; more than half is needed`);
  const needed = max(agreePower(threshold, answered), honestPower);
  const supported = supportedHeight(counted, needed);
  if (supported === undefined)
    return failed('NoConsensusReached', `${heard}; power ${needed} must agree, so that one is honest`);
  const exact = findConsensusHeight(counted, needed);
  return { status: 'agreed', ...(exact === undefined ? {} : { exact }), supported, needed };
}

/** The highest tip whose commit proof was verified (SY-3); of equal ones that of the first address. */
export function highestProved(peers: readonly PeerState[]): ProvedTip | undefined {
  const proved = byAddress(peers).flatMap(({ claim }): readonly ProvedTip[] =>
    claim?.status === 'proved' && claim.proof !== undefined
      ? [{ height: claim.height, id: claim.tipId, proof: claim.proof }]
      : [],
  );
  return proved.reduce<ProvedTip | undefined>(
    (best, tip) => (best === undefined || tip.height > best.height ? tip : best),
    undefined,
  );
}

/**
 * The lowest height of ours at which the peers' tips differ from ours, if those that differ have `needed` or more
 * (SY-5): never one peer. `ids`: committed blocks of this node by height.
 */
export function differsAt(
  peers: readonly PeerState[],
  ids: ReadonlyMap<Height, BlockId>,
  needed: Power,
): Height | undefined {
  const others = peers.filter(({ claim, power }) => {
    const ours = isUnderstood(claim) ? ids.get(claim.height) : undefined;
    return power > 0n && ours !== undefined && claim?.tipId !== ours;
  });
  if (sum(others) < needed) return undefined;
  const heights = others.flatMap(({ claim }) => (claim === undefined ? [] : [claim.height]));
  return heights.sort((left, right) => left - right)[0];
}

/** Heights that the answers name, ascending, each once. */
export function claimedHeights(peers: readonly PeerState[]): readonly Height[] {
  const heights = new Set(peers.flatMap(({ claim }) => (isUnderstood(claim) ? [claim.height] : [])));
  return [...heights].sort((left, right) => left - right);
}

/** Of those that answered, in the order of their addresses. */
export function answersOf(peers: readonly PeerState[], answered: readonly Address[]): readonly PeerState[] {
  const names = new Set(answered);
  return byAddress(peers).filter(({ peer, claim }) => names.has(peer) && claim !== undefined);
}

/** What was said as votes: a claim of a later epoch is none (CS-16). */
export const votesOf = (answers: readonly PeerState[]): readonly HeightVote[] =>
  answers.flatMap(({ claim, power }) => (isUnderstood(claim) ? [{ height: claim.height, power }] : []));

/** CS-16: so much power says that it is there or above, in epochs whose validators this node does not know: one of them is honest. */
export const laterHeight = (
  { honestPower }: Pick<ValidatorSet, 'honestPower'>,
  answers: readonly PeerState[],
): Height | undefined =>
  supportedHeight(
    answers.flatMap(({ claim, power }) =>
      claim?.status === 'later' ? [{ height: claim.height, power }] : [],
    ),
    honestPower,
  );

/** The highest of them, with whatever power: nobody here can judge it. */
export function claimedLater(answers: readonly PeerState[]): Height | undefined {
  const heights = answers.flatMap(({ claim }) => (claim?.status === 'later' ? [claim.height] : []));
  const [first, ...others] = heights;
  return first === undefined ? undefined : others.reduce(maxHeight, first);
}

const isUnderstood = (claim: PeerClaim | undefined): claim is PeerClaim =>
  claim !== undefined && claim.status !== 'later';

const byAddress = (peers: readonly PeerState[]): readonly PeerState[] =>
  [...peers].sort((left, right) => (left.peer < right.peer ? -1 : left.peer === right.peer ? 0 : 1));

const sum = (weights: readonly { readonly power: Power }[]): Power =>
  weights.reduce((total, { power }) => total + power, 0n);

const min = (left: Power, right: Power): Power => (left < right ? left : right);

const max = (left: Power, right: Power): Power => (left > right ? left : right);

const failed = (code: 'NoPeersAvailable' | 'NoConsensusReached' | 'Timeout', detail: string): Agreement => ({
  status: 'failed',
  error: { code, detail },
});

/**
 * Evidence that is not committed yet, and what the chain carries already: who may still be accused, by which proof, in which
 * block. A plain value, bounded by the validators. Pure. Rule CS-14, docs/protocol/consensus.md.
 */
import type { Millis, WallTime } from '../../base/units.ts';
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import { evidenceIdOf } from '../chain/canonical.ts';
import { GENESIS_HEIGHT, nextHeight } from '../chain/ordinals.ts';
import type { CertifiedBlock, Evidence, Height } from '../chain/types.ts';
import { EVIDENCE_PER_BLOCK_MAX, VALIDATORS_MAX } from '../transport/limits.ts';
import { type EpochContext, electorateOf } from './epoch.ts';
import { epochOf, heightOf, type Offence, offenceOf, offencesIn, verifyEvidence } from './evidence.ts';
import type { EvidenceRefusal } from './refusals.ts';

/** What evidence is judged by. */
export interface EvidenceRules {
  readonly epoch: EpochContext;
  readonly bls: BlsEngine;
  /** Of the genesis: older evidence is refused; so is one that is older than `ageMax`. @unit heights */
  readonly ageHeights: number;
  readonly ageMax: Millis;
}

/** A block's place in the chain, and its time. */
export interface Moment {
  readonly height: Height;
  readonly time: WallTime;
}

export interface EvidencePool {
  /** Verified, and in no committed block. */
  readonly pending: ReadonlyMap<Offence, Evidence>;
  /** Where the chain carries an offence; of the last `ageHeights`. */
  readonly carried: ReadonlyMap<Offence, Height>;
  /** Committed blocks whose height is a multiple of `strideOf`, rising; of the last `ageHeights`. */
  readonly moments: readonly Moment[];
  /** The newest committed block; absent before the first. */
  readonly tip?: Moment;
  /** The first block that this node holds: what blocks below carry it cannot say (SY-10). 0: it holds all. */
  readonly base: Height;
}

/** What storage says of the chain, after a start. */
export interface ChainEvidence {
  /** The lowest committed height; 0 while nothing is committed. */
  readonly base: Height;
  readonly tip?: Moment;
  /** Blocks that carry evidence, rising. */
  readonly blocks: readonly CertifiedBlock[];
  readonly moments: readonly Moment[];
}

const FIRST_HEIGHT = nextHeight(GENESIS_HEIGHT);
/** Two kinds against each validator, in two epochs. @unit offences */
export const OFFENCES_MAX = 2 * VALIDATORS_MAX * 2;
/**
 * How far above the newest committed block an offence may say it was: its signer says what it likes. Further on it is not kept.
 * @unit heights @source chosen: more than are uncommitted while rounds fail
 */
const AHEAD_MAX = 256;
/** How finely the age of an offence in time is known: the age limit in heights is cut into so many. @unit moments @source chosen: 1 % too mild */
const MOMENTS_MAX = 128;

/** Every so many heights the time of a block is kept. @unit heights */
export const strideOf = (ageHeights: number): number => Math.max(1, Math.ceil(ageHeights / MOMENTS_MAX));

export const momentOf = ({ block: { header } }: CertifiedBlock): Moment => ({
  height: header.height,
  time: header.time,
});

export function recoveredPool({ base, tip, blocks, moments }: ChainEvidence): EvidencePool {
  const carried = new Map<Offence, Height>();
  for (const { block } of blocks) {
    for (const offence of offencesIn(block)) carried.set(offence, block.header.height);
  }
  const from = base > FIRST_HEIGHT ? base : GENESIS_HEIGHT;
  return { pending: new Map(), carried, moments, base: from, ...(tip === undefined ? {} : { tip }) };
}

/** Blocks were committed; those known already change nothing. */
export function takeCommitted(
  pool: EvidencePool,
  { ageHeights }: Pick<EvidenceRules, 'ageHeights'>,
  blocks: readonly CertifiedBlock[],
): EvidencePool {
  const stride = strideOf(ageHeights);
  let { pending, carried, moments, tip, base } = pool;
  for (const { block } of blocks) {
    const { height, time } = block.header;
    if (tip !== undefined && height <= tip.height) continue;
    if (tip === undefined && height > FIRST_HEIGHT) base = height;
    tip = { height, time };
    if (height % stride === 0) moments = [...moments, tip];
    const offences = offencesIn(block);
    if (offences.length === 0) continue;
    carried = new Map([...carried, ...offences.map((offence) => [offence, height] as const)]);
    pending = new Map([...pending].filter(([offence]) => !offences.includes(offence)));
  }
  if (tip === undefined || tip === pool.tip) return pool;
  const oldest = tip.height - ageHeights;
  if ([...carried.values()].some((height) => height < oldest)) {
    carried = new Map([...carried].filter(([, height]) => height >= oldest));
  }
  const [first] = moments;
  if (first !== undefined && first.height < oldest)
    moments = moments.filter(({ height }) => height >= oldest);
  return { pending, carried, moments, tip, base };
}

export type Admission =
  | { readonly status: 'admitted'; readonly pool: EvidencePool }
  /** Of no use, and nobody's fault: the offence is known, too old, or of an epoch that is not judged here. */
  | { readonly status: 'useless' }
  /** It proves nothing: whoever sent it has not verified it. */
  | { readonly status: 'refused'; readonly refusal: EvidenceRefusal };

/** What was found here, or came from a peer. Signatures are verified last, and once for an offence. */
export function admitEvidence(pool: EvidencePool, rules: EvidenceRules, evidence: Evidence): Admission {
  const offence = offenceOf(evidence);
  const epoch = electorateOf(rules.epoch, epochOf(evidence));
  if (epoch === undefined || pool.carried.has(offence)) return { status: 'useless' };
  const reached = pool.tip?.height ?? pool.base;
  const known = pool.pending.get(offence);
  // Who accuses itself of what no block may carry yet is not safe from what one may.
  const isSooner = known !== undefined && heightOf(known) > reached && heightOf(evidence) <= reached;
  if (known !== undefined && !isSooner) return { status: 'useless' };
  if (heightOf(evidence) > reached + AHEAD_MAX) return { status: 'useless' };
  if (pool.tip !== undefined && tooOld(pool, rules, evidence, pool.tip) !== undefined)
    return { status: 'useless' };
  const verdict = verifyEvidence(epoch, rules.bls, evidence);
  if (verdict !== 'valid') return { status: 'refused', refusal: verdict };
  // The accused is of the set, so that this never comes to be; beyond it the newest is dropped.
  if (known === undefined && pool.pending.size >= OFFENCES_MAX) return { status: 'useless' };
  return { status: 'admitted', pool: { ...pool, pending: new Map(pool.pending).set(offence, evidence) } };
}

/** What is too old by now goes, and what was said in an epoch that nobody judges any more. */
export function withoutOld(pool: EvidencePool, rules: EvidenceRules): EvidencePool {
  const { tip } = pool;
  const left = [...pool.pending].filter(
    ([, evidence]) =>
      electorateOf(rules.epoch, epochOf(evidence)) !== undefined &&
      (tip === undefined || tooOld(pool, rules, evidence, tip) === undefined),
  );
  return left.length === pool.pending.size ? pool : { ...pool, pending: new Map(left) };
}

/** Something waits for a block, be it a later one than the next. */
export const isWaited = (pool: EvidencePool, rules: EvidenceRules, at: Moment): boolean =>
  [...pool.pending.values()].some(
    (evidence) => isWithin(pool, evidence) && tooOld(pool, rules, evidence, at) === undefined,
  );

/**
 * What a leader may put into its block, the older offences first. @param named what uncommitted ancestors carry
 * Of an offence below this node's first block nobody here knows whether the chain carries it: others will propose it.
 */
export function selectEvidence(
  pool: EvidencePool,
  rules: EvidenceRules,
  at: Moment,
  named: readonly Offence[],
): readonly Evidence[] {
  return [...pool.pending]
    .filter(([offence, evidence]) => !named.includes(offence) && isWithin(pool, evidence))
    .filter(([, evidence]) => !isAhead(evidence, at) && tooOld(pool, rules, evidence, at) === undefined)
    .map(([offence, evidence]) => ({ offence, evidence, height: heightOf(evidence) }))
    .sort((left, right) => left.height - right.height || (left.offence < right.offence ? -1 : 1))
    .slice(0, EVIDENCE_PER_BLOCK_MAX)
    .map(({ evidence }) => evidence);
}

/** CS-3, CS-14: whether a block at this place may carry the evidence. Of blocks that this node does not hold it believes the best. */
export function judgeEvidence(
  pool: EvidencePool,
  rules: EvidenceRules,
  {
    evidence,
    at,
    named,
  }: { readonly evidence: readonly Evidence[]; readonly at: Moment; readonly named: readonly Offence[] },
): EvidenceRefusal | 'valid' {
  for (const one of evidence) {
    const offence = offenceOf(one);
    if (named.includes(offence)) return { code: 'EVIDENCE_REPEATED', offence };
    const height = pool.carried.get(offence);
    if (height !== undefined && at.height - height <= rules.ageHeights) {
      return { code: 'EVIDENCE_REPEATED', offence, height };
    }
    if (isAhead(one, at)) return { code: 'EVIDENCE_AHEAD', offence, height: heightOf(one), at: at.height };
    const old = tooOld(pool, rules, one, at);
    if (old !== undefined) return old;
    const known = pool.pending.get(offence);
    if (known !== undefined && evidenceIdOf(known) === evidenceIdOf(one)) continue;
    const epoch = electorateOf(rules.epoch, epochOf(one));
    if (epoch === undefined) return { code: 'WRONG_EPOCH', epoch: epochOf(one), expected: rules.epoch.epoch };
    const verdict = verifyEvidence(epoch, rules.bls, one);
    if (verdict !== 'valid') return verdict;
  }
  return 'valid';
}

const isWithin = ({ base }: EvidencePool, evidence: Evidence): boolean => heightOf(evidence) >= base;

/** Heights are what the accused has signed: one above the chain would never be too old, and stand in blocks again and again. */
const isAhead = (evidence: Evidence, at: Pick<Moment, 'height'>): boolean => heightOf(evidence) > at.height;

/**
 * An offence is as old as the later height in its statements; in time as the first block at or above that height whose
 * time is kept. Where this node keeps none it is as young as can be.
 */
function tooOld(
  { moments }: EvidencePool,
  { ageHeights, ageMax }: EvidenceRules,
  evidence: Evidence,
  at: Moment,
): EvidenceRefusal | undefined {
  const height = heightOf(evidence);
  const moment = moments.find((one) => one.height >= height && one.height < at.height);
  const isOld = at.height - height > ageHeights || (moment !== undefined && at.time - moment.time > ageMax);
  if (!isOld) return undefined;
  const heightsMax = ageHeights;
  return {
    code: 'EVIDENCE_TOO_OLD',
    offence: offenceOf(evidence),
    height,
    at: at.height,
    heightsMax,
    ageMax,
  };
}

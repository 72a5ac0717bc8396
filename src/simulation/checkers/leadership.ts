/**
 * Who leads which round, and what an epoch hands on to the next: written down anew from docs/protocol/consensus.md, CS-15 and
 * CS-17, for the small powers of a simulated set. Pure.
 */
import { createHash } from 'node:crypto';
import type { Address, Validator } from '../../protocol/chain/types.ts';
import type { LeadershipParameters } from '../../protocol/consensus/leader.ts';
import { hex, text, u64 } from './bytes.ts';

/** What everything in an epoch is judged by, as the chain before it fixes it. */
export interface Reckoned {
  readonly epoch: number;
  /** Rising by address. */
  readonly validators: readonly Validator[];
  readonly seed: string;
  readonly passedOver: readonly Address[];
}

/** By address: rounds that it led, and those of them without a block in the chain. */
export type Records = ReadonlyMap<Address, { readonly led: number; readonly failed: number }>;

/** "Of a gap the newest 256 rounds count". @unit rounds */
export const GAP_MAX = 256;
/** "At least two and at least half". @unit rounds */
const FAILED_MIN = 2;

export function leaderIn(
  { epoch, validators, seed, passedOver }: Reckoned,
  { leaderSchedule }: Pick<LeadershipParameters, 'leaderSchedule'>,
  round: number,
): Address | undefined {
  const leaders = validators.filter(({ address }) => !passedOver.includes(address));
  if (leaderSchedule === 'round_robin') return turnIn(leaders, round);
  const total = powerOf(leaders);
  let rest = drawBelow(total, (attempt) => [
    text('althing/leader/v1'),
    hex(seed),
    ...[epoch, round, attempt].map(u64),
  ]);
  return leaders.find(({ power }) => {
    rest -= power;
    return rest < 0n;
  })?.address;
}

/** Each time whoever is owed most leads; of equals the first of the set. */
function turnIn(leaders: readonly Validator[], round: number): Address | undefined {
  const common = leaders.reduce((sum, { power }) => divisor(sum, power), 0n);
  const cycle = powerOf(leaders) / common;
  const owed = leaders.map(() => 0n);
  let turn: Address | undefined;
  for (let at = 0n; at <= BigInt(round) % cycle; at += 1n) {
    for (const [index, { power }] of leaders.entries()) owed[index] = (owed[index] ?? 0n) + power / common;
    const best = owed.reduce((found, credit, index) => (credit > (owed[found] ?? 0n) ? index : found), 0);
    owed[best] = (owed[best] ?? 0n) - cycle;
    turn = leaders[best]?.address;
  }
  return turn;
}

/** H(seed ‖ output) of a committed block. */
export const seedWith = (seed: string, output: Uint8Array): string =>
  digest(text('althing/seed/v1'), hex(seed), u64(output.byteLength), output);

/** Of the epoch after `epoch`, whose blocks came to `seed`. */
export const seedAfter = (epoch: number, seed: string): string =>
  digest(text('althing/epoch-seed/v1'), hex(seed), u64(epoch));

/** "Passes over leaders whose rounds failed", "the worst first, together of no more than J(W) − 1 power". */
export function passedOverIn(next: readonly Validator[], records: Records): readonly Address[] {
  const worst = next
    .map(({ address, power }) => ({ address, power, ...(records.get(address) ?? { led: 0, failed: 0 }) }))
    .filter(({ led, failed }) => failed >= FAILED_MIN && 2 * failed >= led)
    .sort((left, right) => right.failed * left.led - left.failed * right.led || right.failed - left.failed);
  let spare = powerOf(next) / 3n;
  const over = worst.filter(({ power }) => {
    if (power > spare) return false;
    spare -= power;
    return true;
  });
  return over.map(({ address }) => address).sort();
}

/** Of the whole descriptor: what `validatorsHash` of the epoch's headers is. */
export function hashOf({ epoch, validators, seed, passedOver }: Reckoned): string {
  const set = digest(
    text('althing/validators/v1'),
    u64(validators.length),
    ...validators.flatMap(({ address, consensusKey, nodeKey, power }) => [
      hex(address),
      u64(consensusKey.byteLength),
      consensusKey,
      u64(nodeKey.byteLength),
      nodeKey,
      u64(Number(power)),
    ]),
  );
  const over = passedOver.map(hex);
  return digest(text('althing/epoch/v1'), u64(epoch), hex(set), hex(seed), u64(over.length), ...over);
}

export const powerOf = (validators: readonly Validator[]): bigint =>
  validators.reduce((sum, { power }) => sum + power, 0n);

/** "Without bias": the last few values, which would favour some, are drawn again. */
function drawBelow(limit: bigint, partsOf: (attempt: number) => readonly Uint8Array[]): bigint {
  const all = 1n << 256n;
  for (let attempt = 0; ; attempt += 1) {
    const value = BigInt(`0x${digest(...partsOf(attempt))}`);
    if (value < all - (all % limit)) return value % limit;
  }
}

function digest(...parts: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

const divisor = (left: bigint, right: bigint): bigint => (right === 0n ? left : divisor(right, left % right));

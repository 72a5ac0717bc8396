/**
 * The validators that an application's state holds: which sets consensus can run with, and the bytes that files, snapshots
 * and hashes have of one. Pure. CS-16, docs/applications.md.
 */
import { concatBytes, equalBytes, toHex } from '../../base/bytes.ts';
import { BLS_PUBLIC_KEY_BYTES } from '../../crypto/bls/engine.ts';
import { u64 } from '../../protocol/chain/canonical.ts';
import { POWER_LIMIT } from '../../protocol/chain/parse.ts';
import { NODE_KEY_BYTES } from '../../protocol/chain/validator-set.ts';
import type { ValidatorUpdate } from '../../protocol/ports/application.ts';
import { VALIDATORS_MAX } from '../../protocol/transport/limits.ts';

/** By node key in hexadecimal. */
export type StateValidators = ReadonlyMap<string, ValidatorUpdate>;

const POWER_BYTES = 8;
const NODE_KEY_END = POWER_BYTES + NODE_KEY_BYTES;
const NO_PROOF = new Uint8Array(0);

/** Why consensus could not run with what the update leaves (CS-16); undefined: it could. */
export function problemOfUpdate(validators: StateValidators, update: ValidatorUpdate): string | undefined {
  const { nodeKey, consensusKey, power } = update;
  if (nodeKey.byteLength !== NODE_KEY_BYTES)
    return `a node key has ${NODE_KEY_BYTES} bytes, not ${nodeKey.byteLength}`;
  if (consensusKey.byteLength !== BLS_PUBLIC_KEY_BYTES)
    return `a consensus key has ${BLS_PUBLIC_KEY_BYTES} bytes, not ${consensusKey.byteLength}`;
  if (power < 0n || power >= POWER_LIMIT) return `a power is 0 to 2^60 - 1, not ${power}`;
  const place = toHex(nodeKey);
  if (power === 0n && !validators.has(place)) return 'no validator has this node key: none can leave';
  if (power > 0n && hasOther(validators, place, toHex(consensusKey)))
    return 'another validator has this consensus key';
  const left = updated(validators, update);
  let total = 0n;
  for (const each of left.values()) total += each.power;
  if (total === 0n) return 'the last validator cannot leave';
  if (total >= POWER_LIMIT) return `the total power would be ${total}, at most 2^60 - 1`;
  if (left.size > VALIDATORS_MAX) return `there would be ${left.size} validators, at most ${VALIDATORS_MAX}`;
  return undefined;
}

/** Sets of one block: before it, with what it has changed so far, and with what is asked for. */
export interface BlockChange {
  readonly before: StateValidators;
  readonly now: StateValidators;
  readonly after: StateValidators;
}

/**
 * Why a block may not change so much (CS-16): what comes, goes and changes of power, together, is at most so many percent of
 * the power before the block; a validator with another consensus key comes and goes with all of its power. One unit may always
 * change: else nobody could ever join three. Undefined: it may; a step back is never refused.
 */
export function problemOfChange({ before, now, after }: BlockChange, percent: number): string | undefined {
  const total = [...before.values()].reduce((sum, { power }) => sum + power, 0n);
  if (total === 0n || percent === 100) return undefined;
  const share = (total * BigInt(percent)) / 100n;
  const most = share > 1n ? share : 1n;
  const changed = changedPower(before, after);
  if (changed <= most || changed <= changedPower(before, now)) return undefined;
  return `the block would change ${changed} of the power ${total}, at most ${most} at once: ask for less, or again in a later block`;
}

/** Power that differs between two sets, by node key. */
function changedPower(before: StateValidators, after: StateValidators): bigint {
  let sum = 0n;
  for (const place of new Set([...before.keys(), ...after.keys()])) {
    const [one, other] = [before.get(place), after.get(place)];
    const [had, has] = [one?.power ?? 0n, other?.power ?? 0n];
    if (one !== undefined && other !== undefined && !equalBytes(one.consensusKey, other.consensusKey))
      sum += had > has ? had : has;
    else sum += had > has ? had - has : has - had;
  }
  return sum;
}

const hasOther = (validators: StateValidators, place: string, consensusKey: string): boolean =>
  [...validators].some(([key, other]) => key !== place && toHex(other.consensusKey) === consensusKey);

/** The validators after an update. Proofs of possession are not state: they were checked, and a file has none. */
export function updated(validators: StateValidators, update: ValidatorUpdate): StateValidators {
  const next = new Map(validators);
  if (update.power === 0n) next.delete(toHex(update.nodeKey));
  else next.set(toHex(update.nodeKey), { ...update, possessionProof: NO_PROOF });
  return next;
}

/** The later of two updates of one node key; a proof of possession of the same consensus key stays known. */
export const joined = (earlier: ValidatorUpdate | undefined, later: ValidatorUpdate): ValidatorUpdate =>
  earlier !== undefined &&
  later.possessionProof.byteLength === 0 &&
  equalBytes(earlier.consensusKey, later.consensusKey)
    ? { ...later, possessionProof: earlier.possessionProof }
    : later;

/**
 * What takes the set before a block to the set after it: who left, then who came or changed, each by node key. One that came
 * and left within the block is not in it. @param updates joined, of each node key: they have the proofs of possession
 */
export function changesOf(
  before: StateValidators,
  after: StateValidators,
  updates: ReadonlyMap<string, ValidatorUpdate>,
): readonly ValidatorUpdate[] {
  if (before === after) return [];
  const left = [...before]
    .filter(([place]) => !after.has(place))
    .map(([place, { nodeKey, consensusKey }]) => {
      return [place, { nodeKey, consensusKey, possessionProof: NO_PROOF, power: 0n }] as const;
    });
  const changed = [...after]
    .filter(([place, update]) => !isSame(before.get(place), update))
    .map(([place, update]) => [place, updates.get(place) ?? update] as const);
  return [...left.sort(byPlace), ...changed.sort(byPlace)].map(([, update]) => update);
}

const isSame = (one: ValidatorUpdate | undefined, other: ValidatorUpdate): boolean =>
  one !== undefined && one.power === other.power && equalBytes(one.consensusKey, other.consensusKey);

const byPlace = (
  [left]: readonly [string, ...unknown[]],
  [right]: readonly [string, ...unknown[]],
): number => (left < right ? -1 : 1);

/** As file, snapshot and hash have it: power u64, node key 32 bytes, BLS key. */
export const packedValidator = ({
  nodeKey,
  consensusKey,
  power,
}: Omit<ValidatorUpdate, 'possessionProof'>): Uint8Array => concatBytes(u64(power), nodeKey, consensusKey);

export function validatorsFrom(blobs: readonly Uint8Array[]): StateValidators {
  const validators = new Map<string, ValidatorUpdate>();
  for (const blob of blobs) {
    const power = Buffer.from(blob).readBigUInt64BE(0);
    const nodeKey = blob.slice(POWER_BYTES, NODE_KEY_END);
    const consensusKey = blob.slice(NODE_KEY_END);
    if (power === 0n) validators.delete(toHex(nodeKey));
    else validators.set(toHex(nodeKey), { nodeKey, consensusKey, possessionProof: NO_PROOF, power });
  }
  return validators;
}

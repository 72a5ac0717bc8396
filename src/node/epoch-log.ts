/**
 * What the operator's log says when an epoch begins: who came, left and changed, and whether this node can sign in it. Pure but
 * for the log. CS-16, docs/operator-guide.md.
 */
import { equalBytes, toHex } from '../base/bytes.ts';
import type { NodeLog } from '../observe/log.ts';
import type { Address, Epoch, ValidatorSet } from '../protocol/chain/types.ts';
import { isValidator, validatorOf } from '../protocol/chain/validator-set.ts';
import type { EpochContext } from '../protocol/consensus/epoch.ts';

type Log = Pick<ReturnType<NodeLog['of']>, 'info' | 'warn'>;

export interface SetChange {
  readonly came: readonly Address[];
  readonly left: readonly Address[];
  /** Another power. */
  readonly changed: readonly Address[];
  /** Another consensus key. */
  readonly rotated: readonly Address[];
}

/** What of the validators is another in the second set; each list by address. */
export function setChange(before: ValidatorSet, after: ValidatorSet): SetChange {
  const stayed = after.validators.flatMap((now) => {
    const then = validatorOf(before, now.address);
    return then === undefined ? [] : [{ then, now }];
  });
  return {
    came: after.validators.map(({ address }) => address).filter((address) => !isValidator(before, address)),
    left: before.validators.map(({ address }) => address).filter((address) => !isValidator(after, address)),
    changed: stayed.filter(({ then, now }) => then.power !== now.power).map(({ now }) => now.address),
    rotated: stayed
      .filter(({ then, now }) => !equalBytes(then.consensusKey, now.consensusKey))
      .map(({ now }) => now.address),
  };
}

/** Why a validator of the set cannot sign in it; undefined: it can, or is none. */
export function missingKey(
  set: ValidatorSet,
  self: Address,
  hasKey: (consensusKey: Uint8Array) => boolean,
): string | undefined {
  const own = validatorOf(set, self);
  if (own === undefined || hasKey(own.consensusKey)) return undefined;
  return (
    `this node signs nothing: the validators of the epoch have it with the consensus key ${toHex(own.consensusKey)}, and no key file that it ` +
    'read at its start has that one. Is its file in keys/ by now, start the node again; else put it back first, or have the chain take a key that is there (`althing show-validator`)'
  );
}

export interface EpochLogOptions {
  readonly log: Log;
  readonly self: Address;
  readonly hasKey: (consensusKey: Uint8Array) => boolean;
  /** That of the start. */
  readonly epoch: EpochContext;
}

/** To be told of each epoch that begins, also more than once: a line for each. */
export function epochLog({
  log,
  self,
  hasKey,
  epoch: first,
}: EpochLogOptions): (epoch: EpochContext) => void {
  let last = first;
  const warn = (set: ValidatorSet): void => {
    const missing = missingKey(set, self, hasKey);
    if (missing !== undefined) log.warn(missing);
  };
  warn(first.set);
  return (began) => {
    if (began.epoch <= last.epoch) return;
    const { set, rootQC } = began;
    const ended: Epoch = last.epoch;
    const own = validatorOf(set, self)?.power ?? 0n;
    const change = setChange(last.set, set);
    const facts = { epoch: began.epoch, validators: set.validators.length, power: String(own), ...change };
    log.info(
      facts,
      `epoch ${ended} ended with block ${rootQC.height}, epoch ${began.epoch} began; ${wordsOf(last.set, set, self)}`,
    );
    last = began;
    warn(set);
  };
}

function wordsOf(before: ValidatorSet, after: ValidatorSet, self: Address): string {
  const [was, is] = [isValidator(before, self), isValidator(after, self)];
  if (is) return was ? 'this node is a validator' : 'this node is a validator now, and votes';
  return was ? 'this node is no validator any more: it follows' : 'this node follows';
}

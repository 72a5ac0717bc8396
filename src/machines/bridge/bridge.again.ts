/**
 * What this node handed over and no block carries goes to one more validator, in turn, until one honest one must have it; where this node has become a
 * validator, to its own mempool. So nobody who takes operations and lies low keeps them from the chain. Pure. Rule BR-8, docs/protocol/bridge.md.
 */
import { setIn } from '../../base/persistent-map.ts';
import { type Monotonic, monotonic } from '../../base/units.ts';
import {
  HAND_AGAIN_PAUSE_MS,
  type Handing,
  type HandingFacts,
  handedTo,
  nextFor,
  takenBy,
} from '../../protocol/bridge/handing.ts';
import {
  dueAgain,
  findOperation,
  isKept,
  type Kept,
  withHandings,
  withoutKept,
} from '../../protocol/bridge/operations.ts';
import { transactionHashOf } from '../../protocol/chain/batch.ts';
import { GENESIS_HEIGHT } from '../../protocol/chain/ordinals.ts';
import type { Address } from '../../protocol/chain/types.ts';
import { isValidator, powerOf } from '../../protocol/chain/validator-set.ts';
import type { Admission } from '../../protocol/ports/mempool.ts';
import type { CellAddress } from '../../protocol/supervision/effect.ts';
import { askMempool, type BridgeContext, counted, type Decided, type Submission } from './bridge.live.ts';
import { ableValidators, callTo, isTooMuch, KNOWN, loadOf } from './bridge.remote.ts';

/** To the mempool's rates it is one client's. */
const CLIENT = 'handed again';

const factsOf = ({ committedHeight, validators }: BridgeContext, now: Monotonic): HandingFacts => ({
  ...{ now, validators },
  committedHeight: committedHeight ?? GENESIS_HEIGHT,
});

/** Where a validator took the submission: the one that was asked last. Nobody else says that he has it. */
export function handingOf(
  context: BridgeContext,
  { handedTo: to, heldBack, since }: Submission,
): { readonly handing?: Handing } {
  const last = to.at(-1);
  if (last === undefined) return {};
  const { committedHeight: height } = factsOf(context, since);
  const sentTo = to.filter((peer) => !heldBack.includes(peer));
  return { handing: { to: sentTo, times: 1, takenBy: [last], since, height } };
}

interface HandedAgain extends Decided {
  /** What went to another validator: it counts as anything else that is handed over (TP-5). */
  readonly transactions: readonly Uint8Array[];
}

const NOTHING: HandedAgain = { transactions: [] };

/**
 * One message at a time, with the oldest that is due and what else its next validator lacks. A node that is cut off or behind waits: what it
 * handed over may be committed. Without an answer it stays as it is, and the wait begins anew.
 */
export function handAgain(
  context: BridgeContext,
  { now, address }: { readonly now: Monotonic; readonly address: CellAddress },
): HandedAgain {
  const { operations, partition, isNearTip, validators, self, handAgainFrom } = context;
  if (operations.keptBytes === 0 || now < handAgainFrom) return NOTHING;
  if (partition !== undefined || !isNearTip) return NOTHING;
  const looked = { handAgainFrom: monotonic(now + HAND_AGAIN_PAUSE_MS) };
  const facts = factsOf(context, now);
  const isOwn = isValidator(validators, self);
  const able = isOwn ? [self] : inTurn(context);
  const due = dueAgain(operations, facts);
  const to = firstOf(due, ({ handing }) => nextFor(handing, able));
  if (to === undefined) return { context: looked, transactions: [] };
  const together = inOneMessage(due.filter(({ handing }) => !handing.takenBy.includes(to)));
  const tag = context.nextTag + 1;
  const submission = submissionOfAgain(together, tag, isOwn ? [] : [to], now);
  return {
    context: {
      ...looked,
      nextTag: tag,
      submissions: setIn(context.submissions, String(tag), submission),
      operations: withHandings(operations, submission.ids, (handing) => handedTo(handing, to, facts)),
      ...counted(context, 'handedAgain', together.length),
    },
    effects: [isOwn ? askMempool(context, submission, tag, address) : callTo(to, submission, tag, address)],
    transactions: together.map(({ operation }) => operation),
  };
}

/** Validators that can be handed operations, beginning anywhere. */
function inTurn(context: BridgeContext): readonly Address[] {
  const able = ableValidators(context).filter((peer) => powerOf(context.validators, peer) > 0n);
  const from = context.nextTag % Math.max(1, able.length);
  return [...able.slice(from), ...able.slice(0, from)];
}

function firstOf<One, Found>(all: readonly One[], find: (one: One) => Found | undefined): Found | undefined {
  for (const one of all) {
    const found = find(one);
    if (found !== undefined) return found;
  }
  return undefined;
}

function inOneMessage(due: readonly Kept[]): readonly Kept[] {
  let load = loadOf([]);
  const end = due.findIndex(({ bytes }) => {
    load = { operations: load.operations + 1, bytes: load.bytes + bytes };
    return isTooMuch(load);
  });
  return end === -1 ? due : due.slice(0, end);
}

const submissionOfAgain = (
  operations: readonly Kept[],
  tag: number,
  handedTo: readonly Address[],
  since: Monotonic,
): Submission => ({
  ...{ tag, asker: { kind: 'again' }, client: CLIENT, since, handedTo, heldBack: [] },
  ids: operations.map(({ proposalId }) => proposalId),
  asked: operations.map(({ proposalId: hash, operation: transaction }, position) => {
    return { position, hash, transaction };
  }),
  ...{ refused: new Map(), unread: undefined, check: 'over', early: new Set() },
});

/** Who says that it has it, has it; whatever else it says is no end (BR-8). The own mempool keeps what it has by itself. */
export function settleAgain(
  context: BridgeContext,
  { asked, handedTo: [peer] }: Submission,
  judged: ReadonlyMap<number, Admission>,
): Decided {
  const { nextTag, submissions, activity, counts, self } = context;
  const taken = asked.flatMap(({ position, hash }) => {
    const admission = judged.get(position);
    return admission?.status === 'admitted' || admission?.code === KNOWN ? [hash] : [];
  });
  const known = withHandings(context.operations, taken, (handing) => takenBy(handing, peer ?? self));
  const operations = peer === undefined ? withoutKept(known, taken) : known;
  return { context: { operations, nextTag, submissions, activity, counts } };
}

/**
 * MP-6: the mempool of a node that has left the set hands over what is its own as often as it would send a batch. What validators have of it by
 * now is cared for here.
 */
export function withoutCaredFor(
  { operations }: BridgeContext,
  transactions: readonly Uint8Array[],
): readonly Uint8Array[] {
  return transactions.filter((transaction) => {
    const held = findOperation(operations, transactionHashOf(transaction));
    return held === undefined || !isKept(held);
  });
}

/**
 * The own application's word on operations that a node without a vote would hand over: what it refuses costs no validator a check, and its sender hears why
 * at once. It is asked while its state is about that of the validators, and answers in time; else they alone judge. Pure. Rule BR-8, ADR 0010.
 */
import { emptyMap, getIn, type PersistentMap, setIn } from '../../base/persistent-map.ts';
import type { Monotonic } from '../../base/units.ts';
import { findOperation } from '../../protocol/bridge/operations.ts';
import { ANSWER_MS, OWN_CHECK_MS } from '../../protocol/bridge/times.ts';
import type { Digest, Height } from '../../protocol/chain/types.ts';
import { refusedByCheck } from '../../protocol/mempool/admission.ts';
import type { CheckResult } from '../../protocol/ports/application.ts';
import { DUPLICATE_CODE, type ExecutionRequest, NODE_CODESPACE } from '../../protocol/ports/execution.ts';
import type { Admission } from '../../protocol/ports/mempool.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';
import type { BridgeContext, Submission } from './bridge.live.ts';

export interface CheckOverdue {
  readonly type: 'check.overdue';
  readonly tag: number;
}

/** Committed and not executed yet: with more the state is older than a validator judges by. @unit heights @source chosen: the block under execution, and one told meanwhile */
const UNEXECUTED_MAX = 2;

const timerOf = (tag: number): string => `check-${tag}`;

/** Whether the own application is worth asking now. */
export function mayCheck(context: BridgeContext): boolean {
  const [newest] = context.recent;
  return (
    context.isNearTip && !context.isApplicationLate && newest !== undefined && isYoung(context, newest.height)
  );
}

/** Nearly what is committed. One that starts over says so with its answer alone: what it replays is told to nobody (EX-4). */
export const isYoung = ({ committedHeight }: BridgeContext, height: Height): boolean =>
  (committedHeight ?? height) - height <= UNEXECUTED_MAX;

export function checkEffects(
  { executor }: BridgeContext,
  { asked }: Submission,
  tag: number,
  replyTo: CellAddress,
): readonly Effect[] {
  const request: ExecutionRequest = {
    type: 'check.requested',
    ...{ replyTo, tag },
    transactions: asked.map(({ transaction }) => transaction),
    hashes: asked.map(({ hash }) => hash),
  };
  const message: CheckOverdue = { type: 'check.overdue', tag };
  return [
    telling(executor, request),
    { kind: 'startTimer', key: timerOf(tag), delayMs: OWN_CHECK_MS, message },
  ];
}

export const endCheckTimer = (tag: number): Effect => ({ kind: 'cancelTimer', key: timerOf(tag) });

/** Of a submission, by position: what was refused before, and what the own application refuses. Nobody else has that: it is its end, with the application's code and words. */
export function refusedHere(
  context: BridgeContext,
  { refused, asked }: Submission,
  results: readonly CheckResult[],
): ReadonlyMap<number, Admission> {
  const judged = asked.flatMap(({ position, hash }, index) => {
    const result = results[index];
    return result === undefined || result.code === 0 || isUnjudged(result)
      ? []
      : [[position, refusedByCheck(hash, result)] as const];
  });
  if (judged.length === 0) return refused;
  // Sent again while validators have it, or may: what they make of it is no business of a later state. That it was executed stays so.
  const ours = judged.filter(
    ([, { hash, code }]) =>
      findOperation(context.operations, hash) === undefined &&
      (code === 'ALREADY_KNOWN' || !mayBeHanded(context.handed, hash)),
  );
  return new Map([...refused, ...ours]);
}

/** It looked at each, and none of those that are left was executed before. */
export const hasJudged = ({ asked }: Submission, results: readonly CheckResult[]): boolean =>
  asked.length === results.length && !results.some(isUnjudged);

/** A check that threw judged nothing: validators may know better. */
const isUnjudged = ({ code, codespace }: CheckResult): boolean =>
  codespace === NODE_CODESPACE && code !== DUPLICATE_CODE;

/** Operations that were let through, or handed over, in the last ANSWER_MS at least: validators have them, or will. Bounded by what they take of one guest in twice that. */
export interface Handed {
  readonly newer: PersistentMap<true>;
  readonly older: PersistentMap<true>;
  /** When `newer` began. */
  readonly since: Monotonic;
}

export const nothingHanded = (now: Monotonic): Handed => ({
  newer: emptyMap(),
  older: emptyMap(),
  since: now,
});

export function withHanded(
  { newer, older, since }: Handed,
  { asked }: Pick<Submission, 'asked'>,
  now: Monotonic,
): Handed {
  const isOver = now - since > ANSWER_MS;
  const begun = isOver ? emptyMap<true>() : newer;
  return {
    newer: asked.reduce((map, { hash }) => setIn(map, hash, true), begun),
    older: isOver ? newer : older,
    since: isOver ? now : since,
  };
}

const mayBeHanded = ({ newer, older }: Handed, hash: Digest): boolean =>
  getIn(newer, hash) === true || getIn(older, hash) === true;
